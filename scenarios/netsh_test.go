package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// A policy that a script of netsh makes does the same as the one in YAML: under one name,
// both give the same capture and the same trace, byte for byte.
func TestNetshIsYAML(t *testing.T) {
	for _, file := range []string{"app_legal_department.yaml", "filter_perimeter.yaml", "cert_server_to_server.yaml"} {
		var evidence []map[string]string
		cells := loadAll(t, file)
		require.Len(t, cells, 2)
		for _, s := range cells {
			for name, p := range s.Policies { // what each is called must not differ
				if base, ok := strings.CutSuffix(name, "-netsh"); ok && strings.HasSuffix(s.Name, "/netsh") {
					s.Policies[base+"-yaml"] = p
				}
			}
			yaml := loadAll(t, file)[0]
			yaml.Policies = s.Policies
			dir := t.TempDir()
			r := scenarios.Check(t, yaml, scenarios.Options{Dir: dir})
			require.Equal(t, result.Passed, r.Outcome)
			files := map[string]string{}
			for _, name := range []string{"capture.pcapng", "trace.jsonl"} {
				b, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				require.NotEmpty(t, b)
				files[name] = string(b)
			}
			evidence = append(evidence, files)
		}
		require.True(t, cells[1].Policies[firstOf(cells[1])].Netsh != "", "the second is made by the script")
		for name := range evidence[0] {
			require.True(t, evidence[0][name] == evidence[1][name], "%s: %s differs", file, name)
		}
	}
}

// firstOf is a policy that the scenario assigns, as YAML calls it.
func firstOf(s *spec.Scenario) string {
	for name := range s.Policies {
		if strings.HasSuffix(name, "-yaml") {
			return name
		}
	}
	return ""
}

const scripted = `title: a script
network: {segments: {lan: {}}}
nodes:
  a: {interfaces: [{segment: lan, address: 10.0.0.1/24}]}
  b: {interfaces: [{segment: lan, address: 10.0.0.2/24}]}
policies: {p: {netsh: sub/p.netsh%s}}
assignments: {a: p}
steps: [{ping: {from: a, to: b, timeout: 1s}, expect: {result: timeout, rule: {from: "p/Block all"}}}]
`

const good = `ipsec static
add filteraction block action=block
add policy "Closed host" assign=yes activatedefaultrule=no
add filter all me any
add rule "Block all" "Closed host" all block
`

// files are a scenario and its script.
func files(more, script string) fstest.MapFS {
	return fstest.MapFS{
		"d/s.yaml":      {Data: []byte(strings.Replace(scripted, "%s", more, 1))},
		"d/sub/p.netsh": {Data: []byte(script)},
	}
}

func TestNetshPolicy(t *testing.T) {
	s, err := scenarios.LoadFS(files("", good), "d/s.yaml")
	require.NoError(t, err)
	scenarios.Check(t, s, scenarios.Options{})

	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, files("", good)))
	s, err = scenarios.Load(filepath.Join(dir, "d", "s.yaml"))
	require.NoError(t, err)
	require.NoError(t, scenarios.Validate(s))
}

// Mistakes of a script are told with its file, line and column, like all others.
func TestNetshMistakes(t *testing.T) {
	for _, tc := range []struct{ more, script, want string }{
		{"", "", "d/s.yaml:6:23: sub/p.netsh: it makes no policy"},
		{"", good + "netsh ipsec static add rule x \"Closed host\" all bock\n", "d/sub/p.netsh:6:49: ipsec static add rule: there is no filter action \"bock\"\n" +
			"  5 | add rule \"Block all\" \"Closed host\" all block\n" +
			"> 6 | netsh ipsec static add rule x \"Closed host\" all bock\n" +
			"    |                                                 ^"},
		{"", good + "dynamic set config ipsecexempt 0", "d/sub/p.netsh:6:1: ipsec dynamic set config: it configures a host, and this script makes a policy: use the settings of the host"},
		{"", good + "add policy q\nset policy \"Closed host\" assign=no", "d/s.yaml:6:23: sub/p.netsh: it makes several policies: say which one is meant with policy: one of Closed host, q"},
		{", policy: r", good, "d/s.yaml:6:44: sub/p.netsh: it makes no policy \"r\""},
		{", policy: q", good + "add policy q activatedefaultrule=no", "d/s.yaml:8:86: from: policy p has no rule called \"Block all\""},
		{"", strings.Replace(good, "action=block", "", 1), "policy p on a: policy: \"p\": rule 1 (\"Block all\"): unsupported: without an authentication method"},
	} {
		s, err := scenarios.LoadFS(files(tc.more, tc.script), "d/s.yaml")
		if err == nil {
			err = scenarios.Validate(s)
		}
		require.ErrorContains(t, err, tc.want)
		require.NotEmpty(t, spec.Mistakes(err), "%v", err)
	}
}

// The script lies beside the scenario or below, is bounded, and stands alone.
func TestNetshFile(t *testing.T) {
	for _, tc := range []struct{ more, want string }{
		{"netsh: nowhere.netsh", `6:23: netsh: "nowhere.netsh": there is no such file beside the scenario`},
		{"netsh: ../s.yaml", `6:23: netsh: "../s.yaml": want a path from the scenario's folder downwards`},
		{"netsh: /etc/passwd", `6:23: netsh: "/etc/passwd": want a path from the scenario's folder downwards`},
		{"netsh: big", `6:23: netsh: "big": it is larger than 1048576 bytes`},
		{"netsh: sub/p.netsh, rules: []", `rules: policy p is what its script says: leave rules out, or netsh`},
		{"netsh: sub/p.netsh, description: x", `description: policy p has that of its script: leave it out`},
		{"policy: x", `policy: it says which policy of a script is meant, and there is no netsh: SCRIPT`},
	} {
		fs := files("", good)
		text := strings.Replace(strings.Replace(scripted, "%s", "", 1), "netsh: sub/p.netsh", tc.more, 1)
		fs["d/s.yaml"], fs["d/big"] = &fstest.MapFile{Data: []byte(text)}, &fstest.MapFile{Data: make([]byte, spec.MaxScriptSize+1)}
		_, err := scenarios.LoadFS(fs, "d/s.yaml")
		require.ErrorContains(t, err, tc.want)
	}
	_, err := spec.Parse("s.yaml", []byte(strings.Replace(scripted, "%s", "", 1)))
	require.ErrorContains(t, err, "the scenario was not read from a folder")

	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, files("", good)))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "outside"), []byte(good), 0o644))
	require.NoError(t, os.Remove(filepath.Join(dir, "d", "sub", "p.netsh")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "outside"), filepath.Join(dir, "d", "sub", "p.netsh")))
	_, err = scenarios.Load(filepath.Join(dir, "d", "s.yaml"))
	require.ErrorContains(t, err, `netsh: "sub/p.netsh"`, "a link does not lead out of the folder")
}
