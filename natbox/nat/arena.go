package nat

import "math/bits"

// arena keeps records of one kind at fixed places. Number 0 is no record. Pages grow with
// their number, so that a box with few mappings is small, up to a size that wastes little.
type arena[T any] struct {
	pages [][]T
	n     uint32 // numbers ever given, 0 included
	free  []uint32
}

const (
	firstPage = 5  // bits of the number of records
	lastPage  = 13 // … of this page and all behind it
	smallOnes = 1<<lastPage - 1<<firstPage
)

// place is where record i is: pages 0, 1, 2 … have 32, 64, 128 … records.
func place(i uint32) (page, at uint32) {
	if i < smallOnes {
		i += 1 << firstPage
		b := uint32(bits.Len32(i)) - 1
		return b - firstPage, i - 1<<b
	}
	i -= smallOnes
	return lastPage - firstPage + i>>lastPage, i & (1<<lastPage - 1)
}

func (a *arena[T]) at(i uint32) *T {
	page, at := place(i)
	return &a.pages[page][at]
}

// take makes a record, zero.
func (a *arena[T]) take() (uint32, *T) {
	if n := len(a.free); n > 0 {
		i := a.free[n-1]
		a.free = a.free[:n-1]
		return i, a.at(i)
	}
	if a.n == 0 {
		a.n = 1
	}
	i := a.n
	if page, _ := place(i); int(page) == len(a.pages) || a.pages == nil {
		a.pages = append(a.pages, make([]T, 1<<min(firstPage+page, lastPage)))
	}
	a.n++
	return i, a.at(i)
}

// give ends a record, whose number may come again.
func (a *arena[T]) give(i uint32) {
	var zero T
	*a.at(i) = zero
	a.free = append(a.free, i)
}

// live is how many records there are.
func (a *arena[T]) live() int { return max(int(a.n), 1) - 1 - len(a.free) }
