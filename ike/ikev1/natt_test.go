package ikev1

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Identities of phase 1 name UDP port 500 or nothing (RFC 2407, Section 4.6.2). With NAT traversal "the port …
// MUST be set to 0" (RFC 3947, Section 4), which leaves the protocol open.
func TestPortOfIdentities(t *testing.T) {
	for _, c := range []struct {
		protocol    uint8
		port        uint16
		without, ok bool // with NAT traversal
	}{
		{0, 0, true, true}, {17, 500, true, true}, {17, 0, false, true}, {17, 4500, false, true},
		{17, 1701, false, false}, {0, 500, false, false}, {6, 4500, false, false}, {6, 0, false, false},
	} {
		for dialect, want := range map[ike.NATDialect]bool{0: c.without, ike.NATDraft02Newline: c.ok, ike.NATRFC3947: c.ok} {
			sa := &SA{claimed: payload.ID{IDType: payload.IDIPv4, Protocol: c.protocol, Port: c.port, Data: []byte{10, 0, 0, 1}}, natt: traversal{dialect: dialect}}
			err := sa.identified()
			require.Equal(t, want, err == nil, "%v, %v", c, dialect)
			if err != nil {
				require.Equal(t, payload.NotifyInvalidIDInformation, ike.NotifyOf(err))
			}
		}
	}
	require.Equal(t, payload.ID{IDType: payload.IDIPv4, Data: []byte{10, 0, 0, 1}}, ike.Identity{}.Payload(endpoint(1).Addr()), "ours have neither")
}

// acrossNAT is a quick mode that a responder at 10.0.0.2 has been offered by a peer that it sees at 198.51.100.1.
func acrossNAT(t *testing.T, where ike.NATPlacement, mode ipsec.Mode) *quick {
	i, _ := establish(t)
	sa := &SA{env: i.sa.env, local: endpoint(2), remote: netip.MustParseAddrPort("198.51.100.1:4500"), natt: traversal{dialect: ike.NATRFC3947, found: true, where: where}}
	p := i.quick.Proposals[0]
	p.Mode = mode
	offer, err := ike.OfferQuickMode(ike.QuickMode{Proposals: []ipsec.Proposal{p}, UDP: sa.encapsulation()}, 0, func(ipsec.Protocol) uint32 { return 0x1000 })
	require.NoError(t, err)
	return &quick{sa: sa, offer: offer}
}

// The addresses in the identities of a peer become those that are seen: where there is a NAT at that end, in transport
// mode, and of single addresses alone.
func TestIdentitiesAsSeen(t *testing.T) {
	prefix := netip.MustParsePrefix
	seen, private, other, subnet := prefix("198.51.100.1/32"), prefix("192.168.1.2/32"), prefix("203.0.113.9/32"), prefix("192.168.1.0/24")
	own := prefix("10.0.0.2/32")
	for _, c := range []struct {
		where       ike.NATPlacement
		mode        ipsec.Mode
		ours        netip.Prefix // as the peer names them
		theirs      netip.Prefix
		wantOurs    netip.Prefix
		wantTheirs  netip.Prefix
		differences int
	}{
		{ike.NATPlacement{Initiator: true}, ipsec.Transport, own, private, own, seen, 1},
		{ike.NATPlacement{Initiator: true}, ipsec.Transport, own, seen, own, seen, 0},
		{ike.NATPlacement{Initiator: true}, ipsec.Transport, other, private, other, seen, 1}, // ours is changed by nobody
		{ike.NATPlacement{Initiator: true}, ipsec.Transport, own, subnet, own, subnet, 0},
		{ike.NATPlacement{Initiator: true}, ipsec.Tunnel, own, private, own, private, 0},
		{ike.NATPlacement{Responder: true}, ipsec.Transport, other, private, own, private, 1},
		{ike.NATPlacement{Initiator: true, Responder: true}, ipsec.Transport, other, private, own, seen, 2},
		{ike.NATPlacement{Initiator: true, Responder: true}, ipsec.Tunnel, other, private, other, private, 0},
		{ike.NATPlacement{}, ipsec.Transport, other, private, other, private, 0},
	} {
		q := acrossNAT(t, c.where, c.mode)
		q.outbound = ipsec.Selector{Src: c.ours, Dst: c.theirs, Proto: ipsec.ProtoUDP, SrcPort: 1701, DstPort: 1701}
		q.see()
		require.Equal(t, ipsec.Selector{Src: c.wantOurs, Dst: c.wantTheirs, Proto: ipsec.ProtoUDP, SrcPort: 1701, DstPort: 1701}, q.outbound, "%v", c)
		require.Len(t, q.seen, c.differences)
	}
}

// NAT-OA payloads in either form, and what is wrong with others.
func TestReadOriginals(t *testing.T) {
	oa := func(draft bool, as ...string) (chain []payload.Item) {
		for _, a := range as {
			chain = append(chain, payload.Item{Payload: payload.NATOA{Draft: draft, Addr: netip.MustParseAddr(a)}})
		}
		return chain
	}
	first, second := netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("203.0.113.9")
	for name, c := range map[string]struct {
		chain     []payload.Item
		initiator bool
		want      original
		wrong     string
	}{
		"none":                       {nil, false, original{}, ""},
		"one, the sender's":          {oa(false, "192.168.1.2"), false, original{src: first}, ""},
		"one, of the responder":      {oa(false, "192.168.1.2"), true, original{src: first}, ""},
		"two, of the initiator":      {oa(false, "192.168.1.2", "203.0.113.9"), false, original{first, second}, ""},
		"two, of the responder":      {oa(false, "192.168.1.2", "203.0.113.9"), true, original{second, first}, ""},
		"three":                      {oa(false, "192.168.1.2", "192.168.1.2", "192.168.1.2"), false, original{}, "3 NAT-OA payloads"},
		"of IPv6":                    {oa(false, "2001:db8::1"), false, original{}, "of another family"},
		"by the number of the draft": {oa(true, "192.168.1.2"), false, original{}, ""},
	} {
		q := acrossNAT(t, ike.NATPlacement{Initiator: true}, ipsec.Transport)
		q.initiator = c.initiator
		err := q.readOriginals(&message{chain: c.chain})
		if c.wrong != "" {
			require.ErrorContains(t, err, c.wrong, name)
			require.Equal(t, ike.CodeNATOA, ike.CodeOf(err))
			require.Equal(t, payload.NotifyPayloadMalformed, ike.NotifyOf(err))
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.want, q.told, name)
		q.sa.natt = traversal{}
		q.told = original{}
		require.NoError(t, q.readOriginals(&message{chain: c.chain}))
		require.Equal(t, original{}, q.told, "without traversal they mean nothing")
	}
}

// NAT-D payloads stand behind KE, nonce and what the method has there, as the token of a GSS-API mechanism.
func TestNATDStandsBehindTheOthers(t *testing.T) {
	i, r, _, _ := byGSS(t)
	for _, s := range []*side{i, r} {
		s.config.NAT = ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATDraft02Newline}}
	}
	beginWith(i, r)
	i.give(r.take())
	names := func(b []byte) (all []string) {
		h, err := payload.ParseHeader(b)
		require.NoError(t, err)
		chain, _, err := payload.Parse(h.Next, b[payload.HeaderLen:])
		require.NoError(t, err)
		for _, item := range chain {
			all = append(all, item.Payload.Type().String())
		}
		return all
	}
	three := i.take()
	require.Equal(t, []string{"Key Exchange", "Nonce", "GSS-API Token", "NAT-D (draft)", "NAT-D (draft)"}, names(three))
	r.give(three)
	four := r.take()
	require.Equal(t, names(three), names(four))
	i.give(four)
	r.give(i.take())
	i.give(r.take())
	for _, s := range []*side{i, r} {
		require.True(t, s.sa.Established())
		require.Equal(t, ike.NATDraft02Newline, s.sa.Dialect())
		require.True(t, s.sa.Unshared())
	}
}
