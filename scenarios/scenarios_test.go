package scenarios_test

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// catalogueFiles are the names of the files of the catalogue, in order.
func catalogueFiles(t testing.TB) []string {
	t.Helper()
	files, err := fs.Glob(scenarios.Catalogue(), "*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 8)
	return files
}

func load(t testing.TB, file string) *spec.Scenario {
	t.Helper()
	s, err := scenarios.LoadFS(scenarios.Catalogue(), file)
	require.NoError(t, err)
	return s
}

func TestCatalogue(t *testing.T) {
	for _, file := range catalogueFiles(t) {
		t.Run(strings.TrimSuffix(path.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			scenarios.Check(t, load(t, file), scenarios.Options{Dir: t.TempDir()})
		})
	}
}
