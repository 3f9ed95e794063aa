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
		s, err := Parse("fuzz.yaml", src)
		if err == nil {
			require.NoError(t, s.Check())
			for i := range s.Steps {
				require.NotEmpty(t, s.Steps[i].Words())
				require.Positive(t, s.Line(item("$.steps", i)))
			}
			return
		}
		var all Errors
		require.True(t, errors.As(err, &all) && len(all) > 0 && len(all) <= maxErrors)
		for _, e := range all {
			require.NotEmpty(t, e.Message)
			require.Equal(t, e.Line > 0, e.Excerpt != "", "%+v", e)
		}
	})
}
