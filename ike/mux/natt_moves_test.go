package mux_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// movesOf are the events of a host that a peer has moved.
func movesOf(h *host) (all []ike.EventMoved) {
	for _, e := range h.events {
		if m, ok := e.(ike.EventMoved); ok {
			all = append(all, m)
		}
	}
	return all
}

// A NAT loses its mappings. The next message of the client shows it, whatever it is about: once for all that there is.
func TestPeerIsFollowed(t *testing.T) {
	for name, speak := range map[string]func(n *network, client, server *host){
		"a quick mode": func(_ *network, client, server *host) { client.request(server) },
		"a Delete": func(n *network, client, server *host) {
			for _, in := range client.in {
				client.remove(idOf(in), "deleted")
				client.mux.DeleteSAs(n.now, server.addr, ipsec.ESP, []uint32{in.SPI})
				client.drain()
				return
			}
		},
		"the data plane": func(n *network, client, server *host) {
			for _, in := range server.in {
				server.mux.Moved(n.now, in.SPI, netip.AddrPortFrom(n.boxes[0].outside, 20099))
				n.boxes[0].mapping(netip.AddrPortFrom(client.addr, 4500), 20099)
				server.drain()
				return
			}
		},
	} {
		for _, address := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, another address %v", name, address), func(t *testing.T) {
				n, client, server, b := newBehind(t, anywhere(ike.NATRFC3947))
				client.request(server)
				n.run(time.Second)
				client.request(server)
				n.run(2 * time.Second)
				n.wantPairs("two pairs", 2)
				was := b.at(client, 4500)
				b.forget()
				if address {
					b.renumber()
				}
				n.now = n.now.Add(time.Second)
				speak(n, client, server)
				n.run(5 * time.Second)

				is := b.at(client, 4500)
				require.NotEqual(t, was, is)
				moves := movesOf(server)
				require.Len(t, moves, 1, "the host is told once")
				require.Equal(t, was, moves[0].From)
				require.Equal(t, is, moves[0].To)
				require.Equal(t, netip.AddrPortFrom(server.addr, 4500), moves[0].Local)
				require.Contains(t, moves[0].PeerID, "192.168.1.2")
				require.Len(t, moves[0].SPIs, 2, "of both pairs")
				for _, m := range server.mux.MainModes() {
					require.Equal(t, is, m.RemoteEnd)
					require.Equal(t, is.Addr(), m.Remote)
				}
				for _, sa := range server.out {
					require.Equal(t, is, netip.AddrPortFrom(sa.Dst, sa.UDP.Dst))
					require.Equal(t, ipsec.Host(is.Addr()), sa.Selector.Dst)
				}
				require.Empty(t, movesOf(client), "the server has not moved")
				n.wantAgreement("after the move")

				// The server reaches the client now: by a quick mode of its own, and by its Deletes.
				pairs := len(server.in)
				server.request(client)
				n.run(7 * time.Second)
				require.Empty(t, server.failed)
				require.Len(t, server.in, pairs+1)
				server.drive(client, 1)
				server.driver.endAll()
				n.run(9 * time.Second)
				require.Empty(t, client.in)
				require.Empty(t, client.out)
			})
		}
	}
}

// The data plane of a side behind a NAT is told nothing, nor one that names no pair in UDP.
func TestMovedFollowsOnlyFromOutside(t *testing.T) {
	elsewhere := netip.MustParseAddrPort("192.0.2.66:4500")
	for _, where := range placements() {
		p := newPlaced(t, where, anywhere(ike.NATRFC3947), anywhere(ike.NATRFC3947))
		p.ask()
		p.run(time.Second)
		for _, h := range p.hosts {
			behind, peer := h == p.a && where.Initiator || h == p.b && where.Responder, h == p.a && where.Responder || h == p.b && where.Initiator
			in := oneSA(t, h.in)
			require.Equal(t, peer && !behind, h.mux.Follows(in.SPI), "%s: %v", h.name, where)
			h.mux.Moved(p.now, in.SPI, elsewhere)
			h.mux.Moved(p.now, in.SPI+1000, elsewhere)
			h.mux.Moved(p.now, in.SPI, netip.MustParseAddrPort("[2001:db8::1]:4500"))
			h.drain()
			want := 0
			if peer && !behind {
				want = 1
				require.Equal(t, elsewhere, movesOf(h)[0].To)
			}
			require.Len(t, movesOf(h), want, "%s: %v", h.name, where)
		}
	}
}

// ends are where a host's main modes and SAs lead.
func endsOf(h *host) (all []string) {
	for _, m := range h.mux.MainModes() {
		all = append(all, fmt.Sprint(m.LocalEnd, m.RemoteEnd))
	}
	for _, sa := range h.out {
		all = append(all, fmt.Sprint(sa.Dst, sa.UDP))
	}
	slices.Sort(all)
	return all
}

// Whoever sends genuine messages once more from another address or port, as they were or as ones of another exchange,
// moves nothing: at any time, in any placement, in each mode.
func TestReplaysMoveNothing(t *testing.T) {
	exchanges := []payload.Exchange{payload.MainMode, payload.Aggressive, payload.Informational, payload.Transaction, payload.QuickMode, payload.NewGroup}
	for _, where := range placements() {
		for _, aggressive := range []bool{false, true} {
			for _, dialect := range []ike.NATDialect{ike.NATDraft00, ike.NATDraft02Newline, ike.NATRFC3947} {
				name := fmt.Sprintf("%v, aggressive %v, %v", where, aggressive, dialect)
				p := newPlaced(t, where, anywhere(dialect), anywhere(dialect))
				xauth := &ike.XAuth{Asks: true, Users: []ike.User{alice}}
				p.a.xauth, p.b.xauth = &ike.XAuth{User: alice}, xauth
				for _, h := range p.hosts {
					h.mainMode.Aggressive = aggressive
					h.config.VendorIDs, h.config.ReliableDelete.Enabled = [][]byte{microsoft2003}, true
					h.config.Commit = true
					h.reboot()
				}
				p.listens = true
				replay := func(heard []ike.Datagram) {
					for _, d := range heard {
						for _, from := range []string{"192.0.2.66:4500", "192.0.2.66:500", d.Remote.Addr().String() + ":12345"} {
							for _, x := range append(exchanges, exchangeOf(d)) {
								for _, flags := range []payload.Flags{0, payload.Commit} {
									b := bytes.Clone(d.Payload)
									b[18], b[19] = byte(x), b[19]^byte(flags)
									p.deliver(ike.Datagram{Local: d.Local, Remote: netip.MustParseAddrPort(from), Payload: b})
								}
							}
						}
					}
				}
				chapter := func(seconds int, do func()) {
					do()
					p.run(time.Duration(seconds) * time.Second)
					before := [2][]string{endsOf(p.a), endsOf(p.b)}
					heard, sent := slices.Clone(p.heard), len(p.sent)
					replay(heard)
					after := [2][]string{oldEnds(p.a, before[0]), oldEnds(p.b, before[1])}
					require.Equal(t, before, after, name)
					require.Empty(t, movesOf(p.a), name)
					require.Empty(t, movesOf(p.b), name)
					require.Less(t, len(p.sent)-sent, 3*len(heard)*len(exchanges)*3, "%s: answers", name)
				}
				chapter(1, func() { p.ask() })
				require.Len(t, p.a.in, 1, name)
				chapter(3, func() { p.ask() })
				chapter(5, func() {
					for _, in := range p.a.in {
						p.a.remove(idOf(in), "deleted")
						p.a.mux.DeleteSAs(p.now, p.target, ipsec.ESP, []uint32{in.SPI})
						break
					}
					p.a.drain()
				})
				p.ask()
				p.run(200 * time.Second)
				require.Empty(t, p.a.failed, "%s: and all goes on", name)
			}
		}
	}
}

// oldEnds are the ends of a host, without those of main modes that replays of message 1 have opened.
func oldEnds(h *host, before []string) []string {
	return slices.DeleteFunc(endsOf(h), func(s string) bool { return !slices.Contains(before, s) })
}

// A side behind a NAT answers where its peer is, whoever else sends copies: none from another address.
func TestSideBehindNATAnswersItsPeer(t *testing.T) {
	n, client, server, _ := newBehind(t, anywhere(ike.NATRFC3947))
	n.listens = true
	client.request(server)
	n.run(time.Second)
	before := len(n.sent)
	for _, d := range slices.Clone(n.heard) {
		if d.Local.Addr() == client.addr {
			n.deliver(ike.Datagram{Local: d.Local, Remote: netip.MustParseAddrPort("192.0.2.66:4500"), Payload: d.Payload})
		}
	}
	require.Len(t, n.sent, before)
	for _, d := range slices.Clone(n.heard) {
		if d.Local.Addr() == client.addr {
			n.deliver(ike.Datagram{Local: d.Local, Remote: netip.AddrPortFrom(server.addr, 12345), Payload: d.Payload})
		}
	}
	for _, d := range n.sent[before:] {
		require.Equal(t, netip.AddrPortFrom(server.addr, 4500), d.Remote)
	}
	require.Greater(t, len(n.sent), before, "message 3 of the quick mode goes out again")
}

// Answers to copies go where the copies came from (RFC 3947, Section 3), and the SA stays where it is.
func TestAnswersGoToWhereCopiesCameFrom(t *testing.T) {
	n, client, server, b := newBehind(t, anywhere(ike.NATRFC3947))
	first := true
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if d.Local == netip.AddrPortFrom(server.addr, 4500) && first {
			first = false
			b.forget() // message 6 goes to a port that is no more
		}
		return []time.Duration{n.latency}
	}
	client.request(server)
	n.run(10 * time.Second)
	n.wantPairs("message 5 again, from another port, gets message 6 there", 1)
	require.Equal(t, 1, b.dropped)
	require.Len(t, movesOf(server), 1, "and the quick mode shows where the client is")
	require.Equal(t, b.at(client, 4500), established(server)[0].RemoteEnd)
}

// A message of an SA that floats comes to port 500 when it is too late for that: RFC 3947, Section 4.
func TestMessagesOnTheOldPort(t *testing.T) {
	n, client, server, _ := newBehind(t, anywhere(ike.NATRFC3947))
	client.config.DPD, server.config.DPD = ike.DPD{Enabled: true, Idle: time.Minute}, ike.DPD{Enabled: true}
	client.config.Traffic = func(netip.AddrPort) (in, out time.Time) { return in, n.now }
	client.reboot()
	server.reboot()
	onOld := func(d ike.Datagram) ike.Datagram {
		d.Local, d.Remote = netip.AddrPortFrom(d.Local.Addr(), 500), netip.AddrPortFrom(d.Remote.Addr(), 500)
		return d
	}
	client.request(server)
	n.run(time.Second)
	n.wantPairs("a pair", 1)
	ends := endsOf(server)

	// A quick mode that comes to port 500 is old.
	n.translate = onOld
	client.request(server)
	n.run(2 * time.Second)
	require.Len(t, server.in, 1)
	require.Contains(t, notes(server), "ignored: it came to port 500, which this main mode has left for 4500")
	n.translate = nil
	n.run(10 * time.Second)
	n.wantPairs("its copy on port 4500 is served", 2)

	// An informational exchange is taken, and moves nothing.
	n.translate = func(d ike.Datagram) ike.Datagram {
		if d.Local.Addr() == client.addr {
			return onOld(d)
		}
		return d
	}
	before := len(n.sent)
	n.run(75 * time.Second)
	require.Greater(t, len(n.sent), before+1, "R-U-THERE on port 500 is answered")
	require.Equal(t, netip.AddrPortFrom(server.addr, 4500), n.sent[len(n.sent)-1].Local, "on port 4500")
	require.Equal(t, ends[0], endsOf(server)[0])
	require.Empty(t, movesOf(server))
}

// notes are what a host's trace says at messages.
func notes(h *host) (all []string) {
	for _, m := range traced[trace.IKEMessage](h) {
		all = append(all, m.Note)
	}
	return all
}

// Main modes that replace others begin where those have ended up, on both sides.
func TestSuccessorsBeginOnPort4500(t *testing.T) {
	for _, initiator := range []bool{true, false} {
		n, client, server, b := newBehind(t, anywhere(ike.NATDraft02Newline))
		client.request(server)
		n.run(time.Second)
		h, other := client, server
		if !initiator {
			h, other = server, client
		}
		// The main mode goes, the pair stays.
		client.mux.DeletePeer(n.now, server.addr)
		client.drain()
		n.run(2 * time.Second)
		require.Empty(t, established(client))
		require.Empty(t, established(server))
		before := len(n.sent)
		pair := oneSA(t, h.in)
		h.replace(other, pair.Selector.Reverse(), pair.SPI)
		n.run(4 * time.Second)
		require.Empty(t, h.failed)
		require.Len(t, h.in, 2)
		for _, d := range n.sent[before:] {
			require.Equal(t, uint16(4500), d.Local.Port(), "RFC 3947, Section 4: the negotiation starts on port 4500")
		}
		require.Equal(t, ike.NATPlacement{Initiator: initiator, Responder: !initiator}, established(h)[0].NAT)
		require.Equal(t, b.at(client, 4500), established(server)[0].RemoteEnd)
	}
}

// A NAT is found anew under each main mode, also where nothing floats.
func TestBeginOnPort4500(t *testing.T) {
	for _, where := range placements() {
		nat := anywhere(ike.NATRFC3947)
		nat.Begin4500 = true
		p := newPlaced(t, where, nat, anywhere(ike.NATRFC3947))
		p.ask()
		p.run(time.Second)
		require.Len(t, p.a.in, 1, where)
		for i, d := range p.sent {
			require.Equal(t, uint16(4500), d.Local.Port(), "%v: message %d", where, i+1)
		}
		require.Equal(t, where.Any(), oneSA(t, p.a.out).UDP.On(), "%v: plain ESP where there is no NAT", where)
		require.Equal(t, where, established(p.b)[0].NAT)
		require.Equal(t, where.Initiator, len(p.a.alive) == 1)
	}
}

// Keep-alives go on while there is a main mode or a pair, and no longer.
func TestKeepAlivesEndWithTheLastSA(t *testing.T) {
	for _, outside := range []bool{false, true} {
		nat := anywhere(ike.NATRFC3947)
		nat.KeepAlive, nat.KeepAliveOutside = 7*time.Second, outside
		n, client, server, b := newBehind(t, nat)
		client.request(server)
		n.run(time.Second)
		begun := func(h *host) (all []ike.EventKeepAlive) {
			for _, e := range h.events {
				if k, ok := e.(ike.EventKeepAlive); ok {
					all = append(all, k)
				}
			}
			return all
		}
		on := ike.EventKeepAlive{Local: netip.AddrPortFrom(client.addr, 4500), Remote: netip.AddrPortFrom(server.addr, 4500), Interval: 7 * time.Second}
		require.Equal(t, []ike.EventKeepAlive{on}, begun(client))
		require.Equal(t, outside, len(begun(server)) == 1, "a side outside sends them if it is to")
		if outside {
			require.Equal(t, b.at(client, 4500), begun(server)[0].Remote)
		}
		client.mux.DeletePeer(n.now, server.addr)
		client.drain()
		n.run(2 * time.Second)
		require.Empty(t, established(client))
		require.Len(t, begun(client), 1, "the pair lives")
		at, ok := client.mux.NextDeadline()
		require.True(t, ok)
		require.LessOrEqual(t, at.Sub(n.now), time.Hour, "the end of the pair is awaited")
		n.run(2 * time.Hour) // the pair has an hour
		off := on
		off.Interval = 0
		require.Equal(t, []ike.EventKeepAlive{on, off}, begun(client))
		require.Empty(t, server.alive)
		_, ok = client.mux.NextDeadline()
		require.False(t, ok)
		client.request(server)
		n.run(3 * time.Hour)
		require.Len(t, begun(client), 3, "and begin again with the next SA")
	}
}
