package matrix

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Shard is one of several shares of a list of cells.
type Shard struct{ Index, Of int } // from 1

// String is the form of the command line: 2/3.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Of) }

// UnmarshalText reads what String writes.
func (s *Shard) UnmarshalText(b []byte) error {
	i, n, ok := strings.Cut(string(b), "/")
	index, err := strconv.Atoi(i)
	of, err2 := strconv.Atoi(n)
	if !ok || err != nil || err2 != nil || index < 1 || of < 1 || index > of {
		return fmt.Errorf("%q is no shard: want i/n with i from 1 to n, such as 2/3", b)
	}
	*s = Shard{index, of}
	return nil
}

// Select is the share of the cells, in their order. All shares together are all cells, each once, on
// any machine that has the same cases and asks for the same. They are dealt in the order of the hashes of
// their names, driver by driver, so that shares differ by one cell at most, of each driver too.
func (s Shard) Select(all []Cell) (share []Cell) {
	if s.Of <= 1 {
		return all
	}
	type card struct {
		driver int
		hash   [sha256.Size]byte
		cell   int
	}
	deck := make([]card, len(all))
	for i, c := range all {
		deck[i] = card{slices.Index(Drivers(), c.Driver), sha256.Sum256([]byte(c.Name())), i}
	}
	slices.SortFunc(deck, func(a, b card) int {
		return cmp.Or(cmp.Compare(a.driver, b.driver), slices.Compare(a.hash[:], b.hash[:]))
	})
	var mine []int
	for i, c := range deck {
		if i%s.Of == s.Index-1 {
			mine = append(mine, c.cell)
		}
	}
	slices.Sort(mine)
	for _, i := range mine {
		share = append(share, all[i])
	}
	return share
}
