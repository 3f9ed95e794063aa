package ikev1

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// relay passes on what the other victim has shown, in place of a proof of its own, and takes any proof.
type relay struct {
	method
	shown []payload.Payload
}

func (r *relay) prove(time.Time) ([]payload.Payload, error) { return r.shown, nil }

func (r *relay) check(_ time.Time, m *message) error {
	for _, item := range m.chain {
		r.shown = append(r.shown, item.Payload)
	}
	return nil
}

// A man in the middle of a main mode with signatures: he makes a Diffie–Hellman
// exchange with either side and so has the keys of both, and passes on identities,
// certificates and signatures, which are genuine. They are of other public values.
func TestManInTheMiddle(t *testing.T) {
	for _, m := range []ike.AuthMethod{ike.RSASignature, ike.DSSSignature} {
		t.Run(fmt.Sprint(m), func(t *testing.T) {
			victims, _ := keyed(t, m, false)
			middle, _ := keyed(t, m, false)
			i, r, toR, toI := victims[0], victims[1], middle[0], middle[1]
			toR.config.Rand, toI.config.Rand = newSide(t, 77).config.Rand, newSide(t, 78).config.Rand
			beginWith(i, toI)
			beginWith(toR, r)
			var passed relay
			for _, pair := range [][2]*side{{i, toI}, {toR, r}} {
				initiator, responder := pair[0], pair[1]
				initiator.give(responder.take())
				responder.give(initiator.take())
				if initiator == toR {
					initiator.sa.method = &relay{method: initiator.sa.method, shown: passed.shown}
				}
				initiator.give(responder.take())
				if responder == toI {
					passed.method = responder.sa.method
					responder.sa.method = &passed
				}
				responder.give(initiator.take()) // message 5
			}
			require.True(t, toI.sa.Established(), "he has the keys of the initiator's side")
			require.Len(t, passed.shown, 4, "identity, certificate, signature and a request")
			require.False(t, r.sa.Established())
			require.Contains(t, r.note(), "message 5 is awaited; the peer's signature does not verify")
			i.give(toI.take()) // message 6
			require.False(t, i.sa.Established())
			require.Contains(t, i.note(), "message 6 is awaited")
		})
	}
}
