package scenarios

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// natOf is the NAT of a node; nil when it has none.
func (l *lab) natOf(name string, n spec.Node) (*natbox.NAT, error) {
	if n.NAT == nil {
		return nil, nil
	}
	c, err := l.spec.NATConfig(name)
	if err != nil {
		return nil, l.spec.Errorf("$.nodes."+name+".nat", "%v", err)
	}
	table, err := nat.New(c, l.world.Rand(name, "nat"))
	if err != nil {
		return nil, l.spec.Errorf("$.nodes."+name+".nat", "%v", err)
	}
	table.Trace = func(e nat.Event) {
		if b := natEvent(e); b != nil {
			l.world.Record(name, b)
		}
	}
	l.tables[name], l.pools[name] = table, c.Outside
	box := &natbox.NAT{Outside: l.segments[n.NAT.Outside], Table: table, Silent: c.ICMP.Silent, Crossed: l.crossingOf(n)}
	if slices.ContainsFunc(c.Forwards, func(f nat.Forward) bool { return f.RewriteSource }) {
		box.Inside = c.Inside
	}
	return box, nil
}

// natEvent is what became of a mapping, for the trace.
func natEvent(e nat.Event) trace.Body {
	m := traced(e.Mapping)
	switch e.Kind {
	case nat.Made:
		return trace.NATMappingAdded{NATMapping: m}
	case nat.Bound:
		return trace.NATMappingBound{NATMapping: m}
	case nat.Closed:
		return trace.NATMappingClosed{NATMapping: m}
	case nat.Replaced:
		return trace.NATMappingReplaced{NATMapping: m}
	case nat.Expired:
		return trace.NATMappingExpired{NATMapping: m}
	case nat.Evicted:
		return trace.NATMappingEvicted{NATMapping: m}
	case nat.Dropped:
		return trace.NATMappingDropped{NATMapping: m}
	case nat.Moved:
		return trace.NATMappingMoved{NATMapping: m}
	case nat.Refused:
		m.Outside = ""
		return trace.NATMappingRefused{NATMapping: m, Reason: e.Why}
	}
	return nil
}

func traced(m nat.Mapping) trace.NATMapping {
	out := trace.NATMapping{
		Protocol: strings.ToLower(ipsec.ProtoName(m.Proto)), Inside: natEndpoint(m.Proto, m.Inside), Outside: natEndpoint(m.Proto, m.Outside),
	}
	if m.Remote.Addr().IsValid() && !m.Remote.Addr().IsUnspecified() {
		out.Remote = natEndpoint(m.Proto, m.Remote)
	}
	if m.SPIOut != 0 {
		out.SPIOut = fmt.Sprintf("%#08x", m.SPIOut)
	}
	if m.SPIIn != 0 {
		out.SPIIn = fmt.Sprintf("%#08x", m.SPIIn)
	}
	if m.Cookie != 0 {
		out.Cookie = fmt.Sprintf("%016x", m.Cookie)
	}
	return out
}

// natEndpoint prints an end of a mapping: with its port or identifier, where there is one.
func natEndpoint(proto uint8, a netip.AddrPort) string {
	if a.Port() == 0 && proto != ipsec.ProtoICMP {
		return a.Addr().String()
	}
	return a.String()
}

// changeNAT does what a step wants of a NAT box, and says what it has now.
func (l *lab) changeNAT(v *spec.NATStep) (now string, err error) {
	router, table := l.routers[v.Node], l.tables[v.Node]
	had := len(table.Mappings(l.world.Now()))
	switch {
	case v.Reboot:
		router.Reboot()
		l.world.Record(v.Node, trace.NATRebooted{Mappings: had})
	case v.Flush:
		router.Flush()
	default:
		p, ok := l.spec.NewAddress(v)
		if !ok {
			return "", fmt.Errorf("%q is no address for %s", v.ChangeAddress, v.Node)
		}
		via, _ := netip.ParseAddr(v.Gateway)
		shared := l.shared(v.Node, p.Addr())
		err = router.SetAddress(natbox.Renumbering{Segment: l.spec.Nodes[v.Node].NAT.Outside, Address: p, Gateway: via, Shared: shared, Reason: "change-address"})
		l.pools[v.Node] = shared
	}
	return fmt.Sprintf("%s had %d mappings, and has %d", v.Node, had, len(table.Mappings(l.world.Now()))), err
}

// shared are the addresses that a NAT box shares when the one of its interface outside is another.
func (l *lab) shared(box string, now netip.Addr) (all []netip.Addr) {
	outside := l.spec.Nodes[box].NAT.Outside
	for _, a := range l.pools[box] {
		if slices.Contains(l.routers[box].Addresses(outside), a) {
			a = now
		}
		all = append(all, a)
	}
	return all
}

// natState is what a NAT box has at a moment, and has done until then.
type natState struct {
	at       time.Duration
	mappings []nat.Mapping
	counters natCounters
}

// natCounters have the names of spec.NATCounters.
type natCounters struct {
	Outbound, Inbound, Hairpinned, Held, Own, Answers, Dropped uint64 // packets
	Made, Expired, Evicted, Refused                            uint64 // mappings
}

func (l *lab) natState(name string) natState {
	table, now := l.tables[name], l.world.Now()
	if table == nil {
		return natState{}
	}
	s := natState{at: now, mappings: table.Mappings(now)}
	c := table.Counters()
	s.counters = natCounters{
		Outbound: c.Outbound, Inbound: c.Inbound, Hairpinned: c.Hairpinned, Held: c.Held, Own: c.Own, Answers: c.Answers,
		Made: c.Made, Expired: c.Expired, Evicted: c.Evicted, Refused: c.Refused,
	}
	c.Each(func(_ string, packets uint64) { s.counters.Dropped += packets })
	return s
}

// natStates are those of the boxes that a step's expectations name.
func (s *stepRun) natStates() map[string]natState {
	if s.spec.Expect == nil || len(s.spec.Expect.NAT) == 0 {
		return nil
	}
	all := map[string]natState{}
	for name := range s.spec.Expect.NAT {
		all[name] = s.lab.natState(name)
	}
	return all
}
