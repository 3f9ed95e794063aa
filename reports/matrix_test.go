package reports

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/result"
)

// exampleMatrix has a cell of each kind, three columns, two groups, and a place without a cell.
func exampleMatrix() *result.Matrix {
	m := &result.Matrix{
		Version: "v0.1.0", GoVersion: "go1.26", Started: epoch, Wall: 90 * time.Second,
		Drivers: []result.MatrixDriver{{Name: "uml", Version: "Linux 6.1"}, {Name: "container", Reason: "no <Docker> answers"}},
		Systems: []result.MatrixSystem{
			{Name: "strongswan-5.9", Driver: "uml", Version: "strongSwan 5.9.8", Image: "sha256:1234", Says: "charon <5.9.8>"},
			{Name: "libreswan", Driver: "uml", Version: "libreswan 4.10", Probe: "it passed"},
		},
	}
	known := &result.MatrixExpectation{Cells: "*libreswan*", Outcome: result.Failed, Saying: "no DES", Reason: "It has no DES.", Note: "docs/notes/libreswan.md"}
	add := func(name, initiator, responder string, k result.Kind, o result.Outcome, reason string, tags ...string) *result.MatrixCell {
		c := result.MatrixCell{
			Title: "Of <" + name + ">", Tags: tags, Initiator: initiator, Responder: responder, Driver: "uml", Kind: k, Outcome: o, Reason: reason, Wall: 1234 * time.Millisecond,
		}
		c.Case, c.Cell, _ = strings.Cut(name, "/")
		c.ID = fmt.Sprintf("%s@%s-to-%s@uml", strings.ReplaceAll(name, "/", ","), initiator, responder)
		m.Cells = append(m.Cells, c)
		return &m.Cells[len(m.Cells)-1]
	}
	good := add("main/3des", "lab", "strongswan-5.9", result.KindPassed, result.Passed, "", "main-mode", "suites")
	good.Dir, good.Ready, good.Memory = "cells/"+good.ID, 3*time.Second, 60<<20
	add("main/3des", "strongswan-5.9", "lab", result.KindUnexpected, result.Passed, "", "main-mode").Expected = &result.MatrixExpectation{
		Cells: "*strongswan*", Outcome: result.Failed, Reason: "It has no DES.", Note: "https://example.org/x",
	}
	add("main/3des", "lab", "libreswan", result.KindAccepted, result.Failed, "no DES there", "main-mode").Expected = known
	add("main/aes", "lab", "strongswan-5.9", result.KindFailed, result.Failed, "step 1: want esp, got <clear>", "main-mode")
	add("main/aes", "strongswan-5.9", "lab", result.KindBroken, result.Broken, "hung: 60s", "main-mode")
	add("ping", "lab", "strongswan-5.9", result.KindUnsupported, result.Unsupported, "no transport mode").Wall = 0
	add("ping", "strongswan-5.9", "lab", result.KindUnsupported, result.Unsupported, "no transport mode").Wall = 0
	add("ping", "lab", "libreswan", result.KindNotRun, "", "").Wall = 0
	m.Interrupted = true
	m.Count()
	return m
}

// matrixPages writes the pages of a matrix and reads its index.
func matrixPages(t *testing.T, dir string, m, against *result.Matrix) string {
	t.Helper()
	for _, c := range m.Cells {
		if c.Dir != "" {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, c.Dir), 0o755))
		}
	}
	require.NoError(t, Matrix(dir, m, against, MatrixOptions{}))
	b, err := os.ReadFile(filepath.Join(dir, indexFile))
	require.NoError(t, err)
	elements(t, string(b))
	return string(b)
}

func TestMatrixPage(t *testing.T) {
	m := exampleMatrix()
	html := matrixPages(t, t.TempDir(), m, nil)
	for _, text := range []string{
		`<header class="broken"`, "8 cells, 3 columns", "Cells are missing", "2005-03-30 00:00:00 UTC", `href="matrix.json"`, "1 min 30 s",
		// the head: pairs over drivers
		`<th scope="colgroup" colspan="1" class="pair" data-columns="0 ">lab<br>→ strongswan-5.9</th>`,
		`data-column="2" data-initiator="lab" data-responder="libreswan" data-driver="uml">uml</th>`,
		// groups by the first tag
		`<th scope="rowgroup" colspan="4">main-mode <span class="dim">2 cases</span></th>`, `<th scope="rowgroup" colspan="4">other <span class="dim">1 case</span></th>`,
		// a cell: class, sign, how long, page, and in words
		`<td class="passed" data-kind="passed" data-column="0"><a href="cells/main,3des@lab-to-strongswan-5.9@uml/index.html" title="main/3des:lab→strongswan-5.9@uml: passed, 1.23 s" aria-label="main/3des:lab→strongswan-5.9@uml: passed, 1.23 s"><span class="sign">✓</span> 1.2</a></td>`,
		`<td class="failed" data-kind="failed" data-column="0"><a href="#cell-main,aes@lab-to-strongswan-5.9@uml"`, `<span class="sign">✕</span> failed`,
		`<td class="unsupported" data-kind="unsupported" data-column="1"><a href="#unsupported-1"`,
		`<td class="none" data-column="2"></td>`,
		// the environment
		"no &lt;Docker&gt; answers", "strongSwan 5.9.8", "charon &lt;5.9.8&gt;", "sha256:1234", "not called unsupported: it passed", "60.0 MiB",
	} {
		require.Contains(t, html, text)
	}
	bad := section(t, html, "bad")
	var order []int
	for _, text := range []string{"hung: 60s", "step 1: want esp, got &lt;clear&gt;", "It is listed as an accepted failure: It has no DES.", "ping"} {
		order = append(order, strings.Index(bad, text))
	}
	require.IsIncreasing(t, order, "the worst first")
	require.Positive(t, order[0])
	accepted := section(t, html, "accepted")
	require.Contains(t, accepted, `<a href="https://github.com/ipseclab/ipseclab/blob/main/docs/notes/libreswan.md">docs/notes/libreswan.md</a>`)
	require.Contains(t, accepted, "main/3des:lab→libreswan@uml")
	require.Contains(t, accepted, `<a href="https://example.org/x">`)
	unsupported := section(t, html, "unsupported")
	require.Regexp(t, `(?s)<tr id="unsupported-1"><th scope="row">no transport mode</th><td class="num">2</td>.*ping:lab→strongswan-5.9@uml.*ping:strongswan-5.9→lab@uml`, unsupported)
	columns := section(t, html, "columns")
	require.Contains(t, columns, "50.0 %", "one of two that are not unsupported passed")
	require.NotContains(t, html, `id="changes"`)

	good := exampleMatrix()
	good.Cells, good.Interrupted = good.Cells[:1], false
	good.Count()
	html = matrixPages(t, t.TempDir(), good, nil)
	require.Contains(t, html, `<header class="passed"`)
	for _, id := range []string{"bad", "accepted", "unsupported", "changes"} {
		require.NotContains(t, html, `id="`+id+`"`)
	}
	good = exampleMatrix()
	good.Cells, good.Interrupted = []result.MatrixCell{good.Cells[0], good.Cells[2], good.Cells[5]}, false
	good.Count()
	require.Equal(t, result.Unsupported, good.Outcome)
	require.Contains(t, matrixPages(t, t.TempDir(), good, nil), `<h1><span class="outcome passed">as expected</span> 3 cells`, "what is unsupported somewhere is no bad news")
}

// The page of a cell has the colours of what the cell counts as, and each failed check once, in a sentence.
func TestMatrixCellPageOfAFailure(t *testing.T) {
	m := exampleMatrix()
	c := &m.Cells[2]
	c.Dir = "cells/" + c.ID
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, c.Dir), 0o755))
	b, err := json.Marshal(result.Scenario{Schema: result.ScenarioSchema, Name: "main/3des", Outcome: result.Failed, Steps: []result.Step{{
		Index: 1, Title: "a ping", Outcome: result.Failed,
		Checks: []result.Check{{Name: "result: ok", Line: 7, Want: "ok", Got: "timeout", Outcome: result.Failed, Reason: "want ok, got timeout"}},
	}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, c.Dir, resultFile), b, 0o644))
	matrixPages(t, dir, m, nil)
	b, err = os.ReadFile(filepath.Join(dir, c.Dir, indexFile))
	require.NoError(t, err)
	for _, text := range []string{
		`<header class="accepted"`, `<span class="outcome accepted">failed as accepted</span>`,
		`<span class="why">result: ok (line 7): want ok, got timeout</span>`,
	} {
		require.Contains(t, string(b), text)
	}
}

// Every link inside the page leads somewhere, every cell says in words what it is and has a sign, no
// resource is loaded, and heads say what they are heads of.
func TestMatrixPageIsWhole(t *testing.T) {
	dir := t.TempDir()
	html := matrixPages(t, dir, exampleMatrix(), exampleMatrix())
	for _, m := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		switch {
		case strings.HasPrefix(m[1], "#"):
			require.Equal(t, 1, strings.Count(html, fmt.Sprintf("id=%q", m[1][1:])), m[1])
		case strings.HasPrefix(m[1], "https://"), m[1] == "matrix.json":
		default:
			require.FileExists(t, filepath.Join(dir, m[1]))
		}
	}
	cells := regexp.MustCompile(`<td class="[a-z -]+" data-kind="([a-z-]+)"[^>]*><(?:a|span)[^>]* title="([^"]+)"[^>]*><span class="sign">(.)</span>`).FindAllStringSubmatch(html, -1)
	require.Len(t, cells, 8)
	for _, c := range cells {
		require.Contains(t, c[2], matrixKinds[result.Kind(c[1])].Words)
	}
	for _, head := range regexp.MustCompile(`<th( [^>]*)?>`).FindAllString(html, -1) {
		require.Contains(t, head, "scope=")
	}
	require.NotRegexp(t, `src=|@import|url\(`, html)
	for k, look := range matrixKinds {
		require.Equal(t, k, look.Class)
		require.NotEmpty(t, look.Sign)
	}
	require.Len(t, matrixKinds, len(result.Kinds()))
}

func TestCompareMatrices(t *testing.T) {
	now, before := exampleMatrix(), exampleMatrix()
	at := func(m *result.Matrix, i int, k result.Kind, o result.Outcome, wall time.Duration) {
		m.Cells[i].Kind, m.Cells[i].Outcome, m.Cells[i].Wall = k, o, wall
	}
	at(before, 0, result.KindPassed, result.Passed, 200*time.Millisecond)  // slower by a second, sixfold
	at(before, 1, result.KindFailed, result.Failed, time.Second)           // passes now
	at(before, 2, result.KindFailed, result.Failed, time.Second)           // accepted now
	at(before, 3, result.KindUnsupported, result.Unsupported, time.Second) // fails now
	at(before, 7, result.KindPassed, result.Passed, time.Second)           // not run now
	before.Cells = append(before.Cells[:4:4], before.Cells[5:]...)         // the broken one is new
	c := CompareMatrices(now, before, MatrixOptions{})
	var got []string
	for _, x := range c.Changes {
		got = append(got, x.Word+" "+x.Cell.ID)
	}
	require.Equal(t, []string{
		NewlyFailing + " main,aes@lab-to-strongswan-5.9@uml", NewlyPassing + " main,3des@strongswan-5.9-to-lab@uml",
		ChangedOutcome + " main,3des@lab-to-libreswan@uml", Slower + " main,3des@lab-to-strongswan-5.9@uml",
	}, got)
	require.Equal(t, "1 newly failing, 1 newly passing, 1 changed outcome, 1 slower, 2 the same, 1 new, 1 not run now", c.Summary())
	require.Equal(t, "1.23 s, was 200 ms", c.Changes[3].Text)
	require.Equal(t, "failed (step 1: want esp, got <clear>), was unsupported (step 1: want esp, got <clear>)", c.Changes[0].Text)
	require.Empty(t, CompareMatrices(now, now, MatrixOptions{}).Changes)

	require.Len(t, CompareMatrices(now, before, MatrixOptions{Slower: 10}).Changes, 3, "not tenfold")
	at(before, 0, result.KindPassed, result.Passed, 300*time.Millisecond)
	require.Len(t, CompareMatrices(now, before, MatrixOptions{}).Changes, 3, "four times as long, but not by a second")

	html := matrixPages(t, t.TempDir(), now, before)
	changes := section(t, html, "changes")
	require.Contains(t, changes, `<span class="change newly-failing">newly failing</span>`)
	require.Contains(t, changes, "1 newly failing, ")
	require.Contains(t, html, `<td class="failed changed" data-kind="failed" data-column="0">`)
	require.Contains(t, html, "; newly failing")
}

func TestMatrixCellPage(t *testing.T) {
	m := exampleMatrix()
	c := &m.Cells[0]
	c.Inputs = result.MatrixInputs{Case: "abcd", Program: "v0.1.0"}
	dir := t.TempDir()
	folder := filepath.Join(dir, c.Dir)
	src := sqlWorld(t).folder() // what a scenario leaves behind
	require.NoError(t, os.MkdirAll(filepath.Dir(folder), 0o755))
	require.NoError(t, os.Rename(src, folder))
	require.NoError(t, Scenario(folder))
	long := strings.Repeat("05[IKE] a line of the log\n", 5000)
	for name, text := range map[string]string{
		"peers/responder/charon.log": long + "<last> line\n", "peers/responder/sas.txt": "ESP SPIs: c1234567_i", "peers/responder/blob": "\x00\x01", "peers/responder/empty": "",
	} {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	matrixPages(t, dir, m, nil)
	b, err := os.ReadFile(filepath.Join(folder, indexFile))
	require.NoError(t, err)
	html := string(b)
	elements(t, html)
	for _, text := range []string{
		"Of &lt;main/3des&gt;", "main/3des:lab→strongswan-5.9@uml", `href="../../index.html#matrix"`, `href="report.html#ladder"`, `href="capture.pcapng"`, `href="trace.jsonl"`,
		"responder: what the daemon says", "&lt;last&gt; line", "bytes before this are not shown", "ESP SPIs: c1234567_i", `href="peers/responder/blob"`, "Empty, or no text.",
		"strongSwan 5.9.8", "<code>abcd</code>", "3 s</strong>",
	} {
		require.Contains(t, html, text)
	}
	require.Less(t, len(html), 400<<10, "the end of a long log is shown")
	require.NotContains(t, html, "libreswan 4.10", "which takes no role")
	for _, link := range regexp.MustCompile(`href="([^"#]+)`).FindAllStringSubmatch(html, -1) {
		require.FileExists(t, filepath.Join(folder, link[1]))
	}

	// A scenario of which nothing can be read, and one that left nothing.
	require.NoError(t, os.WriteFile(filepath.Join(folder, resultFile), []byte("{"), 0o644))
	matrixPages(t, dir, m, nil)
	b, err = os.ReadFile(filepath.Join(folder, indexFile))
	require.NoError(t, err)
	require.Contains(t, string(b), "result.json cannot be read")
	require.NoError(t, os.RemoveAll(folder))
	matrixPages(t, dir, m, nil)
	b, err = os.ReadFile(filepath.Join(folder, indexFile))
	require.NoError(t, err)
	require.Contains(t, string(b), "The scenario left no report.")
	require.Contains(t, string(b), "No real peer left files.")
}

// A folder that is gone, or is none of the matrix, makes no page and no link.
func TestMatrixWithoutEvidence(t *testing.T) {
	m := exampleMatrix()
	m.Cells[0].Dir = "../outside"
	dir := filepath.Join(t.TempDir(), "m")
	require.NoError(t, os.MkdirAll(filepath.Join(filepath.Dir(dir), "outside"), 0o755))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	m.Cells[3].Dir = "cells/gone"
	require.NoError(t, Matrix(dir, m, nil, MatrixOptions{}))
	b, err := os.ReadFile(filepath.Join(dir, indexFile))
	require.NoError(t, err)
	require.NotContains(t, string(b), `href="../outside`)
	require.NotContains(t, string(b), `href="cells/gone`)
	require.NoFileExists(t, filepath.Join(filepath.Dir(dir), "outside", indexFile))
	require.ErrorContains(t, Matrix(filepath.Join(dir, "missing"), m, nil, MatrixOptions{}), "reports: open")
}

// In a browser, the heat map filters rows and columns, and sorts by a column.
func TestMatrixScript(t *testing.T) {
	browser := needs.Tool(t, "chromium")
	html := matrixPages(t, t.TempDir(), exampleMatrix(), nil)
	// The page runs no script but its own: the test's is let in by taking that away.
	page := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`).ReplaceAllString(html, "")
	page = strings.Replace(page, "</body>", `<script>
		const form = document.getElementById("heat-filter"), seen = [];
		const look = () => seen.push([...document.querySelectorAll("#heat tr[data-name]")].filter((r) => !r.hidden).map((r) => r.dataset.name).join(" ") + " | " +
			[...document.querySelectorAll("#heat th.driver")].filter((h) => !h.hidden).map((h) => h.dataset.column).join(" ") + " | " + form.querySelector(".hits").textContent);
		const set = (name, value) => {
			for (const e of form.elements) if (e.name) e.value = e.name === name ? value : "";
			form.dispatchEvent(new Event("input"));
			look();
		};
		const sort = (column) => { document.querySelector('th[data-sort="' + column + '"] button').click(); look(); };
		look();
		set("kind", "failed"); set("text", "main-mode"); set("text", "AES of"); set("system", "libreswan"); set("driver", "container"); set("", "");
		sort("0"); sort("0"); sort("");
		document.body.innerHTML = "<pre>" + seen.join("\n") + "</pre>";
	</script></body>`, 1)
	file := filepath.Join(t.TempDir(), "page.html")
	require.NoError(t, os.WriteFile(file, []byte(page), 0o644))
	out, err := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--dump-dom", "file://"+file).Output()
	require.NoError(t, err)
	_, seen, _ := strings.Cut(string(out), "<pre>")
	seen, _, _ = strings.Cut(seen, "</pre>")
	require.Equal(t, []string{
		"main/3des main/aes ping | 0 1 2 | ",
		"main/aes | 0 1 2 | 1 cell of 1 case",                  // that failed
		"main/3des main/aes | 0 1 2 | 5 cells of 2 cases",      // with a tag
		"main/aes | 0 1 2 | 2 cells of 1 case",                 // with words, in any order and case
		"main/3des ping | 2 | 2 cells of 2 cases",              // of a system
		" |  | 0 cells of 0 cases",                             // of a driver without cells
		"main/3des main/aes ping | 0 1 2 | 8 cells of 3 cases", // everything
		"main/aes main/3des ping | 0 1 2 | 8 cells of 3 cases", // the worst of a column first
		"main/3des main/aes ping | 0 1 2 | 8 cells of 3 cases", // last
		"main/aes main/3des ping | 0 1 2 | 8 cells of 3 cases", // by name, from the end
	}, strings.Split(seen, "\n"))
}
