package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What an administrator finds: three policies, each with an active default response rule,
// which authenticate by Kerberos (C004, C091), and their lists and actions (C151).
func TestPredefined(t *testing.T) {
	type rule struct {
		kind         Kind
		inpass, soft bool
	}
	for _, c := range []struct {
		name, title string
		rules       map[string]rule
	}{
		{"client-respond-only", "Client (Respond Only)", map[string]rule{}},
		{"server-request-security", "Server (Request Security)", map[string]rule{
			"all-ip-traffic": {Negotiate, true, true}, "all-icmp-traffic": {Permit, false, false},
		}},
		{"secure-server-require-security", "Secure Server (Require Security)", map[string]rule{
			"all-ip-traffic": {Negotiate, true, false}, "all-icmp-traffic": {Permit, false, false},
		}},
	} {
		p, ok := Predefined(c.name)
		require.True(t, ok, c.name)
		same, ok := Predefined(c.title)
		require.True(t, ok, c.title)
		require.Equal(t, p, same)
		require.Equal(t, c.title, p.Description)
		require.NotNil(t, p.DefaultResponse)
		require.Empty(t, p.DefaultResponse.Auth)
		got := map[string]rule{}
		for _, r := range p.Rules {
			require.Empty(t, r.Auth)
			got[r.Name] = rule{r.Action.Kind, r.Action.InPass, r.Action.Soft}
		}
		require.Equal(t, c.rules, got, c.name)

		_, err := Compile(p, []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Options{KerberosKey: "one domain"})
		require.NoError(t, err)
		if len(p.Rules) > 0 { // changing one does not change the next
			p.Rules[0].Action.Methods[0].Transforms[0].Cipher = "null"
			again, _ := Predefined(c.name)
			require.Equal(t, same, again)
		}
	}
	_, ok := Predefined("server")
	require.False(t, ok)
	_, ok = PredefinedFilterList("all")
	require.False(t, ok)
	_, ok = PredefinedFilterAction("deny")
	require.False(t, ok)
	require.Empty(t, PredefinedTitle("deny"))
}

// ICMP is more specific than all of IP, so that a server permits it.
func TestPredefinedServerVerdicts(t *testing.T) {
	local, peer := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, name := range []string{ServerRequestSecurity, SecureServerRequireSecurity} {
		p, _ := Predefined(name)
		c, err := Compile(p, []netip.Addr{local}, Options{KerberosKey: "one domain"})
		require.NoError(t, err)
		for proto, rule := range map[uint8]string{ipsec.ProtoICMP: "all-icmp-traffic", ipsec.ProtoTCP: "all-ip-traffic", 46: "all-ip-traffic"} {
			f := ipsec.Flow{Src: local, Dst: peer, Proto: proto}
			require.Equal(t, name+"/"+rule, c.Explain(ipsec.Outbound, f, Circumstances{}).Rule)
			require.Equal(t, name+"/"+rule, c.Explain(ipsec.Inbound, f.Reverse(), Circumstances{}).Rule)
		}
	}
}
