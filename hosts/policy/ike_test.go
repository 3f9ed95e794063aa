package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func TestMainMode(t *testing.T) {
	subnet, host := rule("subnet", Negotiate, "any me > 10.0.0.0/24"), rule("host", Negotiate, "tcp me > 10.0.0.2:445")
	inbound := rule("inbound", Negotiate, "tcp 10.0.5.5 > me:22 once")
	subnet.Auth[0].PreSharedKey, host.Auth[0].PreSharedKey = "subnet key", "host key"
	p := policyOf(subnet, host, inbound, rule("clear", Permit, "any me > 10.0.6.0/24"), rule("far", Negotiate, "any 10.9.0.1 > 10.9.0.2"))
	c := compile(t, p, "10.0.0.1")
	me := addr("10.0.0.1")
	for _, v := range []struct {
		local, remote netip.Addr
		key           string
	}{
		{me, addr("10.0.0.3"), "subnet key"},
		// C117: the more specific rule gives its key to all traffic of the pair
		{me, addr("10.0.0.2"), "host key"},
		// a one-way inbound filter is enough to answer
		{me, addr("10.0.5.5"), psk},
		{me, addr("10.0.6.1"), ""},
		{me, addr("10.7.0.1"), ""},
		{addr("10.9.0.1"), addr("10.9.0.2"), ""},
		{addr("10.0.0.9"), addr("10.0.0.3"), ""},
		{netip.Addr{}, netip.Addr{}, ""},
	} {
		mm, ok := c.MainMode(v.local, v.remote)
		require.Equal(t, v.key != "", ok, "%v", v)
		if ok {
			require.Equal(t, v.key, string(mm.Auth[0].PreSharedKey))
			require.Equal(t, DefaultMainModeProposals(), mm.Proposals)
			require.Equal(t, 8*time.Hour, mm.Lifetime)
			require.Zero(t, mm.QuickModes)
		}
	}
	p.MainMode = MainMode{Proposals: []ike.MainModeProposal{{Cipher: "aes128-cbc", Hash: "sha256", Group: 14}}, Lifetime: time.Minute, QuickModes: 1}
	mm, ok := compile(t, p, "10.0.0.1").MainMode(me, addr("10.0.0.3"))
	require.True(t, ok)
	require.Equal(t, ike.MainMode{Proposals: p.MainMode.Proposals, Auth: []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte("subnet key")}}, Lifetime: time.Minute, QuickModes: 1}, mm)
}

func TestQuickMode(t *testing.T) {
	sql := rule("sql", Negotiate, "tcp 10.0.0.20 > 10.0.0.10:1433")
	sql.Action.PFS = true
	c := compile(t, policyOf(
		sql, rule("rest", Block, "any me > 10.0.0.0/24"), rule("ping", Permit, "icmp me > 10.1.0.5"),
		rule("pair", Negotiate, "any me > 10.1.0.5"), rule("in", Negotiate, "udp 10.2.0.1 > me:53 once"),
	), "10.0.0.10")
	sel := func(s string) ipsec.Selector {
		f := filter(s)
		return ipsec.Selector{Src: f.Source.Prefix(), Dst: f.Destination.Prefix(), Proto: f.Protocol, SrcPort: f.SourcePort, DstPort: f.DestinationPort}
	}
	for _, v := range []struct{ outbound, rule string }{
		{"tcp 10.0.0.10:1433 > 10.0.0.20", "p/sql"},      // equal
		{"tcp 10.0.0.10:1433 > 10.0.0.20:1025", "p/sql"}, // narrower
		{"tcp 10.0.0.10 > 10.0.0.20", ""},                // wider than the filter: the block decides
		{"any 10.0.0.10 > 10.0.0.20", ""},                //
		{"tcp 10.0.0.10:1433 > 10.0.0.21", ""},           // blocked
		{"tcp 10.0.0.10 > 10.3.0.1", ""},                 // no rule
		{"tcp any > any", ""},                            //
		{"tcp 10.0.0.0/24:1433 > 10.0.0.20", ""},         // not this host alone
		{"any 10.0.0.10 > 10.1.0.5", "p/pair"},           // the permit of ICMP holds only a part of it
		{"tcp 10.0.0.10:1 > 10.1.0.5:2", "p/pair"},       //
		{"icmp 10.0.0.10 > 10.1.0.5", ""},                // permitted
		{"udp 10.0.0.10:53 > 10.2.0.1", "p/in"},          // negotiated inbound only
		{"udp 10.0.0.10:500 > 10.1.0.5:500", ""},         // exempt
	} {
		qm, ok := c.QuickMode(sel(v.outbound).Dst.Addr(), sel(v.outbound))
		require.Equal(t, v.rule != "", ok, "%s", v.outbound)
		require.Equal(t, v.rule, qm.Rule, "%s", v.outbound)
		if ok {
			require.NotZero(t, qm.PolicyID)
			require.NotEmpty(t, qm.Proposals)
		}
		require.Equal(t, v.rule == "p/sql", qm.PFS)
	}
}

// A tunnel's far end gets the key of the rule that sends to it, and nobody else does.
// A tunnel that ends here, of which no rule says where it begins, is anybody's, after all
// other rules.
func TestTunnelsInIKE(t *testing.T) {
	out, back := rule("out", Negotiate, "any me > 10.2.0.0/16 once"), rule("back", Negotiate, "any 10.2.0.0/16 > me once")
	out.Tunnel, back.Tunnel = addr("192.0.2.2"), addr("10.0.0.1")
	other := rule("other", Negotiate, "any me > 10.0.0.7")
	out.Auth, back.Auth, other.Auth = []AuthMethod{{PreSharedKey: "out"}}, []AuthMethod{{PreSharedKey: "back"}}, []AuthMethod{{PreSharedKey: "other"}}
	c := compile(t, policyOf(out, back, other), "10.0.0.1", "10.5.0.1")
	_, ok := c.MainMode(addr("10.0.0.1"), addr("203.0.113.9"))
	require.False(t, ok, "the tunnel begins elsewhere")
	alone := rule("alone", Negotiate, "any 10.3.0.0/16 > me once")
	alone.Tunnel, alone.Auth = addr("10.0.0.1"), []AuthMethod{{PreSharedKey: "alone"}}
	c = compile(t, policyOf(out, back, alone, other), "10.0.0.1", "10.5.0.1")
	for remote, key := range map[string]string{"192.0.2.2": "out", "10.0.0.7": "other", "203.0.113.9": "alone"} {
		m, ok := c.MainMode(addr("10.0.0.1"), addr(remote))
		require.True(t, ok)
		require.Equal(t, key, string(m.Auth[0].PreSharedKey), remote)
	}
	_, ok = c.MainMode(addr("10.5.0.1"), addr("203.0.113.9"))
	require.False(t, ok, "no tunnel ends at the other address")

	s := ipsec.Selector{Src: ipsec.Host(addr("10.0.0.1")), Dst: netip.MustParsePrefix("10.2.0.0/16")}
	q, ok := c.QuickMode(addr("192.0.2.2"), s)
	require.True(t, ok)
	require.Equal(t, ipsec.Tunnel, q.Proposals[0].Mode)
	_, ok = c.QuickMode(addr("192.0.2.3"), s)
	require.False(t, ok, "the tunnel is for its far end alone")
	for _, e := range c.Outbound {
		if e.Peer.IsValid() {
			require.Equal(t, addr("10.0.0.1"), e.Local, "where the rule for the other direction ends: %s", e.Selector)
		}
	}
}
