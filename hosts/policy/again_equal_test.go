package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of an edited policy the rules that say what they said keep their IDs, and no other
// entry gets one that was in use.
func TestKeepEqual(t *testing.T) {
	local := []netip.Addr{addr("10.0.0.1")}
	before := policyOf(rule("a", Negotiate, "tcp me > 10.0.0.2:80"), rule("b", Negotiate, "tcp me > 10.0.0.2:81"), rule("c", Permit, "tcp me > 10.0.0.2:82"))
	after := policyOf(rule("new", Block, "tcp me > 10.0.0.3:80"), rule("a", Negotiate, "tcp me > 10.0.0.2:80"), rule("b", Negotiate, "tcp me > 10.0.0.2:81"))
	after.Rules[2].Action.PFS = true
	was, err := Compile(before, local, Options{})
	require.NoError(t, err)
	is, err := Compile(after, local, Options{})
	require.NoError(t, err)
	is.KeepEqual(was)
	id := func(c *Compiled, name string) int {
		for i, e := range c.Outbound {
			if e.Rule == "p/"+name {
				for _, in := range c.Inbound {
					if in.Rule == e.Rule {
						require.Equal(t, c.Outbound[i].ID, in.ID, "both ways")
					}
				}
				return e.ID
			}
		}
		return 0
	}
	require.Equal(t, id(was, "a"), id(is, "a"))
	require.False(t, is.Has(id(was, "b")), "another action")
	require.False(t, is.Has(id(was, "c")), "gone")
	for _, name := range []string{"b", "new"} {
		require.False(t, was.Has(id(is, name)), name)
	}
}
