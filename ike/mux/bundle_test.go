package mux_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

var ahSHA1 = ipsec.Transform{Protocol: ipsec.AH, Auth: "hmac-sha1-96"}

// bundled is ESP inside AH.
func bundled() ipsec.Proposal {
	p := proposal(des3)
	p.Transforms = append(p.Transforms, ahSHA1)
	return p
}

// newBundle is two hosts that agree on AH and ESP together.
func newBundle(t testing.TB) (n *network, a, b *host) {
	n, a, b = newPair(t)
	for _, h := range n.hosts {
		h.quickMode.Proposals = []ipsec.Proposal{bundled()}
	}
	return n, a, b
}

// AH and ESP in one offer are one proposal number, one exchange and four SAs.
func TestBundle(t *testing.T) {
	n, a, b := newBundle(t)
	a.request(b)
	n.run(time.Second)
	n.wantPairs("a pair of each protocol", 2)
	require.Len(t, n.sent, 9)

	m := last(b, "quick mode", 1)
	sa := m.Payloads[1].Fields
	var names, protocols []string
	for _, f := range sa[2:] {
		names = append(names, f.Name)
		protocols = append(protocols, f.Fields[0].Value)
	}
	require.Equal(t, []string{"Proposal 1", "Proposal 1"}, names, "one number: both are asked for together")
	require.Equal(t, []string{"PROTO_IPSEC_AH", "PROTO_IPSEC_ESP"}, protocols)

	for _, h := range n.hosts {
		e := first[ike.EventSAs](h)
		require.Len(t, e.In, 2)
		for _, sas := range [][]ipsec.SAParams{e.In, e.Out} {
			require.Equal(t, ipsec.ESP, sas[0].Protocol, "the innermost comes first")
			require.Zero(t, sas[0].Inner)
			require.Equal(t, ipsec.AH, sas[1].Protocol)
			require.Equal(t, sas[0].SPI, sas[1].Inner, "AH goes around the ESP SA of its direction")
			require.NotEqual(t, sas[0].AuthKey, sas[1].AuthKey, "each protocol has keys of its own, though the SPIs are equal numbers")
			require.Equal(t, sas[0].SPI, sas[1].SPI, "the two protocols number their SPIs apart")
		}
		require.Equal(t, "ESP[3des-cbc,hmac-sha1-96]+AH[hmac-sha1-96]:3600s/100000kB", traced[trace.Negotiation](h)[3].Chosen)
	}
	require.Len(t, first[ike.EventInbound](b).In, 2, "the responder takes both from message 2 on")
}

// What the initiator prefers is taken as a whole, and SPIs of what is not taken are given back.
func TestAlternativesOfProtocols(t *testing.T) {
	esp, ah, both := proposal(des3), proposal(ahSHA1), bundled()
	for _, row := range []struct {
		name         string
		offer, own   []ipsec.Proposal
		want         ipsec.Proposal
		alternatives int // proposal payloads in the offer
	}{
		{"bundle first", []ipsec.Proposal{both, esp, ah}, []ipsec.Proposal{ah, esp, both}, both, 4},
		{"bundle unknown to the responder", []ipsec.Proposal{both, esp, ah}, []ipsec.Proposal{ah, esp}, esp, 4},
		{"AH alone", []ipsec.Proposal{esp, both, ah}, []ipsec.Proposal{ah}, ah, 4},
		{"bundle last", []ipsec.Proposal{esp, ah, both}, []ipsec.Proposal{both}, both, 4},
		{"one proposal for transforms in a row", []ipsec.Proposal{proposal(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}), esp, ah}, []ipsec.Proposal{esp}, esp, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, a, b := newPair(t)
			a.quickMode.Proposals, b.quickMode.Proposals = row.offer, row.own
			a.request(b)
			n.run(time.Second)
			n.wantPairs("the alternative is taken as a whole", len(row.want.Transforms))
			require.Equal(t, row.want.String(), traced[trace.Negotiation](b)[3].Chosen)
			require.Len(t, last(b, "quick mode", 1).Payloads[1].Fields[2:], row.alternatives)
		})
	}
}

func TestBundleRefused(t *testing.T) {
	n, a, b := newBundle(t)
	b.quickMode.Proposals = []ipsec.Proposal{proposal(des3), proposal(ahSHA1)}
	a.request(b)
	n.run(time.Second)
	n.wantPairs("each of the two alone is not both together", 0)
	a.wantFailure("the responder has no bundle", "NO-PROPOSAL-CHOSEN", ike.CodePolicyMatch)
	require.Contains(t, traced[trace.Negotiation](b)[3].Reason, "peer offers ESP[3des-cbc,hmac-sha1-96]+AH[hmac-sha1-96]:3600s/100000kB")
}

// In tunnel mode and with PFS, and for IPv6.
func TestBundleInTunnelMode(t *testing.T) {
	n := newNetwork(t)
	a, b := n.add("a", "2001:db8::1", 1), n.add("b", "2001:db8::2", 2)
	for _, h := range n.hosts {
		p := bundled()
		p.Mode = ipsec.Tunnel
		h.quickMode.Proposals, h.quickMode.PFS = []ipsec.Proposal{p}, true
	}
	a.requestFor(b, ipsec.Selector{})
	n.run(time.Second)
	n.wantPairs("both protocols", 2)
	for _, sa := range a.out {
		require.Equal(t, ipsec.Tunnel, sa.Mode)
	}
}

// A responder's shorter lifetime is told for each protocol and holds for the whole bundle.
func TestBundleLifetime(t *testing.T) {
	n, a, b := newBundle(t)
	short := bundled()
	short.Lifetime = ipsec.Lifetime{Duration: time.Minute, Kilobytes: 7}
	b.quickMode.Proposals = []ipsec.Proposal{short}
	a.request(b)
	n.run(time.Second)
	n.wantPairs("a bundle", 2)
	for _, h := range n.hosts {
		for _, sa := range h.in {
			require.Equal(t, short.Lifetime, sa.Lifetime)
		}
	}
	var told []string
	for _, f := range last(a, "quick mode", 2).Payloads {
		if f.Value == "RESPONDER-LIFETIME" {
			told = append(told, field(f.Fields, "Protocol-ID"))
		}
	}
	require.Equal(t, []string{"PROTO_IPSEC_ESP", "PROTO_IPSEC_AH"}, told)
}

// A Delete of either half ends the bundle at the peer; the Delete of the other half then finds nothing.
func TestBundleIsDeletedAsAWhole(t *testing.T) {
	for _, half := range []ipsec.Protocol{ipsec.ESP, ipsec.AH} {
		n, a, b := newBundle(t)
		a.request(b)
		a.request(b)
		n.run(time.Second)
		n.wantPairs("two bundles", 4)
		spi := a.firstSPI + 1
		order := []ipsec.Protocol{half, ipsec.ESP + ipsec.AH - half}
		for i, p := range order {
			id := said{p, spi}
			delete(a.out, said{p, a.in[id].PeerSPI})
			delete(a.in, id)
			delete(a.allocated, id)
			a.mux.DeleteSAs(n.now, b.addr, p, []uint32{spi})
			a.drain()
			n.run(time.Duration(2+i) * time.Second)
			require.Len(t, b.in, 2, "%v: one bundle is left", p)
			require.Equal(t, 2, count[ike.EventDeleteSAs](b), "one event for each protocol")
		}
		n.wantPairs("the other bundle", 2)
	}
}

// A responder that never sees message 3 deletes both of its SAs at the initiator.
func TestBundleWithoutMessage3(t *testing.T) {
	n, a, b := newBundle(t)
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if exchangeOf(d) == payload.QuickMode && len(d.Payload) < 100 {
			return nil
		}
		return []time.Duration{n.latency}
	}
	a.request(b)
	n.run(time.Second)
	require.Len(t, a.in, 2)
	require.Len(t, b.early, 2)
	n.run(3 * time.Minute)
	n.wantPairs("nothing is left of the bundle", 0)
	require.Equal(t, 2, count[ike.EventInboundGone](b), "one for each protocol")
	require.Equal(t, 2, count[ike.EventDeleteSAs](a))
}

func TestInitialContactEndsBundles(t *testing.T) {
	n, a, b := newBundle(t)
	a.request(b)
	n.run(time.Second)
	b.reboot()
	b.request(a)
	n.run(2 * time.Second)
	n.wantPairs("the restarted peer's bundle is the only one", 2)
}
