package reports

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Whatever a trace and a result say, there is a ladder and a page.
func FuzzReport(f *testing.F) {
	w := sqlWorld(f)
	res, err := json.Marshal(w.result)
	require.NoError(f, err)
	var lines []byte
	for _, e := range w.events {
		line, err := json.Marshal(e)
		require.NoError(f, err)
		lines = append(append(lines, line...), '\n')
		e.Node = ""
		line, err = json.Marshal(e)
		require.NoError(f, err)
		f.Add([]byte(`{"outcome":"passed"}`), line)
	}
	f.Add(res, lines)
	f.Fuzz(func(t *testing.T, res, lines []byte) {
		events, _ := trace.Read(bytes.NewReader(lines)) // what stands before the damage
		require.NoError(t, Ladder(io.Discard, events))
		s, err := result.Read(bytes.NewReader(res))
		if err != nil {
			return
		}
		html, err := render("report.html", newPage(&evidence{Scenario: s, events: events}))
		require.NoError(t, err)
		require.True(t, bytes.HasSuffix(bytes.TrimSpace(html), []byte("</html>")))
	})
}
