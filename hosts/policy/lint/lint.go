package lint

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Finding is one thing that a rule found.
type Finding struct {
	Position
	Rule    *Rule
	Message string
}

// Severity is that of the rule.
func (f Finding) Severity() Severity { return f.Rule.Severity }

// String is a line such as compilers write, without the fix:
// "file:line:column: severity: message [rule, claims]".
func (f Finding) String() string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	if where != "" {
		where += ": "
	}
	return fmt.Sprintf("%s%s: %s [%s]", where, f.Rule.Severity, f.Message, strings.Join(append([]string{f.Rule.ID}, f.Rule.Claims...), ", "))
}

// Lint reviews. The findings are in the order of the file, each once; those of one
// place are in the order of Rules.
func Lint(in *Input) []Finding {
	l := &linter{in: in}
	for i := range in.Policies {
		l.add(&in.Policies[i])
	}
	for _, check := range []func(*linter){
		checkKeys, checkReuse, checkSeveralAuth, checkCertificates,
		checkMainModeMethods, checkSecurityMethods, checkLifetimes,
		checkPermits, checkOverlaps, checkOneWay, checkMulticast, checkNeverMatches, checkOrder,
		checkTunnels, checkTunnelEnds,
		checkServers, checkRoles, checkExemptions, checkICMP,
		checkFallBack, checkDefaultResponse,
		checkPairs, checkCutOff, checkHosts, checkUse,
	} {
		check(l)
	}
	return Sorted(l.findings)
}

// Sorted are findings in the order of the file, each once.
func Sorted(all []Finding) []Finding {
	order := map[*Rule]int{}
	for i, r := range Rules() {
		order[r] = i
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(order[a.Rule], order[b.Rule]), cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.CompactFunc(all, func(a, b Finding) bool { return a == b })
}

// Merge puts the findings of several inputs together that are variants of one file, such
// as its cells. What a rule finds at one place in several of them is found once, as the
// first has it; that nothing uses a part is found if it is so in all of them.
func Merge(variants [][]Finding) []Finding {
	type spot struct {
		Position
		rule *Rule
	}
	var all []Finding
	first, count := map[spot]int{}, map[spot]int{}
	for i, found := range variants {
		seen := map[spot]bool{}
		for _, f := range found {
			s := spot{f.Position, f.Rule}
			if !seen[s] {
				seen[s] = true
				count[s]++
			}
			if _, known := first[s]; !known {
				first[s] = i
			}
			if first[s] == i {
				all = append(all, f)
			}
		}
	}
	return Sorted(slices.DeleteFunc(all, func(f Finding) bool {
		return f.Rule.absence && count[spot{f.Position, f.Rule}] < len(variants)
	}))
}

// linter is a review under way.
type linter struct {
	in       *Input
	policies []*reviewed
	findings []Finding
}

// reviewed is a policy under review.
type reviewed struct {
	*Policy
	units []*unit // for each host that has it, or one for none that is known
	auth  []int   // by rule: equal numbers are equal ways of authentication
}

// unit is a policy on one host.
type unit struct {
	*reviewed
	host     *Host                   // nil: none is known
	compiled *policy.Compiled        // nil: it does not compile there
	filters  []policy.SpecificFilter // in search order

	all, outbound, inbound searchable       // of filters; both ways all of them, where no host is known
	made                   map[[2]int][]int // by rule and filter: what became of it, by places in filters
}

func (l *linter) add(p *Policy) {
	r := &reviewed{Policy: p}
	numbers := map[string]int{}
	for i := range p.Rules {
		key := authKey(p.Rules[i].Auth)
		if _, ok := numbers[key]; !ok {
			numbers[key] = len(numbers)
		}
		r.auth = append(r.auth, numbers[key])
	}
	l.policies = append(l.policies, r)
	for i := range l.in.Hosts {
		if h := &l.in.Hosts[i]; slices.Contains(h.Policies, p.Name) {
			r.units = append(r.units, newUnit(r, h, h.Addrs, h.Options))
		}
	}
	if r.units == nil {
		r.units = []*unit{newUnit(r, nil, someHost, policy.Options{})}
	}
}

// someHost are the addresses of a host of which nothing is known: of the networks for
// documentation (RFC 5737; RFC 3849), so that no policy is likely to name them.
var someHost = []netip.Addr{netip.MustParseAddr("192.0.2.1")}

func newUnit(r *reviewed, h *Host, addrs []netip.Addr, o policy.Options) *unit {
	u := &unit{reviewed: r, host: h}
	o.KerberosKey = "" // each way of authentication is to stand for itself
	if c, err := policy.Compile(marked(r.Policy.Policy), addrs, o); err == nil {
		u.compiled, u.filters = c, c.SpecificFilters()
	}
	u.prepare()
	return u
}

// marked is a policy in which each list of authentication methods is one preshared key
// that says which they are: it compiles whatever the lab can negotiate, and unit.methods
// finds them again.
func marked(p *policy.Policy) *policy.Policy {
	q := *p
	q.Rules = slices.Clone(p.Rules)
	for i := range q.Rules {
		q.Rules[i].Auth = []policy.AuthMethod{{PreSharedKey: authKey(p.Rules[i].Auth)}}
	}
	if p.DefaultResponse != nil {
		d := *p.DefaultResponse
		d.Auth = []policy.AuthMethod{{PreSharedKey: authKey(d.Auth)}}
		q.DefaultResponse = &d
	}
	return &q
}

// authKey tells lists of authentication methods apart. It holds secrets, and is not for people.
func authKey(auth []policy.AuthMethod) string {
	if len(auth) == 0 {
		auth = []policy.AuthMethod{{Kerberos: true}}
	}
	var parts []string
	for _, a := range auth {
		parts = append(parts, fmt.Sprintf("%t %q %q %d", a.Kerberos, a.RootCA, a.PreSharedKey, a.By))
	}
	return strings.Join(parts, "\n")
}

// authWords are methods for people: "Kerberos, preshared key".
func authWords(auth []policy.AuthMethod) string {
	if len(auth) == 0 {
		return policy.AuthMethod{Kerberos: true}.String()
	}
	var words []string
	for _, a := range auth {
		words = append(words, a.String())
	}
	return strings.Join(words, ", ")
}

// report notes a finding.
func (l *linter) report(r *Rule, at Ref, format string, args ...any) {
	f := Finding{Rule: r, Message: fmt.Sprintf(format, args...)}
	if l.in.Where != nil {
		f.Position = l.in.Where(at)
	}
	l.findings = append(l.findings, f)
}

// place is a rule of a policy.
type place struct {
	*reviewed
	rule int
}

// rules are all active rules of all policies; each calls f.
func (l *linter) rules(f func(p place, r *policy.Rule)) {
	for _, p := range l.policies {
		for i := range p.Rules {
			if r := &p.Rules[i]; !r.Inactive {
				f(place{p, i}, r)
			}
		}
	}
}

// ref is a part of the rule.
func (p place) ref(part Part) Ref { return Ref{Part: part, Policy: p.Name, Rule: p.rule} }

// item is a part of the rule that stands in a list.
func (p place) item(part Part, i int) Ref {
	return Ref{Part: part, Policy: p.Name, Rule: p.rule, Index: i}
}

// String is policy/rule.
func (p place) String() string { return p.Name + "/" + p.Rules[p.rule].Name }

// at is the place of a specific filter.
func (p *reviewed) at(f policy.SpecificFilter) place { return place{p, f.Rule} }

// filter is where the generic filter behind a specific one stands.
func (p *reviewed) filter(f policy.SpecificFilter) Ref {
	return place{p, f.Rule}.item(RuleFilter, f.Filter)
}

// single reports whether an end of a filter is one host: its own, an address, or a name.
func single(a policy.Address) bool {
	switch {
	case a.IsMe(), a.Name() != "":
		return true
	case a.ServerKind() != 0, a.IsAny():
		return false
	}
	return a.Prefix().IsSingleIP()
}

// wide reports whether an end of a filter is every host.
func wide(a policy.Address) bool { return a.IsAny() || a.Prefix().IsValid() && a.Prefix().Bits() == 0 }

// subnet is the prefix of an end that is neither one host nor every host.
func subnet(a policy.Address) (netip.Prefix, bool) {
	p := a.Prefix()
	return p, p.IsValid() && !p.IsSingleIP() && p.Bits() > 0
}

// all reports whether the filter is for all traffic with every host.
func all(f policy.Filter) bool {
	ends := wide(f.Source) && (wide(f.Destination) || f.Destination.IsMe()) || f.Source.IsMe() && wide(f.Destination)
	return ends && f.Protocol == ipsec.ProtoAny
}

// overlap reports whether two selectors have packets in common.
func overlap(a, b ipsec.Selector) bool {
	return ipsOverlap(a.Src, b.Src) && ipsOverlap(a.Dst, b.Dst) &&
		(a.Proto == ipsec.ProtoAny || b.Proto == ipsec.ProtoAny || a.Proto == b.Proto) &&
		portsOverlap(a.SrcPort, b.SrcPort) && portsOverlap(a.DstPort, b.DstPort)
}

func ipsOverlap(a, b netip.Prefix) bool { return !a.IsValid() || !b.IsValid() || a.Overlaps(b) }

func portsOverlap(a, b uint16) bool { return a == 0 || b == 0 || a == b }
