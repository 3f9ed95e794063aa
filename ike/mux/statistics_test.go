package mux_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// What both sides count of a negotiation that succeeds, while it goes on and after.
func TestStatisticsOfANegotiation(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	s := a.mux.Statistics()
	require.Equal(t, ike.Statistics{TotalAcquire: 1, ActiveAcquire: 1, AcquireHeapSize: 1, ISADBListSize: 1}, s, "it waits for main mode")
	n.run(32 * time.Millisecond)
	s = a.mux.Statistics()
	require.Equal(t, []int{1, 0, 1, 1}, []int{s.ActiveAcquire, s.AcquireHeapSize, s.MainModes, s.ConnectionListSize}, "quick mode is under way")
	n.run(time.Second)
	s = a.mux.Statistics()
	require.Equal(t, ike.Statistics{TotalAcquire: 1, TotalGetSPI: 1, MainModes: 1, QuickModes: 1, ISADBListSize: 1, ConnectionListSize: 1}, s)
	s.TotalAcquire = 0
	require.Equal(t, s, b.mux.Statistics(), "the responder counts the same, and no acquire")
}

// A wrong key is an authentication failure where it is found, and a failed
// negotiation on both sides; the messages that cannot be read are invalid ones.
func TestStatisticsOfAWrongKey(t *testing.T) {
	n, a, b := newPair(t)
	b.psk = "another"
	a.request(b)
	n.run(3 * time.Minute)
	s := b.mux.Statistics()
	require.Equal(t, []int{1, 1, 0, 0}, []int{s.NegotiationFailures, s.AuthenticationFailures, s.MainModes, s.ISADBListSize})
	require.Positive(t, s.InvalidPackets)
	s = a.mux.Statistics()
	require.Equal(t, []int{1, 0, 1, 0}, []int{s.NegotiationFailures, s.AuthenticationFailures, s.AcquireFailures, s.ActiveAcquire})
}

// What strangers send is told apart: cookies that nobody has, messages that are
// nothing, and sound offers that policy has no use for.
func TestStatisticsOfStrayMessages(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	cookies := b.mux.MainModes()[0].Cookies
	ci, cr := binary.BigEndian.Uint64(cookies.Initiator[:]), binary.BigEndian.Uint64(cookies.Responder[:])
	was := b.mux.Statistics()
	for _, m := range [][]byte{
		message(payload.MainMode, 9, 9, 0, 0),                  // no such cookies
		message(payload.QuickMode, 9, 9, 7, payload.Encrypted), // likewise
		nil, // no header
		message(payload.Aggressive, 9, 0, 0, 0, offer(t, b)),    // unsupported
		message(payload.QuickMode, ci, cr, 7, 0),                // of the SA, in the clear
		message(payload.MainMode, ci, cr, 0, payload.Encrypted), // of the SA, too late
		message(payload.MainMode, 0, 9, 0, 0),                   // no initiator
	} {
		b.mux.HandleDatagram(n.now, from(b, "10.0.0.1:500", m))
		b.drain()
	}
	b.deaf = true
	b.mux.HandleDatagram(n.now, from(b, "10.0.0.9:500", message(payload.MainMode, 9, 0, 0, 0, offer(t, b))))
	b.drain()
	s := b.mux.Statistics()
	require.Equal(t, []int{2, 5, 1}, []int{s.InvalidCookies - was.InvalidCookies, s.InvalidPackets - was.InvalidPackets, s.ReceiveFailures - was.ReceiveFailures})
	require.Equal(t, was.MainModes, s.MainModes)
	require.Equal(t, was.NegotiationFailures, s.NegotiationFailures)
}

// The outcomes are reported as they come: of main mode before quick mode, of a
// refusal with who found it.
func TestAudit(t *testing.T) {
	n, a, b := newPair(t)
	var heard []ike.Audit
	a.config.Audit = func(x ike.Audit) { heard = append(heard, x) }
	a.reboot()
	a.request(b)
	n.run(time.Second)
	require.Len(t, heard, 2)
	main, quick := heard[0], heard[1]
	require.False(t, main.QuickMode)
	require.Equal(t, ike.AuditEstablished, main.State)
	require.Equal(t, "10.0.0.2", main.PeerID)
	require.True(t, quick.QuickMode)
	require.Equal(t, 1, len(quick.InSPIs))
	require.Contains(t, a.in, said{quick.Proposal.Transforms[0].Protocol, quick.InSPIs[0]})
	require.Contains(t, a.out, said{quick.Proposal.Transforms[0].Protocol, quick.OutSPIs[0]})

	b.refuses = true
	a.request(b)
	n.run(2 * time.Second)
	require.Len(t, heard, 3)
	require.Equal(t, ike.AuditFailed, heard[2].State)
	require.True(t, heard[2].PeerFound(), "%v", heard[2].Err)
	require.Zero(t, heard[2].MainModeEvent())

	a.mux.Shutdown(n.now)
	a.drain()
	require.Len(t, heard, 4)
	require.Equal(t, ike.AuditEnded, heard[3].State)
	require.Equal(t, ike.CodePolicyChange, ike.CodeOf(heard[3].Err))
}
