package hosts_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/sim"
)

var (
	alice6 = netip.MustParseAddr("2001:db8:1::1")
	bob6   = netip.MustParseAddr("2001:db8:1::2")
)

func TestIPv6ApplicationsInTheClear(t *testing.T) {
	b := newBench6(t, nil, nil)
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	udp, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bob6, Count: 3, Size: 32, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		require.Equal(t, 2*time.Millisecond, r.Latency[1], "one round trip over a link of 1 ms")
		r = b.alice.Ping(p, hosts.Ping{To: bob6, Count: 1, Size: 20_000, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bob6, 80), Request: 100_000, Response: 50_000, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bob6, 7), Count: 2, Size: 5000, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
	})
	require.Equal(t, hosts.Seen{SYNs: 1, Connections: 1, Bytes: 100_000}, tcp.Seen())
	require.Equal(t, hosts.Seen{Datagrams: 2, Bytes: 10_000}, udp.Seen())
}

func TestIPv6TransportModeProtectsEverythingButIKEAndNeighbourDiscovery(t *testing.T) {
	b := newBench6(t, require3DES(bob6, "secret"), require3DES(alice6, "secret"))
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	_, err = b.bob.ServeUDP(7)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bob6, 80), Request: 300_000, Response: 1000, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bob6, 7), Count: 1, Size: 30_000, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "a datagram of 30 kB is protected whole and fragmented: %v", r.Err)
		for _, size := range []int{32, 1472, 3000, 20_000} {
			r = b.alice.Ping(p, hosts.Ping{To: bob6, Count: 1, Size: size, Timeout: time.Second})
			require.Equal(t, "ok", r.Result(), "%d bytes: %v", size, r.Err)
		}
	})
	require.Equal(t, 1, tcp.Seen().SYNs)
	n := b.protocols6(t)
	require.NotZero(t, n["ipsecesp"])
	require.NotZero(t, n["nd"])
	require.Equal(t, 9, n["udp"], "the six messages of main mode and the three of quick mode")
	require.Len(t, n, 3, "nothing else: %v", n)
	require.Len(t, b.alice.SAs(), 2)
	require.Len(t, b.bob.MainModes(), 1)
}

// protocols6 counts the IPv6 frames seen, by protocol, as gopacket reads them.
func (b *bench) protocols6(t *testing.T) map[string]int {
	n := map[string]int{}
	for _, f := range b.frames {
		p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.NoCopy)
		ip, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		require.True(t, ok, "no IPv6: %v", p)
		next := ip.NextHeader
		if fragment, ok := p.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment); ok {
			next = fragment.NextHeader
		}
		icmp, _ := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
		switch {
		case icmp != nil && icmp.TypeCode.Type() >= 133 && icmp.TypeCode.Type() <= 137:
			n["nd"]++
		default:
			n[strings.ToLower(next.String())]++
		}
	}
	return n
}

// crafter6 puts hand-made IPv6 packets on the wire for bob.
func (b *bench) crafter6() func(proto layers.IPProtocol, ls ...gopacket.SerializableLayer) {
	mac := sim.MACFor("crafter", "lan")
	port, err := b.segment.Attach(sim.PortConfig{Node: "crafter", MAC: mac, Receive: func([]byte) {}})
	require.NoError(b, err)
	to := sim.MACFor("bob", "lan")
	return func(proto layers.IPProtocol, ls ...gopacket.SerializableLayer) {
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: net.ParseIP("2001:db8:1::66"), DstIP: net.IP(bob6.AsSlice())}
		for _, l := range ls {
			if l, ok := l.(interface {
				SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
			}); ok {
				require.NoError(b, l.SetNetworkLayerForChecksum(ip))
			}
		}
		buf := gopacket.NewSerializeBuffer()
		eth := &layers.Ethernet{SrcMAC: mac[:], DstMAC: to[:], EthernetType: layers.EthernetTypeIPv6}
		require.NoError(b, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			append([]gopacket.SerializableLayer{eth, ip}, ls...)...))
		port.Send(bytes.Clone(buf.Bytes()), "")
	}
}

// A fragment shows no ports, of IPv6 neither. It follows the verdict on the first
// fragment of its datagram, whatever protocol it names itself and whichever
// arrives first.
func TestIPv6ClearFragmentsFollowTheFirst(t *testing.T) {
	blockPort7 := &policy.Policy{Name: "p", Rules: []policy.Rule{{
		Name: "no echo",
		Filters: policy.FilterList{Name: "echo", Filters: []policy.Filter{{
			Source: policy.Any(), Destination: policy.Me(), Protocol: ipsec.ProtoUDP, DestinationPort: 7, Mirrored: true,
		}}},
		Action: policy.FilterAction{Name: "block", Kind: policy.Block},
	}}}
	const size = 8 + 2992
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		for _, named := range []layers.IPProtocol{layers.IPProtocolUDP, layers.IPProtocolESP} { // what the later fragments claim to carry
			b := newBench6(t, nil, blockPort7)
			blocked, err := b.bob.ServeUDP(7)
			require.NoError(t, err)
			open, err := b.bob.ServeUDP(8)
			require.NoError(t, err)
			send := b.crafter6()
			b.on(b.alice, func(p *sim.Proc) {
				for id, port := range []layers.UDPPort{7, 8} {
					udp := &layers.UDP{SrcPort: 9, DstPort: port}
					ip := &layers.IPv6{SrcIP: net.ParseIP("2001:db8:1::66"), DstIP: net.IP(bob6.AsSlice())}
					require.NoError(t, udp.SetNetworkLayerForChecksum(ip))
					buf := gopacket.NewSerializeBuffer()
					require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, udp, gopacket.Payload(make([]byte, size-8))))
					for _, i := range order {
						h := []byte{byte(layers.IPProtocolUDP), 0, 0, 0, 0, 0, 0, byte(id + 1)}
						if i > 0 {
							h[0] = byte(named)
						}
						field := uint16(i * 1000)
						if i < 2 {
							field |= 1
						}
						binary.BigEndian.PutUint16(h[2:], field)
						send(layers.IPProtocolIPv6Fragment, gopacket.Payload(append(h, buf.Bytes()[i*1000:(i+1)*1000]...)))
					}
				}
				p.Sleep(time.Second)
			})
			require.Zero(t, blocked.Seen().Datagrams, "order %v, %v: blocked", order, named)
			require.Equal(t, 1, open.Seen().Datagrams, "order %v, %v: no filter matches", order, named)
		}
	}
}

// What says that packets are too big is believed down to 1280 bytes, and of ESP
// packets only if it quotes one of this host: RFC 8201, Section 4, and RFC 4301,
// Section 8.2.1.
func TestIPv6ForgedPacketTooBig(t *testing.T) {
	b := newBench6(t, require3DES(bob6, "secret"), require3DES(alice6, "secret"))
	echo, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	send := b.crafter6()
	forge := func(mtu uint32, quoted []byte) {
		body := binary.BigEndian.AppendUint32(nil, mtu)
		send(layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(2, 0)}, gopacket.Payload(append(body, quoted...)))
	}
	var fragments []int // their lengths
	b.world.Tap(func(f sim.Frame) {
		if f.Node == "bob" && len(f.Data) > 20 && f.Data[12] == 0x86 && f.Data[20] == 44 {
			fragments = append(fragments, len(f.Data)-14)
		}
	})
	answer := func() []int {
		fragments = nil
		b.on(b.alice, func(p *sim.Proc) {
			r := b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bob6, 7), Count: 1, Size: 1440, Timeout: 5 * time.Second})
			require.Equal(t, "ok", r.Result(), "%v", r.Err)
		})
		return fragments
	}
	full := answer()
	require.Len(t, full, 2, "1440 bytes under ESP are more than 1500")
	require.Greater(t, full[0], 1480)
	b.on(b.bob, func(p *sim.Proc) {
		b.bob.Ping(p, hosts.Ping{To: alice6, Count: 1, Size: 8, Timeout: time.Second})
	})
	var own []byte // an ESP packet of bob
	for _, f := range b.frames {
		if ip := f[14:]; ip[6] == 50 && bytes.Equal(ip[8:24], bob6.AsSlice()) {
			own = ip
		}
	}
	require.NotNil(t, own)
	b.on(b.alice, func(p *sim.Proc) {
		forge(1000, own)
		other := bytes.Clone(own)
		other[40] ^= 1 // the SPI
		forge(1280, other)
		p.Sleep(time.Second)
	})
	require.Equal(t, full, answer(), "neither is believed")
	b.on(b.alice, func(p *sim.Proc) { forge(1280, own); p.Sleep(time.Second) })
	smaller := answer()
	require.Len(t, smaller, 2)
	require.Equal(t, 1280, smaller[0])
	require.Equal(t, 3, echo.Seen().Datagrams)
}

// An IPv4 host has no IPv6, and the other way round.
func TestAHostSpeaksTheFamiliesOfItsAddresses(t *testing.T) {
	four, six := newBench(t, nil, nil, hosts.Faults{}), newBench6(t, nil, nil)
	four.on(four.alice, func(p *sim.Proc) {
		r := four.alice.Ping(p, hosts.Ping{To: bob6, Count: 1, Size: 8, Timeout: time.Second})
		require.Equal(t, "unreachable", r.Result())
	})
	six.on(six.alice, func(p *sim.Proc) {
		r := six.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 1, Response: 1, Timeout: time.Second})
		require.Equal(t, "unreachable", r.Result())
	})
	require.Empty(t, four.frames)
	require.Empty(t, six.frames, "no solicitations or reports of its own either")
}
