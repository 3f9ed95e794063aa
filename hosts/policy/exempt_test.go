package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// compileFor compiles a policy that blocks everything, for a host of two subnets
// and both families.
func compileFor(t *testing.T, e Exemptions) *Compiled {
	t.Helper()
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("172.16.9.1/22"), netip.MustParsePrefix("2001:db8::1/64")}
	var local []netip.Addr
	for _, p := range prefixes {
		local = append(local, p.Addr())
	}
	c, err := Compile(policyOf(rule("all", Block, "any any > any")), local, Options{Exempt: e, Broadcasts: Broadcasts(prefixes...)})
	require.NoError(t, err)
	return c
}

// C063 to C065: what each value of NoDefaultExempt lets pass a policy that blocks everything.
func TestNoDefaultExempt(t *testing.T) {
	const none = "p/all"
	kerberos := []verdict{
		{out, "udp 10.0.0.1:1025 > 10.0.0.2:88", "exempt", ExemptKerberos}, // to the key distribution center
		{in, "udp 10.0.0.2:88 > 10.0.0.1:1025", "exempt", ExemptKerberos},
		{out, "tcp 10.0.0.1:88 > 10.0.0.2:1025", "exempt", ExemptKerberos}, // from one
		{in, "tcp 10.0.0.2:1025 > 10.0.0.1:88", "exempt", ExemptKerberos},
		{in, "tcp 192.0.2.66:88 > 10.0.0.1:445", "exempt", ExemptKerberos}, // the abuse: any port from port 88
		{in, "udp 192.0.2.66:88 > 10.0.0.1:1434", "exempt", ExemptKerberos},
		{in, "tcp [2001:db8::2]:88 > [2001:db8::1]:445", "exempt", ExemptKerberos},
		{out, "46 10.0.0.1 > 10.0.0.2", "exempt", ExemptRSVP},
		{in, "46 10.0.0.2 > 10.0.0.1", "exempt", ExemptRSVP},
	}
	groups := []verdict{
		{out, "udp 10.0.0.1:520 > 224.0.0.9:520", "exempt", ExemptMulticast},
		{in, "udp 10.0.0.2:520 > 239.255.255.255:520", "exempt", ExemptMulticast},
		{in, "udp [fe80::2]:546 > [ff02::1:2]:547", "exempt", ExemptMulticast},
		{out, "udp 10.0.0.1:137 > 10.0.0.255:137", "exempt", ExemptBroadcast},
		{in, "udp 10.0.0.2:137 > 10.0.0.255:137", "exempt", ExemptBroadcast},
		{in, "udp 172.16.8.9:138 > 172.16.11.255:138", "exempt", ExemptBroadcast},
		{in, "udp 0.0.0.0:67 > 255.255.255.255:68", "exempt", ExemptBroadcast},
	}
	never := []verdict{
		{in, "icmp 10.0.0.2 > 10.0.0.1", "block", none},
		{out, "tcp 10.0.0.1:1025 > 10.0.0.2:80", "block", none},
		{in, "tcp 10.0.0.2:1025 > 10.0.0.1:89", "block", none},
		{in, "132 10.0.0.2 > 10.0.0.1", "block", none},
		{out, "udp 10.0.0.1:137 > 10.0.1.255:137", "block", none}, // the broadcast address of a subnet that is not the host's
		{in, "udp 10.0.0.2:520 > 223.255.255.255:520", "block", none},
	}
	always := []verdict{{in, "udp 10.0.0.2:500 > 10.0.0.1:500", "exempt", ExemptISAKMP}, {out, "udp 10.0.0.1:4500 > 10.0.0.2:4500", "exempt", ExemptISAKMP}}

	for value, exempt := range []struct{ kerberos, groups bool }{{true, true}, {false, true}, {true, false}, {false, false}} {
		e, err := NoDefaultExempt(value)
		require.NoError(t, err)
		c := compileFor(t, e)
		check := func(probes []verdict, passes bool) {
			for _, v := range probes {
				if !passes {
					v.action, v.rule = "block", none
				}
				checkVerdicts(t, c, []verdict{v})
			}
		}
		checkVerdicts(t, c, always)
		checkVerdicts(t, c, never)
		check(kerberos, exempt.kerberos)
		check(groups, exempt.groups)
	}
	for _, value := range []int{-1, 4} {
		_, err := NoDefaultExempt(value)
		require.ErrorContains(t, err, "policy: NoDefaultExempt is 0, 1, 2 or 3")
	}
}

// The other reading of cc756041: what is sent to groups is filtered, what arrives is not.
func TestInboundGroupsExempt(t *testing.T) {
	c := compileFor(t, Exemptions{InboundGroups: true})
	checkVerdicts(t, c, []verdict{
		{out, "udp 10.0.0.1:520 > 224.0.0.9:520", "block", "p/all"},
		{in, "udp 10.0.0.2:520 > 224.0.0.9:520", "exempt", ExemptMulticast},
		{out, "udp 10.0.0.1:137 > 10.0.0.255:137", "block", "p/all"},
		{in, "udp 10.0.0.2:137 > 10.0.0.255:137", "exempt", ExemptBroadcast},
		{in, "udp 10.0.0.2:137 > 10.0.0.1:137", "block", "p/all"},
	})
	ids := map[int]bool{}
	for _, e := range c.Inbound {
		require.False(t, ids[e.ID], "an entry of its own has the ID of %s", e.Rule)
		ids[e.ID] = true
	}
	for _, e := range c.Outbound {
		require.True(t, ids[e.ID], "both directions of %s have one ID", e.Rule)
	}
}

// An exemption beats every filter, also one that wants the same traffic protected,
// and Explain says so.
func TestExemptionsBeatFilters(t *testing.T) {
	e, err := NoDefaultExempt(0)
	require.NoError(t, err)
	p := policyOf(rule("kdc", Negotiate, "udp me > 10.0.0.2:88"))
	c, err := Compile(p, []netip.Addr{addr("10.0.0.1")}, Options{Exempt: e})
	require.NoError(t, err)
	x := c.Explain(ipsec.Outbound, flow("udp 10.0.0.1:1025 > 10.0.0.2:88"), Circumstances{})
	require.Equal(t, "outbound udp 10.0.0.1:1025 > 10.0.0.2:88: exempt, by exempt: kerberos\n"+
		"  1. exempt: kerberos, exempt\n"+
		"     udp any > any:88\n"+
		"     decides: exemptions go before all filters\n"+
		"  2. p/kdc, negotiate, weight 33033111\n"+
		"     udp 10.0.0.1 > 10.0.0.2:88 (from udp me > 10.0.0.2:88, mirrored)\n"+
		"     exemptions go before all filters\n"+
		"  now: it passes untouched, whatever the filters say\n", x.String())

	// Without the exemption the filter decides.
	c, err = Compile(p, []netip.Addr{addr("10.0.0.1")}, Options{})
	require.NoError(t, err)
	require.Equal(t, "negotiate", c.Explain(ipsec.Outbound, flow("udp 10.0.0.1:1025 > 10.0.0.2:88"), Circumstances{}).Action)
}
