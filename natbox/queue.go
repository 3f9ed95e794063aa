package natbox

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipv6"
)

// Queue holds packets that wait for the link of an interface, and decides which one
// goes next. Without one a packet goes to the link at once, which has a queue of its own. now
// never goes back.
type Queue interface {
	// Enqueue takes a packet, only to be read, and during the call alone, under a number.
	// It returns the numbers of those that are dropped for it, which may be its own.
	Enqueue(now time.Duration, packet []byte, number uint64) (dropped []uint64)

	// Dequeue is the number of the packet that goes next; false when none waits.
	Dequeue(now time.Duration) (number uint64, ok bool)

	// Rate is how fast the link takes them, in bits per second.
	Rate() int64
}

// outlet feeds the link of an interface from a queue: the next packet goes when the one
// before has been sent.
type outlet struct {
	Queue
	i       *iface
	waiting map[uint64]parcel
	last    uint64
	sending bool
}

// parcel is a packet on its way to a neighbour.
type parcel struct {
	to      mac
	frame   []byte // with room for the Ethernet header
	comment string
}

// put has a packet wait for its turn.
func (o *outlet) put(p parcel) {
	o.last++
	o.waiting[o.last] = p
	for _, n := range o.Enqueue(o.i.r.w.Now(), p.frame[etherHeader:], o.last) {
		o.drop(o.waiting[n].frame[etherHeader:])
		delete(o.waiting, n)
	}
	if !o.sending {
		o.next()
	}
}

// next sends the packet whose turn it is.
func (o *outlet) next() {
	w := o.i.r.w
	n, ok := o.Dequeue(w.Now())
	if o.sending = ok; !ok {
		return
	}
	p := o.waiting[n]
	delete(o.waiting, n)
	size := len(p.frame)
	if o.i.line() {
		size -= etherHeader
	}
	o.i.transmit(p.to, p.frame, p.comment)
	w.After(nil, time.Duration((int64(size)*8*int64(time.Second)+o.Rate()-1)/o.Rate()), o.next)
}

// drop counts the end of a packet that found no room.
func (o *outlet) drop(b []byte) {
	r := o.i.r
	if b[0]>>4 == 6 {
		if p, err := ipv6.Parse(b); err == nil {
			r.drop(noTurn, packet6{p, nil})
		}
	} else if p, bad := parseIPv4(b); bad == 0 {
		r.drop(noTurn, p)
	}
}

// checkQueues finds queues that nothing could leave by.
func checkQueues(c RouterConfig) error {
	for _, name := range slices.Sorted(maps.Keys(c.Queues)) {
		switch {
		case !slices.ContainsFunc(c.Interfaces, func(i Interface) bool { return i.Segment.Name() == name }):
			return fmt.Errorf("there is a queue to segment %s, which is none of its own", name)
		case c.Queues[name].Rate() <= 0:
			return fmt.Errorf("the queue to segment %s has no rate", name)
		}
	}
	return nil
}
