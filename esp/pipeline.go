package esp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Pipeline is the IPsec boundary of one host. See the package comment.
type Pipeline struct {
	cfg      Config
	out, in  spd
	sad      sad
	reserved map[spiKey]struct{}
	tunnels  tunnels
	holds    holds
	softs    softs
	talks    talks
	startup  *startup // nil: operational
	events   queue
	recorder recorder
	counters Counters
}

// New makes a Pipeline without policy or SAs: everything passes.
func New(c Config) (*Pipeline, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Pipeline{cfg: c, sad: newSAD(), holds: newHolds(), talks: newTalks(), reserved: map[spiKey]struct{}{}, tunnels: tunnels{df: c.TunnelDF}}, nil
}

// SetPolicy replaces the policy of both directions. In each list the first entry
// whose selector matches decides; what no entry selects passes. SAs and acquires
// under way stay: a host that no longer wants them calls RemoveAll and Fail.
func (p *Pipeline) SetPolicy(out, in []ipsec.Policy) {
	p.out, p.in = newSPD(out), newSPD(in)
	p.recorder.reset()
}

// Pending reports whether NextEvent has an event.
func (p *Pipeline) Pending() bool { return len(p.events.events) > 0 }

// NextEvent takes the oldest event that has not been taken; false when there is none.
func (p *Pipeline) NextEvent() (Event, bool) { return p.events.pop() }

// Add puts SAs into the database, all or none. The halves of a pair find each
// other by SPI and PeerSPI. The SAs of a bundle come in one call: an AH SA whose
// Inner is the SPI of an ESP SA protects what that one has sealed, and neither
// serves alone. What this package does not build is refused as unsupported; see
// the package comment. An SPI reserved with AllocateSPI is reserved no longer.
func (p *Pipeline) Add(now time.Time, sas ...ipsec.SAParams) error {
	refused := func(params ipsec.SAParams, err error) error {
		return fmt.Errorf("esp: adding the %v %v SA 0x%08x: %w", params.Direction, params.Protocol, params.SPI, err)
	}
	fresh := make([]*sa, 0, len(sas))
	seen := map[identity]bool{}
	for _, params := range sas {
		s, err := newSA(params, p.cfg, &p.tunnels, now)
		if err != nil {
			return refused(params, err)
		}
		id := identityOf(s.SAParams)
		if seen[id] || p.sad.byID[id] != nil {
			return refused(params, errors.New("there is one already"))
		}
		seen[id] = true
		fresh = append(fresh, s)
	}
	if s, err := bundle(fresh); err != nil {
		return refused(s.SAParams, err)
	}
	for _, s := range fresh {
		p.insert(s)
	}
	return nil
}

func (p *Pipeline) insert(s *sa) {
	p.sad.add(s)
	if p.cfg.Idle > 0 && s.Direction == ipsec.Inbound && s.outer == nil {
		s.idleTimer = p.sad.timers.set(s, s.used.Add(p.cfg.Idle), idleTimer)
	}
	p.counters.KeyAdditions++
	if s.Direction == ipsec.Outbound && s.Mode == ipsec.Transport {
		p.endSoft(softKey{s.Src, s.Dst}, "the peer has negotiated an SA")
	}
	if s.outer == nil && p.sad.succeeds(s) {
		p.counters.Rekeys++
	}
	if s.Direction == ipsec.Inbound {
		delete(p.reserved, spiKey{s.Protocol, s.SPI})
	}
	p.recorder.reset()
	event := trace.SAAdded{
		Direction: s.Direction.String(), Protocol: s.Protocol.String(), SPI: s.SPI, PeerSPI: s.PeerSPI,
		Src: s.Src.String(), Dst: s.Dst.String(), Mode: s.Mode.String(),
		Cipher: s.Transform.Cipher, CipherKey: s.params().CipherKey,
		Auth: s.Transform.Auth, AuthKey: s.params().AuthKey,
		Selector: s.Selector.String(), Rule: s.Rule,
		Seconds: int64(s.Lifetime.Duration / time.Second), Kilobytes: s.Lifetime.Kilobytes, Initiator: s.Initiator, Inner: s.Inner,
		ESN: s.Transform.ESN, SrcPort: s.UDP.Src, DstPort: s.UDP.Dst,
	}
	if s.OriginalSrc.IsValid() {
		event.OriginalSrc, event.OriginalDst = s.OriginalSrc.String(), s.OriginalDst.String()
	}
	p.cfg.trace(event)
}

// remove takes a whole bundle out: what the policy demands of a packet cannot be
// had from a part of it.
func (p *Pipeline) remove(s *sa, reason string) (removed []ipsec.SAParams) {
	for l := s.head(); l != nil; l = l.inner {
		removed = append(removed, l.params())
		p.removeOne(l, reason)
	}
	if h := s.head(); h.Direction == ipsec.Inbound && h.paired && p.cfg.Ended != nil {
		p.cfg.Ended(removed, reason)
	}
	return removed
}

func (p *Pipeline) removeOne(s *sa, reason string) {
	p.sad.remove(s)
	p.counters.KeyDeletions++
	p.recorder.reset()
	p.cfg.trace(trace.SARemoved{
		Direction: s.Direction.String(), Protocol: s.Protocol.String(), SPI: s.SPI, Dst: s.Dst.String(),
		Reason: reason, Packets: s.packets, Bytes: s.bytes,
	})
}

// RemoveSA removes the SA with these parameters, with its bundle, and reports
// whether there was one. dst is its destination: the peer for an outbound SA.
func (p *Pipeline) RemoveSA(now time.Time, d ipsec.Direction, proto ipsec.Protocol, dst netip.Addr, spi uint32, reason string) bool {
	return p.RemoveSAAt(now, d, proto, netip.AddrPortFrom(dst, 0), spi, reason)
}

// RemoveSAAt is RemoveSA for an SA with encapsulation in UDP, whose destination has a port.
func (p *Pipeline) RemoveSAAt(now time.Time, d ipsec.Direction, proto ipsec.Protocol, dst netip.AddrPort, spi uint32, reason string) bool {
	id := identity{direction: d, protocol: proto, spi: spi}
	if d == ipsec.Outbound {
		id.dst = dst
	}
	s := p.sad.byID[id]
	if s == nil || s.Dst != dst.Addr() {
		return false
	}
	p.remove(s, reason)
	return true
}

// Remove removes the SAs of one direction with an SPI, with their bundles, and
// reports whether there was one. Two peers may have chosen the same SPI for themselves: on a peer's word
// use RemoveSA, which leaves the SAs of other peers alone.
func (p *Pipeline) Remove(now time.Time, d ipsec.Direction, proto ipsec.Protocol, spi uint32, reason string) bool {
	removed := p.removeWhere(func(s *sa) bool { return s.Direction == d && s.Protocol == proto && s.SPI == spi }, reason)
	return len(removed) > 0
}

// RemoveAll removes every SA, soft ones too, and returns the others in the order of adding.
func (p *Pipeline) RemoveAll(now time.Time, reason string) (removed []ipsec.SAParams) {
	for len(p.softs) > 0 {
		p.endSoft(p.softs[0].key, reason)
	}
	return p.removeWhere(func(*sa) bool { return true }, reason)
}

func (p *Pipeline) removeWhere(match func(*sa) bool, reason string) (removed []ipsec.SAParams) {
	for _, s := range append([]*sa(nil), p.sad.list...) {
		if !s.gone && match(s) {
			removed = append(removed, p.remove(s, reason)...)
		}
	}
	return removed
}
