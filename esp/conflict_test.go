package esp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// nated are Ari and Bob behind one NAT, on ports 1111 and 2222 of its outside, and a server: RFC 3948, Section 5.2.
type nated struct {
	testing.TB
	server  *node
	clients []*node
	ports   []uint16
}

var cliff = netip.MustParseAddr("10.1.2.5") // whose address nobody asks for

func behindOneNAT(t testing.TB, c Config, clients int, transform ipsec.Transform) *nated {
	t.Helper()
	n := &nated{TB: t, server: newNode(t, c)}
	n.server.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, ipsec.Selector{})}, nil)
	for i := range clients {
		n.join(i, uint16(1111*(i+1)), transform)
	}
	return n
}

// join gives the server and a client a pair of SAs.
func (n *nated) join(i int, port uint16, transform ipsec.Transform) {
	n.Helper()
	for len(n.clients) <= i {
		client := newNode(n, Config{})
		client.SetPolicy([]ipsec.Policy{negotiate(1, ipsec.Outbound, ipsec.Selector{})}, nil)
		n.clients, n.ports = append(n.clients, client), append(n.ports, 0)
	}
	n.ports[i] = port
	there, back := uint32(0x1000+i), uint32(0x2000+i)
	toServer, _ := params(transform, cliff, bob, there, back)
	_, fromServer := params(transform, bob, cliff, back, there)
	_, in := params(transform, outside, bob, there, back)
	out, _ := params(transform, bob, outside, back, there)
	toServer.UDP, fromServer.UDP = natt4500, natt4500
	in.UDP, out.UDP = ipsec.Encapsulation{Src: port, Dst: 4500}, ipsec.Encapsulation{Src: 4500, Dst: port}
	require.NoError(n, n.clients[i].Add(start, fromServer, toServer))
	require.NoError(n, n.server.Add(start, in, out))
}

// hears has the server hear a packet of a client, and returns it as its stack sees it.
func (n *nated) hears(i int, now time.Time, proto uint8, payload []byte) Decision {
	n.Helper()
	d := n.clients[i].Outbound(now, ip(cliff, bob, proto, payload), 0)
	require.Equal(n, Protected, d.Outcome, d.Why)
	return n.server.InboundInPlace(now, moved(d.Packet, outside, n.ports[i]))
}

// sends has the server send a packet; to is the client that could open it, −1 for nobody.
func (n *nated) sends(now time.Time, proto uint8, payload []byte) (to int, inside []byte) {
	n.Helper()
	clear := ip(bob, outside, proto, payload)
	kept := bytes.Clone(clear)
	d := n.server.Outbound(now, clear, 0)
	require.Equal(n, kept, clear, "the packet is only read")
	if d.Outcome != Protected {
		return -1, nil
	}
	for i, port := range n.ports {
		if d.portTo() == port {
			p := bytes.Clone(d.Packet)
			copy(p[16:], cliff.AsSlice())
			binary.BigEndian.PutUint16(p[22:], 4500)
			p[10], p[11] = 0, 0
			binary.BigEndian.PutUint16(p[10:], checksum(p[:20]))
			o := n.clients[i].InboundProtected(now, p)
			require.Equal(n, Opened, o.Outcome, o.Why)
			return i, o.Packet
		}
	}
	return -1, nil
}

func ports(p []byte) [2]uint16 { return [2]uint16{portAt(p, 20), portAt(p, 22)} }

// Two clients, with ports that differ: the newest SA takes all answers, and by tracking each gets its own.
func TestAnswersBehindOneNAT(t *testing.T) {
	for _, c := range []struct {
		strategy ConflictStrategy
		first    int // who gets the answer to Ari
	}{{ConflictNewest, 1}, {ConflictTrack, 0}, {ConflictTranslate, 0}} {
		n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: c.strategy}}, 2, tripleDES)
		for i := range 2 {
			o := n.hears(i, start, ipsec.ProtoTCP, udp(uint16(1025+i), 80, 20))
			require.Equal(t, [2]uint16{uint16(1025 + i), 80}, ports(o.Packet), "nothing is to be translated")
		}
		to, _ := n.sends(start, ipsec.ProtoTCP, udp(80, 1025, 20))
		require.Equal(t, c.first, to, c.strategy)
		to, _ = n.sends(start, ipsec.ProtoTCP, udp(80, 1026, 20))
		require.Equal(t, 1, to, c.strategy)
		to, _ = n.sends(start, ipsec.ProtoTCP, udp(80, 4444, 20))
		require.Equal(t, 1, to, "nobody has asked: the newest")
	}
}

// Two clients that use the same port, as clients of L2TP do: by tracking the one who spoke last has all answers, by
// translation each its own, and the server's stack sees two conversations.
func TestSamePortBehindOneNAT(t *testing.T) {
	l2tp := udp(1701, 1701, 30)
	n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTrack}}, 2, tripleDES)
	for _, i := range []int{0, 1, 0} {
		require.Equal(t, [2]uint16{1701, 1701}, ports(n.hears(i, start, ipsec.ProtoUDP, l2tp).Packet))
		to, _ := n.sends(start, ipsec.ProtoUDP, l2tp)
		require.Equal(t, i, to)
	}

	n = behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTranslate}}, 3, tripleDES)
	var seen []uint16
	for range 2 { // and it stays so
		seen = nil
		for i := range 3 {
			o := n.hears(i, start, ipsec.ProtoUDP, l2tp)
			require.Equal(t, Opened, o.Outcome, o.Why)
			require.Equal(t, uint16(1701), ports(o.Packet)[1])
			seen = append(seen, ports(o.Packet)[0])
		}
		require.Equal(t, []uint16{1701, 49152, 49153}, seen)
	}
	for i, port := range seen {
		to, inside := n.sends(start, ipsec.ProtoUDP, udp(1701, port, 30))
		require.Equal(t, i, to)
		require.Equal(t, [2]uint16{1701, 1701}, ports(inside), "the client sees nothing of it")
	}
}

// Checksums stay right through translation, and echoes are told apart by their identifiers.
func TestTranslatedChecksums(t *testing.T) {
	n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTranslate}}, 2, tripleDES)
	for _, proto := range []uint8{ipsec.ProtoTCP, ipsec.ProtoUDP, ipsec.ProtoICMP} {
		payload := summed(t, cliff, bob, proto, []byte("a message of odd length"))[20:]
		first, second := n.hears(0, start, proto, payload), n.hears(1, start, proto, payload)
		require.NotEqual(t, first.Packet[20:], second.Packet[20:])
		at := 0
		if proto == ipsec.ProtoICMP {
			at = 4
		}
		require.Equal(t, portAt(payload, at), portAt(first.Packet[20:], at))
		port := portAt(second.Packet[20:], at)
		require.GreaterOrEqual(t, port, uint16(49152))
		// Put back, the rest is that of the first: the sum covers what it should.
		d, _ := parsed(bytes.Clone(second.Packet))
		d.setPort(20+at, portAt(payload, at))
		require.Equal(t, first.Packet[20:], d.b[20:])
		requireSummed(t, second.Packet)

		if proto == ipsec.ProtoICMP {
			reply := bytes.Clone(second.Packet[20:])
			reply[0] = 0
			to, inside := n.sends(start, proto, reply)
			require.Equal(t, 1, to)
			require.Equal(t, portAt(payload, 4), portAt(inside[20:], 4), "the identifier of the client's own")
		}
	}
}

// requireSummed demands that checksums over IPv4 are right.
func requireSummed(t testing.TB, p []byte) {
	t.Helper()
	var pseudo []byte
	if p[9] != ipsec.ProtoICMP {
		pseudo = append(append([]byte(nil), p[12:20]...), 0, p[9], byte((len(p)-20)>>8), byte(len(p)-20))
	}
	pseudo = append(pseudo, p[20:]...)
	if len(pseudo)%2 == 1 {
		pseudo = append(pseudo, 0)
	}
	require.Zero(t, checksum(pseudo))
}

// A protocol without ports has nothing to translate: one computer alone talks by it, until it is gone.
func TestNoPortToTranslate(t *testing.T) {
	n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTranslate}}, 2, tripleDES)
	const gre = 47
	require.Equal(t, Opened, n.hears(0, start, gre, make([]byte, 20)).Outcome)
	o := n.hears(1, start, gre, make([]byte, 20))
	require.Equal(t, "it looks like the traffic of another computer behind the NAT, and has no port that could be another one", o.Why)
	require.Equal(t, uint64(1), n.server.Counters().WrongSA)
	n.server.RemoveWhere(start, "gone", func(p ipsec.SAParams) bool { return p.UDP.Src == 1111 || p.UDP.Dst == 1111 })
	require.Equal(t, Opened, n.hears(1, start, gre, make([]byte, 20)).Outcome)
}

// An error of ICMP goes to the computer whose packet it quotes, with the port that it knows.
func TestErrorsBehindOneNAT(t *testing.T) {
	n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTranslate}}, 3, tripleDES)
	l2tp := udp(1701, 1701, 30)
	var heard [][]byte
	for i := range 3 {
		heard = append(heard, n.hears(i, start, ipsec.ProtoUDP, l2tp).Packet)
	}
	for i := range 3 {
		unreachable := append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, heard[i][:28]...)
		binary.BigEndian.PutUint16(unreachable[2:], checksum(unreachable))
		to, inside := n.sends(start, ipsec.ProtoICMP, unreachable)
		require.Equal(t, i, to)
		require.Equal(t, [2]uint16{1701, 1701}, ports(inside[28:]), "the port that it has sent from")
		require.Zero(t, checksum(inside[20:]))
	}
	// And the other way: the client refuses what the server has sent to it.
	_, inside := n.sends(start, ipsec.ProtoUDP, udp(1701, ports(heard[1])[0], 30))
	refused := append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, inside[:28]...)
	binary.BigEndian.PutUint16(refused[2:], checksum(refused))
	o := n.hears(1, start, ipsec.ProtoICMP, refused)
	require.Equal(t, Opened, o.Outcome, o.Why)
	require.Equal(t, [2]uint16{1701, ports(heard[1])[0]}, ports(o.Packet[28:]), "the port that the server has sent to")
	require.Zero(t, checksum(o.Packet[20:]))
	// One that quotes nothing, or too little, is nobody's.
	for _, n8 := range []int{8, 20, 31} {
		require.Equal(t, Opened, n.hears(2, start, ipsec.ProtoICMP, refused[:n8]).Outcome)
	}
}

// A client whose SAs are gone gets nothing, rather than another one what is not for it; and with the time its
// conversations are forgotten.
func TestConversationWithoutSA(t *testing.T) {
	n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTrack, Idle: time.Hour}}, 2, tripleDES)
	n.hears(0, start, ipsec.ProtoTCP, udp(1025, 80, 20))
	n.server.RemoveWhere(start, "gone", func(p ipsec.SAParams) bool { return p.UDP.Src == 1111 || p.UDP.Dst == 1111 })
	d := n.server.Outbound(start, ip(bob, outside, ipsec.ProtoTCP, udp(80, 1025, 20)), 0)
	require.Equal(t, Dropped, d.Outcome)
	require.Equal(t, "the computer behind a NAT that it is for has no SA, and those that there are belong to another one", d.Why)
	to, _ := n.sends(start.Add(time.Hour), ipsec.ProtoTCP, udp(80, 1025, 20))
	require.Equal(t, 1, to, "an hour later nobody knows better")

	n = behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTrack}}, 1, tripleDES)
	n.hears(0, start, ipsec.ProtoTCP, udp(1025, 80, 20))
	n.server.RemoveAll(start, "gone")
	require.Equal(t, Held, n.server.Outbound(start, ip(bob, outside, ipsec.ProtoTCP, udp(80, 1025, 20)), 0).Outcome, "no SA at all is the ordinary case")
}

// Conversations that a server begins go on with the computer that they began with.
func TestServerBegins(t *testing.T) {
	n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTranslate}}, 1, tripleDES)
	to, _ := n.sends(start, ipsec.ProtoTCP, udp(2000, 139, 20))
	require.Equal(t, 0, to)
	n.join(1, 2222, tripleDES)
	to, _ = n.sends(start, ipsec.ProtoTCP, udp(2000, 139, 20))
	require.Equal(t, 0, to, "although Bob has the newest SA")
	require.Equal(t, [2]uint16{139, 2000}, ports(n.hears(0, start, ipsec.ProtoTCP, udp(139, 2000, 20)).Packet))
}

// A client that moves takes its conversations along.
func TestConversationsMove(t *testing.T) {
	n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTranslate}}, 2, tripleDES)
	l2tp := udp(1701, 1701, 30)
	n.hears(0, start, ipsec.ProtoUDP, l2tp)
	before := ports(n.hears(1, start, ipsec.ProtoUDP, l2tp).Packet)
	n.ports[1] = 3333
	require.Equal(t, before, ports(n.hears(1, start, ipsec.ProtoUDP, l2tp).Packet))
	e := n.server.events()[0].(EventMoved)
	require.Len(t, n.server.Move(start, bob, netip.AddrPortFrom(outside, 2222), e.To, nil), 2)
	require.Equal(t, before, ports(n.hears(1, start, ipsec.ProtoUDP, l2tp).Packet))
	to, _ := n.sends(start, ipsec.ProtoUDP, udp(1701, before[0], 30))
	require.Equal(t, 1, to)
	n.server.Move(start, bob, e.To, netip.MustParseAddrPort("192.0.2.99:5555"), nil)
	require.Len(t, n.server.talks.bySeen, 1, "of another address they are others")
}

// The same address behind two NATs, in tunnels: RFC 3948, Section 5.1.
func TestSameAddressInTwoTunnels(t *testing.T) {
	nats := []netip.Addr{outside, netip.MustParseAddr("192.0.2.88")}
	for _, c := range []struct {
		strategy ConflictStrategy
		same     bool // ports
		seen     []uint16
		to       []int
	}{
		{ConflictNewest, false, []uint16{1025, 1026}, []int{0, 0}}, // the first rule takes all
		{ConflictTrack, false, []uint16{1025, 1026}, []int{0, 1}},
		{ConflictTrack, true, []uint16{1025, 1025}, []int{1, 1}},
		{ConflictTranslate, false, []uint16{1025, 1026}, []int{0, 1}},
		{ConflictTranslate, true, []uint16{1025, 49152}, []int{0, 1}},
	} {
		server := newNode(t, Config{Conflicts: Conflicts{Strategy: c.strategy}})
		var entries []ipsec.Policy
		clients := make([]*node, 2)
		for i, nat := range nats {
			e := negotiate(i+1, ipsec.Outbound, between(bob, cliff))
			e.Peer, e.Proposals[0].Mode = nat, ipsec.Tunnel
			entries = append(entries, e)
			toServer, in := params(tripleDES, nat, bob, 0x1000+uint32(i), 0x2000+uint32(i))
			out, _ := params(tripleDES, bob, nat, 0x2000+uint32(i), 0x1000+uint32(i))
			for _, p := range []*ipsec.SAParams{&toServer, &in, &out} {
				p.Mode, p.UDP, p.PolicyID = ipsec.Tunnel, natt4500, i+1
			}
			toServer.Selector, in.Selector, out.Selector, toServer.PolicyID = between(cliff, bob), between(cliff, bob), between(bob, cliff), 1
			require.NoError(t, server.Add(start, in, out))
			clients[i] = newNode(t, Config{})
			up := negotiate(1, ipsec.Outbound, between(cliff, bob))
			up.Peer = bob
			clients[i].SetPolicy([]ipsec.Policy{up}, nil)
			require.NoError(t, clients[i].Add(start, toServer))
		}
		server.SetPolicy(entries, nil)
		for i, client := range clients {
			port := uint16(1025 + i)
			if c.same {
				port = 1025
			}
			d := client.Outbound(start, ip(cliff, bob, ipsec.ProtoTCP, udp(port, 80, 20)), 0)
			require.Equal(t, Protected, d.Outcome, d.Why)
			o := server.InboundProtected(start, d.Packet)
			require.Equal(t, Opened, o.Outcome, o.Why)
			require.Equal(t, c.seen[i], ports(o.Packet)[0], "%v %v", c.strategy, c.same)
		}
		for i, port := range c.seen {
			d := server.Outbound(start, ip(bob, cliff, ipsec.ProtoTCP, udp(80, port, 20)), 0)
			require.Equal(t, Protected, d.Outcome, d.Why)
			require.Equal(t, nats[c.to[i]].AsSlice(), d.Packet[16:20], "%v %v", c.strategy, c.same)
			require.Equal(t, c.to[i]+1, d.PolicyID)
		}
	}
}

// What is another computer's already: for a host that refuses.
func TestConflict(t *testing.T) {
	n := behindOneNAT(t, Config{}, 1, tripleDES)
	out := n.server.SAs()[1].SAParams
	_, ok := n.server.Conflict(out)
	require.False(t, ok, "the same computer, with a new SA")
	out.UDP.Dst = 2222
	other, ok := n.server.Conflict(out)
	require.True(t, ok)
	require.Equal(t, uint16(1111), other.UDP.Dst)
	for what, change := range map[string]func(*ipsec.SAParams){
		"another address": func(p *ipsec.SAParams) { p.Dst, p.Selector.Dst = carol, ipsec.Host(carol) },
		"tunnel mode":     func(p *ipsec.SAParams) { p.Mode = ipsec.Tunnel },
	} {
		p := out
		change(&p)
		_, ok := n.server.Conflict(p)
		require.False(t, ok, what)
	}
	for _, c := range []struct {
		a, b ipsec.Selector
		want bool
	}{
		{ipsec.Selector{Proto: 17, DstPort: 1701}, ipsec.Selector{}, true}, {ipsec.Selector{Proto: 17}, ipsec.Selector{Proto: 6}, false},
		{ipsec.Selector{Proto: 17, DstPort: 1701}, ipsec.Selector{Proto: 17, DstPort: 1702}, false},
		{ipsec.Selector{Proto: 17, DstPort: 1701}, ipsec.Selector{Proto: 17, SrcPort: 1702}, true},
		{between(alice, bob), between(alice, carol), false}, {between(alice, bob), ipsec.Selector{Dst: netip.MustParsePrefix("10.0.0.0/8")}, true},
	} {
		require.Equal(t, c.want, overlap(c.a, c.b))
		require.Equal(t, c.want, overlap(c.b, c.a))
	}
}

// The memory is bounded, and what was used last stays.
func TestConversationsAreBounded(t *testing.T) {
	n := behindOneNAT(t, Config{Conflicts: Conflicts{Strategy: ConflictTranslate, Most: 100}}, 2, tripleDES)
	for port := range uint16(1000) {
		n.hears(0, start, ipsec.ProtoTCP, udp(1, 80, 20))
		n.hears(int(port)%2, start, ipsec.ProtoTCP, udp(port+2, 80, 20))
		require.LessOrEqual(t, n.server.talks.order.Len(), 100)
		require.Len(t, n.server.talks.bySeen, n.server.talks.order.Len())
		require.Len(t, n.server.talks.byReal, n.server.talks.order.Len())
	}
	to, _ := n.sends(start, ipsec.ProtoTCP, udp(80, 1, 20))
	require.Equal(t, 0, to)
	for _, c := range []Conflicts{{Strategy: maxConflict + 1}, {Idle: -1}, {Most: -1}} {
		_, err := New(Config{Rand: &counting{}, Conflicts: c})
		require.ErrorContains(t, err, "esp: Config.Conflicts has ")
	}
	require.Equal(t, "translate", ConflictTranslate.String())
}
