package mux_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// elsewhere is where an attacker sends from who forges no address of the two.
var elsewhere = netip.MustParseAddrPort("203.0.113.66:4500")

// configureNAT draws NATs before the hosts, and what the hosts make of them.
func (s *randomRun) configureNAT() {
	r, n := s.r, s.n
	if r.IntN(2) == 0 {
		return
	}
	where := pick(r, ike.NATPlacement{Initiator: true}, ike.NATPlacement{Initiator: true}, ike.NATPlacement{Responder: true}, ike.NATPlacement{Initiator: true, Responder: true}, ike.NATPlacement{})
	for _, h := range []*host{s.a, s.b} {
		if h == s.a && where.Initiator || h == s.b && where.Responder {
			// Without published ports the other side can start nothing before it has been spoken to.
			b := n.newBox(map[*host]string{s.a: "198.51.100.10", s.b: "198.51.100.20"}[h], h)
			if other := where.Initiator && where.Responder; other || r.IntN(2) == 0 {
				b.publish(h, 500, 4500)
			}
		}
	}
	common := pick(r, dialects...)
	for _, h := range n.hosts {
		all := []ike.NATDialect{common}
		for _, d := range dialects {
			if d != common && r.IntN(3) == 0 {
				all = append(all, d)
			}
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		h.config.NAT = ike.NATTraversal{
			Dialects: all, Responder: ike.AssumeBoth, Originals: pick(r, ike.OriginalsAlways, ike.OriginalsIfBehind, ike.OriginalsNever), BothOriginals: r.IntN(2) == 0,
			Force: r.IntN(8) == 0, AcceptEither: r.IntN(4) == 0, Begin4500: r.IntN(4) == 0, KeepAliveOutside: r.IntN(4) == 0,
		}
	}
	for _, h := range n.hosts {
		old := h.config.Trace
		h.config.Trace = func(b trace.Body) {
			old(b)
			if m, ok := b.(trace.IKEMessage); ok && !m.Sent && !strings.HasPrefix(m.Note, "ignored") {
				n.taken = true
			}
		}
	}
	s.tally["NAT traversal"]++
	if s.natted() {
		s.tally["NATs"]++
	}
}

// natted reports whether ESP goes in UDP.
func (s *randomRun) natted() bool {
	return s.n.translated() || slices.ContainsFunc(s.n.hosts, func(h *host) bool { return h.config.NAT.Force })
}

// remap has a NAT lose its mappings, or its address.
func (s *randomRun) remap() {
	if len(s.n.boxes) == 0 {
		return
	}
	b := pick(s.r, s.n.boxes...)
	if len(b.static) == 0 && s.r.IntN(2) == 0 {
		b.renumber()
		s.tally["other outside addresses"]++
		return
	}
	b.forget()
	s.tally["mappings lost"]++
}

// strangersReplay sends what has arrived once more from an address that nobody has.
func (s *randomRun) strangersReplay() {
	if len(s.n.arrived) == 0 {
		return
	}
	d := pick(s.r, s.n.arrived...)
	b := bytes.Clone(d.Payload)
	switch s.r.IntN(6) {
	case 0: // as one of another exchange, which no hash covers
		b[18] = byte(pick(s.r, payload.MainMode, payload.QuickMode, payload.Informational, payload.Transaction, payload.NewGroup))
	case 1:
		b[19] ^= byte(payload.Commit)
	}
	s.tally["replays of strangers"]++
	s.n.hand(ike.Datagram{Local: d.Local, Remote: elsewhere, Payload: b}, s.n.latency)
}

// excused reports that a NAT, or what somebody has made of the payloads that look for one, keeps a host from being served.
func (s *randomRun) excused(h, to *host, err error) bool {
	why := err.Error()
	for _, b := range s.n.boxes {
		if b.has(to.addr) && len(b.static) == 0 && strings.Contains(why, "no response") {
			s.tally["nobody gets in"]++
			return true
		}
	}
	// Nothing authenticates vendor IDs and NAT-D: if they were altered, the two sides may not agree where
	// there is a NAT, as long as the main mode lives.
	if h.config.NAT.On() && s.tally["altered"]+s.tally["attacks"] > 0 && (strings.Contains(why, "NO-PROPOSAL-CHOSEN") || strings.Contains(why, "INVALID-ID-INFORMATION")) {
		s.tally["placements altered"]++
		for _, h := range s.n.hosts {
			h.driver.endAll()
		}
		return false
	}
	return false
}

// wantNobodyAtStrangers expects that no SA has gone to where an attacker is.
func (s *randomRun) wantNobodyAtStrangers(name string) {
	s.t.Helper()
	for _, h := range s.n.hosts {
		for _, e := range h.events {
			if m, ok := e.(ike.EventMoved); ok {
				require.NotEqual(s.t, elsewhere.Addr(), m.To.Addr(), "%s: %s follows replays", name, h.name)
				s.tally["moves"]++
			}
		}
		for _, m := range h.mux.MainModes() {
			require.NotEqual(s.t, elsewhere.Addr(), m.Remote, "%s: a main mode of %s is with the attacker", name, h.name)
		}
	}
}
