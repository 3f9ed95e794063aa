package esp

import (
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// maxRecorded bounds what the recorder remembers; beyond it the memory starts
// afresh, and repeats are recorded again.
const maxRecorded = 8192

// verdictKey is what makes two verdicts equal.
type verdictKey struct {
	direction ipsec.Direction
	flow      ipsec.Flow
	outcome   Outcome
	action    string
	policyID  int
	rule, why string
}

// recorder traces verdicts and drops, each kind once for each flow until the
// policy or the SAs change.
type recorder struct {
	verdicts map[verdictKey]struct{}
	latest   [2]verdictKey // of each direction: the packets of a transfer are found here
	drops    map[trace.PacketDropped]struct{}
}

// reset forgets everything: from now on verdicts may mean something else.
func (r *recorder) reset() {
	clear(r.verdicts)
	clear(r.latest[:])
	clear(r.drops)
}

// judged traces a decision about a flow.
func (p *Pipeline) judged(dir ipsec.Direction, f *ipsec.Flow, d *Decision) {
	if p.cfg.Trace == nil {
		return
	}
	key := verdictKey{dir, *f, d.Outcome, d.Action, d.PolicyID, d.Rule, d.Why}
	latest := &p.recorder.latest[dir%2]
	if key == *latest {
		return
	}
	*latest = key
	if !first(&p.recorder.verdicts, key) {
		return
	}
	p.cfg.Trace(trace.Verdict{
		Direction: dir.String(), Packet: f.String(), Action: d.Action, Rule: d.Rule, Outcome: d.Outcome.String(), Why: d.Why,
	})
}

// dropped traces the end of a packet that no policy judged.
func (p *Pipeline) dropped(where, packet, reason, rule string) {
	b := trace.PacketDropped{Where: where, Packet: packet, Reason: reason, Rule: rule}
	if p.cfg.Trace != nil && first(&p.recorder.drops, b) {
		p.cfg.Trace(b)
	}
}

// first reports whether a key is new to a bounded set, and puts it in.
func first[K comparable](set *map[K]struct{}, key K) bool {
	if _, seen := (*set)[key]; seen {
		return false
	}
	if *set == nil || len(*set) >= maxRecorded {
		*set = map[K]struct{}{}
	}
	(*set)[key] = struct{}{}
	return true
}
