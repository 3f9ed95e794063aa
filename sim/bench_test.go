package sim

import (
	"container/heap"
	"io"
	"strconv"
	"testing"
	"time"
)

// bare is the same queue by the standard library: pointers to events of the same
// shape that know their place, ordered by the same two keys.
type bare []*event

func (h bare) Len() int { return len(h) }
func (h bare) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h bare) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *bare) Push(x any) {
	e := x.(*event)
	e.place = len(*h)
	*h = append(*h, e)
}
func (h *bare) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}

// pending is how many events wait while the queues are measured.
const pending = 10_000

// delays are those of an ordinary world: most short, some far.
func delays(w *World) []int64 {
	rng := w.Rand("delays")
	d := make([]int64, 1<<14)
	for i := range d {
		d[i] = int64(rng.IntN(int(time.Second)) >> rng.IntN(12))
	}
	return d
}

// BenchmarkEvents takes the first of 10,000 waiting events and adds another, through
// Run, with its locks, and through After. events/s is the loop's; ratio is how many
// times as many a bare container/heap takes and adds, which locks and runs nothing.
func BenchmarkEvents(b *testing.B) {
	w := newWorld(b, Config{})
	d := delays(w)
	var h bare
	var seq uint64
	n := 0
	next := func() int64 { n++; return d[n%len(d)] }
	for range pending {
		seq++
		heap.Push(&h, &event{at: next(), seq: seq})
	}
	start := startWallClock(0)
	for range b.N {
		e := heap.Pop(&h).(*event)
		seq++
		e.at, e.seq = e.at+next(), seq
		heap.Push(&h, e)
	}
	reference := start.now()

	left := b.N
	for range pending {
		var t *Timer
		t = w.After(nil, time.Duration(next()), func() { left--; t.Reset(time.Duration(next())) })
	}
	b.ReportAllocs()
	b.ResetTimer()
	start = startWallClock(0)
	if err := w.Run(b.Context(), 0, func() bool { return left <= 0 }); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/time.Duration(start.now()).Seconds(), "events/s")
	b.ReportMetric(float64(start.now())/float64(reference), "ratio")
}

// BenchmarkQueue is the queue alone against the same container/heap.
func BenchmarkQueue(b *testing.B) {
	d := delays(newWorld(b, Config{}))
	var h bare
	var q queue
	for i := range pending {
		heap.Push(&h, &event{at: d[i%len(d)], seq: uint64(i)})
		q.add(&event{at: d[i%len(d)]})
	}
	seq := uint64(pending)
	start := startWallClock(0)
	for i := range b.N {
		e := heap.Pop(&h).(*event)
		seq++
		e.at, e.seq = e.at+d[i%len(d)], seq
		heap.Push(&h, e)
	}
	reference := start.now()
	b.ReportAllocs()
	b.ResetTimer()
	start = startWallClock(0)
	for i := range b.N {
		e := q.first()
		q.remove(e)
		e.at += d[i%len(d)]
		q.add(e)
	}
	b.ReportMetric(float64(start.now())/float64(reference), "ratio")
}

// BenchmarkFrames sends frames of 1514 bytes from port to port, each when the one before has arrived.
func BenchmarkFrames(b *testing.B) {
	for _, bb := range []struct {
		name string
		link LinkConfig
	}{{"plain", LinkConfig{}}, {"loss", LinkConfig{Loss: 1e-9}}} {
		b.Run(bb.name, func(b *testing.B) {
			w := newWorld(b, Config{})
			s := newSegment(b, w, "lan", SegmentConfig{Latency: ms})
			var ports [2]*Port
			left := b.N
			for i := range ports {
				var err error
				ports[i], err = s.Attach(PortConfig{Node: string(rune('a' + i)), Receive: func(f []byte) {
					left--
					dst := ports[1-i].MAC()
					src := ports[i].MAC()
					copy(f, dst[:])
					copy(f[6:], src[:])
					ports[i].Send(f, "")
				}})
				if err != nil {
					b.Fatal(err)
				}
				if err := ports[i].SetLink(bb.link); err != nil {
					b.Fatal(err)
				}
			}
			ports[0].Send(etherFrame(ports[1].MAC(), ports[0].MAC(), string(make([]byte, 1500))), "")
			b.SetBytes(1514)
			b.ReportAllocs()
			b.ResetTimer()
			start := startWallClock(0)
			if err := w.Run(b.Context(), 0, func() bool { return left <= 0 }); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/time.Duration(start.now()).Seconds(), "frames/s")
		})
	}
}

// BenchmarkBroadcast floods 1,000 ports; frames/s counts arrivals.
func BenchmarkBroadcast(b *testing.B) {
	w := newWorld(b, Config{})
	s := newSegment(b, w, "lan", SegmentConfig{Latency: ms})
	n := 0
	for i := range 1001 {
		if _, err := s.Attach(PortConfig{Node: "n" + time.Duration(i).String(), Receive: func([]byte) { n++ }}); err != nil {
			b.Fatal(err)
		}
	}
	p := s.Ports()[0]
	start := startWallClock(0)
	b.ReportAllocs()
	for b.Loop() {
		p.Send(etherFrame(broadcast, p.MAC(), "hello"), "")
		run(b, w, w.Now()+time.Second)
	}
	b.ReportMetric(float64(n)/time.Duration(start.now()).Seconds(), "frames/s")
}

// BenchmarkMesh has 1,000 nodes on one segment send frames of 300 bytes to each
// other, a hundred of them under way from each; with "observed" they are captured
// and shown to an observer. bare-events/s is the limit: the loop with as many events
// that carry nothing.
func BenchmarkMesh(b *testing.B) {
	const nodes, underWay = 1000, 100
	for _, observed := range []bool{false, true} {
		name := "quiet"
		if observed {
			name = "observed"
		}
		b.Run(name, func(b *testing.B) {
			c := Config{}
			if observed {
				c.Capture = io.Discard
			}
			w := newWorld(b, c)
			if observed {
				seen := 0
				w.Tap(func(f Frame) { seen += len(f.Data) })
			}
			s := newSegment(b, w, "lan", SegmentConfig{Latency: ms})
			rng := w.Rand("mesh")
			ports := make([]*Port, nodes)
			left := b.N
			for i := range ports {
				var err error
				ports[i], err = s.Attach(PortConfig{Node: "n" + strconv.Itoa(i), Receive: func(f []byte) {
					left--
					dst, src := ports[(i+1+rng.IntN(nodes-1))%nodes].MAC(), ports[i].MAC()
					copy(f, dst[:])
					copy(f[6:], src[:])
					ports[i].Send(f, "")
				}})
				if err != nil {
					b.Fatal(err)
				}
			}
			for range underWay {
				for i, p := range ports {
					p.Send(etherFrame(ports[(i+1)%nodes].MAC(), p.MAC(), string(make([]byte, 286))), "")
				}
			}
			bare := newWorld(b, Config{})
			events := b.N
			for range nodes * underWay {
				var f func()
				f = func() { events--; bare.After(nil, ms, f) }
				bare.After(nil, ms, f)
			}
			start := startWallClock(0)
			if err := bare.Run(b.Context(), 0, func() bool { return events <= 0 }); err != nil {
				b.Fatal(err)
			}
			reference := start.now()
			b.ReportAllocs()
			b.ResetTimer()
			start = startWallClock(0)
			if err := w.Run(b.Context(), 0, func() bool { return left <= 0 }); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/time.Duration(start.now()).Seconds(), "frames/s")
			b.ReportMetric(float64(b.N)/time.Duration(reference).Seconds(), "bare-events/s")
		})
	}
}
