package lint

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// pair are two hosts, by their names or addresses, in order.
type pair [2]string

func (p pair) String() string { return p[0] + " and " + p[1] }

func checkReuse(l *linter) {
	type use struct {
		at    Ref
		who   string
		pairs []pair
	}
	uses := map[string]*use{}
	var keys []string
	for _, p := range l.policies {
		for i := range p.Rules {
			r := &p.Rules[i]
			if r.Inactive || r.Action.Kind != policy.Negotiate {
				continue
			}
			var pairs []pair
			for _, u := range p.units {
				if u.host == nil && len(l.in.Hosts) > 0 {
					continue // nobody has the policy
				}
				pairs = append(pairs, l.pairs(u, r)...)
			}
			for n, a := range r.Auth {
				if a.PreSharedKey == "" || len(pairs) == 0 {
					continue
				}
				k := uses[a.PreSharedKey]
				if k == nil {
					at := place{p, i}
					k = &use{at: at.item(RuleAuth, n), who: at.String()}
					uses[a.PreSharedKey] = k
					keys = append(keys, a.PreSharedKey)
				}
				k.pairs = append(k.pairs, pairs...)
			}
		}
	}
	for _, key := range keys {
		k := uses[key]
		slices.SortFunc(k.pairs, func(a, b pair) int { return slices.Compare(a[:], b[:]) })
		if k.pairs = slices.Compact(k.pairs); len(k.pairs) > 1 {
			l.report(pskReused, k.at, "the preshared key of rule %s serves %d pairs of hosts: %s", k.who, len(k.pairs), list(k.pairs))
		}
	}
}

// list names the first few of many.
func list[T interface{ String() string }](all []T) string {
	const most = 3
	var words []string
	for _, x := range all[:min(len(all), most)] {
		words = append(words, x.String())
	}
	if len(all) > most {
		words = append(words, "…")
	}
	return strings.Join(words, "; ")
}

// pairs are the pairs of hosts that a rule has filters for. Filters for more than one
// pair are a matter of their own.
func (l *linter) pairs(u *unit, r *policy.Rule) (all []pair) {
	me := "the host of " + u.Name
	if u.host != nil {
		me = u.host.Name
	}
	name := func(a policy.Address) string {
		switch {
		case a.IsMe():
			return me
		case a.Name() != "":
			return a.Name()
		}
		return l.hostAt(a.Prefix().Addr())
	}
	for _, f := range r.Filters.Filters {
		if !narrow(f) && !r.Tunnel.IsValid() {
			continue
		}
		p := pair{me, l.hostAt(r.Tunnel)}
		if !r.Tunnel.IsValid() {
			p = pair{name(f.Source), name(f.Destination)}
			if u.host != nil && !slices.Contains(p[:], me) {
				continue // a filter of a shared policy for others
			}
		}
		if p[0] == p[1] {
			continue // to itself, or the end of a tunnel here
		}
		slices.Sort(p[:])
		all = append(all, p)
	}
	return all
}

// hostAt is the name of the host that has an address, or the address.
func (l *linter) hostAt(a netip.Addr) string {
	if h := l.hostOf(a); h != nil {
		return h.Name
	}
	return a.String()
}

// hostOf is the host that has an address; nil if none is known.
func (l *linter) hostOf(a netip.Addr) *Host {
	for i := range l.in.Hosts {
		if h := &l.in.Hosts[i]; slices.Contains(h.Addrs, a) {
			return h
		}
	}
	return nil
}
