// Package ike is what the versions of the Internet Key Exchange share: the
// configuration and the events of an engine, the choice between proposals, the
// retransmission schedule, failures with their notify and Windows codes, and
// the decoded form of messages for the trace.
//
// An engine does no I/O. Its driver pushes datagrams, requests and the time
// into it, and after each push drains its events and asks for the next time
// that it wants to be called:
//
//	m.HandleDatagram(now, d) // or Request, or Advance when NextDeadline has come
//	for e, ok := m.NextEvent(); ok; e, ok = m.NextEvent() {
//		switch e := e.(type) {
//		case ike.EventSend: …
//		}
//	}
//	at, ok := m.NextDeadline()
//
// The same pushes at the same times with the same random stream give the same
// events. An engine belongs to one goroutine. The engine of a host is mux.Mux;
// version 1 is in package ikev1.
package ike

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// The events below pass between the engine of one ISAKMP SA and the mux above
// it, which answers them itself: a host never sees them.

// EventInitialContact reports the peer's word, given under an ISAKMP SA, that
// it has no other SA with us (RFC 2407, Section 4.6.3.3).
type EventInitialContact struct{}

// EventUnserved returns a request whose main mode ended before its quick mode
// did, or whose keying material gave a weak key: through no fault of the request.
type EventUnserved struct {
	Request  Request
	Attempts int // quick modes that it has been through
	Err      error
}

// EventPeerSilent reports that a peer answered nothing under an ISAKMP SA since
// the given time. Others with it that heard nothing either are as good as lost.
type EventPeerSilent struct{ Since time.Time }

// EventMainModeAging reports that a main mode that we started nears its end. It
// serves on; somebody who will need one after it may start another now.
type EventMainModeAging struct{}

// EventPeerDead reports that a peer with which there was traffic has not answered
// dead peer detection (RFC 3706). What there is with it is to go.
type EventPeerDead struct{}

// EventPeerMoved reports that a peer behind a NAT has proved that it is not where it was: the SA follows.
type EventPeerMoved struct {
	From   netip.AddrPort
	Handed []uint32 // SPIs of EventInbound, of which the pair has not come yet
}

// EventUndelivered asks for a Delete of an inbound SA that nobody has handed over, under a main mode that the peer still
// has: the one of its quick mode lingers, and may be forgotten there.
type EventUndelivered struct {
	Protocol ipsec.Protocol
	SPI      uint32
}

func (EventInitialContact) event() {}
func (EventUndelivered) event()    {}
func (EventPeerMoved) event()      {}
func (EventMainModeAging) event()  {}
func (EventPeerDead) event()       {}
func (EventPeerSilent) event()     {}
func (EventUnserved) event()       {}
