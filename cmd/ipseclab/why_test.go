package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

func TestWhy(t *testing.T) {
	passed := result.Check{Name: "result: ok", Outcome: result.Passed}
	skipped := result.Check{Name: "sa", Outcome: result.Unsupported, Reason: "no ESN here"}
	failed := result.Check{Name: "wire: esp", Outcome: result.Failed, Line: 12, Reason: "frame 7 is clear"}
	for _, tc := range []struct {
		name string
		r    result.Scenario
		want string
	}{
		{"passed", result.Scenario{Outcome: result.Passed, Steps: []result.Step{{Outcome: result.Passed, Checks: []result.Check{passed}}}}, ""},
		{"the scenario's own reason", result.Scenario{Outcome: result.Broken, Reason: "panic: x"}, "panic: x"},
		{"the first check as bad as the scenario", result.Scenario{Outcome: result.Failed, Steps: []result.Step{
			{Index: 1, Outcome: result.Unsupported, Title: "a", Checks: []result.Check{skipped}},
			{Index: 2, Outcome: result.Failed, Title: "b", Checks: []result.Check{passed, skipped, failed}},
		}}, "step 2, b: wire: esp (line 12): frame 7 is clear"},
		{"a step without checks", result.Scenario{Outcome: result.Broken, Steps: []result.Step{{Index: 1, Outcome: result.Broken, Title: "a"}}}, "step 1, a"},
		{"a step that could not be done", result.Scenario{Outcome: result.Broken, Steps: []result.Step{
			{Index: 2, Outcome: result.Broken, Title: "m replays", Line: 7, Got: []string{"0 sent", "attack: m has seen no frame to replay"}},
		}}, "step 2, m replays (line 7): attack: m has seen no frame to replay"},
		{"an invariant", result.Scenario{Outcome: result.Failed, Steps: []result.Step{{Outcome: result.Passed}}, Invariants: []result.Check{passed, failed}},
			"invariant: wire: esp (line 12): frame 7 is clear"},
		{"what was got, for want of a reason", result.Scenario{Outcome: result.Failed, Invariants: []result.Check{{Name: "lost: 0", Outcome: result.Failed, Got: "2"}}}, "invariant: lost: 0: got 2"},
	} {
		require.Equal(t, tc.want, why(&tc.r), tc.name)
	}
}

func TestLine(t *testing.T) {
	e := result.Entry{Name: "ping", Outcome: result.Failed, Frames: 1, Virtual: 90 * time.Second, Wall: 1234567 * time.Nanosecond}
	require.Equal(t, "failed       ping      2 steps, 1 frame, 1m30s of virtual time in 1ms\n             one\n             two\n",
		line(e, &result.Scenario{Outcome: result.Failed, Reason: "one\ntwo", Steps: []result.Step{{Outcome: result.Passed}, {Outcome: result.Passed}}}, 8))
}

// TestReasons: a terminal shows everything that is as bad as the scenario, or the first of it and how much more there is.
func TestReasons(t *testing.T) {
	failed := func(n int) (all []result.Check) {
		for i := range n {
			all = append(all, result.Check{Name: fmt.Sprint("check ", i+1), Outcome: result.Failed, Line: 10 + i, Reason: "no"})
		}
		return all
	}
	r := result.Scenario{Outcome: result.Failed, Invariants: failed(1), Steps: []result.Step{
		{Index: 1, Title: "a", Outcome: result.Failed, Checks: append(failed(2), result.Check{Name: "sa", Outcome: result.Unsupported})},
		{Index: 2, Title: "b", Outcome: result.Passed, Checks: []result.Check{{Name: "fine", Outcome: result.Passed}}},
		{Index: 3, Title: "c", Outcome: result.Failed, Checks: failed(1)},
	}}
	require.Equal(t, "step 1, a: check 1 (line 10): no\nstep 1, a: check 2 (line 11): no\n"+
		"step 3, c: check 1 (line 10): no\ninvariant: check 1 (line 10): no", whys(&r))
	require.Equal(t, "step 1, a: check 1 (line 10): no", why(&r))
	r.Invariants = failed(3)
	require.Equal(t, 6, 1+strings.Count(whys(&r), "\n"), "a line for one more would take its place")
	require.NotContains(t, whys(&r), "more")
	r.Invariants = failed(9)
	require.Equal(t, 6, 1+strings.Count(whys(&r), "\n"))
	require.True(t, strings.HasSuffix(whys(&r), "\ninvariant: check 2 (line 11): no\nand 7 more (see result.json)"), whys(&r))
}

func TestOutcome(t *testing.T) {
	for _, tc := range []struct {
		interrupted bool
		outcome     result.Outcome
		want        int
	}{
		{false, result.Passed, 0}, {false, result.Unsupported, 0}, {false, result.Failed, 1}, {false, result.Broken, 3},
		{true, result.Passed, 130}, {true, result.Failed, 130}, {true, result.Broken, 130},
	} {
		require.Equal(t, tc.want, report(t.Context(), outcome(tc.interrupted, tc.outcome), nil))
	}
}

// What goes wrong because the command was interrupted is told as an interruption, in one sentence.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"interop", "images", "--cache", t.TempDir(), "--docker", "never", "strongswan-5.9"},
		{"show", "h2h_server_to_server", "--host", "windows"},
		{"explain", "h2h_server_to_server", "--from", "windows", "--to", "solaris", "--at", "1s"},
	} {
		var stdout, stderr strings.Builder
		require.Equal(t, exitInterrupted, ipseclab(ctx, args, &stdout, &stderr), "%s: %s", args, &stderr)
		require.Empty(t, stdout.String(), args)
		require.True(t, strings.HasSuffix("\n"+stderr.String(), "\nipseclab: interrupted\n"), "%s: %s", args, &stderr)
	}
}

func TestVersion(t *testing.T) {
	vcs := []debug.BuildSetting{
		{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123456789abcdef0123"},
		{Key: "vcs.time", Value: "2026-09-05T03:51:02Z"}, {Key: "vcs.modified", Value: "true"},
	}
	for _, tc := range []struct {
		info *debug.BuildInfo
		ok   bool
		want string
	}{
		{nil, false, "(devel)"},
		{&debug.BuildInfo{}, true, "(devel)"},
		{&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, true, "v1.2.3"},
		{&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs[:3]}, true, "(devel) (0123456789ab, 2026-09-05T03:51:02Z)"},
		{&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: vcs}, true, "v1.2.3 (0123456789ab, 2026-09-05T03:51:02Z, modified)"},
	} {
		require.Equal(t, tc.want, version(tc.info, tc.ok))
	}
}
