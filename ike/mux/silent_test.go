package mux_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
)

// What a responder does whose peer has fallen silent, on either side of the
// conflict between ike-scan's measurement of Windows 2000 to Server 2003, 1, 2,
// 4, 8, 16 and 32 s, and MS-IKEE, 3.1.5, by which it repeats nothing.
func TestResponderWhosePeerIsGone(t *testing.T) {
	for _, row := range []struct {
		name   string
		after  int // messages of the initiator that arrive
		silent bool
		want   []string // sent by the responder
	}{
		{"measured, message 2", 1, false, append([]string{"main mode 2"}, slices.Repeat([]string{"main mode 2 again"}, 6)...)},
		{"measured, message 4", 2, false, append([]string{"main mode 2", "main mode 4"}, slices.Repeat([]string{"main mode 4 again"}, 6)...)},
		{"documented, message 2", 1, true, []string{"main mode 2"}},
		{"documented, message 4", 2, true, []string{"main mode 2", "main mode 4"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, a, b := newPair(t)
			b.config.SilentResponder = row.silent
			b.reboot()
			arrived := 0
			n.fate = func(_ int, d ike.Datagram) []time.Duration {
				if d.Local.Addr() == a.addr {
					if arrived++; arrived > row.after {
						return nil
					}
				}
				return []time.Duration{n.latency}
			}
			a.request(b)
			n.run(schedule - time.Second)
			require.Equal(t, []string{"main mode started"}, b.negotiations(), "it waits as long in either case")
			n.run(2 * schedule)
			require.Equal(t, row.want, b.messages(true))
			require.Equal(t, []string{"main mode started", "main mode failed"}, b.negotiations())
		})
	}
}

// A silent responder gets through the loss of any message but quick mode's
// third, as the initiator repeats its own and is answered each time. Without the
// third, the responder in the end deletes the pair that the initiator has.
func TestEachMessageLostWithASilentResponder(t *testing.T) {
	for lost := 1; lost <= 9; lost++ {
		n, a, b := newPair(t)
		b.config.SilentResponder = true
		b.reboot()
		n.fate = func(k int, _ ike.Datagram) []time.Duration {
			if k == lost {
				return nil
			}
			return []time.Duration{n.latency}
		}
		a.request(b)
		n.run(3 * time.Second)
		if lost < 9 {
			n.wantPairs("the initiator repairs the loss", 1)
			continue
		}
		require.Len(t, a.in, 1)
		require.Empty(t, b.out)
		n.run(2 * schedule)
		n.wantPairs("nobody is left alone with a pair", 0)
	}
}
