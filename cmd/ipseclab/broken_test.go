package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

const pingFile = `title: a ping
network: { segments: { lan: {} } }
nodes:
  alice: { interfaces: [{ segment: lan, address: 10.0.0.1/24 }] }
  bob: { interfaces: [{ segment: lan, address: 10.0.0.2/24 }] }
steps:
  - ping: { from: alice, to: bob }
    expect: { result: ok }
`

// files writes scenario files of the names and returns their folder.
func files(t *testing.T, names ...string) string {
	dir := t.TempDir()
	for _, name := range names {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(pingFile), 0o644))
	}
	return dir
}

// breaking makes the lab break for the rest of the test.
func breaking(t *testing.T, f func(context.Context, *spec.Scenario, scenarios.Options) (*result.Scenario, error)) {
	t.Cleanup(func() { run = scenarios.Run })
	run = f
}

func readResults(t *testing.T, out string) (r result.Run) {
	b, err := os.ReadFile(filepath.Join(out, resultsFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &r))
	return r
}

// TestLabBreaks: a panic or an error of the lab in one scenario makes that one
// broken; the others are run and reported, and the exit code is 3.
func TestLabBreaks(t *testing.T) {
	breaking(t, func(ctx context.Context, s *spec.Scenario, o scenarios.Options) (*result.Scenario, error) {
		switch s.Name {
		case "b_panics":
			require.NoError(t, os.WriteFile(filepath.Join(o.Dir, "trace.jsonl"), nil, 0o644))
			panic("index out of range")
		case "c_errs":
			return nil, errors.New("scenarios: the world came to rest")
		}
		return scenarios.Run(ctx, s, o)
	})
	dir, out := files(t, "a_passes", "b_panics", "c_errs", "d_passes"), filepath.Join(t.TempDir(), "r")
	var stdout, stderr bytes.Buffer
	code := ipseclab(t.Context(), []string{"run", "--out", out, "--jobs", "2", "--seed", "5", dir}, &stdout, &stderr)
	require.Equal(t, exitBroke, code)
	require.Empty(t, stderr.String())
	require.Contains(t, stdout.String(), "\n             panic: index out of range\n")
	require.Contains(t, stdout.String(), "\n             scenarios: the world came to rest\n")
	require.Contains(t, stdout.String(), "4 scenarios: 2 passed, 2 broken, in ")

	r := readResults(t, out)
	require.Equal(t, result.Broken, r.Outcome)
	require.False(t, r.Interrupted)
	require.Equal(t, map[result.Outcome]int{result.Passed: 2, result.Broken: 2}, r.Totals)
	var names []string
	for _, e := range r.Scenarios {
		names = append(names, e.Name)
		require.Equal(t, uint64(5), e.Seed)
		for _, file := range []string{"result.json", "report.html"} {
			require.FileExists(t, filepath.Join(out, e.Dir, file))
		}
	}
	require.Equal(t, []string{"a_passes", "b_panics", "c_errs", "d_passes"}, names, "in the order of the command line")

	stack, err := os.ReadFile(filepath.Join(out, "b_panics", stackFile))
	require.NoError(t, err)
	require.Contains(t, string(stack), "broken_test.go")
	f, err := os.Open(filepath.Join(out, "b_panics", "result.json"))
	require.NoError(t, err)
	defer f.Close()
	broken, err := result.Read(f)
	require.NoError(t, err)
	require.Equal(t, result.Broken, broken.Outcome)
	require.Equal(t, []result.Artefact{{Name: "trace", Path: "trace.jsonl"}, {Name: "stack", Path: "stack.txt"}, {Name: "report", Path: "report.html"}}, broken.Artefacts)

	// Nothing of it survives the next run.
	run = scenarios.Run
	require.Equal(t, exitOK, ipseclab(t.Context(), []string{"run", "--out", out, "--force", filepath.Join(dir, "a_passes.yaml")}, &stdout, &stderr))
	left, err := filepath.Glob(filepath.Join(out, "*"))
	require.NoError(t, err)
	require.Len(t, left, 4, "%v", left)
}

// TestFolderBreaks: a results folder that stops being writable breaks what
// cannot be written; the program says so and ends with 3.
func TestFolderBreaks(t *testing.T) {
	out := filepath.Join(t.TempDir(), "r")
	breaking(t, func(ctx context.Context, s *spec.Scenario, o scenarios.Options) (*result.Scenario, error) {
		r, err := scenarios.Run(ctx, s, o)
		require.NoError(t, os.RemoveAll(out))
		return r, err
	})
	var stdout, stderr bytes.Buffer
	code := ipseclab(t.Context(), []string{"run", "--out", out, files(t, "ping")}, &stdout, &stderr)
	require.Equal(t, exitBroke, code)
	require.Regexp(t, `^ipseclab: .*results\.json.*: no such file or directory\n$`, stderr.String())
}

// TestInterruptedBeforeAnything: there is nothing to report but that.
func TestInterruptedBeforeAnything(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := filepath.Join(t.TempDir(), "r")
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitInterrupted, ipseclab(ctx, []string{"run", "--out", out, files(t, "ping")}, &stdout, &stderr))
	require.Regexp(t, `^1 scenario: 1 not finished: interrupted, in `, stdout.String())
	r := readResults(t, out)
	require.True(t, r.Interrupted)
	require.Empty(t, r.Scenarios)
}

// TestInterruptedWhileItRuns: the scenario that was under way leaves nothing.
func TestInterruptedWhileItRuns(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	breaking(t, func(ctx context.Context, s *spec.Scenario, o scenarios.Options) (*result.Scenario, error) {
		if s.Name == "b" {
			cancel()
		}
		return scenarios.Run(ctx, s, o)
	})
	out := filepath.Join(t.TempDir(), "r")
	var stdout, stderr bytes.Buffer
	code := ipseclab(ctx, []string{"run", "--out", out, "--jobs", "1", files(t, "a", "b", "c")}, &stdout, &stderr)
	require.Equal(t, exitInterrupted, code)
	entries, err := os.ReadDir(out)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"a", "index.html", "junit.xml", "results.json"}, names)
}
