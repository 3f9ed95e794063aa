package scenarios

import (
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/scenarios/attack"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// addAttacker puts an attacker on his segments. What later steps replay he
// records from the start.
func (l *lab) addAttacker(name string, n spec.Node) error {
	var on []*sim.Segment
	for _, ifc := range n.Interfaces {
		on = append(on, l.segments[ifc.Segment])
	}
	a, err := attack.New(l.world, name, on...)
	if err != nil {
		return l.spec.Errorf("$.nodes."+name, "%v", err)
	}
	l.attackers[name] = a
	for i, s := range l.spec.Steps {
		if s.Replay == nil || s.Replay.By != name {
			continue
		}
		if l.tapes[i], err = a.Record(l.spec.AttackSegment(name, s.Replay.Segment), l.selection(&s.Replay.FrameSelection, "")); err != nil {
			return err
		}
	}
	return nil
}

// selection is one of the file for the simulator.
func (l *lab) selection(f *spec.FrameSelection, direction string) sim.Selection {
	s := sim.Selection{Filter: l.filter(&f.FrameFilter), Since: f.Since.Span(), Until: f.Until.Span()}
	switch direction {
	case spec.DirectionUp:
		s.Direction = sim.Up
	case spec.DirectionDown:
		s.Direction = sim.Down
	}
	if f.Frames != nil {
		s.First, s.Last = ordinals(f.Frames)
	}
	return s
}

// repairs are the words of the file for what an attacker puts right.
var repairs = map[string]attack.Repair{
	spec.ChecksumsAll: attack.RepairAll, spec.ChecksumsIP: attack.RepairIP, spec.ChecksumsNone: attack.RepairNone,
}

// tamper begins, or ends, what an attacker does to a link.
func (l *lab) tamper(t *spec.Tamper) (words string, err error) {
	m := attack.Tampering{Select: l.selection(&t.FrameSelection, t.Direction), Repair: repairs[t.Repairs()]}
	for i := range t.Change {
		c, err := l.change(&t.Change[i])
		if err != nil {
			return "", err
		}
		m.Changes = append(m.Changes, c)
	}
	port := l.port(t.Link, l.spec.TamperSegment(t))
	if len(m.Changes) == 0 {
		return fmt.Sprintf("link %s: left alone", port.Name()), l.attackers[t.By].Tamper(port, m)
	}
	return fmt.Sprintf("link %s: %s: %s", port.Name(), &m.Select, &m), l.attackers[t.By].Tamper(port, m)
}

func (l *lab) change(c *spec.Change) (attack.Change, error) {
	out := attack.Change{Field: c.Field, At: c.Byte}
	if c.Flip != nil {
		out.Flip, out.Words = *c.Flip, fmt.Sprintf("%s bit %d flipped", c.Field, *c.Flip)
		return out, nil
	}
	var err error
	out.Value, err = l.spec.Value(c)
	out.Words = fmt.Sprintf("%s set to %s", c.Field, c.Set)
	return out, err
}

// act performs the steps in which an attacker sends something, as often as the
// step says, and then lets what comes of it happen.
func (s *stepRun) act(p *sim.Proc, r *spec.Repeat, once func() (frames int, err error)) {
	sent := 0
	for i := range r.Times() {
		if i > 0 {
			p.Sleep(r.Gap())
		}
		n, err := once()
		if sent, s.broken = sent+n, err; err != nil {
			return
		}
	}
	s.got = append(s.got, fmt.Sprintf("%d sent", sent))
	p.Sleep(r.Watching())
}

func (s *stepRun) replay(v *spec.Replay) (int, error) {
	return s.lab.attackers[v.By].Replay(s.lab.tapes[s.index])
}

func (s *stepRun) inject(v *spec.Inject) (int, error) {
	l, by := s.lab, s.lab.attackers[v.By]
	src, dst, err := l.spec.Ends(v.Source, v.Destination)
	if err != nil {
		return 0, err
	}
	segment := l.spec.AttackSegment(v.By, v.Segment)
	p := attack.Packet{
		Segment: segment, To: l.firstHop(segment, v.Via, dst), Src: src, Dst: dst,
		TTL: uint8(v.TTL), TOS: uint8(v.TOS), ID: uint16(v.ID), DF: v.DF, Flow: uint32(v.FlowLabel),
	}
	var b *spec.Bytes
	switch {
	case v.TCP != nil:
		p.TCP = &attack.TCP{
			SrcPort: uint16(v.TCP.SourcePort), DstPort: uint16(v.TCP.DestinationPort), Flags: v.TCP.Flags,
			Sequence: uint32(v.TCP.Sequence), Acknowledgment: uint32(v.TCP.Acknowledgment), Window: uint16(v.TCP.Window),
		}
		b = &v.TCP.Bytes
	case v.UDP != nil:
		p.UDP = &attack.UDP{SrcPort: uint16(v.UDP.SourcePort), DstPort: uint16(v.UDP.DestinationPort)}
		b = &v.UDP.Bytes
	case v.ICMP != nil:
		p.ICMP = &attack.ICMP{Type: uint8(v.ICMP.Type), Code: uint8(v.ICMP.Code), Rest: uint32(v.ICMP.Rest)}
		b = &v.ICMP.Bytes
	case v.ESP != nil:
		p.ESP = &attack.ESP{SPI: v.ESP.SPINumber(), Sequence: uint32(v.ESP.Sequence)}
		b = &v.ESP.Bytes
	default:
		p.Protocol = v.Raw.ProtocolNumber()
		b = &v.Raw.Bytes
	}
	if p.Data = b.Contents(); p.Data == nil {
		p.Data = by.Noise(b.Size)
	}
	return 1, by.Inject(p)
}

func (s *stepRun) spoof(v *spec.Spoof) (int, error) {
	l := s.lab
	as, to, err := l.spec.Ends(v.As, v.To)
	if err != nil {
		return 0, err
	}
	segment := l.spec.AttackSegment(v.By, v.Segment)
	return 1, l.attackers[v.By].Spoof(v.Message, attack.Forgery{
		Segment: segment, To: l.firstHop(segment, v.Via, to), As: as, Victim: to,
		FromPort: uint16(v.FromPort), Port: uint16(v.Port), Size: v.DataBytes(), MTU: uint16(v.MTU), Code: uint8(v.Code),
		Quote: v.Quoted(), Notify: uint16(v.Notify),
	})
}

// firstHop is the node to which an attacker sends a packet for an address; spec has checked it.
func (l *lab) firstHop(segment, via string, to netip.Addr) string {
	node, _ := l.spec.FirstHop(segment, via, to)
	return node
}
