package scenarios_test

import (
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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

// loadAll are the scenarios of the files, one for each cell.
func loadAll(t testing.TB, files ...string) (all []*spec.Scenario) {
	t.Helper()
	for _, file := range files {
		s, err := scenarios.LoadAllFS(scenarios.Catalogue(), file)
		require.NoError(t, err)
		all = append(all, s...)
	}
	return all
}

// atOnce calls f for each scenario, for as many at once as there are processors.
func atOnce(all []*spec.Scenario, f func(i int, s *spec.Scenario)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				f(i, all[i])
			}
		})
	}
	workers.Wait()
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
			scenarios.Cells(t, loadAll(t, file), scenarios.Options{Dir: t.TempDir()})
		})
	}
}

// The catalogue keeps to the advice of the interoperability paper: a preshared
// key has at least 25 characters (C105).
func TestCatalogueKeysAreLong(t *testing.T) {
	keys := 0
	for _, file := range catalogueFiles(t) {
		for _, s := range loadAll(t, file) {
			if key := s.KerberosStandIn; key != "" {
				require.GreaterOrEqual(t, len(key), 25, "%s: kerberos-stand-in: %q", s.Name, key)
			}
			for policy, p := range s.Policies {
				for _, rule := range p.Rules {
					for _, a := range rule.Auth {
						if a.Kerberos || a.RootCA != "" {
							continue // what stands in for Kerberos is above, and certificates have no such key
						}
						keys++
						require.GreaterOrEqual(t, len(a.PSK), 25, "%s: policy %s, rule %s: %q", s.Name, policy, rule.Label(), a.PSK)
					}
				}
			}
		}
	}
	require.NotZero(t, keys)
}
