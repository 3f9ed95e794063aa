package spec

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what is wanted, and the published schema, anew")

func TestParseValid(t *testing.T) {
	for _, name := range glob(t, "testdata/valid/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			all, err := ParseAllFile(name)
			require.NoError(t, err)
			for _, s := range all {
				file, _, _ := strings.Cut(s.Name, "/")
				require.Equal(t, strings.TrimSuffix(filepath.Base(name), ".yaml"), file)
				require.NoError(t, s.Check())
			}
			again, err := ParseAllFS(os.DirFS("."), name)
			require.NoError(t, err)
			require.Equal(t, all, again)
		})
	}
}

// TestMistakes: each file of testdata/mistakes holds scenario files, and behind
// each the exact text that its reader gets to see.
func TestMistakes(t *testing.T) {
	for _, name := range glob(t, "testdata/mistakes/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			require.NoError(t, err)
			require.Zero(t, len(a.Files)%2, "a file without what is wanted")
			for i := 0; i < len(a.Files); i += 2 {
				in, want := a.Files[i], &a.Files[i+1]
				require.Equal(t, "want", want.Name, in.Name)
				all, err := ParseAll(in.Name, in.Data)
				require.Error(t, err, in.Name)
				require.Nil(t, all)
				if *update {
					want.Data = []byte(err.Error() + "\n")
				}
				require.Equal(t, string(want.Data), err.Error()+"\n", in.Name)
			}
			if *update {
				require.NoError(t, os.WriteFile(name, txtar.Format(a), 0o644))
			}
		})
	}
}

func fsGlob(pattern string) ([]string, error) { return fs.Glob(os.DirFS("."), pattern) }

func glob(t *testing.T, pattern string) []string {
	names, err := fsGlob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return names
}
