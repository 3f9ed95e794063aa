package scenarios

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/google/gopacket/layers"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// silences are the wire oracle's own reckoning of who may fall back to clear: a
// host whose first message of main mode has had no answer on the wire for as long as
// its setting says. Soft SAs are what follows from that; the host is not asked about
// its own. Only their end by an SA with the peer is taken from its word, as the SPIs of
// the oracle are.
type silences struct {
	lab     *lab
	decoder packetDecoder
	pairs   map[string]map[netip.Addr]*silence // by the host that asks, and whom it asks

	// resolving is since when a host asks for the address of a neighbour: a first message
	// waits for the answer, and its time runs.
	resolving map[neighbour]resolution
}

// neighbour is one whose address a host asks for.
type neighbour struct {
	host string
	addr netip.Addr
}

// resolution is since when a host asks for an address, and when what had waited for the
// answer left: all of it at one time. 0: it waits.
type resolution struct{ since, left time.Duration }

// silence is what the wire has shown between a host and one peer. Times are since
// the start of the world.
type silence struct {
	cookie  [8]byte       // of the main mode that counts
	first   time.Duration // its first message
	since   time.Duration // from when silence counts: then, or the end of the last soft SA
	heard   time.Duration // when the first word of the peer to it arrived; 0: none has been sent
	refused time.Duration // likewise of ICMP port unreachable

	soft        bool
	began, used time.Duration // of the soft SA
}

// newSilences watches a world in which rules allow to fall back; nil in others.
func newSilences(l *lab) *silences {
	for _, name := range slices.Sorted(maps.Keys(l.policies)) {
		if slices.ContainsFunc(l.policies[name].Rules, func(r policy.Rule) bool { return r.Action.Soft }) {
			s := &silences{lab: l, pairs: map[string]map[netip.Addr]*silence{}, resolving: map[neighbour]resolution{}}
			l.world.Tap(s.frame)
			l.log.Observe(s.event)
			return s
		}
	}
	return nil
}

// resolvingSpan is longer than a host looks for an address: three questions, a second apart.
const resolvingSpan = 4 * time.Second

func (s *silences) event(e trace.Event) {
	switch b := e.Body.(type) {
	case trace.SAAdded:
		if peer, err := netip.ParseAddr(b.Dst); err == nil && b.Direction == ipsec.Outbound.String() {
			delete(s.pairs[e.Node], peer)
		}
	case trace.HostState:
		s.forget(e.Node)
	}
}

// forget begins anew with a host, which has another policy or was restarted.
func (s *silences) forget(host string) {
	if s != nil {
		delete(s.pairs, host)
	}
}

// restart ends the soft SAs of a host, which has another policy. Where that leaves main
// modes alone, those that are under way go on, and their silence counts from now.
func (s *silences) restart(host string, at time.Duration) {
	if s == nil || !s.lab.oracle.terms[host].node.Settings().KeepsSAs() {
		s.forget(host)
		return
	}
	for _, peer := range slices.SortedFunc(maps.Keys(s.pairs[host]), netip.Addr.Compare) {
		pair := s.pairs[host][peer]
		pair.soft, pair.since = false, max(pair.since, at)
	}
}

// frame notes who asks and who answers.
func (s *silences) frame(f sim.Frame) {
	if s.decoder.resolves(f) {
		s.asks(f)
		return
	}
	p, ok := s.decoder.decode(f)
	if !ok {
		return
	}
	since := s.waited(f, p.flow.Dst)
	if p.flow.Fragment || p.protected() {
		return
	}
	if cookie, ok := opensMainMode(p); ok && s.lab.hosts[f.Node] != nil {
		s.asked(f.Node, p.flow.Dst, cookie, since)
	}
	host, _ := s.lab.holder([]string{f.Segment}, p.flow.Dst, f.At, f.At)
	pair := s.pairs[host][p.flow.Src]
	segments := s.lab.spec.Nodes[host].Interfaces
	if pair == nil || f.Lost != "" || !slices.ContainsFunc(segments, func(i spec.Interface) bool { return i.Segment == f.Segment }) {
		return
	}
	arrives := f.At + s.lab.spec.Network.Segments[f.Segment].Delay()
	switch {
	case p.udp == natt.IKE:
		if pair.heard == 0 {
			pair.heard = arrives
		}
	case p.flow.Proto == ipsec.ProtoICMP && p.flow.ICMPType == layers.ICMPv4TypeDestinationUnreachable,
		p.flow.Proto == ipsec.ProtoICMPv6 && p.flow.ICMPType == layers.ICMPv6TypeDestinationUnreachable:
		if pair.refused == 0 {
			pair.refused = arrives
		}
	}
	s.answering(host, pair, arrives)
	if h := s.lab.hosts[host]; pair.soft && s.lab.oracle.terms[host].duty.judge(s.lab.sender(h), p.flow.Reverse()).soft {
		pair.used = max(pair.used, arrives)
	}
}

// asks notes a question of a host for the address of a neighbour.
func (s *silences) asks(f sim.Frame) {
	addr, ok := s.decoder.soughtIn(f)
	if !ok || s.lab.hosts[f.Node] == nil {
		return
	}
	at := neighbour{f.Node, addr}
	if was, ok := s.resolving[at]; !ok || was.left != 0 || f.At-was.since >= resolvingSpan {
		s.resolving[at] = resolution{since: f.At}
	}
}

// waited is since when a frame of a host to a destination may have waited for the
// address of its next hop: the destination, or a gateway. It waits no longer.
func (s *silences) waited(f sim.Frame, dst netip.Addr) time.Duration {
	h := s.lab.hosts[f.Node]
	if h == nil {
		return f.At
	}
	hops := []netip.Addr{dst}
	if !slices.ContainsFunc(h.Prefixes(), func(p netip.Prefix) bool { return p.Contains(dst) }) {
		hops = s.lab.nextHops(f.Node)
	}
	since := f.At
	for _, hop := range hops {
		at := neighbour{f.Node, hop}
		r, ok := s.resolving[at]
		if !ok || r.left != 0 && r.left != f.At || f.At-r.since >= resolvingSpan {
			continue
		}
		r.left = f.At
		s.resolving[at], since = r, min(since, r.since)
	}
	return since
}

// nextHops are the neighbours through which a host reaches other networks.
func (l *lab) nextHops(host string) []netip.Addr {
	hops := l.hosts[host].Gateways()
	for _, r := range l.spec.Nodes[host].Routes {
		if via, err := netip.ParseAddr(r.Via); err == nil {
			hops = append(hops, via)
		}
	}
	return hops
}

// opensMainMode reads the initiator's cookie of a first message of main mode: it has
// no cookie of a responder (RFC 2408, Section 3.1).
func opensMainMode(p decoded) (cookie [8]byte, ok bool) {
	const header, mainMode = 28, 2
	if p.udp != natt.IKE || len(p.payload) < header ||
		[8]byte(p.payload[8:16]) != [8]byte{} || p.payload[18] != mainMode {
		return cookie, false
	}
	return [8]byte(p.payload[:8]), true
}

// asked notes a first message of main mode. Copies of it change nothing.
func (s *silences) asked(host string, peer netip.Addr, cookie [8]byte, at time.Duration) {
	pairs := s.pairs[host]
	if pairs == nil {
		pairs = map[netip.Addr]*silence{}
		s.pairs[host] = pairs
	}
	pair := pairs[peer]
	if pair == nil {
		pair = &silence{}
		pairs[peer] = pair
	}
	if pair.cookie != cookie {
		pair.cookie, pair.first, pair.since, pair.heard, pair.refused = cookie, at, at, 0, 0
	}
}

// mainModeSpan is how long a main mode goes on that nobody answers: the copies come
// 1, 2, 4, 8, 16 and 32 seconds apart, unless the host has other gaps, and the last one has
// as long as the one before.
func (s *silences) mainModeSpan(host string) time.Duration {
	gaps := s.lab.spec.Nodes[host].Settings().Retransmit
	if len(gaps) == 0 {
		return 95 * time.Second
	}
	span := gaps[len(gaps)-1].Span()
	for _, g := range gaps {
		span += g.Span()
	}
	return span
}

// answering begins the soft SA of a host that was asked in the clear and accepted it by
// inpass: it starts IKE before it has anything to send, so that the soft SA begins when
// the silence has lasted, and not with a packet.
func (s *silences) answering(host string, pair *silence, at time.Duration) {
	accepts := func(r ruleOf) bool { return r.Action.Soft && r.Action.InPass }
	if pair.soft || !slices.ContainsFunc(s.lab.oracle.terms[host].duty.rules(), accepts) {
		return
	}
	c := s.lab.spec.Nodes[host].Settings().FallingBack()
	due, heard := pair.since+c.After.Span(), pair.heard != 0 && pair.heard <= at
	switch {
	case heard && c.OnFailure:
		due = min(due, pair.heard) // it may have refused
	case heard && pair.heard <= due:
		return
	case !heard && c.OnUnreachable && pair.refused != 0 && pair.refused <= at:
		due = min(due, pair.refused)
	}
	if due <= at && due-pair.first <= s.mainModeSpan(host) {
		pair.soft, pair.began, pair.used = true, due, due
	}
}

// allow reports whether a host may send to a peer in the clear, by a rule with soft:
// true, and counts it as use of the soft SA.
func (s *silences) allow(host string, peer netip.Addr, at time.Duration) bool {
	if s == nil || s.pairs[host][peer] == nil {
		return false
	}
	pair, c := s.pairs[host][peer], s.lab.spec.Nodes[host].Settings().FallingBack()
	s.answering(host, pair, at)
	if pair.soft {
		end := pair.used + c.Idle.Span()
		if life := c.Lifetime.Span(); life > 0 {
			end = min(end, pair.began+life)
		}
		if at < end {
			pair.used = max(pair.used, at)
			return true
		}
		pair.soft, pair.since = false, max(pair.since, end) // what comes next has to wait again
	}
	heard := pair.heard != 0 && pair.heard <= at
	refused := pair.refused != 0 && pair.refused <= at
	switch {
	case at-pair.first > s.mainModeSpan(host):
		return false // nobody is being asked
	case at-pair.since >= c.After.Span() && (!heard || c.OnFailure):
	case heard && c.OnFailure: // it may have refused
	case refused && !heard && c.OnUnreachable:
	default:
		return false
	}
	pair.soft, pair.began, pair.used = true, at, at
	return true
}
