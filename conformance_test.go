package ipseclab_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listedRFCs are those that the white paper lists, lines 54 to 84 (C007).
var listedRFCs = []string{
	"1828", "1829", "2085", "2104", "2401", "2402", "2403", "2404", "2406", "2407", "2408", "2409", "2410", "2411", "2451",
}

// Each RFC that the white paper lists has a row, and all tests and scenarios that the page
// names are there.
func TestConformancePage(t *testing.T) {
	const page = "docs/conformance.md"
	content, err := os.ReadFile(page)
	require.NoError(t, err)
	text := string(content)
	for _, rfc := range listedRFCs {
		require.Contains(t, text, "\n| "+rfc+" | ", "%s has no row for RFC %s", page, rfc)
	}

	declared := map[string]string{} // by package: all its test sources
	sources := func(pkg string) string {
		if _, ok := declared[pkg]; !ok {
			files, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*_test.go"))
			require.NoError(t, err)
			for _, f := range files {
				b, err := os.ReadFile(f)
				require.NoError(t, err)
				declared[pkg] += string(b)
			}
		}
		return declared[pkg]
	}
	tests := regexp.MustCompile("`([a-z0-9/]+)`:\\s+((?:Test\\w+(?:,\\s+)?)+)").FindAllStringSubmatch(text, -1)
	require.Greater(t, len(tests), 20, page)
	named := 0
	for _, m := range tests {
		for _, name := range strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
			require.Contains(t, sources(m[1]), "\nfunc "+name+"(t *testing.T)", "%s names %s of %s", page, name, m[1])
			named++
		}
	}
	require.Equal(t, named, len(regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(text, -1)), "a test of %s stands without its package", page)
	for _, m := range regexp.MustCompile("`([a-z0-9]+(?:_[a-z0-9]+)+)`").FindAllStringSubmatch(text, -1) {
		require.FileExists(t, filepath.Join("scenarios", "catalogue", m[1]+".yaml"), page)
	}
}
