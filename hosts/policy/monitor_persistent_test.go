package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// The monitor shows the rules and filters of both policies, whichever has more, each
// with the authentication of its own.
func TestMonitorOfTwoPolicies(t *testing.T) {
	short := policyOf(rule("all", Negotiate, "any me > any"))
	long := &Policy{Name: "persistent", Rules: []Rule{
		rule("ping", Permit, "icmp any > me"), rule("web", Block, "tcp any > me:80"), rule("mail", Negotiate, "tcp any > me:25"),
	}}
	for _, both := range [][2]*Policy{{long, short}, {short, long}} {
		c, err := CompileBoth(both[0], both[1], []netip.Addr{addr("10.0.0.1")}, Options{})
		require.NoError(t, err)
		m := c.Monitor()
		require.Equal(t, both[1].Name, m.Name)
		var rules, generic []string
		for _, r := range m.Rules {
			rules = append(rules, r.Policy+"/"+r.Name)
		}
		for _, f := range m.QuickModeGeneric {
			generic = append(generic, f.Rule)
		}
		require.ElementsMatch(t, []string{"p/all", "persistent/ping", "persistent/web", "persistent/mail"}, rules)
		require.Equal(t, rules, generic)
		require.NotEmpty(t, m.MainModeSpecific)
	}
}
