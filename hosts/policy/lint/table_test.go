package lint

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// filterOf reads "tcp me > 10.0.0.1:80", and "->" for one that is not mirrored.
func filterOf(t *testing.T, text string) policy.Filter {
	word := strings.Fields(text)
	require.Len(t, word, 4, text)
	f := policy.Filter{Mirrored: word[2] == ">", Protocol: map[string]uint8{"any": 0, "tcp": 6, "udp": 17, "icmp": 1}[word[0]]}
	end := func(text string) (a policy.Address, port uint16) {
		name, number, _ := strings.Cut(text, ":")
		for _, c := range number {
			port = port*10 + uint16(c-'0')
		}
		switch p, err := netip.ParsePrefix(name); {
		case name == "me":
			return policy.Me(), port
		case name == "any":
			return policy.Any(), port
		case err == nil:
			return policy.Subnet(p), port
		}
		return policy.Host(netip.MustParseAddr(name)), port
	}
	f.Source, f.SourcePort = end(word[1])
	f.Destination, f.DestinationPort = end(word[3])
	return f
}

// What is found about the filters of a policy, given as "action filter" in their order,
// for a host with one address, 10.0.0.9, unless the row says that nothing is known of it.
func TestFilters(t *testing.T) {
	for _, c := range []struct {
		policy  string
		want    string // ids, "" for none
		unknown bool
	}{
		// Answers, and who has to ask for them.
		{policy: "block any me > any; permit icmp me > any; permit tcp me > 10.0.0.1:25"},
		{policy: "block any me > any; permit icmp me > any; permit tcp me -> 10.0.0.1:25", want: "one-way-permit"},
		{policy: "block any me > any; permit icmp me > any; permit tcp me -> 10.0.0.1:25; permit tcp 10.0.0.1:25 -> me"},
		{policy: "block any me > any; permit icmp me > any; permit udp me -> 10.0.0.1:514"},
		{policy: "block tcp any > me:23; permit tcp me -> 10.0.0.1:25"},
		{policy: "negotiate any me -> 10.0.0.1", want: "one-way-negotiate"},
		{policy: "negotiate any me -> 10.0.0.1; negotiate any 10.0.0.1 -> me"},
		{policy: "negotiate any me -> 10.0.0.1; block any 10.0.0.1 -> me", want: "one-way-negotiate"},
		// What comes from a port.
		{policy: "block any me > any; permit icmp me > any; permit tcp me > any:80", want: "permit-source-port"},
		{policy: "block any me > any; permit icmp me > any; permit udp me:68 > any:67"},
		{policy: "block any me > any; permit icmp me > any; permit tcp any > me:80"},
		{policy: "block any me > any; permit icmp me > any; permit tcp any:80 -> me", want: "one-way-permit permit-source-port"},
		{policy: "block tcp any > me:23; permit tcp me > any:80"},
		// Equally specific filters.
		{policy: "block any me > 10.0.0.1; negotiate any 10.0.0.1 > me", want: "undefined-order"},
		{policy: "block any me > 10.0.0.1; block any 10.0.0.1 > me", want: "never-matches"},
		{policy: "negotiate any me > any; permit any any > 10.0.0.1; permit icmp me > any", want: "undefined-order"},
		{policy: "negotiate any me > any; permit any me > 10.0.0.1; permit icmp me > any"},
		{policy: "block tcp any > me:80; negotiate tcp any > me:443"},
		{policy: "block tcp any > me:80; permit tcp me > any:1433", want: ""},
		{policy: "block tcp me > 10.0.0.0/24:80; permit tcp me > 10.0.0.0/24:80", want: "undefined-order"},
		{policy: "block tcp me > 10.0.0.0/24:80; permit tcp me > 10.0.1.0/24:80"},
		{policy: "block any 10.0.0.9 > 10.0.0.1; permit any me > 10.0.0.1", want: "undefined-order"},
		{policy: "block any 10.0.0.9 > 10.0.0.1; permit any me > 10.0.0.1", unknown: true},
		// Filters that never decide.
		{policy: "block any me > 10.0.0.1; permit tcp 10.0.0.2 > 10.0.0.3:80", want: "never-matches"},
		{policy: "block any me > 10.0.0.1; permit tcp 10.0.0.2 > 10.0.0.3:80", unknown: true},
		{policy: "block udp me:500 > 10.0.0.1:500", want: "never-matches"},
		{policy: "block udp me > 10.0.0.1:500"},
		{policy: "block udp me:4500 > any", want: "never-matches"},
		// Exemptions.
		{policy: "negotiate any me > 10.0.0.0/24; permit any me > 10.0.0.5"},
		{policy: "negotiate any me > 10.0.0.0/24; permit any me > 10.0.0.128/25", want: "exempt-subnet exempt-overlap"},
		{policy: "negotiate any me > 10.0.0.0/24; permit any me > 10.0.1.0/24", want: "exempt-subnet"},
		{policy: "negotiate any me > 10.0.0.0/24; permit any me > 10.0.0.0/16", want: "exempt-subnet-wide permit-wider"},
		{policy: "negotiate any me > 10.0.0.5; permit any me > any", want: "permit-wider"},
		{policy: "negotiate any me > 10.0.0.5; permit icmp me > any"},
		{policy: "negotiate any me > 10.0.0.5; permit tcp any > me:80"},
		{policy: "block any me > any; permit icmp me > any; permit any me > 224.0.0.0/4"},
		// All traffic, ICMP and servers.
		{policy: "negotiate any me > any", want: "infrastructure-not-exempt icmp-not-exempt"},
		{policy: "negotiate any any > me", want: "infrastructure-not-exempt icmp-not-exempt"},
		{policy: "negotiate any me > 0.0.0.0/0; permit icmp me > any", want: "infrastructure-not-exempt"},
		{policy: "negotiate tcp me > any"},
		{policy: "block any me > any", want: "icmp-blocked"},
		{policy: "negotiate udp me > 10.0.0.1:53", want: "negotiate-dns"},
		{policy: "negotiate udp me:68 > any:67", want: "negotiate-dhcp"},
		{policy: "negotiate tcp me > 10.0.0.1:88", want: "negotiate-dc"},
		{policy: "negotiate udp me > 239.0.0.1:4001", want: "multicast-negotiated"},
		{policy: "negotiate udp me > 255.255.255.255:4001", want: "multicast-negotiated"},
		{policy: "permit tcp any > me:80", want: "protects-nothing"},
	} {
		var rules []policy.Rule
		for i, text := range strings.Split(c.policy, "; ") {
			kind, rest, _ := strings.Cut(text, " ")
			r := secure(t, "rule-"+string(rune('a'+i)), nil, filterOf(t, rest))
			switch kind {
			case "permit":
				r.Action = policy.FilterAction{Name: "permit", Kind: policy.Permit}
			case "block":
				r.Action = policy.FilterAction{Name: "block", Kind: policy.Block}
			}
			rules = append(rules, r)
		}
		in := &Input{Policies: []Policy{{Policy: &policy.Policy{Name: "p", Rules: rules}, Assigned: true}}}
		if !c.unknown {
			in.Hosts = []Host{{Name: "h", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.9")}, Policy: "p", Policies: []string{"p"}}}
		}
		var ids []string
		for _, f := range Lint(in) {
			if len(ids) == 0 || ids[len(ids)-1] != f.Rule.ID {
				ids = append(ids, f.Rule.ID)
			}
		}
		require.ElementsMatch(t, strings.Fields(c.want), ids, "%s: %v", c.policy, ids)
	}
	require.Equal(t, "tcp me > 10.0.0.1:80", filterOf(t, "tcp me -> 10.0.0.1:80").String())
	require.Equal(t, ipsec.ProtoUDP, filterOf(t, "udp me > any").Protocol)
}
