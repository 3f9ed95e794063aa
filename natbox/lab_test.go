package natbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// lab is a world with segments, stations made by hand and routers under test.
// What it sends and what it judges is gopacket's, which knows nothing of natbox.
type lab struct {
	t        testing.TB
	w        *sim.World
	log      *trace.Log
	capture  bytes.Buffer
	segments map[string]*sim.Segment
}

func newLab(t testing.TB) *lab {
	l := &lab{t: t, log: trace.New(nil), segments: map[string]*sim.Segment{}}
	var err error
	l.w, err = sim.New(sim.Config{Name: "natbox", Seed: 1, Trace: l.log, Capture: &l.capture})
	require.NoError(t, err)
	return l
}

func (l *lab) segment(name string, mtu int) *sim.Segment {
	s, err := l.w.NewSegment(name, sim.SegmentConfig{Latency: 100 * time.Microsecond, MTU: mtu})
	require.NoError(l.t, err)
	l.segments[name] = s
	return s
}

func (l *lab) router(c RouterConfig) *Router {
	r, err := NewRouter(l.w, c)
	require.NoError(l.t, err)
	return r
}

// run lets everything happen that is going to.
func (l *lab) run() { require.NoError(l.t, l.w.Run(context.Background(), 0, nil)) }

// wait lets time pass.
func (l *lab) wait(d time.Duration) {
	require.NoError(l.t, l.w.Run(context.Background(), l.w.Now()+d, nil))
}

// station is a host on a segment that answers ARP and keeps what it gets.
type station struct {
	l      *lab
	port   *sim.Port
	addrs  []netip.Addr
	mute   bool // does not answer ARP
	fuzzed bool // what others send it may be nonsense, which routers forward as it is
	got    []gopacket.Packet
	times  []time.Duration
	asked  []time.Duration // ARP requests for its addresses
	router [6]byte
}

// station adds one; frames that it sends go to the port of router on the segment.
func (l *lab) station(name, segment, router string, addrs ...string) *station {
	s := &station{l: l, router: sim.MACFor(router, segment)}
	for _, a := range addrs {
		s.addrs = append(s.addrs, netip.MustParseAddr(a))
	}
	var err error
	s.port, err = l.segments[segment].Attach(sim.PortConfig{Node: name, Addrs: s.addrs, Receive: s.receive})
	require.NoError(l.t, err)
	return s
}

func (s *station) receive(frame []byte) {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
		for _, a := range s.addrs {
			if arp.Operation == layers.ARPRequest && bytes.Equal(arp.DstProtAddress, a.AsSlice()) {
				s.asked = append(s.asked, s.l.w.Now())
				if !s.mute {
					s.sendARP(arp.SourceHwAddress, layers.ARPReply, a, arp.SourceHwAddress, netip.AddrFrom4([4]byte(arp.SourceProtAddress)))
				}
			}
		}
	}
	if frame[0]&1 == 0 {
		s.got = append(s.got, p)
		s.times = append(s.times, s.l.w.Now())
	}
}

// take returns the IPv4 packets received so far and forgets them. Each must be
// sound: checksums that gopacket computes itself, and a length within the MTU.
func (s *station) take() []gopacket.Packet {
	var packets []gopacket.Packet
	for _, p := range s.got {
		if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
			s.sound(p, ip)
			packets = append(packets, p)
		}
	}
	s.got, s.times = nil, nil
	return packets
}

func (s *station) sound(p gopacket.Packet, ip *layers.IPv4) {
	t := s.l.t
	header := ip.LayerContents()
	require.Zero(t, fold(header), "the header checksum is wrong: %x", header)
	require.LessOrEqual(t, len(header)+len(ip.Payload), s.port.MTU())
	require.Equal(t, int(ip.Length), len(header)+len(ip.Payload))
	require.Equal(t, s.port.MAC(), [6]byte(p.Data()[:6]))
	require.Equal(t, s.router, [6]byte(p.Data()[6:12]))
	if !s.fuzzed && ip.Protocol == layers.IPProtocolICMPv4 && ip.FragOffset == 0 && ip.Flags&layers.IPv4MoreFragments == 0 {
		require.Zero(t, fold(ip.Payload), "the ICMP checksum is wrong")
	}
}

// fold is RFC 1071 in its plainest form: 0 over data with a good checksum.
func fold(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		word := uint32(b[i]) << 8
		if i+1 < len(b) {
			word |= uint32(b[i+1])
		}
		if sum += word; sum > 0xffff {
			sum = sum - 0xffff
		}
	}
	return ^uint16(sum)
}

func (s *station) sendARP(to net.HardwareAddr, op uint16, sender netip.Addr, targetMAC net.HardwareAddr, target netip.Addr) {
	mac := s.port.MAC()
	s.send(serialize(s.l.t,
		&layers.Ethernet{SrcMAC: mac[:], DstMAC: to, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: op,
			SourceHwAddress: mac[:], SourceProtAddress: sender.AsSlice(), DstHwAddress: targetMAC, DstProtAddress: target.AsSlice(),
		}))
}

func (s *station) send(frame []byte) { s.port.Send(frame, "") }

// ipv4 is a header from the station's first address.
func (s *station) ipv4(dst string, proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Id: 0x1234, SrcIP: s.addrs[0].AsSlice(), DstIP: net.ParseIP(dst).To4(), Protocol: proto}
}

// sendIP sends a packet to the router.
func (s *station) sendIP(ip *layers.IPv4, above ...gopacket.SerializableLayer) []byte {
	frame := s.frame(ip, above...)
	s.send(bytes.Clone(frame))
	return frame
}

func (s *station) frame(ip *layers.IPv4, above ...gopacket.SerializableLayer) []byte {
	mac := s.port.MAC()
	all := []gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: mac[:], DstMAC: s.router[:], EthernetType: layers.EthernetTypeIPv4}, ip}
	frame := serialize(s.l.t, append(all, above...)...)
	return frame[:14+int(binary.BigEndian.Uint16(frame[16:]))] // without padding
}

func (s *station) sendUDP(dst string, size int, change func(*layers.IPv4)) []byte {
	ip := s.ipv4(dst, layers.IPProtocolUDP)
	if change != nil {
		change(ip)
	}
	udp := &layers.UDP{SrcPort: 1000, DstPort: 2000}
	require.NoError(s.l.t, udp.SetNetworkLayerForChecksum(ip))
	return s.sendIP(ip, udp, gopacket.Payload(pattern(size)))
}

func (s *station) sendEcho(dst string, size int, change func(*layers.IPv4)) []byte {
	ip := s.ipv4(dst, layers.IPProtocolICMPv4)
	if change != nil {
		change(ip)
	}
	return s.sendIP(ip, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 7, Seq: 3}, gopacket.Payload(pattern(size)))
}

// pattern is data of which no part looks like another.
func pattern(n int) []byte {
	b := make([]byte, 0, n+4)
	for i := uint32(0); len(b) < n; i++ {
		b = binary.BigEndian.AppendUint32(b, i*2654435761)
	}
	return b[:n]
}

func serialize(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	buf := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return bytes.Clone(buf.Bytes())
}

func ipv4Of(p gopacket.Packet) *layers.IPv4 { return p.Layer(layers.LayerTypeIPv4).(*layers.IPv4) }

// icmpError requires one packet: an ICMP error of a type and code about a frame that was sent.
func (s *station) icmpError(typ, code uint8, from string, about []byte) *layers.ICMPv4 {
	t := s.l.t
	got := s.take()
	require.Len(t, got, 1)
	ip := ipv4Of(got[0])
	require.Equal(t, from, ip.SrcIP.String())
	require.Equal(t, s.addrs[0].String(), ip.DstIP.String())
	require.Equal(t, uint8(0xc0), ip.TOS) // RFC 1812, 4.3.2.5
	icmp, ok := got[0].Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	require.True(t, ok, "%v", got[0])
	require.Equal(t, layers.CreateICMPv4TypeCode(typ, code), icmp.TypeCode)
	quote := about[14:]
	if len(quote) > 576-28 {
		quote = quote[:576-28] // RFC 1812, 4.3.2.3
	}
	require.Equal(t, quote, icmp.Payload)
	return icmp
}

// drops are the reasons in the trace, oldest first.
func (l *lab) drops() []string {
	var reasons []string
	for _, e := range l.log.Events() {
		if d, ok := e.Body.(trace.PacketDropped); ok {
			require.Equal(l.t, "router", d.Where)
			reasons = append(reasons, d.Packet+": "+d.Reason)
		}
	}
	return reasons
}

// pair is a router between two stations, and a third behind a static route:
//
//	a 10.0.1.2 --left-- 10.0.1.1 r 10.0.2.1 --right-- b 10.0.2.2, c 10.0.2.3 (next hop of 10.9.0.0/16)
type pair struct {
	*lab
	r       *Router
	a, b, c *station
}

func newPair(t testing.TB, rightMTU int, s Settings) *pair {
	p := &pair{lab: newLab(t)}
	left, right := p.segment("left", 1500), p.segment("right", rightMTU)
	p.r = p.router(RouterConfig{
		Name: "r", Settings: s,
		Interfaces: []Interface{{left, []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}}, {right, []netip.Prefix{netip.MustParsePrefix("10.0.2.1/24")}}},
		Routes:     []Route{{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParseAddr("10.0.2.3")}},
	})
	p.a = p.station("a", "left", "r", "10.0.1.2")
	p.b = p.station("b", "right", "r", "10.0.2.2")
	p.c = p.station("c", "right", "r", "10.0.2.3")
	return p
}
