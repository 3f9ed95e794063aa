package mux_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// outside is the one address that two computers have behind a translator.
var outside = netip.MustParseAddr("203.0.113.1")

// newShared is a server, and two computers that it sees under one address: with a port
// for each, or both with port 500, as translators do it that tell IKE apart by the
// initiator's cookie.
func newShared(t testing.TB, ports bool) (n *network, server, one, two *host) {
	n = newNetwork(t)
	server, one, two = n.add("server", "203.0.113.9", 1), n.add("one", "10.0.0.1", 2), n.add("two", "10.0.0.2", 3)
	for _, h := range n.hosts { // transport mode needs what is in quick mode for translators, which is not spoken
		h.quickMode.Proposals[0].Mode = ipsec.Tunnel
	}
	inner := map[payload.Cookie]netip.AddrPort{} // by the initiator's cookie
	n.translate = func(d ike.Datagram) ike.Datagram {
		port := func(h *host) uint16 {
			if ports {
				return 1000 + uint16(h.addr.AsSlice()[3])
			}
			return 500
		}
		for _, h := range []*host{one, two} {
			switch {
			case d.Local.Addr() == h.addr:
				inner[payload.Cookie(d.Payload[:8])] = d.Local
				d.Local = netip.AddrPortFrom(outside, port(h))
			case d.Remote == netip.AddrPortFrom(outside, port(h)) && inner[payload.Cookie(d.Payload[:8])].Addr() == h.addr:
				d.Remote = netip.AddrPortFrom(h.addr, 500)
			}
		}
		return d
	}
	return n, server, one, two
}

func eachTranslator(t *testing.T, f func(t *testing.T, n *network, server, one, two *host)) {
	for name, build := range map[string]func(testing.TB) (n *network, server, one, two *host){
		"ports":   func(t testing.TB) (n *network, server, one, two *host) { return newShared(t, true) },
		"cookies": func(t testing.TB) (n *network, server, one, two *host) { return newShared(t, false) },
		"NAT traversal": func(t testing.TB) (n *network, server, one, two *host) {
			n, server, one, two = newSharedNAT(t)
			for _, h := range n.hosts {
				h.quickMode.Proposals[0].Mode = ipsec.Tunnel
			}
			return n, server, one, two
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, server, one, two := build(t)
			one.request(server)
			n.run(time.Second)
			two.request(server)
			n.run(2 * time.Second)
			require.Len(t, server.in, 2)
			f(t, n, server, one, two)
		})
	}
}

// of are the server's pairs with a computer: inbound SPIs by the first byte of the computer's.
func pairsOf(server, h *host) (spis []uint32) {
	for _, out := range server.out {
		if out.SPI>>24 == h.firstSPI>>24 {
			spis = append(spis, out.PeerSPI)
		}
	}
	return spis
}

// RFC 2407, Section 4.6.3.3: a computer that starts anew has no SA left. Its neighbour has.
func TestInitialContactBehindOneAddress(t *testing.T) {
	eachTranslator(t, func(t *testing.T, n *network, server, one, two *host) {
		old, others := pairsOf(server, one), pairsOf(server, two)
		one.reboot()
		one.request(server)
		n.run(3 * time.Second)
		require.Equal(t, others, pairsOf(server, two), "the neighbour keeps its pair")
		require.Len(t, pairsOf(server, one), 1)
		require.NotEqual(t, old, pairsOf(server, one))
		require.Len(t, server.mux.MainModes(), 2, "and its main mode")
		require.Equal(t, 1, count[ike.EventDeleteSAs](server))
		before := len(n.sent)
		two.request(server)
		n.run(4 * time.Second)
		require.Len(t, n.sent[before:], 3, "which serves on")
	})
}

// A computer cannot delete SAs of its neighbour.
func TestDeleteBehindOneAddress(t *testing.T) {
	eachTranslator(t, func(t *testing.T, n *network, server, one, two *host) {
		for _, in := range two.in {
			one.mux.DeleteSAs(n.now, server.addr, ipsec.ESP, []uint32{in.SPI})
		}
		one.drain()
		n.run(3 * time.Second)
		require.Len(t, pairsOf(server, two), 1)
		for _, in := range one.in {
			one.mux.DeleteSAs(n.now, server.addr, ipsec.ESP, []uint32{in.SPI})
		}
		one.drain()
		n.run(4 * time.Second)
		require.Empty(t, pairsOf(server, one))
		require.Len(t, pairsOf(server, two), 1)
	})
}

// The server tells each computer of its own SAs, whoever has the newest main mode.
func TestDeletesGoToTheirComputers(t *testing.T) {
	eachTranslator(t, func(t *testing.T, n *network, server, one, two *host) {
		spis := append(pairsOf(server, one), pairsOf(server, two)...)
		server.mux.DeleteSAs(n.now, outside, ipsec.ESP, spis)
		server.drain()
		n.run(3 * time.Second)
		require.Empty(t, one.in)
		require.Empty(t, two.in)
		require.Equal(t, 1, count[ike.EventDeleteSAs](one))
		require.Equal(t, 1, count[ike.EventDeleteSAs](two))
	})
}

// A computer that is gone takes no main mode of its neighbour with it.
func TestSilenceBehindOneAddress(t *testing.T) {
	eachTranslator(t, func(t *testing.T, n *network, server, one, two *host) {
		n.fate = func(_ int, d ike.Datagram) []time.Duration {
			if d.Local.Addr() == two.addr {
				return nil
			}
			return []time.Duration{n.latency}
		}
		n.run(3 * time.Second)
		server.mux.Request(n.now, ike.Request{ID: 99, Local: server.addr, Remote: outside, QuickMode: server.quickMode,
			Selector: ipsec.Selector{Src: ipsec.Host(server.addr), Dst: ipsec.Host(two.addr)}})
		server.drain()
		n.run(110 * time.Second)
		var left []string
		for _, m := range server.mux.MainModes() {
			if m.Established {
				left = append(left, m.PeerID)
			}
		}
		require.Len(t, left, 1)
		require.Contains(t, left[0], "10.0.0.1")
	})
}
