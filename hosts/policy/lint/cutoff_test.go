package lint

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Who is cut off by the policy of a server that serves TCP 80, given as "action filter":
// visitor has no policy and serves TCP 7, nt no IPsec and serves nothing, and member the
// policy "theirs"; none is to be named that one-sided names.
func TestWhoIsCutOff(t *testing.T) {
	const visitor, nt = "visitor (no policy)", "nt (no IPsec)"
	rule := "rule p/rule-a cuts off who does not negotiate: "
	idle := "member (policy q has nothing to negotiate about it)"
	for _, c := range []struct {
		policy, theirs string
		want           string // "" for nobody
		pairs          int    // findings of one-sided
	}{
		{policy: "require any me > any", theirs: "require any me > any", want: rule + nt + ", " + visitor},
		{policy: "inpass any me > any", theirs: "require any me > any", want: rule + nt + ", " + visitor},
		{policy: "boundary any me > any", theirs: "require any me > any"},
		// Who falls back reaches others, and is not reached: nt serves nothing.
		{policy: "soft any me > any", theirs: "require any me > any", want: rule + nt},
		{policy: "permit any me > any"},
		{policy: "block any me > any"},
		{policy: "require any me > any; block any me > 10.0.0.3", theirs: "require any me > any", want: rule + nt},
		// Exemptions count, of hosts and of ports.
		{policy: "require any me > any; permit any me > 10.0.0.3", theirs: "require any me > any", want: rule + nt},
		{policy: "require any me > any; permit tcp me > any:7", theirs: "require any me > any", want: rule + nt},
		{policy: "require any me > any; permit tcp any > me:80", theirs: "require any me > any"},
		{policy: "require any me > any; permit tcp any -> me:80", theirs: "require any me > any", want: rule + nt + ", " + visitor}, // no answers
		{policy: "require any me > any; permit icmp me > any", theirs: "require any me > any", want: rule + nt + ", " + visitor},
		// So do rules for ports, if they are for all that is served.
		{policy: "require tcp any > me:80", theirs: "require any me > any", want: rule + nt},
		{policy: "require tcp any > me:25", theirs: "require any me > any"},
		{policy: "require any 10.0.0.0/30 > me", theirs: "require any me > any", want: rule + visitor},
		// Two rules in one finding.
		{
			policy: "require any 10.0.0.0/30 > me; require any 10.0.0.4/30 > me", theirs: "require any me > any",
			want: "rules p/rule-a and p/rule-b cut off who does not negotiate: " + nt + ", " + visitor,
		},
		// A policy is not enough: it has to negotiate about it. Who starts may be the other one.
		{policy: "require any me > any", theirs: "block tcp any > me:23", want: rule + idle + ", " + nt + ", " + visitor},
		{policy: "require any me > any", theirs: "require any me > 10.0.0.9", want: rule + idle + ", " + nt + ", " + visitor},
		{policy: "require any me > any", theirs: "require tcp me > any:80", want: rule + nt + ", " + visitor},
		{policy: "require any me > any", theirs: "response", want: rule + nt + ", " + visitor},
		// What is said of a pair is not said twice.
		{policy: "require any me > 10.0.0.3; require any me > 10.0.0.4", theirs: "response", pairs: 2},
	} {
		p, q := policyOf(t, "p", c.policy), policyOf(t, "q", c.theirs)
		host := func(name string, last byte, policy string) Host {
			h := Host{Name: name, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, last})}, Policy: policy}
			if policy != "" {
				h.Policies = []string{policy}
			}
			return h
		}
		hosts := []Host{host("member", 2, "q"), host("nt", 4, ""), host("router", 6, ""), host("server", 1, "p"), host("visitor", 3, "")}
		hosts[1].NoIPsec, hosts[2].Router = true, true
		hosts[3].Serves, hosts[4].Serves = []Service{{ipsec.ProtoTCP, 80}}, []Service{{ipsec.ProtoTCP, 7}}
		got, pairs := "", 0
		for _, f := range Lint(&Input{Policies: []Policy{{Policy: p, Assigned: true}, {Policy: q, Assigned: true}}, Hosts: hosts}) {
			switch {
			case f.Rule == oneSided:
				pairs++
			case f.Rule == cutOff && strings.Contains(f.Message, " p/"):
				require.Empty(t, got, "%s: one finding for a policy", c.policy)
				got = f.Message
			}
		}
		require.Equal(t, c.want, got, "%s", c.policy)
		require.Equal(t, c.pairs, pairs, "%s", c.policy)
	}
}

// policyOf is a policy in words; "response" is one with the default response rule alone.
func policyOf(t *testing.T, name, words string) *policy.Policy {
	p := &policy.Policy{Name: name}
	switch words {
	case "":
		return p
	case "response":
		p.DefaultResponse = &policy.DefaultResponse{}
		return p
	}
	for i, text := range strings.Split(words, "; ") {
		kind, rest, _ := strings.Cut(text, " ")
		r := secure(t, "rule-"+string(rune('a'+i)), nil, filterOf(t, rest))
		r.Action.Soft, r.Action.InPass = kind == "soft" || kind == "boundary", kind == "inpass" || kind == "boundary"
		switch kind {
		case "permit":
			r.Action = policy.FilterAction{Name: kind, Kind: policy.Permit}
		case "block":
			r.Action = policy.FilterAction{Name: kind, Kind: policy.Block}
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

// A host that only some of those with the policy cut off is named with these.
func TestWhoIsCutOffFromSome(t *testing.T) {
	p := policyOf(t, "p", "require any me > any; permit any 10.0.0.1 > 10.0.0.3")
	addr := func(last byte) []netip.Addr { return []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, last})} }
	var got []string
	for _, f := range Lint(&Input{Policies: []Policy{{Policy: p, Assigned: true}}, Hosts: []Host{
		{Name: "one", Addrs: addr(1), Policy: "p", Policies: []string{"p"}},
		{Name: "two", Addrs: addr(2), Policy: "p", Policies: []string{"p"}},
		{Name: "visitor", Addrs: addr(3)},
	}}) {
		if f.Rule == cutOff {
			got = append(got, f.Message)
		}
	}
	require.Equal(t, []string{"rule p/rule-a cuts off who does not negotiate: visitor (no policy, from two)"}, got)
}
