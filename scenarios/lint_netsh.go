package scenarios

import (
	"errors"
	"maps"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy/lint"
	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// LintScript reviews what a script of netsh makes. Nothing is known of hosts, so that a
// script that assigns none of its policies is taken for one that leaves it to another.
// Lines that are refused are the error: the policy would be another than its author meant.
func LintScript(script netsh.Script, o LintOptions) ([]Finding, error) {
	store := &netsh.Store{}
	places := netsh.NewPlaces(store)
	config := scriptConfig{store: store}
	script.After = func(l netsh.Line) {
		places.Note(l)
		config.note(l)
	}
	var mistakes []error
	for _, l := range store.Run(script).Refused() {
		text := script.Text
		if l.File != script.Name {
			text = ""
		}
		mistakes = append(mistakes, scriptError(l.File, text, l, l.Reason))
	}
	if mistakes != nil {
		return nil, errors.Join(mistakes...)
	}
	in := &lint.Input{Settings: config.settings(), Where: func(r lint.Ref) lint.Position {
		switch r.Part {
		case lint.HostNoDefaultExempt:
			return linePosition(config.exempt)
		case lint.HostBootMode:
			return linePosition(config.boot)
		}
		return scriptPosition(places, r)
	}}
	assigned := false
	for _, c := range []*netsh.Container{&store.Local, &store.Persistent} {
		for _, p := range c.Policies {
			assigned = assigned || p.Assigned
		}
		for _, list := range c.FilterLists {
			in.Lists = append(in.Lists, list.Name)
		}
		for _, action := range c.FilterActions {
			in.Actions = append(in.Actions, action.Name)
		}
	}
	for _, c := range []*netsh.Container{&store.Local, &store.Persistent} {
		for _, p := range c.Policies {
			in.Policies = append(in.Policies, lint.Policy{Policy: c.Policy(p.Name), Domain: o.Domain, Assigned: p.Assigned || !assigned})
		}
	}
	for _, p := range store.Dynamic.Policies() {
		in.Policies = append(in.Policies, lint.Policy{Policy: p, Domain: o.Domain, Assigned: true})
	}
	return lint.Lint(in), nil
}

// scriptPosition is the line of a script that made a part of a policy.
func scriptPosition(places *netsh.Places, r lint.Ref) lint.Position {
	var l netsh.Line
	var ok bool
	switch r.Part {
	case lint.WholeRule, lint.RuleAuth, lint.RuleTunnel, lint.RuleConnections, lint.RuleActive:
		l, ok = places.Rule(r.Policy, r.Rule)
	case lint.RuleFilter:
		l, ok = places.Filter(r.Policy, r.Rule, r.Index)
	case lint.RuleAction, lint.ActionMethod, lint.ActionPFS, lint.ActionSoft:
		l, ok = places.Action(r.Policy, r.Rule)
	case lint.FilterList:
		l, ok = places.ListNamed(r.Name)
	case lint.FilterAction:
		l, ok = places.ActionNamed(r.Name)
	}
	if !ok {
		l, _ = places.Policy(r.Policy)
	}
	return linePosition(l)
}

func linePosition(l netsh.Line) lint.Position {
	return lint.Position{File: l.File, Line: l.Line, Column: l.Column}
}

// scriptConfig follows what a script sets of the host's configuration, and where.
type scriptConfig struct {
	store        *netsh.Store
	had          netsh.Config
	exempt, boot netsh.Line
}

func (c *scriptConfig) note(l netsh.Line) {
	now := c.store.Config
	if now.Exempt != c.had.Exempt {
		c.exempt = l
	}
	if now.BootMode != c.had.BootMode {
		c.boot = l
	}
	c.had = now
}

// settings are what lint has to know of it.
func (c *scriptConfig) settings() *lint.Host {
	h := &lint.Host{Name: "the host", NoDefaultExempt: 3}
	if exempt, ok := c.store.Config.Exemptions(); ok {
		h.Options.Exempt, h.NoDefaultExempt = exempt, *c.store.Config.Exempt
	}
	h.OpenAtBoot = c.store.Config.BootMode == netsh.BootPermit && c.store.Persistent.Assigned() == nil
	return h
}

// scriptPlaces are the places of policies of a scenario that scripts make, by the
// scenario's names, with the names that the scripts have for them.
type scriptPlaces map[string]struct {
	places *netsh.Places
	name   string
}

func placesOf(s *spec.Scenario) scriptPlaces {
	all := scriptPlaces{}
	for _, name := range slices.Sorted(maps.Keys(s.Policies)) {
		p := s.Policies[name]
		if p.Netsh == "" {
			continue
		}
		store := &netsh.Store{}
		places := netsh.NewPlaces(store)
		store.Run(netsh.Script{Name: s.ScriptFile(p), Text: p.Script, After: places.Note})
		if found, reason := chosen(store, p.From, name); reason == "" {
			entry := all[name]
			entry.places, entry.name = places, found.Name
			all[name] = entry
		}
	}
	return all
}
