package esp

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/recent"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Error codes of soft SAs, MS-ERREF, Section 2.2.
const (
	codeSoftLoaded   = 13844
	codeSoftTornDown = 13845
)

const underSoft = "in the clear, under a soft SA with the peer"

// softKey is whose traffic a soft SA is for.
type softKey struct{ local, peer netip.Addr }

// softSA lets the traffic of two addresses pass in the clear, where the policy
// entry allows it: an SA without protection, as Windows calls it.
type softSA struct {
	key         softKey
	added, used time.Time
	packets     uint64
	asked       recent.Map[conversation, struct{}] // with Soft.Answers: whom answers may come from
}

// softs are all soft SAs in the order of adding. They are few: each is a peer that
// does not speak IKE.
type softs []*softSA

func (s softs) find(k softKey) int {
	return slices.IndexFunc(s, func(a *softSA) bool { return a.key == k })
}

// ends is when the soft SA ends if nothing uses it any more.
func (s *softSA) ends(c Soft) time.Time {
	idle := s.used.Add(c.idle())
	if hard := s.added.Add(c.Lifetime); c.Lifetime > 0 && hard.Before(idle) {
		return hard
	}
	return idle
}

// FallBack begins a soft SA between two addresses, or goes on with the one that
// there is. It ends the acquires for which it serves and returns the packets that
// waited for them, to be sent again through Outbound. reason is for the trace.
func (p *Pipeline) FallBack(now time.Time, local, peer netip.Addr, reason string) (held [][]byte) {
	k := softKey{local, peer}
	var ids []uint64
	for _, id := range slices.Sorted(maps.Keys(p.holds.byID)) {
		if a := p.holds.byID[id]; a.fallBack && a.key.src == local && a.key.dst == peer {
			ids = append(ids, id)
		}
	}
	if p.softs.find(k) < 0 {
		p.softs = append(p.softs, &softSA{key: k, added: now, used: now, asked: recent.New[conversation, struct{}](maxAsked)})
		p.counters.SoftAssociations++
		p.recorder.reset()
		added := trace.SoftSAAdded{Local: local.String(), Peer: peer.String(), Code: codeSoftLoaded, Reason: reason}
		if len(ids) > 0 {
			added.Rule = p.holds.byID[ids[0]].rule
		}
		p.cfg.trace(added)
	}
	for _, id := range ids {
		held = append(held, p.Answer(now, id)...)
	}
	return held
}

// SoftInfo is one soft SA as it stands.
type SoftInfo struct {
	Local, Peer netip.Addr
	Added, Used time.Time
	Expires     time.Time // if nothing uses it any more
	Packets     uint64    // that passed under it, both ways
}

// Softs are all soft SAs in the order in which they were added.
func (p *Pipeline) Softs() (infos []SoftInfo) {
	for _, s := range p.softs {
		infos = append(infos, SoftInfo{s.key.local, s.key.peer, s.added, s.used, s.ends(p.cfg.Soft), s.packets})
	}
	return infos
}

// Soft reports whether there is a soft SA between two addresses.
func (p *Pipeline) Soft(local, peer netip.Addr) bool { return p.softs.find(softKey{local, peer}) >= 0 }

// useSoft reports whether a packet may pass under a soft SA, and counts it as use.
// One whose end has come is removed on the way, even if Advance has not been called.
func (p *Pipeline) useSoft(now time.Time, d ipsec.Direction, f *ipsec.Flow) bool {
	if len(p.softs) == 0 {
		return false
	}
	i := p.softs.find(keyOf(d, f))
	switch {
	case i < 0:
		return false
	case !now.Before(p.softs[i].ends(p.cfg.Soft)):
		p.endSofts(now)
		return false
	case d == ipsec.Inbound && !p.letsIn(p.softs[i], f):
		return false
	}
	s := p.softs[i]
	if d == ipsec.Outbound && p.cfg.Soft.Answers {
		s.asked.Put(conversation{f.Src, f.Dst, f.Proto, f.SrcPort, f.DstPort}, struct{}{})
	}
	s.used = now
	s.packets++
	return true
}

// letsIn reports whether a packet comes in under a soft SA. Later fragments hide their
// ports: without the first one, which is judged, they are of no use.
func (p *Pipeline) letsIn(s *softSA, f *ipsec.Flow) bool {
	if !p.cfg.Soft.Answers || f.Fragment {
		return true
	}
	_, asked := s.asked.Get(conversation{f.Dst, f.Src, f.Proto, f.DstPort, f.SrcPort})
	return asked
}

// keyOf is whose soft SA a packet would pass under.
func keyOf(d ipsec.Direction, f *ipsec.Flow) softKey {
	if d == ipsec.Inbound {
		return softKey{f.Dst, f.Src}
	}
	return softKey{f.Src, f.Dst}
}

// endSofts ends those whose time has come.
func (p *Pipeline) endSofts(now time.Time) {
	for _, s := range slices.Clone(p.softs) {
		if now.Before(s.ends(p.cfg.Soft)) {
			continue
		}
		reason := "idle"
		if now.Before(s.used.Add(p.cfg.Soft.idle())) {
			reason = "expired"
		}
		p.endSoft(s.key, reason)
	}
}

func (p *Pipeline) endSoft(k softKey, reason string) {
	i := p.softs.find(k)
	if i < 0 {
		return
	}
	s := p.softs[i]
	p.softs = slices.Delete(p.softs, i, i+1)
	p.recorder.reset()
	p.cfg.trace(trace.SoftSARemoved{
		Local: k.local.String(), Peer: k.peer.String(), Code: codeSoftTornDown, Reason: reason, Packets: s.packets,
	})
}
