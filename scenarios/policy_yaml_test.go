package scenarios_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// aScenario needs policies to be complete.
const aScenario = `title: imported
network: {segments: {lan: {}}}
nodes: {a: {interfaces: [{segment: lan, address: 10.0.0.1/24}]}}
kerberos-stand-in: in place of Kerberos
steps: [{wait: 1s}]
`

// What is printed of a script is part of a scenario that has the same policies, as YAML and as JSON.
func TestPartsOfScripts(t *testing.T) {
	files, err := filepath.Glob("../hosts/policy/netsh/testdata/corpus/*.*")
	require.NoError(t, err)
	compared := 0
	for _, file := range append(files, "catalogue/app_legal_department.netsh", "catalogue/filter_perimeter.netsh", "catalogue/cert_server_to_server.netsh") {
		if filepath.Ext(file) == ".want" {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		store := &netsh.Store{}
		store.Run(netsh.Script{Name: file, Text: string(text)})
		parts, err := scenarios.PartsOf(store, "")
		if err != nil {
			require.ErrorContains(t, err, "a scenario has no filter lists without filters", file)
			continue
		}
		asJSON, err := json.Marshal(parts)
		require.NoError(t, err)
		both := []string{aScenario + parts.YAML(), aScenario}
		for key, part := range decoded(t, asJSON) {
			both[1] += key + ": " + string(part) + "\n"
		}
		for _, whole := range both {
			s, err := spec.Parse("imported.yaml", []byte(whole))
			require.NoError(t, err, "%s\n%s", file, whole)
			got, err := scenarios.Policies(s)
			require.NoError(t, err, "%s\n%s", file, whole)
			for _, c := range []*netsh.Container{&store.Local, &store.Persistent} {
				for _, name := range c.Names() {
					want := c.Policy(name)
					require.Equal(t, script(t, want), script(t, got[name]), file)
					compared++
				}
			}
		}
	}
	require.GreaterOrEqual(t, compared, 20)
}

func decoded(t *testing.T, b []byte) (parts map[string]json.RawMessage) {
	t.Helper()
	require.NoError(t, json.Unmarshal(b, &parts))
	return parts
}

// script is a policy as netsh writes it, with what is the default said.
func script(t *testing.T, p *policy.Policy) string {
	t.Helper()
	same := *p
	same.Polling = p.PollingInterval()
	if same.MainMode.Lifetime == 0 {
		same.MainMode.Lifetime = policy.DefaultMainModeLifetime
	}
	text, err := netsh.WriteScript(&same)
	require.NoError(t, err)
	return text
}

// What a scenario cannot express is told, and texts stand as they are.
func TestPartsOf(t *testing.T) {
	run := func(text string) *netsh.Store {
		s := &netsh.Store{}
		require.NoError(t, s.Run(netsh.Script{Text: text}).Err())
		return s
	}
	for _, tc := range []struct{ text, want string }{
		{"ipsec static\nadd policy a/b", `policy "a/b": a scenario has no names with a slash`},
		{"ipsec static\nadd policy p\nset store persistent\nadd policy p", `policy "p": there are two of that name`},
		{"ipsec static\nadd policy p\nadd filterlist l\nadd filteraction a\nadd rule r p l a", `rule "r" of policy "p": a scenario has no filter lists without filters, such as "l"`},
	} {
		_, err := scenarios.PartsOf(run(tc.text), "")
		require.ErrorContains(t, err, tc.want)
	}
	store := run(`ipsec static
add filterlist empty
add filter l me www.example.com protocol=tcp dstport=80
add filter l me gateway
add filteraction a description="${not} a: parameter" soft=yes
add policy "yes" description="#1: 'quoted' <&>"
add rule r "yes" l a psk="null" conntype=lan activate=no
add policy other`)
	parts, err := scenarios.PartsOf(store, "YES")
	require.NoError(t, err)
	s, err := spec.Parse("imported.yaml", []byte(aScenario+parts.YAML()))
	require.NoError(t, err, parts.YAML())
	require.Equal(t, "#1: 'quoted' <&>", s.Policies["yes"].Description)
	require.Equal(t, "${not} a: parameter", s.FilterActions["a"].Description)
	require.NotContains(t, s.Policies, "other")
	_, err = scenarios.PartsOf(store, "yess")
	require.EqualError(t, err, `no policy is called "yess"; did you mean "yes"?`)
}
