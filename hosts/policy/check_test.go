package policy

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func TestCompileErrors(t *testing.T) {
	negotiate := func(change func(*Rule)) Rule {
		r := rule("r", Negotiate, "any me > 10.0.0.2")
		change(&r)
		return r
	}
	v6 := Host(addr("2001:db8::1"))
	one := func(f Filter) Rule {
		r := rule("r", Permit)
		r.Filters.Filters = []Filter{f}
		return r
	}
	for _, c := range []struct {
		policy *Policy
		local  []netip.Addr
		want   string
	}{
		{&Policy{}, nil, "policy: \"\": the policy has no name"},
		{policyOf(), []netip.Addr{addr("10.0.0.1"), addr("10.0.0.1")}, `policy: "p": address 10.0.0.1 of the host is given twice`},
		{policyOf(), []netip.Addr{addr("::ffff:10.0.0.1")}, `policy: "p": ::ffff:10.0.0.1 is an address of the host in another form: write it as it stands in packets`},
		{policyOf(), []netip.Addr{addr("fe80::1%eth0")}, `policy: "p": fe80::1%eth0 is an address of the host in another form: write it as it stands in packets`},
		{policyOf(), []netip.Addr{addr("ff02::1")}, `policy: "p": ff02::1 is not the address of a host`},
		{policyOf(), []netip.Addr{{}}, `policy: "p": invalid IP is not the address of a host`},
		{policyOf(), []netip.Addr{addr("224.0.0.1")}, `policy: "p": 224.0.0.1 is not the address of a host`},
		{policyOf(rule("", Permit, "any me > any")), nil, `policy: "p": rule 1 (""): the rule has no name`},
		{policyOf(rule("r", Permit, "any me > any"), rule("r", Block, "any me > any")), nil, `policy: "p": rule 2 ("r"): rule 1 has the same name: rename one of them`},
		{policyOf(rule("r", Permit)), nil, `policy: "p": rule 1 ("r"): filter list "r list" is empty: the rule would select nothing`},
		{policyOf(rule("r", Permit, "any me > any", "any me > any")), nil, `policy: "p": rule 1 ("r"): filter 2: it repeats filter 1 (any me > any, mirrored)`},
		{policyOf(rule("r", Permit, "any me > 10.0.0.2:80")), nil, `policy: "p": rule 1 ("r"): filter 1: it names a port, but its protocol is any: ports need tcp or udp`},
		{policyOf(rule("r", Permit, "icmp me:8 > 10.0.0.2")), nil, `policy: "p": rule 1 ("r"): filter 1: it names a port, but its protocol is icmp: ports need tcp or udp`},
		{policyOf(rule("r", Kind(7), "any me > any")), nil, `policy: "p": rule 1 ("r"): filter action "kind(7)" is none of permit, block and negotiate`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Methods = nil })), nil, `policy: "p": rule 1 ("r"): filter action "negotiate" negotiates without a security method: add one, such as ESP[3DES,SHA1]`},
		{policyOf(negotiate(func(r *Rule) { r.Auth = nil })), nil, `policy: "p": rule 1 ("r"): unsupported: without an authentication method of its own it authenticates by Kerberos, and there is no domain: add a preshared key or a certificate, or a key that stands in for Kerberos`},
		{policyOf(negotiate(func(r *Rule) { r.Auth = append(r.Auth, r.Auth...) })), nil, `policy: "p": rule 1 ("r"): unsupported: 2 preshared keys, one that stands in for Kerberos included; supported: one per rule`},
		{policyOf(negotiate(func(r *Rule) { r.Auth[0].PreSharedKey = "" })), nil, `policy: "p": rule 1 ("r"): the preshared key is empty`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Kind = Permit })), nil, `policy: "p": rule 1 ("r"): filter action "negotiate" is permit, which has neither security methods nor perfect forward secrecy`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Methods[0].Mode = ipsec.Tunnel })), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: tunnel mode`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Methods[0].Transforms[0].Cipher = "rot13" })), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: encryption "rot13"`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Methods[0].Transforms[0].Auth = "" })), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: integrity ""`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Methods[0].Transforms[0].Cipher = "aes128-gcm16" })), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: encryption "aes128-gcm16" with integrity of its own and "hmac-sha1-96"`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Methods[0].Transforms[0].Protocol = ipsec.AH })), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: AH with encryption "3des-cbc"`},
		{policyOf(negotiate(func(r *Rule) {
			r.Action.Methods[0].Transforms = []ipsec.Transform{{Protocol: ipsec.AH, Auth: "hmac-md4-96"}}
		})), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: integrity "hmac-md4-96"`},
		{policyOf(negotiate(func(r *Rule) {
			ah := ipsec.Transform{Protocol: ipsec.AH, Auth: "hmac-sha1-96"}
			r.Action.Methods[0].Transforms = []ipsec.Transform{ah, ah}
		})), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: AH[hmac-sha1-96]+AH[hmac-sha1-96]:3600s/100000kB is not ESP, AH, or ESP inside AH`},
		{policyOf(negotiate(func(r *Rule) {
			r.Action.Methods[0].Transforms = []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "null"}, {Protocol: ipsec.AH, Auth: "hmac-sha1-96"}}
		})), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: integrity ""`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Methods[0].Lifetime.Duration = time.Millisecond })), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: a lifetime of 1ms: it is sent in whole seconds`},
		{policyOf(negotiate(func(r *Rule) { r.Action.Methods[0].Lifetime.Kilobytes = 1 << 40 })), nil, `policy: "p": rule 1 ("r"): security method 1 of filter action "negotiate": unsupported: a lifetime beyond the 32 bits that IKE sends`},
		{policyOf(one(Filter{Destination: Any()})), nil, `policy: "p": rule 1 ("r"): filter 1: it has no source: use Me, Any, Host or Subnet`},
		{policyOf(one(Filter{Source: Me(), Destination: Host(netip.Addr{})})), nil, `policy: "p": rule 1 ("r"): filter 1: the destination is not an address`},
		{policyOf(one(Filter{Source: v6, Destination: Host(addr("10.0.0.1")), Mirrored: true})), nil, `policy: "p": rule 1 ("r"): filter 1: source 2001:db8::1 and destination 10.0.0.1 are of different address families`},
		{policyOf(rule("r", Permit, "icmp me > 2001:db8::/32")), nil, `policy: "p": rule 1 ("r"): filter 1: it is for IPv6 addresses, and its protocol is icmp: write icmpv6`},
		{policyOf(rule("r", Permit, "icmpv6 10.0.0.9 > me")), nil, `policy: "p": rule 1 ("r"): filter 1: it is for IPv4 addresses, and its protocol is icmpv6: write icmp`},
		{policyOf(rule("r", Permit, "tcp me > [2001:db8::1]:80", "tcp me > [2001:db8::1]:80")), nil, `policy: "p": rule 1 ("r"): filter 2: it repeats filter 1 (tcp me > [2001:db8::1]:80, mirrored)`},
		{&Policy{Name: "p", MainMode: MainMode{Lifetime: 1500 * time.Millisecond}}, nil, `policy: "p": main-mode lifetime 1.5s is not a number of whole seconds`},
		{&Policy{Name: "p", MainMode: MainMode{Lifetime: (1 << 32) * time.Second}}, nil, `policy: "p": main-mode lifetime 1193046h28m16s does not fit the 32 bits of seconds that IKE sends`},
		{&Policy{Name: "p", MainMode: MainMode{QuickModes: -1}}, nil, `policy: "p": -1 quick modes per main mode: the number is 0 (unlimited) or more`},
		{&Policy{Name: "p", MainMode: MainMode{Proposals: []ike.MainModeProposal{{Cipher: "des", Hash: "sha1", Group: 2}}}}, nil, `policy: "p": main-mode proposal 1: unsupported: encryption "des"`},
		{&Policy{Name: "p", MainMode: MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "md4", Group: 2}}}}, nil, `policy: "p": main-mode proposal 1: unsupported: hash "md4"`},
		{&Policy{Name: "p", MainMode: MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 3}}}}, nil, `policy: "p": main-mode proposal 1: unsupported: group 3`},
	} {
		local := c.local
		if local == nil && c.policy.Name != "" {
			local = []netip.Addr{addr("10.0.0.1")}
		}
		_, err := Compile(c.policy, local, Options{})
		require.EqualError(t, err, c.want)
	}
	// a caller that knows the file points at the place
	_, err := Compile(policyOf(rule("r", Permit, "any me > any", "any me > any:1")), []netip.Addr{addr("10.0.0.1")}, Options{})
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, fmt.Sprint(0, 1), fmt.Sprint(e.Rule, e.Filter))
}

func TestAddress(t *testing.T) {
	require.Equal(t, "10.0.0.0/24", Subnet(netip.MustParsePrefix("10.0.0.77/24")).String())
	require.Equal(t, Host(addr("10.0.0.1")), Subnet(netip.MustParsePrefix("10.0.0.1/32")))
	require.Equal(t, Host(addr("10.0.0.1")), Host(addr("::ffff:10.0.0.1")))
	require.Equal(t, Host(addr("2001:db8::1")), Subnet(netip.MustParsePrefix("2001:db8::1/128")))
	require.Equal(t, "0.0.0.0/0", Subnet(netip.MustParsePrefix("0.0.0.0/0")).String(), "all of IPv4 and nothing of IPv6")
	require.Equal(t, "2001:db8::/32", Subnet(netip.MustParsePrefix("2001:db8::1/32")).String())
	require.True(t, Any().IsAny())
	require.True(t, Me().IsMe())
	require.Equal(t, "no address", Address{}.String())
}
