package swan

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

func TestFirst(t *testing.T) {
	m, err := policy.ParseSecurityMethod("ESP[3DES,SHA1]")
	require.NoError(t, err)
	p := &policy.Policy{Name: "p", Rules: []policy.Rule{{
		Name: "Secure Web", Auth: []policy.AuthMethod{{PreSharedKey: "s3cret"}},
		Filters: policy.FilterList{Name: "f", Filters: []policy.Filter{{Source: policy.Me(), Destination: policy.Host(netip.MustParseAddr("10.0.0.2")), Protocol: 6, DestinationPort: 80, Mirrored: true}}},
		Action:  policy.FilterAction{Name: "a", Kind: policy.Negotiate},
	}}}
	p.Rules[0].Action.Methods = append(p.Rules[0].Action.Methods, m)
	c, err := peerconf.Build(peerconf.Host{Policy: p, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}})
	require.NoError(t, err)
	conf, err := Build(c, Native)
	require.NoError(t, err)
	t.Log("\n" + string(conf.Files()["swanctl.conf"]))
	t.Log("\n" + Daemon{Kind: LibIPsec}.Text())
}
