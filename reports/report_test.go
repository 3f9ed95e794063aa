package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// elements parses a page, demands that every element is closed where it must be,
// and counts the elements by name.
func elements(t *testing.T, html string) map[string]int {
	t.Helper()
	// Style and script are no markup: a parser of XML has to be kept from them.
	html = regexp.MustCompile(`(?s)<style>.*?</style>|<script>.*?</script>`).ReplaceAllStringFunc(html, func(s string) string {
		name := regexp.MustCompile(`\w+`).FindString(s)
		return "<" + name + "></" + name + ">"
	})
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	count := map[string]int{}
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			require.Empty(t, open, "elements left open")
			return count
		}
		require.NoError(t, err)
		switch e := token.(type) {
		case xml.StartElement:
			count[e.Name.Local]++
			open = append(open, e.Name.Local)
		case xml.EndElement:
			require.Equal(t, open[len(open)-1], e.Name.Local, "closed in order")
			open = open[:len(open)-1]
		}
	}
}

// section is the text of one section of a page.
func section(t *testing.T, html, id string) string {
	t.Helper()
	m := regexp.MustCompile(`(?s)<section id="` + id + `">.*?</section>`).FindString(html)
	require.NotEmpty(t, m, "section %s", id)
	return m
}

func TestReportShowsTheRun(t *testing.T) {
	html := sqlWorld(t).report()
	count := elements(t, html)
	require.Equal(t, 1, count["script"])
	require.Equal(t, 1, count["svg"])

	var ids []string
	for _, m := range regexp.MustCompile(`<section id="(\w+)"`).FindAllStringSubmatch(html, -1) {
		ids = append(ids, m[1])
	}
	require.Equal(t, []string{"bad", "story", "network", "steps", "invariants", "ladder", "sas", "verdicts", "logs", "applications", "packets", "evidence"}, ids,
		"what did not pass comes first")

	for _, text := range []string{
		`<header class="failed"`, "The application server reaches SQL Server only inside ESP", "seed <code>7</code>",
		"virtual start 2005-03-30 00:00:00 UTC, end 2005-03-30 00:01:03 UTC", "C119", "1 min 3 s", "3 / 5",
	} {
		require.Contains(t, html, text)
	}

	bad := section(t, html, "bad")
	require.Less(t, strings.Index(bad, "2 of 2 answers came"), strings.Index(bad, "links have no jitter"), "failed before unsupported")
	require.Contains(t, bad, `<a href="#step-2">`)
	require.Contains(t, bad, "line 53")

	steps := section(t, html, "steps")
	require.Equal(t, 3, strings.Count(steps, "<article"))
	require.Contains(t, steps, `<td><code>timeout</code></td>`)
	require.Contains(t, steps, `<td class="num">53</td>`)

	ladder := section(t, html, "ladder")
	require.Equal(t, 11, strings.Count(ladder, `<details class="rung message">`), "each message once, though both sides recorded it")
	require.Equal(t, 2, strings.Count(ladder, "not received"))
	require.Contains(t, ladder, "retransmission 1")
	require.Contains(t, ladder, "SA pair in 0x00001001, out 0x00001000")
	require.Contains(t, ladder, "ESP (tcp): 12 frames", "frames that the router forwards count once")
	require.Contains(t, ladder, "clear icmp: 4 frames")
	require.Contains(t, ladder, "dropped: policy demands protection")
	require.Contains(t, ladder, `<span class="field">Encryption Algorithm</span> <code>3DES-CBC</code>`)

	packets := section(t, html, "packets")
	require.Contains(t, packets, "SPI 0x00001000, sequence 1")
	require.Equal(t, 12, strings.Count(packets, "tcp 10.0.1.10:1025 → 10.0.2.20:1433 [ACK PSH]"), "the inner packet, also of forwarded copies")
	require.Contains(t, packets, "exempt: isakmp")

	require.Contains(t, section(t, html, "network"), "Segment office joins client at 10.0.1.10/24, gate at 10.0.1.1/24.")
	require.Contains(t, section(t, html, "evidence"), `<a href="capture.pcapng">capture</a>`)
	require.Contains(t, section(t, html, "evidence"), `WIRESHARK_CONFIG_DIR=`)
	require.Contains(t, section(t, html, "verdicts"), `<span class="fate held">held</span>`)
	require.Contains(t, section(t, html, "logs"), `<td class="num">541</td><td>IKE security association established<br><span class="dim">Data Protection Mode (Quick Mode)</span>`)
	require.Contains(t, section(t, html, "logs"), "Parameters: ESP Algorithm 3des-cbc, AH Algorithm None")
}

func TestReportIsSelfContained(t *testing.T) {
	html := sqlWorld(t).report()
	require.NotRegexp(t, `(?i)(src|href|action|poster|data)\s*=\s*["']?(https?:|//)`, html)
	require.NotRegexp(t, `(?i)url\(|@import|<link|<iframe|<object|<embed`, html)
	require.Contains(t, html, `default-src &#39;none&#39;`)
}

func TestReportDependsOnTheEvidenceAlone(t *testing.T) {
	require.Equal(t, sqlWorld(t).report(), sqlWorld(t).report())
}

// fill puts text into every string that a value holds.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			v.SetString(text)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fill(v.Elem(), text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(f, text)
			}
		}
	}
}

func TestHostileTextsStayTexts(t *testing.T) {
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'--></style>{{.}}` + "\u2028\x00"
	w := sqlWorld(t)
	w.record("client", trace.Violation{Frame: 3})
	normal := elements(t, w.report())
	fill(reflect.ValueOf(&w.result), hostile)
	for i, e := range w.events {
		body := reflect.New(reflect.TypeOf(e.Body)).Elem()
		body.Set(reflect.ValueOf(e.Body))
		if step, ok := e.Body.(trace.Step); !ok || step.State != "started" {
			fill(body, hostile)
		}
		w.events[i] = trace.Event{At: e.At, Node: e.Node, Body: body.Interface().(trace.Body)}
	}
	w.result.Claims = []string{hostile}
	w.result.Artefacts = append(w.result.Artefacts, result.Artefact{Name: "x", Path: "javascript:alert(3)"})
	html := w.report()
	got := elements(t, html)
	require.Equal(t, normal["script"], got["script"])
	require.Zero(t, got["img"])
	for name := range got {
		require.Contains(t, normal, name, "an element that no report has")
	}
	require.NotContains(t, html, `href="javascript:`)
	require.NotContains(t, html, "alert(1)</script>")
}

func TestLongRunsStayBounded(t *testing.T) {
	w := newWorld(t)
	w.step("transfer", "bulk", nil, func() {
		w.mainMode()
		out, in := w.quickMode()
		for n := range uint64(8000) {
			w.esp(true, out, n+1, 1000)
			if n%2 == 0 {
				w.esp(false, in, n/2+1, 0)
			}
		}
	})
	for n := range 5000 { // nothing of this repeats
		w.now += 1e6
		w.record([]string{"client", "server"}[n*n%7%2], trace.PacketDropped{Where: "ipsec inbound", Packet: strings.Repeat("p", n%90), Reason: "reason " + strings.Repeat("r", n*7919%997)})
		w.record("client", trace.Verdict{Packet: "x"})
		w.record("client", trace.Application{App: "x"})
	}
	html := w.report()
	require.Less(t, len(html), 2<<20)
	packets := section(t, html, "packets")
	require.Equal(t, firstPackets+lastPackets, strings.Count(packets, `id="packet-`))
	require.Contains(t, packets, "… 23\u202f418 more frames in capture.pcapng", "24 018 frames less the 600 shown")
	ladder := section(t, html, "ladder")
	require.Contains(t, ladder, "ESP (tcp): 12\u202f000 frames")
	require.LessOrEqual(t, strings.Count(ladder, `class="rung `), ladderRows+1)
	require.Contains(t, ladder, "more rows")
	require.Contains(t, section(t, html, "verdicts"), "… 4\u202f700 more verdicts in trace.jsonl")
	require.Contains(t, section(t, html, "applications"), "… 4\u202f700 more events in trace.jsonl")
}

func TestDamagedEvidence(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(dir string) error
		want   string // of the error
		notice string // in the report; "" no report
	}{
		{"no folder", os.RemoveAll, "reading FOLDER/result.json: no such file or directory", ""},
		{"no result", func(d string) error { return os.Remove(filepath.Join(d, resultFile)) }, "reading FOLDER/result.json: no such file or directory", ""},
		{"result cut short", func(d string) error { return os.Truncate(filepath.Join(d, resultFile), 100) }, "reading FOLDER/result.json: result: unexpected EOF", ""},
		{"no trace", func(d string) error { return os.Remove(filepath.Join(d, traceFile)) }, "reading FOLDER/trace.jsonl: no such file or directory",
			"trace.jsonl cannot be read: no such file or directory"},
		{"trace cut short", func(d string) error { return os.Truncate(filepath.Join(d, traceFile), 2000) }, "reading FOLDER/trace.jsonl: trace: line ", "trace.jsonl cannot be read: trace: line "},
		{"no capture", func(d string) error { return os.Remove(filepath.Join(d, captureFile)) }, "reading FOLDER/capture.pcapng: no such file or directory",
			"capture.pcapng cannot be read: no such file or directory"},
		{"capture cut short", func(d string) error { return os.Truncate(filepath.Join(d, captureFile), 1001) }, "reading FOLDER/capture.pcapng: pcapng: block ", "capture.pcapng cannot be read: pcapng: block "},
		{"capture of something else", func(d string) error {
			return os.WriteFile(filepath.Join(d, captureFile), bytes.Repeat([]byte("no"), 100), 0o666)
		}, "reading FOLDER/capture.pcapng: pcapng: ", "capture.pcapng cannot be read: pcapng: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := sqlWorld(t).folder()
			require.NoError(t, c.damage(dir))
			require.ErrorContains(t, Scenario(dir), "reports: "+strings.ReplaceAll(c.want, "FOLDER", dir))
			b, err := os.ReadFile(filepath.Join(dir, reportFile))
			if c.notice == "" {
				require.ErrorIs(t, err, os.ErrNotExist)
				return
			}
			require.NoError(t, err)
			elements(t, string(b))
			require.Contains(t, string(b), c.notice)
			require.NotContains(t, string(b), dir, "a report names no folder of the machine")
		})
	}
}

func TestBrokenScenarioMayLackEvidence(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, resultFile), []byte(`{"name":"x","outcome":"broken","reason":"the world panicked"}`), 0o666))
	require.NoError(t, Scenario(dir))
	b, err := os.ReadFile(filepath.Join(dir, reportFile))
	require.NoError(t, err)
	elements(t, string(b))
	require.Contains(t, section(t, string(b), "bad"), "the world panicked")
	require.Contains(t, string(b), "trace.jsonl cannot be read")
}

func TestUnwritableFolder(t *testing.T) {
	dir := sqlWorld(t).folder()
	require.NoError(t, os.Mkdir(filepath.Join(dir, reportFile), 0o777))
	require.ErrorContains(t, Scenario(dir), "reports: rename")
	require.NoFileExists(t, filepath.Join(dir, reportFile+".part"))
}

// The script runs under the page's own content policy, and the page looks the same to a browser.
func TestBrowserRunsTheScript(t *testing.T) {
	browser := needs.Tool(t, "chromium")
	dir := sqlWorld(t).folder()
	require.NoError(t, Scenario(dir))
	cmd := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--dump-dom", "file://"+filepath.Join(dir, reportFile))
	dom, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(dom), `<p class="filter needs-script">`, "the script has shown what needs it")
	require.NotContains(t, string(dom), `needs-script" hidden`)
}

// What a host has found out about a NAT box is a table of its own, where there is any.
func TestReportShowsDiscoveries(t *testing.T) {
	w := newWorld(t)
	require.NotContains(t, sqlWorld(t).report(), `id="discovered"`)
	w.step("discover", "client asks", nil, func() {
		w.record("client", trace.Discovered{Key: "udp-mapping", Value: "endpoint-independent", Detail: "<203.0.113.1:4000> for both servers"})
		w.record("client", trace.Discovered{Key: "udp-timeout", Value: "29s..30s"})
	})
	html := w.report()
	elements(t, html)
	table := section(t, html, "discovered")
	for _, text := range []string{"<code>udp-mapping</code>", "endpoint-independent", "&lt;203.0.113.1:4000&gt; for both servers", "29s..30s"} {
		require.Contains(t, table, text)
	}
}

// A scenario with real peers says what they were, and that it went by the wall clock.
func TestReportShowsRealPeers(t *testing.T) {
	w := sqlWorld(t)
	w.result.Clock = result.ClockWall
	w.result.Nodes[0].Type, w.result.Nodes[0].OS = "peer", ""
	w.result.Peers = []result.Peer{{
		Node: w.result.Nodes[0].Name, Image: "strongswan-5.9", Driver: "uml", Daemon: "strongSwan 5.9.8", Kernel: "Linux 6.1.0", Ready: 3214 * time.Millisecond, Memory: 60 << 20,
	}}
	html := w.report()
	elements(t, html)
	network := section(t, html, "network")
	require.Contains(t, network, "strongswan-5.9 · uml · strongSwan 5.9.8 · Linux 6.1.0 · ready in 3.214 s · 60.0 MiB")
	require.Contains(t, network, `class="node peer"`)
	require.Contains(t, html, "by the wall clock, start 2005-03-30 00:00:00 UTC")
	require.Contains(t, html, "<span>wall clock</span>")
	require.NotContains(t, strings.ToLower(html), "virtual")
}
