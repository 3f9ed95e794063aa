package sim

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWallInject has a goroutine outside put frames in and get answers out.
func TestWallInject(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{Latency: ms})
	outside := make(chan []byte)
	peer, err := s.Attach(PortConfig{Node: "peer", Receive: func(f []byte) { outside <- f }})
	require.NoError(t, err)
	var echo *Port
	o := &settles{}
	echo, err = s.Attach(PortConfig{Node: "echo", Owner: o, Receive: func(f []byte) {
		echo.Send(etherFrame(macAddr(f[6:]), echo.MAC(), "re: "+string(f[etherHeader:])), "")
	}})
	require.NoError(t, err)

	const n = 50
	var got []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			w.Inject(func() { peer.Send(etherFrame(echo.MAC(), peer.MAC(), "hello"), "") })
			got = append(got, string((<-outside)[etherHeader:]))
		}
	})
	require.NoError(t, w.RunWall(context.Background(), func() bool { return w.Frames() == 2*n && w.queue.first() == nil }))
	wg.Wait()
	require.Len(t, got, n)
	require.Equal(t, "re: hello", got[n-1])
	require.Equal(t, n, o.n)
	require.GreaterOrEqual(t, w.Now(), 2*n*ms, "each frame took its latency, by the wall")
}

// TestWallFollowsTheClock: virtual time is no earlier than events and the wall's at least.
func TestWallFollowsTheClock(t *testing.T) {
	w := newWorld(t, Config{})
	run(t, w, time.Hour)
	var at []time.Duration
	for i := range 5 {
		w.After(nil, time.Duration(i)*5*ms, func() { at = append(at, w.Now()) })
	}
	wall := startWallClock(0)
	require.NoError(t, w.RunWall(context.Background(), func() bool { return len(at) == 5 }))
	require.GreaterOrEqual(t, wall.now(), int64(20*ms))
	for i, a := range at {
		require.GreaterOrEqual(t, a, time.Hour+time.Duration(i)*5*ms)
	}
	before := w.Now()
	w.After(nil, time.Hour, func() {})
	run(t, w, 0)
	require.Equal(t, before+time.Hour, w.Now(), "virtual time goes on from there")
}

func TestWallEnds(t *testing.T) {
	w := newWorld(t, Config{})
	require.NoError(t, w.RunWall(context.Background(), func() bool { return true }))

	ctx, cancel := context.WithCancel(context.Background())
	w.Inject(cancel) // as somebody outside would, with an empty world that waits for ever
	require.ErrorIs(t, w.RunWall(ctx, nil), context.Canceled)

	ctx, cancel = context.WithCancel(context.Background())
	w.After(nil, time.Hour, func() {})
	var wg sync.WaitGroup
	wg.Go(func() {
		running := make(chan bool)
		w.Inject(func() { close(running) })
		<-running
		cancel() // while it waits for the timer, or is about to
	})
	require.ErrorIs(t, w.RunWall(ctx, nil), context.Canceled)
	wg.Wait()
	require.Less(t, w.Now(), time.Hour)
}

// TestWallBusy: a world that never rests still takes what comes from outside.
func TestWallBusy(t *testing.T) {
	w := newWorld(t, Config{InstantLimit: 1 << 40})
	var again func()
	again = func() { w.After(nil, 0, again) }
	again()
	done := false
	var wg sync.WaitGroup
	wg.Go(func() { w.Inject(func() { done = true }) })
	require.NoError(t, w.RunWall(context.Background(), func() bool { return done }))
	wg.Wait()
}

// TestInjectWaits: with the queue full Inject blocks, and Close lets it go.
func TestInjectWaits(t *testing.T) {
	w, err := New(Config{})
	require.NoError(t, err)
	n := 0
	for range injectQueue {
		w.Inject(func() { n++ })
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.Inject(func() { n++ }) })
	require.NoError(t, w.RunWall(context.Background(), func() bool { return n == injectQueue+1 }), "all of them ran")
	wg.Wait()
	for range injectQueue {
		w.Inject(func() {})
	}
	wg.Go(func() { w.Inject(func() {}) })
	require.NoError(t, w.Close())
	wg.Wait()
}
