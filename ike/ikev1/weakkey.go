package ikev1

import (
	"errors"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// A weak key of DES, or one of 3DES that makes it single DES, is rejected, and
// another SA asked for: RFC 2405 and RFC 2451, Section 2.3. KEYMAT is not
// searched on for a better key, as SKEYID_e is in phase 1 (RFC 2409, Appendix B):
// no document says so, and the peer would have to do alike. Nonces change all of
// KEYMAT, so that the responder, which sees the keys before it answers, draws
// another nonce. An initiator whose peer does not look gives up the exchange and
// starts another.

// maxNonces bounds the draws: one in 2^52 keys of DES is weak, so that a second
// one in a row tells of something else that is wrong.
const maxNonces = 10

// weakKey is the error about a weak key of either SA; nil when there is none. The
// nonces and the SPIs are known.
func (q *quick) weakKey() error {
	in, out := q.saPairs()
	for _, sa := range slices.Concat(in, out) {
		c := suite.CipherNamed(sa.Transform.Cipher)
		if c == nil || !c.CBC() {
			continue
		}
		if _, err := c.NewBlock(sa.CipherKey); errors.Is(err, suite.ErrWeakKey) {
			return ike.Errorf(ike.CodeProcessing, payload.NotifyInvalidKeyInformation, "KEYMAT gives %v SA 0x%08x a weak key: %v", sa.Direction, sa.SPI, err)
		}
	}
	return nil
}

// drawNonce draws the responder's nonce, under which no key is weak.
func (q *quick) drawNonce() (err error) {
	cfg := q.sa.env.Config
	for range maxNonces {
		if q.nr, err = cfg.Random(cfg.NonceLength()); err != nil {
			return err
		}
		if err = q.weakKey(); err == nil {
			return nil
		}
	}
	return err
}

// again gives up an exchange that we started, because of a fault that another one
// is not likely to have, and tells the peer.
func (q *quick) again(now time.Time, fault error) {
	if n := ike.NotifyOf(fault); n != 0 {
		q.notify(now, n)
	}
	q.abandon(fault)
	q.sa.forget(q)
	q.sa.emit(ike.EventUnserved{Request: q.request, Attempts: q.attempts, Err: fault})
	q.sa.retire(now)
}
