package sim

import (
	"context"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// newWorld makes a world that the test closes without an error.
func newWorld(t testing.TB, c Config) *World {
	t.Helper()
	w, err := New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

func run(t testing.TB, w *World, until time.Duration) {
	t.Helper()
	require.NoError(t, w.Run(context.Background(), until, nil))
}

func newSegment(t testing.TB, w *World, name string, c SegmentConfig) *Segment {
	t.Helper()
	s, err := w.NewSegment(name, c)
	require.NoError(t, err)
	return s
}

// arrival is a frame that a node received.
type arrival struct {
	at    time.Duration
	frame []byte
}

// node is a port and what came in there.
type node struct {
	*Port
	got  []arrival
	seen []int   // their numbers, at a promiscuous port
	from []*Port // of a tap: whose link each came along
}

func attach(t testing.TB, s *Segment, name string, addrs ...string) *node {
	t.Helper()
	n := &node{}
	c := PortConfig{Node: name, Receive: func(f []byte) { n.got = append(n.got, arrival{s.w.Now(), f}) }}
	for _, a := range addrs {
		c.Addrs = append(c.Addrs, netip.MustParseAddr(a))
	}
	var err error
	n.Port, err = s.Attach(c)
	require.NoError(t, err)
	return n
}

// texts are the payloads of the frames received so far.
func (n *node) texts() []string {
	var s []string
	for _, a := range n.got {
		s = append(s, string(a.frame[etherHeader:]))
	}
	return s
}

// etherFrame is a frame of an experimental EtherType, IEEE 802-2014, Section 9.2.3.
func etherFrame(dst, src macAddr, payload string) []byte {
	b := append(dst[:], src[:]...)
	return append(append(b, 0x88, 0xb5), payload...)
}

// to sends text to another node.
func (n *node) to(m *node, text string) int { return n.Send(etherFrame(m.MAC(), n.MAC(), text), "") }

// toAll broadcasts.
func (n *node) toAll(text string) int { return n.Send(etherFrame(broadcast, n.MAC(), text), "") }

// arpFrame is an ARP packet of that operation.
func arpFrame(dst, src macAddr, op uint16, sender, target string) []byte {
	b := append(append(dst[:], src[:]...), 8, 6, 0, 1, 8, 0, 6, 4)
	b = binary.BigEndian.AppendUint16(b, op)
	s, t := netip.MustParseAddr(sender).As4(), netip.MustParseAddr(target).As4()
	b = append(append(b, src[:]...), s[:]...)
	return append(append(b, 0, 0, 0, 0, 0, 0), t[:]...)
}

// settles is an Owner that counts.
type settles struct {
	name string
	n    int
}

func (s *settles) Settle()        { s.n++ }
func (s *settles) String() string { return s.name }
