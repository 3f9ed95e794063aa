package ikev1

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// What an SA has made of NATs, for the trace.

func dialectNames(ds []ike.NATDialect) (names []string) {
	for _, d := range ds {
		names = append(names, d.String())
	}
	return names
}

// explainNAT is what phase 1 has agreed on, found, and made of that.
func (sa *SA) explainNAT() (n trace.NATTraversal) {
	t, c := sa.natt, sa.env.Config.NAT
	if !c.On() {
		return n
	}
	n.Own, n.Peer, n.Why = dialectNames(c.Dialects), dialectNames(t.peer), t.why
	say := func(format string, args ...any) { n.Explanation = append(n.Explanation, fmt.Sprintf(format, args...)) }
	switch {
	case t.dialect != 0 && len(t.peer) == 1 && len(c.Dialects) == 1:
		say("both sides announce %v, and nothing else", t.dialect)
	case t.dialect != 0:
		say("%v is the latest that both sides announce", t.dialect)
	case t.why == "" && len(t.peer) > 0:
		say("no version is announced by both sides")
	case t.why == "" && sa.choice.Number != 0:
		say("the peer announces no NAT traversal")
	}
	if t.dialect != 0 {
		n.Dialect = t.dialect.String()
	}
	if !t.found {
		return n
	}
	n.Found = t.where.Word()
	own, peer := sa.behind()
	switch {
	case c.Force:
		say("this side is to count as behind a NAT: it sends a hash that fits nothing")
	case own:
		say("the peer's hash of our end is not of %v: this side is behind a NAT", t.at)
	default:
		say("the peer's hash of our end is of %v: this side is behind no NAT", t.at)
	}
	if peer {
		say("none of the peer's %d hashes of its own end is of %v, where its message came from: the peer is behind a NAT", t.hashes-1, t.from)
	} else {
		say("the peer's message came from %v, as it says: the peer is behind no NAT", t.from)
	}
	switch {
	case !t.where.Any():
		say("ESP and AH go without UDP")
	case !t.dialect.Floats():
		say("ESP goes in UDP on port %d, where IKE stays", sa.local.Port())
	case sa.afloat():
		say("IKE and ESP in UDP go on port %d", ike.NATPort)
	default:
		say("IKE is on port %d still", sa.local.Port())
	}
	if sa.KeepsAlive() && c.KeepAliveInterval() > 0 {
		say("this side sends keep-alives after %v without traffic", c.KeepAliveInterval())
	}
	return n
}

// explainNAT is what a quick mode has made of the addresses that a NAT has changed.
func (q *quick) explainNAT() (n trace.NATTraversal) {
	if !q.choice.InUDP() && len(q.seen) == 0 {
		return n
	}
	n.Explanation = slices.Clone(q.seen)
	if !q.choice.InUDP() || q.choice.Proposal.Mode != ipsec.Transport {
		return n
	}
	told := "the peer does not tell"
	switch o := q.told; {
	case o.src.IsValid() && o.dst.IsValid():
		told = fmt.Sprintf("the peer tells of %v and %v", o.src, o.dst)
	case o.src.IsValid():
		told = fmt.Sprintf("the peer tells of %v, its own", o.src)
	}
	var known []string
	for _, a := range []struct {
		name  string
		valid bool
		value any
	}{{"source", q.originalOf().src.IsValid(), q.originalOf().src}, {"destination", q.originalOf().dst.IsValid(), q.originalOf().dst}} {
		if a.valid {
			known = append(known, fmt.Sprintf("%s %v", a.name, a.value))
		} else {
			known = append(known, a.name+" unknown")
		}
	}
	n.Explanation = append(n.Explanation, fmt.Sprintf("addresses under the peer's checksums: %s (%s)", strings.Join(known, ", "), told))
	return n
}
