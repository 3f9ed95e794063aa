package scenarios_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios/attack"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// A scenario file names what an attacker can do, and nothing else.
func TestAttackersWords(t *testing.T) {
	require.Equal(t, attack.Fields(), slices.Sorted(maps.Keys(spec.FrameFields)))
	require.Equal(t, attack.Messages(), slices.Sorted(maps.Keys(spec.Forgeries)))
}
