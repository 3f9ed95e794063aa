package lint

var protectsNothing = &Rule{
	ID: "protects-nothing", Severity: Warning, Claims: []string{"C081"},
	Title: "A policy permits, and neither negotiates nor blocks anything",
	Why:   "What no filter selects passes anyway: the policy is the same as none.",
	Fix:   "Add the rule (`rules`) for what the permitted traffic is to be an exception of.",
}

var unassigned = &Rule{
	ID: "policy-unassigned", Severity: Info, Claims: []string{"C079"}, absence: true,
	Title: "No host gets the policy",
	Why:   "It may be a spare one, or the assignment was forgotten.",
	Fix:   "Assign it (`assignments`), or take it out.",
}

var inactive = &Rule{
	ID: "rule-inactive", Severity: Info,
	Title: "A rule is not active",
	Why:   "It does nothing, and readers may take it for a part of the policy.",
	Fix:   "Activate it (`active: true`), or take it out.",
}

var unusedList = &Rule{
	ID: "filter-list-unused", Severity: Info, absence: true,
	Title: "No rule uses the filter list",
	Why:   "It may be left over, or the rule for it is missing.",
	Fix:   "Add the rule (`rules`), or take the list out (`filter-lists`).",
}

var unusedAction = &Rule{
	ID: "filter-action-unused", Severity: Info, absence: true,
	Title: "No rule uses the filter action",
	Why:   "It may be left over, or the rule for it is missing.",
	Fix:   "Add the rule (`rules`), or take the action out (`filter-actions`).",
}

func checkUse(l *linter) {
	lists, actions := map[string]bool{}, map[string]bool{}
	for _, p := range l.policies {
		active := 0
		for i, r := range p.Rules {
			lists[r.Filters.Name], actions[r.Action.Name] = true, true
			if r.Inactive {
				l.report(inactive, place{p, i}.ref(RuleActive), "rule %s is not active", place{p, i})
			} else {
				active++
			}
		}
		if !p.Assigned {
			l.report(unassigned, Ref{Part: WholePolicy, Policy: p.Name}, "no host gets policy %s", p.Name)
		}
		if active > 0 && !guards(p) && p.DefaultResponse == nil {
			l.report(protectsNothing, Ref{Part: WholePolicy, Policy: p.Name}, "policy %s has nothing but permits, and what no filter selects passes anyway", p.Name)
		}
	}
	for _, name := range l.in.Lists {
		if !lists[name] {
			l.report(unusedList, Ref{Part: FilterList, Name: name}, "no rule uses filter list %s", name)
		}
	}
	for _, name := range l.in.Actions {
		if !actions[name] {
			l.report(unusedAction, Ref{Part: FilterAction, Name: name}, "no rule uses filter action %s", name)
		}
	}
}
