package nat

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// segment makes a TCP segment with numbers of its own. way: from inside "out", else "in".
func (b *bench) segment(way, flags string, seq, acked uint32, win uint16, data int, options ...byte) string {
	ends := map[string]string{"out": "tcp 10.0.0.1:4000 > 198.51.100.1:80 ", "in": "tcp 198.51.100.1:80 > 203.0.113.1:4000 "}[way]
	p := makePayload(b.t, ends+flags, append(options, make([]byte, data)...))
	p[32] += byte(len(options) / 4 << 4)
	binary.BigEndian.PutUint32(p[24:], seq)
	binary.BigEndian.PutUint32(p[28:], acked)
	binary.BigEndian.PutUint16(p[34:], win)
	sumUp(p)
	r := map[string]func(time.Duration, []byte) Result{"out": b.nat.Outbound, "in": b.nat.Inbound}[way](b.now, p)
	if r.Packets != nil {
		require.Empty(b.t, badChecksums(r.Packets[0]))
		return "passes"
	}
	return r.Why
}

func TestWindow(t *testing.T) {
	const outside = "a TCP segment outside the window"
	open := func(t *testing.T, w Window, options ...byte) *bench {
		b := newBench(t, Config{TCPRules: TCPRules{Window: w}})
		require.Equal(t, "passes", b.segment("out", "S", 1000, 0, 8000, 0, options...))
		require.Equal(t, "passes", b.segment("in", "SA", 5000000, 1001, 4000, 0, options...))
		require.Equal(t, "passes", b.segment("out", "A", 1001, 5000001, 8000, 0))
		return b
	}
	for _, x := range []struct {
		name        string
		way, flags  string
		seq, acked  uint32
		data        int
		reset, all_ string
	}{
		{"data", "out", "A", 1001, 5000001, 1000, "passes", "passes"},
		{"data to the end of the window", "out", "A", 1001, 5000001, 4000, "passes", "passes"},
		{"data beyond it", "out", "A", 1001, 5000001, 4001, "passes", outside},
		{"data from far before", "in", "A", 5000001 - 9000, 1001, 10, "passes", outside},
		{"what acknowledges more than was sent", "in", "A", 5000001, 1002, 0, "passes", outside},
		{"a RST", "in", "R", 5000001, 0, 0, "passes", "passes"},
		{"a RST in the window", "in", "R", 5007000, 0, 0, "passes", "passes"},
		{"a RST beyond it", "in", "R", 5009000, 0, 0, outside, outside},
		{"a RST from nowhere", "in", "R", 77, 0, 0, outside, outside},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := open(t, WindowIgnored)
			require.Equal(t, "passes", b.segment(x.way, x.flags, x.seq, x.acked, 8000, x.data))
			b = open(t, WindowOfReset)
			require.Equal(t, x.reset, b.segment(x.way, x.flags, x.seq, x.acked, 8000, x.data))
			if x.reset == outside {
				require.Equal(t, "established", b.state())
			}
			b = open(t, WindowOfAll)
			require.Equal(t, x.all_, b.segment(x.way, x.flags, x.seq, x.acked, 8000, x.data))
		})
	}
	t.Run("it moves on", func(t *testing.T) {
		b := open(t, WindowOfAll)
		seq := uint32(1001)
		for range 100 {
			require.Equal(t, "passes", b.segment("out", "A", seq, 5000001, 8000, 4000))
			require.Equal(t, outside, b.segment("out", "A", seq+4000, 5000001, 8000, 1))
			seq += 4000
			require.Equal(t, "passes", b.segment("in", "A", 5000001, seq, 4000, 0))
		}
	})
	t.Run("around the end of the numbers", func(t *testing.T) {
		b := newBench(t, Config{TCPRules: TCPRules{Window: WindowOfAll}})
		require.Equal(t, "passes", b.segment("out", "S", 0xfffffff0, 0, 8000, 0))
		require.Equal(t, "passes", b.segment("in", "SA", 0xffffffff, 0xfffffff1, 4000, 0))
		require.Equal(t, "passes", b.segment("out", "A", 0xfffffff1, 0, 8000, 100))
		require.Equal(t, "passes", b.segment("in", "A", 0, 85, 4000, 0))
	})
	t.Run("with the scale of RFC 7323", func(t *testing.T) {
		scale := []byte{1, 3, 3, 4}
		b := open(t, WindowOfAll, scale...)
		require.Equal(t, outside, b.segment("out", "A", 1001, 5000001, 8000, 4001), "the window of a SYN is not scaled")
		require.Equal(t, "passes", b.segment("in", "A", 5000001, 1001, 4000, 0))
		require.Equal(t, "passes", b.segment("out", "A", 1001, 5000001, 8000, 60000))
		b = newBench(t, Config{TCPRules: TCPRules{Window: WindowOfAll}})
		require.Equal(t, "passes", b.segment("out", "S", 1000, 0, 8000, 0, scale...))
		require.Equal(t, "passes", b.segment("in", "SA", 5000000, 1001, 4000, 0), "only one end has the option")
		require.Equal(t, "passes", b.segment("out", "A", 1001, 5000001, 8000, 0))
		require.Equal(t, "passes", b.segment("in", "A", 5000001, 1001, 4000, 0))
		require.Equal(t, outside, b.segment("out", "A", 1001, 5000001, 8000, 60000))
	})
	t.Run("a connection is refused", func(t *testing.T) {
		b := newBench(t, Config{TCPRules: TCPRules{Window: WindowOfAll}})
		require.Equal(t, "passes", b.segment("out", "S", 1000, 0, 8000, 0))
		require.Equal(t, "passes", b.segment("in", "RA", 0, 1001, 0, 0))
	})
	t.Run("one that the box has not seen begin is let alone", func(t *testing.T) {
		b := newBench(t, Config{TCPRules: TCPRules{Window: WindowOfAll}})
		require.Equal(t, "passes", b.segment("out", "A", 1000, 77, 8000, 100))
		require.Equal(t, "passes", b.segment("in", "A", 9000000, 5, 8000, 100))
	})
	t.Run("the ports are used again", func(t *testing.T) {
		b := open(t, WindowOfAll)
		require.Equal(t, "passes", b.segment("out", "FA", 1001, 5000001, 8000, 0))
		require.Equal(t, "passes", b.segment("in", "FA", 5000001, 1002, 8000, 0))
		require.Equal(t, "closing", b.state())
		require.Equal(t, "passes", b.segment("out", "S", 700000000, 0, 8000, 0))
		require.Equal(t, "syn-out", b.state())
		require.Equal(t, "passes", b.segment("in", "SA", 80000000, 700000001, 8000, 0))
		require.Equal(t, "established", b.state())
	})
}
