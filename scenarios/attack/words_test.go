package attack

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// A scenario file names what an attacker can do, and nothing else.
func TestWords(t *testing.T) {
	require.Equal(t, sorted(fields), sorted(spec.FrameFields))
	require.Equal(t, sorted(messages), sorted(spec.Forgeries))
}

// sorted are the names in a table.
func sorted[V any](table map[string]V) []string { return slices.Sorted(maps.Keys(table)) }
