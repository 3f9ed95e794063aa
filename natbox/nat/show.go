package nat

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Mapping is a mapping as an observer sees it. Ports are 0 where the protocol has none; of
// ICMP, they are identifiers.
type Mapping struct {
	Proto    uint8
	Inside   netip.AddrPort
	Outside  netip.AddrPort
	Remote   netip.AddrPort // what it depends on: 0.0.0.0 and 0 stand for any
	Made     time.Duration
	Expires  time.Duration // unless it is refreshed; of its last session, where those have times of their own
	Sessions int           // that are known one by one

	SPIOut, SPIIn uint32 // of BySPI; SPIIn is 0 while the inside host waits
	Cookie        uint64 // of IKECookies
}

func (m Mapping) compare(o Mapping) int {
	return cmp.Or(cmp.Compare(m.Proto, o.Proto), m.Inside.Compare(o.Inside), m.Remote.Compare(o.Remote), m.Outside.Compare(o.Outside),
		cmp.Compare(m.SPIOut, o.SPIOut), cmp.Compare(m.Cookie, o.Cookie))
}

func (t *Table) show(m *mapping) Mapping {
	out := Mapping{
		Proto: m.proto, Inside: toAddrPort(m.inAddr, m.inPort), Outside: toAddrPort(m.outAddr, m.outPort),
		Remote: toAddrPort(m.remAddr, m.remPort), Made: m.made, Sessions: int(m.sessions.n),
	}
	if m.class != noTime {
		out.Expires = m.expires
	}
	for s := m.sessions.head; s != 0; s = t.sessions.at(s).ofMapping.next {
		out.Expires = max(out.Expires, t.sessions.at(s).expires)
	}
	return out
}

func (s *spi) show() Mapping {
	return Mapping{
		Proto: s.proto, Inside: toAddrPort(s.inAddr, 0), Outside: toAddrPort(s.outAddr, 0), Remote: toAddrPort(s.remAddr, 0),
		Made: s.made, Expires: s.expires, SPIOut: s.out, SPIIn: s.in,
	}
}

func (c *cookie) show() Mapping {
	return Mapping{
		Proto: udp, Inside: toAddrPort(c.inAddr, c.port), Outside: toAddrPort(c.outAddr, c.port), Remote: toAddrPort(c.remAddr, c.remPort),
		Made: c.made, Expires: c.expires, Cookie: c.value,
	}
}

// Mappings are all that there are, by protocol, inside endpoint, remote endpoint. Static
// translations of whole addresses are none, nor are servers that nobody has spoken with.
func (t *Table) Mappings(now time.Duration) []Mapping {
	t.enter(now)
	out := make([]Mapping, 0, t.mappings.live()+t.spis.live()+t.cookies.live())
	for i := t.mappingAge.head; i != 0; i = t.mappings.at(i).age.next {
		out = append(out, t.show(t.mappings.at(i)))
	}
	for _, l := range []*list{&t.spiWaits, &t.spiTimes} {
		for i := l.head; i != 0; i = t.spis.at(i).time.next {
			out = append(out, t.spis.at(i).show())
		}
	}
	for i := t.cookieTimes.head; i != 0; i = t.cookies.at(i).time.next {
		out = append(out, t.cookies.at(i).show())
	}
	slices.SortFunc(out, Mapping.compare)
	return out
}

// Session is a remote endpoint of a mapping, as an observer sees it.
type Session struct {
	Proto                   uint8
	Inside, Outside, Remote netip.AddrPort
	Seen                    netip.AddrPort // the remote endpoint as the inside sees it
	State                   string         // of TCP
	Expires                 time.Duration  // 0: with its mapping
}

// Sessions are all that are known one by one, by protocol, inside endpoint, remote endpoint.
func (t *Table) Sessions(now time.Duration) []Session {
	t.enter(now)
	out := make([]Session, 0, t.sessions.live())
	for i := t.mappingAge.head; i != 0; i = t.mappings.at(i).age.next {
		for j := t.mappings.at(i).sessions.head; j != 0; j = t.sessions.at(j).ofMapping.next {
			s := t.sessions.at(j)
			out = append(out, Session{
				s.proto, toAddrPort(s.inAddr, s.inPort), toAddrPort(s.outAddr, s.outPort), toAddrPort(s.remAddr, s.remPort),
				toAddrPort(s.seenAddr, s.seenPort), s.state.String(), s.expires,
			})
		}
	}
	slices.SortFunc(out, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), a.Inside.Compare(b.Inside), a.Remote.Compare(b.Remote))
	})
	return out
}
