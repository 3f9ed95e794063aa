package cases_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/cases"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// files are the case files by name without .yaml, each with its cells.
func files(t *testing.T) map[string][]*spec.Scenario {
	t.Helper()
	names, err := fs.Glob(cases.Files, "*.yaml")
	require.NoError(t, err)
	all := map[string][]*spec.Scenario{}
	for _, file := range names {
		if file == "cases.yaml" {
			continue
		}
		all[strings.TrimSuffix(file, ".yaml")], err = scenarios.LoadAllFS(cases.Files, file)
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, len(all), 35)
	return all
}

// Each case passes between two hosts of the lab, and soon: with a daemon in its place the time is the wall clock's.
func TestCases(t *testing.T) {
	for name, cells := range files(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range cells {
				most := 15 * time.Second
				if strings.HasPrefix(name, "loss_") {
					most = 30 * time.Second
				}
				t.Run(s.Name, func(t *testing.T) {
					r := scenarios.Check(t, s, scenarios.Options{Dir: t.TempDir()})
					require.LessOrEqual(t, r.Virtual, most)
				})
			}
		})
	}
}

// What a case expects holds of every implementation, and of daemons that show no trace.
func TestCasesExpectWhatAnObserverSees(t *testing.T) {
	for _, cells := range files(t) {
		for _, s := range cells {
			require.True(t, s.Start.IsZero(), "%s: start: daemons have today's date", s.Name)
			require.NotEmpty(t, s.Story, s.Name)
			for _, role := range []string{"initiator", "responder"} {
				require.Contains(t, s.Nodes, role, s.Name)
			}
			protected := false
			for i, step := range s.Steps {
				e := step.Expect
				if e == nil {
					continue
				}
				where := []any{"%s: step %d", s.Name, i + 1}
				require.Nil(t, e.Silence, where...)
				require.Nil(t, e.Latency, where...)
				require.Nil(t, e.Throughput, where...)
				require.Nil(t, e.Overhead, where...)
				require.Nil(t, e.Rule, where...)
				require.Empty(t, e.Counters, where...)
				require.Empty(t, e.IKECounters, where...)
				for _, event := range e.Events { // SAs of daemons are looked at after each step
					require.Contains(t, []string{"sa.added", "sa.removed"}, event.Kind, where...)
					require.Empty(t, event.With, where...)
				}
				if w := e.Wire; w != nil {
					require.Nil(t, w.Frames, where...)
					require.Nil(t, w.Bytes, where...)
					require.Nil(t, w.Fragments, where...)
					protected = protected || w.Protection != spec.WireClear
				}
				if k := e.IKE; k != nil {
					require.Nil(t, k.Messages, where...)
					require.Nil(t, k.Retransmits, where...)
					require.Nil(t, k.KeyExchanges, where...)
					require.Empty(t, k.Reason, where...)
				}
				if a := e.App; a != nil {
					require.Nil(t, a.SYNs, where...)
				}
				for _, n := range e.Never {
					require.Equal(t, "sa.added", n.Kind, where...)
				}
			}
			require.True(t, protected || strings.HasPrefix(s.Name, "negative_clear"), "%s: no step looks at the wire", s.Name)
		}
	}
}

// A case that does not say that nobody gets through delivers something both ways.
func TestCasesDeliver(t *testing.T) {
	for name, cells := range files(t) {
		if strings.HasPrefix(name, "negative_") {
			continue
		}
		for _, s := range cells {
			answered := false
			for _, step := range s.Steps {
				answered = answered || step.Connect != nil && step.Expect != nil && step.Expect.Result == "ok" && step.Expect.Wire != nil
			}
			require.True(t, answered, "%s: no connection is answered", s.Name)
		}
	}
}

// note is what cases.yaml says of a file, as far as it matters here.
type note struct {
	Tags []string `yaml:"tags"`
}

// notes are those of all files, by name without .yaml.
func notes(t *testing.T) map[string]note {
	t.Helper()
	var about struct {
		Cases map[string]note `yaml:"cases"`
	}
	text, err := cases.Files.ReadFile("cases.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &about))
	return about.Cases
}

// What cases.yaml says is of cases that there are, and of each.
func TestCasesYAML(t *testing.T) {
	about, all := notes(t), files(t)
	for name := range about {
		require.Contains(t, all, name)
	}
	for name, cells := range all {
		require.Contains(t, about, name)
		tags := about[name].Tags
		require.NotEmpty(t, tags, name)
		for _, s := range cells {
			require.NotEmpty(t, modes(s), s.Name)
			for _, m := range modes(s) {
				if name != "negative_mode" { // one of each
					require.Contains(t, tags, m, s.Name)
				}
			}
		}
	}
}

// modes are transport, tunnel or both, as the rules of the scenario negotiate.
func modes(s *spec.Scenario) (words []string) {
	seen := map[string]bool{}
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			mode := "transport"
			if r.Tunnel != "" {
				mode = "tunnel"
			}
			if s.FilterActions[r.FilterAction].Action == "negotiate" && !seen[mode] {
				seen[mode] = true
				words = append(words, mode)
			}
		}
	}
	return words
}
