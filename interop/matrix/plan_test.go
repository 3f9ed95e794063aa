package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func texts(cells []Cell) (all []string) {
	for _, c := range cells {
		all = append(all, c.String())
	}
	return all
}

func TestLoad(t *testing.T) {
	all := load(t, cases(""))
	// 5 scenarios; lab with itself, and with three daemons both ways under three drivers
	require.Len(t, all, 5*(1+3*2*3))
	require.Equal(t, []string{
		"main_psk:lab→lab@virtual",
		"main_psk:lab→strongswan-5.9@uml", "main_psk:lab→strongswan-5.9@container", "main_psk:lab→strongswan-5.9@namespace",
		"main_psk:strongswan-5.9→lab@uml",
	}, texts(all[:5]))
	c := all[19]
	require.Equal(t, "main_suites/des:lab→lab@virtual", c.String())
	require.Equal(t, "main_suites,des@lab-to-lab@virtual", c.Name())
	require.Equal(t, "Main mode: des", c.Title)
	require.Equal(t, DefaultLimit, c.Limit)
	require.Len(t, c.Hash, 32)
	require.NotEqual(t, all[0].Hash, c.Hash)
	require.Empty(t, c.Unsupported)
	require.False(t, c.CI)
}

func TestConfig(t *testing.T) {
	all := load(t, cases(`
limit: 20s
pairs: [lab→lab, lab->strongswan-5.9, strongswan-5.9→lab]
without:
  - {cases: ["rekey_*"], drivers: [container, namespace], reason: the kernel counts no packets there}
cases:
  main_suites:
    tags: [main-mode, suites]
    limit: 45s
    ci: ["main_suites/3des:*"]
    pairs: [strongswan-5.9→strongswan-5.9]
    without:
      - {cells: [des], systems: [strongswan-5.9], roles: [responder], reason: it has no DES}
  main_psk:
    ci: ["*"]
    only: [ike-scan→lab]
`))
	by := map[string]Cell{}
	for _, c := range all {
		by[c.String()] = c
	}
	require.Len(t, all, 3+3*(1+3*3)+(1+2*3))
	require.Equal(t, []string{"main_psk:ike-scan→lab@uml", "main_psk:ike-scan→lab@container", "main_psk:ike-scan→lab@namespace"}, texts(all[:3]))
	require.True(t, by["main_psk:ike-scan→lab@uml"].CI)
	require.Equal(t, 20*time.Second, by["main_psk:ike-scan→lab@uml"].Limit)
	require.Equal(t, 45*time.Second, by["main_suites/des:lab→lab@virtual"].Limit)
	require.Equal(t, []string{"main-mode", "suites"}, by["main_suites/des:lab→lab@virtual"].Tags)
	for text, want := range map[string]string{
		"main_suites/des:lab→strongswan-5.9@uml":            "it has no DES",
		"main_suites/des:strongswan-5.9→strongswan-5.9@uml": "it has no DES",
		"main_suites/des:strongswan-5.9→lab@uml":            "",
		"main_suites/3des:lab→strongswan-5.9@uml":           "",
		"rekey_quick:lab→strongswan-5.9@container":          "the kernel counts no packets there",
		"rekey_quick:lab→strongswan-5.9@uml":                "",
	} {
		c, ok := by[text]
		require.True(t, ok, text)
		require.Equal(t, want, c.Unsupported, text)
	}
	ci := Filter{CI: true}.Select(all)
	require.Len(t, ci, 3+10)
	require.Equal(t, []string{"main-mode", "suites"}, Tags(all))
}

func TestConfigMistakes(t *testing.T) {
	for _, tc := range []struct{ config, want string }{
		{"cases:\n  main_pks: {}", `2:3: there is no case file main_pks.yaml; did you mean "main_psk"?`},
		{"cases: { main_psk: { tag: [x] } }", `1:22: unknown key "tag"; did you mean "tags"?`},
		{"case: {}", `1:1: unknown key "case"; did you mean "cases"?`},
		{"cases: { main_psk: { tags: [ok, \"a b\"] } }", `1:33: tags[1]: want one word, got "a b"`},
		{"cases: { main_psk: { limit: -1s } }", `1:29: limit: a time span cannot be negative, got "-1s"`},
		{"limit: 0s", "1:8: limit: within no time no cell ends"},
		{"limit: soon", `1:8: limit: want a time span with its unit, such as 500ms, 3s or 8h, got "soon"`},
		{"pairs: [lab]", `1:9: pairs[0]: want a pair of systems, initiator→responder, got "lab"`},
		{"pairs: [lab→racoon]", `1:9: pairs[0]: want a pair of the systems lab, strongswan-5.9, strongswan-6.0, libreswan, openiked, ike-scan, got "lab→racoon"`},
		{"pairs: [lab→ike-scan]", `1:9: pairs[0]: ike-scan asks, and never answers, got "lab→ike-scan"`},
		{"pairs: [lab→lab, lab->lab]", "1:18: lab→lab is there twice"},
		{"cases: { main_psk: { only: [lab→lab, lab->lab] } }", "1:38: lab→lab is there twice"},
		{"cases: { main_psk: { pairs: [lab→lab], only: [lab→lab] } }", "1:40: pairs are beside those of all cases, only is in place of them: want one of the two"},
		{"without: [{systems: [lab]}]", "1:11: say with reason why the cells are left out"},
		{"without: [{roles: [responder], reason: x}]", "1:12: roles are those of systems, and there is no list of systems"},
		{"without: [{systems: [lab], roles: [server], reason: x}]", `1:36: roles[0]: "server" is none of initiator, responder`},
		{"without: [{systems: [racoon], reason: x}]", `1:22: systems[0]: "racoon" is none of lab, strongswan-5.9, strongswan-6.0, libreswan, openiked, ike-scan`},
		{"cases: { main_psk: { without: [{drivers: [kvm], reason: x}] } }", `1:43: drivers[0]: "kvm" is none of virtual, uml, container, namespace`},
		{"cases: { main_psk: { without: [{cases: [main_psk], reason: x}] } }", "1:33: cases: only the list of all cases has that key"},
		{"cases: { main_psk: { ci: [\"{a\"] } }", `1:27: ci[0]: the pattern has { without }, got "{a"`},
		{"cases: { main_psk: { ci: 3 } }", "1:26: ci: want a list, got a number"},

		// What means nothing.
		{"cases:\n  main_psk:\n    ci: ['*@uml', 'main_suites/des:*']", "3:19: ci[1]: main_suites/des:* means no cell of main_psk; the first one is main_psk:lab→lab@virtual"},
		{"cases:\n  main_psk: {ci: ['*:lab->libreswan@*'], without: [{systems: [libreswan], reason: it sleeps}]}", "2:19: ci[0]: *:lab->libreswan@* means cells that are left out: it sleeps"},
		{"without:\n  - {cases: [main_psk, 'rekee_*'], reason: x}", "2:24: cases[1]: no case is called rekee_*"},
		{"without:\n  - {cases: ['main_*'], cells: [des, dse], reason: x}", "2:38: cells[1]: no case that is meant has a cell dse"},
		{"cases: { main_psk: { without: [{cells: [des], reason: x}] } }", "1:41: cells[0]: no case that is meant has a cell des"},
		{"without:\n  - {cases: [main_psk], systems: [openiked], reason: x}", "2:5: no cell has all of this: it leaves nothing out"},
		{"without:\n  - {systems: [lab], drivers: [virtual], reason: x}\n  - {pairs: [lab→lab], drivers: [uml], reason: x}", "3:5: no cell has all of this: it leaves nothing out"},
	} {
		_, err := Load(cases(tc.config))
		require.Equal(t, []string{"cases.yaml:" + tc.want}, heads(err), tc.config)
	}
	_, err := Load(fstest.MapFS{ConfigFile: {Data: []byte("limit: 3s")}})
	require.ErrorContains(t, err, "there are no cases")
	_, err = Load(fstest.MapFS{"alone.yaml": {Data: []byte("title: x\nnetwork: {segments: {wire: {}}}\nnodes: {initiator: {interfaces: [{segment: wire, address: 10.0.0.1/24}]}, bob: {interfaces: [{segment: wire, address: 10.0.0.2/24}]}}\nsteps: [{ping: {from: initiator, to: bob}}]\n")}})
	require.ErrorContains(t, err, "a case has a host that is called responder")
	_, err = Load(fstest.MapFS{"wrong.yaml": {Data: []byte("title: [")}})
	require.ErrorContains(t, err, "wrong.yaml")
}

func TestFilter(t *testing.T) {
	all := load(t, cases("cases: {main_psk: {tags: [psk]}, rekey_quick: {tags: [rekey, psk]}}"))
	globs := func(texts ...string) (all []Glob) {
		for _, text := range texts {
			g, err := NewGlob(text)
			require.NoError(t, err)
			all = append(all, g)
		}
		return all
	}
	for _, tc := range []struct {
		name string
		f    Filter
		want int
	}{
		{"everything", Filter{}, 95},
		{"a file", Filter{Cases: globs("main_suites")}, 57},
		{"a cell of a file", Filter{Cases: globs("main_suites/des", "main_psk")}, 38},
		{"by a pattern", Filter{Cases: globs("main_*")}, 76},
		{"by the whole name", Filter{Cases: globs("*:lab->*@uml")}, 15},
		{"by the name of the folder", Filter{Cases: globs("*@lab-to-lab@*")}, 5},
		{"one initiator", Filter{Initiator: []System{Libreswan}}, 15},
		{"both", Filter{Initiator: []System{Lab}, Responder: []System{Libreswan, StrongSwan59}}, 30},
		{"drivers", Filter{Drivers: []Driver{Virtual, UML}}, 35},
		{"tags", Filter{Tags: []string{"rekey"}}, 19},
		{"any tag", Filter{Tags: []string{"rekey", "psk"}}, 38},
		{"nothing", Filter{CI: true}, 0},
	} {
		require.Len(t, tc.f.Select(all), tc.want, tc.name)
	}
}

func TestCellID(t *testing.T) {
	for _, c := range load(t, cases("pairs: [lab→lab, ike-scan→lab, strongswan-5.9→strongswan-6.0]")) {
		id, err := ParseName(c.Name())
		require.NoError(t, err)
		require.Equal(t, c.CellID, id)
		require.Regexp(t, `^[a-z0-9.,@_-]+$`, c.Name(), "fit for files and addresses")
	}
	for _, bad := range []string{"", "..", "a@b@c", "a,b,c@lab-to-lab@uml", "A@lab-to-lab@uml", "a@lab-to-lab@../x", "../a@lab-to-lab@uml"} {
		_, err := ParseName(bad)
		require.Error(t, err, bad)
	}
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"*", "a/b@c", true}, {"a*c", "abbc", true}, {"a*c", "abbd", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"{x,y}_*", "y_1", true}, {"{x,y}_*", "z_1", false}, {"a.c", "abc", false}, {"a.c", "a.c", true}, {"[a]", "a", false}, {"a,b", "a,b", true}, {"a", "aa", false},
	} {
		g, err := NewGlob(tc.pattern)
		require.NoError(t, err)
		require.Equal(t, tc.want, g.Match(tc.text), "%s of %s", tc.pattern, tc.text)
	}
	for _, bad := range []string{"", "{a", "a}", "{a{b}}"} {
		_, err := NewGlob(bad)
		require.Error(t, err, bad)
	}
}

// All shards together are the whole, each cell once and in its order; they are even, of each driver too;
// and a shard does not depend on what was asked for elsewhere.
func TestShards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Cell
		for i := range rapid.IntRange(0, 60).Draw(t, "cases") {
			for _, d := range rapid.SliceOfDistinct(rapid.SampledFrom(Drivers()), rapid.ID).Draw(t, "drivers") {
				all = append(all, Cell{CellID: CellID{Case: fmt.Sprintf("case%d", i), Pair: Pair{Lab, StrongSwan59}, Driver: d}})
			}
		}
		n := rapid.IntRange(1, 12).Draw(t, "n")
		seen := map[string]int{}
		for i := range n {
			share := Shard{i + 1, n}.Select(all)
			require.InDelta(t, float64(len(all))/float64(n), float64(len(share)), 1)
			perDriver := map[Driver]int{}
			last := -1
			for _, c := range share {
				seen[c.Name()]++
				perDriver[c.Driver]++
				at := slices.IndexFunc(all, func(o Cell) bool { return o.CellID == c.CellID })
				require.Greater(t, at, last)
				last = at
			}
			for _, d := range Drivers() {
				total := 0
				for _, c := range all {
					if c.Driver == d {
						total++
					}
				}
				require.InDelta(t, float64(total)/float64(n), float64(perDriver[d]), 1)
			}
		}
		require.Len(t, seen, len(all))
		for name, times := range seen {
			require.Equal(t, 1, times, name)
		}
	})
	all := load(t, cases(""))
	require.Equal(t, texts(Shard{2, 3}.Select(all)), texts(Shard{2, 3}.Select(load(t, cases("")))))
}

func TestShardText(t *testing.T) {
	var s Shard
	require.NoError(t, s.UnmarshalText([]byte("2/3")))
	require.Equal(t, Shard{2, 3}, s)
	require.Equal(t, "2/3", s.String())
	for _, bad := range strings.Fields("0/3 4/3 2 /3 2/ a/b -1/3 1/0 1/2/3") {
		require.Error(t, s.UnmarshalText([]byte(bad)), bad)
	}
}
