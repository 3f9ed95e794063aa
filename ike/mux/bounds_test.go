package mux_test

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// A peer with the right key forgets its main modes on purpose: the oldest go.
func TestManyMainModesOfOnePeer(t *testing.T) {
	n, a, b := newPair(t)
	a.config.NoInitialContact = true
	a.mainMode.Proposals[0].Group, b.mainMode.Proposals[0].Group = 1, 1
	a.config.Trace, b.config.Trace = nil, nil
	b.reboot()
	for i := range 100 {
		a.reboot()
		a.request(b)
		n.run(time.Duration(i+1) * 100 * time.Millisecond)
	}
	require.Equal(t, 64, b.mux.Statistics().ISADBListSize)
	require.Len(t, b.in, 100, "the pairs stay")
	before := len(n.sent)
	a.request(b)
	n.run(11 * time.Second)
	require.Len(t, n.sent[before:], 3, "the newest main mode serves on")
}

// A peer with the right key calls itself something else each time: a key does not say what
// its owner is called, and the bound of one computer is none for an address.
func TestManyMainModesOfManyNames(t *testing.T) {
	n, a, b := newPair(t)
	a.config.NoInitialContact = true
	a.mainMode.Proposals[0].Group, b.mainMode.Proposals[0].Group = 1, 1
	a.config.Trace, b.config.Trace = nil, nil
	b.reboot()
	for i := range 600 {
		a.mainMode.Identity = ike.Identity{Type: payload.IDKeyID, Data: []byte(strconv.Itoa(i))}
		a.reboot()
		a.request(b)
		n.run(time.Duration(i+1) * 100 * time.Millisecond)
		n.sent, a.events, b.events = nil, nil, nil
	}
	require.Equal(t, 512, b.mux.Statistics().ISADBListSize)
	a.request(b)
	n.run(61 * time.Second)
	require.Len(t, n.sent, 3, "the newest main mode serves on")
}

// A peer with the right key asks for pairs without end: the oldest go, at both ends of the engine.
func TestManyPairsOfOnePeer(t *testing.T) {
	n, a, b := newPair(t)
	a.config.Trace, b.config.Trace = nil, nil
	a.reboot()
	b.reboot()
	for i := range 4200 {
		a.request(b)
		n.run(time.Duration(i+1) * 100 * time.Millisecond)
		n.sent, a.events, b.events = nil, nil, nil
	}
	require.Len(t, b.in, 4096)
}

// The host asks for peers without end that do not answer.
func TestManyRequests(t *testing.T) {
	n, a, _ := newPair(t)
	a.config.Trace = nil
	a.reboot()
	for i := range 17_000 {
		remote := netip.AddrFrom4([4]byte{172, 16, byte(i >> 10), byte(i)}) // some ask for the same
		a.mux.Request(n.now, ike.Request{ID: uint64(i + 1), Local: a.addr, Remote: remote, QuickMode: a.quickMode,
			Selector: ipsec.Selector{Src: ipsec.Host(a.addr), Dst: ipsec.Host(remote)}})
	}
	a.drain()
	require.Equal(t, 16384, a.mux.Statistics().AcquireHeapSize)
	require.Len(t, a.failed, 17_000-16384)
	require.ErrorContains(t, a.failed[0].Err, "16384 requests wait")
	n.run(10 * time.Minute)
	require.Len(t, a.failed, 17_000, "the others come to their end")
	require.Zero(t, a.mux.Statistics().AcquireHeapSize)
	require.Zero(t, a.mux.Statistics().ISADBListSize)
}

// Notifications and noise from anywhere leave nothing behind.
func TestFloodOfNotifications(t *testing.T) {
	n, _, b := newPair(t)
	b.config.Trace = nil
	b.reboot()
	for i := range uint64(5000) {
		for _, msg := range [][]byte{
			message(payload.Informational, i+1, 0, 7, 0, payload.Notify{DOI: 1, Protocol: 1, NotifyType: payload.NotifyMSDoSCookie, Data: make([]byte, 8)}),
			message(payload.Informational, i+1, 9, 7, payload.Encrypted),
			message(payload.QuickMode, i+1, 9, 7, payload.Encrypted),
			message(payload.MainMode, i+1, 9, 0, 0, payload.KeyExchange{Data: make([]byte, 128)}, payload.Nonce{Data: make([]byte, 20)}),
		} {
			b.mux.HandleDatagram(n.now, from(b, forged(i), msg))
			b.drain()
		}
	}
	require.Zero(t, b.mux.Statistics().ISADBListSize)
	require.Len(t, n.sent, 100, "of all addresses together")
}
