package firewall

import (
	"fmt"
	"slices"
	"time"
)

// Config describes a firewall.
type Config struct {
	Inside  []string // names of the segments that are inside
	Rules   []Rule
	Default Action // of what no rule matches; with State: of what the outside begins
	State   *State // nil: each packet is judged by itself
	Inspect []Inspect
}

// Crossing is a packet, or a fragment, on its way.
type Crossing struct {
	Packet   []byte // only read, and during the call alone
	From, To string // segments; "" is the device itself
}

// Verdict is a firewall's. The zero value lets the packet pass.
type Verdict struct {
	Why        string // it ends here, for this reason; "" lets it pass
	Prohibited bool   // its sender is told so
}

// Firewall is a running firewall. The time that it is given never goes back.
type Firewall struct {
	inside   map[string]bool
	rules    []running
	initial  Action
	table    *table
	inspect  []Inspect
	counters Counters
}

// running is a rule with the reason that it gives and how often it decided.
type running struct {
	Rule
	reason string
	hits   uint64
}

// New makes a firewall.
func New(c Config) (*Firewall, error) {
	f := &Firewall{inside: map[string]bool{}}
	for _, s := range c.Inside {
		f.inside[s] = true
	}
	if c.State != nil {
		s, err := c.State.withDefaults()
		if err != nil {
			return nil, fmt.Errorf("firewall: %w", err)
		}
		f.table = newTable(s)
	}
	for i, m := range c.Inspect {
		for _, p := range slices.Concat(m.Source, m.Destination) {
			if !p.IsValid() {
				return nil, fmt.Errorf("firewall: inspection %d: a prefix is invalid", i+1)
			}
		}
	}
	f.inspect = c.Inspect
	return f, f.SetRules(c.Rules, c.Default)
}

// SetRules replaces the list. What was let through before goes on where there is state
// of it; the counts of the rules begin anew.
func (f *Firewall) SetRules(rules []Rule, initial Action) error {
	if int(initial) >= len(actionNames) {
		return fmt.Errorf("firewall: there is no action %d", initial)
	}
	var all []running
	for i, r := range rules {
		if err := r.check(); err != nil {
			return fmt.Errorf("firewall: rule %d: %w", i+1, err)
		}
		name := fmt.Sprintf("rule %d", i+1)
		if r.Name != "" {
			name = fmt.Sprintf("rule %q", r.Name)
		}
		all = append(all, running{Rule: r, reason: name + ": " + r.String()})
	}
	f.rules, f.initial = all, initial
	return nil
}

// SetInspect replaces what it looks into.
func (f *Firewall) SetInspect(all []Inspect) { f.inspect = all }

// Inspects is how many kinds of traffic it looks into.
func (f *Firewall) Inspects() int { return len(f.inspect) }

// Forget drops all states, as a restart does, and says how many there were.
func (f *Firewall) Forget() int {
	if f.table == nil {
		return 0
	}
	old := f.table
	f.table = newTable(old.settings)
	f.table.created, f.table.expired, f.table.evicted, f.table.closed = old.created, old.expired, old.evicted, old.closed+uint64(len(old.byKey))
	return len(old.byKey)
}

// Reasons that are not a rule's.
const (
	noRule       = "no rule permits it"
	unsolicited  = "unsolicited, and no rule permits it"
	unreadable   = "no IP packet"
	tiny         = "its upper-layer header is not whole"
	overlapping  = "a fragment that would overwrite the TCP header"
	unrelated    = "an ICMP error about nothing that is known here"
	orphan       = "a fragment whose first one was not seen, or not let through"
	noConnection = "TCP of no connection that is known here"
)

// Judge decides about a packet.
func (f *Firewall) Judge(now time.Duration, c Crossing) Verdict {
	v := f.judge(now, c)
	switch {
	case v.Why == "":
		f.counters.Passed++
	default:
		f.counters.Dropped++
		if v.Prohibited {
			f.counters.Prohibited++
		}
	}
	return v
}

func (f *Firewall) judge(now time.Duration, c Crossing) Verdict {
	p, ok := Read(c.Packet)
	if !ok {
		return Verdict{Why: unreadable}
	}
	// RFC 1858, Section 3 and RFC 3128, Section 4: no sender makes first fragments
	// without a whole TCP header, nor ones that begin within it, but to have a filter
	// see other flags than the receiver.
	switch {
	case p.Tiny:
		return Verdict{Why: tiny}
	case p.Later && p.Proto == protoTCP && p.Offset < 16:
		return Verdict{Why: overlapping}
	}
	if why := f.uninspectable(&p); why != "" {
		f.counters.Uninspected++
		return Verdict{Why: why}
	}
	from, to := f.side(c.From), f.side(c.To)
	if f.table != nil {
		return f.stateful(now, &p, from, to)
	}
	return f.listed(&p, from, to, f.initial, noRule)
}

// listed asks the rules.
func (f *Firewall) listed(p *Packet, from, to side, initial Action, otherwise string) Verdict {
	for i := range f.rules {
		r := &f.rules[i]
		if !r.matches(p, from, to) {
			continue
		}
		r.hits++
		if r.Action == Permit {
			return Verdict{}
		}
		return Verdict{Why: r.reason, Prohibited: r.Action == Prohibit}
	}
	if initial == Permit {
		return Verdict{}
	}
	return Verdict{Why: otherwise, Prohibited: initial == Prohibit}
}

func (f *Firewall) side(segment string) side {
	return side{segment: segment, inside: segment == "" || f.inside[segment]}
}
