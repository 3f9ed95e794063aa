package mux_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// natOA are the addresses in the NAT-OA payloads that a host has sent, by the message of the quick mode.
func natOA(h *host) map[int][]string {
	all := map[int][]string{}
	for _, m := range traced[trace.IKEMessage](h) {
		for _, f := range m.Payloads {
			if m.Sent && (f.Name == "NAT-OA" || f.Name == "NAT-OA (draft)") {
				all[m.Number] = append(all[m.Number], f.Name+" "+f.Value)
			}
		}
	}
	return all
}

// What NAT-OA payloads are sent, by dialect and setting, and what each side then knows of the addresses under
// the other's checksums. RFC 3947, Section 5.2, example 2: NATs before both.
func TestOriginalAddresses(t *testing.T) {
	const i, r, nat1, nat2 = "192.168.1.2", "10.0.0.2", "198.51.100.1", "198.51.100.2"
	both := ike.NATPlacement{Initiator: true, Responder: true}
	for name, c := range map[string]struct {
		where      ike.NATPlacement
		nat        ike.NATTraversal
		one, other []string // sent by the initiator, by the responder
		b, a       [2]string
	}{
		"RFC 3947": {both, ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947}},
			[]string{"NAT-OA " + i, "NAT-OA " + nat2}, []string{"NAT-OA " + nat1, "NAT-OA " + r}, [2]string{i, nat2}, [2]string{r, nat1}},
		"a draft": {both, ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATDraft02Newline}},
			[]string{"NAT-OA (draft) " + i}, []string{"NAT-OA (draft) " + r}, [2]string{i, ""}, [2]string{r, ""}},
		"a draft with the payloads of the RFC": {both, ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATDraft02Newline}, BothOriginals: true},
			[]string{"NAT-OA (draft) " + i, "NAT-OA (draft) " + nat2}, []string{"NAT-OA (draft) " + nat1, "NAT-OA (draft) " + r}, [2]string{i, nat2}, [2]string{r, nat1}},
		"Windows, both behind": {both, windowsNAT, []string{"NAT-OA (draft) " + i}, []string{"NAT-OA (draft) " + r}, [2]string{i, ""}, [2]string{r, ""}},
		"Windows, the initiator behind": {ike.NATPlacement{Initiator: true}, windowsNAT,
			[]string{"NAT-OA (draft) " + i}, nil, [2]string{i, "203.0.113.2"}, [2]string{"203.0.113.2", ""}},
		"Windows, the responder behind": {ike.NATPlacement{Responder: true}, windowsNAT,
			nil, []string{"NAT-OA (draft) " + r}, [2]string{"203.0.113.1", ""}, [2]string{r, "203.0.113.1"}},
		"nobody tells": {both, ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947}, Originals: ike.OriginalsNever}, nil, nil, [2]string{}, [2]string{}},
		"nobody tells, and half of it is known": {ike.NATPlacement{Initiator: true}, ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947}, Originals: ike.OriginalsNever},
			nil, nil, [2]string{"", "203.0.113.2"}, [2]string{"203.0.113.2", ""}},
	} {
		c.nat.Responder = ike.AssumeBoth
		p := newPlaced(t, c.where, c.nat, c.nat)
		p.ask()
		p.run(time.Second)
		p.wantOneEnd(name, false)
		require.Equal(t, c.one, natOA(p.a)[1], name)
		require.Equal(t, c.other, natOA(p.b)[2], name)
		show := func(a netip.Addr) string {
			if !a.IsValid() {
				return ""
			}
			return a.String()
		}
		in := oneSA(t, p.b.in)
		require.Equal(t, c.b, [2]string{show(in.OriginalSrc), show(in.OriginalDst)}, "%s: as the responder knows", name)
		in = oneSA(t, p.a.in)
		require.Equal(t, c.a, [2]string{show(in.OriginalSrc), show(in.OriginalDst)}, "%s: as the initiator knows", name)
	}
}

// Tunnels need no original addresses, and keep the identities as they are (RFC 3947, Section 5.2).
func TestTunnelAcrossNAT(t *testing.T) {
	for _, dialect := range []ike.NATDialect{ike.NATDraft02Newline, ike.NATRFC3947} {
		p := newPlaced(t, ike.NATPlacement{Initiator: true, Responder: true}, anywhere(dialect), anywhere(dialect))
		for _, h := range p.hosts {
			h.quickMode.Proposals[0].Mode = ipsec.Tunnel
		}
		one, other := netip.MustParsePrefix("172.16.1.0/24"), netip.MustParsePrefix("172.16.2.7/32")
		p.a.requests++
		p.a.mux.Request(p.now, ike.Request{ID: 1, Local: p.a.addr, Remote: p.target, QuickMode: p.a.quickMode, Selector: ipsec.Selector{Src: one, Dst: other}})
		p.a.drain()
		p.run(time.Second)
		p.wantOneEnd("a tunnel", false)
		in := oneSA(t, p.b.in)
		require.Equal(t, ipsec.Selector{Src: one, Dst: other}, in.Selector)
		require.True(t, in.UDP.On())
		require.False(t, in.OriginalSrc.IsValid())
		require.Empty(t, natOA(p.a))
		require.Empty(t, natOA(p.b))
	}
}

// asked is a policy that notes what it is asked about.
type asked struct {
	*host
	remotes   []netip.Addr
	selectors []ipsec.Selector
}

func (a *asked) QuickMode(remote netip.Addr, s ipsec.Selector) (ike.QuickMode, bool) {
	a.remotes, a.selectors = append(a.remotes, remote), append(a.selectors, s)
	return a.host.QuickMode(remote, s)
}

// In transport mode policy is asked about the addresses that this side sees, whichever the peer names; ports and protocol stay.
func TestPolicySeesTheAddressesThatAreSeen(t *testing.T) {
	for _, where := range placements() {
		p := newPlaced(t, where, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
		policy := &asked{host: p.b}
		p.b.config.Policy = policy
		p.b.reboot()
		from := p.a.addr
		if where.Initiator {
			from = p.boxes[0].outside
		}
		s := ipsec.Selector{Src: ipsec.Host(p.a.addr), Dst: ipsec.Host(p.target), Proto: ipsec.ProtoTCP, SrcPort: 1025, DstPort: 80}
		p.a.requests++
		p.a.mux.Request(p.now, ike.Request{ID: 1, Local: p.a.addr, Remote: p.target, QuickMode: p.a.quickMode, Selector: s})
		p.a.drain()
		p.run(time.Second)
		require.Empty(t, p.a.failed, where)
		want := ipsec.Selector{Src: ipsec.Host(p.b.addr), Dst: ipsec.Host(from), Proto: ipsec.ProtoTCP, SrcPort: 80, DstPort: 1025}
		require.Equal(t, []ipsec.Selector{want}, policy.selectors, where)
		require.Equal(t, []netip.Addr{from}, policy.remotes, where)
		require.Equal(t, want, oneSA(t, p.b.out).Selector, where)
		require.Equal(t, s, oneSA(t, p.a.out).Selector, where)
	}
}

// AH does not cross a NAT: a rule that has nothing else says so, at either side, and an offer loses it.
func TestNoAHAcrossNAT(t *testing.T) {
	const why = "AH covers the addresses, which a NAT changes"
	for name, ps := range map[string][]ipsec.Proposal{"AH": {proposal(ahSHA1)}, "AH around ESP": {bundled()}} {
		for _, where := range placements() {
			sentence := fmt.Sprintf("%s, %v", name, where)
			p := newPlaced(t, where, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
			p.a.quickMode.Proposals, p.b.quickMode.Proposals = ps, ps
			p.ask()
			p.run(time.Second)
			if !where.Any() {
				require.Empty(t, p.a.failed, sentence)
				require.Len(t, p.a.in, len(ps[0].Transforms), sentence)
				continue
			}
			p.a.wantFailure(sentence, why, ike.CodeNoPolicy)
			require.Len(t, established(p.a), 1, "the main mode is of use for others")

			// A rule that has ESP, too.
			p.a.failed = nil
			p.a.quickMode.Proposals = append(ps[:1:1], proposal(des3))
			p.b.quickMode.Proposals = p.a.quickMode.Proposals
			p.ask()
			p.run(2 * time.Second)
			require.Empty(t, p.a.failed, sentence)
			require.Equal(t, ipsec.ESP, oneSA(t, p.a.in).Protocol, sentence)
		}
	}
}

// A responder that is offered AH across a NAT, by an initiator that has been kept from finding it, says why not.
func TestAHIsRefusedAcrossNAT(t *testing.T) {
	p := newPlaced(t, ike.NATPlacement{Initiator: true}, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
	for _, h := range p.hosts {
		h.quickMode.Proposals = []ipsec.Proposal{proposal(ahSHA1)}
	}
	forger := &natForger{p: p}
	p.rewrite = forger.message4
	p.ask()
	p.run(time.Second)
	require.True(t, forger.done)
	p.a.wantFailure("refused", "NO-PROPOSAL-CHOSEN", ike.CodePolicyMatch)
	var n trace.Negotiation
	for _, one := range traced[trace.Negotiation](p.b) {
		if one.Exchange == "quick mode" && one.State == "failed" {
			n = one
		}
	}
	require.Contains(t, n.Reason, "AH covers the addresses, which a NAT changes")
	require.Contains(t, n.Offered[0].Reason, "AH covers the addresses, which a NAT changes")
}

// natForger has the initiator believe that there is no NAT: with the cookies, the hashes are easily made.
type natForger struct {
	p    *placed
	done bool
}

func (f *natForger) message4(d ike.Datagram) []byte {
	h, err := payload.ParseHeader(d.Payload)
	require.NoError(f.p.t, err)
	if h.Next != payload.TypeKE || d.Local.Addr() != f.p.b.addr {
		return d.Payload
	}
	chain, _, err := payload.Parse(h.Next, d.Payload[payload.HeaderLen:])
	require.NoError(f.p.t, err)
	var ps []payload.Payload
	for _, item := range chain {
		ps = append(ps, item.Payload)
	}
	_, ps = ofNATD(ps)
	c := ike.Cookies{Initiator: h.CookieI, Responder: h.CookieR}
	for _, at := range []netip.AddrPort{netip.AddrPortFrom(f.p.a.addr, 500), netip.AddrPortFrom(f.p.b.addr, 500)} {
		ps = append(ps, payload.NATD{Hash: ike.NATHash(suite.HashNamed("sha1"), c, at)})
	}
	f.done = true
	b := payload.Append(h.Append(nil), ps...)
	payload.SetLength(b)
	return b
}

// AssumeUDPEncapsulationContextOnSendRule at an initiator, for each placement; what a responder has of it says nothing.
// Claim C182.
func TestAssumeUDPEncapsulation(t *testing.T) {
	for value := ike.RefuseBehindNAT; value <= ike.AssumeBoth; value++ {
		for _, where := range placements() {
			for _, aggressive := range []bool{false, true} {
				name := fmt.Sprintf("%d, %v, aggressive %v", value, where, aggressive)
				nat := windowsNAT
				nat.Responder = value
				p := newPlaced(t, where, nat, windowsNAT)
				for _, h := range p.hosts {
					h.mainMode.Aggressive = aggressive
				}
				p.ask()
				p.run(200 * time.Second)
				p.wantOneEnd(name, false)
				refused := where.Responder && (value == 0 || value == 1 && where.Initiator)
				if !refused {
					require.Empty(t, p.a.failed, name)
					require.Len(t, p.a.in, 1, name)
					continue
				}
				p.a.wantFailure(name, fmt.Sprintf("AssumeUDPEncapsulationContextOnSendRule is %d here", value), ike.CodeProcessing)
				p.a.wantFailure(name, where.String(), ike.CodeProcessing)
				require.Empty(t, p.a.mux.MainModes(), name)
				require.Empty(t, p.a.alive, name)
				require.Empty(t, p.b.alive, name)
			}
		}
	}
}

// Which form of ESP a responder takes where the two sides see different things.
func TestSidesThatSeeDifferentThings(t *testing.T) {
	for _, either := range []bool{false, true} {
		nat := anywhere(ike.NATRFC3947)
		nat.AcceptEither = either
		p := newPlaced(t, ike.NATPlacement{Initiator: true}, nat, nat)
		p.rewrite = (&natForger{p: p}).message4
		p.ask()
		p.run(time.Second)
		if !either {
			p.a.wantFailure("plain ESP, and a NAT", "NO-PROPOSAL-CHOSEN", ike.CodePolicyMatch)
			continue
		}
		// The initiator names its own address, and the responder sees another one: transport mode for somebody else.
		p.a.wantFailure("plain ESP between other addresses", "INVALID-ID-INFORMATION", ike.CodeIDPayload)
		p.a.failed = nil
		for _, h := range p.hosts {
			h.quickMode.Proposals[0].Mode = ipsec.Tunnel
		}
		p.ask()
		p.run(2 * time.Second)
		require.Empty(t, p.a.failed)
		require.False(t, oneSA(t, p.b.in).UDP.On(), "a tunnel without UDP may cross a NAT that passes ESP")
	}
}

// A host without NAT traversal sends the same bytes, whatever its peer speaks and sends.
func TestNothingIsDoneWithout(t *testing.T) {
	run := func(peer ike.NATTraversal, extra []byte) (sent [][]byte) {
		n, a, b := newPair(t)
		b.config.NAT = peer
		if extra != nil {
			b.config.VendorIDs = [][]byte{extra}
		}
		b.reboot()
		a.request(b)
		n.run(time.Second)
		n.wantPairs("a pair", 1)
		for i, d := range n.sent {
			if d.Local.Addr() == a.addr && i < 4 {
				require.Equal(t, uint16(500), d.Local.Port())
				sent = append(sent, d.Payload)
			}
		}
		for _, x := range traced[trace.Negotiation](a) {
			require.Zero(t, x.NAT)
		}
		require.Empty(t, a.alive)
		return sent
	}
	want := run(ike.NATTraversal{}, nil)
	require.Equal(t, want, run(anywhere(dialects...), nil))
	require.Equal(t, want, run(ike.NATTraversal{}, ike.NATRFC3947.VendorID()))
}
