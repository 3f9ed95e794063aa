// Package pieces puts the fragments of a datagram in order: RFC 791, Section 3.2 and RFC 8200, Section
// 4.5. It knows neither the headers nor how long anybody waits.
package pieces

import (
	"errors"
	"slices"
)

// Piece is what a fragment holds of a datagram, and where.
type Piece struct {
	Offset int
	Data   []byte
	More   bool // others follow
}

// End is where the piece ends.
func (p Piece) End() int { return p.Offset + len(p.Data) }

// unit is what the length of all fragments but the last is a multiple of.
const unit = 8

// Errors of Add.
var (
	ErrLength        = errors.New("a fragment of no length that a fragment can have")
	ErrTooLong       = errors.New("a fragment beyond the end of the longest datagram")
	ErrContradiction = errors.New("fragments that contradict each other")
)

// Check finds what is wrong with a piece, whatever the others are.
func (p Piece) Check(longest int) error {
	switch n := len(p.Data); {
	case n == 0, p.More && n%unit != 0:
		return ErrLength
	case p.End() > longest:
		return ErrTooLong
	}
	return nil
}

// List are the pieces of one datagram, by offset, none overlapping another.
type List []Piece

// Add puts a piece into its place; longest is the most data that a datagram has. whole is
// true when none is missing any more. Pieces that contradict each other are an attack, not a
// datagram (RFC 1858; RFC 8200, Section 4.5); what was there already is left.
func (l *List) Add(p Piece, longest int) (whole bool, err error) {
	if err := p.Check(longest); err != nil {
		return false, err
	}
	n, all := len(p.Data), *l
	at, found := slices.BinarySearchFunc(all, p.Offset, func(q Piece, offset int) int { return q.Offset - offset })
	switch {
	case found && len(all[at].Data) == n && all[at].More == p.More:
		return false, nil // a repetition
	case found,
		at > 0 && (all[at-1].End() > p.Offset || !all[at-1].More),
		at < len(all) && (p.End() > all[at].Offset || !p.More):
		return false, ErrContradiction
	}
	all = slices.Insert(all, at, p)
	*l = all
	next := 0
	for _, q := range all {
		if q.Offset != next {
			return false, nil
		}
		next = q.End()
	}
	return !all[len(all)-1].More, nil
}

// Data are the data of all pieces behind each other.
func (l List) Data() (data []byte) {
	for _, p := range l {
		data = append(data, p.Data...)
	}
	return data
}
