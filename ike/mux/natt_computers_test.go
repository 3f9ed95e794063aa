package mux_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/mux"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// newSharedNAT is a server, and two computers behind one NAT, with NAT traversal.
func newSharedNAT(t testing.TB) (n *network, server, one, two *host) {
	n = newNetwork(t)
	server, one, two = n.add("server", "203.0.113.9", 1), n.add("one", "10.0.0.1", 2), n.add("two", "10.0.0.2", 3)
	n.newBox(outside.String(), one, two)
	for _, h := range n.hosts {
		h.config.NAT = anywhere(ike.NATDraft02Newline)
		h.reboot()
	}
	return n, server, one, two
}

// twoBehind has both computers have a pair with the server.
func twoBehind(t testing.TB) (n *network, server, one, two *host) {
	n, server, one, two = newSharedNAT(t)
	one.request(server)
	n.run(time.Second)
	two.request(server)
	n.run(2 * time.Second)
	require.Len(t, server.in, 2)
	return n, server, one, two
}

// with are the main modes of a host that are up with an end.
func with(h *host, end netip.AddrPort) (ms []mux.MainModeInfo) {
	for _, m := range established(h) {
		if m.RemoteEnd == end {
			ms = append(ms, m)
		}
	}
	return ms
}

// A successor of a pair is negotiated with the computer that has it, whoever else was heard last: under a main
// mode with it, or a new one that begins where it is.
func TestSuccessorIsOfTheSameComputer(t *testing.T) {
	for _, alive := range []bool{true, false} {
		for i := range 2 {
			n, server, one, two := twoBehind(t)
			of := []*host{one, two}[i]
			other := []*host{two, one}[i]
			end := n.boxes[0].at(of, 4500)
			if !alive {
				of.mux.DeletePeer(n.now, server.addr)
				of.drain()
				n.run(3 * time.Second)
				require.Empty(t, with(server, end))
			}
			spi := pairsOf(server, of)[0]
			in := server.in[said{ipsec.ESP, spi}]
			server.replace(of, in.Selector.Reverse(), spi)
			n.run(5 * time.Second)
			require.Empty(t, server.failed)
			require.Len(t, pairsOf(server, of), 2, "alive %v: of %s", alive, of.name)
			require.Len(t, pairsOf(server, other), 1)
			require.Len(t, of.in, 2)
			require.Len(t, with(server, end), 1)
			require.Equal(t, !alive, with(server, end)[0].Initiator, "with none the server begins one")
		}
	}
}

// Where another computer has got the port, a successor fails, and says with whom the pair was.
func TestSuccessorOfSomebodyElse(t *testing.T) {
	n, server, one, two := twoBehind(t)
	spi := pairsOf(server, one)[0]
	for _, h := range []*host{one, two} {
		h.mux.DeletePeer(n.now, server.addr)
		h.drain()
	}
	n.run(3 * time.Second)
	b := n.boxes[0]
	port := b.at(one, 4500).Port()
	b.forget()
	b.mapping(netip.AddrPortFrom(two.addr, 4500), port) // the NAT gives it to the other one
	in := server.in[said{ipsec.ESP, spi}]
	server.replace(one, in.Selector.Reverse(), spi)
	n.run(5 * time.Second)
	server.wantFailure("it is another one", fmt.Sprintf("%v is 10.0.0.2 now, and 10.0.0.1 had the pair", netip.AddrPortFrom(outside, port)), ike.CodeAuthFailed)
	require.Len(t, server.in, 2, "and nothing has come of it")
}

// Two computers behind one NAT may have the same SPIs: the host is told whose SAs are gone.
func TestDeletesNameThePort(t *testing.T) {
	n, server, one, two := newSharedNAT(t)
	two.firstSPI = one.firstSPI
	one.request(server)
	n.run(time.Second)
	two.request(server)
	n.run(2 * time.Second)
	for _, h := range []*host{one, two} {
		server.events = nil
		in := oneSA(t, h.in)
		h.remove(idOf(in), "deleted")
		h.mux.DeleteSAs(n.now, server.addr, ipsec.ESP, []uint32{in.SPI})
		h.drain()
		n.run(n.now.Sub(n.start) + time.Second)
		var deleted []ike.EventDeleteSAs
		for _, e := range server.events {
			if d, ok := e.(ike.EventDeleteSAs); ok {
				deleted = append(deleted, d)
			}
		}
		require.Equal(t, []ike.EventDeleteSAs{{Remote: outside, Port: n.boxes[0].at(h, 4500).Port(), Protocol: ipsec.ESP, SPIs: []uint32{in.SPI}, Own: []uint32{in.PeerSPI}}}, deleted, h.name)
	}
}

// A computer that does not answer dead peer detection takes nothing of its neighbour with it.
func TestDeadPeerBehindOneNAT(t *testing.T) {
	n, server, one, two := newSharedNAT(t)
	for _, h := range n.hosts {
		h.config.DPD = ike.DPD{Enabled: true}
		h.reboot()
	}
	server.config.DPD.Idle = 20 * time.Second
	askedFor := map[netip.AddrPort]bool{}
	server.config.Traffic = func(remote netip.AddrPort) (in, out time.Time) {
		askedFor[remote] = true
		return in, n.now
	}
	server.reboot()
	one.request(server)
	n.run(time.Second)
	two.request(server)
	n.run(2 * time.Second)
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if d.Local.Addr() == one.addr {
			return nil
		}
		return []time.Duration{n.latency}
	}
	n.run(2 * time.Minute)
	b := n.boxes[0]
	require.Empty(t, with(server, b.at(one, 4500)))
	require.Len(t, with(server, b.at(two, 4500)), 1)
	require.Empty(t, pairsOf(server, one))
	require.Len(t, pairsOf(server, two), 1)
	require.Equal(t, map[netip.AddrPort]bool{b.at(one, 4500): true, b.at(two, 4500): true}, askedFor, "traffic is of each of them")
}

// INITIAL-CONTACT behind NATs, by identity: RFC 3947, Section 6. An address as an identity says nothing of other NATs.
func TestInitialContactGoesByIdentity(t *testing.T) {
	named := func(name string) ike.Identity { return ike.Identity{Type: payload.IDFQDN, Data: []byte(name)} }
	for name, c := range map[string]struct {
		one, two   ike.Identity
		otherNAT   bool // the second computer is behind another NAT, with the same address
		renumbered bool // the first one comes back from another address
		left       int  // pairs at the server when the first one has come back, and had one anew
	}{
		"two names":                                  {named("one"), named("two"), false, false, 2},
		"two names, from another address":            {named("one"), named("two"), false, true, 2},
		"addresses":                                  {ike.Identity{}, ike.Identity{}, false, false, 2},
		"addresses, from another address":            {ike.Identity{}, ike.Identity{}, false, true, 3}, // nobody can tell: the old pair ends with its lifetime
		"the same address behind two NATs":           {ike.Identity{}, ike.AddressIdentity(netip.MustParseAddr("10.0.0.1")), true, false, 2},
		"two names, two NATs":                        {named("one"), named("two"), true, false, 2},
		"one name for all, as for a group, two NATs": {named("group"), named("group"), true, false, 1}, // RFC 3947 has it so
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			server, one := n.add("server", "203.0.113.9", 1), n.add("one", "10.0.0.1", 2)
			two := n.add("two", "10.0.0.2", 3)
			b := n.newBox("198.51.100.10", one)
			if c.otherNAT {
				n.newBox("198.51.100.40", two)
			} else {
				b.hosts = append(b.hosts, two)
			}
			one.mainMode.Identity, two.mainMode.Identity = c.one, c.two
			for _, h := range n.hosts {
				h.config.NAT = anywhere(ike.NATRFC3947)
				h.reboot()
			}
			for _, h := range []*host{two, one} {
				h.request(server)
				n.run(n.now.Sub(n.start) + time.Second)
			}
			require.Len(t, server.in, min(2, c.left))
			one.reboot()
			b.forget()
			if c.renumbered {
				b.renumber()
			}
			one.request(server)
			n.run(n.now.Sub(n.start) + time.Second)
			require.Len(t, server.in, c.left)
			require.Len(t, one.in, 1)
		})
	}
}
