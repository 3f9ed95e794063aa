package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/profile"
)

// Options are what the compiler has to know of a host besides its addresses. The
// zero value is the documented default.
type Options struct {
	// Ties is the order of actions among filters that are equally specific,
	// all three kinds once each; nil: block, permit, negotiate. A lab rule, not a fact.
	Ties []Kind

	// Specificity settles what else the documents leave open about the more specific
	// of two filters.
	Specificity Specificity

	// Broadcasts are the broadcast addresses of the host's subnets, which an
	// address does not tell: see Broadcasts.
	Broadcasts []netip.Addr

	// Exempt is what passes before all filters besides ISAKMP and neighbour
	// discovery, see NoDefaultExempt.
	Exempt Exemptions

	// Resolve gives the addresses of a DNS name when a filter is made of it; nil: no
	// name has any. Servers gives the servers of a kind that the host is told to use;
	// nil: none.
	Resolve func(name string) []netip.Addr
	Servers func(ServerKind) []netip.Addr

	// RemoteAccess are the host's addresses on dial-up and VPN connections; its others
	// are on its LAN connections.
	RemoteAccess []netip.Addr

	// KerberosKey is a preshared key that stands in for Kerberos in all rules: the lab
	// has no domain yet. Empty: a policy that authenticates by Kerberos does not compile.
	KerberosKey string

	// Certificates gives what IKE asks of the host's store of certificates for a rule that
	// names these authorities, in order. nil: the host has none, and a policy that
	// authenticates by certificates does not compile.
	Certificates func([]RootCA) ike.Certificates

	// AggressiveMode has phase 1 with the peers of this host be an aggressive mode, see
	// ike.MainMode. Identity is what the host calls itself where a preshared key proves it.
	AggressiveMode bool
	Identity       ike.Identity

	// ModeConfig gives or takes inner addresses, and NewGroups are private groups, see ike.MainMode.
	ModeConfig *ike.ModeConfig
	NewGroups  ike.NewGroups

	// AuthFirst has offers be in the order of the methods of authentication, see ike.MainMode.
	AuthFirst bool

	// Persistent is how the filters of a persistent policy are searched beside those of
	// another one: see CompileBoth.
	Persistent Precedence

	// BypassIPv6 has IPv6 pass whatever the policy says, as on Windows Server 2003,
	// whose IPsec policies are for IPv4 alone.
	BypassIPv6 bool

	// FirstGeneration has the host know AH and ESP of RFC 1826 and RFC 1827 (RFC 1828, RFC 1829):
	// claimed of Windows Server 2003, and not proven (C007). Without it security methods of that
	// kind are left out.
	FirstGeneration bool

	// System is the operating system of the host: what of a policy it can do, and which offers it
	// knows. nil: all that the lab can.
	System *profile.Profile
}

// Broadcasts are the addresses to which a host with these prefixes receives what
// is sent to all of a subnet (RFC 919, Section 7). IPv6 has none, and neither has
// a line between two (RFC 3021).
func Broadcasts(prefixes ...netip.Prefix) (all []netip.Addr) {
	for _, p := range prefixes {
		if !p.Addr().Is4() || p.Bits() >= 31 {
			continue
		}
		last := p.Addr().As4()
		for bit := p.Bits(); bit < 32; bit++ {
			last[bit/8] |= 0x80 >> (bit % 8)
		}
		all = append(all, netip.AddrFrom4(last))
	}
	return all
}

// Specificity is how filters are compared of which each is more specific at one end;
// the published documentation does not say. The zero value is the lab's default.
type Specificity struct {
	// WiderEndFirst compares the wider ends before the narrower ones: a filter from one
	// subnet to another is then searched before one from a host to any address.
	WiderEndFirst bool

	// MeCountsAsAny takes "My IP address" for no more specific than any address, and
	// not for the host that it is on each computer. A filter inside another does not go
	// before it then if nothing but that end tells them apart.
	MeCountsAsAny bool
}

func (o Options) ties() ([]Kind, error) {
	if o.Ties == nil {
		return []Kind{Block, Permit, Negotiate}, nil
	}
	sorted := slices.Sorted(slices.Values(o.Ties))
	if !slices.Equal(sorted, []Kind{Permit, Block, Negotiate}) {
		return nil, errors.New("policy: Options.Ties must name permit, block and negotiate once each")
	}
	return o.Ties, nil
}

// specific is one filter as the driver works on it: no "me", one way.
type specific struct {
	selector ipsec.Selector
	written  ipsec.Selector // before it was confined to connections of a kind: what decides its place
	ends     [2]end         // of written, in the order in which they are compared
	kind     Kind
	name     string  // policy/rule
	of       *Policy // that it is from; nil of the default response rule
	rule     int     // its place in Policy.Rules, or dynamicRule
	filter   int
	generic  Filter
	seq      int // order of expansion
	rank     int // of the kind: 3 for the first of Options.Ties, 1 for the last; see weight

	persistent bool // from the persistent policy, and there is another one
	place      int  // 1 where its policy goes before the other one; see Precedence

	tunnel netip.Addr // the end of the rule's tunnel; invalid in transport mode
	ending bool       // which is an address of this host
	begins netip.Addr // then: where the tunnel begins, if a rule for the other direction tells
}

// criterion is one step of the order in the package comment.
type criterion uint8

const (
	byPolicy criterion = iota
	byTunnel
	byFirstEnd
	bySecondEnd
	byProtocol
	byPorts
	byStore
	byAction
	byPlace
)

// before compares two filters: negative when a is searched first. by is what told them apart.
func before(a, b *specific, ties []Kind) (order int, by criterion) {
	for by, order := range [...]int{
		byPolicy:    b.place - a.place,
		byTunnel:    b.tunnels() - a.tunnels(),
		byFirstEnd:  b.ends[0].bits() - a.ends[0].bits(),
		bySecondEnd: b.ends[1].bits() - a.ends[1].bits(),
		byProtocol:  named(b.written.Proto) - named(a.written.Proto),
		byPorts:     portCount(b.written) - portCount(a.written),
		byStore:     count(b.persistent) - count(a.persistent),
		byAction:    slices.Index(ties, a.kind) - slices.Index(ties, b.kind),
	} {
		if order != 0 {
			return order, criterion(by)
		}
	}
	return a.seq - b.seq, byPlace
}

// inSearchOrder sorts filters as before compares them, by weights that are reckoned once.
func inSearchOrder(all []*specific) {
	type weighed struct {
		weight uint64
		filter *specific
	}
	order := make([]weighed, len(all))
	for i, s := range all {
		order[i] = weighed{s.weight(), s}
	}
	slices.SortFunc(order, func(a, b weighed) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), a.filter.seq-b.filter.seq)
	})
	for i, w := range order {
		all[i] = w.filter
	}
}

// whyLost words the comparison for the one that is searched later.
func whyLost(winner, loser *specific, ties []Kind) string {
	if loser.rule == dynamicRule {
		return "the default response rule is for traffic that no other filter is for"
	}
	w, l := winner.written, loser.written
	switch _, by := before(winner, loser, ties); by {
	case byPolicy:
		return fmt.Sprintf("the filters of policy %s are searched before those of %s (persistent-order)", winner.of.Name, loser.of.Name)
	case byTunnel:
		return "tunnel filters are searched before transport filters"
	case byFirstEnd:
		return lessSpecific(winner.ends[0], loser.ends[0])
	case bySecondEnd:
		return lessSpecific(winner.ends[1], loser.ends[1])
	case byProtocol:
		return "less specific: any protocol, the winner names " + ipsec.ProtoName(w.Proto)
	case byPorts:
		return fmt.Sprintf("less specific: it names %s, the winner %s", ports(l), ports(w))
	case byStore:
		return "as specific as the winner, which is of the persistent policy (lab rule)"
	case byAction:
		return fmt.Sprintf("as specific as the winner, and %s goes before %s (lab rule)", winner.kind, loser.kind)
	}
	return "as specific as the winner and of the same action; the winner stands earlier in the policy (lab rule)"
}

// end is one side of a selector.
type end struct {
	name   string
	prefix netip.Prefix
	any    bool // it is "me", and counts as any address
}

// bits is the length of the prefix; −1 for any address, which is more than all of a family.
func (e end) bits() int {
	if e.any {
		return -1
	}
	return e.prefix.Bits()
}

// ends puts the two sides of a selector in the order in which they are compared; the
// source counts as the narrower of equals. srcMe and dstMe say which are "me".
func (o Specificity) ends(s ipsec.Selector, srcMe, dstMe bool) [2]end {
	src := end{"source", s.Src, srcMe && o.MeCountsAsAny}
	dst := end{"destination", s.Dst, dstMe && o.MeCountsAsAny}
	if dst.bits() > src.bits() != o.WiderEndFirst {
		src, dst = dst, src
	}
	return [2]end{src, dst}
}

// lessSpecific words the comparison of two ends: "destination 10.0.0.0/24 is a
// /24, the winner names a host".
func lessSpecific(winner, loser end) string {
	what := fmt.Sprintf("%s %s is a /%d", loser.name, loser.prefix, loser.bits())
	switch {
	case loser.any:
		what = loser.name + " is me, which counts as any address"
	case !loser.prefix.IsValid():
		what = loser.name + " is any address"
	}
	names := "a host"
	if !winner.prefix.IsSingleIP() {
		names = fmt.Sprintf("a /%d", winner.bits())
	}
	return fmt.Sprintf("less specific: %s, the winner names %s", what, names)
}

// tunnels is 1 for the filter of a tunnel.
func (s *specific) tunnels() int { return count(s.tunnel.IsValid()) }

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

func named(proto uint8) int {
	if proto == ipsec.ProtoAny {
		return 0
	}
	return 1
}

func portCount(s ipsec.Selector) int {
	n := 0
	for _, p := range []uint16{s.SrcPort, s.DstPort} {
		if p != 0 {
			n++
		}
	}
	return n
}

// ports words what portCount counted.
func ports(s ipsec.Selector) string {
	switch {
	case s.SrcPort != 0 && s.DstPort != 0:
		return fmt.Sprintf("source port %d and destination port %d", s.SrcPort, s.DstPort)
	case s.SrcPort != 0:
		return fmt.Sprintf("source port %d", s.SrcPort)
	case s.DstPort != 0:
		return fmt.Sprintf("destination port %d", s.DstPort)
	}
	return "no port"
}
