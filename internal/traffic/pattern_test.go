package traffic

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The test data are those of at, from any offset and of any length, and
// a changed byte is found wherever it is.
func TestPattern(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.Int64Range(0, 1<<26).Draw(t, "offset")
		b := Pattern(offset, rapid.IntRange(0, 4000).Draw(t, "length"))
		for i := range b {
			require.Equal(t, at(offset+int64(i)), b[i], "byte %d from %d", i, offset)
		}
		require.True(t, Matches(b, offset))
		if len(b) > 0 {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "changed")] ^= 1
			require.False(t, Matches(b, offset))
		}
	})
}

// Test data are found wherever they stand, and encrypted ones are not.
func TestShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		other := rapid.SliceOfN(rapid.Byte(), 0, 100)
		data := Pattern(rapid.Int64Range(0, 1<<26).Draw(t, "offset"), rapid.IntRange(31, 200).Draw(t, "length"))
		require.True(t, Shows(slices.Concat(other.Draw(t, "before"), data, other.Draw(t, "behind"))))
		key := make([]byte, len(data))
		rand.NewChaCha8([32]byte{byte(len(data))}).Read(key)
		for i := range data {
			data[i] ^= key[i]
		}
		require.False(t, Shows(data))
	})
}

func BenchmarkPattern(b *testing.B) {
	data := Pattern(0, 64<<10)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Fill(data, 1<<20)
		if !Matches(data, 1<<20) {
			b.Fatal("the data differ")
		}
	}
}
