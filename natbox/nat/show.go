package nat

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Mapping is a mapping as an observer sees it.
type Mapping struct {
	Proto    uint8
	Inside   netip.AddrPort
	Outside  netip.AddrPort
	Remote   netip.AddrPort // what it depends on: 0.0.0.0 and 0 stand for any
	Made     time.Duration
	Expires  time.Duration // unless it is refreshed; of its last session, where those have times of their own
	Sessions int           // that are known one by one
}

func (t *Table) show(i uint32) Mapping {
	m := t.mappings.at(i)
	out := Mapping{
		Proto: m.proto, Inside: toAddrPort(m.inAddr, m.inPort), Outside: toAddrPort(m.outAddr, m.outPort),
		Remote: toAddrPort(m.remAddr, m.remPort), Made: m.made, Sessions: m.sessions.n,
	}
	if m.class != noTime {
		out.Expires = m.expires
	} else {
		for s := m.sessions.head; s != 0; s = t.sessions.at(s).ofMapping.next {
			out.Expires = max(out.Expires, t.sessions.at(s).expires)
		}
	}
	return out
}

// Mappings are all that there are, by protocol, inside endpoint and remote endpoint.
func (t *Table) Mappings(now time.Duration) []Mapping {
	t.enter(now)
	out := make([]Mapping, 0, t.mappings.live())
	for i := t.mappingAge.head; i != 0; i = t.mappings.at(i).age.next {
		out = append(out, t.show(i))
	}
	slices.SortFunc(out, func(a, b Mapping) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), a.Inside.Compare(b.Inside), a.Remote.Compare(b.Remote), a.Outside.Compare(b.Outside))
	})
	return out
}
