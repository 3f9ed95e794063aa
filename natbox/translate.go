package natbox

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/sim"
)

// NAT makes a router a NAT box: what crosses between the outside and the rest is
// translated. It is for IPv4; IPv6 is forwarded as it is.
//
// Filters and observers see the addresses of the inside, both ways. A packet from the inside
// has its time to live looked at before it is translated, and is fragmented afterwards. What
// comes from outside for an address of the inside ends here: RFC 2663, Section 2 has such
// addresses mean nothing there. The box answers ARP for all addresses that the table has outside.
type NAT struct {
	Outside *sim.Segment // one of those of the router; all its other interfaces are inside
	Table   Translator

	// Crossed is told of each packet that the box has translated: the segment that it came
	// from, "" for the box itself; its start as it came; and the packet as it goes on, to the
	// outside or not. nil: nobody wants to know.
	Crossed func(from string, outside bool, before, after []byte)

	// Inside is the box's own address inside in whose name the table has outsiders ask published
	// servers: it takes back what these answer. Invalid: it has none ask in the box's name.
	Inside netip.Addr

	// Silent has the box tell nobody outside that it has no use for a packet. It answers
	// echo requests all the same.
	Silent bool
}

// Translator is the table of a NAT: a *nat.Table. Packets are valid IPv4 datagrams or
// fragments, which it may change; what it gives back is good until the next call. now never
// goes back.
type Translator interface {
	Outbound(now time.Duration, packet []byte) nat.Result // from inside, about to leave by the outside
	Inbound(now time.Duration, packet []byte) nat.Result  // from outside, to one of Addresses
	Hairpin(now time.Duration, packet []byte) nat.Result  // from inside, to one of Addresses or to NAT.Inside
	Addresses() []netip.Addr                              // that it answers to outside

	Reboot(now time.Duration) // forgets all mappings
	SetAddresses(now time.Duration, addrs []netip.Addr) error

	// Deadline is when something falls due that no packet brings about; Expire has it happen,
	// and gives back packets of the box's own.
	Deadline() (time.Duration, bool)
	Expire(now time.Duration) (answers [][]byte)
}

// translator is the running twin of a NAT.
type translator struct {
	Translator
	outside *iface
	addrs   []netip.Addr // that it answers to outside
	inside  netip.Addr   // in whose name it asks published servers
	silent  bool
	crossed func(from string, outside bool, before, after []byte)
	timer   *sim.Timer    // of the next deadline; nil: none is near
	due     time.Duration // when it is
}

// addNAT makes the router a NAT box.
func (r *Router) addNAT(c RouterConfig) error {
	if c.NAT == nil {
		return nil
	}
	at := slices.IndexFunc(c.Interfaces, func(i Interface) bool { return i.Segment == c.NAT.Outside })
	switch {
	case c.NAT.Table == nil:
		return errors.New("its NAT has no table")
	case at < 0:
		return errors.New("the outside of its NAT is none of its segments")
	}
	outside := r.interfaces[at]
	for _, a := range c.NAT.Table.Addresses() {
		if !a.Is4() || !hostAddress(a) || r.broadcast(a) {
			return fmt.Errorf("the NAT cannot answer to %s: it is no IPv4 address of a host", a)
		}
		for _, i := range r.interfaces {
			if p, ok := i.onLink(a); ok && i != outside {
				return fmt.Errorf("the NAT cannot answer to %s outside: it is in %s, which is inside", a, p.Masked())
			}
		}
	}
	r.nat = &translator{outside: outside, Translator: c.NAT.Table, addrs: c.NAT.Table.Addresses(), inside: c.NAT.Inside, silent: c.NAT.Silent, crossed: c.NAT.Crossed}
	return nil
}

// faces reports whether an interface is the outside one of a NAT.
func (n *translator) faces(i *iface) bool { return n != nil && i != nil && n.outside == i }

// holds reports whether an address is one of those that the box answers to outside.
func (n *translator) holds(a netip.Addr) bool { return n != nil && slices.Contains(n.addrs, a) }

// arrive takes an IPv4 packet between hosts, before it is routed.
func (r *Router) arrive(p packet, o outgoing) {
	n := r.nat
	switch {
	case n == nil:
	case n.holds(p.dst()) && n.faces(o.in):
		r.translated(n.Inbound, p, o)
		return
	case n.holds(p.dst()), p.dst() == n.inside:
		r.translated(n.Hairpin, p, o)
		return
	case n.faces(o.in) && r.leadsInside(p.dst()):
		r.drop(notTranslated, p)
		return
	}
	r.pass(p, o, "")
}

// leadsInside reports whether an address is the box's own inside, or one that it routes to there.
func (r *Router) leadsInside(a netip.Addr) bool {
	rt, ok := r.routes.lookup(a)
	return ok && rt.out != r.nat.outside
}

// leave sends an IPv4 packet on by the outside.
func (r *Router) leave(p packet, rt route, o outgoing) {
	packets, _, _ := r.translate(r.nat.Outbound, p, o)
	for _, q := range packets {
		r.nat.tell(true, q)
		rt.out.output(rt.next(q.dst()), q)
	}
}

// translated lets the packets go on that came of one that arrived.
func (r *Router) translated(how func(time.Duration, []byte) nat.Result, p packet, o outgoing) {
	packets, own, why := r.translate(how, p, o)
	for _, q := range packets {
		if !own {
			r.nat.tell(false, q)
		}
		r.pass(q.datagram.(packet), q, why)
	}
	if own {
		r.pass(p, o, why)
	}
}

// tell says what has become of a packet to whoever wants to know.
func (n *translator) tell(outside bool, o outgoing) {
	if n.crossed != nil {
		n.crossed(o.in.segment(), outside, o.sent, o.datagram.(packet))
	}
}

// translate asks the table about a packet, and does what is to be done about one that
// ends here. own: it is for the box itself, with fragments of the same datagram that waited,
// and why says what becomes of it if the box has no use for it.
func (r *Router) translate(how func(time.Duration, []byte) nat.Result, p packet, o outgoing) (packets []outgoing, own bool, why string) {
	o.sent = append(packet(nil), p[:min(len(p), maxQuote)]...)
	t := how(r.w.Now(), p)
	for _, b := range t.Packets {
		packets = append(packets, o.as(b))
	}
	if t.Why != "" && !t.Own {
		r.stopped(untranslated, "nat", o.sent.String(), t.Why)
	}
	if t.Answer != nil {
		r.answer(o.as(t.Answer))
	}
	own, why = t.Own, t.Why
	r.wake()
	return packets, own, why
}

// answer sends what the NAT has to say to the sender of a packet; not outside, in the name of
// an address that means nothing there, when the sender has lied about where it is.
func (r *Router) answer(o outgoing) {
	rt, ok := r.routes.lookup(o.dst())
	if !ok || r.nat.faces(rt.out) && !r.nat.holds(o.datagram.(packet).src()) {
		r.counters.ICMPSuppressed++
		return
	}
	r.originate(rt, o.datagram, o.frame, fmt.Sprintf("router %s: answer of its NAT", r.name))
}

// as is the outgoing of a packet that the NAT made of this one, or of fragments that
// waited for it: these are not the first of their datagram, and no error is about them.
func (o outgoing) as(b []byte) outgoing {
	p := packet(o.frame[etherHeader:])
	if len(p) == 0 || len(b) != len(p) || &b[0] != &p[0] {
		o.frame = append(make([]byte, etherHeader, etherHeader+len(b)), b...)
		p = o.frame[etherHeader:]
	}
	if o.datagram = p; p.offset() > 0 {
		o.sent = p
	}
	return o
}

// wake has the table's mappings expire in time.
func (r *Router) wake() {
	n := r.nat
	at, ok := n.Deadline()
	if !ok || n.timer != nil && n.due <= at {
		return // the timer that there is looks again
	}
	if n.timer != nil {
		n.timer.Stop()
	}
	n.due = at
	n.timer = r.w.After(nil, max(at-r.w.Now(), 0), func() {
		n.timer = nil
		for _, b := range n.Expire(r.w.Now()) {
			r.answer(outgoing{frame: make([]byte, etherHeader)}.as(b))
		}
		r.wake()
	})
}

// asSent is a packet as its sender knows it, as far as an ICMP error quotes it.
func (o outgoing) asSent() datagram {
	if o.sent == nil {
		return o.datagram
	}
	return o.sent
}
