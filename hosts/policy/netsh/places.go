package netsh

import "github.com/ipseclab/ipseclab/hosts/policy"

// Places are the lines of a script that made what a store has. Its Note is the After of
// a Script. What a later line sets stays at the line that made it.
type Places struct {
	store    *Store
	lists    map[*FilterList]*listPlaces
	actions  map[*FilterAction]Line
	policies map[*Policy]Line
	rules    map[*Rule]Line
	dynamic  map[*DynamicRule]Line
	mains    map[*MMPolicy]Line
}

// listPlaces are those of a filter list and of its filters.
type listPlaces struct {
	made    Line
	filters []policy.Filter
	lines   []Line // of filters
}

// NewPlaces is for a store on which no script has been run.
func NewPlaces(s *Store) *Places {
	return &Places{
		store: s,
		lists: map[*FilterList]*listPlaces{}, actions: map[*FilterAction]Line{}, policies: map[*Policy]Line{},
		rules: map[*Rule]Line{}, dynamic: map[*DynamicRule]Line{}, mains: map[*MMPolicy]Line{},
	}
}

// Note looks for what a line has made.
func (p *Places) Note(l Line) {
	s := p.store
	if l.Outcome != Done && l.Outcome != Noted {
		return
	}
	for _, c := range []*Container{&s.Local, &s.Persistent} {
		for _, list := range c.FilterLists {
			if p.lists[list] == nil {
				p.lists[list] = &listPlaces{made: l}
			}
			p.lists[list].note(list.Filters, l)
		}
		noteAll(p.actions, c.FilterActions, l)
		noteAll(p.policies, c.Policies, l)
		for _, x := range c.Policies {
			noteAll(p.rules, x.Rules, l)
		}
	}
	noteAll(p.mains, s.Dynamic.MainModes, l)
	noteAll(p.dynamic, s.Dynamic.Rules, l)
}

func noteAll[T comparable](known map[T]Line, all []T, l Line) {
	for i := len(all) - 1; i >= 0; i-- { // new ones stand at the end
		if _, ok := known[all[i]]; ok {
			return
		}
		known[all[i]] = l
	}
}

// note follows what a line did to the filters of a list: it adds some, or takes some out.
func (p *listPlaces) note(filters []policy.Filter, l Line) {
	if len(filters) >= len(p.filters) {
		for _, f := range filters[len(p.filters):] {
			p.filters, p.lines = append(p.filters, f), append(p.lines, l)
		}
		return
	}
	var lines []Line
	old := 0
	for _, f := range filters {
		for old < len(p.filters) && p.filters[old] != f {
			old++
		}
		if old < len(p.lines) {
			lines = append(lines, p.lines[old])
		} else {
			lines = append(lines, l)
		}
		old++
	}
	p.filters, p.lines = append([]policy.Filter(nil), filters...), lines
}

// Policy is where a policy was made, by the name that Store.Policy and Dynamic.Policies
// give it. ok is false where nothing made it, here and below.
func (p *Places) Policy(name string) (l Line, ok bool) {
	if x, _ := p.find(name); x != nil {
		l, ok = p.policies[x]
		return l, ok
	}
	for _, m := range p.store.Dynamic.MainModes {
		if m.Name == name {
			l, ok = p.mains[m]
		}
	}
	return l, ok
}

// Rule is where a rule of a policy was made, by its place there.
func (p *Places) Rule(name string, rule int) (l Line, ok bool) {
	if x, c := p.find(name); c != nil {
		if rule < len(x.Rules) {
			l, ok = p.rules[x.Rules[rule]]
		}
		return l, ok
	}
	for _, r := range p.store.Dynamic.Rules {
		if r.MainMode == nil || r.MainMode.Name != name {
			continue
		}
		if rule -= len(r.rules()); rule < 0 {
			l, ok = p.dynamic[r]
			return l, ok
		}
	}
	return l, false
}

// Filter is where a filter of a rule's list was added, by its place in the list.
func (p *Places) Filter(name string, rule, filter int) (l Line, ok bool) {
	x, c := p.find(name)
	if c == nil {
		return p.Rule(name, rule)
	}
	if rule >= len(x.Rules) {
		return l, false
	}
	list := p.lists[x.Rules[rule].Filters]
	if list == nil || filter >= len(list.lines) {
		return l, false
	}
	return list.lines[filter], true
}

// Action is where the filter action of a rule was made.
func (p *Places) Action(name string, rule int) (l Line, ok bool) {
	x, c := p.find(name)
	if c == nil {
		return p.Rule(name, rule)
	}
	if rule < len(x.Rules) {
		l, ok = p.actions[x.Rules[rule].Action]
	}
	return l, ok
}

// ListNamed is where the filter list of a name was made, the local one before the persistent one.
func (p *Places) ListNamed(name string) (l Line, ok bool) {
	for _, c := range []*Container{&p.store.Local, &p.store.Persistent} {
		if x := p.lists[c.FilterList(name)]; x != nil {
			return x.made, true
		}
	}
	return l, false
}

// ActionNamed is ListNamed for filter actions.
func (p *Places) ActionNamed(name string) (l Line, ok bool) {
	for _, c := range []*Container{&p.store.Local, &p.store.Persistent} {
		if l, ok = p.actions[c.FilterAction(name)]; ok {
			return l, true
		}
	}
	return l, false
}

// find is the static policy of a name, and where it is; nil if there is none.
func (p *Places) find(name string) (*Policy, *Container) {
	for _, c := range []*Container{&p.store.Local, &p.store.Persistent} {
		if x := c.policyNamed(name); x != nil {
			return x, c
		}
	}
	return nil, nil
}
