package reports

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

// The report has a table for each observer, and says what it leaves out; a broken file is a notice.
func TestObserversAreShown(t *testing.T) {
	w := newWorld(t)
	w.result.Artefacts = append(w.result.Artefacts, result.Artefact{Name: "observers", Path: notesFile})
	dir := w.folder()
	records := make([]result.Flow, 250)
	for i := range records {
		records[i] = result.Flow{Protocol: "esp", Source: clientIP, Destination: serverIP, Packets: 3, Bytes: 300, First: time.Second, Last: 2 * time.Second, End: "inactive"}
	}
	all := []result.Observer{
		{
			Name: "ids", Kind: "inspect", Node: "gate", Counts: []result.Count{{Name: "tcp", Packets: 30, Bytes: 3000}, {Name: "udp"}, {Name: "esp", Packets: 10, Bytes: 1000}},
			Reading: &result.Reading{Opaque: result.Count{Packets: 10, Bytes: 1000}, ESPEncrypted: 2, Alerts: []result.Alert{{Pattern: "<b>secret</b>", Found: 7}}},
		},
		{Name: "wan", Kind: "queue", Node: "gate", Segment: "servers", Dropped: []result.Count{{Name: "default", Packets: 4, Bytes: 400}}},
		{Name: "flows", Kind: "account", Segment: "office", Records: records},
	}
	b, err := json.Marshal(all)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, notesFile), b, 0o644))
	require.NoError(t, Scenario(dir))
	html := read1(t, filepath.Join(dir, reportFile))
	for _, want := range []string{
		`<a href="#observers">`, "intrusion detection system", "<td>tcp</td>", "75.0 %", "alerts for &lt;b&gt;secret", "that it could not read",
		"gate, to segment servers", "dropped: default", "segment office", "esp 10.0.1.10 → 10.0.2.20", "ended: inactive", "50 more rows in observers.json",
	} {
		require.Contains(t, html, want)
	}
	require.NotContains(t, html, "<td>udp</td>", "what was not seen")

	require.NoError(t, os.WriteFile(filepath.Join(dir, notesFile), []byte("[{"), 0o644))
	require.Error(t, Scenario(dir))
	require.Contains(t, read1(t, filepath.Join(dir, reportFile)), "observers.json cannot be read")
}

func read1(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}
