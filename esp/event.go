package esp

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Event is something that a Pipeline wants key management to do or know. The
// concrete types are the Event… structs of this file.
type Event interface{ event() }

// EventAcquire asks for a pair of SAs. It comes once for each (entry, source,
// destination), or once for each entry with a tunnel and address family, until
// Answer or Fail is called with its ID.
type EventAcquire struct {
	ID          uint64         // from 1
	Policy      ipsec.Policy   // the outbound entry
	Selector    ipsec.Selector // outbound; the packet's addresses with the entry's protocol and ports; for a tunnel the entry's own, any as all of the packet's family
	Local, Peer netip.Addr     // for a tunnel, Local may be invalid: it is the address from which the peer is reached
}

// EventSoft asks for the successor of a pair that is still good. It comes at
// most once for each pair, and not when a newer pair serves the same traffic.
// For a bundle it comes once, with the SA that is outermost.
type EventSoft struct {
	SA     ipsec.SAParams // the outbound one; PeerSPI names the inbound one
	Policy ipsec.Policy   // the outbound entry that the pair serves
}

// EventHard reports that an SA was removed because its lifetime ended: in
// seconds, in kilobytes, or because its sequence numbers are used up. The SAs of
// a bundle end together, with an event each, the outermost first.
type EventHard struct{ SA ipsec.SAParams }

// EventMoved reports that the peer of an SA with encapsulation has sent from another address or port than it
// has in the SA, in a packet that was accepted and is the newest so far, and that Config.Follow
// says that the host is to follow, by Move: RFC 3947, Section 7. It comes once for each new place.
type EventMoved struct {
	SA ipsec.SAParams // the inbound one
	To netip.AddrPort
}

func (EventAcquire) event() {}
func (EventMoved) event()   {}
func (EventSoft) event()    {}
func (EventHard) event()    {}

// queue holds events until the host pulls them.
type queue struct{ events []Event }

func (q *queue) push(e Event) { q.events = append(q.events, e) }

func (q *queue) pop() (Event, bool) {
	if len(q.events) == 0 {
		return nil, false
	}
	e := q.events[0]
	q.events[0] = nil
	if q.events = q.events[1:]; len(q.events) == 0 {
		q.events = nil
	}
	return e, true
}
