package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/stretchr/testify/require"
)

// evidence is what a run leaves behind, hashed.
type evidence struct {
	capture, trace [sha256.Size]byte
	frames, lost   int
}

// observe runs a scenario to its end and gathers the evidence.
func observe(t testing.TB, seed uint64, scenario func(w *World)) evidence {
	t.Helper()
	var capture, events bytes.Buffer
	w, err := New(Config{Name: "determinism", Seed: seed, Trace: trace.New(&events), Capture: &capture})
	require.NoError(t, err)
	var e evidence
	w.Tap(func(f Frame) {
		if f.Lost != "" {
			e.lost++
		}
	})
	scenario(w)
	e.frames = w.Frames()
	require.NoError(t, w.Close())
	require.NotEmpty(t, capture.Bytes())
	require.NotEmpty(t, events.Bytes())
	e.capture, e.trace = sha256.Sum256(capture.Bytes()), sha256.Sum256(events.Bytes())
	return e
}

// anyImpairments draws some of each kind.
func anyImpairments(rng *Stream) Impairments {
	return Impairments{
		Jitter: time.Duration(rng.IntN(int(3 * ms))), Duplicate: rng.Float64() / 20, Corrupt: rng.Float64() / 10,
		Reorder: rng.Float64() / 10, ReorderBy: 5 * ms,
		Blackholes: []Selection{{First: 10, Last: 10 + rng.IntN(20)}},
	}
}

// busy has a dozen nodes talk over two segments with loss, timers that are set and
// stopped at random, coroutines, and links that change.
func busy(t testing.TB) func(w *World) {
	return func(w *World) {
		rng := w.Rand("busy")
		for i := range 2 {
			s := newSegment(t, w, fmt.Sprint("lan", i), SegmentConfig{Latency: time.Duration(i+1) * ms, Loss: 0.02, Impairments: anyImpairments(rng)})
			var ports []*Port
			for j := range 6 {
				name := fmt.Sprint("n", i, j)
				own := w.Rand("node", name)
				owner := &settles{name: name}
				var p *Port
				var idle *Timer
				receive := func(f []byte) {
					w.Record(name, trace.Application{App: "echo", Event: "datagram", Bytes: int64(len(f))})
					idle.Stop()
					idle.Reset(time.Duration(own.IntN(int(20 * ms))))
					if own.IntN(3) > 0 {
						copy(f, f[6:12])
						mac := p.MAC()
						copy(f[6:], mac[:])
						p.Send(f, "echo")
					}
				}
				var err error
				p, err = s.Attach(PortConfig{Node: name, Owner: owner, Receive: receive})
				require.NoError(t, err)
				require.NoError(t, p.SetLink(LinkConfig{Loss: 0.05, Latency: time.Duration(own.IntN(int(ms)))}))
				idle = w.After(owner, time.Second, func() {
					w.Record(name, trace.Application{App: "echo", Event: "timeout"})
				})
				w.Go(owner, name, func(c *Proc) {
					for range 50 {
						c.Sleep(time.Duration(own.IntN(int(100 * ms))))
						dst := broadcast
						if k := own.IntN(len(ports) + 1); k < len(ports) {
							dst = ports[k].MAC()
						}
						payload := make([]byte, own.IntN(1600))
						_, _ = own.Read(payload)
						p.Send(etherFrame(dst, p.MAC(), string(payload)), "")
					}
				})
				ports = append(ports, p)
			}
			for range 20 {
				w.After(nil, time.Duration(rng.IntN(int(3*time.Second))), func() {
					_ = ports[rng.IntN(6)].SetLink(LinkConfig{
						Loss: rng.Float64() / 5, Latency: time.Duration(rng.IntN(int(10 * ms))),
						Rate: int64(rng.IntN(2)) * 10_000_000, Queue: Queue{Frames: 5 + rng.IntN(20)},
						Impairments: anyImpairments(rng),
					})
				})
			}
		}
		require.NoError(t, w.Run(context.Background(), 5*time.Second, nil))
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	first := observe(t, 1, busy(t))
	require.Greater(t, first.frames, 1000)
	require.Greater(t, first.lost, 50)
	require.Less(t, first.lost, first.frames/2)
	for range 5 {
		require.Equal(t, first, observe(t, 1, busy(t)))
	}
	other := observe(t, 2, busy(t))
	require.NotEqual(t, first.capture, other.capture)
	require.NotEqual(t, first.trace, other.trace)
}

// TestSameSeedUnderEachGOMAXPROCS lets two netstacks talk, whose TCP runs on
// goroutines, as many as there are processors, or on the loop. It makes no difference.
func TestSameSeedUnderEachGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first evidence
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		for i := range 4 {
			e := observe(t, 1, talkTCP(t, i%2 == 0))
			if first.frames == 0 {
				first = e
				require.Greater(t, first.frames, 400)
				require.Greater(t, first.lost, 5)
			}
			require.Equal(t, first, e, "GOMAXPROCS %d", procs)
		}
	}
	require.NotEqual(t, first.capture, observe(t, 2, talkTCP(t, true)).capture)
}
