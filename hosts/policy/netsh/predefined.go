package netsh

import (
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// Windows brings along policies, filter lists and filter actions, by the names of which
// scripts go: set policy name="Server (Request Security)" assign=yes. A store has them as
// soon as a command names them and there is nothing of that name, so that scripts that
// make their own "All IP Traffic" are not refused (a lab rule).

// existing are the lookups of commands for what there is, the predefined included.
func (c *Container) existingPolicy(name string) *Policy {
	if p := c.policyNamed(name); p != nil {
		return p
	}
	if title := predefined(name, policy.PredefinedPolicies()); title != "" {
		return c.restorePolicy(title, c.existingList, c.existingAction)
	}
	return nil
}

func (c *Container) existingList(name string) *FilterList {
	if l := c.FilterList(name); l != nil {
		return l
	}
	if title := predefined(name, policy.PredefinedFilterLists()); title != "" {
		return c.restoreList(title)
	}
	return nil
}

func (c *Container) existingAction(name string) *FilterAction {
	if a := c.FilterAction(name); a != nil {
		return a
	}
	if title := predefined(name, policy.PredefinedFilterActions()); title != "" {
		return c.restoreAction(title)
	}
	return nil
}

// predefined is the name that Windows shows for what is meant; "" for others.
func predefined(name string, of []string) string {
	for _, known := range of {
		if title := policy.PredefinedTitle(known); strings.EqualFold(name, title) {
			return title
		}
	}
	return ""
}

// restoreList, restoreAction and restorePolicy make a predefined object as Windows has
// it, in place of what has its name.
func (c *Container) restoreList(title string) *FilterList {
	list, _ := policy.PredefinedFilterList(title)
	l := c.FilterList(title)
	if l == nil {
		l = &FilterList{}
		c.FilterLists = append(c.FilterLists, l)
	}
	*l = FilterList{Name: title, Description: l.Description, Filters: list.Filters}
	return l
}

func (c *Container) restoreAction(title string) *FilterAction {
	action, _ := policy.PredefinedFilterAction(title)
	action.Name = title
	a := c.FilterAction(title)
	if a == nil {
		a = &FilterAction{}
		c.FilterActions = append(c.FilterActions, a)
	}
	*a = FilterAction{Description: a.Description, FilterAction: action}
	return a
}

func (c *Container) restorePolicy(title string, listOf func(string) *FilterList, actionOf func(string) *FilterAction) *Policy {
	model, _ := policy.Predefined(title)
	p := c.policyNamed(title)
	if p == nil {
		p = &Policy{}
		c.Policies = append(c.Policies, p)
	}
	*p = Policy{Name: title, Assigned: p.Assigned, MainMode: model.MainMode, Polling: model.Polling}
	if d := model.DefaultResponse; d != nil {
		p.Default = DefaultRule{true, *d}
	}
	for _, r := range model.Rules {
		list, action := policy.PredefinedTitle(r.Filters.Name), policy.PredefinedTitle(r.Action.Name)
		p.Rules = append(p.Rules, &Rule{
			Name: list, Description: r.Description, Filters: listOf(list), Action: actionOf(action), Auth: slices.Clone(r.Auth),
			Tunnel: r.Tunnel, Connections: r.Connections, Inactive: r.Inactive,
		})
	}
	return p
}

// restoreExamples makes all predefined objects as they were.
func restoreExamples(s *session, a *args) error {
	a.word("release", "", "win2k", "win2003")
	if a.err != nil {
		return a.err
	}
	c := s.store.current()
	s.filters = nil // of lists that are made anew
	for _, name := range policy.PredefinedFilterLists() {
		c.restoreList(policy.PredefinedTitle(name))
	}
	for _, name := range policy.PredefinedFilterActions() {
		c.restoreAction(policy.PredefinedTitle(name))
	}
	for _, name := range policy.PredefinedPolicies() {
		c.restorePolicy(policy.PredefinedTitle(name), c.FilterList, c.FilterAction)
	}
	a.note("the security methods of the examples are the lab's choice: those of Windows are not published")
	return nil
}
