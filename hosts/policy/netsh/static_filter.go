package netsh

import (
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// addFilter adds a filter to a filter list, which is made where there is none, as the
// help of the command says.
func addFilter(s *session, a *args) error {
	name, f := a.name("filterlist"), a.filter(true)
	if a.err != nil {
		return a.err
	}
	c := s.store.current()
	l := c.FilterList(name)
	if l == nil {
		l = &FilterList{Name: name}
		c.FilterLists = append(c.FilterLists, l)
	}
	if !s.adds(l, f) {
		return a.refuse("filterlist", "filter list %q has the filter %s already", l.Name, f)
	}
	l.Filters = append(l.Filters, f)
	return nil
}

// adds reports whether a filter is new to a list, which has it from then on.
func (s *session) adds(l *FilterList, f policy.Filter) bool {
	if s.filters == nil {
		s.filters = map[*FilterList]map[policy.Filter]bool{}
	}
	has := s.filters[l]
	if has == nil {
		has = map[policy.Filter]bool{}
		for _, old := range l.Filters {
			has[key(old)] = true
		}
		s.filters[l] = has
	}
	if has[key(f)] {
		return false
	}
	has[key(f)] = true
	return true
}

// deleteFilter deletes the filters that have all that is given: without more than list
// and addresses, all between those.
func deleteFilter(s *session, a *args) error {
	name, f := a.name("filterlist"), a.filter(false)
	if a.err != nil {
		return a.err
	}
	l := s.store.current().FilterList(name)
	if l == nil {
		return a.refuse("filterlist", "there is no filter list %q", name)
	}
	delete(s.filters, l)
	before := len(l.Filters)
	l.Filters = slices.DeleteFunc(l.Filters, func(other policy.Filter) bool { return a.selects(f, other) })
	if len(l.Filters) == before {
		return a.refuse("filterlist", "filter list %q has no such filter", l.Name)
	}
	return nil
}

// selects reports whether a filter has what the command gives of f.
func (a *args) selects(f, other policy.Filter) bool {
	return f.Source == other.Source && f.Destination == other.Destination &&
		(!a.has("protocol") || f.Protocol == other.Protocol) &&
		(!a.has("mirrored") || f.Mirrored == other.Mirrored) &&
		(!a.has("srcport") || f.SourcePort == other.SourcePort) &&
		(!a.has("dstport") || f.DestinationPort == other.DestinationPort)
}

func addFilterList(s *session, a *args) error {
	name := a.name("name")
	if a.err != nil {
		return a.err
	}
	c := s.store.current()
	if c.FilterList(name) != nil {
		return a.refuse("name", "there is a filter list %q already", name)
	}
	c.FilterLists = append(c.FilterLists, &FilterList{Name: name, Description: a.text("description")})
	return nil
}

func setFilterList(s *session, a *args) error {
	c := s.store.current()
	l, err := pick(a, "filter list", c.existingList)
	if err != nil {
		return err
	}
	name := a.rename(l.Name)
	if other := c.FilterList(name); a.err == nil && other != nil && other != l {
		a.fail("newname", "there is a filter list %q already", name)
	}
	if a.err != nil {
		return a.err
	}
	l.Name = name
	if a.has("description") {
		l.Description = a.text("description")
	}
	return nil
}

// pick is the object that a set command is for, by its name.
func pick[T any](a *args, what string, find func(string) *T) (*T, error) {
	if a.has("guid") {
		return nil, a.unsupported("guid", "the objects of this store have no GUIDs: name the %s", what)
	}
	if !a.has("name") {
		return nil, refuse(a.at, "name= is missing")
	}
	x := find(a.text("name"))
	if x == nil {
		return nil, a.refuse("name", "there is no %s %q", what, a.text("name"))
	}
	return x, nil
}

// rename is the new name, or the old one.
func (a *args) rename(old string) string {
	if a.has("newname") {
		return a.name("newname")
	}
	return old
}

func deleteFilterList(s *session, a *args) error {
	c := s.store.current()
	left, err := remove(a, "filter list", c.FilterLists, c.FilterList, func(l *FilterList) string { return l.Name },
		func(l *FilterList) string { return c.users(func(r *Rule) bool { return r.Filters == l }) })
	c.FilterLists = left
	return err
}

func deleteFilterAction(s *session, a *args) error {
	c := s.store.current()
	left, err := remove(a, "filter action", c.FilterActions, c.FilterAction, func(x *FilterAction) string { return x.Name },
		func(x *FilterAction) string { return c.users(func(r *Rule) bool { return r.Action == x }) })
	c.FilterActions = left
	return err
}

// remove deletes the one that is named, or all; what is in use stays, and that is an error.
func remove[T any](a *args, what string, all []*T, find func(string) *T, name, users func(*T) string) (left []*T, err error) {
	if a.has("all") == a.has("name") {
		return all, refuse(a.at, "it takes name= or all")
	}
	if a.has("all") {
		var stay []string
		left = slices.DeleteFunc(slices.Clone(all), func(x *T) bool {
			if users(x) != "" {
				stay = append(stay, name(x))
				return false
			}
			return true
		})
		if stay != nil {
			err = refuse(a.at, "in use, and still there: %s", strings.Join(stay, ", "))
		}
		return left, err
	}
	x := find(a.text("name"))
	if x == nil {
		return all, a.refuse("name", "there is no %s %q", what, a.text("name"))
	}
	if in := users(x); in != "" {
		return all, a.refuse("name", "%s %q is in use by %s", what, name(x), in)
	}
	return slices.DeleteFunc(slices.Clone(all), func(y *T) bool { return y == x }), nil
}

func addFilterAction(s *session, a *args) error {
	name := a.name("name")
	c := s.store.current()
	if c.FilterAction(name) != nil {
		a.fail("name", "there is a filter action %q already", name)
	}
	x := &FilterAction{FilterAction: policy.FilterAction{Name: name}}
	if a.filterAction(x); a.err != nil {
		return a.err
	}
	c.FilterActions = append(c.FilterActions, x)
	return nil
}

func setFilterAction(s *session, a *args) error {
	c := s.store.current()
	x, err := pick(a, "filter action", c.existingAction)
	if err != nil {
		return err
	}
	next := *x
	next.Name = a.rename(x.Name)
	if other := c.FilterAction(next.Name); other != nil && other != x {
		a.fail("newname", "there is a filter action %q already", next.Name)
	}
	if a.filterAction(&next); a.err != nil {
		return a.err
	}
	*x = next
	return nil
}

// filterAction reads what a filter action is. What only negotiating has is ignored with
// the other actions, as the help says of security methods, and noted.
func (a *args) filterAction(x *FilterAction) {
	if a.has("description") {
		x.Description = a.text("description")
	}
	if a.has("action") || x.Kind == 0 {
		x.Kind = a.kind("action")
	}
	methods := a.securityMethods()
	pfs, inPass, soft := a.yes("qmpfs", x.PFS), a.yes("inpass", x.InPass), a.yes("soft", x.Soft)
	if x.Kind != policy.Negotiate {
		for _, option := range []string{"qmpfs", "inpass", "soft", "qmsecmethods"} {
			if a.has(option) && a.err == nil && !strings.HasPrefix("no", strings.ToLower(a.text(option))) {
				a.note("%s is for action=negotiate, and ignored", option)
			}
		}
		x.PFS, x.InPass, x.Soft, x.Methods = false, false, false, nil
		return
	}
	x.PFS, x.InPass, x.Soft = pfs, inPass, soft
	if methods != nil {
		x.Methods = methods
	}
	if x.Methods == nil {
		x.Methods = DefaultSecurityMethods()
	}
}
