package scenarios_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/scenarios"
)

// Every host of the catalogue leaks every third datagram that its policy wants
// protected. Wherever one leaks, the wire oracle has to say so: it is told nothing of
// the fault.
func TestOracleFindsLeaksInTheWholeCatalogue(t *testing.T) {
	var ran, leaked atomic.Int64
	files := catalogueFiles(t)
	t.Run("catalogue", func(t *testing.T) {
		for _, file := range files {
			all := loadAll(t, file)
			s := all[len(all)/2]
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				ran.Add(1)
				o := scenarios.Options{Dir: t.TempDir(), Faults: map[string]hosts.Faults{}}
				for name, n := range s.Nodes {
					if n.Host() {
						o.Faults[name] = hosts.Faults{PassClear: 3}
					}
				}
				r, err := scenarios.Run(t.Context(), s, o)
				require.NoError(t, err)
				capture, err := os.ReadFile(filepath.Join(o.Dir, "capture.pcapng"))
				require.NoError(t, err)
				if n := bytes.Count(capture, []byte("fault: sent in the clear")); n > 0 {
					leaked.Add(1)
					require.Equal(t, scenarios.Failed, r.Invariants[0].Outcome, "%d frames leaked: %s", n, r.Invariants[0].Got)
				}
			})
		}
	})
	if int(ran.Load()) == len(files) { // and not some of them, by -run
		require.Greater(t, int(leaked.Load()), 80)
	}
}
