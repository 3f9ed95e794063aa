package sim

import (
	"bytes"
	"testing"

	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/stretchr/testify/require"
)

// FuzzSend: whatever bytes are sent, each frame is captured as it was, and arrives
// as it was or is lost for a reason.
func FuzzSend(f *testing.F) {
	a, b := MACFor("a", "lan"), MACFor("b", "lan")
	f.Add(etherFrame(b, a, "hello"))
	f.Add(etherFrame(broadcast, a, ""))
	f.Add(arpFrame(broadcast, a, 1, "10.0.0.1", "10.0.0.2"))
	f.Add(arpFrame(broadcast, b, 1, "10.0.0.2", "10.0.0.2"))
	f.Add(etherFrame(a, a, "to myself"))
	f.Add([]byte{})
	f.Add(solicit(f, a, "2001:db8::1", "2001:db8::2"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var file bytes.Buffer
		w, err := New(Config{Capture: &file})
		require.NoError(t, err)
		s := newSegment(t, w, "lan", SegmentConfig{})
		nodes := []*node{attach(t, s, "a", "10.0.0.1"), attach(t, s, "b", "10.0.0.2"), attach(t, s, "c")}
		lost := ""
		w.Tap(func(f Frame) { lost = f.Lost })
		for i, n := range nodes {
			before := len(nodes[0].got) + len(nodes[1].got) + len(nodes[2].got)
			require.Equal(t, i+1, n.Send(bytes.Clone(frame), ""))
			run(t, w, 0)
			arrived := len(nodes[0].got) + len(nodes[1].got) + len(nodes[2].got) - before
			require.Equal(t, lost == "", arrived > 0, lost)
			require.LessOrEqual(t, arrived, 2, "never back to the sender")
		}
		for _, n := range nodes {
			for _, a := range n.got {
				require.Equal(t, frame, a.frame)
			}
		}
		line := newSegment(t, w, "line", SegmentConfig{Medium: PointToPoint, MTU: maxMTU, Impairments: Impairments{
			Blackholes: []Selection{{Filter: Filter{Protocol: 6, Port: 1}}},
		}})
		end, other := attach(t, line, "a"), attach(t, line, "b")
		end.Send(bytes.Clone(frame), "")
		run(t, w, 0)
		require.Equal(t, lost == "", len(other.got) == 1, lost)
		require.NoError(t, w.Close())
		packets, err := pcapng.Read(&file)
		require.NoError(t, err)
		require.Len(t, packets, 4)
		require.True(t, bytes.Equal(frame[:min(len(frame), pcapng.MaxPacket)], packets[0].Data))
	})
}
