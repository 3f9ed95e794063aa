package reports

import (
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// pairing joins the two events of one message: sent here, received there.
type pairing struct {
	found bool
	node  string // of the other event
	at    time.Duration
	note  string
}

// messageKey is what the two events of a message have in common. The
// responder's cookie is not in it, as the sender of message 1 has none, nor the
// number in the exchange, which a receiver that ignores a message does not know.
type messageKey struct {
	cookie   string
	exchange string
	id       uint32
	length   int
}

// copies are the events of one message: the original and its retransmissions.
type copies struct {
	senders []*sender
	sent    int
	arrived int
}

// sender is a host with the copies that it sent and nobody received yet, by index.
type sender struct {
	node    string
	pending []pending
}

// pending is a copy by its index and its number in the exchange, 0 when unknown.
type pending struct{ index, number int }

// How far a match is looked for: hosts that may have sent one message, and copies of one host.
const (
	maxSenders = 8
	maxCopies  = 64
)

// pairMessages finds for each IKEMessage event the other event of the same
// message, by the index of the event. Copies of one message cannot be told
// apart: when as many arrived as were sent they are paired in order, else each
// arrival belongs to the latest copy sent before it, because the network is
// faster than the sender's patience.
func pairMessages(events []trace.Event) map[int]pairing {
	groups := map[messageKey]*copies{}
	each := func(f func(i int, e trace.Event, m trace.IKEMessage, g *copies)) {
		for i, e := range events {
			if m, ok := e.Body.(trace.IKEMessage); ok {
				k := messageKey{string(m.CookieI), m.Exchange, m.MessageID, m.Length}
				if groups[k] == nil {
					groups[k] = &copies{}
				}
				f(i, e, m, groups[k])
			}
		}
	}
	each(func(_ int, _ trace.Event, m trace.IKEMessage, g *copies) {
		if m.Sent {
			g.sent++
		} else {
			g.arrived++
		}
	})
	pairs := map[int]pairing{}
	each(func(i int, e trace.Event, m trace.IKEMessage, g *copies) {
		if m.Sent {
			g.add(e.Node, pending{i, m.Number})
			return
		}
		if s := g.take(e.Node, m.Number); s >= 0 {
			pairs[s] = pairing{true, e.Node, e.At, m.Note}
			pairs[i] = pairing{true, events[s].Node, events[s].At, events[s].Body.(trace.IKEMessage).Note}
		}
	})
	return pairs
}

// add notes a copy that a host sent.
func (g *copies) add(node string, p pending) {
	for _, s := range g.senders {
		if s.node == node {
			s.pending = append(s.pending, p)
			return
		}
	}
	if len(g.senders) < maxSenders {
		g.senders = append(g.senders, &sender{node, []pending{p}})
	}
}

// take is the index of the copy that just arrived at a host, or -1.
func (g *copies) take(receiver string, number int) int {
	var from *sender
	at := -1
	for _, s := range g.senders {
		if s.node == receiver {
			continue
		}
		if n := s.find(number, g.sent == g.arrived); n >= 0 && (from == nil || s.pending[n].index > from.pending[at].index) {
			from, at = s, n
		}
	}
	if from == nil {
		return -1
	}
	i := from.pending[at].index
	from.pending = slices.Delete(from.pending, at, at+1)
	return i
}

// find is the position of the oldest or the latest copy that may have this number, or -1.
func (s *sender) find(number int, oldest bool) int {
	fits := func(p pending) bool { return p.number == number || p.number == 0 || number == 0 }
	n := len(s.pending)
	for k := range min(n, maxCopies) {
		if !oldest {
			k = n - 1 - k
		}
		if fits(s.pending[k]) {
			return k
		}
	}
	return -1
}
