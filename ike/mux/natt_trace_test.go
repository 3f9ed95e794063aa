package mux_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Both sides say in the trace which dialect they speak and why, behind whom they have found a NAT and by what,
// and which addresses it has changed.
func TestNATIsTraced(t *testing.T) {
	n, client, server, _ := newBehind(t, windowsNAT)
	client.request(server)
	n.run(time.Second)
	for _, h := range n.hosts {
		all := traced[trace.Negotiation](h)
		i := slices.IndexFunc(all, func(g trace.Negotiation) bool { return g.Exchange == "main mode" && g.State == "established" })
		newline := `draft-ietf-ipsec-nat-t-ike-02\n`
		require.Equal(t, trace.NATTraversal{
			Own: []string{newline}, Peer: []string{newline}, Dialect: newline, Found: "initiator",
			Explanation: map[*host][]string{
				client: {
					`both sides announce draft-ietf-ipsec-nat-t-ike-02\n, and nothing else`,
					"the peer's hash of our end is not of 192.168.1.2:500: this side is behind a NAT",
					"the peer's message came from 203.0.113.9:500, as it says: the peer is behind no NAT",
					"IKE and ESP in UDP go on port 4500",
					"this side sends keep-alives after 20s without traffic",
				},
				server: {
					`both sides announce draft-ietf-ipsec-nat-t-ike-02\n, and nothing else`,
					"the peer's hash of our end is of 203.0.113.9:500: this side is behind no NAT",
					"none of the peer's 1 hashes of its own end is of 198.51.100.1:20001, where its message came from: the peer is behind a NAT",
					"IKE and ESP in UDP go on port 4500",
				},
			}[h],
		}, all[i].NAT)
		i = slices.IndexFunc(all, func(g trace.Negotiation) bool { return g.Exchange == "quick mode" && g.State == "established" })
		require.Equal(t, map[*host][]string{
			client: {"addresses under the peer's checksums: source 203.0.113.9, destination unknown (the peer does not tell)"},
			server: {
				"192.168.1.2 is seen as 198.51.100.1",
				"addresses under the peer's checksums: source 192.168.1.2, destination 203.0.113.9 (the peer tells of 192.168.1.2, its own)",
			},
		}[h], all[i].NAT.Explanation)
	}
}

// Who does not announce anything, announces another version, or sends no NAT-D payloads is named, too.
func TestWhyThereIsNoTraversal(t *testing.T) {
	for name, c := range map[string]struct {
		one, other []ike.NATDialect
		want       []string
	}{
		"the peer has none":      {[]ike.NATDialect{ike.NATRFC3947}, nil, []string{"the peer announces no NAT traversal"}},
		"another version":        {[]ike.NATDialect{ike.NATRFC3947}, []ike.NATDialect{ike.NATDraft03}, []string{"no version is announced by both sides"}},
		"several, and no NAT":    {dialects, []ike.NATDialect{ike.NATDraft02, ike.NATDraft01}, []string{"draft-ietf-ipsec-nat-t-ike-02 is the latest that both sides announce"}},
		"there is none, if none": {nil, dialects, nil},
	} {
		p := newPlaced(t, ike.NATPlacement{}, anywhere(c.one...), anywhere(c.other...))
		p.ask()
		p.run(time.Second)
		all := traced[trace.Negotiation](p.a)
		i := slices.IndexFunc(all, func(g trace.Negotiation) bool { return g.Exchange == "main mode" && g.State == "established" })
		require.Subset(t, all[i].NAT.Explanation, c.want, name)
		require.Equal(t, c.want == nil, all[i].NAT.Explanation == nil, name)
	}
}
