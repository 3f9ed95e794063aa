package policy

import (
	"fmt"
	"strings"
)

// String is several lines for people.
func (x Explanation) String() string {
	var b strings.Builder
	by := ""
	if x.Rule != "" {
		by = ", by " + x.Rule
	}
	fmt.Fprintf(&b, "%s %s: %s%s\n", x.Direction, x.Packet, x.Action, by)
	if len(x.Matches) == 0 {
		fmt.Fprintf(&b, "  %s\n", x.Why)
	}
	for i, m := range x.Matches {
		fmt.Fprintf(&b, "  %d. %s\n", i+1, m)
	}
	for _, m := range x.Elsewhere {
		fmt.Fprintf(&b, "  left out: %s\n", m)
	}
	b.WriteString(x.Now.String())
	return b.String()
}

// String is a few lines, the first of them without the indentation of the others.
func (m Match) String() string {
	var b strings.Builder
	b.WriteString(m.Rule)
	if m.RuleSource != "" {
		fmt.Fprintf(&b, " (%s)", m.RuleSource)
	}
	fmt.Fprintf(&b, ", %s", m.Action)
	if m.Tunnel != "" {
		fmt.Fprintf(&b, ", tunnel to %s", m.Tunnel)
	}
	if m.Place != (Place{}) {
		fmt.Fprintf(&b, ", weight %d", m.Weight)
	}
	fmt.Fprintf(&b, "\n     %s", m.Filter)
	switch {
	case m.FilterSource != "":
		fmt.Fprintf(&b, " (from %s; %s)", m.Generic, m.FilterSource)
	case m.Generic != "":
		fmt.Fprintf(&b, " (from %s)", m.Generic)
	}
	verdict := ""
	if m.Decides {
		verdict = "decides: "
	}
	fmt.Fprintf(&b, "\n     %s%s", verdict, m.Why)
	return b.String()
}

// String is a paragraph that begins with "now".
func (o Outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  now: %s", o.Why)
	if o.Counter != "" {
		fmt.Fprintf(&b, " (counter %s)", o.Counter)
	}
	b.WriteByte('\n')
	if n := o.Negotiation; n != nil {
		limit := ""
		if n.Limit > 0 {
			limit = fmt.Sprintf(" or %d quick modes", n.Limit)
		}
		key := ""
		if n.AuthRule != "" {
			key = " of rule " + n.AuthRule + ", the first that concerns the two"
		}
		fmt.Fprintf(&b, "    main mode of %s with %s: %s, for %s%s; %s%s\n", n.Local, n.Peer, strings.Join(n.MainMode, ", "), n.Lifetime, limit, n.Auth, key)
		pfs := "without perfect forward secrecy"
		if n.PFS {
			pfs = "with perfect forward secrecy"
		}
		fmt.Fprintf(&b, "    quick mode for %s, %s mode, %s: %s\n", n.Selector, n.Mode, pfs, strings.Join(n.QuickMode, ", "))
	}
	for _, then := range o.Then {
		fmt.Fprintf(&b, "    %s\n", then)
	}
	return b.String()
}
