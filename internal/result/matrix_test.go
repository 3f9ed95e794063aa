package result

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadMatrix(t *testing.T) {
	read := func(body string) (*Matrix, error) {
		return ReadMatrix(strings.NewReader(`{"$schema": "` + MatrixSchema + `"` + body + `}`))
	}
	m, err := read(`, "later": 1, "cells": [{"id": "a", "kind": "accepted", "outcome": "failed"}, {"id": "b", "kind": "not-run"}]`)
	require.NoError(t, err)
	require.Len(t, m.Cells, 2)
	for body, want := range map[string]string{
		`, "cells": [{"id": "a", "kind": "fine"}]`:                     `cell "a" has the unknown kind "fine"`,
		`, "cells": [{"id": "a", "kind": "failed", "outcome": "bad"}]`: `outcome "bad"`,
		`, "cells": [{"id": "a"}]`:                                     `the unknown kind ""`,
		`, "cells": 3`:                                                 "cannot unmarshal",
		`, "cells": [`:                                                 "result: matrix: ",
		`, "version": "` + strings.Repeat("x", Limit) + `"`:            "a matrix of more than",
	} {
		_, err := read(body)
		require.ErrorContains(t, err, want)
	}
	_, err = ReadMatrix(strings.NewReader(`{"scenarios": []}`))
	require.ErrorContains(t, err, "this is no matrix of ipseclab")
	_, err = ReadMatrix(strings.NewReader(``))
	require.ErrorContains(t, err, "result: matrix: EOF")
}

func TestMatrixCount(t *testing.T) {
	for _, tc := range []struct {
		kinds       []Kind
		interrupted bool
		want        Outcome
	}{
		{nil, false, Passed},
		{[]Kind{KindPassed, KindAccepted}, false, Passed},
		{[]Kind{KindPassed, KindUnsupported}, false, Unsupported},
		{[]Kind{KindAccepted, KindUnexpected}, false, Failed},
		{[]Kind{KindFailed, KindUnsupported}, false, Failed},
		{[]Kind{KindFailed, KindBroken}, false, Broken},
		{[]Kind{KindPassed, KindNotRun}, false, Broken},
		{[]Kind{KindPassed}, true, Broken},
	} {
		m := Matrix{Interrupted: tc.interrupted}
		for _, k := range tc.kinds {
			m.Cells = append(m.Cells, MatrixCell{Kind: k})
		}
		m.Count()
		require.Equal(t, tc.want, m.Outcome, "%v", tc.kinds)
		require.Len(t, m.Totals, len(tc.kinds))
	}
}

func TestMatrixInputs(t *testing.T) {
	a := MatrixInputs{Case: "c", Program: "p", Images: map[string]string{"x": "1"}}
	require.True(t, a.Equal(MatrixInputs{Case: "c", Program: "p", Images: map[string]string{"x": "1"}}))
	for _, b := range []MatrixInputs{
		{Case: "d", Program: "p", Images: a.Images}, {Case: "c", Program: "q", Images: a.Images}, {Case: "c", Program: "p"},
		{Case: "c", Program: "p", Images: map[string]string{"x": "2"}}, {Case: "c", Program: "p", Images: map[string]string{"y": "1"}},
	} {
		require.False(t, a.Equal(b))
	}
}
