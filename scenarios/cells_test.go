package scenarios_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios"
)

const pings = `title: two sizes
parameters: { size: [0, 1400] }
network: { segments: { lan: {} } }
nodes:
  alice: { interfaces: [{ segment: lan, address: 10.0.0.1/24 }] }
  bob: { interfaces: [{ segment: lan, address: 10.0.0.2/24 }] }
steps:
  - ping: { from: alice, to: bob, size: "${size}" }
    expect: { result: ok }
`

// subtests counts the subtests that Cells starts.
type subtests struct {
	*testing.T
	names *[]string
}

func (s subtests) Run(name string, f func(subtests)) bool {
	*s.names = append(*s.names, name)
	return s.T.Run(name, func(t *testing.T) { f(subtests{t, s.names}) })
}

// Each cell is a subtest with evidence of its own; a file without cells is none.
func TestCells(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pings.yaml")
	require.NoError(t, os.WriteFile(file, []byte(pings), 0o644))
	all, err := scenarios.LoadAll(file)
	require.NoError(t, err)
	dir, names := t.TempDir(), []string{}
	scenarios.Cells(subtests{t, &names}, all, scenarios.Options{Dir: dir})
	require.Equal(t, []string{"0", "1400"}, names)
	f, err := os.Open(filepath.Join(dir, "1400", "result.json"))
	require.NoError(t, err)
	defer f.Close()
	r, err := result.Read(f)
	require.NoError(t, err)
	require.Equal(t, "pings/1400", r.Name)
	require.Equal(t, []result.Setting{{Parameter: "size", Value: "1400"}}, r.Cell)

	dir, names = t.TempDir(), nil
	scenarios.Cells(subtests{t, &names}, loadAll(t, "filter_most_specific_first.yaml"), scenarios.Options{Dir: dir})
	require.Empty(t, names)
	require.FileExists(t, filepath.Join(dir, "result.json"))
}
