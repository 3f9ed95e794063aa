package lint

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var (
	server = netip.MustParseAddr("10.0.0.53")
	lan    = netip.MustParsePrefix("10.0.0.0/16")
)

func method(t require.TestingT, text string) ipsec.Proposal {
	p, err := policy.ParseSecurityMethod(text)
	require.NoError(t, err)
	return p
}

// secure is a rule that negotiates.
func secure(t require.TestingT, name string, auth []policy.AuthMethod, filters ...policy.Filter) policy.Rule {
	return policy.Rule{
		Name: name, Filters: policy.FilterList{Name: name, Filters: filters}, Auth: auth,
		Action: policy.FilterAction{Name: "secure", Kind: policy.Negotiate, Methods: []ipsec.Proposal{method(t, "ESP[3DES,SHA1]")}},
	}
}

// review is what is found in one policy of which nothing else is known.
func review(rules ...policy.Rule) (ids []string, messages []string) {
	found := Lint(&Input{Policies: []Policy{{Policy: &policy.Policy{Name: "p", Rules: rules}, Assigned: true}}})
	for _, f := range found {
		ids, messages = append(ids, f.Rule.ID), append(messages, f.String())
	}
	return ids, messages
}

// Policies that the lab cannot negotiate are reviewed all the same.
func TestWhatDoesNotCompileIsReviewed(t *testing.T) {
	kerberosOrKey := []policy.AuthMethod{{Kerberos: true}, {PreSharedKey: "Kd7vQ2mXz9wLpT4rBn8sHy3cF"}}
	sql := policy.Filter{Source: policy.Me(), Destination: policy.Host(server), Protocol: ipsec.ProtoTCP, DestinationPort: 1433, Mirrored: true}
	ids, messages := review(secure(t, "sql", kerberosOrKey, sql))
	require.Equal(t, []string{"port-several-auth"}, ids)
	require.Equal(t, []string{
		"error: rule p/sql has filters with protocols or ports and 2 ways of authentication: Kerberos, preshared key [port-several-auth, C117]",
	}, messages)

	ca := func(name string) []policy.AuthMethod { return []policy.AuthMethod{{RootCA: name}} }
	rest := policy.Filter{Source: policy.Me(), Destination: policy.Host(server), Mirrored: true}
	ids, _ = review(secure(t, "sql", ca("CN=One"), sql), secure(t, "rest", ca("CN=One"), rest))
	require.Empty(t, ids)
	ids, _ = review(secure(t, "sql", ca("CN=One"), sql), secure(t, "rest", ca("CN=Two"), rest))
	require.Equal(t, []string{"port-several-auth"}, ids)
}

// Filters name servers by their kind, which no scenario has to say.
func TestServersByKind(t *testing.T) {
	for kind, want := range map[policy.ServerKind]string{policy.DNSServers: "negotiate-dns", policy.DHCPServers: "negotiate-dhcp"} {
		f := policy.Filter{Source: policy.Me(), Destination: policy.Servers(kind), Mirrored: true}
		ids, _ := review(secure(t, "servers", nil, f))
		require.Equal(t, []string{want}, ids, kind)
		permit := secure(t, "servers", nil, f)
		permit.Action = policy.FilterAction{Name: "permit", Kind: policy.Permit}
		ids, _ = review(permit, secure(t, "lan", nil, policy.Filter{Source: policy.Me(), Destination: policy.Subnet(lan), Mirrored: true}))
		require.Empty(t, ids, kind)
	}
}

// A name is one host; who it is need not be known.
func TestNames(t *testing.T) {
	key := []policy.AuthMethod{{PreSharedKey: "Kd7vQ2mXz9wLpT4rBn8sHy3cF"}}
	to := func(name string) policy.Filter {
		return policy.Filter{Source: policy.Me(), Destination: policy.DNSName(name), Mirrored: true}
	}
	ids, _ := review(secure(t, "one", key, to("one.example")))
	require.Empty(t, ids)
	ids, messages := review(secure(t, "one", key, to("one.example")), secure(t, "two", key, to("two.example")))
	require.Equal(t, []string{"psk-reused"}, ids)
	require.Contains(t, messages[0], "the preshared key of rule p/one serves 2 pairs of hosts: one.example and the host of p; the host of p and two.example")
}

// Of a tunnel the end may follow the settings of the host.
func TestTunnelToTheGateway(t *testing.T) {
	out := secure(t, "out", nil, policy.Filter{Source: policy.Subnet(lan), Destination: policy.Servers(policy.DefaultGateways)})
	back := secure(t, "back", nil, policy.Filter{Source: policy.Servers(policy.DefaultGateways), Destination: policy.Subnet(lan)})
	out.Tunnel, back.Tunnel = netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")
	ids, _ := review(out, back)
	require.Equal(t, []string{"tunnel-dynamic", "tunnel-dynamic"}, ids)
	out.Connections = policy.RemoteAccess
	ids, _ = review(out, back)
	require.Equal(t, []string{"tunnel-dynamic", "tunnel-dynamic", "tunnel-dynamic"}, ids)
}

// Findings of variants of one file: what one has is found, what nobody uses only if all say so.
func TestMerge(t *testing.T) {
	at := Position{File: "f", Line: 3, Column: 1}
	one := []Finding{{at, des, "first"}, {at, unusedList, "no rule uses it"}}
	two := []Finding{{at, des, "second"}, {Position{File: "f", Line: 1, Column: 1}, md5, "there"}}
	require.Equal(t, []Finding{two[1], one[0]}, Merge([][]Finding{one, two}))
	require.Equal(t, one[:1], Merge([][]Finding{one, {}}))
	require.Equal(t, one, Merge([][]Finding{one, one}))
	require.Empty(t, Merge(nil))
}

// No policy makes the review panic, and the same input gives the same findings.
func TestReviewOfRandomPolicies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.SampledFrom([]policy.Address{
			policy.Me(), policy.Any(), policy.Host(server), policy.Subnet(lan), policy.DNSName("a.example"),
			policy.Servers(policy.WINSServers), policy.Subnet(netip.MustParsePrefix("2001:db8::/32")), policy.Host(netip.MustParseAddr("239.1.2.3")), {},
		})
		var rules []policy.Rule
		for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
			r := policy.Rule{Name: string(rune('a' + i)), Inactive: rapid.IntRange(0, 5).Draw(t, "inactive") == 0}
			for range rapid.IntRange(0, 3).Draw(t, "filters") {
				f := policy.Filter{Source: end.Draw(t, "source"), Destination: end.Draw(t, "destination"), Mirrored: rapid.Bool().Draw(t, "mirrored")}
				f.Protocol = rapid.SampledFrom([]uint8{0, ipsec.ProtoTCP, ipsec.ProtoUDP, ipsec.ProtoICMP}).Draw(t, "protocol")
				f.DestinationPort = rapid.SampledFrom([]uint16{0, 53, 88, 500}).Draw(t, "port")
				r.Filters.Filters = append(r.Filters.Filters, f)
			}
			r.Action.Kind = rapid.SampledFrom([]policy.Kind{policy.Permit, policy.Block, policy.Negotiate, 0}).Draw(t, "kind")
			r.Action.Soft = rapid.Bool().Draw(t, "soft")
			r.Action.Methods = []ipsec.Proposal{method(t, "ESP[DES,MD5]:0k/0s"), {Lifetime: ipsec.Lifetime{Duration: time.Second}}}
			r.Auth = rapid.SampledFrom([][]policy.AuthMethod{nil, {{}}, {{PreSharedKey: "short"}}, {{RootCA: "CN=x"}, {Kerberos: true}}}).Draw(t, "auth")
			if rapid.IntRange(0, 3).Draw(t, "tunnel") == 0 {
				r.Tunnel = server
			}
			rules = append(rules, r)
		}
		p := Policy{Policy: &policy.Policy{Name: "p", Rules: rules}}
		host := Host{Name: "h", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Policy: "p", Policies: []string{"p"}}
		peer := Host{Name: "i", Addrs: []netip.Addr{server}, Policy: "p", Policies: []string{"p"}, Serves: []Service{{ipsec.ProtoUDP, 53}}}
		in := &Input{Policies: []Policy{p}, Hosts: []Host{host, peer}}
		found := Lint(in)
		require.Equal(t, found, Lint(in))
		for _, f := range Lint(&Input{Policies: []Policy{p}}) {
			require.NotEmpty(t, f.Message)
		}
	})
}
