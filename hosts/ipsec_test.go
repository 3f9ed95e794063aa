package hosts_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// require3DES is a policy that negotiates ESP[3DES,SHA1] for everything between
// the host and the peer.
func require3DES(peer netip.Addr, psk string) *policy.Policy {
	return &policy.Policy{
		Name:     "require",
		MainMode: policy.MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}},
		Rules: []policy.Rule{{
			Name:    "peer",
			Filters: policy.FilterList{Name: "peer", Filters: []policy.Filter{{Source: policy.Me(), Destination: policy.Host(peer), Mirrored: true}}},
			Action: policy.FilterAction{Name: "require", Kind: policy.Negotiate, Methods: []ipsec.Proposal{{
				Mode:       ipsec.Transport,
				Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}},
				Lifetime:   ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100_000},
			}}},
			Auth: []policy.AuthMethod{{PreSharedKey: psk}},
		}},
	}
}

func TestTransportModeProtectsEverythingButIKE(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	_, err = b.bob.ServeUDP(7)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 300_000, Response: 1000, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		r = b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 7), Count: 1, Size: 30_000, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "a datagram of 30 kB is protected whole and fragmented: %v", r.Err)
		for _, size := range []int{32, 1472, 3000, 20_000} {
			r = b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: size, Timeout: time.Second})
			require.Equal(t, "ok", r.Result(), "%d bytes: %v", size, r.Err)
		}
	})
	require.Equal(t, 1, tcp.Seen().SYNs)
	n := b.protocols()
	require.NotZero(t, n[50], "ESP")
	require.Zero(t, n[6], "TCP in the clear")
	require.Zero(t, n[1], "ICMP in the clear")
	require.Equal(t, 9, n[17], "UDP: the six messages of main mode and the three of quick mode, and nothing else")
	require.Len(t, b.alice.SAs(), 2)
	require.Len(t, b.alice.MainModes(), 1)
	require.Len(t, b.bob.MainModes(), 1)
}

func TestOnlyTheLastPacketWaitsForTheNegotiation(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	echo, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		// Three datagrams leave within the 2 ms that ARP alone takes.
		for i := range 3 {
			b.world.Go(b.alice, "sender", func(p *sim.Proc) {
				p.Sleep(time.Duration(i) * 100 * time.Microsecond)
				b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 7), Count: 1, Size: 100 + i, Timeout: time.Second})
			})
		}
		p.Sleep(3 * time.Second)
	})
	require.Equal(t, hosts.Seen{Datagrams: 1, Bytes: 102}, echo.Seen(), "the last of the three")
}

func TestAssigningAPolicyEndsSAsOnBothSides(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: 5 * time.Second})
		require.Equal(t, "ok", r.Result())
		require.Len(t, b.bob.SAs(), 2)
		require.NoError(t, b.alice.AssignPolicy(nil))
		p.Sleep(time.Second)
	})
	require.Empty(t, b.alice.SAs())
	require.Empty(t, b.bob.SAs(), "the peer was told")
}

// crafter puts hand-made frames on the wire for bob.
func (b *bench) crafter() func(layersOf ...gopacket.SerializableLayer) {
	mac := sim.MACFor("crafter", "lan")
	port, err := b.segment.Attach(sim.PortConfig{Node: "crafter", MAC: mac, Receive: func([]byte) {}})
	require.NoError(b, err)
	to := sim.MACFor("bob", "lan")
	return func(ls ...gopacket.SerializableLayer) {
		buf := gopacket.NewSerializeBuffer()
		eth := &layers.Ethernet{SrcMAC: net.HardwareAddr(mac[:]), DstMAC: net.HardwareAddr(to[:]), EthernetType: layers.EthernetTypeIPv4}
		err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append([]gopacket.SerializableLayer{eth}, ls...)...)
		require.NoError(b, err)
		port.Send(append([]byte(nil), buf.Bytes()...), "")
	}
}

// A fragment shows no ports. It follows the verdict on the first fragment of its
// datagram, whichever of them arrives first.
func TestClearFragmentsFollowTheFirst(t *testing.T) {
	blockPort7 := &policy.Policy{Name: "p", Rules: []policy.Rule{{
		Name: "no echo",
		Filters: policy.FilterList{Name: "echo", Filters: []policy.Filter{{
			Source: policy.Any(), Destination: policy.Me(), Protocol: ipsec.ProtoUDP, DestinationPort: 7, Mirrored: true,
		}}},
		Action: policy.FilterAction{Name: "block", Kind: policy.Block},
	}}}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		b := newBench(t, nil, blockPort7, hosts.Faults{})
		blocked, err := b.bob.ServeUDP(7)
		require.NoError(t, err)
		open, err := b.bob.ServeUDP(8)
		require.NoError(t, err)
		send := b.crafter()
		b.on(b.alice, func(p *sim.Proc) {
			for id, port := range []layers.UDPPort{7, 8} {
				datagram := make([]byte, 8+2992)
				datagram[2], datagram[3] = byte(port>>8), byte(port)
				datagram[4], datagram[5] = byte(len(datagram)>>8), byte(len(datagram)&0xff)
				for _, i := range order {
					ip := &layers.IPv4{
						Version: 4, TTL: 64, Id: uint16(id + 1), Protocol: layers.IPProtocolUDP,
						SrcIP: net.IP{10, 0, 0, 66}, DstIP: net.IP(bobAddr.AsSlice()), FragOffset: uint16(i * 1000 / 8),
					}
					if i < 2 {
						ip.Flags = layers.IPv4MoreFragments
					}
					send(ip, gopacket.Payload(datagram[i*1000:(i+1)*1000]))
				}
			}
			p.Sleep(time.Second)
		})
		require.Zero(t, blocked.Seen().Datagrams, "order %v: blocked", order)
		require.Equal(t, 1, open.Seen().Datagrams, "order %v: no filter matches", order)
	}
}

// A frame in the clear that policy wants protected is dropped before any
// application sees it, also when it is a fragment with too few bytes for ports.
func TestClearPacketsAgainstANegotiateFilterAreDropped(t *testing.T) {
	b := newBench(t, nil, require3DES(aliceAddr, "secret"), hosts.Faults{})
	echo, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 7), Count: 1, Size: 5000, Timeout: time.Second})
		require.Equal(t, "timeout", r.Result())
		r = b.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 1, Response: 1, Timeout: 10 * time.Second})
		require.Equal(t, "timeout", r.Result(), "no reset either")
	})
	require.Zero(t, echo.Seen())
	require.Zero(t, tcp.Seen())
	require.NotZero(t, b.bob.Counters().ClearTextDrops)
}

func TestVerdictsAndCommentsNameTheRule(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	var comments []string
	b.world.Tap(func(f sim.Frame) {
		if len(f.Data) > 23 && f.Data[12] == 8 && f.Data[13] == 0 && f.Data[23] == 50 {
			comments = append(comments, f.Comment)
		}
	})
	b.on(b.alice, func(p *sim.Proc) {
		b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: 5 * time.Second})
	})
	require.Len(t, comments, 2)
	require.Regexp(t, `^protected: rule require/peer, ESP SPI 0x[0-9a-f]{8} sequence 1$`, comments[0])
	var inner []trace.Inner
	for _, e := range b.log.Events() {
		if i, ok := e.Body.(trace.Inner); ok {
			inner = append(inner, i)
		}
	}
	require.Len(t, inner, 2)
	require.Equal(t, "icmp 10.0.0.1 > 10.0.0.2", inner[0].Packet)
	require.Equal(t, byte(50), b.frames[inner[0].Frame-1][23], "the frame named is the ESP packet")
}

// What waited for a negotiation leaves when it is told to: with the last message of quick mode, or later.
func TestHeldPacketsLeaveLater(t *testing.T) {
	for _, after := range []time.Duration{0, 20 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			b := newBenchWith(t, netip.PrefixFrom(aliceAddr, 24), netip.PrefixFrom(bobAddr, 24), func(c *hosts.Config) {
				if c.Policy = require3DES(aliceAddr, "secret"); c.Name == "alice" {
					c.Policy, c.ReleaseAfter = require3DES(bobAddr, "secret"), after
				}
			})
			var lastIKE, firstESP time.Duration
			b.world.Tap(func(f sim.Frame) {
				switch protocol := f.Data[14+9]; {
				case f.Data[12] != 8 || f.Data[13] != 0:
				case protocol == ipsec.ProtoUDP:
					lastIKE = f.At
				case protocol == ipsec.ProtoESP && firstESP == 0:
					firstESP = f.At
				}
			})
			b.on(b.alice, func(p *sim.Proc) {
				r := b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: 3 * time.Second})
				require.Equal(t, "ok", r.Result())
			})
			require.Equal(t, after, firstESP-lastIKE)
		})
	}
}
