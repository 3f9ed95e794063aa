package attack

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// tapeLength is how many frames a tape holds: the first ones that it selects.
const tapeLength = 4096

// Tape is what an attacker keeps of the frames that pass, to send it again.
type Tape struct {
	by        *sim.Port // by which it is sent again
	selection sim.Selection
	selected  int
	frames    []taped
	stopped   bool
}

type taped struct {
	number int       // in the capture
	to     *sim.Port // on a line: the end that it goes to
	frame  []byte
}

// Record keeps a copy of each later frame that is selected and can be sent again
// on the segment: one that passes any of the attacker's Ethernet segments, or that
// very line, where frames have neither addresses nor headers of Ethernet.
func (a *Attacker) Record(segment string, s sim.Selection) (*Tape, error) {
	by, err := a.port(segment)
	if err != nil {
		return nil, err
	}
	t := &Tape{by: by, selection: s}
	a.tapes = append(a.tapes, t)
	return t, nil
}

// take keeps a frame that was heard by a port and came along the link of another.
func (t *Tape) take(by *sim.Port, now time.Duration, number int, from *sim.Port, frame []byte) {
	m := medium(t.by)
	if t.stopped || m != medium(by) || m == sim.PointToPoint && by != t.by ||
		len(t.frames) >= tapeLength || !t.selection.Selects(m, sim.BothWays, now, frame) {
		return
	}
	if t.selected++; t.selection.Counts(t.selected) {
		t.frames = append(t.frames, taped{number, from.Opposite(), bytes.Clone(frame)})
	}
}

// Stop ends the recording: what the attacker's own frames provoke is not heard again.
func (t *Tape) Stop() { t.stopped = true }

// Replay sends what is on a tape so far, in its order, and on a line in the
// direction in which it went. It reports how many frames that were.
func (a *Attacker) Replay(t *Tape) (int, error) {
	if len(t.frames) == 0 {
		return 0, fmt.Errorf("attack: %s has seen no frame to replay: %s", a.name, &t.selection)
	}
	for _, f := range t.frames {
		a.send(t.by, f.to, bytes.Clone(f.frame), trace.Attack{Act: "replayed", Original: f.number})
	}
	return len(t.frames), nil
}
