package mux

import "container/heap"

// timers is a heap of SAs by their next deadline; equal ones in order of creation.
type timers []*entry

// set puts e where its SA's deadline belongs.
func (t *timers) set(e *entry) {
	at, ok := e.sa.NextDeadline()
	switch {
	case !ok && e.index >= 0:
		heap.Remove(t, e.index)
	case ok && e.index < 0:
		e.at = at
		heap.Push(t, e)
	case ok:
		e.at = at
		heap.Fix(t, e.index)
	}
}

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool {
	if !t[i].at.Equal(t[j].at) {
		return t[i].at.Before(t[j].at)
	}
	return t[i].serial < t[j].serial
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

// Push is for package heap.
func (t *timers) Push(x any) {
	e := x.(*entry)
	e.index = len(*t)
	*t = append(*t, e)
}

// Pop is for package heap.
func (t *timers) Pop() any {
	old := *t
	e := old[len(old)-1]
	old[len(old)-1] = nil
	e.index = -1
	*t = old[:len(old)-1]
	return e
}
