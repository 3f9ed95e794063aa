// Package fair is a queue of packets for a link that is slower than what is sent to it: all
// in one line, or fair to flows and classes by their weights.
//
// Fair is self-clocked fair queueing (Golestani, INFOCOM 1994): each packet gets a finish tag, that of
// the packet before it in its own queue, or that of the packet in service if this is later,
// and its length over the weight of the queue on top; the smallest tag goes next. Flows, weights and
// bounds are those that Cisco documents for weighted fair queueing in IOS: a flow is known by
// addresses, protocol, ports and type of service, and hashed to one of 256 queues; its weight grows
// with the IP precedence, 32384/(precedence+1) per byte; a queue with 64 packets takes no more until it has
// fallen below a quarter of that; and all together hold 1000. Classes have a weight that is given.
//
// What tells flows apart is all that a device on the way sees: under ESP all traffic of two hosts is one flow.
package fair

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/natbox/observe"
)

// Flows is what tells flows apart.
type Flows uint8

// What tells flows apart. The zero value is what IOS does.
const (
	FiveTuple Flows = iota // addresses, protocol, ports and type of service
	Addresses              // the two addresses
	SPI                    // addresses, protocol, ports, type of service, and the SPI of ESP and AH
	DSCP                   // the codepoint alone
	One                    // nothing: first in, first out
)

// Config describes a queue. Zero fields take the default.
type Config struct {
	Rate      int64 // of the link, in bits per second
	Flows     Flows
	Queues    int     // for flows; 0: 256
	Threshold int     // packets of one flow; 0: 64, of One: Limit
	Limit     int     // packets together; 0: 1000
	Classes   []Class // asked in order; what none fits is told apart by flows
}

// Class is a class of traffic with a queue and a weight of its own. A flow without a class has the weight 1, and with
// precedence n that of n+1.
type Class struct {
	observe.Class
	Weight int
}

// scale is what a byte costs at the weight 1.
const scale = 32384

// Queue is a queue. It implements natbox.Queue.
type Queue struct {
	c       Config
	classes observe.Classes
	queues  map[int]*line // by their number: classes first
	order   tags          // lines with packets
	clock   uint64        // the tag of the packet in service
	arrived uint64
	length  int
	notes   notes
}

// line is the queue of one flow or class.
type line struct {
	number  int
	packets []waiting
	last    uint64 // tag of the last packet
	full    bool   // takes nothing until it has fallen below a quarter of its threshold
}

type waiting struct {
	number, tag, arrived uint64
	size, class          int
}

// New makes a queue.
func New(c Config) (*Queue, error) {
	for _, v := range []struct {
		name string
		v    int64
	}{{"rate", c.Rate}, {"number of queues", int64(c.Queues)}, {"threshold", int64(c.Threshold)}, {"limit", int64(c.Limit)}} {
		if v.v < 0 || v.name == "rate" && v.v == 0 {
			return nil, fmt.Errorf("fair: a queue cannot have a %s of %d", v.name, v.v)
		}
	}
	c.Queues, c.Limit = cmp.Or(c.Queues, 256), cmp.Or(c.Limit, 1000)
	if c.Threshold == 0 {
		if c.Threshold = 64; c.Flows == One {
			c.Threshold = c.Limit
		}
	}
	q := &Queue{c: c, queues: map[int]*line{}, notes: newNotes(len(c.Classes) + 1)}
	for _, class := range c.Classes {
		if class.Weight < 1 || class.Weight > scale {
			return nil, fmt.Errorf("fair: the class %s cannot have a weight of %d", class.Name, class.Weight)
		}
		q.classes = append(q.classes, class.Class)
	}
	return q, nil
}

// Rate is the link's, in bits per second.
func (q *Queue) Rate() int64 { return q.c.Rate }

// Enqueue takes a packet under a number; it is dropped, if any is.
func (q *Queue) Enqueue(_ time.Duration, packet []byte, number uint64) (dropped []uint64) {
	at, class, weight := q.place(packet)
	l := q.queues[at]
	if l == nil {
		l = &line{number: at}
		q.queues[at] = l
	}
	if len(l.packets) >= q.c.Threshold {
		l.full = true
	}
	if l.full || q.length >= q.c.Limit {
		q.notes.drop(class, len(packet))
		return []uint64{number}
	}
	q.arrived++
	w := waiting{number: number, arrived: q.arrived, size: len(packet), class: class}
	w.tag = max(q.clock, l.last) + uint64(len(packet))*scale/uint64(weight)
	l.last = w.tag
	l.packets = append(l.packets, w)
	q.length++
	if len(l.packets) == 1 {
		heap.Push(&q.order, l)
	}
	return nil
}

// Dequeue is the packet that goes next.
func (q *Queue) Dequeue(time.Duration) (number uint64, ok bool) {
	if len(q.order) == 0 { // all have been served: the clocks begin anew
		q.clock = 0
		clear(q.queues)
		return 0, false
	}
	l := q.order[0]
	w := l.packets[0]
	l.packets = l.packets[1:]
	q.clock = w.tag
	q.length--
	if l.full && len(l.packets) < max(q.c.Threshold/4, 1) {
		l.full = false
	}
	if len(l.packets) == 0 {
		heap.Pop(&q.order)
		l.packets = nil
	} else {
		heap.Fix(&q.order, 0)
	}
	q.notes.send(l.number, w)
	return w.number, true
}

// place is the queue of a packet, its class and its weight.
func (q *Queue) place(packet []byte) (at, class, weight int) {
	if class = q.classes.Of(packet); class < len(q.classes) {
		return class, class, q.c.Classes[class].Weight
	}
	k, ok := observe.FlowOf(packet, q.c.Flows == SPI)
	if !ok || q.c.Flows == One {
		return len(q.classes), class, 1
	}
	var b [42]byte
	src, dst := k.Src.As16(), k.Dst.As16()
	switch q.c.Flows {
	case DSCP:
		b[0] = k.Class >> 2
	default:
		b[32], b[33] = k.Proto, k.Class
		binary.BigEndian.PutUint16(b[34:], k.SrcPort)
		binary.BigEndian.PutUint16(b[36:], k.DstPort)
		binary.BigEndian.PutUint32(b[38:], k.SPI)
		fallthrough
	case Addresses:
		copy(b[:], src[:])
		copy(b[16:], dst[:])
	}
	return len(q.classes) + int(hash(b[:])%uint64(q.c.Queues)), class, 1 + int(k.Class>>5) // RFC 791, Section 3.1: the precedence
}

// hash is FNV-1a: the same for the same flow in every world.
func hash(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, v := range b {
		h = (h ^ uint64(v)) * 1099511628211
	}
	return h
}

// tags are the lines with packets, the one whose first packet has the smallest tag in front.
type tags []*line

func (t tags) Len() int { return len(t) }
func (t tags) Less(i, j int) bool {
	a, b := &t[i].packets[0], &t[j].packets[0]
	return a.tag < b.tag || a.tag == b.tag && a.arrived < b.arrived
}
func (t tags) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *tags) Push(x any)   { *t = append(*t, x.(*line)) }
func (t *tags) Pop() any {
	l := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return l
}
