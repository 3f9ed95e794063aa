package ikev1

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// A peer that knows the pre-shared key proves so with whatever identity and
// payloads beside its hash, in message 5 or 6. If that is not accepted, it has
// either ended the main mode, as a genuine message with a bad identity does, or
// changed nothing.
func FuzzProof(f *testing.F) {
	address := payload.Body(payload.ID{IDType: payload.IDIPv4, Data: []byte{10, 0, 0, 1}})
	contact := payload.Body(payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyInitialContact, SPI: make([]byte, 16)})
	lifetime := payload.Body(ike.ResponderLifetime(payload.ProtocolISAKMP, nil, ipsec.Lifetime{Duration: time.Minute}))
	for _, m5 := range []bool{true, false} {
		f.Add(m5, address, uint8(payload.TypeNotify), contact)
		f.Add(m5, address, uint8(payload.TypeNotify), lifetime)
		f.Add(m5, address[:3], uint8(payload.TypeDelete), []byte{0, 0, 0, 1, 1, 16})
		f.Add(m5, []byte{2, 6, 1, 244, 'x'}, uint8(payload.TypeCert), []byte{})
	}
	f.Fuzz(func(t *testing.T, m5 bool, id []byte, kind uint8, beside []byte) {
		if len(id)+len(beside) > 60000 {
			return
		}
		i, r := begin(t)
		i.give(r.take())
		r.give(i.take())
		i.give(r.take())
		genuine := i.take()
		peer, victim, iv := i, r, r.sa.iv
		if !m5 {
			r.give(genuine)
			genuine = r.take()
			peer, victim, iv = r, i, i.sa.iv
		}
		sa := peer.sa
		own, other := sa.cookies.Initiator, sa.cookies.Responder
		public, peers := i.sa.private.Public(), i.sa.peerKE
		if !m5 {
			own, other, public, peers = other, own, peers, public
		}
		hash := i.sa.keys.authHash(public, peers, own, other, i.sa.sai, id)
		b, _ := sa.sealed(payload.MainMode, 0, iv, payload.Raw{T: payload.TypeID, Data: id}, payload.Hash{Data: hash}, payload.Raw{T: payload.Type(kind), Data: beside})
		victim.give(b)
		if !victim.sa.Established() && !victim.sa.Dead() {
			victim.give(genuine)
			require.True(t, victim.sa.Established(), "the genuine message is accepted: %s", victim.note())
		}
		require.LessOrEqual(t, len(victim.out), 3)
		require.Zero(t, victim.spis)
		require.Equal(t, victim.sa.Dead(), victim.sa.Err() != nil)
	})
}
