package sim

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// Now is the virtual time since the start of the world.
func (w *World) Now() time.Duration { return time.Duration(w.now.Load()) }

// Time is the date in the world: the Epoch plus Now, in UTC.
func (w *World) Time() time.Time { return w.cfg.Epoch.Add(w.Now()) }

// Clock is the world's time for a netstack; the timers made with it are events of o.
func (w *World) Clock(o Owner) tcpip.Clock { return ownedClock{w, o} }

type ownedClock struct {
	w     *World
	owner Owner
}

// monotonicStart is the monotonic time at the start of the world: netstack takes
// the zero MonotonicTime for "never" in places.
const monotonicStart = time.Second

func (c ownedClock) Now() time.Time { return c.w.Time() }

func (c ownedClock) NowMonotonic() tcpip.MonotonicTime {
	return tcpip.MonotonicTime{}.Add(monotonicStart + c.w.Now())
}

func (c ownedClock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	return c.w.After(c.owner, d, f)
}

// wallClock maps the machine's clock to virtual time for RunWall: the only place
// in the simulation that reads it.
type wallClock struct {
	base  time.Duration // virtual time at start
	start time.Time
	timer *time.Timer
}

func startWallClock(base time.Duration) *wallClock {
	t := time.NewTimer(0)
	t.Stop()
	return &wallClock{base: base, start: time.Now(), timer: t}
}

// now is the virtual time that it is by the machine's clock.
func (c *wallClock) now() int64 { return later(int64(c.base), time.Since(c.start)) }

// at is a channel that delivers when it is the virtual time t; nil for forever.
func (c *wallClock) at(t int64) <-chan time.Time {
	if t == forever {
		c.timer.Stop()
		return nil
	}
	c.timer.Reset(time.Duration(t - c.now()))
	return c.timer.C
}

func (c *wallClock) stop() { c.timer.Stop() }
