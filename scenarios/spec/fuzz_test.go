package spec

import (
	"errors"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// FuzzParse: no input makes Parse panic, and what it reports stands in the file.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/valid/*.yaml", "testdata/mistakes/*.txtar"} {
		names, err := fsGlob(pattern)
		require.NoError(f, err)
		for _, name := range names {
			src, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(src)
			for _, file := range txtar.Parse(src).Files {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		all, err := ParseAll("fuzz.yaml", src)
		if err == nil {
			names := map[string]bool{}
			for _, s := range all {
				require.NoError(t, s.Check())
				require.False(t, names[s.Name], "two cells are called %s", s.Name)
				names[s.Name] = true
				for i := range s.Steps {
					require.NotEmpty(t, s.Steps[i].Words())
					require.Positive(t, s.Line(item("$.steps", i)))
				}
			}
			return
		}
		var mistakes Errors
		require.True(t, errors.As(err, &mistakes) && len(mistakes) > 0 && len(mistakes) <= maxErrors)
		for _, e := range mistakes {
			require.NotEmpty(t, e.Message)
			require.Equal(t, e.Line > 0, e.Excerpt != "", "%+v", e)
		}
	})
}
