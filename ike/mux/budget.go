package mux

import (
	"net/netip"
	"slices"
	"time"
)

// allowance bounds the notifications sent in the clear, which strangers can ask for:
// so many to one address, and so many altogether, since addresses are easily forged.
type allowance struct {
	all     budget
	sources []source // at most maxSources, the one that was answered last at the end
}

// source is an address that has had notifications not long ago.
type source struct {
	address netip.Addr
	budget  budget
}

// maxSources is how many addresses are remembered. For another one the address that
// has not been answered for the longest time is forgotten; what keeps within bounds who
// goes round more addresses than that is the budget of all.
const maxSources = 256

// Bursts, and the time that gives back one notification.
var (
	ofSource = rate{burst: 10, interval: 100 * time.Millisecond}
	ofAll    = rate{burst: 100, interval: 10 * time.Millisecond}
)

// take spends one notification to an address, if there is one left.
func (a *allowance) take(now time.Time, to netip.Addr) bool {
	s := source{address: to}
	i := slices.IndexFunc(a.sources, func(s source) bool { return s.address == to })
	if i >= 0 {
		s = a.sources[i]
	}
	if !s.budget.left(now, ofSource) || !a.all.left(now, ofAll) {
		return false
	}
	s.budget.spent++
	a.all.spent++
	if i < 0 && len(a.sources) == maxSources {
		i = 0
	}
	if i >= 0 {
		a.sources = slices.Delete(a.sources, i, i+1)
	}
	a.sources = append(a.sources, s)
	return true
}

// rate is a burst, and the time in which one more is given back.
type rate struct {
	burst    int
	interval time.Duration
}

// budget is what has been spent of a rate.
type budget struct {
	spent int
	since time.Time // when the oldest unit of spent began to be given back
}

// left reports whether one can be spent.
func (b *budget) left(now time.Time, r rate) bool {
	for b.spent > 0 && !now.Before(b.since.Add(r.interval)) {
		b.spent--
		b.since = b.since.Add(r.interval)
	}
	if b.spent == 0 {
		b.since = now
	}
	return b.spent < r.burst
}
