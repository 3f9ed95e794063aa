package ikev1

import (
	"crypto/cipher"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// revised is the symmetric half of the revised mode of public key encryption,
// RFC 2409, Section 5.3: the payloads of one side are encrypted with a key made
// of its nonce, one after the other.
type revised struct {
	block cipher.Block
	iv    []byte // zero for the first, then the last block of the one before
}

// newRevised makes the key of the side whose nonce it is: Ne = prf(nonce, cookie of
// the side), K1 = prf(Ne, 0), K2 = prf(Ne, K1) …; nil where the cipher does not take it.
func newRevised(sa *SA, nonce []byte, initiator bool) *revised {
	h, cookie := sa.hash(), sa.cookies.Responder
	if initiator {
		cookie = sa.cookies.Initiator
	}
	c := sa.cipher()
	ne := h.PRF(nonce, cookie[:])
	key := expand(c.KeyLen, func(last []byte) []byte {
		if last == nil {
			last = []byte{0}
		}
		return h.PRF(ne, last)
	})
	block, err := c.NewBlock(key)
	if err != nil {
		return nil
	}
	return &revised{block: block, iv: make([]byte, block.BlockSize())}
}

// seal encrypts the body of a payload. There is always padding: zeros, and how many of them (RFC 2409, Section 5.3).
func (r *revised) seal(p payload.Payload) payload.Payload {
	body := payload.Body(p)
	bs := r.block.BlockSize()
	zeros := bs - 1 - len(body)%bs
	out := append(append(body, make([]byte, zeros)...), byte(zeros))
	cipher.NewCBCEncrypter(r.block, r.iv).CryptBlocks(out, out)
	r.iv = out[len(out)-bs:]
	return payload.Raw{T: p.Type(), Data: out}
}

// open decrypts the KE and ID payloads of a message, which are in this order.
func (r *revised) open(m *message) (ke, id []byte, err error) {
	var bodies [2][]byte
	for i, t := range []payload.Type{payload.TypeKE, payload.TypeID} {
		item, err := m.only(t)
		if err != nil {
			return nil, nil, err
		}
		if bodies[i], err = r.openOne(item.Body()); err != nil {
			return nil, nil, err
		}
	}
	return bodies[0], bodies[1], nil
}

func (r *revised) openOne(b []byte) ([]byte, error) {
	bs := r.block.BlockSize()
	if len(b) == 0 || len(b)%bs != 0 {
		return nil, errSealed
	}
	out := make([]byte, len(b))
	cipher.NewCBCDecrypter(r.block, r.iv).CryptBlocks(out, b)
	r.iv = b[len(b)-bs:]
	zeros := int(out[len(out)-1])
	if zeros >= bs {
		return nil, errSealed
	}
	return out[:len(out)-1-zeros], nil
}
