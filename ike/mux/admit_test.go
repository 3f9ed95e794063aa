package mux_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// newGuarded is a pair whose second host keeps fifty unfinished main modes, and eight of one address.
func newGuarded(t testing.TB) (n *network, a, b *host) {
	n, a, b = newPair(t)
	b.config.Trace = nil
	b.config.MaxHalfOpen, b.config.MaxHalfOpenPerSource = 50, 8
	b.reboot()
	return n, a, b
}

// forged is the address of the ith one.
func forged(i uint64) string { return fmt.Sprintf("192.0.%d.%d:500", i>>8&0xff, i&0xff) }

// open has a stranger start a main mode.
func (n *network) open(to *host, from_ string, cookie uint64) {
	to.mux.HandleDatagram(n.now, from(to, from_, message(payload.MainMode, cookie, 0, 0, 0, offer(n.t, to))))
	to.drain()
}

// returned has a stranger that receives what is sent to it go on to message 3.
func (n *network) returned(to *host, from_ string, cookie uint64) {
	n.open(to, from_, cookie)
	answer := n.sent[len(n.sent)-1].Payload
	n.sent = n.sent[:0]
	ke := make([]byte, 128)
	ke[127] = 4 // g²
	to.mux.HandleDatagram(n.now, from(to, from_, message(payload.MainMode, cookie, binary.BigEndian.Uint64(answer[8:]), 0, 0,
		payload.KeyExchange{Data: ke}, payload.Nonce{Data: make([]byte, 20)})))
	to.drain()
}

func sources(h *host) map[netip.Addr]int {
	all := map[netip.Addr]int{}
	for _, m := range h.mux.MainModes() {
		all[m.Remote]++
	}
	return all
}

// Strangers start main modes without end, with forged addresses: a bounded number is
// kept, a genuine peer gets through all the while, and what is kept goes away by itself.
func TestHalfOpenFlood(t *testing.T) {
	n, a, b := newGuarded(t)
	i := uint64(0)
	var flood func()
	flood = func() {
		n.open(b, forged(i), i+1)
		if i++; i < 5000 {
			n.after(time.Millisecond, flood)
		}
		require.LessOrEqual(t, len(b.mux.MainModes()), 51)
	}
	flood()
	n.run(time.Second)
	require.Len(t, b.mux.MainModes(), 50)
	a.request(b)
	n.run(2 * time.Second)
	require.Len(t, a.in, 1, "a thousand strangers a second do not keep a peer of 10 ms out")
	require.Len(t, b.mux.MainModes(), 51)
	n.run(3 * time.Minute)
	require.Len(t, b.mux.MainModes(), 1, "nothing of them is kept for ever")
}

// A flood so fast that the pool goes round before the peer answers: it has its chance at
// each copy of message 1, and when the flood is over.
func TestFloodFasterThanThePeer(t *testing.T) {
	n, a, b := newGuarded(t)
	n.latency = 40 * time.Millisecond
	i := uint64(0)
	var flood func()
	flood = func() {
		n.open(b, forged(i), i+1)
		if i++; i < 20_000 {
			n.after(time.Millisecond, flood)
		}
	}
	flood()
	a.request(b)
	n.run(2 * time.Minute)
	require.Empty(t, a.in)
	a.wantFailure("its main mode has been given up", "no response to message 3", ike.CodeTimedOut)
	a.request(b)
	n.run(3 * time.Minute)
	require.Len(t, a.in, 1, "it is not locked out for good")
}

// All from one address: it has its share, and no other peer loses by it.
func TestFloodFromOneAddress(t *testing.T) {
	n, _, b := newGuarded(t)
	for i := range uint64(30) {
		n.open(b, forged(i), i+1)
	}
	for i := range uint64(1000) {
		n.open(b, "192.0.9.9:500", i+1)
	}
	require.Len(t, b.mux.MainModes(), 38)
	require.Equal(t, 8, sources(b)[netipAddr("192.0.9.9")])
}

// An attacker that forges the address of a peer cannot keep it out either.
func TestFloodInThePeersName(t *testing.T) {
	n, a, b := newGuarded(t)
	for i := range uint64(100) {
		n.open(b, "10.0.0.1:500", i+1)
	}
	a.request(b)
	n.run(time.Second)
	require.Len(t, a.in, 1)
}

// Strangers that do receive the answers go on to message 3. They too are bounded, all
// together and by address, and those that only open cannot turn them out.
func TestFloodOfReturnedCookies(t *testing.T) {
	n, a, b := newGuarded(t)
	for i := range uint64(20) {
		n.returned(b, "192.0.9.9:500", i+1)
	}
	require.Equal(t, map[netip.Addr]int{netipAddr("192.0.9.9"): 8}, sources(b), "of one address eight")
	for i := range uint64(5) {
		n.returned(b, forged(i), i+1)
	}
	for i := range uint64(1000) {
		n.open(b, forged(1000+i), i+1)
	}
	require.Len(t, b.mux.MainModes(), 8+5+50)
	require.Equal(t, 8, sources(b)[netipAddr("192.0.9.9")], "who has proved where it is stays")

	for i := range uint64(60) {
		n.returned(b, forged(i%10), 100+i)
	}
	require.Len(t, b.mux.MainModes(), 49+50, "all together fifty; the last to go on has left its place among the others")
	require.Less(t, sources(b)[netipAddr("192.0.9.9")], 8, "those of whoever has the most go first")

	a.request(b)
	n.run(time.Second)
	require.Len(t, a.in, 1, "a full pool has room for the genuine peer")
	n.run(3 * time.Minute)
	require.Len(t, b.mux.MainModes(), 1)
}

// Offers that are refused are bounded in the same way, and so are the answers to them.
func TestRefusalFlood(t *testing.T) {
	n, _, b := newGuarded(t)
	bad := offer(t, b)
	bad.Proposals[0].Transforms[0].Attributes[0] = payload.BasicAttribute(payload.AttrEncryption, 1)
	refusal := func(from_ string, cookie uint64) {
		b.mux.HandleDatagram(n.now, from(b, from_, message(payload.MainMode, cookie, 0, 0, 0, bad)))
		b.drain()
	}
	for i := range uint64(2000) {
		refusal("192.0.2.1:500", i+1)
	}
	require.Empty(t, b.mux.MainModes(), "refused offers are no main modes")
	require.Equal(t, 8, b.mux.Statistics().ISADBListSize)
	require.Len(t, n.sent, 10, "answers in the clear have a budget")
	refusal("192.0.2.2:500", 1)
	require.Len(t, n.sent, 11, "of each address")
	n.run(time.Second)
	refusal("192.0.2.1:500", 9999)
	require.Len(t, n.sent, 12, "which fills up again")
	for i := range uint64(2000) {
		refusal(forged(i), i+1)
	}
	require.Len(t, n.sent, 12+99, "and all addresses together have one")
	require.Equal(t, 50, b.mux.Statistics().ISADBListSize)
	n.run(3 * time.Minute)
	_, waits := b.mux.NextDeadline()
	require.False(t, waits, "nothing is kept for ever")
}

// Whoever floods from one port behind a NAT turns out its own, and not its neighbour, whose answers take their time.
func TestFloodOfANeighbour(t *testing.T) {
	for _, returned := range []bool{false, true} {
		n, _, b := newGuarded(t)
		begin := n.open
		if returned {
			begin = n.returned
		}
		begin(b, "192.0.9.9:20001", 1000)
		for i := range uint64(100) {
			begin(b, "192.0.9.9:20002", i+1)
		}
		require.Equal(t, 8, sources(b)[netipAddr("192.0.9.9")])
		ports := map[uint16]int{}
		for _, m := range b.mux.MainModes() {
			ports[m.RemoteEnd.Port()]++
		}
		require.Equal(t, map[uint16]int{20001: 1, 20002: 7}, ports)
	}
}
