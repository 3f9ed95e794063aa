package mux_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/mux"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

var dialects = []ike.NATDialect{ike.NATDraft00, ike.NATDraft01, ike.NATDraft02, ike.NATDraft02Newline, ike.NATDraft03, ike.NATRFC3947}

// placed is two hosts with NATs before them.
type placed struct {
	*network
	a, b   *host // initiator, responder
	where  ike.NATPlacement
	target netip.Addr // of b, for a
}

// newPlaced puts NATs before two hosts; that of the responder publishes its ports.
func newPlaced(t testing.TB, where ike.NATPlacement, one, other ike.NATTraversal) *placed {
	n := newNetwork(t)
	p := &placed{network: n, where: where}
	from, to := "203.0.113.1", "203.0.113.2"
	if where.Initiator {
		from = "192.168.1.2"
	}
	if where.Responder {
		to = "10.0.0.2"
	}
	p.a, p.b = n.add("a", from, 1), n.add("b", to, 2)
	p.target = p.b.addr
	if where.Initiator {
		n.newBox("198.51.100.1", p.a)
	}
	if where.Responder {
		n.newBox("198.51.100.2", p.b).publish(p.b, 500, 4500)
		p.target = netip.MustParseAddr("198.51.100.2")
	}
	p.a.config.NAT, p.b.config.NAT = one, other
	for _, h := range n.hosts {
		h.reboot()
	}
	return p
}

// ask has the initiator ask for SAs with the responder, by the address that it knows.
func (p *placed) ask() uint64 { return p.a.requestTo(p.target) }

// requestTo asks for SAs for all traffic with an address.
func (h *host) requestTo(to netip.Addr) uint64 {
	h.requests++
	h.mux.Request(h.n.now, ike.Request{
		ID: h.requests, Local: h.addr, Remote: to, Selector: ipsec.Selector{Src: ipsec.Host(h.addr), Dst: ipsec.Host(to)}, QuickMode: h.quickMode,
	})
	h.drain()
	return h.requests
}

func placements() (ps []ike.NATPlacement) {
	for _, i := range []bool{false, true} {
		for _, r := range []bool{false, true} {
			ps = append(ps, ike.NATPlacement{Initiator: i, Responder: r})
		}
	}
	return ps
}

// anywhere is NAT traversal that accepts each placement.
func anywhere(ds ...ike.NATDialect) ike.NATTraversal {
	return ike.NATTraversal{Dialects: ds, Responder: ike.AssumeBoth}
}

// natPayloads are the types of NAT-D payloads in a message in the clear.
func natPayloads(t testing.TB, d ike.Datagram) (types []payload.Type) {
	h, err := payload.ParseHeader(d.Payload)
	require.NoError(t, err)
	if h.Flags&payload.Encrypted != 0 {
		return nil
	}
	chain, _, err := payload.Split(h.Next, d.Payload[payload.HeaderLen:])
	require.NoError(t, err)
	for _, item := range chain {
		switch ty := item.Payload.Type(); ty {
		case payload.TypeNATD, payload.TypeNATDDraft:
			types = append(types, ty)
		}
	}
	return types
}

// Each placement of NATs, with each dialect, in each mode with each method: what is found, where the
// messages go, and how ESP goes.
func TestPlacementsDialectsMethods(t *testing.T) {
	for _, where := range placements() {
		for _, dialect := range dialects {
			for _, aggressive := range []bool{false, true} {
				for _, method := range methods {
					name := fmt.Sprintf("%v, %v, aggressive %v, %v", where, dialect, aggressive, method)
					p := newPlaced(t, where, anywhere(dialect), anywhere(dialect))
					p.authenticate(method, false, method != ike.PreSharedKey)
					for _, h := range p.hosts {
						h.mainMode.Aggressive = aggressive
						h.mainMode.Proposals = []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 1}}
					}
					if h := p.a; h.wallet != nil {
						h.wallet.peers[p.target] = "b"
						p.b.wallet.peers[netip.MustParseAddr("198.51.100.1")] = "a"
					}
					p.ask()
					p.run(time.Second)
					require.Empty(t, p.a.failed, name)
					p.wantOneEnd(name, false)
					p.wantTraversal(name, dialect, aggressive)
				}
			}
		}
	}
}

// wantTraversal expects one pair, and all that goes with the NATs that there are.
func (p *placed) wantTraversal(name string, dialect ike.NATDialect, aggressive bool) {
	t := p.t
	t.Helper()
	require.Len(t, p.a.in, 1, name)
	require.Len(t, p.b.in, 1, name)
	for _, h := range p.hosts {
		ms := slices.DeleteFunc(h.mux.MainModes(), func(m mux.MainModeInfo) bool { return !m.Established })
		require.Len(t, ms, 1, name)
		require.Equal(t, dialect, ms[0].Dialect, name)
		require.Equal(t, p.where, ms[0].NAT, "%s: as %s sees it", name, h.name)
	}
	floats := p.where.Any() && dialect.Floats()
	first := 5
	if aggressive {
		first = 3
	}
	for i, d := range p.sent {
		want := uint16(500)
		if floats && i+1 >= first {
			want = 4500
		}
		require.Equal(t, want, d.Local.Port(), "%s: message %d", name, i+1)
	}
	natd := payload.TypeNATD
	if dialect.Draft() {
		natd = payload.TypeNATDDraft
	}
	with := []int{3, 4}
	if aggressive {
		with = []int{2} // message 3 is encrypted
	}
	for i, d := range p.sent {
		var want []payload.Type
		if slices.Contains(with, i+1) {
			want = []payload.Type{natd, natd}
		}
		require.Equal(t, want, natPayloads(t, d), "%s: message %d", name, i+1)
	}
	for _, h := range p.hosts {
		out := oneSA(t, h.out)
		require.Equal(t, p.where.Any(), out.UDP.On(), name)
		if out.UDP.On() {
			require.Equal(t, !dialect.Floats(), out.UDP.NonIKE, name)
			require.Equal(t, h.addr, out.OriginalSrc, name)
			require.Equal(t, out.Dst, out.OriginalDst, name)
		}
		behind := h == p.a && p.where.Initiator || h == p.b && p.where.Responder
		require.Equal(t, behind, len(h.alive) == 1, "%s: %s sends keep-alives if it is behind a NAT", name, h.name)
	}
	if in := oneSA(t, p.b.in); in.UDP.On() {
		dst := p.b.addr
		if p.where.Responder {
			dst = netip.Addr{} // the drafts have the sender's address alone
			if !dialect.Draft() {
				dst = p.target
			}
		}
		require.Equal(t, []netip.Addr{p.a.addr, dst}, []netip.Addr{in.OriginalSrc, in.OriginalDst}, name)
	}
}

// Each pair of dialects, with one side speaking others too: the latest that both speak, or none.
func TestDialectPairs(t *testing.T) {
	where := ike.NATPlacement{Initiator: true}
	subsets := [][]ike.NATDialect{{}}
	for _, d := range dialects {
		subsets = append(subsets, []ike.NATDialect{d})
	}
	subsets = append(subsets, []ike.NATDialect{ike.NATRFC3947, ike.NATDraft02Newline, ike.NATDraft00}, []ike.NATDialect{ike.NATDraft00, ike.NATDraft03}, dialects)
	for _, one := range subsets {
		for _, other := range subsets {
			name := fmt.Sprintf("%v with %v", one, other)
			want := anywhere(one...).Choose(other)
			require.Equal(t, want, anywhere(other...).Choose(one), name)
			p := newPlaced(t, where, anywhere(one...), anywhere(other...))
			p.ask()
			p.run(time.Second)
			if want == 0 {
				// Without traversal the responder sees a quick mode for addresses that are not the two peers.
				require.Len(t, p.a.failed, 1, name)
				require.Equal(t, uint16(500), p.sent[len(p.sent)-1].Local.Port(), name)
				for _, d := range p.sent {
					require.Empty(t, natPayloads(t, d), name)
				}
				continue
			}
			require.Empty(t, p.a.failed, name)
			p.wantTraversal(name, want, false)
		}
	}
}
