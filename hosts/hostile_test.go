package hosts_test

import (
	"encoding/binary"
	"net"
	"net/netip"
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

// fragment is a hand-made part of a datagram from alice to bob.
func fragment(proto layers.IPProtocol, offset int, more bool, data []byte) []gopacket.SerializableLayer {
	ip := &layers.IPv4{
		Version: 4, TTL: 64, Id: 7, Protocol: proto, FragOffset: uint16(offset / 8),
		SrcIP: net.IP(aliceAddr.AsSlice()), DstIP: net.IP(bobAddr.AsSlice()),
	}
	if more {
		ip.Flags = layers.IPv4MoreFragments
	}
	return []gopacket.SerializableLayer{ip, gopacket.Payload(data)}
}

// permutations calls f with every order of n things.
func permutations(n int, f func(order []int)) {
	var extend func(order []int, used uint)
	extend = func(order []int, used uint) {
		if len(order) == n {
			f(order)
			return
		}
		for i := range n {
			if used&(1<<i) == 0 {
				extend(append(order[:len(order):len(order)], i), used|1<<i)
			}
		}
	}
	extend(nil, 0)
}

// Two beginnings of one datagram, for a permitted and for a blocked port, and
// pieces that overlap them: in no order does the blocked port get anything
// (RFC 1858, Section 4; RFC 3128).
func TestOverlappingFragmentsDoNotPassAFilter(t *testing.T) {
	blocked := &policy.Policy{Name: "p", Rules: []policy.Rule{{
		Name: "no echo",
		Filters: policy.FilterList{Name: "echo", Filters: []policy.Filter{{
			Source: policy.Any(), Destination: policy.Me(), Protocol: ipsec.ProtoUDP, DestinationPort: 7,
		}}},
		Action: policy.FilterAction{Name: "block", Kind: policy.Block},
	}}}
	begin := func(port byte, n int) []byte {
		b := make([]byte, n)
		b[1], b[3], b[5] = 99, port, 32
		return b
	}
	pieces := [][]gopacket.SerializableLayer{
		fragment(layers.IPProtocolUDP, 0, true, begin(8, 16)),
		fragment(layers.IPProtocolUDP, 0, true, begin(7, 16)),
		fragment(layers.IPProtocolUDP, 0, true, begin(7, 8)),
		fragment(layers.IPProtocolUDP, 8, true, make([]byte, 16)),
		fragment(layers.IPProtocolUDP, 16, false, make([]byte, 16)),
	}
	b := newBench(t, nil, blocked, hosts.Faults{})
	echo, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	open, err := b.bob.ServeUDP(8)
	require.NoError(t, err)
	send := b.crafter()
	b.on(b.alice, func(p *sim.Proc) {
		permutations(len(pieces), func(order []int) {
			for _, i := range order {
				send(pieces[i]...)
				p.Sleep(10 * time.Millisecond)
			}
			p.Sleep(time.Minute) // what is left of the datagram is forgotten
			require.Zero(t, echo.Seen(), "order %v", order)
		})
	})
	require.NotZero(t, open.Seen().Datagrams, "the permitted port gets the datagrams that are whole without the others")
}

// A connection request in pieces too small for the TCP header would reach the
// application past its log.
func TestConnectionRequestsInTinyFragments(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	web, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	ip := fragment(layers.IPProtocolTCP, 0, false, nil)[0].(*layers.IPv4)
	tcp := &layers.TCP{SrcPort: 99, DstPort: 80, SYN: true, Window: 4096}
	require.NoError(t, tcp.SetNetworkLayerForChecksum(ip))
	buf := gopacket.NewSerializeBuffer()
	require.NoError(t, tcp.SerializeTo(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}))
	syn := buf.Bytes()
	send := b.crafter()
	answers := func(pieces ...int) int {
		before := b.protocols()[ipsec.ProtoTCP]
		b.on(b.alice, func(p *sim.Proc) {
			at := 0
			for _, n := range pieces {
				send(fragment(layers.IPProtocolTCP, at, at+n < len(syn), syn[at:at+n])...)
				at += n
			}
			p.Sleep(time.Second)
		})
		return b.protocols()[ipsec.ProtoTCP] - before - len(pieces)
	}
	require.Zero(t, answers(8, 8, 4))
	require.Zero(t, answers(16, 4))
	require.Zero(t, web.Seen())
	require.Equal(t, 2, answers(20), "a whole one: SYN and ACK, and alice's reset")
	require.Equal(t, 1, web.Seen().SYNs)
}

// An ICMP error lowers the path MTU only if it quotes an ESP packet that the
// host may have sent.
func TestForgedFragmentationNeeded(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	only80 := func(peer netip.Addr) *policy.Policy { // ICMP is admitted in the clear
		p := require3DES(peer, "secret")
		p.Rules[0].Filters.Filters[0].Protocol = ipsec.ProtoTCP
		return p
	}
	require.NoError(t, b.alice.AssignPolicy(only80(bobAddr)))
	require.NoError(t, b.bob.AssignPolicy(only80(aliceAddr)))
	_, err := b.alice.ServeTCP(80)
	require.NoError(t, err)
	send := b.crafter()
	call := func() (result string) {
		b.on(b.bob, func(p *sim.Proc) {
			r := b.bob.Call(p, hosts.Call{To: netip.AddrPortFrom(aliceAddr, 80), Request: 50_000, Response: 10, Timeout: 20 * time.Second})
			result = r.Result()
		})
		return result
	}
	forge := func(src, dst netip.Addr, spi uint32, quoted int) {
		quote := make([]byte, 28)
		quote[0], quote[3], quote[9] = 4<<4|5, 200, ipsec.ProtoESP
		copy(quote[12:], src.AsSlice())
		copy(quote[16:], dst.AsSlice())
		binary.BigEndian.PutUint32(quote[20:], spi)
		ip := fragment(layers.IPProtocolICMPv4, 0, false, nil)[0].(*layers.IPv4)
		icmp := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 4), Seq: 68}
		b.on(b.bob, func(p *sim.Proc) {
			send(ip, icmp, gopacket.Payload(quote[:quoted]))
			p.Sleep(10 * time.Millisecond)
		})
	}
	require.Equal(t, "ok", call())
	out := b.bob.SAs()[0]
	if out.Direction != ipsec.Outbound {
		out = b.bob.SAs()[1]
	}
	forge(bobAddr, aliceAddr, out.SPI+1, 28)
	forge(netip.MustParseAddr("10.0.0.9"), aliceAddr, out.SPI, 28)
	forge(bobAddr, netip.MustParseAddr("10.0.0.9"), out.SPI, 28)
	forge(bobAddr, aliceAddr, out.SPI, 20)
	require.Equal(t, "ok", call())
	forge(bobAddr, aliceAddr, out.SPI, 28)
	require.Equal(t, "timeout", call(), "of an SA in use, as a router on the path would quote it: 68 bytes have no room for TCP in ESP")
}

// ESP does not authenticate the IP header. With another source address a packet
// of alice's opens, and the SA's selector refuses what comes out.
func TestESPWithAnotherSource(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	echo, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	datagram := func(p *sim.Proc) {
		b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 7), Count: 1, Size: 100, Timeout: time.Second})
	}
	b.on(b.alice, datagram)
	require.Equal(t, 1, echo.Seen().Datagrams)

	require.NoError(t, b.alice.Interfaces()[0].SetLink(sim.LinkConfig{Loss: 1}))
	b.on(b.alice, datagram)
	packet := b.frames[len(b.frames)-1][14:]
	require.Equal(t, byte(ipsec.ProtoESP), packet[9])
	send := b.crafter()
	forward := func(src netip.Addr) {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolESP, SrcIP: net.IP(src.AsSlice()), DstIP: net.IP(bobAddr.AsSlice())}
		b.on(b.alice, func(p *sim.Proc) {
			send(ip, gopacket.Payload(packet[20:]))
			p.Sleep(10 * time.Millisecond)
		})
	}
	opened := b.bob.Counters().PacketsOpened
	forward(netip.MustParseAddr("10.0.0.66"))
	require.Equal(t, 1, echo.Seen().Datagrams)
	require.Equal(t, opened, b.bob.Counters().PacketsOpened)
}
