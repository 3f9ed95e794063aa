package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop"
	"github.com/ipseclab/ipseclab/interop/matrix"
)

// The lab's own cases can be planned, their accepted failures are none of cells that are gone, and each note is there.
func TestOwnMatrix(t *testing.T) {
	all, expect, err := interopCases{}.load()
	require.NoError(t, err)
	require.Empty(t, expect.Stale(all))
	var accepted result.MatrixExpectations
	require.NoError(t, json.Unmarshal(interop.Expect, &accepted))
	require.NotEmpty(t, accepted.Expect)
	for _, x := range accepted.Expect {
		if note, _, _ := strings.Cut(x.Note, "#"); strings.HasPrefix(note, "docs/") {
			require.FileExists(t, filepath.Join("../..", note), "the note of %s", x.Cells)
		}
	}
	cells := map[string]bool{}
	supported := map[matrix.Pair]int{}
	for _, c := range all {
		require.False(t, cells[c.Name()], "%s is there twice", c.Name())
		cells[c.Name()] = true
		require.Less(t, len(c.Name()), 240, "the name of a folder")
		if c.Unsupported == "" {
			supported[c.Pair]++
		}
	}
	for _, s := range []matrix.System{matrix.StrongSwan59, matrix.StrongSwan60, matrix.Libreswan} {
		require.Greater(t, supported[matrix.Pair{Initiator: matrix.Lab, Responder: s}], 100)
		require.Greater(t, supported[matrix.Pair{Initiator: s, Responder: matrix.Lab}], 100)
	}
	ci := matrix.Filter{CI: true}.Select(all)
	require.NotEmpty(t, ci)
	for _, c := range ci {
		require.Empty(t, c.Unsupported, "%s is of the share that every change must pass, and is left out", c.Name())
	}
}
