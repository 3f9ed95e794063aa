package esp

import (
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
	holds    holds
	events   queue
	recorder recorder
	counters Counters
}

// New makes a Pipeline without policy or SAs: everything passes.
func New(c Config) (*Pipeline, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Pipeline{cfg: c, sad: newSAD(), holds: newHolds(), reserved: map[spiKey]struct{}{}}, nil
}

// SetPolicy replaces the policy of both directions. In each list the first entry
// whose selector matches decides; what no entry selects passes. SAs and acquires
// under way stay: a host that no longer wants them calls RemoveAll and Fail.
func (p *Pipeline) SetPolicy(out, in []ipsec.Policy) {
	p.out, p.in = newSPD(out), newSPD(in)
	p.recorder.reset()
}

// NextEvent takes the oldest event that has not been taken; false when there is none.
func (p *Pipeline) NextEvent() (Event, bool) { return p.events.pop() }

// Add puts SAs into the database, all or none. The halves of a pair find each
// other by SPI and PeerSPI. What this package does not build is refused as
// unsupported; see the package comment. An SPI reserved with AllocateSPI is
// reserved no longer.
func (p *Pipeline) Add(now time.Time, pairs ...ipsec.SAParams) error {
	fresh := make([]*sa, 0, len(pairs))
	seen := map[identity]bool{}
	for _, params := range pairs {
		s, err := newSA(params, p.cfg, now)
		if err != nil {
			return fmt.Errorf("esp: adding the %v SA 0x%08x: %w", params.Direction, params.SPI, err)
		}
		id := identityOf(s.SAParams)
		if seen[id] || p.sad.byID[id] != nil {
			return fmt.Errorf("esp: adding the %v SA 0x%08x: there is one already", params.Direction, params.SPI)
		}
		seen[id] = true
		fresh = append(fresh, s)
	}
	for _, s := range fresh {
		p.insert(s)
	}
	return nil
}

func (p *Pipeline) insert(s *sa) {
	p.sad.add(s)
	p.counters.KeyAdditions++
	if p.sad.succeeds(s) {
		p.counters.Rekeys++
	}
	if s.Direction == ipsec.Inbound {
		delete(p.reserved, spiKey{s.Protocol, s.SPI})
	}
	p.recorder.reset()
	p.cfg.trace(trace.SAAdded{
		Direction: s.Direction.String(), Protocol: s.Protocol.String(), SPI: s.SPI, PeerSPI: s.PeerSPI,
		Src: s.Src.String(), Dst: s.Dst.String(), Mode: s.Mode.String(),
		Cipher: s.Transform.Cipher, CipherKey: s.params().CipherKey,
		Auth: s.Transform.Auth, AuthKey: s.params().AuthKey,
		Selector: s.Selector.String(), Rule: s.Rule,
		Seconds: int64(s.Lifetime.Duration / time.Second), Kilobytes: s.Lifetime.Kilobytes, Initiator: s.Initiator,
	})
}

func (p *Pipeline) remove(s *sa, reason string) {
	p.sad.remove(s)
	p.counters.KeyDeletions++
	p.recorder.reset()
	p.cfg.trace(trace.SARemoved{
		Direction: s.Direction.String(), Protocol: s.Protocol.String(), SPI: s.SPI, Dst: s.Dst.String(),
		Reason: reason, Packets: s.packets, Bytes: s.bytes,
	})
}

// RemoveSA removes the SA with these parameters and reports whether there was
// one. dst is its destination: the peer for an outbound SA.
func (p *Pipeline) RemoveSA(now time.Time, d ipsec.Direction, proto ipsec.Protocol, dst netip.Addr, spi uint32, reason string) bool {
	id := identityOf(ipsec.SAParams{Direction: d, Protocol: proto, SPI: spi, Dst: dst})
	s := p.sad.byID[id]
	if s == nil || s.Dst != dst {
		return false
	}
	p.remove(s, reason)
	return true
}

// Remove removes the SAs of one direction with an SPI and reports whether there
// was one. Two peers may have chosen the same SPI for themselves: on a peer's word
// use RemoveSA, which leaves the SAs of other peers alone.
func (p *Pipeline) Remove(now time.Time, d ipsec.Direction, proto ipsec.Protocol, spi uint32, reason string) bool {
	removed := p.removeWhere(func(s *sa) bool { return s.Direction == d && s.Protocol == proto && s.SPI == spi }, reason)
	return len(removed) > 0
}

// RemoveAll removes every SA and returns them in the order of adding.
func (p *Pipeline) RemoveAll(now time.Time, reason string) (removed []ipsec.SAParams) {
	return p.removeWhere(func(*sa) bool { return true }, reason)
}

func (p *Pipeline) removeWhere(match func(*sa) bool, reason string) (removed []ipsec.SAParams) {
	for _, s := range append([]*sa(nil), p.sad.list...) {
		if match(s) {
			removed = append(removed, s.params())
			p.remove(s, reason)
		}
	}
	return removed
}
