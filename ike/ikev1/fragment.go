package ikev1

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Messages in fragments, MS-IKEE, 3.3. A fragment has the ISAKMP header of the message,
// but for the type of its payload, its length and the encryption flag: no key protects
// a fragment, and nobody knows who sent it before the message is whole.

// reassembly is a message of which not all fragments have come.
type reassembly struct {
	id     uint16
	header payload.Header // of one of its fragments, the others have the same
	parts  []payload.Fragment
	last   uint8 // the number of the last one; 0: not known yet
	bytes  int
	until  time.Time
}

// Bounds of what fragments can make us keep. They come from anybody who has seen the cookies.
const (
	maxReassemblies  = 8       // messages of an SA
	maxFragmentBytes = 1 << 17 // of an SA; one message has 1<<16 at most, with UDP
	maxWaiting       = 1 << 20 // of all SAs of a host
	fragmentCost     = 100     // of each, beside what came
)

// identifies reports whether there is an identification payload, which is what
// Windows cuts messages for.
func identifies(ps []payload.Payload) bool {
	return slices.ContainsFunc(ps, func(p payload.Payload) bool { return p.Type() == payload.TypeID })
}

// toBeCut reports whether a message that is about to go out is sent in fragments.
// That Windows sends what fits into one as it is, is a choice of the lab.
func (sa *SA) toBeCut(now time.Time, o *outgoing) bool {
	f := sa.env.Config.Fragmentation
	// The fragmentation timer runs from the second round trip on (MS-IKEE, product note 16).
	phase1 := o.record.Exchange == payload.MainMode.String() || o.record.Exchange == payload.Aggressive.String()
	secondTrip := !phase1 || o.record.Number > 2
	if after, ok := sa.env.Config.FragmentAfter(); ok && secondTrip && !now.Before(o.sent.Add(after)) {
		sa.fragmenting = true
	}
	whole, part := f.Room(sa.remote.Addr())
	if f.Form == ike.NoFragments || !sa.peerHas(payload.VendorFragmentation) || len(o.msg) <= whole || len(o.msg) > 255*part {
		return false
	}
	return f.Form == ike.CiscoFragments || sa.fragmenting && o.named
}

// cut makes the fragments of a message, MS-IKEE, 3.3.6.1. Each sending has a number of
// its own, so that fragments of two sendings do not become one message.
func (sa *SA) cut(msg []byte) (parts [][]byte) {
	f := sa.env.Config.Fragmentation
	whole, _ := payload.ParseHeader(msg) // we have just built it
	h, data := whole, msg
	h.Next, h.Flags = payload.TypeFragment, h.Flags&^payload.Encrypted
	if r := restored(h); f.Headerless && r.Next == whole.Next && r.Flags == whole.Flags { // else nobody could make it whole
		data = msg[payload.HeaderLen:]
	}
	sa.env.fragmentID++
	_, part := f.Room(sa.remote.Addr())
	for piece := range slices.Chunk(data, part) {
		p := payload.Fragment{ID: sa.env.fragmentID, Number: uint8(len(parts) + 1), Data: piece}
		parts = append(parts, payload.Append(h.Append(nil), p))
	}
	last := parts[len(parts)-1]
	last[payload.HeaderLen+7] |= payload.LastFragment
	for _, b := range parts {
		payload.SetLength(b)
	}
	return parts
}

// fragment takes a fragment, and the message that it makes whole.
func (sa *SA) fragment(now time.Time, m *message) {
	if m.CookieR != sa.cookies.Responder && sa.state != awaits2 {
		sa.env.Statistics.InvalidCookies++
		sa.heard(m, 0, "ignored: the responder's cookie is another one")
		return
	}
	f, err := m.onlyFragment()
	if err != nil {
		sa.ignore(m, 0, err.Error())
		return
	}
	r, why := sa.queue(now, m, f)
	if why != "" {
		sa.ignore(m, 0, why)
		return
	}
	sa.fragmenting = true // MS-IKEE, 3.3.5.3 and product note 18
	if r.last == 0 || len(r.parts) < int(r.last) {
		sa.heard(m, 0, fmt.Sprintf("fragment %d, the others are awaited", f.Number))
		return
	}
	raw := r.message()
	sa.unqueue(r)
	h, err := payload.ParseHeader(raw)
	if err != nil || h.Exchange != m.Exchange || h.MessageID != m.MessageID || h.Version != m.Version || h.Next == payload.TypeFragment {
		sa.ignore(m, 0, "its fragments make no message")
		return
	}
	sa.heard(m, 0, fmt.Sprintf("fragment %d, with which a message of %d bytes is whole", f.Number, len(raw)))
	sa.HandleDatagram(now, ike.Datagram{Local: m.local, Remote: m.remote, Payload: raw}, h)
}

// onlyFragment is the Fragment payload of a message that has no other, MS-IKEE, 3.3.5.3.
func (m *message) onlyFragment() (payload.Fragment, error) {
	if m.Flags&payload.Encrypted != 0 {
		return payload.Fragment{}, fmt.Errorf("a fragment is not encrypted")
	}
	if err := m.parse(); err != nil {
		return payload.Fragment{}, err
	}
	if len(m.chain) != 1 {
		return payload.Fragment{}, fmt.Errorf("a Fragment payload must be alone")
	}
	return m.chain[0].Payload.(payload.Fragment), nil
}

// queue puts a fragment to the others of its message; why not, if it does not.
func (sa *SA) queue(now time.Time, m *message, f payload.Fragment) (r *reassembly, why string) {
	for _, q := range sa.queues {
		if q.id == f.ID && q.header.Exchange == m.Exchange && q.header.MessageID == m.MessageID {
			r = q
		}
	}
	size := len(m.raw) + fragmentCost
	switch {
	case r == nil && len(sa.queues) == maxReassemblies:
		return nil, "the fragments of too many messages wait for others"
	case sa.queued()+size > maxFragmentBytes || sa.env.waiting+size > maxWaiting:
		return nil, "too many bytes of fragments wait for others"
	case r == nil:
		r = &reassembly{id: f.ID, header: m.Header, until: now.Add(ike.FragmentReassembly)}
		sa.queues = append(sa.queues, r)
	}
	at, again := slices.BinarySearchFunc(r.parts, f.Number, func(p payload.Fragment, n uint8) int { return int(p.Number) - int(n) })
	switch {
	case again:
		return nil, fmt.Sprintf("a second fragment %d", f.Number)
	case r.last != 0 && (f.Last() || f.Number > r.last), f.Last() && at < len(r.parts):
		sa.unqueue(r)
		return nil, "its fragments have two ends"
	}
	if f.Last() {
		r.last = f.Number
	}
	r.parts = slices.Insert(r.parts, at, f)
	r.bytes += size
	sa.env.waiting += size
	return r, ""
}

func (sa *SA) queued() (bytes int) {
	for _, r := range sa.queues {
		bytes += r.bytes
	}
	return bytes
}

// unqueue forgets the fragments of a message.
func (sa *SA) unqueue(r *reassembly) {
	sa.env.waiting -= r.bytes
	sa.queues = slices.DeleteFunc(sa.queues, func(o *reassembly) bool { return o == r })
}

// Discard forgets the fragments that wait for others: nobody will ask the SA for anything any more.
func (sa *SA) Discard() {
	for len(sa.queues) > 0 {
		sa.unqueue(sa.queues[0])
	}
}

// expireFragments forgets one message that has waited too long for the rest of it; false: there is none.
func (sa *SA) expireFragments(now time.Time) bool {
	for _, r := range sa.queues {
		if !now.Before(r.until) {
			sa.unqueue(r)
			return true
		}
	}
	return false
}

// message is the whole of it. A message that was cut with its header starts with the
// cookies and has its length in the place of the length; see ike.Fragmentation.Headerless
// for one that was not. What its header has lost is then what a message of its exchange
// that Windows cuts has there; of aggressive mode, message 2.
func (r *reassembly) message() []byte {
	var data []byte
	for _, p := range r.parts {
		data = append(data, p.Data...)
	}
	if h, err := payload.ParseHeader(data); err == nil && h.CookieI == r.header.CookieI && h.CookieR == r.header.CookieR {
		return data
	}
	b := bytes.Join([][]byte{restored(r.header).Append(nil), data}, nil)
	payload.SetLength(b)
	return b
}

// restored is the header of a message that was cut without it, of that of a fragment.
func restored(h payload.Header) payload.Header {
	switch h.Exchange {
	case payload.MainMode:
		h.Next, h.Flags = payload.TypeID, h.Flags|payload.Encrypted
	case payload.Aggressive:
		h.Next = payload.TypeSA
	default:
		h.Next, h.Flags = payload.TypeHash, h.Flags|payload.Encrypted
	}
	return h
}
