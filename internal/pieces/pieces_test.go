package pieces_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/pieces"
)

const text = "0123456789abcdefghij"

func piece(at, end int) pieces.Piece {
	return pieces.Piece{Offset: at, Data: []byte(text[at:end]), More: end < len(text)}
}

func TestAdd(t *testing.T) {
	last := piece(16, 20)
	early, middle := piece(0, 8), piece(8, 16)
	early.More, middle.More = false, false
	for _, tc := range []struct {
		name  string
		in    []pieces.Piece
		whole bool
		err   error // of the last one
	}{
		{"in order", []pieces.Piece{piece(0, 8), piece(8, 16), last}, true, nil},
		{"the last first", []pieces.Piece{last, piece(8, 16), piece(0, 8)}, true, nil},
		{"one twice", []pieces.Piece{piece(0, 8), piece(0, 8), piece(8, 16), last}, true, nil},
		{"one alone is all", []pieces.Piece{piece(0, 20)}, true, nil},
		{"the middle is missing", []pieces.Piece{piece(0, 8), last}, false, nil},
		{"the first is missing", []pieces.Piece{piece(8, 16), last}, false, nil},
		{"nothing in it", []pieces.Piece{{Offset: 8, More: true}}, false, pieces.ErrLength},
		{"a length between the units", []pieces.Piece{{Offset: 8, Data: []byte("1234"), More: true}}, false, pieces.ErrLength},
		{"too long", []pieces.Piece{{Offset: 96, Data: []byte("12345")}}, false, pieces.ErrTooLong},
		{"an overlap", []pieces.Piece{piece(0, 16), piece(8, 16)}, false, pieces.ErrContradiction},
		{"an overlap from before", []pieces.Piece{piece(8, 16), piece(0, 16)}, false, pieces.ErrContradiction},
		{"another one in its place", []pieces.Piece{piece(0, 8), piece(0, 16)}, false, pieces.ErrContradiction},
		{"behind the last", []pieces.Piece{middle, last}, false, pieces.ErrContradiction},
		{"a last before others", []pieces.Piece{piece(8, 16), early}, false, pieces.ErrContradiction},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var l pieces.List
			var whole bool
			var err error
			for i, p := range tc.in {
				whole, err = l.Add(p, 100)
				require.Equal(t, i == len(tc.in)-1 && tc.whole, whole)
			}
			require.ErrorIs(t, err, tc.err)
			if tc.whole {
				require.Equal(t, text, string(l.Data()))
			}
		})
	}
}
