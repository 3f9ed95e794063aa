package esp

import (
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Standing is what there is for a packet at a moment.
type Standing struct {
	SA        string    // that would protect it, or under which it is expected; its transforms, SPI and mode, empty: none
	Soft      *SoftInfo // a soft SA of its two addresses, under which it passes; nil: none
	Acquiring bool      // a negotiation for its entry is under way
	Startup   string    // the startup mode of the driver; empty: it is operational, or the mode is not for the packet
	Admitted  string    // why the startup mode lets the packet pass if no entry selects it; empty: it does not, or there is none
}

// Standing says what there is for a packet, and changes nothing.
func (p *Pipeline) Standing(now time.Time, d ipsec.Direction, f ipsec.Flow) (s Standing) {
	if at := p.startup; at != nil && !(at.BypassIPv6 && f.Src.Is6()) {
		s.Startup = at.Mode.String()
		if d == ipsec.Inbound || at.Mode != StartupStateful { // else it would be remembered, and passes
			if decision := at.decide(d, &f); decision.Outcome == Passed {
				s.Admitted = decision.Why
			}
		}
	}
	if i := p.softs.find(keyOf(d, &f)); i >= 0 && now.Before(p.softs[i].ends(p.cfg.Soft)) && (d == ipsec.Outbound || p.letsIn(p.softs[i], &f)) {
		s.Soft = &p.Softs()[i]
	}
	if d == ipsec.Inbound {
		s.SA = p.expected(now, &f)
		return s
	}
	e := p.out.lookup(&f)
	if e == nil || e.Action != ipsec.Protect {
		return s
	}
	ends := route{f.Src, f.Dst}
	if e.Peer.IsValid() {
		ends = route{peer: e.Peer}
	}
	for _, sa := range slices.Backward(p.sad.byEnds[ends]) {
		if sa.serves(e) && sa.Selector.Matches(&f) && !sa.ended(now) {
			s.SA = sa.words()
			break
		}
	}
	_, s.Acquiring = p.holds.byKey[acquireFor(e, f)]
	return s
}

// expected is the newest inbound SA that is for a flow.
func (p *Pipeline) expected(now time.Time, f *ipsec.Flow) string {
	for _, sa := range slices.Backward(p.sad.list) {
		between := sa.Mode == ipsec.Tunnel || sa.Src == f.Src && sa.Dst == f.Dst
		if sa.Direction == ipsec.Inbound && sa.outer == nil && between && sa.Selector.Matches(f) && !sa.ended(now) {
			return sa.words()
		}
	}
	return ""
}

// words name the outermost SA of a bundle.
func (s *sa) words() string {
	spi, does := fmt.Sprintf("0x%08x", s.SPI), s.Transform.String()
	if s.inner != nil {
		spi += fmt.Sprintf(" around 0x%08x", s.inner.SPI)
		does += " around " + s.inner.Transform.String()
	}
	if s.encapsulation > 0 {
		does += fmt.Sprintf(", in UDP with port %d of %s", s.peer().Port(), s.peer().Addr())
	}
	if s.Mode == ipsec.Tunnel {
		does += fmt.Sprintf(", tunnel %s > %s", s.Src, s.Dst)
	}
	return fmt.Sprintf("SA %s (%s)", spi, does)
}
