package nat

// arena keeps records of one kind, without pointers and at fixed places. Number 0 is no record.
type arena[T any] struct {
	pages [][]T
	n     uint32 // records ever made, the absent one included
	free  []uint32
}

const pageBits = 10

func (a *arena[T]) at(i uint32) *T { return &a.pages[i>>pageBits][i&(1<<pageBits-1)] }

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
	if int(i>>pageBits) == len(a.pages) || len(a.pages) == 0 {
		a.pages = append(a.pages, make([]T, 1<<pageBits))
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
