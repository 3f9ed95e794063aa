package sim

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
)

func TestRunUntil(t *testing.T) {
	w := newWorld(t, Config{})
	n := 0
	for i := range 10 {
		w.After(nil, time.Duration(i)*time.Second, func() { n++ })
	}
	run(t, w, 4*time.Second)
	require.Equal(t, 5, n, "the event at the bound runs")
	require.Equal(t, 4*time.Second, w.Now())
	run(t, w, 4500*ms)
	require.Equal(t, 4500*ms, w.Now(), "time moves on to the bound without an event there")
	run(t, w, time.Second)
	require.Equal(t, 4500*ms, w.Now(), "and never back")
	require.Equal(t, 5, n)
	run(t, w, 0)
	require.Equal(t, 9*time.Second, w.Now(), "without a bound, to the last event")
	run(t, w, 8*time.Hour)
	require.Equal(t, 8*time.Hour, w.Now(), "or to the bound, when no event is left")
	require.Equal(t, 10, n)
	require.Equal(t, DefaultEpoch.Add(8*time.Hour), w.Time())
}

func TestRunStop(t *testing.T) {
	w := newWorld(t, Config{})
	n := 0
	for range 10 {
		w.After(nil, time.Second, func() { n++ })
	}
	stop := func() bool { return n == 3 }
	require.NoError(t, w.Run(context.Background(), time.Hour, stop))
	require.Equal(t, 3, n)
	require.Equal(t, time.Second, w.Now(), "time stays where the reason to stop came up")
	require.NoError(t, w.Run(context.Background(), time.Hour, stop))
	require.Equal(t, 3, n, "a reason that holds already stops it at once")
	require.Equal(t, time.Second, w.Now())
	run(t, w, 0)
	require.Equal(t, 10, n)
}

func TestRunContext(t *testing.T) {
	w := newWorld(t, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	var tick func()
	tick = func() {
		if n++; n == 5000 {
			cancel()
		}
		w.After(nil, ms, tick)
	}
	w.After(nil, ms, tick)
	require.ErrorIs(t, w.Run(ctx, 0, nil), context.Canceled)
	require.GreaterOrEqual(t, n, 5000)
	require.LessOrEqual(t, n, 5000+checkContext)
	seen := n
	require.ErrorIs(t, w.Run(ctx, 0, nil), context.Canceled)
	require.Equal(t, seen, n, "an ended context lets nothing run")
	run(t, w, w.Now()+ms)
	require.Equal(t, seen+1, n, "another Run goes on")
}

// TestRunaway lets something reschedule itself without delay.
func TestRunaway(t *testing.T) {
	for _, tt := range []struct {
		name  string
		start func(t *testing.T, w *World)
		want  string
	}{
		{"a timer", func(t *testing.T, w *World) {
			var again func()
			again = func() { w.After(&settles{name: "host a"}, 0, again) }
			again()
		}, "a timer or coroutine of host a"},
		{"a coroutine of nobody", func(t *testing.T, w *World) {
			w.Go(nil, "spinner", func(p *Proc) {
				for {
					p.Sleep(0)
				}
			})
		}, "a timer or coroutine of no owner"},
		{"two ports", func(t *testing.T, w *World) {
			s := newSegment(t, w, "lan", SegmentConfig{})
			var a, b *Port
			var err error
			a, err = s.Attach(PortConfig{Node: "a", Owner: named{}, Receive: func(f []byte) { a.Send(etherFrame(b.MAC(), a.MAC(), ""), "") }})
			require.NoError(t, err)
			b, err = s.Attach(PortConfig{Node: "b", Owner: named{}, Receive: func(f []byte) { b.Send(etherFrame(a.MAC(), b.MAC(), ""), "") }})
			require.NoError(t, err)
			a.Send(etherFrame(b.MAC(), a.MAC(), ""), "")
		}, "a frame for b:lan of both"},
		{"an owner without a name", func(t *testing.T, w *World) {
			var again func()
			again = func() { w.After(nameless{}, 0, again) }
			again()
		}, "a timer or coroutine of a sim.nameless"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{InstantLimit: 1000})
			run(t, w, time.Second)
			tt.start(t, w)
			for range 2 { // it stays so
				require.EqualError(t, w.Run(context.Background(), 0, nil), "sim: 1000 events at 1s without time moving on, the next one "+tt.want+
					": something reschedules itself without delay; find it or raise Config.InstantLimit")
			}
		})
	}
}

type named struct{ nameless }

func (named) Name() string { return "both" }

type nameless struct{}

func (nameless) Settle() {}

// TestManyAtOnce: as many events at one time as allowed are no runaway.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, Config{InstantLimit: 1000})
	n := 0
	for i := range 3000 {
		w.After(nil, time.Duration(i/1000)*ms, func() { n++ })
	}
	run(t, w, 0)
	require.Equal(t, 3000, n)
}

func TestPanicSurfaces(t *testing.T) {
	w := newWorld(t, Config{})
	w.After(nil, ms, func() { panic("boom") })
	w.After(nil, 2*ms, func() {})
	require.PanicsWithValue(t, "boom", func() { _ = w.Run(context.Background(), 0, nil) })
	run(t, w, 0)
	require.Equal(t, 2*ms, w.Now(), "the world is whole")
}

func TestMisuse(t *testing.T) {
	_, err := New(Config{Epoch: time.Unix(-1, 0)})
	require.EqualError(t, err, "sim: epoch 1969-12-31T23:59:59Z is before 1970")
	_, err = New(Config{InstantLimit: -1})
	require.EqualError(t, err, "sim: limit of -1 events at one instant is negative")

	w, err := New(Config{})
	require.NoError(t, err)
	w.After(nil, 0, func() {
		const inside = " while the world is running: call it from outside of events"
		require.EqualError(t, w.Run(context.Background(), 0, nil), "sim: Run"+inside)
		require.EqualError(t, w.RunWall(context.Background(), nil), "sim: RunWall"+inside)
		require.EqualError(t, w.Close(), "sim: Close"+inside)
	})
	s := newSegment(t, w, "lan", SegmentConfig{})
	p := attach(t, s, "a").Port
	run(t, w, 0)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "twice is once")

	require.EqualError(t, w.Run(context.Background(), 0, nil), "sim: Run of a closed world")
	require.EqualError(t, w.RunWall(context.Background(), nil), "sim: RunWall of a closed world")
	_, err = w.NewSegment("wan", SegmentConfig{})
	require.EqualError(t, err, `sim: segment "wan" for a closed world`)
	_, err = s.Attach(PortConfig{Node: "b", Receive: func([]byte) {}})
	require.EqualError(t, err, `sim: node "b" on segment "lan": the world is closed`)
	require.Zero(t, p.Send(etherFrame(broadcast, p.MAC(), ""), ""))
	require.True(t, w.Go(nil, "late", func(*Proc) { t.Error("ran") }).Done())
	timer := w.After(nil, 0, func() { t.Error("ran") })
	timer.Reset(0)
	require.False(t, timer.Stop())
	w.Inject(func() { t.Error("ran") }) // may be queued, never runs
	require.Nil(t, w.queue.first())
}

func TestClock(t *testing.T) {
	epoch := time.Date(2003, 4, 24, 2, 0, 0, 0, time.FixedZone("", 7200))
	w := newWorld(t, Config{Epoch: epoch})
	o := &settles{}
	c := w.Clock(o)
	require.NotEqual(t, tcpip.MonotonicTime{}, c.NowMonotonic(), "zero means never to netstack")
	start := c.NowMonotonic()
	var timer tcpip.Timer
	timer = c.AfterFunc(time.Second, func() {
		require.Equal(t, epoch.Add(time.Second).UTC(), c.Now())
		require.Equal(t, time.Second, c.NowMonotonic().Sub(start))
		require.False(t, timer.Stop())
	})
	run(t, w, 0)
	require.Equal(t, 1, o.n)
	timer.Reset(time.Second)
	require.True(t, timer.Stop())
}

func TestRecord(t *testing.T) {
	log := trace.New(nil)
	w := newWorld(t, Config{Trace: log})
	app := func(s string) trace.Body { return trace.Application{App: s} }
	var seen []string
	log.Observe(func(e trace.Event) {
		seen = append(seen, "1:"+e.Body.(trace.Application).App)
		if e.Body == app("cause") {
			w.Record("b", app("effect"))
		}
	})
	log.Observe(func(e trace.Event) { seen = append(seen, "2:"+e.Body.(trace.Application).App) })
	w.After(nil, ms, func() { w.Record("a", app("cause")) })
	run(t, w, 0)
	require.Equal(t, []trace.Event{{At: ms, Node: "a", Body: app("cause")}, {At: ms, Node: "b", Body: app("effect")}}, log.Events())
	require.Equal(t, []string{"1:cause", "2:cause", "1:effect", "2:effect"}, seen)

	newWorld(t, Config{}).Record("a", app("nobody listens"))
}

var errDisk = errors.New("disk on fire")

// failing writes n bytes.
type failing struct{ n int }

func (f *failing) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errDisk
	}
	return len(b), nil
}

func TestCloseReturnsWriteErrors(t *testing.T) {
	fill := func(w *World, frames int) {
		a := attach(t, newSegment(t, w, "lan", SegmentConfig{}), "a")
		for range frames {
			a.toAll(string(make([]byte, 1400)))
			w.Record("a", trace.Application{})
		}
		require.Equal(t, frames, w.Frames(), "the world goes on without its capture")
	}
	for _, tt := range []struct {
		name   string
		config Config
		frames int
		want   string
	}{
		{"in the middle", Config{Capture: &failing{n: 1000}}, 100, "sim: capture: pcapng: disk on fire"},
		{"at the end", Config{Capture: &failing{n: 1000}}, 1, "sim: capture: disk on fire"},
		{"trace", Config{Capture: io.Discard, Trace: trace.New(&failing{n: 1000})}, 100, "sim: trace: disk on fire"},
		{"a date beyond the format", Config{Capture: io.Discard, Epoch: time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC)}, 1,
			"sim: capture: pcapng: time 2600-01-01T00:00:00Z is outside 1970 to 2554"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := New(tt.config)
			require.NoError(t, err)
			fill(w, tt.frames)
			require.EqualError(t, w.Close(), tt.want)
			require.EqualError(t, w.Close(), tt.want, "again")
		})
	}
}
