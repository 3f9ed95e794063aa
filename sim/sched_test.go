package sim

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestQueueAgainstModel adds, removes and takes at random, and compares with a sorted slice.
func TestQueueAgainstModel(t *testing.T) {
	rng := newWorld(t, Config{}).Rand("queue")
	var q queue
	var model, out []*event
	less := func(a, b *event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) }
	for range 20000 {
		switch k := rng.IntN(10); {
		case k < 5 || len(model) == 0:
			e := &event{at: int64(rng.IntN(50))}
			if len(out) > 0 && k == 0 { // one that was in before
				e, out = out[0], out[1:]
			}
			q.add(e)
			model = append(model, e)
		case k < 7:
			i := rng.IntN(len(model))
			require.True(t, q.remove(model[i]))
			require.False(t, q.remove(model[i]))
			out = append(out, model[i])
			model = slices.Delete(model, i, i+1)
		default:
			slices.SortFunc(model, less)
			require.Same(t, model[0], q.first())
			q.remove(q.first())
			out, model = append(out, model[0]), model[1:]
		}
		require.Len(t, q.heap, len(model))
	}
	slices.SortFunc(model, less)
	for _, e := range model {
		require.Same(t, e, q.first())
		q.remove(e)
	}
	require.Nil(t, q.first())
}

func TestEventsRunInOrder(t *testing.T) {
	w := newWorld(t, Config{})
	type step struct {
		what string
		at   time.Duration
	}
	var got []step
	note := func(what string) func() { return func() { got = append(got, step{what, w.Now()}) } }
	w.After(nil, 2*ms, note("d"))
	w.After(nil, ms, note("b"))
	w.After(nil, ms, func() {
		note("c")()
		w.After(nil, 0, note("c's child, after all of its time"))
		w.After(nil, -ms, note("a negative delay is none"))
	})
	w.After(nil, 0, note("a"))
	w.After(nil, ms, note("c2"))
	require.Empty(t, got, "nothing runs inside After")
	run(t, w, 0)
	require.Equal(t, []step{{"a", 0}, {"b", ms}, {"c", ms}, {"c2", ms}, {"c's child, after all of its time", ms},
		{"a negative delay is none", ms}, {"d", 2 * ms}}, got)
}

func TestTimer(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, w *World, timer *Timer)
		want []time.Duration // of firing
	}{
		{"fires once", func(t *testing.T, w *World, timer *Timer) {}, []time.Duration{10 * ms}},
		{"stopped", func(t *testing.T, w *World, timer *Timer) {
			require.True(t, timer.Stop())
			require.False(t, timer.Stop(), "it was stopped before")
		}, nil},
		{"stopped after it fired", func(t *testing.T, w *World, timer *Timer) {
			run(t, w, 10*ms)
			require.False(t, timer.Stop())
		}, []time.Duration{10 * ms}},
		{"set later while it waits", func(t *testing.T, w *World, timer *Timer) { timer.Reset(20 * ms) }, []time.Duration{20 * ms}},
		{"set sooner while it waits", func(t *testing.T, w *World, timer *Timer) { timer.Reset(ms) }, []time.Duration{ms}},
		{"set again after it was stopped", func(t *testing.T, w *World, timer *Timer) {
			timer.Stop()
			run(t, w, 5*ms)
			timer.Reset(ms)
		}, []time.Duration{6 * ms}},
		{"set again after it fired", func(t *testing.T, w *World, timer *Timer) {
			run(t, w, 15*ms)
			timer.Reset(ms)
			require.True(t, timer.Stop())
			timer.Reset(2 * ms)
		}, []time.Duration{10 * ms, 17 * ms}},
		{"set at a negative delay", func(t *testing.T, w *World, timer *Timer) { timer.Reset(-ms) }, []time.Duration{0}},
		{"set for ever", func(t *testing.T, w *World, timer *Timer) {
			run(t, w, ms)
			timer.Reset(forever)
			require.NotNil(t, w.queue.first())
			require.EqualValues(t, forever, w.queue.first().at, "the sum does not wrap")
			require.True(t, timer.Stop())
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			var got []time.Duration
			timer := w.After(nil, 10*ms, func() { got = append(got, w.Now()) })
			tt.do(t, w, timer)
			run(t, w, 0)
			require.Equal(t, tt.want, got)
		})
	}
}

// TestTimerInItsFunction stops and sets a timer where netstack does: in what it calls.
func TestTimerInItsFunction(t *testing.T) {
	w := newWorld(t, Config{})
	var timer *Timer
	n := 0
	timer = w.After(nil, ms, func() {
		require.False(t, timer.Stop(), "it has fired")
		if n++; n < 3 {
			timer.Reset(ms)
		}
	})
	run(t, w, 0)
	require.Equal(t, 3, n)
	require.Equal(t, 3*ms, w.Now())
}

func TestSettleFollowsEachEvent(t *testing.T) {
	w := newWorld(t, Config{})
	a, b := &settles{name: "a"}, &settles{name: "b"}
	w.Go(b, "b", func(p *Proc) { p.Sleep(2 * ms) }) // an event now and one then
	w.After(a, ms, func() { require.Equal(t, []int{0, 1}, []int{a.n, b.n}) })
	w.After(b, ms, func() { require.Equal(t, []int{1, 1}, []int{a.n, b.n}) })
	w.After(nil, ms, func() { require.Equal(t, []int{1, 2}, []int{a.n, b.n}) })
	w.Clock(a).AfterFunc(ms, func() { require.Equal(t, []int{1, 2}, []int{a.n, b.n}) })
	run(t, w, 0)
	require.Equal(t, []int{2, 3}, []int{a.n, b.n})
}
