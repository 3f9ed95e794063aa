package ikev1

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// waiting is an initiator whose peer has set the commit bit and had message 3, and its quick mode.
func waiting(t *testing.T) (i, r *side, q *quick) {
	i, r = establish(t)
	i.start()
	r.give(i.take())
	b := r.take()
	b[19] |= byte(payload.Commit)
	i.give(b)
	require.Equal(t, "commit bit set", i.note())
	r.give(i.take())
	q = i.sa.quicks[0]
	require.Equal(t, quickAwaits4, q.state)
	require.IsType(t, ike.EventInbound{}, i.events[len(i.events)-1], "what the peer sends can be opened")
	return i, r, q
}

// The forms in which CONNECTED comes, and what else may come in its place.
func TestConnected(t *testing.T) {
	notify := func(n payload.NotifyType) payload.Notify {
		return payload.Notify{DOI: 1, Protocol: payload.ProtocolESP, NotifyType: n, SPI: unhexed("00001234")}
	}
	chained := func(r *side, q *quick) []byte { return q.iv }
	own := func(r *side, q *quick) []byte { return r.sa.firstIV(q.mid) }
	for _, row := range []struct {
		name string
		x    payload.Exchange
		iv   func(*side, *quick) []byte
		n    payload.NotifyType
		done bool
	}{
		{"as RFC 2408 has it", payload.Informational, chained, payload.NotifyConnected, true},
		{"with the IV of an exchange of its own", payload.Informational, own, payload.NotifyConnected, true},
		{"as a fourth quick mode message", payload.QuickMode, chained, payload.NotifyConnected, true},
		{"INITIAL-CONTACT in its place, as seen of Windows", payload.QuickMode, chained, payload.NotifyInitialContact, true},
		{"a refusal", payload.Informational, chained, payload.NotifyInvalidSPI, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			i, r, q := waiting(t)
			b, _, _ := r.sa.hashed(row.x, q.mid, row.iv(r, q), r.sa.hash1(q.mid), notify(row.n))
			noise := append([]byte(nil), b...)
			noise[len(noise)-1] ^= 1
			i.give(noise)
			require.Contains(t, i.note(), "ignored")
			require.Equal(t, quickAwaits4, q.state)
			i.give(b)
			events := len(i.events)
			if !row.done {
				require.ErrorIs(t, i.events[events-1].(ike.EventFailed).Err, &ike.PeerError{Notify: row.n})
				require.Equal(t, ike.EventInboundGone{Protocol: ipsec.ESP, SPI: 0x1001}, i.events[events-2])
				require.Zero(t, i.spis)
				return
			}
			require.IsType(t, ike.EventSAs{}, i.events[events-1])
			require.Equal(t, i.events[events-2].(ike.EventInbound).In, i.events[events-1].(ike.EventSAs).In, "the same inbound SAs")
			i.give(b)
			require.Len(t, i.events, events, "a copy changes nothing")
			require.Empty(t, i.out)
		})
	}
}

// CONNECTED after a quick mode in which nobody asked for it.
func TestConnectedUnasked(t *testing.T) {
	i, r := establish(t)
	i.start()
	r.give(i.take())
	i.give(r.take())
	r.give(i.take())
	q := i.sa.quicks[0]
	for _, x := range []payload.Exchange{payload.Informational, payload.QuickMode} {
		b, _, _ := r.sa.hashed(x, q.mid, q.iv, r.sa.hash1(q.mid), payload.Notify{DOI: 1, Protocol: payload.ProtocolESP, NotifyType: payload.NotifyConnected})
		events := len(i.events)
		i.give(b)
		require.Contains(t, i.note(), "noted: the quick mode is over", x.String())
		require.Len(t, i.events, events)
	}
}

// An initiator that sets the bit has the responder wait.
func TestCommitBitOfTheInitiator(t *testing.T) {
	i, r := establish(t)
	i.start()
	b := i.take()
	b[19] |= byte(payload.Commit)
	r.give(b)
	i.give(r.take())
	r.give(i.take())
	require.Equal(t, quickAwaits4, r.sa.quicks[0].state)
	require.IsType(t, ike.EventInbound{}, r.events[len(r.events)-1])
	q := i.sa.quicks[0]
	b, _, _ = i.sa.hashed(payload.Informational, q.mid, q.iv, i.sa.hash1(q.mid), payload.Notify{DOI: 1, Protocol: payload.ProtocolESP, NotifyType: payload.NotifyConnected})
	r.give(b)
	require.IsType(t, ike.EventSAs{}, r.events[len(r.events)-1])
}

// The wait ends, and the SAs are used without CONNECTED.
func TestConnectedNeverComes(t *testing.T) {
	i, _, _ := waiting(t)
	i.sa.Advance(now.Add(7*time.Second - 1))
	i.drain()
	require.Len(t, i.out, 2, "message 3 goes out again after one second and after three")
	require.IsType(t, ike.EventInbound{}, i.events[len(i.events)-1])
	i.sa.Advance(now.Add(7 * time.Second))
	i.drain()
	require.IsType(t, ike.EventSAs{}, i.events[len(i.events)-1])
	require.Len(t, i.out, 2)
}

// The main mode ends while CONNECTED is waited for: the pair is complete, as it is at the peer.
func TestMainModeEndsBeforeConnected(t *testing.T) {
	i, r, _ := waiting(t)
	i.give(r.forge(payload.Informational, 5, payload.Delete{DOI: 1, Protocol: payload.ProtocolISAKMP, SPISize: 16, SPIs: [][]byte{i.sa.spi()}}))
	require.True(t, i.sa.Gone())
	require.IsType(t, ike.EventSAs{}, i.events[len(i.events)-2])
	require.IsType(t, ike.EventMainModeGone{}, i.events[len(i.events)-1])

	i, _, _ = waiting(t)
	i.sa.Kill(now, "deleted", ike.Errorf(ike.CodePolicyChange, 0, "the policy changed"), true)
	i.drain()
	require.IsType(t, ike.EventUnserved{}, i.events[len(i.events)-2], "but a main mode that is killed takes what is unfinished with it")
	require.Zero(t, i.spis)
}
