package mux_test

import (
	"cmp"
	"container/heap"
	"net/netip"
	"testing"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/mux"
)

// crowd is a gateway and its many peers on a network of its own, which finds what
// is next without asking every host.
type crowd struct {
	n        *network
	gateway  *host
	peers    []*host
	at       map[netip.Addr]*host
	next     agenda
	serial   int
	messages int
	work     int // things that have been done
	eachWork func()
}

// newCrowd makes the hosts. They have no traces, and groups that cost little.
func newCrowd(t testing.TB, peers int) *crowd {
	c := &crowd{n: newNetwork(t), at: map[netip.Addr]*host{}}
	c.n.fate = func(_ int, d ike.Datagram) []time.Duration {
		c.n.sent = c.n.sent[:0]
		c.messages++
		c.later(c.n.now.Add(c.n.latency), func() { c.arrive(d) })
		return nil
	}
	c.gateway = c.add(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 1)
	for i := range peers {
		c.peers = append(c.peers, c.add(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), uint64(i+2)))
	}
	return c
}

func (c *crowd) add(a netip.Addr, seed uint64) *host {
	h := c.n.add("", a.String(), seed)
	h.firstSPI = uint32(seed << 8)
	h.config.Trace = nil
	h.mainMode.Proposals[0].Group, h.mainMode.Lifetime = 1, time.Hour
	h.quickMode.Proposals[0].Lifetime.Duration = 8 * time.Hour
	h.reboot()
	c.at[a] = h
	return h
}

// agenda is a heap of what is to be done, in the order in which it was put there where the time is the same.
type agenda []item

type item struct {
	at     time.Time
	serial int
	do     func()
}

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return cmp.Or(a[i].at.Compare(a[j].at), cmp.Compare(a[i].serial, a[j].serial)) < 0
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(item)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	(*a)[len(*a)-1] = item{}
	*a = (*a)[:len(*a)-1]
	return last
}

func (c *crowd) later(at time.Time, do func()) {
	c.serial++
	heap.Push(&c.next, item{at, c.serial, do})
}

func (c *crowd) arrive(d ike.Datagram) {
	h := c.at[d.Remote.Addr()]
	if h == nil {
		return
	}
	h.mux.HandleDatagram(c.n.now, ike.Datagram{Local: d.Remote, Remote: d.Local, Payload: d.Payload})
	c.settle(h)
}

// settle follows everything that a host does: what it sends goes on its way, and its
// next deadline is noted.
func (c *crowd) settle(h *host) {
	h.drain()
	h.events = h.events[:0]
	if at, ok := h.mux.NextDeadline(); ok && at.Before(h.alarm) || h.alarm.IsZero() && ok {
		h.alarm = at
		c.later(at, func() {
			if h.alarm != at {
				return
			}
			h.alarm = time.Time{}
			h.mux.Advance(c.n.now)
			c.settle(h)
		})
	}
}

// ask has every peer ask for SAs with the gateway, evenly spread over a while from now on.
func (c *crowd) ask(spread time.Duration) {
	for i, p := range c.peers {
		c.later(c.n.now.Add(spread*time.Duration(i)/time.Duration(len(c.peers))), func() {
			p.request(c.gateway)
			c.settle(p)
		})
	}
}

// askToEndAtOnce has batches of peers ask, one each second, with main modes that all end at the same moment.
func (c *crowd) askToEndAtOnce(batch int) {
	for i, p := range c.peers {
		offset := time.Duration(i/batch) * time.Second
		p.mainMode.Lifetime = time.Hour - offset
		c.later(c.n.now.Add(offset), func() {
			p.request(c.gateway)
			c.settle(p)
		})
	}
}

// run lets time pass.
func (c *crowd) run(d time.Duration) {
	end := c.n.now.Add(d)
	for len(c.next) > 0 && !c.next[0].at.After(end) {
		i := heap.Pop(&c.next).(item)
		if i.at.After(c.n.now) {
			c.n.now = i.at
		}
		i.do()
		if c.work++; c.eachWork != nil {
			c.eachWork()
		}
	}
	c.n.now = end
}

// established are the main modes of a host that are up.
func established(h *host) (ms []mux.MainModeInfo) {
	for _, m := range h.mux.MainModes() {
		if m.Established {
			ms = append(ms, m)
		}
	}
	return ms
}
