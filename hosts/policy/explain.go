package policy

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Actions of an Explanation that are not those of a filter action.
const (
	actionExempt  = "exempt"
	actionNoMatch = "no match"
)

// Explanation says what a policy does with one packet, and why.
type Explanation struct {
	Direction ipsec.Direction
	Packet    ipsec.Flow
	Action    string   // permit, block, negotiate, exempt or no match
	Rule      string   // policy/rule, or the name of the exemption; empty with no match
	Filter    string   // the specific filter that decided, and the one it comes from
	Why       string   // in words
	Beat      []Beaten // the others that match, in search order
}

// Beaten is a filter that matches a packet and does not decide about it.
type Beaten struct {
	Rule   string
	Filter string
	Why    string // in words: what the deciding filter has that this one lacks
}

// Explain finds the filter that decides about a packet and says what it beat.
// Filters that match the packet but do not concern the host are among the beaten.
func (c *Compiled) Explain(d ipsec.Direction, f ipsec.Flow) Explanation {
	x := Explanation{Direction: d, Packet: f}
	if c.policy == nil {
		x.Action, x.Why = actionNoMatch, "no policy is assigned: the packet passes untouched"
		return x
	}
	var winner *specific
	for i, e := range c.entries(d) {
		s := c.plumbed[d][i]
		switch {
		case !e.Selector.Matches(&f):
		case x.Action != "":
			x.Beat = append(x.Beat, Beaten{Rule: e.Rule, Filter: s.describe(e.Selector), Why: c.lost(winner, s)})
		case s == nil:
			x.Action, x.Rule, x.Filter = actionExempt, e.Rule, e.Selector.String()
		default:
			winner = s
			x.Action, x.Rule, x.Filter = s.kind.String(), e.Rule, s.describe(e.Selector)
		}
	}
	switch n := len(x.Beat); {
	case x.Action == "":
		x.Action, x.Why = actionNoMatch, "no filter matches: the packet passes untouched"
	case winner == nil:
		x.Why = "exemptions go before all filters"
	case n == 0:
		x.Why = "it is the only filter that matches"
	default:
		x.Why = fmt.Sprintf("it is the first in search order of %d filters that match", n+1)
	}
	if winner != nil && winner.rule != dynamicRule {
		x.Why += winner.of.Rules[winner.rule].Action.inClear(d)
	}
	if f.Fragment {
		x.Why += "; a non-first fragment shows no ports, so that filters with ports cannot match it"
	}
	for _, s := range c.all {
		if why := c.why[s]; why != "" && s.selector.Matches(&f) {
			x.Beat = append(x.Beat, Beaten{Rule: s.name, Filter: s.describe(s.selector), Why: why})
		}
	}
	return x
}

// inClear says when a packet of a direction may be in the clear although the action is to negotiate.
func (a FilterAction) inClear(d ipsec.Direction) (why string) {
	switch {
	case d == ipsec.Inbound && a.InPass:
		why = "; in the clear it is accepted (inpass), and an SA with its sender is asked for"
	case d == ipsec.Outbound && a.Soft:
		why = "; a peer that does not answer IKE gets it in the clear, under a soft SA (soft)"
	}
	if d == ipsec.Inbound && a.Soft && !a.InPass {
		why = "; in the clear it is accepted only under a soft SA with its sender (soft), which outbound traffic begins"
	}
	return why
}

// lost says why s is not the one that decides; a nil winner is an exemption.
func (c *Compiled) lost(winner, s *specific) string {
	if winner == nil || s == nil {
		return "exemptions go before all filters"
	}
	return whyLost(winner, s, c.ties)
}

// describe prints a specific filter with the generic one that it comes from; a nil s is an exemption.
func (s *specific) describe(selector ipsec.Selector) string {
	if s == nil {
		return selector.String()
	}
	return fmt.Sprintf("%s (from %s)", selector, s.generic)
}

// String is several lines for people.
func (x Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n", x.Direction, x.Packet, x.Action)
	if x.Rule == "" {
		fmt.Fprintf(&b, "  %s\n", x.Why)
	} else {
		fmt.Fprintf(&b, "  decided by %s: %s\n  because %s\n", x.Rule, x.Filter, x.Why)
	}
	for _, l := range x.Beat {
		fmt.Fprintf(&b, "  not by %s: %s\n    %s\n", l.Rule, l.Filter, l.Why)
	}
	return b.String()
}
