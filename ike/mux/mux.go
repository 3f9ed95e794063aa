package mux

import (
	"cmp"
	"container/heap"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/ikev1"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Port is the UDP port of ISAKMP, RFC 2408, Section 2.5.1.
const Port = 500

// maxAttempts is how many quick modes a request goes through, when main modes end
// beneath them, by a Delete of the peer, by expiry, or because the peer is silent,
// or when their keys are weak.
const maxAttempts = 10

// peer names a pair of hosts.
type peer struct{ local, remote netip.Addr }

// Mux is the engine of one host.
type Mux struct {
	env    ikev1.Env
	config ike.Config
	events []ike.Event

	sas      []*entry                // oldest first
	remotes  map[netip.Addr][]*entry // the same by the peer's address
	cookies  map[ike.Cookies]*entry
	openings map[opening]*entry
	timers   timers
	halfOpen admission
	serial   uint64

	waiting   map[party][]waiting
	computers map[peer][]party // those of waiting that are one computer, in the order in which they came
	waits     int              // all of them
	pairs     pairs
	quiet     quiet
	notices   allowance
	secrets   secrets
}

// entry is an SA with what the mux knows of it.
type entry struct {
	sa          *ikev1.SA
	source      netip.Addr // the peer's address, by which the entry is indexed
	wants       party      // whom we have started it for
	started     time.Time
	heard       bool   // while requests wait for it: the peer has sent something, whatever it was
	serial      uint64 // order of creation
	established uint64 // order of establishment, in the same count; 0: not yet
	cookies     ike.Cookies
	at          time.Time // next deadline, while in timers
	index       int       // in timers, -1: not there
	pool        *pool     // nil: it is in none
	removed     bool
}

// opening names an SA by what message 1 has: copies of it come without a responder's cookie.
type opening struct {
	cookie    payload.Cookie
	remote    netip.Addr
	initiator bool // us
}

// waiting is a request without a main mode.
type waiting struct {
	request  ike.Request
	attempts int
}

// New makes the engine of a host. The configuration must pass Config.Check.
func New(c ike.Config) (*Mux, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	m := &Mux{
		config: c, cookies: map[ike.Cookies]*entry{}, openings: map[opening]*entry{}, remotes: map[netip.Addr][]*entry{},
		waiting: map[party][]waiting{}, computers: map[peer][]party{}, pairs: newPairs(),
	}
	m.env = ikev1.Env{Config: &m.config, Alone: m.alone, Newest: m.newest, Known: m.known, MayNotify: m.notices.take}
	return m, nil
}

// Request asks for a pair of SAs. The answer is EventSAs or EventFailed with
// the request's ID. It uses the newest main mode with the peer that may be used
// for another quick mode, or waits for one; if none is being started, it starts one.
func (m *Mux) Request(now time.Time, r ike.Request) {
	m.env.Statistics.TotalAcquire++
	if m.waits >= maxWaiting {
		m.failed(ike.EventFailed{RequestID: r.ID, Remote: r.Remote, Err: ike.Errorf(ike.CodeProcessing, 0, "%d requests wait for main modes", maxWaiting)})
		return
	}
	p := m.partyFor(r)
	m.enqueue(p, waiting{request: r})
	m.pump(now, p)
}

// HandleDatagram takes an ISAKMP message that arrived on port 500, or on 4500, without the non-ESP marker.
func (m *Mux) HandleDatagram(now time.Time, d ike.Datagram) {
	m.hear(peer{d.Local.Addr(), d.Remote.Addr()})
	raw := append([]byte(nil), d.Payload...) // kept beyond the call
	h, err := payload.ParseHeader(raw)
	if err != nil {
		m.invalid(d, h, err.Error())
		return
	}
	if h.Version != payload.Version1 {
		m.invalid(d, h, fmt.Sprintf("the version is %d.%d, not 1.0", h.Major(), h.Version&0xf)) // RFC 2408, Section 5.2
		return
	}
	if odd := h.Flags &^ (payload.Encrypted | payload.Commit); odd != 0 {
		m.invalid(d, h, "unsupported flags: "+odd.String()) // RFC 2408, Section 5.2
		return
	}
	if h.CookieI == (payload.Cookie{}) {
		m.invalid(d, h, "the initiator's cookie is zero")
		return
	}
	remote := d.Remote.Addr()
	e := m.cookies[ike.Cookies{Initiator: h.CookieI, Responder: h.CookieR}]
	switch {
	case e != nil && (e.source == remote || e.sa.Roams()):
	case h.CookieR == (payload.Cookie{}) && h.Exchange != payload.Informational:
		if e = m.openings[opening{h.CookieI, remote, false}]; e == nil || m.config.DoSProtection {
			m.respond(now, d, h, raw)
			return
		}
	default:
		// Our own message 1 is answered with a responder's cookie that is news to us, also by a refusal.
		if e = m.openings[opening{h.CookieI, remote, true}]; e == nil || e.cookies.Responder != (payload.Cookie{}) {
			if m.again(h) {
				m.respond(now, d, h, raw)
			} else {
				m.unknownCookies(now, d, h)
			}
			return
		}
	}
	e.sa.HandleDatagram(now, ike.Datagram{Local: d.Local, Remote: d.Remote, Payload: raw}, h)
	m.after(now, e)
}

// respond takes a first message with cookies that are not known.
func (m *Mux) respond(now time.Time, d ike.Datagram, h payload.Header, raw []byte) {
	switch {
	case h.Exchange != payload.MainMode && h.Exchange != payload.Aggressive:
		m.invalid(d, h, h.Exchange.String()+" is unsupported as a first exchange")
		m.notify(now, d, h, payload.NotifyUnsupportedExchangeType)
		return
	case h.MessageID != 0 || h.Flags&payload.Encrypted != 0:
		m.invalid(d, h, "a first message has no message ID and is not encrypted")
		return
	case m.openings[opening{h.CookieI, d.Remote.Addr(), true}] != nil:
		m.invalid(d, h, "our own message came back")
		return
	}
	policy, ok := m.config.Policy.MainMode(d.Local.Addr(), d.Remote.Addr())
	if !ok {
		m.refused(d, h, "no rule concerns this peer")
		return
	}
	if h.Exchange == payload.Aggressive && !policy.Aggressive {
		m.invalid(d, h, "aggressive mode is off: it shows who talks, and a hash of the key at which words can be tried")
		m.notify(now, d, h, payload.NotifyUnsupportedExchangeType)
		return
	}
	if !m.admitted(now, d, h) {
		return
	}
	m.add(now, ikev1.Respond(&m.env, now, d.Local, d.Remote, h, raw, policy), party{})
}

// add takes a new SA in, which we have started for a party.
func (m *Mux) add(now time.Time, sa *ikev1.SA, wants party) {
	m.serial++
	e := &entry{sa: sa, wants: wants, started: now, serial: m.serial, cookies: sa.Cookies(), index: -1}
	m.sas = append(m.sas, e)
	m.index(e)
	if e.cookies.Responder != (payload.Cookie{}) {
		m.cookies[e.cookies] = e
	}
	m.after(now, e)
}

func (e *entry) opening() opening {
	return opening{e.cookies.Initiator, e.source, e.sa.Initiator()}
}

// index has e found by the address at which its peer is.
func (m *Mux) index(e *entry) {
	e.source = e.sa.Remote().Addr()
	i, _ := find(m.remotes[e.source], e)
	m.remotes[e.source] = slices.Insert(m.remotes[e.source], i, e)
	m.openings[e.opening()] = e
}

// unindex is its inverse.
func (m *Mux) unindex(e *entry) {
	if left := without(m.remotes[e.source], e); len(left) > 0 {
		m.remotes[e.source] = left
	} else {
		delete(m.remotes, e.source)
	}
	if m.openings[e.opening()] == e {
		delete(m.openings, e.opening())
	}
}

// reindex follows an SA to where its peer is now.
func (m *Mux) reindex(e *entry) {
	if !e.removed && e.source != e.sa.Remote().Addr() {
		m.unindex(e)
		m.index(e)
	}
}

func (e *entry) peer() peer { return peer{e.sa.Local().Addr(), e.sa.Remote().Addr()} }

// after follows each push into an SA: it carries out the SA's events and brings the indexes up to date.
func (m *Mux) after(now time.Time, e *entry) {
	changed := false  // what is waiting may go on
	var again []party // for whom requests have come back
	var left []peer   // where it was, and others may have waited for it
	m.reindex(e)
	for ev, ok := e.sa.NextEvent(); ok; ev, ok = e.sa.NextEvent() {
		switch ev := ev.(type) {
		case ike.EventMainMode:
			m.serial++
			e.established = m.serial
			changed = true
			m.events = append(m.events, ev)
			m.bound(now, e)
			m.mistaken(e)
			m.keepAlive(e)
		case ike.EventMainModeAging:
			m.replace(now, e)
		case ike.EventPeerMoved:
			m.move(now, computer{ev.From, e.sa.PeerID()}, e.sa.Local(), e.sa.Remote(), e, ev.Handed)
			m.wantedMoves(e)
			left = append(left, peer{e.sa.Local().Addr(), ev.From.Addr()})
			changed = true
		case ike.EventInitialContact:
			m.initialContact(now, e)
		case ike.EventPeerDead:
			m.dead(now, e)
		case ike.EventPeerSilent:
			m.silent(now, e, ev.Since)
		case ike.EventSAs:
			m.serial++
			m.pairs.add(now, e, m.serial, ev)
			m.events = append(m.events, ev)
			m.events = append(m.events, m.pairs.bound(e.computer())...)
			m.keepAlive(e)
		case ike.EventUndelivered:
			m.tellOf(now, e, ev)
		case ike.EventDeleteSAs:
			m.events = append(m.events, m.pairs.deletedByPeer(ev, e)...)
		case ike.EventUnserved:
			again = append(again, m.unserved(e, ev))
		case ike.EventFailed:
			m.failed(ev)
		default:
			m.events = append(m.events, ev)
		}
	}
	if c := e.sa.Cookies(); c != e.cookies {
		e.cookies = c
		m.cookies[c] = e
	}
	dead := e.sa.Dead() && !e.removed
	switch {
	case dead:
		m.remove(e)
		if e.sa.Initiator() && e.established == 0 {
			m.failWaiting(e.wants, e.sa.Err())
		}
	case !e.removed:
		m.timers.set(e)
		m.admit(now, e)
	}
	if changed || dead {
		m.pumpAll(now, e.peer())
	}
	for _, p := range left {
		m.pumpAll(now, p)
	}
	for _, p := range again {
		m.pump(now, p)
	}
	m.silence(now)
}

// remove forgets a dead SA.
func (m *Mux) remove(e *entry) {
	if e.removed {
		return
	}
	e.removed = true
	e.sa.Discard()
	m.sas = without(m.sas, e)
	m.unindex(e)
	if m.cookies[e.cookies] == e {
		delete(m.cookies, e.cookies)
	}
	if e.pool != nil {
		e.pool.remove(e)
		e.pool = nil
	}
	if e.index >= 0 {
		heap.Remove(&m.timers, e.index)
	}
}

// without removes an entry from a list in order of creation.
func without(es []*entry, e *entry) []*entry {
	i, found := find(es, e)
	if !found {
		return es
	}
	return slices.Delete(es, i, i+1)
}

// find is the place of an entry in a list in order of creation.
func find(es []*entry, e *entry) (at int, found bool) {
	return slices.BinarySearchFunc(es, e.serial, func(e *entry, serial uint64) int { return cmp.Compare(e.serial, serial) })
}

// NextDeadline is when Advance is to be called.
func (m *Mux) NextDeadline() (time.Time, bool) {
	if len(m.timers) == 0 || !m.quiet.at.IsZero() && m.quiet.at.Before(m.timers[0].at) {
		return m.quiet.at, !m.quiet.at.IsZero()
	}
	return m.timers[0].at, true
}

// Advance does what has come due by now: copies, ends of exchanges, expiries.
func (m *Mux) Advance(now time.Time) {
	for len(m.timers) > 0 && !now.Before(m.timers[0].at) {
		e := m.timers[0]
		e.sa.Advance(now)
		m.after(now, e)
	}
	m.silence(now)
}

// NextEvent takes the oldest event that has not been taken.
func (m *Mux) NextEvent() (ike.Event, bool) {
	if len(m.events) == 0 {
		return nil, false
	}
	e := m.events[0]
	if m.events = m.events[1:]; len(m.events) == 0 {
		m.events = nil // or it would keep the event
	}
	return e, true
}
