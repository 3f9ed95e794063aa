package pcapng

import (
	"bytes"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"
)

// allocated is the bytes that this process has taken from the heap so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// allowance is what Read may allocate in all for n bytes of file: the smallest
// packet takes 16 bytes there and a Packet of 88, in a slice that doubles. The
// constant covers the buffers and whatever the test binary does meanwhile.
func allowance(n int) uint64 { return 4<<20 + 64*uint64(n) }

func FuzzRead(f *testing.F) {
	file, _ := sample(f)
	f.Add(file)
	f.Add(bytes.Join([][]byte{section(be), ifDesc(be, 2, 0, 9, 0, 1, 0xbf, 0, 0, 0), packet789(be, 3<<62), block(be, blockSimple, []byte{0, 0, 0, 60, 5, 6, 0, 0})}, nil))
	f.Add(bytes.Join([][]byte{section(le), {6, 0, 0, 0, 0, 0, 0, 1, 0}}, nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		before := allocated()
		packets, err := Read(bytes.NewReader(file))
		require.LessOrEqual(t, allocated()-before, allowance(len(file)))
		for i, p := range packets {
			require.Equal(t, i+1, p.Number)
			require.LessOrEqual(t, len(p.Data), MaxPacket)
		}
		if err != nil {
			return
		}
		// What the Writer can say of it comes back the same.
		var buf bytes.Buffer
		w, err := NewWriter(&buf)
		require.NoError(t, err)
		var want []Packet
		for _, p := range packets {
			n, err := w.AddInterface(p.Interface, p.Link)
			require.NoError(t, err)
			if w.WritePacket(n, p.At, p.Data, p.Comment) == nil {
				p.Number = len(want) + 1
				want = append(want, p)
			}
		}
		got, err := Read(&buf)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// TestReadAllocation feeds the shapes that cost the most memory per byte.
func TestReadAllocation(t *testing.T) {
	for name, unit := range map[string][]byte{
		"smallest packets":    block(le, blockSimple, make([]byte, 4)),
		"smallest interfaces": ifDesc(le, 0),
		"sections":            section(le),
		"many comments":       packet789(le, 0, bytes.Repeat([]byte{1, 0, 1, 0, 'x', 0, 0, 0}, 10000)...),
		"claims of 16 MiB":    {6, 0, 0, 0, 0, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			file := append(section(le), ifDesc(le, 0)...)
			file = append(file, bytes.Repeat(unit, 1<<20/len(unit))...)
			before := allocated()
			_, _ = Read(bytes.NewReader(file))
			require.LessOrEqual(t, allocated()-before, allowance(len(file)))
		})
	}
}
