package natbox

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/sim"
)

// station6 is a host by hand that does neighbour discovery and keeps what else it
// gets. What it sends and judges is gopacket's.
type station6 struct {
	l      *lab
	port   *sim.Port
	addr   netip.Addr
	router [6]byte
	mute   bool // answers no solicitation
	got    []gopacket.Packet
	asked  []gopacket.Packet // solicitations for its address
	news   []gopacket.Packet // advertisements
}

func (l *lab) station6(name, segment, router, addr string) *station6 {
	s := &station6{l: l, addr: netip.MustParseAddr(addr), router: sim.MACFor(router, segment)}
	var err error
	s.port, err = l.segments[segment].Attach(sim.PortConfig{Node: name, Addrs: []netip.Addr{s.addr}, Receive: s.receive})
	require.NoError(l.t, err)
	return s
}

func (s *station6) receive(frame []byte) {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	ip, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	if !ok {
		return
	}
	require.Equal(s.l.t, len(frame)-14-40, int(ip.Length))
	require.LessOrEqual(s.l.t, len(frame)-14, s.port.MTU())
	if ip.NextHeader == layers.IPProtocolICMPv6 {
		require.Zero(s.l.t, fold(pseudo(ip)), "the checksum is wrong: %v", p)
	}
	if ns, ok := p.Layer(layers.LayerTypeICMPv6NeighborSolicitation).(*layers.ICMPv6NeighborSolicitation); ok {
		require.Equal(s.l.t, uint8(255), ip.HopLimit)
		if ns.TargetAddress.Equal(s.addr.AsSlice()) {
			s.asked = append(s.asked, p)
			if !s.mute {
				s.advertise(p, 0x60)
			}
		}
		return
	}
	if p.Layer(layers.LayerTypeICMPv6NeighborAdvertisement) != nil {
		s.news = append(s.news, p)
		return
	}
	s.got = append(s.got, p)
}

// pseudo is what the checksum of an upper layer covers: RFC 8200, Section 8.1.
func pseudo(ip *layers.IPv6) []byte {
	n := len(ip.Payload)
	b := append(append([]byte{}, ip.SrcIP.To16()...), ip.DstIP.To16()...)
	b = append(b, 0, 0, byte(n>>8), byte(n), 0, 0, 0, byte(ip.NextHeader))
	return append(b, ip.Payload...)
}

// advertise answers a solicitation with these flags: 0x40 solicited, 0x20 override.
func (s *station6) advertise(solicitation gopacket.Packet, flags uint8) {
	to := solicitation.Layer(layers.LayerTypeIPv6).(*layers.IPv6).SrcIP
	mac := s.port.MAC()
	s.sendICMP(to.String(), 255, 136, &layers.ICMPv6NeighborAdvertisement{
		Flags: flags, TargetAddress: s.addr.AsSlice(), Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: mac[:]}},
	})
}

func (s *station6) ipv6(dst string, proto layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, SrcIP: s.addr.AsSlice(), DstIP: net.ParseIP(dst), NextHeader: proto}
}

// sendIP sends a packet to the router and returns it from the IP header on.
func (s *station6) sendIP(ip *layers.IPv6, above ...gopacket.SerializableLayer) []byte {
	mac := s.port.MAC()
	for _, l := range above {
		if l, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			require.NoError(s.l.t, l.SetNetworkLayerForChecksum(ip))
		}
	}
	frame := serialize(s.l.t, append([]gopacket.SerializableLayer{
		&layers.Ethernet{SrcMAC: mac[:], DstMAC: s.router[:], EthernetType: layers.EthernetTypeIPv6}, ip,
	}, above...)...)
	s.port.Send(append([]byte(nil), frame...), "")
	return frame[14:]
}

func (s *station6) sendUDP(dst string, size int, change func(*layers.IPv6)) []byte {
	ip := s.ipv6(dst, layers.IPProtocolUDP)
	if change != nil {
		change(ip)
	}
	return s.sendIP(ip, &layers.UDP{SrcPort: 1000, DstPort: 2000}, gopacket.Payload(pattern(size)))
}

func (s *station6) sendICMP(dst string, hops, typ uint8, above ...gopacket.SerializableLayer) []byte {
	ip := s.ipv6(dst, layers.IPProtocolICMPv6)
	ip.HopLimit = hops
	return s.sendIP(ip, append([]gopacket.SerializableLayer{&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}}, above...)...)
}

func (s *station6) take() []gopacket.Packet {
	got := s.got
	s.got = nil
	return got
}

// icmpError requires one packet: an ICMPv6 error of a type and code about a packet
// that was sent. It returns the four bytes behind the checksum.
func (s *station6) icmpError(typ, code uint8, from string, about []byte) [4]byte {
	t := s.l.t
	t.Helper()
	got := s.take()
	require.Len(t, got, 1)
	ip := got[0].Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	require.Equal(t, []string{from, s.addr.String()}, []string{ip.SrcIP.String(), ip.DstIP.String()})
	require.Equal(t, []byte{typ, code}, ip.Payload[:2])
	require.Equal(t, about[:min(len(about), 1280-48)], ip.Payload[8:]) // RFC 4443, Section 2.4(c)
	return [4]byte(ip.Payload[4:])
}

// pair6 is a router between two stations, and a third behind a static route:
//
//	a 2001:db8:1::2 --left-- 2001:db8:1::1 r 2001:db8:2::1 --right-- b 2001:db8:2::2, c 2001:db8:2::3 (next hop of 2001:db8:9::/48)
type pair6 struct {
	*lab
	r       *Router
	a, b, c *station6
}

func newPair6(t testing.TB, rightMTU int, s Settings) *pair6 {
	p := &pair6{lab: newLab(t)}
	left, right := p.segment("left", 1500), p.segment("right", rightMTU)
	p.r = p.router(RouterConfig{
		Name: "r", Settings: s,
		Interfaces: []Interface{{left, []netip.Prefix{netip.MustParsePrefix("2001:db8:1::1/64")}}, {right, []netip.Prefix{netip.MustParsePrefix("2001:db8:2::1/64")}}},
		Routes:     []Route{{netip.MustParsePrefix("2001:db8:9::/48"), netip.MustParseAddr("2001:db8:2::3")}},
	})
	p.a = p.station6("a", "left", "r", "2001:db8:1::2")
	p.b = p.station6("b", "right", "r", "2001:db8:2::2")
	p.c = p.station6("c", "right", "r", "2001:db8:2::3")
	return p
}

// warm lets the router find the neighbours that the tests do not watch being found.
func (p *pair6) warm() {
	p.a.sendUDP("2001:db8:2::2", 1, nil)
	p.b.sendUDP("2001:db8:1::2", 1, nil)
	p.wait(time.Second)
	p.a.take()
	p.b.take()
}
