package lint

import (
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

var fallBack = &Rule{
	ID: "fall-back", Severity: Info, Claims: []string{"C147", "C149"},
	Title: "A filter action falls back to clear",
	Why: "A peer that does not answer IKE is talked to in the clear after three seconds, also where a firewall, a stopped service or a " +
		"policy that was never assigned is the reason. Nothing fails, and so nobody notices.",
	Fix: "Use it (`soft: true`) while IPsec is being rolled out, and for hosts without it; watch the count of soft associations.",
}

var fallBackOnPort = &Rule{
	ID: "fall-back-on-port", Severity: Warning, Claims: []string{"C147", "C003"},
	Title: "The traffic of one application is secured, and may fall back to clear",
	Why:   "A rule for a port is there because of what goes over it. Whoever keeps IKE from being answered gets to see it.",
	Fix:   "Require security for the application (`soft: false`), and permit the hosts that cannot have it by their addresses (`action: permit`).",
}

var boundaryInitiates = &Rule{
	ID: "boundary-initiates", Severity: Info, Claims: []string{"C140", "C152"},
	Title: "A boundary host may initiate connections",
	Why: "It takes what is not secured from anybody, so that it is attacked first. The documents call it possible that such a host " +
		"starts connections of its own, and recommend to prevent those to the isolated hosts where it does not need them.",
	Fix: "Block what it sends first (`action: block`), by a filter that is not mirrored (`mirrored: false`), towards the isolated hosts.",
}

var defaultResponse = &Rule{
	ID: "default-response", Severity: Info, Claims: []string{"C223"},
	Title: "The default response rule is active",
	Why:   "The host negotiates with whoever starts IKE and can authenticate, about any traffic that has no filter.",
	Fix:   "Deactivate it (leave `default-response` out, or in a predefined policy say `active: false` in it) where the policy's own rules are for all peers; the procedures of the interoperability paper do.",
}

func checkFallBack(l *linter) {
	l.rules(func(p place, r *policy.Rule) {
		if r.Action.Kind != policy.Negotiate || !r.Action.Soft {
			return
		}
		if r.Action.InPass {
			if !blocksSome(p.reviewed) {
				l.report(boundaryInitiates, p.ref(WholeRule), "rule %s accepts unsecured communication, and policy %s lets the host initiate it as well", p, p.Name)
			}
		} else {
			l.report(fallBack, p.ref(ActionSoft), "filter action %s falls back to clear with whoever does not answer IKE", r.Action.Name)
		}
		for i, f := range r.Filters.Filters {
			if !r.Action.InPass && (f.SourcePort != 0 || f.DestinationPort != 0) { // a boundary host is for both kinds of clients
				l.report(fallBackOnPort, p.item(RuleFilter, i), "rule %s secures %s, and falls back to clear", p, f)
			}
		}
	})
}

// blocksSome reports whether a policy blocks something in one direction.
func blocksSome(p *reviewed) bool {
	for _, r := range p.Rules {
		oneWay := func(f policy.Filter) bool { return !f.Mirrored }
		if !r.Inactive && r.Action.Kind == policy.Block && slices.ContainsFunc(r.Filters.Filters, oneWay) {
			return true
		}
	}
	return false
}

func checkDefaultResponse(l *linter) {
	for _, p := range l.policies {
		if p.DefaultResponse != nil {
			l.report(defaultResponse, Ref{Part: DefaultResponseRule, Policy: p.Name}, "policy %s answers whoever starts IKE, by %s", p.Name, authWords(p.DefaultResponse.Auth))
		}
	}
}
