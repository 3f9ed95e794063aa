package interop

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A machine that does not start leaves no sockets behind, and one whose agent stays away is there to be ended.
func TestMachineThatDoesNotStart(t *testing.T) {
	s := &site{dir: private(t), wires: []*wire{newWire(nil), newWire(nil)}}
	s.prepare("eth")
	none := errors.New("no such program")
	sockets := 0
	launch := func() (machine, error) {
		found, err := os.ReadDir(s.dir)
		require.NoError(t, err)
		sockets = len(found)
		return nil, none
	}
	m, err := s.startAgent(t.Context(), launch)
	require.ErrorIs(t, err, none)
	require.Nil(t, m)
	require.Equal(t, 2, sockets, "one for the conversation, one for all interfaces")
	m, err = s.startUML(launch)
	require.ErrorIs(t, err, none)
	require.Nil(t, m)
	require.Equal(t, 2, sockets, "one for each interface")
	left, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.Empty(t, left)

	gone := &process{gone: make(chan struct{})}
	close(gone.gone)
	m, err = s.startAgent(t.Context(), func() (machine, error) { return gone, nil })
	require.ErrorIs(t, err, errMachineEnded)
	require.Equal(t, gone, m)
}
