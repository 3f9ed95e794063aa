package natbox

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// RFC 1812, 4.3.3.6: the router answers echo requests to each of its addresses, from that address.
func TestEcho(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	for _, dst := range []string{"10.0.1.1", "10.0.2.1"} {
		p.a.sendEcho(dst, 200, func(ip *layers.IPv4) { ip.TTL, ip.TOS = 1, 0x20 })
		p.run()
		got := p.a.take()
		require.Len(t, got, 1)
		ip, icmp := ipv4Of(got[0]), got[0].Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
		require.Equal(t, []any{dst, "10.0.1.2", uint8(64), uint8(0x20)}, []any{ip.SrcIP.String(), ip.DstIP.String(), ip.TTL, ip.TOS})
		require.Equal(t, layers.CreateICMPv4TypeCode(0, 0), icmp.TypeCode)
		require.Equal(t, []uint16{7, 3}, []uint16{icmp.Id, icmp.Seq})
		require.Equal(t, pattern(200), icmp.Payload)
	}
	require.Equal(t, uint64(2), p.r.Counters().EchoReplies)

	// echo replies and others are taken without a word; damaged ones are dropped
	p.a.sendIP(p.a.ipv4("10.0.1.1", 1), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(0, 0)})
	frame := p.a.frame(p.a.ipv4("10.0.1.1", 1), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0)}, gopacket.Payload("data"))
	frame[len(frame)-1]++
	p.a.send(frame)
	p.a.sendIP(p.a.ipv4("10.0.1.1", 1), gopacket.Payload([]byte{8, 0, 0xf7, 0xff})) // shorter than its header
	p.run()
	require.Empty(t, p.a.take())
	require.Equal(t, []Drop{{"malformed ICMP message", 2}}, p.r.Counters().Drops)
}

// A long ping to the router comes and goes in fragments, in any order, with repetitions.
func TestEchoInFragments(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 9000).Draw(rt, "size")
		p := newPair(t, 1500, Settings{})
		whole := p.a.frame(p.a.ipv4("10.0.2.1", 1), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 1}, gopacket.Payload(pattern(size)))
		payload := whole[34:]
		unit := 8 * rapid.IntRange(1, 185).Draw(rt, "units")
		var frames [][]byte
		for at := 0; at < len(payload); at += unit {
			ip := p.a.ipv4("10.0.2.1", 1)
			ip.FragOffset = uint16(at / 8)
			if at+unit < len(payload) {
				ip.Flags = layers.IPv4MoreFragments
			}
			frames = append(frames, p.a.frame(ip, gopacket.Payload(payload[at:min(at+unit, len(payload))])))
		}
		frames = rapid.Permutation(frames).Draw(rt, "order")
		if n := len(frames); n > 1 {
			frames = append([][]byte{append([]byte{}, frames[0]...)}, frames...)
		}
		for _, f := range frames {
			p.a.send(f)
		}
		p.run()
		got := p.a.take()
		require.NotEmpty(rt, got)
		reply := ipv4Of(got[0]).Payload
		if len(got) > 1 {
			reply = reassembled(rt, got)
		}
		require.Equal(rt, len(payload), len(reply))
		require.Equal(rt, uint8(0), reply[0])
		require.Equal(rt, payload[4:], append([]byte{}, reply[4:]...))
		require.Empty(rt, p.r.reassembly.pending)
	})
}

func TestReassemblyFails(t *testing.T) {
	send := func(p *pair, id, offset uint16, more bool, size int) []byte {
		ip := p.a.ipv4("10.0.1.1", 17)
		ip.Id, ip.FragOffset = id, offset
		if more {
			ip.Flags = layers.IPv4MoreFragments
		}
		return p.a.sendIP(ip, gopacket.Payload(pattern(size)))
	}
	// RFC 792: missing fragments are reported (time exceeded, code 1), if the first one is there.
	p := newPair(t, 1500, Settings{})
	first := send(p, 1, 0, true, 64)
	send(p, 2, 8, true, 64)
	start := p.w.Now()
	p.run()
	require.InDelta(t, float64(30*time.Second), float64(p.w.Now()-start), float64(time.Millisecond))
	p.a.icmpError(11, 1, "10.0.1.1", first)
	require.Equal(t, []Drop{{"fragments are missing", 2}}, p.r.Counters().Drops)
	require.Empty(t, p.r.reassembly.pending)

	// Fragments that contradict each other, or make no sense, end the datagram.
	for name, pieces := range map[string][][3]int{ // offset in units, more, size
		"overlap":                {{0, 1, 64}, {7, 0, 64}},
		"overlap from before":    {{8, 0, 64}, {0, 1, 72}},
		"two ends":               {{8, 0, 64}, {16, 0, 64}},
		"more after the end":     {{8, 0, 64}, {16, 1, 64}},
		"same place, other size": {{0, 1, 64}, {0, 1, 72}},
		"end before more":        {{8, 1, 64}, {4, 0, 8}},
		"no data":                {{8, 1, 0}},
		"half a unit":            {{0, 1, 63}},
	} {
		p := newPair(t, 1500, Settings{})
		for _, f := range pieces {
			send(p, 1, uint16(f[0]), f[1] == 1, f[2])
		}
		p.run()
		require.Empty(t, p.a.take(), name)
		require.Equal(t, uint64(1), p.r.Counters().Dropped("fragments contradict each other"), name)
		require.Empty(t, p.r.reassembly.pending, name)
	}

	// The longest datagram is the limit.
	p = newPair(t, 1500, Settings{})
	send(p, 1, 8191, false, 64)
	p.run()
	require.Equal(t, uint64(1), p.r.Counters().Dropped("fragment beyond the end of the longest datagram"))

	// So many datagrams and no more; the oldest gives way.
	p = newPair(t, 1500, Settings{})
	for id := range maxReassemblies + 3 {
		send(p, uint16(id), 8, true, 64)
	}
	p.wait(time.Second)
	require.Len(t, p.r.reassembly.pending, maxReassemblies)
	require.Equal(t, uint32(3), p.r.reassembly.pending[0].key.id)
	require.Equal(t, uint64(3), p.r.Counters().Dropped("too many datagrams wait for fragments"))
}

// RFC 1812, 5.2.7.1: a router has no transport protocols here, and says so.
func TestNoService(t *testing.T) {
	p := newPair(t, 1500, Settings{})
	sent := p.a.sendUDP("10.0.1.1", 10, nil)
	p.run()
	p.a.icmpError(3, 3, "10.0.1.1", sent)
	// from the address that was asked, so that a traceroute ends where it was told to
	sent = p.a.sendUDP("10.0.2.1", 10, nil)
	p.run()
	p.a.icmpError(3, 3, "10.0.2.1", sent)
	sent = p.a.sendIP(p.a.ipv4("10.0.1.1", 6), gopacket.Payload(pattern(20)))
	p.run()
	p.a.icmpError(3, 2, "10.0.1.1", sent)
	require.Equal(t, uint64(3), p.r.Counters().Delivered)
}

func TestOptions(t *testing.T) {
	option := func(typ uint8, data ...byte) func(*layers.IPv4) {
		return func(ip *layers.IPv4) {
			ip.Options = []layers.IPv4Option{{OptionType: 1}, {OptionType: typ, OptionLength: uint8(len(data) + 2), OptionData: data}}
		}
	}
	p := newPair(t, 1500, Settings{})
	// Options travel on unchanged.
	sent := p.a.sendUDP("10.0.2.2", 10, option(7, 4, 0, 0, 0, 0))
	p.run()
	got := p.b.take()
	require.Len(t, got, 1)
	require.Equal(t, sent[14+20:], got[0].Data()[14+20:])
	// A source route through the router is refused, one that has been used up is not.
	sent = p.a.sendUDP("10.0.1.1", 10, option(131, 4, 10, 0, 2, 2))
	p.run()
	p.a.icmpError(3, 5, "10.0.1.1", sent)
	sent = p.a.sendUDP("10.0.1.1", 10, option(137, 8, 10, 0, 1, 1))
	p.run()
	p.a.icmpError(3, 3, "10.0.1.1", sent)
	// RFC 1812, 4.3.3.5: a malformed option is a parameter problem that points at the octet.
	for _, c := range []struct {
		options []byte
		pointer byte
	}{
		{[]byte{7, 1, 0, 0}, 21},
		{[]byte{1, 7, 9, 0}, 22},
		{[]byte{1, 1, 1, 7}, 23},
	} {
		frame := p.a.frame(p.a.ipv4("10.0.2.2", 253), gopacket.Payload(append(append([]byte{}, c.options...), "data"...)))
		frame[14] = 0x46
		packet(frame[14:]).setChecksum()
		p.a.send(append([]byte{}, frame...))
		p.run()
		icmp := p.a.icmpError(12, 0, "10.0.1.1", frame)
		require.Equal(t, uint16(c.pointer)<<8, icmp.Id)
		require.Empty(t, p.b.take())
	}
	// nothing after the end of the list matters
	frame := p.a.frame(p.a.ipv4("10.0.2.2", 253), gopacket.Payload([]byte{0, 7, 9, 9}))
	frame[14] = 0x46
	packet(frame[14:]).setChecksum()
	p.a.send(frame)
	p.run()
	require.Len(t, p.b.take(), 1)
}

// A /31 has no broadcast address (RFC 3021), a larger prefix has two.
func TestBroadcastOf(t *testing.T) {
	for s, want := range map[string]bool{
		"10.0.0.0/31": false, "10.0.0.1/31": false, "10.0.0.1/32": false,
		"10.0.0.0/30": true, "10.0.0.1/30": false, "10.0.0.3/30": true, "10.0.0.255/23": false, "10.0.1.255/23": true, "0.0.0.0/0": true,
	} {
		p := netip.MustParsePrefix(s)
		require.Equal(t, want, broadcastOf(p, p.Addr()), s)
	}
}
