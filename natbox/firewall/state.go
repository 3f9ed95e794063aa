package firewall

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/recent"
)

// State is what a firewall remembers of what it let through, and for how long. Zero
// fields take the default.
type State struct {
	Max      int // states at one time; the next one takes the place of another; 0: 65536
	Timeouts Timeouts
	IPsec    Tracking // of ESP and AH

	// MidStream takes up TCP connections whose beginning was not seen, as a firewall
	// does that was restarted. Otherwise their segments are dropped.
	MidStream bool
}

// Timeouts are how long states live that nothing uses.
type Timeouts struct {
	TCPHandshake   time.Duration // before the third segment of a connection; 0: 4m (RFC 5382, Section 5, REQ-5: transitory)
	TCPEstablished time.Duration // 0: 2h4m, the least (likewise: established)
	TCPClosing     time.Duration // after a FIN or RST; 0: 4m (likewise: transitory)
	UDP            time.Duration // in either direction; 0: 5m, as recommended (RFC 4787, Section 4.3, REQ-5)
	ICMP           time.Duration // of queries; 0: 60s, the least (RFC 5508, Section 3.2, REQ-2)
	IPsec          time.Duration // of ESP and AH; 0: 5m: no text has a number, and UDP with ESP in it has this one
	Other          time.Duration // of other protocols; 0: 5m, likewise
}

// Tracking is how a firewall knows which ESP and AH belongs to what it let through: both
// have no ports, and an SPI is of one direction alone.
type Tracking uint8

const (
	// ByAddresses lets in what comes from an address to which such packets went (RFC
	// 6092, Section 3.2.4, REC-25).
	ByAddresses Tracking = iota
	// ByIKE lets in, and out, what goes between two addresses that have a state of UDP port
	// 500: known as IPsec pass-through. REC-25 advises against it.
	ByIKE
	// ByRules keeps no state of them: rules have to permit both directions.
	ByRules
)

// class are the states with one timeout.
type class uint8

const (
	tcpHandshake class = iota
	tcpEstablished
	tcpClosing
	udpClass
	icmpClass
	ipsecClass
	otherClass
	classes
)

func (s State) withDefaults() (State, error) {
	t := &s.Timeouts
	for _, d := range []struct {
		name    string
		v       *time.Duration
		initial time.Duration
	}{
		{"TCP handshakes", &t.TCPHandshake, 4 * time.Minute}, {"TCP", &t.TCPEstablished, 2*time.Hour + 4*time.Minute},
		{"closing TCP", &t.TCPClosing, 4 * time.Minute}, {"UDP", &t.UDP, 5 * time.Minute}, {"ICMP", &t.ICMP, time.Minute},
		{"IPsec", &t.IPsec, 5 * time.Minute}, {"other protocols", &t.Other, 5 * time.Minute},
	} {
		if *d.v < 0 {
			return s, fmt.Errorf("the timeout of %s is negative", d.name)
		}
		if *d.v == 0 {
			*d.v = d.initial
		}
	}
	switch {
	case s.Max < 0 || s.Max > 1<<24:
		return s, fmt.Errorf("a table has 1 to %d states, not %d", 1<<24, s.Max)
	case s.Max == 0:
		s.Max = 1 << 16
	}
	if s.IPsec > ByRules {
		return s, fmt.Errorf("there is no tracking of IPsec %d", s.IPsec)
	}
	return s, nil
}

// classes are the timeouts of each class.
func (t Timeouts) classes() [classes]time.Duration {
	return [classes]time.Duration{t.TCPHandshake, t.TCPEstablished, t.TCPClosing, t.UDP, t.ICMP, t.IPsec, t.Other}
}

// key is both ends of a flow, the lower one first, so that both directions have the same.
type key struct {
	low, high         [16]byte
	lowPort, highPort uint16
	proto, query      uint8 // query is the type of ICMP requests
}

// keyOf is the key of a packet; fromHigh says that its sender is the higher end.
func keyOf(p *Packet) (k key, fromHigh bool) {
	src, dst := p.Src.As16(), p.Dst.As16()
	sport, dport := p.SrcPort, p.DstPort
	if request, _, ok := p.query(); ok {
		id := uint16(p.Payload[4])<<8 | uint16(p.Payload[5])
		sport, dport, k.query = id, id, request
	}
	k.proto = p.Proto
	order := bytes.Compare(src[:], dst[:])
	if order > 0 || order == 0 && sport > dport {
		k.low, k.high, k.lowPort, k.highPort = dst, src, dport, sport
		return k, true
	}
	k.low, k.high, k.lowPort, k.highPort = src, dst, sport, dport
	return k, false
}

// flow is one state. Those of a class are in a list, the one that was used longest ago first.
type flow struct {
	key
	byHigh     bool // the higher end began
	class      class
	tcp        tcpState
	used       time.Duration
	prev, next int32 // indices of table.flows; none
}

const none int32 = -1

// table has the states. What it costs to find, make, expire and evict one does not
// depend on how many there are.
type table struct {
	settings State
	life     [classes]time.Duration
	byKey    map[key]int32
	flows    []flow
	free     []int32
	first    [classes]int32
	last     [classes]int32

	fragments recent.Map[datagram, fragments]

	created, expired, evicted, closed uint64
}

// datagram is what its fragments have in common. RFC 791, Section 3.2.
type datagram struct {
	src, dst [16]byte
	id       uint32
	proto    uint8
}

// fragments is what was decided about the first of a datagram.
type fragments struct {
	at   time.Duration
	pass bool
}

// The bounds of what is remembered of fragments: reassembly takes no longer (RFC 1122,
// Section 3.3.2 has 60 to 120 s; most systems, and this lab's, 30 s).
const (
	fragmentTime = 30 * time.Second
	fragmentMax  = 4096
)

func newTable(s State) *table {
	t := &table{settings: s, life: s.Timeouts.classes(), byKey: map[key]int32{}, fragments: recent.New[datagram, fragments](fragmentMax)}
	for c := range classes {
		t.first[c], t.last[c] = none, none
	}
	return t
}

// expire ends the states that nothing has used for their time.
func (t *table) expire(now time.Duration) {
	for c := range classes {
		for i := t.first[c]; i != none && now-t.flows[i].used >= t.life[c]; i = t.first[c] {
			t.remove(i)
			t.expired++
		}
	}
}

// find is the state of a key; nil: there is none.
func (t *table) find(k key) (*flow, int32) {
	i, ok := t.byKey[k]
	if !ok {
		return nil, none
	}
	return &t.flows[i], i
}

// add makes a state, where the table is full in the place of another.
func (t *table) add(now time.Duration, k key, byHigh bool, c class) *flow {
	if len(t.byKey) >= t.settings.Max {
		t.remove(t.victim())
		t.evicted++
	}
	i := int32(len(t.flows))
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.flows = append(t.flows, flow{})
	}
	t.flows[i] = flow{key: k, byHigh: byHigh, class: c, used: now}
	t.byKey[k] = i
	t.link(i)
	t.created++
	return &t.flows[i]
}

// victim is the state to end for another: a connection that closes or was never made,
// since a flood makes these, and else what was used longest ago.
func (t *table) victim() int32 {
	for _, c := range []class{tcpClosing, tcpHandshake} {
		if i := t.first[c]; i != none {
			return i
		}
	}
	oldest := none
	for c := range classes {
		if i := t.first[c]; i != none && (oldest == none || t.flows[i].used < t.flows[oldest].used) {
			oldest = i
		}
	}
	return oldest
}

// touch notes that a state was used, and its class, which may be another now.
func (t *table) touch(now time.Duration, i int32, c class) {
	f := &t.flows[i]
	f.used = now
	if f.class == c && t.last[c] == i {
		return
	}
	t.unlink(i)
	f.class = c
	t.link(i)
}

func (t *table) remove(i int32) {
	t.unlink(i)
	delete(t.byKey, t.flows[i].key)
	t.free = append(t.free, i)
}

// link puts a state at the end of the list of its class.
func (t *table) link(i int32) {
	f := &t.flows[i]
	f.prev, f.next = t.last[f.class], none
	if f.prev == none {
		t.first[f.class] = i
	} else {
		t.flows[f.prev].next = i
	}
	t.last[f.class] = i
}

func (t *table) unlink(i int32) {
	f := &t.flows[i]
	if f.prev == none {
		t.first[f.class] = f.next
	} else {
		t.flows[f.prev].next = f.next
	}
	if f.next == none {
		t.last[f.class] = f.prev
	} else {
		t.flows[f.next].prev = f.prev
	}
}

// fragment is what was decided about the datagram of a later fragment.
func (t *table) fragment(now time.Duration, p *Packet) bool {
	d, ok := t.fragments.Get(datagramOf(p))
	return ok && d.pass && now-d.at < fragmentTime
}

// firstFragment keeps what was decided about one, for the others.
func (t *table) firstFragment(now time.Duration, p *Packet, pass bool) {
	t.fragments.Put(datagramOf(p), fragments{at: now, pass: pass})
}

func datagramOf(p *Packet) datagram {
	d := datagram{src: p.Src.As16(), dst: p.Dst.As16(), id: p.ID, proto: p.Proto}
	return d
}
