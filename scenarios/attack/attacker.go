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
		p, err := s.Attach(sim.PortConfig{Node: name, MAC: sim.MACFor(name, s.Name()), Sniff: a.sniff})
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

// sniff takes a frame that passes one of the segments.
func (a *Attacker) sniff(number int, frame []byte) {
	if a.sent[number] {
		delete(a.sent, number)
		return
	}
	a.hear(number, frame)
}

// hear takes note of a frame of others.
func (a *Attacker) hear(number int, frame []byte) {
	a.heard.note(frame)
	for _, t := range a.tapes {
		t.take(a.world.Now(), number, frame)
	}
}

// port is his port on a segment.
func (a *Attacker) port(segment string) (*sim.Port, error) {
	for _, p := range a.ports {
		if p.Segment().Name() == segment {
			return p, nil
		}
	}
	return nil, fmt.Errorf("attack: %s has no port on segment %s", a.name, segment)
}

// send puts a frame of his own on a segment, with his own Ethernet address, so
// that the switch goes on knowing where everybody is.
func (a *Attacker) send(p *sim.Port, frame []byte, act trace.Attack) {
	mac := p.MAC()
	copy(frame[6:], mac[:])
	act.Segment, act.Packet = p.Segment().Name(), describe(frame)
	if act.Frame = p.Send(frame, comment(a.name, act)); act.Frame != 0 {
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
