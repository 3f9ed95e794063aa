package ike

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Event is something that an engine wants done or known. The concrete types are
// the Event… structs of this file.
type Event interface{ event() }

// EventSend asks for a datagram to be sent.
type EventSend struct{ Datagram Datagram }

// EventMainMode reports an authenticated main mode.
type EventMainMode struct {
	Local, Remote netip.Addr
	Cookies       Cookies
	Initiator     bool
	Expires       time.Time
}

// EventSAs hands over a finished quick mode: the SAs of both directions, ready
// for use. Out and In have equal length, one pair per transform of the proposal,
// innermost first: of a bundle, ESP before the AH around it, which names it in Inner.
type EventSAs struct {
	RequestID uint64 // 0 for the responder
	Replaces  uint32 // inbound SPI of the pair that a rekey replaces; else 0
	In, Out   []ipsec.SAParams
}

// EventInbound hands over the inbound SAs of a quick mode that this side has
// answered. The initiator may use them as soon as it has the answer, and what it
// sends may overtake its message 3. EventSAs with the same SAs follows, or
// EventInboundGone.
type EventInbound struct{ In []ipsec.SAParams }

// EventInboundGone takes one SA of EventInbound back: the quick mode failed.
type EventInboundGone struct {
	Protocol ipsec.Protocol
	SPI      uint32
}

// EventDeleteSAs asks for outbound SAs to be removed, because the peer deleted
// their inbound side (RFC 2408, Section 3.15). There is one per protocol; a bundle
// of which the peer deleted a half goes as a whole.
type EventDeleteSAs struct {
	Remote   netip.Addr
	Port     uint16 // the peer's, of SAs in UDP: several computers behind Remote may have the same SPIs; 0: they are not
	Protocol ipsec.Protocol
	SPIs     []uint32 // as the peer's inbound SPIs, our outbound ones
	Own      []uint32 // our inbound SPIs, of the same pairs in the same order: these nobody else can have
}

// EventFailed reports that a request came to nothing.
type EventFailed struct {
	RequestID uint64
	Remote    netip.Addr
	Err       error
}

// EventAssigned reports what mode config has assigned under a main mode, for as long as that lasts.
type EventAssigned struct {
	Local, Remote netip.Addr
	Cookies       Cookies
	Gave          bool // by this side to the peer; else the other way round
	Assignment    Assignment
}

// EventKeepAlive starts or ends keep-alives to a peer: while on, one is to go out
// whenever nothing else has gone from Local to Remote for Interval (RFC 3948, Section 4).
type EventKeepAlive struct {
	Local, Remote netip.AddrPort
	Interval      time.Duration // 0: no longer
}

// EventMoved reports that a peer behind a NAT has proved that it is at another address or
// port now (RFC 3947, Section 7). "Implementations SHOULD AUDIT the event" (Section 8).
type EventMoved struct {
	Local    netip.AddrPort
	From, To netip.AddrPort
	PeerID   string // the identity that it has proved: another computer behind From stays there
	// SPIs are the inbound SAs of ESP, of this host's numbers, of the pairs that go along, and of
	// those of which EventInbound has come and the pair not yet. Of a pair in transport mode the peer's
	// address in the selectors is another one, too.
	SPIs []uint32
}

// EventMainModeGone reports the end of a main mode.
type EventMainModeGone struct {
	Local, Remote netip.Addr
	Cookies       Cookies
	Reason        string
}

func (EventAssigned) event()     {}
func (EventSend) event()         {}
func (EventMainMode) event()     {}
func (EventInbound) event()      {}
func (EventInboundGone) event()  {}
func (EventSAs) event()          {}
func (EventDeleteSAs) event()    {}
func (EventFailed) event()       {}
func (EventMainModeGone) event() {}
func (EventKeepAlive) event()    {}
func (EventMoved) event()        {}

// Cookies name an ISAKMP SA, RFC 2408, Section 2.5.3.
type Cookies struct{ Initiator, Responder [8]byte }
