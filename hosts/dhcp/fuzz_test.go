package dhcp

import (
	"bytes"
	"testing"
	"time"
)

// Whatever arrives, a client in any state ends what it does, keeps its word about
// deadlines, and goes on.
func FuzzClient(f *testing.F) {
	s := newServer(f)
	c := newClient(1)
	c.Start(epoch)
	for range 3 {
		e, ok := c.NextEvent()
		if !ok {
			break
		}
		send, ok := e.(EventSend)
		if !ok {
			break
		}
		if r, ok, _ := s.Receive(epoch, send.Payload); ok {
			f.Add(r.Payload, uint16(1))
			f.Add(r.Payload, uint16(2000))
			c.Receive(epoch, r.Payload)
		}
	}
	f.Add([]byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, wait uint16) {
		now := epoch
		c := newClient(1)
		c.Start(now)
		drain := func() {
			for n := 0; ; n++ {
				if _, ok := c.NextEvent(); !ok {
					return
				}
				if n > 100 {
					t.Fatal("events without end")
				}
			}
		}
		drain()
		for range 20 {
			c.Receive(now, b)
			drain()
			due, ok := c.NextDeadline()
			if ok && due.Before(now) {
				t.Fatalf("a deadline of %s at %s", due, now)
			}
			if ok {
				now = due
				c.Advance(now)
				drain()
				if again, ok := c.NextDeadline(); ok && !again.After(now) {
					t.Fatalf("it is due again at once, in state %s", c.state)
				}
			}
			now = now.Add(time.Duration(wait) * time.Millisecond)
			c.Advance(now)
			drain()
		}
	})
}

// Whatever arrives, a server answers or not, and keeps no more than its pool.
func FuzzServer(f *testing.F) {
	s := newServer(f)
	c := newClient(1)
	c.Start(epoch)
	for e, ok := c.NextEvent(); ok; e, ok = c.NextEvent() {
		if send, ok := e.(EventSend); ok {
			f.Add(send.Payload)
			if r, ok, _ := s.Receive(epoch, send.Payload); ok {
				c.Receive(epoch, r.Payload)
			}
		} else {
			c.Release(epoch)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newServer(t)
		now, b := epoch, bytes.Clone(b)
		for i := range 8 {
			if len(b) > 33 {
				b[33] = byte(i) // of the client's address
			}
			r, ok, err := s.Receive(now, b)
			if ok && (err != nil || len(r.Payload) == 0 || !r.To.IsValid()) {
				t.Fatalf("an answer that is none: %+v, %v", r, err)
			}
			if len(s.given) > 3 || len(s.of) > 3 {
				t.Fatalf("%d addresses and %d clients are kept, of 3", len(s.given), len(s.of))
			}
			now = now.Add(time.Minute)
		}
	})
}
