package attack

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Tampering is what to do to frames in the middle of a link.
type Tampering struct {
	Select  sim.Selection
	Changes []Change
	Repair  Repair
}

// Repair is which checksums of a changed frame are made right.
type Repair uint8

// The choices. Under an ICV the transport checksum is better left alone: it is
// authenticated itself.
const (
	RepairAll Repair = iota // of IP, and of TCP, UDP, ICMP and ICMPv6 where they can be read
	RepairIP                // of the IP header; IPv6 has none
	RepairNone
)

// tampering is the running twin: an attacker on one link.
type tampering struct {
	a        *Attacker
	by       *sim.Port
	t        Tampering
	selected int // frames so far
}

// Tamper begins to alter what passes on a link, in place of what was done there
// before. Without changes everything passes.
func (a *Attacker) Tamper(link *sim.Port, t Tampering) error {
	by, err := a.port(link.Segment().Name())
	if err != nil {
		return err
	}
	if len(t.Changes) == 0 {
		if a.tampering[link] == nil {
			return nil
		}
		delete(a.tampering, link)
		return link.Intercept(nil)
	}
	m := a.tampering[link]
	if m == nil {
		m = &tampering{a: a, by: by}
		if err := link.Intercept(&sim.Interceptor{By: by, Takes: m.takes}); err != nil {
			return fmt.Errorf("attack: %s: %w", a.name, err)
		}
		a.tampering[link] = m
	}
	m.t, m.selected = t, 0
	return nil
}

func (m *tampering) medium() sim.Medium { return medium(m.by) }

// takes decides about a frame when it is sent.
func (m *tampering) takes(f sim.Intercepted) func(sim.Intercepted) {
	if !m.t.Select.Selects(m.medium(), f.Direction, m.a.world.Now(), f.Data) {
		return nil
	}
	if m.selected++; !m.t.Select.Counts(m.selected) {
		return nil
	}
	t := m.t
	return func(f sim.Intercepted) { m.forward(t, f) }
}

// forward alters a frame and sends it on.
func (m *tampering) forward(t Tampering, f sim.Intercepted) {
	act := trace.Attack{
		Act: "altered", Original: f.Number, Segment: m.by.Segment().Name(), Packet: describe(m.medium(), f.Data),
	}
	if f.Direction == sim.Up { // else it has crossed the segment, and was heard there
		m.a.hear(m.by, f.Number, f.Link, f.Data)
	}
	if err := t.alter(m.medium(), f.Data); err != nil {
		act.Act, act.Detail = "passed on", err.Error()
	} else {
		act.Detail = t.String()
	}
	text := comment(m.a.name, act)
	if f.Comment != "" {
		text += "; " + f.Comment
	}
	act.Frame, _ = m.by.Forward(f, text) // an Intercepted can be forwarded
	if f.Direction == sim.Up {
		m.a.sent[act.Frame] = true
	}
	m.a.world.Record(m.a.name, act)
}

// alter makes all changes, or none.
func (t *Tampering) alter(m sim.Medium, f []byte) error {
	v, ok := read(m, f)
	if !ok {
		return fmt.Errorf("it cannot be read as an IP packet")
	}
	before := bytes.Clone(f)
	for i := range t.Changes {
		if err := t.Changes[i].apply(v, f); err != nil {
			copy(f, before)
			return err
		}
	}
	v.repair(before, f, t.Repair)
	return nil
}

// String is what is changed, in words.
func (t *Tampering) String() string {
	var words []string
	for _, c := range t.Changes {
		words = append(words, c.Words)
	}
	if t.Repair == RepairNone {
		words = append(words, "no checksum repaired")
	}
	return strings.Join(words, ", ")
}
