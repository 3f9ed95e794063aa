package scenarios

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/sourced"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox/boxes"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// judge makes the result of a finished run.
func (l *lab) judge(steps []*stepRun) *Result {
	r := &Result{
		Schema: result.ScenarioSchema,
		Name:   l.spec.Name, Cell: Settings(l.spec), Long: l.spec.Long, Title: l.spec.Title, Story: l.spec.Story, Claims: l.spec.Claims, File: l.spec.File(), Seed: l.seed,
		Grid: Place(l.spec), Start: l.spec.Epoch(), Outcome: result.Passed, Segments: l.drawnSegments(), Nodes: l.drawnNodes(), Steps: []result.Step{},
	}
	r.Clock, r.Peers = Clock(l.spec), l.aboutPeers()
	for _, s := range steps {
		step := s.result()
		if l.spec.Grid != nil && s.index == l.spec.Measured() && s.ended && s.broken == nil {
			var checks []result.Check
			r.Measured, checks = l.measure(s)
			for _, c := range checks {
				step.Checks, step.Outcome = append(step.Checks, c), step.Outcome.Worse(c.Outcome)
			}
		}
		r.Outcome = r.Outcome.Worse(step.Outcome)
		r.Steps = append(r.Steps, step)
		l.world.Record("", s.event(string(step.Outcome), firstFailure(step.Checks)))
	}
	r.Invariants = l.invariants(steps)
	for _, c := range r.Invariants {
		r.Outcome = r.Outcome.Worse(c.Outcome)
	}
	r.SAs = l.sas()
	r.Virtual = l.world.Now()
	r.Frames = l.world.Frames()
	return r
}

// Settings are the values that the parameters of a file have in a cell, as results show them.
func Settings(s *spec.Scenario) (settings []result.Setting) {
	for _, v := range s.Cell {
		settings = append(settings, result.Setting{Parameter: v.Parameter, Value: v.Value})
	}
	return settings
}

// Clock is the clock by which a scenario goes, as results name it.
func Clock(s *spec.Scenario) string {
	if len(s.Peers()) > 0 {
		return result.ClockWall
	}
	return ""
}

// Place is where a cell stands in the tables of its grid; nil: there is none.
func Place(s *spec.Scenario) *result.Place {
	if s.Grid == nil {
		return nil
	}
	rows, columns := s.Axes()
	return &result.Place{Rows: rows, Columns: columns, Table: s.GridTable()}
}

func firstFailure(checks []result.Check) string {
	for _, c := range checks {
		if c.Outcome != result.Passed {
			return c.Reason
		}
	}
	return ""
}

// sas gathers the IPsec SAs of the run from the trace.
func (l *lab) sas() []result.SA {
	type key struct {
		node, direction, protocol string
		spi                       uint32
	}
	var all []result.SA
	at := map[key]int{}
	for _, e := range l.log.Events() {
		switch b := e.Body.(type) {
		case trace.SAAdded:
			at[key{e.Node, b.Direction, b.Protocol, b.SPI}] = len(all)
			all = append(all, result.SA{
				Node: e.Node, Direction: b.Direction, Protocol: b.Protocol, SPI: b.SPI, PeerSPI: b.PeerSPI,
				Src: b.Src, Dst: b.Dst, Mode: b.Mode, Cipher: b.Cipher, Auth: b.Auth, ESN: b.ESN, Selector: b.Selector, Rule: b.Rule,
				Seconds: b.Seconds, Kilobytes: b.Kilobytes, Initiator: b.Initiator, Added: e.At, SrcPort: b.SrcPort, DstPort: b.DstPort,
			})
		case trace.SAMoved:
			if i, ok := at[key{e.Node, b.Direction, b.Protocol, b.SPI}]; ok {
				moved(&all[i], b)
			}
		case trace.SARemoved:
			if i, ok := at[key{e.Node, b.Direction, b.Protocol, b.SPI}]; ok {
				removed := e.At
				all[i].Removed, all[i].Reason, all[i].Packets, all[i].Bytes = &removed, b.Reason, b.Packets, b.Bytes
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.hosts)) {
		for _, sa := range l.hosts[name].SAs() {
			if i, ok := at[key{name, sa.Direction.String(), sa.Protocol.String(), sa.SPI}]; ok {
				all[i].Packets, all[i].Bytes = sa.Packets, sa.Bytes
			}
		}
	}
	for _, r := range l.peers.running {
		for _, k := range r.order {
			if i, ok := at[key{r.name, k.direction, k.protocol, k.spi}]; ok {
				all[i].Packets, all[i].Bytes = r.known[k].Packets, r.known[k].Bytes
			}
		}
	}
	return all
}

// moved gives an SA the peer's new end.
func moved(sa *result.SA, m trace.SAMoved) {
	to, err := netip.ParseAddrPort(m.To)
	if err != nil {
		return
	}
	if m.Direction == ipsec.Outbound.String() {
		sa.Dst, sa.DstPort = to.Addr().String(), to.Port()
	} else {
		sa.Src, sa.SrcPort = to.Addr().String(), to.Port()
	}
}

func (l *lab) drawnSegments() (drawn []result.Segment) {
	for _, name := range slices.Sorted(maps.Keys(l.segments)) {
		c, g := l.segments[name].Config(), l.spec.Network.Segments[name]
		kind := ""
		if g.PointToPoint() {
			kind = c.Medium.String()
		}
		drawn = append(drawn, result.Segment{
			Name: name, Kind: kind, Subnet: strings.Join(g.Networks(), ", "), MTU: c.MTU, Latency: c.Latency, Loss: c.Loss,
		})
	}
	return drawn
}

func (l *lab) drawnNodes() (drawn []result.Node) {
	for _, name := range slices.Sorted(maps.Keys(l.spec.Nodes)) {
		n := l.spec.Nodes[name]
		node := result.Node{Name: name, Type: n.Kind(), OS: n.OS, Policy: l.spec.Assignments[name]}
		if n.NAT != nil {
			node.NAT = n.NAT.Box
			if box, ok := boxes.Named(n.NAT.Box); ok {
				node.Unconfirmed = sourced.Unsure(box.Values)
			}
		}
		if p, ok := n.Profile(); ok {
			node.Unconfirmed = p.Unsure()
		}
		for _, ifc := range n.Interfaces {
			c := l.segments[ifc.Segment].Config()
			drawn := result.Interface{Segment: ifc.Segment, MTU: c.MTU}
			if c.Medium == sim.Ethernet {
				drawn.MAC = macString(sim.MACFor(name, ifc.Segment))
			}
			if ifc.Unnumbered() {
				drawn.Address = ifc.Address
			}
			for i, p := range ifc.Prefixes() {
				if i == 0 {
					drawn.Address = p.String()
				} else {
					drawn.Also = append(drawn.Also, p.String())
				}
			}
			if n.NAT != nil && ifc.Segment == n.NAT.Outside {
				for _, h := range l.spec.Holdings(name)[len(n.Prefixes()):] { // what it answers to besides
					drawn.Also = append(drawn.Also, h.Addr.String())
				}
			}
			node.Interfaces = append(node.Interfaces, drawn)
		}
		drawn = append(drawn, node)
	}
	return drawn
}
