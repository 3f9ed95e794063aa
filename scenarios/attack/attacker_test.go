package attack

import (
	"bytes"
	"context"
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// bench is two ports on a segment and an attacker beside them.
type bench struct {
	*testing.T
	world      *sim.World
	log        *trace.Log
	alice, bob *sim.Port
	got        [][]byte // by bob
	back       [][]byte // by alice
	sent       []sim.Frame
	mallory    *Attacker
}

func newBench(t *testing.T) *bench { return benchOn(t, sim.Ethernet) }

func benchOn(t *testing.T, m sim.Medium) *bench {
	b := &bench{T: t, log: trace.New(nil)}
	var err error
	b.world, err = sim.New(sim.Config{Seed: 1, Trace: b.log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.world.Close()) })
	lan, err := b.world.NewSegment("lan", sim.SegmentConfig{Medium: m, Latency: time.Millisecond})
	require.NoError(t, err)
	b.alice, err = lan.Attach(sim.PortConfig{Node: "alice", Receive: func(f []byte) { b.back = append(b.back, f) }})
	require.NoError(t, err)
	b.bob, err = lan.Attach(sim.PortConfig{Node: "bob", Receive: func(f []byte) { b.got = append(b.got, f) }})
	require.NoError(t, err)
	b.mallory, err = New(b.world, "mallory", lan)
	require.NoError(t, err)
	b.world.Tap(func(f sim.Frame) { f.Data = bytes.Clone(f.Data); b.sent = append(b.sent, f) })
	return b
}

// send has alice send a packet to bob, and lets all happen that follows.
func (b *bench) send(p Packet) []byte {
	if !p.Src.IsValid() {
		p.Src, p.Dst = alice, bob
	}
	if medium(b.alice) == sim.PointToPoint {
		f := made(b, sim.PointToPoint, p)
		b.alice.Send(bytes.Clone(f), "as sent")
		b.run()
		return f
	}
	f := made(b, sim.Ethernet, p)
	to, from := b.bob.MAC(), b.alice.MAC()
	copy(f, to[:])
	copy(f[6:], from[:])
	b.alice.Send(bytes.Clone(f), "as sent")
	b.run()
	return f
}

func (b *bench) run() { require.NoError(b, b.world.Run(context.Background(), 0, nil)) }

func (b *bench) attacks() (all []trace.Attack) {
	for _, e := range b.log.Events() {
		if a, ok := e.Body.(trace.Attack); ok {
			require.Equal(b, "mallory", e.Node)
			all = append(all, a)
		}
	}
	return all
}

// What is selected is altered, on either side of the segment, and goes on as a
// frame of the attacker's; the rest passes.
func TestTamper(t *testing.T) {
	for _, side := range []string{"alice", "bob"} {
		t.Run(side, func(t *testing.T) {
			b := newBench(t)
			link, direction := b.alice, sim.Up
			if side == "bob" {
				link, direction = b.bob, sim.Down
			}
			tape, err := b.mallory.Record("lan", sim.Selection{})
			require.NoError(t, err)
			require.NoError(t, b.mallory.Tamper(link, Tampering{
				Select:  sim.Selection{Filter: sim.Filter{Protocol: ipsec.ProtoUDP}, Direction: direction, First: 2, Last: 2},
				Changes: []Change{{Field: "ip.ttl", Value: []byte{3}, Words: "ip.ttl set to 3"}},
			}))
			udp := b.send(samples["udp"])
			b.send(samples["icmp"])
			b.send(samples["udp"])
			b.send(samples["udp"])
			require.Len(t, b.got, 4)
			for i, ttl := range []byte{128, 128, 3, 128} {
				require.Equal(t, ttl, b.got[i][22], "packet %d", i+1)
			}
			require.Equal(t, []trace.Attack{{Act: "altered", Frame: 4, Original: 3, Segment: "lan", Packet: "udp 10.0.0.1:1025 > 10.0.0.2:7", Detail: "ip.ttl set to 3"}}, b.attacks())
			require.Equal(t, "taken by mallory on link "+side+":lan", b.sent[2].Lost)
			require.Equal(t, "mallory", b.sent[3].Node)
			require.Equal(t, "altered by mallory (frame 3): ip.ttl set to 3; as sent", b.sent[3].Comment)
			require.Len(t, tape.frames, 4, "he hears each packet once")
			require.Equal(t, udp, tape.frames[2].frame, "and what he changes as it was")

			require.NoError(t, b.mallory.Tamper(link, Tampering{}))
			require.NoError(t, b.mallory.Tamper(link, Tampering{}), "twice is no mistake")
			b.send(samples["udp"])
			require.Len(t, b.attacks(), 1)
		})
	}
}

// A frame that has not the field goes on as it is, and the trace says so.
func TestTamperInVain(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.mallory.Tamper(b.alice, Tampering{Changes: []Change{{Field: "esp.spi"}}}))
	udp := b.send(samples["udp"])
	require.Equal(t, [][]byte{udp}, b.got)
	require.Equal(t, []trace.Attack{{Act: "passed on", Frame: 2, Original: 1, Segment: "lan", Packet: "udp 10.0.0.1:1025 > 10.0.0.2:7", Detail: "the frame has no esp.spi that can be read"}}, b.attacks())
}

func TestReplay(t *testing.T) {
	b := newBench(t)
	second, err := b.mallory.Record("lan", sim.Selection{Filter: sim.Filter{Protocol: ipsec.ProtoUDP}, First: 2, Last: 2})
	require.NoError(t, err)
	_, err = b.mallory.Replay(second)
	require.EqualError(t, err, "attack: mallory has seen no frame to replay: udp, frame 2")
	b.send(samples["udp"])
	b.send(samples["icmp"])
	udp := b.send(samples["udp"])
	n, err := b.mallory.Replay(second)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	b.run()
	require.Len(t, b.got, 4)
	mac := b.mallory.ports[0].MAC()
	require.Equal(t, mac[:], b.got[3][6:12], "the switch is not misled")
	require.Equal(t, udp[12:], b.got[3][12:])
	require.Equal(t, "replayed by mallory (frame 3)", b.sent[3].Comment)
	all, err := b.mallory.Record("lan", sim.Selection{})
	require.NoError(t, err)
	b.send(samples["icmp"])
	all.Stop()
	for range 3 { // what it sends itself, or what comes of it, is not on a tape that has ended
		b.send(samples["udp"])
		n, err = b.mallory.Replay(all)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	b.run()
	b.got = b.got[:4]
	_, err = b.mallory.Record("wan", sim.Selection{})
	require.EqualError(t, err, "attack: mallory has no port on segment wan")
	b.send(samples["udp"])
	require.Len(t, b.got, 5, "bob's switch port is still known")
}

// Each message goes out as it is meant to look, by gopacket's reading.
func TestSpoof(t *testing.T) {
	b := newBench(t)
	toBob, toAlice := Forgery{Segment: "lan", To: "bob", As: alice, Victim: bob}, Forgery{Segment: "lan", To: "bob", As: bob, Victim: alice}
	for message, want := range map[string]string{
		"unreachable":    "attack: mallory cannot forge unreachable: he has overheard no packet of 10.0.0.1 that it could be about",
		"ike-notify":     "attack: mallory cannot forge ike-notify: he has overheard no IKE between 10.0.0.2 and 10.0.0.1",
		"ike-delete":     "attack: mallory cannot forge ike-delete: he has overheard no ESP from 10.0.0.1 to 10.0.0.2",
		"ike-main-mode":  "attack: mallory cannot forge ike-main-mode: he has overheard no main mode that anybody began with 10.0.0.1",
		"packet-too-big": "attack: mallory cannot forge packet-too-big: this version of IP has no such message",
		"poem":           `attack: nobody can forge "poem"`,
	} {
		require.EqualError(t, b.mallory.Spoof(message, toAlice), want)
	}
	for _, p := range samples {
		b.send(p)
	}
	mainMode := append([]byte{0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 32}, "an offer"...)
	mainMode[27] = byte(len(mainMode))
	b.send(Packet{UDP: &UDP{SrcPort: 500, DstPort: 500}, Data: mainMode})
	b.send(samples["ike"])
	b.send(samples["esp"])
	for _, tc := range []struct {
		message string
		f       Forgery
		check   func(p gopacket.Packet)
	}{
		{"tcp-reset", toBob, func(p gopacket.Packet) {
			tcp := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
			require.True(t, tcp.RST && tcp.ACK && !tcp.SYN)
			require.Equal(t, []uint32{1e9 + 11, 2e9}, []uint32{tcp.Seq, tcp.Ack}, "what bob waits for")
			require.Equal(t, layers.TCPPort(1025), tcp.SrcPort)
		}},
		{"tcp-syn", toBob, func(p gopacket.Packet) { require.True(t, p.Layer(layers.LayerTypeTCP).(*layers.TCP).SYN) }},
		{"tcp-ack", toAlice, func(p gopacket.Packet) {
			tcp := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
			require.True(t, tcp.ACK && !tcp.RST, "a guess: bob has said nothing to this port")
		}},
		{"udp", toBob, func(p gopacket.Packet) {
			require.Equal(t, uint16(8+5), p.Layer(layers.LayerTypeUDP).(*layers.UDP).Length)
		}},
		{"ping", toBob, func(p gopacket.Packet) {
			require.Equal(t, uint8(8), p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4).TypeCode.Type())
		}},
		{"fragmentation-needed", toAlice, func(p gopacket.Packet) {
			icmp := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
			require.Equal(t, []uint16{0, 576}, []uint16{icmp.Id, icmp.Seq}, "RFC 1191, Section 4")
			quoted := gopacket.NewPacket(icmp.Payload, layers.LayerTypeIPv4, gopacket.Default).NetworkLayer().(*layers.IPv4)
			require.Equal(t, layers.IPProtocolESP, quoted.Protocol)
			require.Len(t, icmp.Payload, 28)
		}},
		{"unreachable", toAlice, func(p gopacket.Packet) {
			require.Equal(t, uint8(3), p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4).TypeCode.Code())
		}},
		{"ike-notify", toBob, func(p gopacket.Packet) {
			m := p.Layer(layers.LayerTypeUDP).LayerPayload()
			require.Equal(t, bytes.Repeat([]byte{7}, 16), m[:16], "the cookies overheard")
			require.Equal(t, []byte{11, 0x10, 5, 0}, m[16:20], "N, version 1.0, informational, in the clear")
		}},
		{"ike-main-mode", toBob, func(p gopacket.Packet) {
			m := p.Layer(layers.LayerTypeUDP).LayerPayload()
			require.NotEqual(t, [8]byte{0, 1, 2, 3, 4, 5, 6, 7}, [8]byte(m[:8]), "a cookie of his own")
			require.Equal(t, mainMode[8:], m[8:], "and all else as overheard")
		}},
		{"ike-delete", toAlice, func(p gopacket.Packet) {
			m := p.Layer(layers.LayerTypeUDP).LayerPayload()
			require.Equal(t, []byte{0, 0, 0x12, 0x34}, m[len(m)-4:], "the SPI of alice's ESP")
		}},
	} {
		tc.f.Port, tc.f.Size, tc.f.MTU, tc.f.Code, tc.f.Notify = 80, 5, 576, 3, 14
		if tc.message == "fragmentation-needed" {
			tc.f.Quote = ipsec.ProtoESP
		}
		b.got = nil
		require.NoError(t, b.mallory.Spoof(tc.message, tc.f), tc.message)
		b.run()
		require.Len(t, b.got, 1, tc.message)
		p := gopacket.NewPacket(b.got[0], layers.LayerTypeEthernet, gopacket.Default)
		require.Nil(t, p.ErrorLayer(), tc.message)
		require.Equal(t, tc.f.As.String(), p.NetworkLayer().NetworkFlow().Src().String())
		require.Equal(t, rebuilt(t, sim.Ethernet, b.got[0]), b.got[0], "%s: checksums", tc.message)
		tc.check(p)
	}
	require.Equal(t, []string{"fragmentation-needed", "ike-delete", "ike-main-mode", "ike-notify", "packet-too-big", "ping", "tcp-ack", "tcp-reset", "tcp-syn", "udp", "unreachable"}, sorted(messages))
}

// Over IPv6 each message has the form that RFC 4443 gives it, or none, by gopacket's reading.
func TestSpoofOverIPv6(t *testing.T) {
	b := newBench(t)
	toBob, toAlice := Forgery{Segment: "lan", To: "bob", As: alice6, Victim: bob6}, Forgery{Segment: "lan", To: "bob", As: bob6, Victim: alice6}
	require.EqualError(t, b.mallory.Spoof("fragmentation-needed", toAlice), "attack: mallory cannot forge fragmentation-needed: this version of IP has no such message")
	require.EqualError(t, b.mallory.Spoof("packet-too-big", toAlice), "attack: mallory cannot forge packet-too-big: he has overheard no packet of 2001:db8::1 that it could be about")
	require.EqualError(t, b.mallory.Spoof("ping", Forgery{Segment: "lan", To: "carol", As: alice6, Victim: bob6}), `attack: mallory wants to send to "carol", which is not on segment lan`)
	require.ErrorContains(t, b.mallory.Spoof("ping", Forgery{Segment: "lan", To: "bob", As: alice, Victim: bob6}), "different versions of IP")
	long := over6(Packet{ESP: &ESP{SPI: 0x77, Sequence: 2}, Data: make([]byte, 1400)})
	for _, p := range samples {
		b.send(over6(p))
	}
	b.send(over6(samples["ike"]))
	longest := b.send(long)
	for _, tc := range []struct {
		message string
		f       Forgery
		kind    layers.IPProtocol
		upper   []byte // its first bytes behind the header of IPv6, the checksum as 0
		size    int
	}{
		{"unreachable", toAlice, 58, []byte{1, 4, 0, 0, 0, 0, 0, 0, 0x60}, 1240},
		{"packet-too-big", toAlice, 58, []byte{2, 0, 0, 0, 0, 0, 0x05, 0x14, 0x60}, 1240},
		{"ping", toBob, 58, []byte{128, 0, 0, 0}, 8 + 5},
		{"udp", toBob, 17, nil, 8 + 5},
		{"tcp-syn", toBob, 6, nil, 20},
		{"tcp-ack", toBob, 6, []byte{0x04, 0x01, 0, 80, 0x3b, 0x9a, 0xca, 0x0b}, 20},
		{"tcp-reset", toBob, 6, []byte{0x04, 0x01, 0, 80, 0x3b, 0x9a, 0xca, 0x0b}, 20},
		{"ike-notify", toBob, 17, []byte{0x01, 0xf4, 0x01, 0xf4}, 0},
		{"ike-delete", toAlice, 17, []byte{0x01, 0xf4, 0x01, 0xf4}, 0},
	} {
		tc.f.Port, tc.f.Size, tc.f.MTU, tc.f.Code, tc.f.Notify = 80, 5, 1300, 4, 14
		b.got = nil
		require.NoError(t, b.mallory.Spoof(tc.message, tc.f), tc.message)
		b.run()
		require.Len(t, b.got, 1, tc.message)
		got := b.got[0]
		p := gopacket.NewPacket(got, layers.LayerTypeEthernet, gopacket.Default)
		ip := p.NetworkLayer().(*layers.IPv6)
		require.Equal(t, []any{tc.f.As.String(), tc.f.Victim.String(), tc.kind}, []any{ip.SrcIP.String(), ip.DstIP.String(), ip.NextHeader}, tc.message)
		require.Equal(t, rebuilt(t, sim.Ethernet, got), got, "%s: checksums", tc.message)
		body := bytes.Clone(ip.Payload)
		if tc.kind == 58 {
			body[2], body[3] = 0, 0
		}
		require.True(t, bytes.HasPrefix(body, tc.upper), "%s: % x", tc.message, body)
		if tc.size != 0 {
			require.Len(t, body, tc.size, tc.message)
		}
		if tc.size == 1240 {
			require.Equal(t, longest[14:14+1232], body[8:], "as much as fits 1280 bytes: RFC 4443, Section 2.4(c)")
		}
	}
}

// On a line he hears both ways, alters what passes on the link of either end, sends
// again in the direction in which it went, and puts packets of his own towards
// either end, all without an Ethernet header.
func TestOnALine(t *testing.T) {
	b := benchOn(t, sim.PointToPoint)
	tape, err := b.mallory.Record("lan", sim.Selection{Filter: sim.Filter{Protocol: ipsec.ProtoUDP}})
	require.NoError(t, err)
	for _, tc := range []struct {
		link      *sim.Port
		direction sim.Direction
	}{{b.alice, sim.Up}, {b.bob, sim.Down}} {
		require.NoError(t, b.mallory.Tamper(tc.link, Tampering{
			Select:  sim.Selection{Filter: sim.Filter{Protocol: ipsec.ProtoICMPv6}, Direction: tc.direction},
			Changes: []Change{{Field: "ip.ttl", Value: []byte{3}, Words: "ip.ttl set to 3"}},
		}))
	}
	icmp, udp := b.send(over6(samples["icmp"])), b.send(over6(samples["udp"]))
	require.Len(t, b.got, 2)
	icmp[7] = 3
	require.Equal(t, [][]byte{icmp, udp}, b.got)
	require.Len(t, tape.frames, 1)

	n, err := b.mallory.Replay(tape)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	b.run()
	require.Equal(t, udp, b.got[2], "to bob, as the first time")
	require.Empty(t, b.back)

	require.NoError(t, b.mallory.Spoof("udp", Forgery{Segment: "lan", To: "alice", As: bob6, Victim: alice6, Port: 7, Size: 3}))
	require.NoError(t, b.mallory.Spoof("ping", Forgery{Segment: "lan", To: "bob", As: alice, Victim: bob}))
	b.run()
	require.Len(t, b.back, 1)
	require.Equal(t, rebuilt(t, sim.PointToPoint, b.back[0]), b.back[0])
	require.Equal(t, byte(17), b.back[0][6])
	require.Len(t, b.got, 4)
	require.Equal(t, byte(0x45), b.got[3][0])
	require.Len(t, tape.frames, 1, "he takes no note of his own frames")
	for _, f := range b.sent {
		require.Equal(t, sim.PointToPoint, f.Medium)
	}
	var acts []string
	for _, a := range b.attacks() {
		acts = append(acts, a.Act+" "+a.Packet)
	}
	require.Equal(t, []string{
		"altered icmpv6 2001:db8::1 > 2001:db8::2", "replayed udp [2001:db8::1]:1025 > [2001:db8::2]:7",
		"spoofed udp [2001:db8::2]:" + strconv.Itoa(int(binary.BigEndian.Uint16(b.back[0][40:]))) + " > [2001:db8::1]:7", "spoofed icmp 10.0.0.1 > 10.0.0.2",
	}, acts)
}

// Frames of Ethernet and of lines have not the same form: what passes on one is not sent again on the other,
// nor on another line, which has other ends.
func TestTapesOfEachMedium(t *testing.T) {
	b := newBench(t)
	on := []*sim.Segment{b.alice.Segment()}
	for _, name := range []string{"line", "other"} {
		s, err := b.world.NewSegment(name, sim.SegmentConfig{Medium: sim.PointToPoint})
		require.NoError(t, err)
		for _, name := range []string{"west", "east"} {
			_, err := s.Attach(sim.PortConfig{Node: name, Receive: func([]byte) {}})
			require.NoError(t, err)
		}
		on = append(on, s)
	}
	var err error
	b.mallory, err = New(b.world, "trudy", on...)
	require.NoError(t, err)
	onLan, err := b.mallory.Record("lan", sim.Selection{})
	require.NoError(t, err)
	onLine, err := b.mallory.Record("line", sim.Selection{})
	require.NoError(t, err)
	b.send(samples["udp"])
	on[1].Ports()[0].Send(made(t, sim.PointToPoint, over6(samples["udp"])), "")
	on[2].Ports()[0].Send(made(t, sim.PointToPoint, over6(samples["tcp"])), "")
	b.run()
	require.Equal(t, []int{1, 1}, []int{len(onLan.frames), len(onLine.frames)})
	require.Equal(t, "east", onLine.frames[0].to.Node())
}

// What is remembered is bounded, and the oldest goes first.
func TestLatest(t *testing.T) {
	var l latest[int, int]
	for i := range 2 * memory {
		l.put(i, i)
		l.put(0, i)
	}
	require.Len(t, l.values, memory)
	v, ok := l.get(0)
	require.True(t, ok && v == 2*memory-1)
	_, ok = l.get(memory)
	require.False(t, ok)
	require.Equal(t, []int{0, 2*memory - 1}, l.newest()[:2])
}
