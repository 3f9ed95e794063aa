package observe

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// InspectorConfig describes an inspector.
type InspectorConfig struct {
	Name     string // in what it records
	Patterns []Pattern

	// ESPNull has it look for ESP without encryption by the heuristics of RFC 5879.
	// Without them all ESP is opaque.
	ESPNull   bool
	CheckBits int // what the heuristics want to have seen; 0: DefaultCheckBits

	Record func(trace.Body) // nil: nothing is recorded
}

// Inspector is an intrusion detection system: it searches the payloads of UDP and ICMP,
// and the streams of TCP, for patterns. It reads what is in the clear,
// what stands behind AH (RFC 4302 hides nothing), and what is in ESP without encryption if
// it can tell.
type Inspector struct {
	c         InspectorConfig
	longest   int // of the patterns
	kinds     kinds
	notes     Notes
	streams   lru[streamKey, stream]
	waiting   int // bytes of all streams
	alerted   map[alertKey]bool
	border    []byte // room for search
	esp       lru[espKey, espWatch]
	fragments datagrams
	held      int // bytes of packets that wait until it is known whether they are encrypted
}

// kinds counts packets by what they are from outside.
type kinds [numKinds]Count

const (
	kindTCP = iota
	kindUDP
	kindICMP
	kindICMPv6
	kindAH
	kindESP
	kindUDP4500
	kindOther
	numKinds
)

// Kinds are the names of kinds of packets, as inspectors count them: by what any
// device on the path sees of them.
func Kinds() []string {
	return []string{"tcp", "udp", "icmp", "icmpv6", "ah", "esp", "udp-4500", "other"}
}

func (k *kinds) named() (all []Named) {
	for i, name := range Kinds() {
		all = append(all, Named{name, k[i]})
	}
	return all
}

func kindOf(f *ipsec.Flow) int {
	switch f.Proto {
	case ipsec.ProtoTCP:
		return kindTCP
	case ipsec.ProtoUDP:
		if f.SrcPort == natt.Port || f.DstPort == natt.Port {
			return kindUDP4500
		}
		return kindUDP
	case ipsec.ProtoICMP:
		return kindICMP
	case ipsec.ProtoICMPv6:
		return kindICMPv6
	case ipsec.ProtoAH:
		return kindAH
	case ipsec.ProtoESP:
		return kindESP
	}
	return kindOther
}

// streamKey is one direction of a connection under one kind of protection: what is
// in the clear never continues what is not.
type streamKey struct {
	ipsec.Flow
	under string
}

type alertKey struct {
	pattern int
	flow    streamKey
}

// Bounds of an inspector.
const (
	maxAlerted = 4096 // pairs of pattern and flow of which it remembers that they are recorded
	maxNested  = 4    // headers of AH and tunnels inside each other
)

// NewInspector makes one. It refuses a pattern that it could not find.
func NewInspector(c InspectorConfig) (*Inspector, error) {
	n := &Inspector{c: c, streams: newLRU[streamKey, stream](maxStreams), alerted: map[alertKey]bool{}, esp: newLRU[espKey, espWatch](maxESPFlows), fragments: newDatagrams()}
	for _, p := range c.Patterns {
		if len(p.Bytes) == 0 || len(p.Bytes) > MaxPattern {
			return nil, fmt.Errorf("observe: inspector %s: pattern %s has %d bytes: want 1 to %d", c.Name, p.Name, len(p.Bytes), MaxPattern)
		}
		n.longest = max(n.longest, len(p.Bytes))
		n.notes.Alerts = append(n.notes.Alerts, Alerts{Pattern: p.Name})
	}
	return n, nil
}

// MaxPattern is the length that a pattern can have.
const MaxPattern = 1024

// Observe implements Instrument.
func (n *Inspector) Observe(now time.Duration, b []byte) {
	p, ok := parse(b)
	if !ok {
		return
	}
	f := p.flow()
	n.kinds[kindOf(&f)].add(p.length)
	p.seen = Count{1, uint64(p.length)}
	if p.fragment {
		var ok bool
		if p, ok = n.together(now, &p); !ok {
			return
		}
	}
	switch n.inspect(now, &p, "", 0) {
	case read:
		n.notes.Read = n.notes.Read.plus(p.seen)
	case opaque:
		n.notes.Opaque = n.notes.Opaque.plus(p.seen)
	case unsure:
		n.notes.Unsure = n.notes.Unsure.plus(p.seen)
	}
}

// together puts a fragment to the others; false while some are missing.
func (n *Inspector) together(now time.Duration, p *packet) (whole packet, ok bool) {
	n.notes.Unsure = n.notes.Unsure.plus(p.seen)
	whole, seen, givenUp, ok := n.fragments.add(now, p)
	n.notes.Unsure, n.notes.Opaque = n.notes.Unsure.sub(givenUp.plus(seen)), n.notes.Opaque.plus(givenUp)
	n.notes.Dropped += givenUp.Packets
	whole.seen = seen
	return whole, ok
}

// reading is what became of a packet.
type reading uint8

const (
	read reading = iota
	opaque
	unsure // for now
)

// inspect reads a packet, or what is inside one. under names the protection around it.
func (n *Inspector) inspect(now time.Duration, p *packet, under string, depth int) reading {
	if depth > maxNested {
		return opaque
	}
	f := p.flow()
	if p.fragment { // in a tunnel: searched for itself
		n.search(&f, under, nil, p.body)
		return read
	}
	switch p.proto {
	case ipsec.ProtoTCP:
		n.tcp(p, &f, under)
	case ipsec.ProtoUDP:
		if len(p.body) < udpHeader {
			return read
		}
		data := p.body[udpHeader:]
		if kind, rest := natt.Read(formOn(&f), data); kind == natt.ESP {
			return n.readESP(now, p, espKey{f.Src, f.Dst, f.SrcPort, f.DstPort, 0}, rest, join(under, "udp"), depth)
		}
		n.search(&f, under, nil, data)
	case ipsec.ProtoICMP, ipsec.ProtoICMPv6:
		if len(p.body) >= icmpHeader {
			n.search(&f, under, nil, p.body[icmpHeader:])
		}
	case ipsec.ProtoAH:
		inner, ok := p.ah()
		if !ok {
			return opaque
		}
		return n.inspect(now, &inner, join(under, "ah"), depth+1)
	case protoIPv4, protoIPv6:
		inner, ok := parse(p.body)
		if !ok {
			return opaque
		}
		inner.seen = p.seen
		return n.inspect(now, &inner, join(under, "tunnel"), depth+1)
	case ipsec.ProtoESP:
		return n.readESP(now, p, espKey{src: f.Src, dst: f.Dst}, p.body, under, depth)
	}
	return read
}

func join(under, more string) string {
	if under == "" {
		return more
	}
	return under + "+" + more
}

// tcp reads a segment: RFC 9293, Section 3.1.
func (n *Inspector) tcp(p *packet, f *ipsec.Flow, under string) {
	const syn, rst = 1 << 1, 1 << 2
	if len(p.body) < tcpHeader {
		return
	}
	header, flags := int(p.body[12]>>4)*4, p.body[13]
	if header < tcpHeader || header > len(p.body) {
		return
	}
	key := streamKey{*f, under}
	if flags&rst != 0 { // the connection is over, for both
		n.end(key)
		n.end(streamKey{f.Reverse(), under})
		return
	}
	data := p.body[header:]
	if len(data) == 0 && flags&syn == 0 {
		return
	}
	s, gone := n.streams.get(key)
	if gone != nil {
		gone.forget()
	}
	s.total = &n.waiting
	before := s.skipped
	s.add(binary.BigEndian.Uint32(p.body[4:]), flags&syn != 0, data, func(data []byte) {
		n.search(f, under, s.tail, data)
		s.remember(data, n.longest-1)
	})
	n.notes.Dropped += s.skipped - before
}

func (n *Inspector) end(k streamKey) {
	if s := n.streams.drop(k); s != nil {
		s.forget()
	}
}

// search looks for patterns in data, and across the end of what came before it.
func (n *Inspector) search(f *ipsec.Flow, under string, before, data []byte) {
	if len(before) > 0 {
		n.border = append(append(n.border[:0], before...), data[:min(len(data), n.longest)]...)
	}
	for i := range n.c.Patterns {
		p := &n.c.Patterns[i]
		if !p.meant(f) {
			continue
		}
		found := p.count(data)
		if len(before) > 0 {
			found += p.across(n.border, len(before))
		}
		if found == 0 {
			continue
		}
		n.notes.Alerts[i].Found += found
		key := alertKey{i, streamKey{*f, under}}
		if n.alerted[key] || len(n.alerted) == maxAlerted {
			continue
		}
		n.alerted[key] = true
		if n.c.Record != nil {
			n.c.Record(trace.ObserverAlert{Observer: n.c.Name, Pattern: p.Name, Flow: f.String(), Under: under})
		}
	}
}

// Notes implements Instrument.
func (n *Inspector) Notes(time.Duration) Notes {
	notes := n.notes
	notes.Alerts = append([]Alerts(nil), notes.Alerts...)
	notes.Counts = n.kinds.named()
	return notes
}
