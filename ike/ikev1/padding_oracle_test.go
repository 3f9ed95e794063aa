package ikev1

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// replace puts another body into the one payload of a type of a message in the clear.
func replace(t *testing.T, msg []byte, of payload.Type, body []byte) []byte {
	t.Helper()
	h, err := payload.ParseHeader(msg)
	require.NoError(t, err)
	chain, _, err := payload.Split(h.Next, msg[payload.HeaderLen:])
	require.NoError(t, err)
	var ps []payload.Payload
	for _, item := range chain {
		p := payload.Raw{T: item.Payload.Type(), Data: item.Body()}
		if p.T == of {
			p.Data = body
		}
		ps = append(ps, p)
	}
	b := payload.Append(h.Append(nil), ps...)
	payload.SetLength(b)
	return b
}

// Whoever has overheard a ciphertext and tries others like it at a host learns nothing of
// whether they decrypt: the attack of Bleichenbacher asks for no more than that. The nonces of
// messages 3 and 4 of main mode, of 1 and 2 of aggressive mode are ciphertexts that anybody can replace.
func TestNoOracleOfPadding(t *testing.T) {
	for _, method := range []ike.AuthMethod{ike.RSAEncryption, ike.RevisedRSAEncryption} {
		for _, initiator := range []bool{false, true} {
			answers := map[string]string{}
			for name, plain := range map[string][]byte{"noise": nil, "a nonce": make([]byte, 20), "a longer one": make([]byte, 64), "too short": {1}} {
				sides, _ := keyed(t, method, false)
				i, r := sides[0], sides[1]
				beginWith(i, r)
				i.give(r.take())
				m, victim := i.take(), r
				if initiator {
					r.give(m)
					m, victim = r.take(), i
				}
				body := bytes.Repeat([]byte{1}, 128)
				if plain != nil {
					var err error
					own := victim.policy.Auth[0].Certificates.(*keyring).own
					body, err = own.Public().Encrypt(rand.NewChaCha8([32]byte{9}), plain)
					require.NoError(t, err)
				}
				victim.give(replace(t, m, payload.TypeNonce, body))
				var sent []int
				for _, b := range victim.out {
					sent = append(sent, len(b))
				}
				answers[name] = fmt.Sprint(sent, victim.sa.Dead())
			}
			for name, a := range answers {
				require.Equal(t, answers["a nonce"], a, "%v, initiator %v: %s", method, initiator, name)
			}
		}
	}
}
