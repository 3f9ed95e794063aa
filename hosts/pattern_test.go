package hosts

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The test data are those of patternAt, from any offset and of any length, and
// a changed byte is found wherever it is.
func TestPattern(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.Int64Range(0, 1<<26).Draw(t, "offset")
		b := pattern(offset, rapid.IntRange(0, 4000).Draw(t, "length"))
		for i := range b {
			require.Equal(t, patternAt(offset+int64(i)), b[i], "byte %d from %d", i, offset)
		}
		require.True(t, matches(b, offset))
		if len(b) > 0 {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "changed")] ^= 1
			require.False(t, matches(b, offset))
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	data := pattern(0, 64<<10)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		fillPattern(data, 1<<20)
		if !matches(data, 1<<20) {
			b.Fatal("the data differ")
		}
	}
}
