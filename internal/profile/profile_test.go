package profile

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The name of a profile is a word of scenario files, and no two have the same.
func TestNames(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	names := Names()
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(names))), len(names))
	titles := map[string]bool{}
	for _, p := range All() {
		require.Regexp(t, valid, p.Name)
		require.False(t, titles[p.Title], p.Title)
		titles[p.Title] = true
		q, ok := Named(p.Name)
		require.True(t, ok)
		require.Same(t, p, q)
	}
	_, ok := Named("windows")
	require.False(t, ok, "a base is no profile")
}

// Every value has a source and a status, and its key a meaning. What knows IPsec says
// something about everything that the lab acts on but what is of few systems alone.
func TestValues(t *testing.T) {
	few := []string{"main-mode-default", "main-mode-offers", "main-mode-quick-modes", "shorten-main-mode", "main-mode-lifetime", "fall-back-after", "fall-back-on-failure", "sa-idle-time", "firewall", "firewall-on"}
	used := map[string]bool{}
	for _, p := range All() {
		for _, v := range p.Values {
			used[v.Key] = true
			require.NotEmpty(t, v.Source, "%s: %s", p.Name, v.Key)
			require.NotEmpty(t, v.Text, "%s: %s", p.Name, v.Key)
			require.Contains(t, []Status{Fact, Unconfirmed, Choice}, v.Status)
		}
		for _, k := range Keys() {
			require.NotEmpty(t, k.Meaning, k.Name)
			if _, ok := p.Value(k.Name); p.IPsec && k.Acts && !slices.Contains(few, k.Name) {
				require.True(t, ok, "%s says nothing about %s", p.Name, k.Name)
			}
		}
	}
	for _, k := range Keys() {
		require.True(t, used[k.Name], "no profile says anything about %s", k.Name)
	}
}

// What the sources say about the generations of Windows.
func TestWindows(t *testing.T) {
	for _, c := range []struct {
		name    string
		ipsec   bool
		exempt  int
		version string // of the vendor ID
		group14 bool
		domain  bool
		servers bool
		permit  bool
	}{
		{name: "windows-95"}, {name: "windows-98"}, {name: "windows-me"}, {name: "windows-nt4"},
		{"windows-2000-sp1", true, 0, "02", false, true, false, true},
		{"windows-2000-sp2", true, 0, "02", false, true, false, true},
		{"windows-2000-sp3", true, 0, "02", false, true, false, true},
		{"windows-2000-sp4", true, 0, "02", false, true, false, true},
		{"windows-2000-sp4-rollup", true, 0, "02", false, true, false, true},
		{"windows-xp", true, 0, "03", false, true, false, true},
		{"windows-xp-sp1", true, 0, "03", false, true, false, true},
		{"windows-xp-sp2", true, 0, "04", false, true, false, true},
		{"windows-xp-home", true, 0, "03", false, false, false, true},
		{"windows-xp-home-sp1", true, 0, "03", false, false, false, true},
		{"windows-xp-home-sp2", true, 0, "04", false, false, false, true},
		{"windows-2003", true, 3, "04", true, true, true, false},
		{"windows-2003-sp1", true, 3, "04", true, true, true, false},
		{"windows-2003-sp2", true, 3, "04", true, true, true, false},
	} {
		p, ok := Named(c.name)
		require.True(t, ok, c.name)
		require.Equal(t, c.ipsec, p.IPsec, c.name)
		if !c.ipsec {
			require.Empty(t, p.VendorIDs)
			continue
		}
		require.Equal(t, c.exempt, *p.NoDefaultExempt, c.name)
		require.True(t, strings.HasSuffix(p.VendorIDs[0], "000000"+c.version), c.name)
		require.Equal(t, c.group14, slices.Contains(p.MainModeGroups, 14), c.name)
		require.Equal(t, c.domain, slices.Contains(p.Authentication, "kerberos"), c.name)
		require.Equal(t, c.servers, p.ServerFilters, c.name)
		require.Equal(t, c.permit, p.AuthenticationOnPermit, c.name)
		require.Equal(t, "bypass", p.IPv6)
	}
	rollup, _ := Named("windows-2000-sp4-rollup")
	nat, _ := rollup.Value("nat-traversal")
	require.Equal(t, "draft-02n", nat.Text)
	require.False(t, nat.Informational, "hosts take it from there")
	before, _ := Named("windows-2000-sp4")
	nat, _ = before.Value("nat-traversal")
	require.Equal(t, "none", nat.Text)
	require.Equal(t, []string{"main-mode-default", "extended-sequence-numbers", "first-generation", "retransmit", "reliable-delete"}, before.Unsure())
}

// Slips in data files, each planted, so that they are seen to be found.
func TestSlips(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"profiles: {a: {title: A, values: {ipsec: {value: true, status: fact}}}}", "a: ipsec has no source"},
		{"profiles: {a: {title: A, values: {ipsec: {value: true, source: s, status: sure}}}}", `status "sure" is none of`},
		{"profiles: {a: {title: A, values: {ipsex: {value: true, source: s, status: fact}}}}", "nothing is called ipsex"},
		{"profiles: {a: {title: A, values: {}}}", "does not say whether it knows IPsec"},
		{"profiles: {a: {values: {}}}", "it has no title"},
		{"profiles: {a: {title: A, like: b}}", `it is like "b", which there is not`},
		{"profiles: {a: {title: A, like: a}}", "it is like itself"},
		{"profiles: {a: {title: A, value: {}}}", "unknown field"},
		{"profiles: {a: {title: A, values: {ipsec: {value: maybe, source: s, status: fact}}}}", "want true or false, got maybe"},
		{"profiles: {a: {title: A, values: {ipsec: {value: true, source: s, status: fact}, retransmit: {value: [soon], source: s, status: fact}}}}", "want a list of time spans"},
		{"profiles: {a: {title: A, values: {ipsec: {value: true, source: s, status: fact}, vendor-ids: {value: [xy], source: s, status: fact}}}}", "in hexadecimal"},
		{"profiles: {a: {title: A, values: {ipsec: {value: true, source: s, status: fact}, no-default-exempt: {value: 4, source: s, status: fact}}}}", "from 0 to 3"},
		{"profiles: {a: {title: A, values: {ipsec: {value: true, source: s, status: fact}, main-mode-ciphers: {value: [Blowfish], source: s, status: fact}}}}", "want a list of DES"},
		{"profiles: [", "profile: x:"},
	} {
		_, err := parse("x", []byte(c.text))
		require.ErrorContains(t, err, c.want, c.text)
	}
}
