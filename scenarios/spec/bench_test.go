package spec

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkParse is a scenario file of ordinary size, and one with seven cells.
func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"sql_server", "matrix"} {
		src, err := os.ReadFile("testdata/valid/" + name + ".yaml")
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := ParseAll(name+".yaml", src)
				require.NoError(b, err)
			}
		})
	}
}
