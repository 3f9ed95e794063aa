package netsh

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the corpus wants anew")

// Scripts that are modelled on public documentation: what of each is refused or noted, and
// what comes of the rest.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*.*")
	require.NoError(t, err)
	n := 0
	for _, file := range files {
		if filepath.Ext(file) == ".want" {
			continue
		}
		n++
		t.Run(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, strings.SplitN(string(text), "\n", 3)[0]+strings.SplitN(string(text), "\n", 3)[1], "Source: ")
			s := &Store{}
			r := s.Run(Script{Name: filepath.Base(file), Text: string(text)})
			var b strings.Builder
			for _, l := range r.Lines {
				if l.Outcome == Refused || l.Outcome == Noted {
					fmt.Fprintf(&b, "%s: %s\n", l.Outcome, l)
				}
			}
			script, err := s.Script()
			require.NoError(t, err)
			b.WriteString("\n" + script)
			want := strings.TrimSuffix(file, filepath.Ext(file)) + ".want"
			if *update {
				require.NoError(t, os.WriteFile(want, []byte(b.String()), 0o644))
			}
			golden, err := os.ReadFile(want)
			require.NoError(t, err)
			require.Equal(t, string(golden), b.String())
		})
	}
	require.GreaterOrEqual(t, n, 12)
}
