package nat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	early   = "udp 203.0.113.1:4000 > 198.51.100.1:7000 at 0+; 17 203.0.113.1 > 198.51.100.1 at 512+; 17 203.0.113.1 > 198.51.100.1 at 256+"
	stopMsg = "a fragment of a datagram whose first fragment was dropped"
)

// pieces are four fragments of a datagram.
func pieces(t *testing.T, packet string) [][]byte {
	f := cut(makePayload(t, packet, make([]byte, 1000)), 256)
	require.Len(t, f, 4)
	return f
}

func TestFragments(t *testing.T) {
	t.Run("those that wait follow the first, in the order in which they came", func(t *testing.T) {
		b := newBench(t, Config{})
		f := pieces(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000")
		require.Empty(t, b.tell(b.nat.Outbound(0, f[2])))
		require.Empty(t, b.tell(b.nat.Outbound(0, f[1])))
		clear(f[1]) // the caller may use its bytes again
		clear(f[2])
		require.Equal(t, early, b.tell(b.nat.Outbound(0, f[0])))
		require.Equal(t, "17 203.0.113.1 > 198.51.100.1 at 768", b.tell(b.nat.Outbound(0, f[3])))
		require.Equal(t, uint64(2), b.nat.Counters().Held)
	})
	t.Run("after their time they go", func(t *testing.T) {
		b := newBench(t, Config{Fragments: Fragments{Timeout: 5 * time.Second}})
		f := pieces(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000")
		require.Empty(t, b.tell(b.nat.Outbound(0, f[2])))
		require.Equal(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000 at 0+", b.tell(b.nat.Outbound(5*time.Second, f[0])))
		var why []string
		c := b.nat.Counters()
		c.Each(func(w string, n uint64) { why = append(why, w) })
		require.Equal(t, []string{"a fragment whose first one did not come in time"}, why)
	})
	t.Run("the first is dropped, and so are all", func(t *testing.T) {
		b := newBench(t, Config{UDP: Behaviour{Filtering: AddressDependent}})
		b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
		f := pieces(t, "udp 198.51.100.2:7000 > 203.0.113.1:4000")
		require.Empty(t, b.tell(b.nat.Inbound(0, f[1])))
		require.Equal(t, notLetIn, b.tell(b.nat.Inbound(0, f[0])))
		require.Equal(t, stopMsg, b.tell(b.nat.Inbound(0, f[2])))
		consistent(t, b.nat)
	})
	t.Run("for the box itself, as they came", func(t *testing.T) {
		b := newBench(t, Config{})
		f := pieces(t, "udp 198.51.100.2:7000 > 203.0.113.1:9")
		require.Empty(t, b.tell(b.nat.Inbound(0, f[1])))
		require.Equal(t, "17 198.51.100.2 > 203.0.113.1 at 256+; no mapping has this outside endpoint; own", b.tell(b.nat.Inbound(0, f[0])))
		require.Equal(t, "no mapping has this outside endpoint; own", b.tell(b.nat.Inbound(0, f[2])))
	})
	t.Run("of one datagram no more than may be", func(t *testing.T) {
		b := newBench(t, Config{Fragments: Fragments{HoldEach: 1}})
		f := pieces(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000")
		require.Empty(t, b.tell(b.nat.Outbound(0, f[1])))
		require.Equal(t, "too many fragments wait for their first", b.tell(b.nat.Outbound(0, f[2])))
	})
	t.Run("by hairpinning", func(t *testing.T) {
		b := newBench(t, Config{})
		b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
		require.Equal(t, "udp 203.0.113.1:4001 > 10.0.0.1:4000", together(t, b.nat.Hairpin, 0, pieces(t, "udp 10.0.0.2:4000 > 203.0.113.1:4000"), []int{3, 0, 1, 2}))
	})
	t.Run("of TCP, ICMP and ESP", func(t *testing.T) {
		b := newBench(t, Config{ESP: Portless{Mode: BySPI}})
		for packet, want := range map[string]string{
			"tcp 10.0.0.1:4000 > 198.51.100.1:80 S": "tcp 203.0.113.1:4000 > 198.51.100.1:80 S",
			"echo 10.0.0.1:77 > 198.51.100.1":       "echo 203.0.113.1:77 > 198.51.100.1",
			"esp 10.0.0.1 > 198.51.100.1 #77":       "esp 203.0.113.1 > 198.51.100.1 #77",
		} {
			f := cut(makePayload(t, packet, make([]byte, 1000)), 256)
			order := []int{1, 0, 2, 3}
			if len(f) == 5 {
				order = []int{4, 1, 0, 2, 3}
			}
			require.Equal(t, want, together(t, b.nat.Outbound, 0, f, order))
		}
	})
	t.Run("a first one without all of the header: RFC 1858", func(t *testing.T) {
		b := newBench(t, Config{})
		f := cut(makePacket(t, "tcp 10.0.0.1:4000 > 198.51.100.1:80 S"), 16)
		require.Equal(t, "not a whole IPv4 packet, or its transport header is cut", b.tell(b.nat.Outbound(0, f[0])))
	})
	t.Run("an ICMP error in fragments", func(t *testing.T) {
		b := newBench(t, Config{})
		b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
		f := cut(makeError(t, 3, 3, "198.51.100.1", "203.0.113.1", makePacket(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000")), 48)
		require.Equal(t, "an ICMP error in fragments", b.tell(b.nat.Inbound(0, f[0])))
		require.Equal(t, stopMsg, b.tell(b.nat.Inbound(0, f[1])))
	})
}

func TestUndo(t *testing.T) {
	b := newBench(t, Config{UDP: Behaviour{Filtering: AddressAndPortDependent}, Other: Portless{Mode: OneClient}, ESP: Portless{Mode: OneClient},
		Static: []Static{{Inside: addrs("10.0.0.9")[0], Outside: addrs("203.0.113.9")[0]}}})
	for _, packet := range []string{
		"udp 10.0.0.1:4000 > 198.51.100.1:7000", "udp 10.0.0.2:4000 > 198.51.100.1:7000", "tcp 10.0.0.2:4000 > 198.51.100.1:80 S",
		"echo 10.0.0.2:4 > 198.51.100.1", "gre 10.0.0.2 > 198.51.100.1", "esp 10.0.0.2 > 198.51.100.1 #5", "udp 10.0.0.9:4 > 198.51.100.1:5",
		"echo 10.0.0.9:4 > 198.51.100.1",
	} {
		r := b.nat.Outbound(0, makePacket(t, packet))
		require.Len(t, r.Packets, 1, packet)
		back, ok := b.nat.Undo(0, r.Packets[0])
		require.True(t, ok, packet)
		require.Equal(t, makePacket(t, packet), back)
	}
	for _, packet := range []string{
		"udp 198.51.100.1:7000 > 203.0.113.1:4001", "tcp 198.51.100.1:80 > 203.0.113.1:4000 SA", "reply 198.51.100.1 > 203.0.113.1:4",
		"gre 198.51.100.1 > 203.0.113.1", "udp 198.51.100.1:5 > 203.0.113.9:4",
	} {
		r := b.nat.Inbound(0, makePacket(t, packet))
		require.Len(t, r.Packets, 1, packet)
		back, ok := b.nat.Undo(0, r.Packets[0])
		require.True(t, ok, packet)
		require.Equal(t, makePacket(t, packet), back)
	}
	for _, packet := range []string{"udp 203.0.113.1:9 > 198.51.100.1:7000", "udp 192.0.2.1:9 > 198.51.100.1:7000", "esp 203.0.113.1 > 198.51.100.3 #1"} {
		_, ok := b.nat.Undo(0, makePacket(t, packet))
		require.False(t, ok, packet)
	}
	_, ok := b.nat.Undo(0, pieces(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000")[1])
	require.False(t, ok)
	_, ok = b.nat.Undo(0, []byte{1})
	require.False(t, ok)
}
