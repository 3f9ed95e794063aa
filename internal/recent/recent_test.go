package recent_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/recent"
)

func TestMapForgetsTheOldest(t *testing.T) {
	m := recent.New[int, string](2)
	m.Put(1, "one")
	m.Put(2, "two")
	m.Put(1, "uno") // in its old place
	m.Put(3, "three")
	_, ok := m.Get(1)
	require.False(t, ok, "the oldest")
	for k, want := range map[int]string{2: "two", 3: "three"} {
		got, ok := m.Get(k)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	m.Put(1, "again")
	_, ok = m.Get(2)
	require.False(t, ok)
}

func TestZeroMapRemembersNothing(t *testing.T) {
	var m recent.Map[int, int]
	m.Put(1, 1)
	_, ok := m.Get(1)
	require.False(t, ok)
}
