package scenarios

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/discovery"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox/boxes"
	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// discovered is what a discovery found, and the boxes that nothing of it speaks against.
type discovered struct {
	discovery.Report
	candidates []discovery.Box
	fitting    []string
}

// serveSTUN starts the server for discoveries of a node.
func (l *lab) serveSTUN(h *hosts.Host, n spec.Node, s spec.STUNService) error {
	c := discovery.ServerConfig{Software: s.Software}
	c.Address, _ = n.STUNAddress()
	if s.Partner != "" {
		c.Partner, _ = l.spec.Nodes[s.Partner].STUNAddress()
	}
	_, err := h.ServeSTUN(c)
	return err
}

// discover finds out what the box on the way does.
func (s *stepRun) discover(p *sim.Proc) {
	l, v := s.lab, s.spec.Discover
	c := discovery.Config{Tests: v.Tests, Longest: v.Wait()}
	for i, name := range v.Servers {
		c.Servers[i], _ = l.spec.Nodes[name].STUNAddress()
	}
	for _, port := range v.Ports {
		c.Publish = append(c.Publish, uint16(port))
	}
	h, second := l.hosts[v.From], l.hosts[v.Second]
	r, err := h.Discover(p, second, c)
	switch {
	case errors.Is(err, hosts.ErrRestarted) || errors.Is(err, hosts.ErrOff) || errors.Is(err, hosts.ErrUnreachable):
		s.got = append(s.got, err.Error()) // what was found before counts
	case err != nil:
		s.broken = err
		return
	}
	s.discovered = newDiscovered(r, h, second)
	l.boxesFound[v.From] = s.discovered.box()
	for _, f := range r.Findings {
		line := f.Key + ": " + f.Value()
		if f.Detail != "" {
			line += " (" + f.Detail + ")"
		}
		s.got = append(s.got, line)
	}
	s.got = append(s.got, "box: "+s.discovered.box())
}

// discoveryOf is what a host has found out so far, by key the latest.
func (l *lab) discoveryOf(host string) (lines []Line) {
	for _, e := range l.log.Events() {
		d, ok := e.Body.(trace.Discovered)
		if !ok || e.Node != host {
			continue
		}
		line := Line{d.Key, d.Value}
		if i := slices.IndexFunc(lines, func(o Line) bool { return o.Name == d.Key }); i >= 0 {
			lines[i] = line
		} else {
			lines = append(lines, line)
		}
	}
	if box, ok := l.boxesFound[host]; ok {
		lines = append(lines, Line{"box", box})
	}
	return lines
}

// newDiscovered compares a report with all boxes that have a name.
func newDiscovered(r discovery.Report, from ...*hosts.Host) *discovered {
	var inside []netip.Addr
	for _, h := range from {
		if h != nil {
			inside = append(inside, h.Addrs()...)
		}
	}
	d := &discovered{Report: r, candidates: namedBoxes(inside)}
	d.fitting = discovery.Fitting(r, d.candidates)
	return d
}

const boxOneToOne = "one-to-one"

// namedBoxes are those that a discovery may meet.
func namedBoxes(inside []netip.Addr) (all []discovery.Box) {
	for i := range boxes.All() {
		b := &boxes.All()[i]
		all = append(all, discovery.NewBox(b.Name, boxes.Config(b), inside))
	}
	// The box that has addresses of one inside host each is met by such a host, or by others.
	if b, ok := boxes.Named(boxOneToOne); ok {
		for _, filtered := range []bool{false, true} {
			c := boxes.Config(b)
			for _, a := range inside {
				c.Static = append(c.Static, nat.Static{Inside: a, Filtered: filtered})
			}
			all = append(all, discovery.NewBox(b.Name, c, inside))
		}
	}
	return append(all, discovery.Box{Name: spec.BoxNone, Expect: discovery.None()})
}

// box names the boxes that fit.
func (d *discovered) box() string {
	if len(d.fitting) == 0 {
		return spec.BoxUnknown
	}
	return strings.Join(d.fitting, " or ")
}

// discovered judges what a discovery found.
func (j *judgement) discovered(want map[string]spec.Word) {
	d := j.step.discovered
	for _, key := range append([]string{"box"}, spec.DiscoveryKeys...) {
		word, ok := want[key]
		switch {
		case !ok:
		case d == nil:
			j.add(false, "discovered."+key, key, string(word), "nothing", "the discovery found nothing")
		case key == "box":
			j.add(d.box() == string(word), "discovered.box", "box", string(word), d.box(), d.against(string(word)))
		default:
			j.finding(key, word)
		}
	}
}

// against says why a box does not fit alone.
func (d *discovered) against(name string) string {
	for _, b := range d.candidates {
		if b.Name != name {
			continue
		}
		if all := b.Against(d.Report); len(all) > 0 {
			x := all[0]
			return fmt.Sprintf("want %s, got %s: %s has %s %s, found was %s (%s)", name, d.box(), name, x.Key, x.Want, x.Value(), x.Detail)
		}
	}
	return ""
}

// finding judges what was found of one key.
func (j *judgement) finding(key string, want spec.Word) {
	f, ok := j.step.discovered.Of(key)
	if !ok {
		f.Unknown = "its test was not made"
	}
	reason := ""
	if f.Unknown != "" || f.Detail != "" {
		reason = fmt.Sprintf("want %s, got %s (%s)", want, f.Value(), f.Detail)
	}
	j.add(meets(f, key, want), "discovered."+key, key, string(want), f.Value(), reason)
}

// meets reports whether a finding is what was expected. Of a time, it is known between which two
// it lies, and these must not lie outside of the bounds; of an exact time, it must lie between them.
func meets(f discovery.Finding, key string, want spec.Word) bool {
	within, timed := want.Found(key)
	switch {
	case f.Unknown != "":
		return false
	case !timed:
		return f.Word == string(want)
	case want == spec.Endless:
		return f.Word == "" && f.Max == 0
	case f.Max == 0: // it lasts longer than that
		return f.Word == "" && f.Min < within.Max
	case within.Min == within.Max:
		return f.Min-time.Second < within.Min && within.Min <= f.Max+time.Second
	}
	return f.Min < within.Max && f.Max >= within.Min
}
