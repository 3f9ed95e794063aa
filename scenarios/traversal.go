package scenarios

import (
	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// dialects are the versions of NAT traversal by the words of scenario files.
var dialects = map[string]ike.NATDialect{
	"draft-00": ike.NATDraft00, "draft-01": ike.NATDraft01, "draft-02": ike.NATDraft02, "draft-02n": ike.NATDraft02Newline,
	"draft-03": ike.NATDraft03, "rfc-3947": ike.NATRFC3947,
}

// traverse gives a host what its settings say about NATs.
func traverse(c *hosts.Config, s spec.IPsec) {
	c.Conflicts, c.Checksums, c.AnyForm = conflictsOf(s), checksumsOf(s), s.AnyForm
	for _, word := range s.Speaks() {
		c.NAT.Dialects = append(c.NAT.Dialects, dialects[word])
	}
	if !c.NAT.On() {
		return
	}
	c.NAT.Responder = ike.ResponderBehindNAT(s.BehindNAT())
	c.NAT.Originals = map[string]ike.NATOriginals{
		spec.OriginalsAlways: ike.OriginalsAlways, spec.OriginalsBehind: ike.OriginalsIfBehind, spec.OriginalsNever: ike.OriginalsNever,
	}[s.TellsOriginals()]
	c.NAT.BothOriginals = !s.OriginalsOne
	c.NAT.Force, c.NAT.AcceptEither, c.NAT.Begin4500, c.NAT.KeepAliveOutside = s.Force, s.Either, s.Begin4500, s.KeepAliveOutside
	if c.NAT.KeepAlive = s.KeepsAlive(); c.NAT.KeepAlive == 0 {
		c.NAT.KeepAlive = -1
	}
}

// checksumsOf is how a host repairs checksums.
func checksumsOf(s spec.IPsec) esp.Checksums {
	ways := map[string]esp.ChecksumFixUp{
		spec.FixUpIncrement: esp.FixByIncrement, spec.FixUpRecompute: esp.FixByRecomputing, spec.FixUpZero: esp.FixByZero, spec.FixUpVerified: esp.FixByTelling,
	}
	return esp.Checksums{FixUp: ways[s.FixUp], WithoutOriginals: ways[s.WithoutOriginals]}
}

// conflictsOf is what a host does about computers that look the same.
func conflictsOf(s spec.IPsec) esp.Conflicts {
	strategies := map[string]esp.ConflictStrategy{
		spec.ConflictsNewest: esp.ConflictNewest, spec.ConflictsRefuse: esp.ConflictRefuse,
		spec.ConflictsTrack: esp.ConflictTrack, spec.ConflictsTranslate: esp.ConflictTranslate,
	}
	return esp.Conflicts{Strategy: strategies[s.Conflicts], Idle: s.ConversationIdle.Span()}
}
