package attack

import (
	"fmt"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Attacker is one attacker. He lives on the loop of his world: call his methods
// from events and coroutines of that world only.
type Attacker struct {
	world     *sim.World
	name      string
	ports     []*sim.Port
	rand      *sim.Stream
	heard     overheard
	tapes     []*Tape
	tampering map[*sim.Port]*tampering
	sent      map[int]bool // numbers of his own frames that may come by his ports
}

// New puts an attacker on the segments.
func New(w *sim.World, name string, segments ...*sim.Segment) (*Attacker, error) {
	a := &Attacker{
		world: w, name: name, rand: w.Rand(name, "attack"), heard: newOverheard(),
		tampering: map[*sim.Port]*tampering{}, sent: map[int]bool{},
	}
	for _, s := range segments {
		var p *sim.Port
		sniff := func(number int, from *sim.Port, frame []byte) { a.sniff(p, number, from, frame) }
		p, err := s.Attach(sim.PortConfig{Node: name, MAC: sim.MACFor(name, s.Name()), Sniff: sniff})
		if err != nil {
			return nil, fmt.Errorf("attack: %w", err)
		}
		a.ports = append(a.ports, p)
	}
	if len(a.ports) == 0 {
		return nil, fmt.Errorf("attack: %s is on no segment", name)
	}
	return a, nil
}

// sniff takes a frame that passes the segment of a port of his.
func (a *Attacker) sniff(by *sim.Port, number int, from *sim.Port, frame []byte) {
	if a.sent[number] {
		delete(a.sent, number)
		return
	}
	a.hear(by, number, from, frame)
}

// hear takes note of a frame of others.
func (a *Attacker) hear(by *sim.Port, number int, from *sim.Port, frame []byte) {
	a.heard.note(medium(by), frame)
	for _, t := range a.tapes {
		t.take(by, a.world.Now(), number, from, frame)
	}
}

// medium is what the segment of a port is made of.
func medium(p *sim.Port) sim.Medium { return p.Segment().Config().Medium }

// port is his port on a segment.
func (a *Attacker) port(segment string) (*sim.Port, error) {
	for _, p := range a.ports {
		if p.Segment().Name() == segment {
			return p, nil
		}
	}
	return nil, fmt.Errorf("attack: %s has no port on segment %s", a.name, segment)
}

// neighbour is the port of a node on the segment of a port of his.
func (a *Attacker) neighbour(by *sim.Port, node string) (*sim.Port, error) {
	for _, p := range by.Segment().Ports() {
		if p.Node() == node && p != by {
			return p, nil
		}
	}
	return nil, fmt.Errorf("attack: %s wants to send to %q, which is not on segment %s", a.name, node, by.Segment().Name())
}

// send puts a frame of his own on a segment. On Ethernet it goes where its header
// says, with his own address as source, so that the switch goes on knowing where
// everybody is; on a line it goes to one end, as if it came from the other.
func (a *Attacker) send(by, to *sim.Port, frame []byte, act trace.Attack) {
	act.Segment, act.Packet = by.Segment().Name(), describe(medium(by), frame)
	if text := comment(a.name, act); medium(by) == sim.PointToPoint {
		act.Frame, _ = by.Forward(sim.Intercepted{Link: to.Opposite(), Direction: sim.Up, Data: frame}, text) // it is a frame on the line of both
		a.sent[act.Frame] = true
	} else {
		mac := by.MAC()
		copy(frame[6:], mac[:])
		act.Frame = by.Send(frame, text)
	}
	if act.Frame != 0 {
		a.world.Record(a.name, act)
	}
}

// comment is what the capture says about a frame of his.
func comment(by string, act trace.Attack) string {
	s := fmt.Sprintf("%s by %s", act.Act, by)
	if act.Original != 0 {
		s += fmt.Sprintf(" (frame %d)", act.Original)
	}
	if act.Detail != "" {
		s += ": " + act.Detail
	}
	return s
}
