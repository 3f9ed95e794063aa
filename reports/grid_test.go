package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

// exampleGrid has two tables, a cell with a report, one that is not as expected, one whose
// lab broke, and an outcome that this version does not know.
func exampleGrid() *result.Grid {
	g := &result.Grid{
		Name: "doors", Title: "Doors <and> keys", Story: "Who gets in.\n\nAnd why.", Claims: []string{"C020"}, File: "doors.yaml", Seed: 7,
		Rows: "guest", Columns: "door", Totals: map[string]int{},
	}
	add := func(guest, door, year string, o result.Outcome, m *result.Measured) *result.GridCell {
		g.Cells = append(g.Cells, result.GridCell{
			Name: guest + "_" + door + "_" + year, Table: "year " + year, Outcome: o, Measured: m,
			Cell: []result.Setting{{Parameter: "guest", Value: guest}, {Parameter: "door", Value: door}, {Parameter: "year", Value: year}},
		})
		return &g.Cells[len(g.Cells)-1]
	}
	works := func() *result.Measured {
		return &result.Measured{Outcome: "works", Protection: "esp-in-udp", Port: 4500, NAT: "both", FirstByte: 28 * time.Millisecond, Explanation: "ESP in UDP <4500>.", Because: "it is open"}
	}
	add("ann", "front", "2003", result.Passed, works()).Dir = "doors/ann_front_2003"
	add("ann", "back", "2003", result.Passed, &result.Measured{Outcome: "no-answer", Protection: "nothing", Port: 500, NAT: "unknown", Explanation: "Nobody is in.", Because: "it is shut"})
	bad := add("bob", "front", "2003", result.Failed, works())
	bad.Reason = "want blocked, got works"
	add("bob", "front", "2005", result.Broken, nil).Reason = "the world panicked"
	add("cid", "front", "2005", result.Passed, &result.Measured{Outcome: "refused-by-initiator", Protection: "nothing", Port: 500, NAT: "responder", Explanation: "ann refused.", Because: "it is his"})
	add("cid", "back", "2005", result.Passed, &result.Measured{Outcome: "teleported", Protection: "wormhole", NAT: "none", Explanation: "x", Because: "y"})
	return g
}

func gridPage(t *testing.T, g *result.Grid) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, Grid(dir, g))
	b, err := os.ReadFile(filepath.Join(dir, "grid.html"))
	require.NoError(t, err)
	elements(t, string(b))
	return string(b)
}

func TestGridPage(t *testing.T) {
	html := gridPage(t, exampleGrid())
	for _, text := range []string{
		"Doors &lt;and&gt; keys", "guest \\ door", "year 2003", "year 2005", "ipseclab run doors/CELL", "And why.", `href="grid.json"`, "C020",
		// a cell with its report: what the wire showed, the time, the explanation on hover
		`<td class="works"><a href="ann_front_2003/report.html" title="ESP in UDP &lt;4500&gt;." aria-label="ann to front: works, ESP in UDP, IKE to port 4500, first byte after 28 ms"><span class="sign">✓</span> ESP in UDP<br><span class="note">28 ms</span></a></td>`,
		// without one: it leads to the explanation below
		`<td class="no-answer"><a href="#cell-ann_back_2003" title="Nobody is in." aria-label="ann to back: no answer, nothing sent, IKE to port 500"><span class="sign">?</span> no answer<br><span class="note">port 500</span></a></td>`,
		`<td class="works unexpected"><a href="#cell-bob_front_2003"`, "first byte after 28 ms, not as expected",
		`<span class="sign">✕</span> refused<br><span class="note">by initiator</span>`,
		`<td class="dim">–</td>`, // no such cell
		"the world panicked", "teleported", "wormhole",
	} {
		require.Contains(t, html, text)
	}
	require.Contains(t, section(t, html, "unexpected"), "want blocked, got works")
	require.Contains(t, section(t, html, "unexpected"), "the world panicked")
	require.NotContains(t, section(t, html, "unexpected"), "Nobody is in.")
	why := section(t, html, "why")
	require.Regexp(t, `(?s)works</td><td class="num">2</td><td>it is open</td>.*no answer</td><td class="num">1</td><td>it is shut</td>`, why)

	require.NotContains(t, html, "was interrupted")
	golden(t, "testdata/grid_main.html", regexp.MustCompile(`(?s)<main>.*</main>`).FindString(html)+"\n")

	good := exampleGrid()
	good.Interrupted = true
	good.Cells = good.Cells[:2]
	html = gridPage(t, good)
	require.NotContains(t, html, `id="unexpected"`)
	require.Contains(t, html, "was interrupted")
	require.Contains(t, html, `<header class="passed"`)
}

// golden compares a text with a file; -update writes the file anew.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "stale: run go test ./reports -update")
}

// Every cell has a name for screen readers, a sign that does without colour, an
// explanation in the list of its table, and one place that its links lead to.
func TestGridCellsAreNamedAndExplained(t *testing.T) {
	html := gridPage(t, exampleGrid())
	cells := regexp.MustCompile(`<td class="[a-z -]+"><a href="([^"]+)" title="([^"]*)" aria-label="([^"]+)"><span class="sign">(.)</span> ([^<]+)`).FindAllStringSubmatch(html, -1)
	require.Len(t, cells, 6)
	names := map[string]bool{}
	for _, c := range cells {
		require.NotEmpty(t, c[2])
		require.Contains(t, c[3], " to ")
		require.False(t, names[c[3]+c[2]], c[3])
		names[c[3]+c[2]] = true
		if id, ok := strings.CutPrefix(c[1], "#"); ok {
			require.Equal(t, 1, strings.Count(html, fmt.Sprintf("id=%q", id)))
		}
	}
	require.Equal(t, 2, strings.Count(html, "<caption>"))
	require.Equal(t, 6, strings.Count(html, `<tr id="cell-`))
	for _, head := range regexp.MustCompile(`<th( [^>]*)?>`).FindAllString(html, -1) {
		require.Contains(t, head, "scope=", "a head says what it is the head of")
	}
}

// The index leads to the page of a grid instead of listing its cells, and to no report that
// was not kept.
func TestIndexOfAGrid(t *testing.T) {
	run := &result.Run{Outcome: result.Passed, Grids: []result.GridEntry{{Name: "doors", Dir: "doors"}}}
	for _, name := range []string{"doors/a", "doors/b", "others/a", "others/b", "one"} {
		_, cell, _ := strings.Cut(name, "/")
		run.Scenarios = append(run.Scenarios, result.Entry{Name: name, Title: "Of " + name, Outcome: result.Passed, Cell: []result.Setting{{Parameter: "x", Value: cell}}})
	}
	dir := t.TempDir()
	require.NoError(t, Index(dir, run))
	b, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	elements(t, string(b))
	require.Contains(t, string(b), `<a href="doors/grid.html">`)
	require.Contains(t, string(b), "grid of 2 cells")
	require.NotContains(t, string(b), "report.html")
}
