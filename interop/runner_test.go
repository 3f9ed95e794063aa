package interop

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/images"
)

// A search for drivers that was given up says so, and not that there are none.
func TestAvailableGivenUp(t *testing.T) {
	store, err := images.Open(t.TempDir())
	require.NoError(t, err)
	d, err := New(Options{Store: store})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	r := Runner{Driver: d, Store: store}
	all, err := r.Available(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1+len(Words()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Available(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
