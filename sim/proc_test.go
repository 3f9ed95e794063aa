package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProcSleepsAndWakes(t *testing.T) {
	w := newWorld(t, Config{})
	var got []string
	note := func(who string) { got = append(got, fmt.Sprintf("%s %s", who, w.Now())) }
	ready := false
	consumer := w.Go(nil, "consumer", func(p *Proc) {
		note("consumer starts")
		for !ready {
			p.Park()
		}
		note("consumer has it")
	})
	producer := w.Go(nil, "producer", func(p *Proc) {
		note("producer starts")
		p.Sleep(time.Second)
		consumer.Wake() // without a reason
		p.Sleep(time.Second)
		ready = true
		consumer.Wake()
		consumer.Wake()
		note("producer is done")
	})
	require.Empty(t, got, "Go runs nothing")
	run(t, w, 1500*ms)
	require.False(t, consumer.Done())
	require.False(t, producer.Done())
	run(t, w, 0)
	require.Equal(t, []string{"consumer starts 0s", "producer starts 0s", "producer is done 2s", "consumer has it 2s"}, got)
	require.True(t, consumer.Done())
	require.True(t, producer.Done())
	consumer.Wake()
	require.Nil(t, w.queue.first(), "a Wake of the dead does nothing")
}

// TestProcKeepsWakes: a Wake that comes while the coroutine runs or sleeps is not lost.
func TestProcKeepsWakes(t *testing.T) {
	w := newWorld(t, Config{})
	var parked []time.Duration
	p := w.Go(nil, "p", func(p *Proc) {
		p.Wake()
		p.Park()
		parked = append(parked, p.Now())
		w.After(nil, ms, p.Wake)
		p.Sleep(time.Second)
		parked = append(parked, p.Now())
		p.Park()
		parked = append(parked, p.Now())
	})
	run(t, w, 0)
	require.True(t, p.Done())
	require.Equal(t, []time.Duration{0, time.Second, time.Second}, parked)
}

func TestProcYields(t *testing.T) {
	w := newWorld(t, Config{})
	var got []string
	for _, name := range []string{"a", "b"} {
		w.Go(nil, name, func(p *Proc) {
			for i := range 3 {
				got = append(got, fmt.Sprint(name, i))
				p.Sleep(time.Duration(-i))
			}
		})
	}
	run(t, w, 0)
	require.Equal(t, []string{"a0", "b0", "a1", "b1", "a2", "b2"}, got)
	require.Zero(t, w.Now())
}

func TestProcPanicSurfaces(t *testing.T) {
	w := newWorld(t, Config{})
	p := w.Go(nil, "client", func(p *Proc) {
		p.Sleep(ms)
		panic(errDisk)
	})
	var got *PanicError
	func() {
		defer func() { got, _ = recover().(*PanicError) }() // what Run panics with is what is looked at
		_ = w.Run(context.Background(), 0, nil)
	}()
	require.NotNil(t, got)
	require.Equal(t, "client", got.Proc)
	require.ErrorIs(t, got, errDisk)
	require.Contains(t, got.Error(), "sim: coroutine client panicked: disk on fire")
	require.Contains(t, string(got.Stack), "proc_test.go", "it says where")
	require.True(t, p.Done())
	run(t, w, 0)
}

// TestProcGoexit is what require.FailNow does inside a coroutine.
func TestProcGoexit(t *testing.T) {
	w := newWorld(t, Config{})
	p := w.Go(nil, "p", func(p *Proc) { runtime.Goexit() })
	over := make(chan bool)
	go func() {
		defer close(over)
		_ = w.Run(context.Background(), 0, nil)
		t.Error("Run returned although its goroutine has ended")
	}()
	<-over
	require.True(t, p.Done())
	run(t, w, 0)
}

// TestCloseEndsProcs: parked, asleep, not started, in whatever order; goleak sees the rest.
func TestCloseEndsProcs(t *testing.T) {
	w, err := New(Config{})
	require.NoError(t, err)
	var unwound []string
	var procs []*Proc
	add := func(name string, f func(*Proc)) {
		procs = append(procs, w.Go(nil, name, func(p *Proc) {
			defer func() { unwound = append(unwound, name) }()
			f(p)
			t.Errorf("%s went on", name)
		}))
	}
	add("parks", func(p *Proc) { p.Park() })
	add("sleeps", func(p *Proc) { p.Sleep(time.Hour) })
	add("parks in a deferred function", func(p *Proc) {
		defer p.Park()
		p.Park()
	})
	add("uses the world in a deferred function", func(p *Proc) {
		defer func() {
			p.Wake()
			p.w.Go(nil, "child", func(*Proc) { t.Error("ran") })
			p.w.After(nil, 0, func() { t.Error("ran") })
		}()
		p.Park()
	})
	short := w.Go(nil, "ends by itself", func(p *Proc) {})
	run(t, w, time.Second)
	require.True(t, short.Done())
	notStarted := w.Go(nil, "not started", func(*Proc) { t.Error("ran") })
	require.NoError(t, w.Close())
	require.ElementsMatch(t, []string{"parks", "sleeps", "parks in a deferred function", "uses the world in a deferred function"}, unwound)
	for _, p := range append(procs, notStarted) {
		require.True(t, p.Done())
	}
}

func TestCloseReportsPanics(t *testing.T) {
	w, err := New(Config{})
	require.NoError(t, err)
	for _, e := range []error{errDisk, errors.New("no paper")} {
		w.Go(nil, "p", func(p *Proc) {
			defer func() { panic(e) }()
			p.Park()
		})
	}
	other := w.Go(nil, "other", func(p *Proc) { p.Park() })
	run(t, w, 0)
	err = w.Close()
	require.ErrorIs(t, err, errDisk)
	require.ErrorContains(t, err, "no paper")
	require.True(t, other.Done())
}

func BenchmarkProc(b *testing.B) {
	w := newWorld(b, Config{})
	w.Go(nil, "p", func(p *Proc) {
		for {
			p.Sleep(ms)
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		run(b, w, w.Now()+ms)
	}
}
