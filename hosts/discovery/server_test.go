package discovery

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
)

var client = netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), 40000)

// pairOf are two servers that are each other's partners.
func pairOf(t *testing.T) map[netip.Addr]*Server {
	all := map[netip.Addr]*Server{}
	for _, c := range []ServerConfig{{Address: alpha, Partner: beta, Software: "lab"}, {Address: beta, Partner: alpha}} {
		s, err := NewServer(c)
		require.NoError(t, err)
		all[c.Address] = s
	}
	return all
}

// answers asks a server, and the other one what that passes to it, and returns what reaches
// somebody else.
func answers(t *testing.T, all map[netip.Addr]*Server, at netip.AddrPort, m stun.Message) (out []packet) {
	t.Helper()
	waiting := all[at.Addr()].UDP(0, at.Port(), client, m.Append(nil))
	for len(waiting) > 0 {
		p, _, _, ok := parse(waiting[0].Packet)
		require.True(t, ok)
		waiting = waiting[1:]
		require.Equal(t, uint8(protoUDP), p.proto)
		require.True(t, p.sumOK())
		payload, _, _ := p.udp()
		if s := all[p.dst]; s != nil {
			waiting = append(waiting, s.UDP(0, p.to().Port(), p.from(), payload)...)
			continue
		}
		out = append(out, p)
	}
	return out
}

func read(t *testing.T, p packet) stun.Message {
	t.Helper()
	payload, _, ok := p.udp()
	require.True(t, ok)
	m, err := stun.Parse(payload)
	require.NoError(t, err)
	return m
}

// RFC 5780, Section 6.1, table 1, with each address and port as the one asked.
func TestWhereAnswersComeFrom(t *testing.T) {
	other := map[netip.Addr]netip.Addr{alpha: beta, beta: alpha}
	for _, da := range []netip.Addr{alpha, beta} {
		for _, dp := range []uint16{Primary, Alternate} {
			ca, cp := other[da], otherPort(dp)
			for _, c := range []struct {
				ip, port bool
				from     netip.AddrPort
			}{
				{false, false, netip.AddrPortFrom(da, dp)},
				{true, false, netip.AddrPortFrom(ca, dp)},
				{false, true, netip.AddrPortFrom(da, cp)},
				{true, true, netip.AddrPortFrom(ca, cp)},
			} {
				m := stun.Message{Method: stun.Binding, ID: stun.TransactionID{1, 2, 3}}
				m.AddChange(c.ip, c.port)
				got := answers(t, pairOf(t), netip.AddrPortFrom(da, dp), m)
				require.Len(t, got, 1)
				require.Equal(t, []netip.AddrPort{c.from, client}, []netip.AddrPort{got[0].from(), got[0].to()})
				r := read(t, got[0])
				require.Equal(t, []any{stun.Success, m.ID}, []any{r.Class, r.ID})
				for typ, want := range map[stun.Type]netip.AddrPort{
					stun.MappedAddress: client, stun.XORMappedAddress: client, stun.ResponseOrigin: c.from, stun.OtherAddress: netip.AddrPortFrom(ca, cp),
				} {
					a, ok := r.Addr(typ)
					require.True(t, ok, typ)
					require.Equal(t, want, a, typ)
				}
			}
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		alone bool // the server has no partner
		edit  func(*stun.Message)
		code  int // 0: it is answered
	}{
		{"nothing special", false, func(*stun.Message) {}, 0},
		{"an attribute that may be ignored", false, func(m *stun.Message) { m.Add(0xfabc, nil) }, 0},
		{"an attribute that must be known", false, func(m *stun.Message) { m.Add(0x7abc, nil) }, 420},
		{"another address, of one that has none", true, func(m *stun.Message) { m.AddChange(true, false) }, 420},
		{"another port, of one that has no partner", true, func(m *stun.Message) { m.AddChange(false, true) }, 0},
		{"padding", false, withPadding, 0},
		{"another port for the answer", false, respondTo(7), 0},
		{"padding for another port", false, func(m *stun.Message) { withPadding(m); respondTo(7)(m) }, 400},
		{"a malformed CHANGE-REQUEST", false, func(m *stun.Message) { m.Add(stun.ChangeRequest, []byte{1}) }, 400},
		{"a delay of a year", false, func(m *stun.Message) { m.Add(delay, []byte{0xff, 0xff, 0xff, 0xff}) }, 400},
	} {
		all := pairOf(t)
		if c.alone {
			s, err := NewServer(ServerConfig{Address: alpha})
			require.NoError(t, err)
			all[alpha] = s
		}
		m := stun.Message{Method: stun.Binding}
		c.edit(&m)
		got := answers(t, all, netip.AddrPortFrom(alpha, Primary), m)
		require.Len(t, got, 1, c.name)
		r := read(t, got[0])
		code := 0
		if v, ok := r.Get(stun.ErrorCode); ok {
			code = int(v[2])*100 + int(v[3]) // RFC 8489, Section 14.8
		}
		require.Equal(t, c.code, code, c.name)
		require.Equal(t, c.code != 0, r.Class == stun.Failure, c.name)
		if _, there := r.Get(stun.OtherAddress); c.alone {
			require.False(t, there, c.name) // RFC 5780, Section 7.4
		}
		if port, there, _ := m.Response(); there && c.code == 0 {
			require.Equal(t, netip.AddrPortFrom(client.Addr(), port), got[0].to(), c.name)
		}
		if _, padded := m.Get(stun.Padding); padded && c.code == 0 {
			require.Greater(t, len(got[0].payload), mtu, c.name)
		}
	}
}

// A server does what nobody else does: nothing, for indications, responses and noise.
func TestWhatIsNotAnswered(t *testing.T) {
	for _, m := range []stun.Message{
		{Method: stun.Binding, Class: stun.Indication}, {Method: stun.Binding, Class: stun.Success},
		{Method: stun.Send, Class: stun.Request}, {Method: stun.Send, Class: stun.Indication}, {Method: 0x0ff},
	} {
		require.Empty(t, answers(t, pairOf(t), netip.AddrPortFrom(alpha, Primary), m))
	}
	require.Empty(t, pairOf(t)[alpha].UDP(0, Primary, client, []byte("GET / HTTP/1.0\r\n\r\n")))
}

// Each segment of a connection is answered from what stands in it: RFC 9293, Section 3.5.
func TestSegmentsWithoutState(t *testing.T) {
	s := pairOf(t)[alpha]
	at := netip.AddrPortFrom(alpha, Primary)
	ask := func(to netip.AddrPort, out segment) (header.TCP, bool) {
		b := ipv4(client.Addr(), to.Addr(), protoTCP, 1, tcpSegment(client, to, out))
		require.True(t, s.Wants(b))
		got := s.Packet(time.Second, b)
		if len(got) == 0 {
			return nil, false
		}
		require.Len(t, got, 1)
		p, _, _, ok := parse(got[0].Packet)
		require.True(t, ok)
		require.Equal(t, []netip.AddrPort{to, client}, []netip.AddrPort{p.from(), p.to()})
		require.True(t, p.sumOK())
		return p.tcp()
	}
	h, ok := ask(at, segment{seq: 1000, flags: header.TCPFlagSyn})
	require.True(t, ok)
	require.Equal(t, header.TCPFlagSyn|header.TCPFlagAck, h.Flags())
	require.Equal(t, uint32(1001), h.AckNumber())
	first := h.SequenceNumber() + 1
	_, ok = ask(at, segment{seq: 1001, ack: first, flags: header.TCPFlagAck})
	require.False(t, ok, "an acknowledgement has no answer")
	request := stun.Message{Method: stun.Binding}.Append(nil)
	h, ok = ask(at, segment{seq: 1001, ack: first, flags: header.TCPFlagAck | header.TCPFlagPsh, data: request})
	require.True(t, ok)
	require.Equal(t, []uint32{first, 1001 + uint32(len(request))}, []uint32{h.SequenceNumber(), h.AckNumber()})
	m, err := stun.Parse(h.Payload())
	require.NoError(t, err)
	mapped, _ := m.Addr(stun.XORMappedAddress)
	require.Equal(t, client, mapped)
	h, ok = ask(at, segment{seq: 2000, ack: first, flags: header.TCPFlagAck | header.TCPFlagFin})
	require.True(t, ok)
	require.Equal(t, header.TCPFlagAck|header.TCPFlagFin, h.Flags())
	require.Equal(t, uint32(2001), h.AckNumber())
	_, ok = ask(at, segment{seq: 2001, flags: header.TCPFlagRst})
	require.False(t, ok)
	_, ok = ask(netip.AddrPortFrom(alpha, Silent), segment{seq: 7, flags: header.TCPFlagSyn})
	require.False(t, ok, "nobody answers on this port")

	r := s.recalled(3*time.Second, stun.Message{Method: recall}) // of whom is not said
	require.Empty(t, sightings(r))
	q := stun.Message{Method: recall}
	q.AddAddr(stun.XORPeerAddress, client)
	seen := sightings(s.recalled(3*time.Second, q))
	require.Len(t, seen, 6)
	require.Equal(t, 2*time.Second, seen[0].age)
	p, _, _, ok := parseStart(seen[0].bytes)
	require.True(t, ok)
	require.Equal(t, netip.AddrPortFrom(alpha, Silent), p.to())
}

// What is carried otherwise is answered in the same carrier.
func TestCarriers(t *testing.T) {
	s := pairOf(t)[alpha]
	m := stun.Message{Method: stun.Binding, ID: stun.TransactionID{9}}
	addDelay(&m, time.Minute)
	request := m.Append(nil)
	ike := netip.AddrPortFrom(alpha, IKE)
	for _, c := range []struct {
		proto   uint8
		payload []byte
		read    func(packet) []byte
	}{
		{protoICMP, icmpEcho(header.ICMPv4Echo, 77, 1, request), func(p packet) []byte {
			m, ok := p.icmp()
			require.True(t, ok)
			require.Equal(t, []any{header.ICMPv4EchoReply, uint16(77)}, []any{m.Type(), m.Ident()})
			return m.Payload()
		}},
		{protoESP, carry(protoESP, 0x1000, 1, request), func(p packet) []byte {
			spi, message, ok := carried(protoESP, p.payload)
			require.True(t, ok)
			require.Equal(t, uint32(0x1000^answerSPI), spi)
			return message
		}},
		{protoAH, carry(protoAH, 0x1000, 1, request), func(p packet) []byte {
			spi, message, ok := carried(protoAH, p.payload)
			require.True(t, ok)
			require.Equal(t, uint32(0x1000^answerSPI), spi)
			return message
		}},
		{protoTest, request, func(p packet) []byte { return p.payload }},
		{protoUDP, udpSegment(netip.AddrPortFrom(client.Addr(), IKE), ike, isakmp([8]byte{1, 2}, [8]byte{}, request)), func(p packet) []byte {
			payload, _, ok := p.udp()
			require.True(t, ok)
			cookie, message, ok := readISAKMP(payload)
			require.True(t, ok)
			require.Equal(t, [8]byte{1, 2}, cookie)
			return message
		}},
	} {
		b := ipv4(client.Addr(), alpha, c.proto, 1, c.payload)
		require.True(t, s.Wants(b), c.proto)
		got := s.Packet(0, b)
		require.Len(t, got, 1, c.proto)
		require.Equal(t, time.Minute, got[0].After)
		p, _, _, ok := parse(got[0].Packet)
		require.True(t, ok)
		r, ok := responseTo(m, c.read(p))
		require.True(t, ok, c.proto)
		mapped, _ := r.Addr(stun.XORMappedAddress)
		require.Equal(t, client.Addr(), mapped.Addr())
	}
	for _, b := range [][]byte{
		ipv4(client.Addr(), beta, protoESP, 1, carry(protoESP, 1, 1, request)),                                                            // another's
		ipv4(client.Addr(), alpha, protoESP, 1, []byte("the ciphertext of somebody who means it")),                                        // real ESP
		ipv4(client.Addr(), alpha, protoUDP, 1, udpSegment(client, ike, []byte("a real message of key exchange, which is for the host"))), // real IKE
		ipv4(client.Addr(), alpha, protoTCP, 1, tcpSegment(client, netip.AddrPortFrom(alpha, 80), segment{flags: header.TCPFlagSyn})),
	} {
		require.False(t, s.Wants(b))
	}
}

// Fragments make a datagram in any order, twice too, and not without one of them.
func TestAssembly(t *testing.T) {
	payload := make([]byte, 4000)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	pieces := fragmented(inside, alpha, protoUDP, 9, payload)
	require.Len(t, pieces, 3)
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 0, 2, 1}} {
		var a assembly
		for n, i := range order {
			p, ok := a.add(pieces[i])
			require.Equal(t, n == len(order)-1, ok)
			if ok {
				require.Equal(t, payload, p.payload)
				require.Equal(t, len(order), p.pieces)
			}
		}
	}
	var a assembly
	for i := range 100 { // never whole: forgotten in the end
		_, ok := a.add(fragmented(inside, alpha, protoUDP, uint16(i), payload)[1])
		require.False(t, ok)
	}
	require.LessOrEqual(t, len(a.open), maxAssemblies)
}
