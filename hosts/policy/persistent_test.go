package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Which of two policies decides, by the precedence: one packet a line.
func TestPersistentPolicy(t *testing.T) {
	local := policyOf(
		rule("web", Permit, "tcp any > me:80"),
		rule("admin", Permit, "any 10.0.0.9 > me"),
		rule("all", Negotiate, "any any > me"),
	)
	local.MainMode.QuickModes = 1
	persistent := policyOf(rule("worm", Block, "udp any > me:1434"), rule("web", Block, "tcp any > me:80"), rule("all", Permit, "any any > me"))
	persistent.Name, persistent.MainMode.QuickModes = "lockdown", 7
	for _, v := range []struct {
		packet                string
		specific, first, last string
	}{
		{"udp 10.0.0.5:1025 > 10.0.0.1:1434", "lockdown/worm", "lockdown/worm", "p/all"},
		{"udp 10.0.0.9:1025 > 10.0.0.1:1434", "p/admin", "lockdown/worm", "p/admin"}, // the host is more specific
		{"tcp 10.0.0.5:1025 > 10.0.0.1:80", "lockdown/web", "lockdown/web", "p/web"}, // as specific
		{"tcp 10.0.0.5:1025 > 10.0.0.1:81", "lockdown/all", "lockdown/all", "p/all"}, // likewise, although permit goes before negotiate anyway
	} {
		f := flow(v.packet)
		for p, want := range map[Precedence]string{PersistentSpecific: v.specific, PersistentFirst: v.first, PersistentLast: v.last} {
			c, err := CompileBoth(persistent, local, []netip.Addr{addr("10.0.0.1")}, Options{Persistent: p})
			require.NoError(t, err)
			x := c.Explain(ipsec.Inbound, f, Circumstances{})
			require.Equal(t, want, x.Rule, "%s, %s", v.packet, p)
			require.Greater(t, len(x.Matches), 1, v.packet)
			require.NotEmpty(t, x.Matches[1].Why)

			// Each filter brings the main mode of its own policy.
			m, ok := c.MainMode(addr("10.0.0.1"), addr("10.0.0.5"))
			require.True(t, ok)
			require.Equal(t, 1, m.QuickModes)
		}
	}
	alone, err := CompileBoth(persistent, nil, []netip.Addr{addr("10.0.0.1")}, Options{Persistent: PersistentLast})
	require.NoError(t, err)
	require.Equal(t, "lockdown/web", alone.Explain(ipsec.Inbound, flow("tcp 10.0.0.5:1025 > 10.0.0.1:80"), Circumstances{}).Rule)
}
