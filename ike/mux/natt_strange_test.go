package mux_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// edit changes the payloads of messages 3 and 4 of a main mode, from one side alone where from is one.
func (p *placed) edit(from *host, change func(ps []payload.Payload) []payload.Payload) {
	p.rewrite = func(d ike.Datagram) []byte {
		h, err := payload.ParseHeader(d.Payload)
		require.NoError(p.t, err)
		if h.Flags&payload.Encrypted != 0 || h.Next != payload.TypeKE || from != nil && d.Local.Addr() != from.addr {
			return d.Payload
		}
		chain, _, err := payload.Parse(h.Next, d.Payload[payload.HeaderLen:])
		require.NoError(p.t, err)
		var ps []payload.Payload
		for _, item := range chain {
			ps = append(ps, item.Payload)
		}
		ps = change(ps)
		h.Next = payload.First(ps)
		b := payload.Append(h.Append(nil), ps...)
		payload.SetLength(b)
		return b
	}
}

// ofNATD splits payloads into those of NAT-D and the others.
func ofNATD(ps []payload.Payload) (natd []payload.NATD, others []payload.Payload) {
	for _, p := range ps {
		if n, ok := p.(payload.NATD); ok {
			natd = append(natd, n)
		} else {
			others = append(others, p)
		}
	}
	return natd, others
}

// What peers may send for NAT-D, and what this side makes of it. b is the one that sends it.
func TestOddNATDPayloads(t *testing.T) {
	keep := func(others []payload.Payload, ns ...payload.NATD) []payload.Payload {
		for _, n := range ns {
			others = append(others, n)
		}
		return others
	}
	other := payload.NATD{Hash: make([]byte, 20)}
	for name, c := range map[string]struct {
		change func(ns []payload.NATD, others []payload.Payload) []payload.Payload
		found  string // what a makes of it; "": it counts as a peer without NAT traversal
		why    string
	}{
		"as it should be": {func(ns []payload.NATD, os []payload.Payload) []payload.Payload { return keep(os, ns...) }, "none", ""},
		"none":            {func(ns []payload.NATD, os []payload.Payload) []payload.Payload { return os }, "", "sent 0 NAT-D payloads"},
		"one":             {func(ns []payload.NATD, os []payload.Payload) []payload.Payload { return keep(os, ns[0]) }, "", "sent 1 NAT-D payloads"},
		"by the number of the drafts": {func(ns []payload.NATD, os []payload.Payload) []payload.Payload {
			ns[0].Draft, ns[1].Draft = true, true
			return keep(os, ns...)
		}, "", "sent 0 NAT-D payloads"},
		"ahead of the others": {func(ns []payload.NATD, os []payload.Payload) []payload.Payload {
			return append(keep(nil, ns...), os...)
		}, "none", ""},
		"several sources, one of them": {func(ns []payload.NATD, os []payload.Payload) []payload.Payload {
			return keep(os, ns[0], other, ns[1], other)
		}, "none", ""},
		"several sources, none": {func(ns []payload.NATD, os []payload.Payload) []payload.Payload { return keep(os, ns[0], other, other) }, "responder", ""},
		"the two exchanged":     {func(ns []payload.NATD, os []payload.Payload) []payload.Payload { return keep(os, ns[1], ns[0]) }, "both", ""},
		"a hash that is cut": {func(ns []payload.NATD, os []payload.Payload) []payload.Payload {
			ns[1].Hash = ns[1].Hash[:16]
			return keep(os, ns...)
		}, "responder", ""},
		"empty ones": {func(_ []payload.NATD, os []payload.Payload) []payload.Payload {
			return keep(os, payload.NATD{}, payload.NATD{})
		}, "both", ""},
		"very many": {func(ns []payload.NATD, os []payload.Payload) []payload.Payload {
			os = keep(os, ns[0])
			for range 100 {
				os = keep(os, other)
			}
			return keep(os, ns[1])
		}, "responder", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaced(t, ike.NATPlacement{}, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
			p.edit(p.b, func(ps []payload.Payload) []payload.Payload { return c.change(ofNATD(ps)) })
			p.ask()
			p.run(time.Second)
			var n trace.Negotiation
			for _, one := range traced[trace.Negotiation](p.a) {
				if one.Exchange == "main mode" && one.State == "established" {
					n = one
				}
			}
			require.Equal(t, c.found, n.NAT.Found)
			require.Contains(t, n.NAT.Why, c.why)
			require.Equal(t, c.found == "", n.NAT.Dialect == "")
			if c.found == "none" || c.found == "" {
				require.Len(t, p.a.in, 1, "plain ESP")
				return
			}
			// The other side has found none, and refuses ESP in UDP.
			p.a.wantFailure("the two do not agree", "NO-PROPOSAL-CHOSEN", ike.CodePolicyMatch)
		})
	}
}

// Whoever answers sends NAT-D to nobody who has sent none.
func TestNoNATDForWhoSendsNone(t *testing.T) {
	p := newPlaced(t, ike.NATPlacement{Initiator: true}, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
	p.edit(p.a, func(ps []payload.Payload) []payload.Payload { _, others := ofNATD(ps); return others })
	p.ask()
	p.run(time.Second)
	for _, d := range p.sent {
		if d.Local.Addr() == p.b.addr {
			require.Empty(t, natPayloads(t, d))
		}
	}
	require.Zero(t, established(p.b)[0].Dialect)
	require.Zero(t, established(p.a)[0].Dialect)
}

// A side that is to count as behind a NAT does, for both: ESP goes in UDP without any.
func TestForce(t *testing.T) {
	for _, responder := range []bool{false, true} {
		for _, aggressive := range []bool{false, true} {
			p := newPlaced(t, ike.NATPlacement{}, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
			forced := p.a
			if responder {
				forced = p.b
			}
			forced.config.NAT.Force = true
			for _, h := range p.hosts {
				h.mainMode.Aggressive = aggressive
				h.reboot()
			}
			p.ask()
			p.run(time.Second)
			p.wantOneEnd("forced", false)
			for _, h := range p.hosts {
				require.Equal(t, ike.NATPlacement{Initiator: !responder, Responder: responder}, established(h)[0].NAT)
				require.Equal(t, ipsec.Encapsulation{Src: 4500, Dst: 4500}, oneSA(t, h.out).UDP)
				require.Equal(t, h == forced, len(h.alive) == 1)
			}
		}
	}
}

// A host that does not know with which of its addresses it sends names all of them (RFC 3947, Section 3.2).
func TestSeveralOwnAddresses(t *testing.T) {
	others := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("192.0.2.2")}
	for _, aggressive := range []bool{false, true} {
		p := newPlaced(t, ike.NATPlacement{}, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
		asked := 0
		p.a.config.NAT.Addresses = func(local netip.Addr) []netip.Addr {
			asked++
			require.Equal(t, netip.MustParseAddr("192.0.2.9"), local)
			return others
		}
		// What the host sends from 192.0.2.9 leaves with 203.0.113.1, and the other way round.
		inside := netip.MustParseAddr("192.0.2.9")
		p.translate = func(d ike.Datagram) ike.Datagram {
			if d.Local.Addr() == inside {
				d.Local = netip.AddrPortFrom(others[1], d.Local.Port())
			}
			return d
		}
		for _, h := range p.hosts {
			h.mainMode.Aggressive = aggressive
			h.reboot()
		}
		p.a.requests++
		p.a.mux.Request(p.now, ike.Request{ID: 1, Local: inside, Remote: p.b.addr, QuickMode: p.a.quickMode, Selector: ipsec.Selector{Src: ipsec.Host(inside), Dst: ipsec.Host(p.b.addr)}})
		p.a.drain()
		p.run(time.Second)
		require.Positive(t, asked)
		require.Equal(t, ike.NATPlacement{}, established(p.b)[0].NAT, "one of the hashes fits")
		require.Equal(t, ike.NATPlacement{}, established(p.a)[0].NAT)
		if !aggressive {
			require.Len(t, natPayloads(t, p.sent[2]), 5, "the peer's, and four of its own")
			require.Len(t, natPayloads(t, p.sent[3]), 2)
		}
	}
}
