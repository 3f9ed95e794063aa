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

// Tape is what an attacker keeps of the frames that pass.
type Tape struct {
	selection sim.Selection
	selected  int
	frames    []taped
	stopped   bool
}

type taped struct {
	number int // in the capture
	frame  []byte
}

// Record keeps a copy of each later frame that is selected, on any of the attacker's segments.
func (a *Attacker) Record(s sim.Selection) *Tape {
	t := &Tape{selection: s}
	a.tapes = append(a.tapes, t)
	return t
}

func (t *Tape) take(now time.Duration, number int, frame []byte) {
	if t.stopped || len(t.frames) >= tapeLength || !t.selection.Selects(sim.BothWays, now, frame) {
		return
	}
	if t.selected++; t.selection.Counts(t.selected) {
		t.frames = append(t.frames, taped{number, bytes.Clone(frame)})
	}
}

// Stop ends the recording: what the attacker's own frames provoke is not heard again.
func (t *Tape) Stop() { t.stopped = true }

// Replay sends what is on a tape so far, in its order, on a segment. It reports how many frames that were.
func (a *Attacker) Replay(t *Tape, segment string) (int, error) {
	p, err := a.port(segment)
	if err != nil {
		return 0, err
	}
	if len(t.frames) == 0 {
		return 0, fmt.Errorf("attack: %s has seen no frame to replay: %s", a.name, &t.selection)
	}
	for _, f := range t.frames {
		a.send(p, bytes.Clone(f.frame), trace.Attack{Act: "replayed", Original: f.number})
	}
	return len(t.frames), nil
}
