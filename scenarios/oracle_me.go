package scenarios

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What "me" is while addresses change, as the oracle reckons it: the addresses of the
// moment, and whatever source a host uses besides. The settings of the host may say
// that a policy comes to know an address late, or never knows the lack of one.

// unexpanded takes away the addresses that the policy of the host does not know: those
// that it has for less time than its setting re-expand, and got under the policy that it
// has; and those that it has got, or would have been expanded for, since its agent was stopped
// and left its filters as they were.
func (s *sender) unexpanded(l *lab, host string) {
	late, t, now := s.node.Settings().ReExpand.Span(), l.oracle.terms[host], l.world.Now()
	if t.left != never {
		now = t.left
	} else if late == 0 {
		return
	}
	unknown := func(from time.Duration) bool {
		return from > t.since && now-from < late || t.left != never && from >= t.left
	}
	s.local = slices.DeleteFunc(s.local, func(a netip.Addr) bool {
		from, ok := l.holders.since(host, a)
		young := ok && unknown(from)
		if young {
			s.young = append(s.young, a)
		}
		return young
	})
	if lost, ok := l.holders.lost(host); ok && unknown(lost) {
		s.young = append(s.young, netip.IPv4Unspecified()) // the policy still knows the address before
	}
}

// under makes the source of a packet one of the sender's own, whether an interface has
// it or not: a host is itself under whatever address it sends.
func (s *sender) under(src netip.Addr) {
	if src.IsUnspecified() && s.node.Settings().MeNeedsAddress || slices.Contains(s.young, src) {
		return
	}
	s.local = append(s.local, src)
}

// tolerated reports whether the only thing that lets a packet pass is that the policy
// does not know its source yet.
func (s *sender) tolerated(d duty, f ipsec.Flow) bool {
	grown := *s
	grown.local = append(slices.Clone(s.local), f.Src)
	return slices.Contains(s.young, f.Src) && d.judge(&grown, f).leak
}
