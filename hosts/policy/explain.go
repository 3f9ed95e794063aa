package policy

import (
	"fmt"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Actions of an Explanation that are not those of a filter action.
const (
	actionExempt  = "exempt"
	actionNoMatch = "no match"
)

// Explanation says what a policy does with one packet, why, and what would happen to
// it now.
type Explanation struct {
	Direction string `json:"direction"` // outbound or inbound
	Packet    string `json:"packet"`
	Action    string `json:"action"`         // permit, block, negotiate, exempt or no match
	Rule      string `json:"rule,omitempty"` // policy/rule, or the name of the exemption; empty with no match
	Why       string `json:"why"`            // why it is that rule, in words

	// Matches are all filters of the direction that the packet fits, in the order of
	// the search: the first decides. Elsewhere are those that it fits and that do not
	// concern the host.
	Matches   []Match `json:"matches"`
	Elsewhere []Match `json:"not_concerning,omitempty"`

	Now Outcome `json:"now"`
}

// Match is a filter that a packet fits.
type Match struct {
	Rule    string `json:"rule"`             // policy/rule, or the name of an exemption
	Action  string `json:"action"`           // permit, block, negotiate or exempt
	Weight  uint64 `json:"weight,omitempty"` // the larger is searched earlier
	Filter  string `json:"filter"`           // the specific filter
	Generic string `json:"generic,omitempty"`
	Tunnel  string `json:"tunnel,omitempty"` // the end of the rule's tunnel
	Decides bool   `json:"decides,omitempty"`
	Why     string `json:"why"` // of the first: why it decides; of the others: what it has that they lack

	// Where rule and filter are written, as file:line. Who knows the file fills it in.
	RuleSource   string `json:"rule_source,omitempty"`
	FilterSource string `json:"filter_source,omitempty"`

	Place Place `json:"-"`
}

// Place is where a filter stands in a policy. The zero value is nowhere: that of
// exemptions and of dynamic filters.
type Place struct {
	Policy string
	Rule   int // in Policy.Rules
	List   string
	Filter int // in FilterList.Filters
}

// Explain finds the filter that decides about a packet, says what it beat, and what
// happens to the packet in the circumstances.
func (c *Compiled) Explain(d ipsec.Direction, f ipsec.Flow, now Circumstances) Explanation {
	x := Explanation{Direction: d.String(), Packet: f.String(), Matches: []Match{}}
	if c.policy == nil {
		x.Action, x.Why = actionNoMatch, "no policy is assigned"
		x.Now = c.outcome(d, f, nil, nil, now)
		return x
	}
	var winner *specific
	var entry *ipsec.Policy
	for i := range c.entries(d) {
		e, s := &c.entries(d)[i], c.plumbed[d][i]
		if !e.Selector.Matches(&f) {
			continue
		}
		m := c.match(s, e.Selector, e.Rule)
		if entry == nil {
			entry, winner = e, s
			m.Decides, x.Action, x.Rule = true, m.Action, m.Rule
		} else {
			m.Why = c.lost(winner, s)
		}
		x.Matches = append(x.Matches, m)
	}
	switch n := len(x.Matches); {
	case entry == nil:
		x.Action, x.Why = actionNoMatch, "no filter matches"
	case winner == nil:
		x.Why = "exemptions go before all filters"
	case n == 1:
		x.Why = "it is the only filter that matches"
	default:
		x.Why = fmt.Sprintf("it is the first in search order of %d filters that match", n)
	}
	if f.Fragment {
		x.Why += "; a non-first fragment shows no ports, so that filters with ports cannot match it"
	}
	if entry != nil {
		x.Matches[0].Why = x.Why
	}
	for _, s := range c.all {
		if why := c.why[s]; why != "" && s.selector.Matches(&f) {
			m := c.match(s, s.selector, s.name)
			m.Why = why
			x.Elsewhere = append(x.Elsewhere, m)
		}
	}
	x.Now = c.outcome(d, f, entry, winner, now)
	return x
}

// match describes a specific filter; a nil s is an exemption.
func (c *Compiled) match(s *specific, selector ipsec.Selector, rule string) Match {
	m := Match{Rule: rule, Filter: selector.String(), Action: actionExempt, Weight: weightOf(s)}
	if s == nil {
		return m
	}
	m.Action, m.Generic = s.kind.String(), s.generic.String()
	if s.rule == dynamicRule {
		m.Generic = s.generic.Description
		return m
	}
	if s.tunnel.IsValid() {
		m.Tunnel = s.tunnel.String()
	}
	p := s.of
	m.Place = Place{Policy: p.Name, Rule: s.rule, List: p.Rules[s.rule].Filters.Name, Filter: s.filter}
	return m
}

// lost says why s is not the one that decides; a nil winner is an exemption.
func (c *Compiled) lost(winner, s *specific) string {
	if winner == nil || s == nil {
		return "exemptions go before all filters"
	}
	return whyLost(winner, s, c.ties)
}
