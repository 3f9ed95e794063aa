package policy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/profile"
)

func systemNamed(t *testing.T, name string) *profile.Profile {
	t.Helper()
	p, ok := profile.Named(name)
	require.True(t, ok, name)
	return p
}

// compileOn compiles a policy for a host with an operating system.
func compileOn(t *testing.T, p *Policy, name string) (*Compiled, error) {
	t.Helper()
	return Compile(p, []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Options{KerberosKey: "one domain", System: systemNamed(t, name)})
}

// systemPolicy secures all traffic with a peer.
func systemPolicy(mainMode, methods []string, auth ...AuthMethod) *Policy {
	p := &Policy{Name: "p", Rules: []Rule{{
		Name: "all", Auth: auth, Action: FilterAction{Name: "secure", Kind: Negotiate, Methods: parsed(methods)},
		Filters: FilterList{Name: "all", Filters: []Filter{{Source: Host(netip.MustParseAddr("192.0.2.1")), Destination: Any(), Mirrored: true}}},
	}}}
	for _, m := range mainMode {
		offer, err := ParseMainModeMethod(m)
		if err != nil {
			panic(err)
		}
		p.MainMode.Proposals = append(p.MainMode.Proposals, offer)
	}
	return p
}

var key = AuthMethod{PreSharedKey: "as long as a preshared key should be"}

// What a system does not know is left out, with the number of MS-ERREF, and the rest is
// offered: Windows 2000 without the group of 2048 bits, none of the three with AES.
func TestSystemPrunes(t *testing.T) {
	local, remote := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, c := range []struct {
		system string
		groups []uint16
		cipher string // of the first method
		codes  []int
	}{
		{"windows-2000-sp4", []uint16{2}, "3des-cbc", []int{13024, 13025}},
		{"windows-xp-sp2", []uint16{2}, "3des-cbc", []int{13024, 13025}},
		{"windows-2003-sp1", []uint16{14, 2}, "3des-cbc", []int{13025}},
		{"solaris-10", []uint16{2}, "aes128-cbc", []int{13024}},
	} {
		p := systemPolicy([]string{"3DES-SHA1-3", "3DES-SHA1-2"}, []string{"ESP[AES128,SHA1]", "ESP[3DES,SHA1]"}, key)
		compiled, err := compileOn(t, p, c.system)
		require.NoError(t, err, c.system)
		var codes []int
		for _, w := range compiled.Pruned() {
			codes = append(codes, w.Code)
		}
		require.Equal(t, c.codes, codes, c.system)
		mm, ok := compiled.MainMode(local, remote)
		require.True(t, ok)
		var groups []uint16
		for _, offer := range mm.Proposals {
			groups = append(groups, offer.Group)
		}
		require.Equal(t, c.groups, groups, c.system)
		qm, ok := compiled.QuickMode(remote, ipsec.Selector{Src: ipsec.Host(local), Dst: ipsec.Host(remote)})
		require.True(t, ok)
		require.Equal(t, c.cipher, qm.Proposals[0].Transforms[0].Cipher, c.system)
		require.Len(t, p.MainMode.Proposals, 2, "the policy itself stays as it is")
	}
	compiled, err := compileOn(t, systemPolicy([]string{"3DES-SHA1-3", "3DES-SHA1-2"}, []string{"ESP[3DES,SHA1]"}, key), "windows-2000-sp4")
	require.NoError(t, err)
	require.Equal(t, "13024: offers of main mode are not known here and left out: 3DES-SHA1-3", compiled.Pruned()[0].String())
}

// A default that a system does not know is no offer of the policy that it leaves out.
func TestSystemPrunesDefaults(t *testing.T) {
	compiled, err := compileOn(t, systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, key), "solaris-10")
	require.NoError(t, err)
	mm, ok := compiled.MainMode(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"))
	require.True(t, ok)
	require.Len(t, mm.Proposals, 1)
	require.EqualValues(t, 2, mm.Proposals[0].Group)
	require.Empty(t, compiled.Pruned())
}

// What a system cannot do at all is a mistake in the policy for it.
func TestSystemRefuses(t *testing.T) {
	from := func(change func(*Policy)) *Policy {
		p := systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, key)
		change(p)
		return p
	}
	filter := func(change func(*Filter)) *Policy {
		return from(func(p *Policy) { change(&p.Rules[0].Filters.Filters[0]) })
	}
	permit := func(auth ...AuthMethod) *Policy {
		return from(func(p *Policy) {
			p.Rules = append(p.Rules, Rule{
				Name: "icmp", Auth: auth, Action: FilterAction{Name: "permit", Kind: Permit},
				Filters: FilterList{Name: "icmp", Filters: []Filter{{Source: Me(), Destination: Any(), Protocol: 1, Mirrored: true}}},
			})
		})
	}
	for _, c := range []struct {
		system string
		policy *Policy
		want   string // "": it compiles
	}{
		{"windows-98", from(func(*Policy) {}), "Windows 98 does not know IPsec"},
		{"windows-2000-sp4", systemPolicy([]string{"3DES-SHA1-3"}, []string{"ESP[3DES,SHA1]"}, key), "knows none of the offers of main mode: 3DES-SHA1-3"},
		{"windows-2003-sp1", systemPolicy(nil, []string{"ESP[AES128,SHA1]"}, key), `knows none of the security methods of filter action "secure": ESP[AES128,SHA1]`},
		{"solaris-9", systemPolicy(nil, []string{"ESP[AES128,SHA1]"}, key), ""},
		{"freeswan", systemPolicy([]string{"DES-MD5-1"}, []string{"ESP[3DES,SHA1]"}, key), "knows none of the offers of main mode"},
		{"freeswan", systemPolicy([]string{"3DES-MD5-5"}, []string{"ESP[3DES,SHA1]"}, key), ""},
		{"hp-ux", systemPolicy([]string{"3DES-MD5-2", "3DES-SHA1-2"}, []string{"ESP[3DES,SHA1]"}, key), "at most 1 offer of main mode, and the policy has 2"},
		{"hp-ux", from(func(*Policy) {}), ""},
		{"hp-ux", filter(func(f *Filter) { f.Mirrored = false }), "mirrored filters alone"},
		{"racoon", filter(func(f *Filter) { f.Mirrored = false }), ""},
		{"racoon", filter(func(f *Filter) { f.Source = Me() }), `no "me" in filters`},
		{"windows-xp", filter(func(f *Filter) { f.Source = Me() }), ""},
		{"windows-xp-sp2", filter(func(f *Filter) { f.Destination = Servers(DNSServers) }), "no filters for the servers"},
		{"windows-2003", filter(func(f *Filter) { f.Destination = Servers(DNSServers) }), ""},
		{"aix", from(func(p *Policy) { p.Rules[0].Action.Soft = true }), "cannot fall back to clear"},
		{"aix", from(func(p *Policy) { p.Rules[0].Action.InPass = true }), "cannot accept unsecured communication"},
		{"aix", from(func(p *Policy) { p.DefaultResponse = &DefaultResponse{} }), "no default response rule"},
		{"windows-2000-sp4", from(func(p *Policy) { p.DefaultResponse = &DefaultResponse{} }), ""},
		{"aix", from(func(p *Policy) { p.Rules[0].Auth = nil }), "cannot authenticate by Kerberos"},
		{"windows-xp-home", from(func(p *Policy) { p.Rules[0].Auth = nil }), "cannot authenticate by Kerberos"},
		{"windows-xp", from(func(p *Policy) { p.Rules[0].Auth = nil }), ""},
		{"racoon", from(func(p *Policy) { p.Rules[0].Auth = nil }), ""},
		{"windows-2003", systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, AuthMethod{RootCA: "CN=r"}), "the host has no store of them"},
		{"windows-2003", systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, AuthMethod{RootCA: "CN=r", By: ike.DSSSignature}),
			`cannot authenticate by certificate of root authority "CN=r", by DSS signatures, as filter action "secure" wants; it has kerberos and certificates and psk`},
		{"windows-2003", systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, AuthMethod{RootCA: "CN=r", By: ike.RSAEncryption}), "by Encryption with RSA"},
		{"solaris-10", systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, AuthMethod{RootCA: "CN=r", By: ike.DSSSignature}), "the host has no store of them"},
		{"solaris-10", systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, AuthMethod{RootCA: "CN=r", By: ike.RevisedRSAEncryption}), "by Revised encryption with RSA"},
		{"sonicwall", from(func(*Policy) {}), "no transport mode"},
		{"aix", from(func(p *Policy) { p.Rules[0].Inactive, p.Rules[0].Auth = true, nil }), ""},
		{"windows-xp-sp2", permit(), "need the authentication of those that negotiate, and this one has another than all"},
		{"windows-xp-sp2", permit(key), ""},
		{"windows-2003-sp1", permit(), ""},
	} {
		_, err := compileOn(t, c.policy, c.system)
		if c.want == "" {
			require.NoError(t, err, c.system)
		} else {
			require.ErrorContains(t, err, c.want, c.system)
		}
	}
}

// A policy that says nothing of main mode has what the system offers then.
func TestSystemDefaults(t *testing.T) {
	local, remote := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	compiled, err := compileOn(t, systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, key), "hp-ux")
	require.NoError(t, err)
	mm, _ := compiled.MainMode(local, remote)
	require.Len(t, mm.Proposals, 1)
	require.Equal(t, "md5", mm.Proposals[0].Hash)
	require.Equal(t, 100, mm.QuickModes)
	for _, p := range profile.All() {
		for _, word := range p.MainModeDefault {
			_, err := ParseMainModeMethod(word)
			require.NoError(t, err, p.Name)
		}
		if p.IPsec {
			known, _ := system{Profile: p}.mainModes(system{Profile: p}.defaults(MainMode{}).proposals())
			require.NotEmpty(t, known, "%s knows nothing of what a policy offers by default", p.Name)
		}
	}
}

// Kerberos works between computers of Windows, and of other systems with racoon alone (C106).
func TestKerberosIsOfWindows(t *testing.T) {
	for _, s := range profile.All() {
		if s.Group != "others" {
			continue
		}
		p := systemPolicy(nil, []string{"ESP[3DES,SHA1]"}, AuthMethod{Kerberos: true})
		if !slices.Contains(s.Modes, "transport") {
			p.Rules[0].Tunnel = netip.MustParseAddr("192.0.2.2")
		}
		_, err := compileOn(t, p, s.Name)
		if s.Name != "racoon" {
			require.ErrorContains(t, err, s.Title)
			require.ErrorContains(t, err, "cannot authenticate by Kerberos")
			continue
		}
		require.NoError(t, err)
	}
}

// Each Windows with IPsec takes the predefined policies, but for XP Home, which has no Kerberos (C125).
func TestSystemPredefined(t *testing.T) {
	for _, s := range profile.All() {
		for _, name := range PredefinedPolicies() {
			p, _ := Predefined(name)
			_, err := compileOn(t, p, s.Name)
			knowsKerberos := s.Group == "windows" && s.IPsec && len(s.Authentication) == 3
			if knowsKerberos {
				require.NoError(t, err, "%s on %s", name, s.Name)
			} else {
				require.Error(t, err, "%s on %s", name, s.Name)
			}
		}
	}
}

// Methods of the first generation of AH and ESP take a setting, whatever the system; extended
// sequence numbers a system that has them.
func TestGenerations(t *testing.T) {
	modern, _ := profile.Named("windows-2003-sp1")
	for _, row := range []struct {
		name    string
		words   []string
		options Options
		left    []string // of the words
		pruned  []string
		mistake string
	}{
		{"no setting, no system", []string{"AH[KPDK]", "ESP[3DES,SHA1]"}, Options{}, []string{"ESP[3DES,SHA1]"}, []string{"AH[KPDK]"}, ""},
		{"nothing is left", []string{"AH[KPDK]", "ESP[DES-IV32]"}, Options{}, nil, nil,
			"has methods of the first generation of AH and ESP alone, which the host does not know (first-generation): AH[KPDK] ESP[DES-IV32]"},
		{"with the setting", []string{"AH[KPDK]", "ESP[3DES,SHA1]"}, Options{FirstGeneration: true}, []string{"AH[KPDK]", "ESP[3DES,SHA1]"}, nil, ""},
		{"with the setting, on Windows", []string{"ESP[DES-IV64]", "AH[SHA1]+ESP[DES-IV32]"}, Options{FirstGeneration: true, System: modern},
			[]string{"ESP[DES-IV64]", "AH[SHA1]+ESP[DES-IV32]"}, nil, ""},
		{"on Windows", []string{"ESP[DES-IV64]", "ESP[3DES,SHA1]"}, Options{System: modern}, []string{"ESP[3DES,SHA1]"}, []string{"ESP[DES-IV64]"}, ""},
		{"extended numbers", []string{"ESP[3DES,SHA1,ESN]", "ESP[3DES,SHA1]"}, Options{}, []string{"ESP[3DES,SHA1,ESN]", "ESP[3DES,SHA1]"}, nil, ""},
		{"extended numbers on Windows", []string{"ESP[3DES,SHA1,ESN]", "ESP[3DES,SHA1]"}, Options{System: modern},
			[]string{"ESP[3DES,SHA1]"}, []string{"ESP[3DES,SHA1,ESN]"}, ""},
		{"modern ciphers on Windows", []string{"ESP[AES128-CCM8]", "AH[AES128-XCBC]", "AH[SHA1]"}, Options{System: modern},
			[]string{"AH[SHA1]"}, []string{"ESP[AES128-CCM8]", "AH[AES128-XCBC]"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			compiled, err := Compile(negotiatePolicy(t, row.words...), []netip.Addr{netip.MustParseAddr("192.0.2.1")}, row.options)
			if row.mistake != "" {
				require.ErrorContains(t, err, row.mistake)
				return
			}
			require.NoError(t, err)
			var left []string
			for _, e := range compiled.Outbound {
				for _, m := range e.Proposals {
					word, ok := FormatSecurityMethod(m)
					require.True(t, ok)
					word, _, _ = strings.Cut(word, ":")
					left = append(left, word)
				}
			}
			require.Equal(t, row.left, left)
			var pruned []string
			for _, p := range compiled.Pruned() {
				pruned = append(pruned, p.Offers...)
			}
			require.Equal(t, row.pruned, pruned)
		})
	}
}

// negotiatePolicy demands one of the methods of all that the host does with another.
func negotiatePolicy(t *testing.T, words ...string) *Policy {
	var methods []ipsec.Proposal
	for _, word := range words {
		m, err := ParseSecurityMethod(word)
		require.NoError(t, err)
		methods = append(methods, m)
	}
	return &Policy{Name: "p", Rules: []Rule{{
		Name: "r", Filters: FilterList{Name: "f", Filters: []Filter{{Source: Me(), Destination: Host(netip.MustParseAddr("192.0.2.2"))}}},
		Action: FilterAction{Name: "a", Kind: Negotiate, Methods: methods}, Auth: []AuthMethod{{PreSharedKey: "a key of some length, made up"}},
	}}}
}
