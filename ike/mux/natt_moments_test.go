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

// NATs that change at the wrong moment.

// atMessage has something happen just before the message with a number is sent.
func (n *network) atMessage(number int, do func()) {
	n.fate = func(i int, _ ike.Datagram) []time.Duration {
		if i == number {
			do()
		}
		return []time.Duration{n.latency}
	}
}

// The answer to message 3 goes where that came from, at once: nobody has to wait for a copy.
func TestMappingLostBeforeMessage3(t *testing.T) {
	n, client, server, b := newBehind(t, anywhere(ike.NATRFC3947))
	n.atMessage(3, b.forget)
	client.request(server)
	n.run(500 * time.Millisecond)
	n.wantPairs("nothing is lost", 1)
	require.Zero(t, b.dropped)
	require.Empty(t, movesOf(server), "the peer was nowhere before")
}

// The end of a quick mode comes from another address: SAs that were handed over ahead of their pair go along.
func TestNATMovesWithinAQuickMode(t *testing.T) {
	for _, message := range []int{8, 9} {
		for _, byServer := range []bool{false, true} {
			n, client, server, b := newBehind(t, anywhere(ike.NATRFC3947))
			if byServer {
				client.request(server)
				n.run(time.Second)
				n.sent = nil
				message -= 6 // of a quick mode by itself
			}
			n.atMessage(message, b.renumber)
			before := len(server.in)
			if byServer {
				server.request(client)
			} else {
				client.request(server)
			}
			n.run(60 * time.Second)
			require.Empty(t, server.failed, "message %d", message)
			require.Empty(t, client.failed, "message %d", message)
			require.Len(t, server.in, before+1)
			n.wantAgreement("the NAT has moved")
			client.request(server) // which tells where the client is, if nothing has so far
			n.run(61 * time.Second)
			require.Len(t, movesOf(server), 1)
			for _, in := range server.in {
				require.Equal(t, b.outside, in.Src, "message %d, by the server %v", message, byServer)
				require.Equal(t, ipsec.Host(b.outside), in.Selector.Src)
			}
			for _, out := range server.out {
				require.Equal(t, ipsec.Host(b.outside), out.Selector.Dst)
			}
		}
	}
}

// A request that waits for a computer goes where the data plane finds it.
func TestRequestFollowsTheComputer(t *testing.T) {
	n, server, one, _ := twoBehind(t)
	b := n.boxes[0]
	one.mux.DeletePeer(n.now, server.addr)
	one.drain()
	n.run(3 * time.Second)
	spi := pairsOf(server, one)[0]
	b.forget()
	server.replace(one, server.in[said{ipsec.ESP, spi}].Selector.Reverse(), spi)
	n.run(10 * time.Second)
	require.Len(t, pairsOf(server, one), 1, "there is nobody at the old port")
	b.mapping(netip.AddrPortFrom(one.addr, 4500), 23456) // as a packet of one's makes it
	server.mux.Moved(n.now, spi, netip.AddrPortFrom(outside, 23456))
	server.drain()
	n.run(11 * time.Second)
	require.Empty(t, server.failed)
	require.Len(t, pairsOf(server, one), 2)
	n.run(10 * time.Minute)
	require.Empty(t, server.failed, "the main mode to the old port ends, and takes nothing with it")
}

// Whoever moves keeps its inner address.
func TestInnerAddressMovesAlong(t *testing.T) {
	n, client, server, b := newBehind(t, anywhere(ike.NATRFC3947))
	client.mainMode.ModeConfig, server.mainMode.ModeConfig = &ike.ModeConfig{}, &ike.ModeConfig{Gives: pool("10.9.0.10")}
	client.mainMode.Lifetime = 20 * time.Minute
	for _, h := range n.hosts {
		h.quickMode.Proposals[0].Mode = ipsec.Tunnel
		h.reboot()
	}
	client.request(server)
	n.run(time.Second)
	b.forget()
	client.request(server)
	n.run(2 * time.Second)
	require.Len(t, movesOf(server), 1)
	n.run(19 * time.Minute)
	require.Len(t, established(client), 2, "the main mode is replaced, and the only address is the client's")
	for _, m := range established(client) {
		require.Equal(t, netip.MustParseAddr("10.9.0.10"), m.Assigned.Address)
	}
}

// Two computers of one name behind one NAT, with the same SPIs: each deletes its own.
func TestDeletesOfTheSameName(t *testing.T) {
	n, server, one, two := newSharedNAT(t)
	two.firstSPI = one.firstSPI
	for _, h := range []*host{one, two} {
		h.mainMode.Identity = ike.Identity{Type: payload.IDFQDN, Data: []byte("group.example")}
		h.config.NoInitialContact = true // else one ends the other's
		h.reboot()
		h.request(server)
		n.run(n.now.Sub(n.start) + time.Second)
	}
	require.Equal(t, oneSA(t, one.in).SPI, oneSA(t, two.in).SPI)
	require.Len(t, server.in, 2)
	in := oneSA(t, one.in)
	server.events = nil
	one.remove(idOf(in), "deleted")
	one.mux.DeleteSAs(n.now, server.addr, ipsec.ESP, []uint32{in.SPI})
	one.drain()
	n.run(n.now.Sub(n.start) + time.Second)
	require.Equal(t, 1, count[ike.EventDeleteSAs](server))
	server.replace(two, server.in[said{ipsec.ESP, server.firstSPI + 2}].Selector.Reverse(), server.firstSPI+2)
	n.run(n.now.Sub(n.start) + time.Second)
	require.Len(t, two.in, 2, "the other's pair is known still")
}

// Vendor IDs that are altered on the way may leave the two with different versions. Either that is of no
// consequence, or nothing comes of it.
func TestVersionsThatAreMadeToDiffer(t *testing.T) {
	const draft00, draft02 = ike.NATDraft00, ike.NATDraft02
	for name, c := range map[string]struct {
		of   []ike.NATDialect // of the responder
		sees ike.NATDialect   // in place of draft 02 in message 2
		why  string           // "": it works, on port 500
	}{
		"the responder knows no form of port 500": {[]ike.NATDialect{draft02}, draft00, "NO-PROPOSAL-CHOSEN"},
		"the responder knows it, too":             {[]ike.NATDialect{draft02, draft00}, draft00, ""},
	} {
		p := newPlaced(t, ike.NATPlacement{Initiator: true}, anywhere(draft02, draft00), anywhere(c.of...))
		p.rewrite = func(d ike.Datagram) []byte {
			h, err := payload.ParseHeader(d.Payload)
			require.NoError(t, err)
			if d.Local.Addr() != p.b.addr || h.Next != payload.TypeSA {
				return d.Payload
			}
			chain, _, err := payload.Parse(h.Next, d.Payload[payload.HeaderLen:])
			require.NoError(t, err)
			var ps []payload.Payload
			for _, item := range chain {
				if v, ok := item.Payload.(payload.VendorID); ok && string(v.Data) == string(draft02.VendorID()) {
					item.Payload = payload.VendorID{Data: c.sees.VendorID()}
				}
				ps = append(ps, item.Payload)
			}
			b := payload.Append(h.Append(nil), ps...)
			payload.SetLength(b)
			return b
		}
		p.ask()
		p.run(time.Second)
		require.Equal(t, draft00, established(p.a)[0].Dialect, name)
		require.Equal(t, draft02, established(p.b)[0].Dialect, name)
		if c.why != "" {
			p.a.wantFailure(name, c.why, ike.CodePolicyMatch)
			continue
		}
		p.wantOneEnd(name, false)
		require.True(t, oneSA(t, p.a.out).UDP.NonIKE, name)
		require.True(t, oneSA(t, p.b.out).UDP.NonIKE, name)
	}
}

// The last answer of phase 1 comes from elsewhere, as the responder's NAT has it: whoever waits is served there, if it
// is another port. Transport mode with another address is not what was asked for.
func TestResponderMovesWithinPhase1(t *testing.T) {
	for _, xauth := range []bool{false, true} {
		for _, address := range []bool{false, true} {
			p := newPlaced(t, ike.NATPlacement{Responder: true}, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
			message := 6
			if xauth {
				p.a.xauth, p.b.xauth = &ike.XAuth{User: alice}, &ike.XAuth{Asks: true, Users: []ike.User{alice}}
				message = 9 // what it makes of the user
			}
			b := p.boxes[0]
			p.atMessage(message, func() {
				if address {
					b.renumber()
				} else {
					b.mapping(netip.AddrPortFrom(p.b.addr, 4500), 23456)
				}
			})
			p.ask()
			p.run(3 * time.Minute)
			require.Len(t, movesOf(p.a), 1)
			require.Equal(t, b.at(p.b, 4500), established(p.a)[0].RemoteEnd)
			if address {
				p.a.wantFailure("another address", "transport mode between 203.0.113.1 and 198.51.100.3 cannot serve", ike.CodeNoPolicy)
				continue
			}
			require.Empty(t, p.a.failed, "xauth %v", xauth)
			require.Equal(t, uint16(23456), oneSA(t, p.a.out).UDP.Dst)
		}
	}
}
