package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

func exampleRun() *result.Run {
	return &result.Run{
		Version: "v0.1.0", GoVersion: "go1.26", Started: epoch, Wall: 1500 * time.Millisecond, Outcome: result.Broken,
		Scenarios: []result.Entry{
			{Name: "good", Title: "A good one", Claims: []string{"C001"}, Outcome: result.Passed, Seed: 1, Virtual: 8 * time.Hour, Wall: 300 * time.Millisecond, Frames: 12345, Dir: "good"},
			{Name: "missing", Title: "An unsupported one", Outcome: result.Unsupported, Reason: "no driver", Dir: "missing"},
			{Name: "bad", Title: "A bad <one>", Outcome: result.Failed, Reason: "step 2: result", Dir: "bad"},
			{Name: "lab", Title: "A broken one", Outcome: result.Broken, Reason: "the world panicked", Dir: "a folder/lab"},
		},
	}
}

func TestIndex(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Index(dir, exampleRun()))
	b, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	html := string(b)
	elements(t, html)
	var at []int
	for _, title := range []string{"A broken one", "A bad &lt;one&gt;", "An unsupported one", "A good one"} {
		at = append(at, strings.Index(html, title))
	}
	require.IsIncreasing(t, at, "the worst first")
	require.Positive(t, at[0])
	for _, text := range []string{
		`href="good/report.html"`, `href="a%20folder/lab/report.html"`, `data-filter="#scenario-rows"`, "8 h 0 min", "300 ms", "12\u202f345",
		"C001", "no driver", "2005-03-30 00:00:00 UTC", "results.json", "junit.xml", "v0.1.0", "go1.26",
	} {
		require.Contains(t, html, text)
	}
	require.NotContains(t, html, "was interrupted")

	run := exampleRun()
	run.Interrupted = true
	require.NoError(t, Index(dir, run))
	b, err = os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(b), "was interrupted")
}

// The cells of a file are one row: a grid when two parameters vary.
func TestIndexOfCells(t *testing.T) {
	cell := func(file string, o result.Outcome, labels ...string) result.Entry {
		e := result.Entry{Name: file + "/" + strings.Join(labels, "_"), Title: "Of " + file, Outcome: o, Frames: 10, Virtual: time.Second, Wall: time.Millisecond}
		for i, l := range labels {
			e.Cell = append(e.Cell, result.Setting{Parameter: []string{"suite", "size", "third"}[i], Value: l})
		}
		e.Dir = e.Name
		return e
	}
	failed := cell("grid", result.Failed, "null", "1")
	failed.Reason = "step 1: result"
	run := &result.Run{Outcome: result.Failed, Scenarios: []result.Entry{
		{Name: "plain", Title: "A plain one", Outcome: result.Passed, Dir: "plain", Wall: 5 * time.Millisecond},
		cell("grid", result.Passed, "3des", "0"), cell("grid", result.Passed, "3des", "1"), failed,
		cell("list", result.Passed, "a"), cell("list", result.Passed, "b"),
		cell("cube", result.Passed, "a", "b", "c"),
	}}
	v := newIndex(run)
	var names []string
	for _, e := range v.Entries {
		names = append(names, e.Name)
	}
	require.Equal(t, []string{"grid", "plain", "list", "cube"}, names, "the worst first, and one row for each file")
	grid := v.Entries[0]
	require.Equal(t, result.Failed, grid.Outcome)
	require.Equal(t, "null_1: step 1: result", grid.Reason)
	require.Equal(t, 30, grid.Frames)
	require.Equal(t, []string{"0", "1"}, grid.Cells.Heads)
	require.Equal(t, []cellLine{
		{"3des", []*cellView{{"3des_0", result.Passed, "grid/3des_0/report.html"}, {"3des_1", result.Passed, "grid/3des_1/report.html"}}},
		{"null", []*cellView{nil, {"null_1", result.Failed, "grid/null_1/report.html"}}},
	}, grid.Cells.Lines)
	require.Len(t, v.Entries[2].Cells.Lines, 1)
	require.Equal(t, []string{"a_b_c"}, v.Entries[3].Cells.Heads)

	dir := t.TempDir()
	require.NoError(t, Index(dir, run))
	b, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	elements(t, string(b))
	for _, text := range []string{"7 scenarios", `suite \ size`, `href="grid/null_1/report.html"`, "3 cells", `href="list/b/report.html"`, "wall time per scenario"} {
		require.Contains(t, string(b), text)
	}
}

// Scenarios with real peers go by the wall clock, and no virtual time is told of them.
func TestIndexOfRealPeers(t *testing.T) {
	cell := func(name, clock string) result.Entry {
		return result.Entry{Name: "file/" + name, Title: "Of file", Outcome: result.Passed, Clock: clock, Virtual: 2 * time.Second, Wall: 5 * time.Second, Cell: []result.Setting{{Parameter: "host", Value: name}}}
	}
	real := result.Entry{Name: "real", Title: "A real peer", Outcome: result.Passed, Clock: result.ClockWall, Virtual: 7 * time.Second, Wall: 9 * time.Second, Dir: "real"}
	page := func(entries ...result.Entry) string {
		dir := t.TempDir()
		require.NoError(t, Index(dir, &result.Run{Outcome: result.Passed, Scenarios: entries}))
		b, err := os.ReadFile(filepath.Join(dir, "index.html"))
		require.NoError(t, err)
		return string(b)
	}
	const byWall = `<td class="num"><span class="dim">wall clock</span></td><td class="num">%s</td>`

	html := page(real)
	require.Contains(t, html, fmt.Sprintf(byWall, "9 s"))
	require.Contains(t, html, "<strong>1</strong> <span>by the wall clock</span>")
	require.NotContains(t, html, "virtual time")
	require.NotContains(t, html, "7 s")

	html = page(real, exampleRun().Scenarios[0])
	require.Contains(t, html, "<strong>8 h 0 min</strong> <span>virtual time</span>")
	require.Contains(t, html, "<strong>1</strong> <span>by the wall clock</span>")

	require.Contains(t, page(cell("a", result.ClockWall), cell("b", result.ClockWall)), fmt.Sprintf(byWall, "10 s"))
	require.Contains(t, page(cell("a", result.ClockWall), cell("b", "")), `<td class="num">2 s</td><td class="num">10 s</td>`)
	require.NotContains(t, page(exampleRun().Scenarios...), "wall clock")
}

func TestIndexOfNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Index(dir, &result.Run{Outcome: result.Passed}))
	b, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(b), "No scenario ran.")
	require.ErrorContains(t, Index(filepath.Join(dir, "missing"), exampleRun()), "reports: open")
}

func TestJUnit(t *testing.T) {
	scenarios := []*result.Scenario{
		{Name: "good", Title: "A good one", File: "good.yaml", Seed: 1, Outcome: result.Passed, Claims: []string{"C001", "C002"},
			Steps: []result.Step{{Index: 1, Verb: "wait", Title: "an hour passes", Outcome: result.Passed}}},
		{Name: "bad", File: "bad.yaml", Outcome: result.Failed,
			Steps: []result.Step{
				{Index: 1, Title: "a pings b", Outcome: result.Failed, Checks: []result.Check{
					{Name: "result", Outcome: result.Failed, Want: "ok", Got: "time\x00out ]]> <&>", Reason: "no answer", Line: 12},
					{Name: "wire", Outcome: result.Passed}}},
				{Index: 2, Title: "a waits", Outcome: result.Broken, Line: 20, Got: []string{"stuck"}, Checks: []result.Check{{Name: "x", Outcome: result.Unsupported, Reason: "no driver"}}},
			},
			Invariants: []result.Check{{Name: "oracle", Outcome: result.Failed, Got: "1 violation"}}},
		{Name: "lab", Outcome: result.Broken, Reason: "the world panicked", Cell: []result.Setting{{Parameter: "suite", Value: "null"}}},
	}
	var b bytes.Buffer
	require.NoError(t, JUnit(&b, exampleRun(), scenarios))

	var got junit.Testsuites
	require.NoError(t, xml.Unmarshal(b.Bytes(), &got), b.String())
	require.Equal(t, "1.500", got.Time)
	require.Equal(t, []int{7, 2, 2, 1}, []int{got.Tests, got.Failures, got.Errors, got.Skipped})
	require.Len(t, got.Suites, 3)

	good := got.Suites[0]
	require.Equal(t, "0.300", good.Time)
	require.Equal(t, "good.yaml", good.File)
	require.Contains(t, *good.Properties, junit.Property{Name: "claims", Value: "C001 C002"})
	require.Equal(t, "an hour passes", good.Testcases[0].Name, "a step without checks is a case of its own")

	bad := got.Suites[1]
	var names []string
	for _, c := range bad.Testcases {
		names = append(names, c.Classname+"/"+c.Name)
	}
	require.Equal(t, []string{
		"bad.step 1/a pings b: result", "bad.step 1/a pings b: wire", "bad.step 2/a waits: x", "bad.step 2/a waits", "bad.invariants/oracle",
	}, names)
	require.Equal(t, "no answer", bad.Testcases[0].Failure.Message)
	require.Equal(t, "want: ok\ngot: time\ufffdout ]]> <&>\nno answer\nbad.yaml:12", bad.Testcases[0].Failure.Data)
	require.Nil(t, bad.Testcases[1].Failure)
	require.Equal(t, "no driver", bad.Testcases[2].Skipped.Message)
	require.Contains(t, bad.Testcases[3].Error.Data, "bad.yaml:20")
	require.Equal(t, "got: 1 violation", bad.Testcases[4].Failure.Message)

	require.Contains(t, *got.Suites[2].Properties, junit.Property{Name: "suite", Value: "null"})
	require.Equal(t, "the world panicked", got.Suites[2].Testcases[0].Error.Message)
}

func TestJUnitSaysThatItCouldNotBeWritten(t *testing.T) {
	require.ErrorContains(t, JUnit(fullDisk{}, exampleRun(), nil), "reports: writing JUnit XML: disk full")
}
