package discovery

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/stun"
)

var (
	alpha  = netip.MustParseAddr("198.51.100.10")
	beta   = netip.MustParseAddr("198.51.100.20")
	inside = netip.MustParseAddr("10.0.0.5")
)

// seeds are packets of each kind that a server or a client may meet.
func seeds() (packets [][]byte) {
	m := stun.Message{Method: stun.Binding}
	request := m.Append(nil)
	udp := udpSegment(netip.AddrPortFrom(inside, 4000), netip.AddrPortFrom(alpha, IKE), isakmp([8]byte{1}, [8]byte{}, request))
	packets = append(packets, ipv4(inside, alpha, protoUDP, 1, udp))
	packets = append(packets, ipv4(inside, alpha, protoTCP, 1, tcpSegment(netip.AddrPortFrom(inside, 4000), netip.AddrPortFrom(alpha, Primary), segment{flags: 2})))
	packets = append(packets, ipv4(inside, alpha, protoICMP, 1, icmpEcho(8, 7, 1, request)))
	for _, proto := range []uint8{protoESP, protoAH, protoTest} {
		packets = append(packets, ipv4(inside, alpha, proto, 1, carry(proto, 7, 1, request)))
	}
	return append(packets, fragmented(inside, alpha, protoUDP, 9, make([]byte, 3000))...)
}

// Whatever reaches a server or a client, each answers with valid packets or not at all.
func FuzzPackets(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewServer(ServerConfig{Address: alpha, Partner: beta})
		require.NoError(t, err)
		if s.Wants(b) {
			for _, a := range s.Packet(time.Second, b) {
				_, _, _, ok := parse(a.Packet)
				require.True(t, ok)
			}
		}
		c := &Client{config: Config{Servers: [2]netip.Addr{alpha, beta}}, used: map[uint16]bool{4000: true}}
		c.Wants(b)
		var a assembly
		if p, ok := a.add(b); ok {
			p.udp()
			p.tcp()
			p.icmp()
			quoteOK(p.payload)
			readISAKMP(p.payload)
			carried(p.proto, p.payload)
		}
	})
}

// Whatever a datagram says, a server answers from an address and port that are its own or its partner's.
func FuzzDatagrams(f *testing.F) {
	m := stun.Message{Method: stun.Binding}
	m.AddChange(true, true)
	m.AddResponsePort(7)
	f.Add(m.Append(nil))
	addDelay(&m, time.Second)
	f.Add(m.Append(nil))
	send := stun.Message{Method: stun.Send, Class: stun.Indication}
	send.AddAddr(stun.XORPeerAddress, netip.AddrPortFrom(inside, 9))
	send.Add(stun.Data, []byte("data"))
	f.Add(send.Append(nil))
	send.Add(protocol, []byte{protoTCP})
	send.Add(reverse, nil)
	f.Add(send.Append(nil))
	f.Add(stun.Message{Method: recall}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewServer(ServerConfig{Address: alpha, Partner: beta})
		require.NoError(t, err)
		for _, a := range s.UDP(time.Second, Primary, netip.AddrPortFrom(inside, 4000), b) {
			p, _, _, ok := parse(a.Packet)
			require.True(t, ok)
			require.Equal(t, alpha, p.src)
			require.LessOrEqual(t, a.After, maxDelay)
		}
	})
}
