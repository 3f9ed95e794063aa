package ikev1

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// microsoft is a pair of sides that are versions of Windows, with main mode behind them.
func microsoft(t *testing.T, vendor []byte) (i, r *side) {
	i, r = newSide(t, 1), newSide(t, 2)
	for _, s := range []*side{i, r} {
		s.config.VendorIDs = [][]byte{vendor}
		s.config.ReliableDelete.Enabled = true
	}
	beginWith(i, r)
	i.establish(r)
	return i, r
}

// The hashes of MS-IKEE, 3.8.4.1 and 3.8.5.1, under the SKEYID_a of the worked example
// of TestKnownAnswers. Calculated with CPython's hashlib and hmac. Message ID 0badf00d,
// nonces 00..1f and 20..3f, a Delete of the ESP SPI a1b2c3d4.
func TestHashesOfReliableDelete(t *testing.T) {
	sa := &SA{keys: &keys{hash: suite.HashNamed("sha1"), a: unhex(t, "6a69bec01ca109c55f85669353e385036347a7a9")}}
	d := payload.Delete{DOI: payload.DOIIPsec, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{unhex(t, "a1b2c3d4")}}
	rest := func(nonce []byte) []byte { return payload.Append(nil, payload.Nonce{Data: nonce}, d) }
	require.Equal(t, "24ef67b53980ab3256b2cc12ae3f3ce64e3becd1", hex.EncodeToString(sa.hash1(0x0badf00d)(rest(run(0, 32)))))
	require.Equal(t, "755928d6abef5a972c5da4c74862a8d6584dc81d", hex.EncodeToString(sa.deleteHash2(0x0badf00d, run(0, 32))(rest(run(0x20, 32)))))
}

func TestReliableDelete(t *testing.T) {
	i, r := microsoft(t, microsoft4)
	i.sa.SendDelete(now, ipsec.ESP, []uint32{0xa1b2c3d4})
	i.drain()
	first := i.take()
	r.give(first)
	require.Equal(t, []ike.Event{ike.EventDeleteSAs{Remote: endpoint(1).Addr(), Protocol: ipsec.ESP, SPIs: []uint32{0xa1b2c3d4}}}, r.events)
	second := r.take()
	require.NotEqual(t, first, second)
	require.Equal(t, first[20:24], second[20:24], "the message ID is that of message 1")

	// Lost, it comes again after a second, byte for byte, and gets the same answer.
	at, ok := i.sa.NextDeadline()
	require.True(t, ok)
	require.Equal(t, now.Add(time.Second), at)
	i.sa.Advance(at)
	i.drain()
	require.Equal(t, first, i.take())
	r.give(first)
	require.Contains(t, r.note(), "a copy of message 1")
	require.Equal(t, second, r.take())
	require.Len(t, r.events, 1, "a copy deletes nothing more")

	// Forged, altered or of somebody else, the answer changes nothing.
	bad := append([]byte(nil), second...)
	bad[len(bad)-1] ^= 1
	i.give(bad)
	require.Contains(t, i.note(), "ignored: answer to a Delete")
	i.give(first)
	require.Contains(t, i.note(), "our own message came back")
	require.Len(t, i.sa.deletions, 1)
	i.give(second)
	require.Empty(t, i.sa.deletions)
	require.True(t, i.sa.Established() && r.sa.Established())
	at, _ = i.sa.NextDeadline()
	require.True(t, at.After(now.Add(time.Hour)), "nothing is repeated any more")
}

// The answer must be of what was deleted.
func TestReliableDeleteOfAnother(t *testing.T) {
	i, r := microsoft(t, microsoft4)
	i.sa.SendDelete(now, ipsec.ESP, []uint32{0xa1b2c3d4})
	i.drain()
	first := i.take()
	d := i.sa.deletions[0]
	for name, ps := range map[string][]payload.Payload{
		"another SPI": {payload.Nonce{Data: run(0, 32)}, payload.Delete{DOI: payload.DOIIPsec, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{{1, 2, 3, 4}}}},
		"no nonce":    {payload.Delete{DOI: payload.DOIIPsec, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{unhex(t, "a1b2c3d4")}}},
		"no Delete":   {payload.Nonce{Data: run(0, 32)}},
	} {
		msg, _, _ := r.sa.hashed(payload.Informational, d.mid, d.iv, r.sa.deleteHash2(d.mid, d.ni), ps...)
		i.give(msg)
		require.Contains(t, i.note(), "it is not of what was deleted", name)
		require.Len(t, i.sa.deletions, 1, name)
	}
	r.give(first)
	i.give(r.take())
	require.Empty(t, i.sa.deletions)
}

// A main mode of which nobody acknowledges the end is kept until the schedule is over.
func TestReliableDeleteOfAMainMode(t *testing.T) {
	for _, row := range []struct {
		retransmissions int
		want            []time.Duration
	}{
		{0, []time.Duration{1, 3, 7, 15, 31, 47}}, // MS-IKEE, product note 24
		{4, []time.Duration{1, 3, 7, 15}},         // 3.8.6.1
	} {
		i, r := microsoft(t, microsoft4)
		i.config.ReliableDelete.Retransmissions = row.retransmissions
		i.sa.Kill(now, "deleted", ike.Errorf(ike.CodePolicyChange, 0, "over"), true)
		i.drain()
		first := i.take()
		var copies []time.Duration
		var at time.Time
		for !i.sa.Dead() {
			at, _ = i.sa.NextDeadline()
			i.sa.Advance(at)
			i.drain()
			if len(i.out) > 0 {
				require.Equal(t, first, i.take())
				copies = append(copies, at.Sub(now)/time.Second)
			}
		}
		require.Equal(t, row.want, copies)

		r.give(first)
		require.True(t, r.sa.Gone())
		second := r.take()
		r.give(first)
		require.Equal(t, second, r.take(), "also when the main mode is gone")
	}
}

func TestReliableDeleteIsAcknowledgedAtTheEnd(t *testing.T) {
	i, r := microsoft(t, microsoft4)
	i.sa.Kill(now, "deleted", ike.Errorf(ike.CodePolicyChange, 0, "over"), true)
	i.drain()
	require.False(t, i.sa.Dead())
	r.give(i.take())
	i.give(r.take())
	require.True(t, i.sa.Dead())
}

// Who does not acknowledge Deletes is sent a plain one, once.
func TestPlainDelete(t *testing.T) {
	for name, prepare := range map[string]func(i, r *side){
		"not a Microsoft peer": func(i, r *side) { r.config.VendorIDs = nil },
		"Windows 2000":         func(i, r *side) { r.config.VendorIDs = [][]byte{unhexed("1e2b516905991c7d7c96fcbfb587e46100000002")} },
		"switched off here":    func(i, r *side) { i.config.ReliableDelete.Enabled = false },
	} {
		t.Run(name, func(t *testing.T) {
			i, r := newSide(t, 1), newSide(t, 2)
			for _, s := range []*side{i, r} {
				s.config.VendorIDs = [][]byte{microsoft4}
				s.config.ReliableDelete.Enabled = true
			}
			prepare(i, r)
			beginWith(i, r)
			i.establish(r)
			i.sa.SendDelete(now, ipsec.ESP, []uint32{7})
			i.drain()
			require.Empty(t, i.sa.deletions)
			r.give(i.take())
			require.Len(t, r.events, 1)
			require.Empty(t, r.out, "nothing is acknowledged")
		})
	}
}

// A peer that does not know the extension reads message 1 as a Delete, and says nothing.
func TestReliableDeleteToOthers(t *testing.T) {
	i, r := microsoft(t, microsoft4)
	r.config.ReliableDelete.Enabled = false
	i.sa.SendDelete(now, ipsec.AH, []uint32{7})
	i.drain()
	r.give(i.take())
	require.Len(t, r.events, 1)
	require.Empty(t, r.out)
}

func TestReliableDeletesAreBounded(t *testing.T) {
	i, r := microsoft(t, microsoft4)
	for n := range uint32(maxDeletions + 10) {
		i.sa.SendDelete(now, ipsec.ESP, []uint32{n + 1})
	}
	i.drain()
	require.Len(t, i.sa.deletions, maxDeletions)
	require.Len(t, i.out, maxDeletions+10)
	i.out = nil
	for n := range uint32(maxAnswered + 10) {
		r.give(i.forge(payload.Informational, n+1, payload.Nonce{Data: run(0, 32)},
			payload.Delete{DOI: payload.DOIIPsec, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{{0, 0, 0, 1}}}))
	}
	require.Len(t, r.sa.answered, maxAnswered)
}
