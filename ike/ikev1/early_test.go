package ikev1

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Which block of ciphertext is the IV of a notification before the end of main mode,
// MS-IKEE, product note 12. The version is that of the one who is told.
func TestProtectedRefusal(t *testing.T) {
	vista, seven := microsoft4, unhexed("1e2b516905991c7d7c96fcbfb587e46100000007")
	for _, row := range []struct {
		name      string
		vendor    []byte
		refuses6  bool // the initiator message 6, else the responder message 5
		lastSent  bool // the IV is the last block that the one who refuses has sent
		protected bool
	}{
		{"message 5, to Server 2003", vista, false, true, true},
		{"message 5, to Windows 7", seven, false, false, true},
		{"message 5, to others", nil, false, false, true},
		{"message 6, to Server 2003", vista, true, true, true},
		{"message 6, to Windows 7", seven, true, false, true},
		{"message 6, to others", nil, true, false, true},
		{"in the clear", vista, false, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			i, r := newSide(t, 1), newSide(t, 2)
			for _, s := range []*side{i, r} {
				s.config.ProtectNotify = row.protected
				if row.vendor != nil {
					s.config.VendorIDs = [][]byte{row.vendor}
				}
			}
			beginWith(i, r)
			i.give(r.take())
			r.give(i.take())
			i.give(r.take())
			first := i.sa.keys.iv(i.sa.private.Public(), r.sa.private.Public())
			from, to, sent, sentBefore := i, r, i.take(), []byte(nil)
			if row.refuses6 {
				r.give(sent)
				from, to, sentBefore, _ = r, i, sent, r.take()
			}
			// The proof is wrong, under the right keys.
			iv := first
			if row.refuses6 {
				iv = sentBefore[len(sentBefore)-8:]
			}
			id := payload.ID{IDType: payload.IDIPv4, Data: from.sa.local.Addr().AsSlice()}
			bad, _ := from.sa.sealed(payload.MainMode, 0, iv, id, payload.Hash{Data: run(0, 20)})
			from.sa.last.msg = bad
			to.give(bad)
			told := to.take()
			h, err := payload.ParseHeader(told)
			require.NoError(t, err)
			require.Equal(t, row.protected, h.Flags&payload.Encrypted != 0)
			if !row.protected {
				return
			}
			want := bad[len(bad)-8:]
			if row.lastSent {
				if want = first; row.refuses6 {
					want = sentBefore[len(sentBefore)-8:]
				}
			}
			m := &message{Header: h, raw: told}
			require.NoError(t, m.authenticate(from.sa.keys, want, from.sa.hash1(h.MessageID)))

			altered := bytes.Clone(told)
			altered[len(altered)-1] ^= 1
			state := from.sa.state
			from.give(altered)
			require.Contains(t, from.note(), "ignored: informational")
			require.Equal(t, state, from.sa.state)
			from.give(told)
			require.Empty(t, from.note(), "it is read, whichever IV it has")
			if !row.refuses6 {
				require.ErrorIs(t, from.sa.Err(), &ike.PeerError{Notify: payload.NotifyAuthenticationFailed})
				require.True(t, from.sa.Dead())
			}
		})
	}
}
