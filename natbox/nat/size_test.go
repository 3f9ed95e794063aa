package nat

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// A lab has many boxes, most of them with little to do.
func TestSmallBoxesAreSmall(t *testing.T) {
	const n = 200
	size := func(made func(*Table)) float64 {
		all := make([]*Table, 0, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range n {
			b, err := New(Config{Outside: addrs("203.0.113.1")}, rand.New(rand.NewPCG(1, 2)))
			require.NoError(t, err)
			made(b)
			all = append(all, b)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		defer runtime.KeepAlive(all)
		return (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / n
	}
	p := makePacket(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000")
	without, with := size(func(*Table) {}), size(func(b *Table) { b.Outbound(0, append([]byte{}, p...)) })
	t.Logf("%.0f bytes without a mapping, %.0f with one", without, with)
	require.Less(t, without, 8192.)
	require.Less(t, with, 24576.)
}

// A packet of a mapping that is there costs no allocation, in either direction.
func TestNothingIsAllocated(t *testing.T) {
	for _, c := range []Config{{}, {UDP: Behaviour{AddressAndPortDependent, AddressAndPortDependent}, Scope: PerSession, Limits: Limits{Eviction: EvictLeast}}} {
		for _, proto := range []string{"udp", "tcp", "echo"} {
			b := newBench(t, c)
			b.nat.Trace = nil
			out := makePacket(t, proto+" 10.0.0.1:4000 > 198.51.100.1:7000 S")
			left := append([]byte{}, b.nat.Outbound(0, append([]byte{}, out...)).Packets[0]...)
			back := append(append(append([]byte{}, left[:12]...), left[16:20]...), left[12:16]...)
			if proto == "echo" {
				back = append(back, left[20:]...)
				retype(back, 0)
			} else {
				back = append(append(append(back, left[22:24]...), left[20:22]...), left[24:]...)
			}
			buf := make([]byte, len(out))
			require.Zero(t, testing.AllocsPerRun(100, func() {
				copy(buf, out)
				if b.nat.Outbound(0, buf).Packets == nil {
					t.Error("dropped")
				}
				copy(buf, back)
				if b.nat.Inbound(0, buf).Packets == nil {
					t.Error("dropped")
				}
			}), proto)
		}
	}
}
