package scenarios_test

import (
	"flag"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

const whoReachesWhom = "testdata/grid/who_reaches_whom.yaml"

// Each cell of a grid says what came of it and why, in words that name the node, the rule or
// the link that decided.
func TestGridIsMeasured(t *testing.T) {
	seen := map[string]bool{}
	for name, axes := range map[string]result.Place{
		whoReachesWhom:                    {Rows: "client", Columns: "server"},
		"testdata/grid/behind_a_box.yaml": {Rows: "traffic", Columns: "trouble"},
	} {
		t.Run(path.Base(name), func(t *testing.T) { gridIsMeasured(t, name, axes, seen) })
	}
	for _, outcome := range spec.GridOutcomes() {
		require.True(t, seen[outcome] || outcome == spec.OutcomeInitiator, "no cell is %s", outcome) // that one is for nat_grid
	}
}

func gridIsMeasured(t *testing.T, name string, axes result.Place, seen map[string]bool) {
	all, err := scenarios.LoadAll(name)
	require.NoError(t, err)
	var b strings.Builder
	for _, s := range all {
		r := scenarios.Check(t, s, scenarios.Options{})
		m := r.Measured
		require.NotNil(t, m)
		require.Equal(t, &axes, r.Grid)
		seen[m.Outcome] = true
		if m.Outcome == spec.OutcomeWorks {
			require.Positive(t, m.FirstByte)
		} else {
			require.Zero(t, m.FirstByte)
		}
		_, cell, _ := strings.Cut(s.Name, "/")
		fmt.Fprintf(&b, "%s: %s, %s, port %d, NAT %s, %s\n  %s\n", cell, m.Outcome, m.Protection, m.Port, m.NAT, m.FirstByte, m.Explanation)
	}
	golden := strings.TrimSuffix(name, ".yaml") + ".txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "stale: run go test ./scenarios -run Grid -update")
}

// What is measured and not expected fails the cell, with the reason on both sides.
func TestGridFails(t *testing.T) {
	src, err := os.ReadFile(whoReachesWhom)
	require.NoError(t, err)
	text := string(src)
	for _, c := range []struct{ old, new, cell, check, reason string }{
		{"outcome: no-answer", "outcome: works", "esp_open", "grid: outcome: works",
			"want works, since a host that has no rule for a peer leaves its IKE alone; got no-answer: Message 1 of main mode"},
		{"protection: esp\n      ike-port: 500", "protection: clear\n      ike-port: 500", "esp_esp", "grid: protection: clear", "want clear, since the policies meet; got esp"},
		{"protection: esp\n      ike-port: 500", "protection: esp\n      ike-port: 4500", "esp_esp", "grid: port of IKE: 4500", "want port 4500, since the policies meet; got port 500"},
		{"nat: unknown", "nat: both", "open_open", "grid: NAT found: both", "want NAT both"},
		{`"<= 100ms"`, `"<= 1ms"`, "esp_esp", "grid: time to the first byte: <= 1ms", "want <= 1ms, got"},
		{"explained: blackhole", "explained: a firewall", "esp_esp-closed", "grid: explanation: a firewall", "blackhole"},
	} {
		require.Contains(t, text, c.old)
		all, err := spec.ParseAll("who_reaches_whom.yaml", []byte(strings.Replace(text, c.old, c.new, 1)))
		require.NoError(t, err)
		for _, s := range all {
			if !strings.HasSuffix(s.Name, "/"+c.cell) {
				continue
			}
			r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
			require.NoError(t, err)
			require.Equal(t, result.Failed, r.Outcome, c.check)
			var failed []result.Check
			for _, check := range r.Steps[0].Checks {
				if check.Outcome != result.Passed {
					failed = append(failed, check)
				}
			}
			require.Len(t, failed, 1)
			require.Equal(t, c.check, failed[0].Name)
			require.Contains(t, failed[0].Reason, c.reason)
			require.Positive(t, failed[0].Line)
		}
	}
}

// The words of the file and those of results are the same.
func TestGridOutcomesAreKnown(t *testing.T) {
	require.Equal(t, spec.GridOutcomes(), result.MeasuredOutcomes())
}
