package ikev1

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Two ends that make the same mistake agree, and no peer of theirs notices: that
// the secret is missing in the keys, that a nonce, a cookie or an IV is the wrong
// one. So here an onlooker has the nine messages of a main mode and a quick mode
// with perfect forward secrecy (claim C121), the pre-shared key, and the two private
// keys of the initiator. What else there is to know he computes with crypto/hmac and
// crypto/des after RFC 2409, Section 5 and Appendix B: each message decrypts, each
// hash is right, and the SAs have the keys that follow.
type onlooker struct {
	t              *testing.T
	skeyid, d, a   []byte
	block          cipher.Block
	iv             []byte // for the next message
	ci, cr         []byte
	sai            []byte
	keI, keR       []byte
	nonceI, nonceR []byte
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func prf(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha1.New, key)
	m.Write(concat(parts...))
	return m.Sum(nil)
}

func firstBlock(parts ...[]byte) []byte {
	sum := sha1.Sum(concat(parts...))
	return sum[:des.BlockSize]
}

// values reads the KE and Nonce payloads of a message.
func (o *onlooker) values(chain []payload.Item) (ke, nonce []byte) {
	o.t.Helper()
	k, _, err := payload.One[payload.KeyExchange](chain)
	require.NoError(o.t, err)
	n, _, err := payload.One[payload.Nonce](chain)
	require.NoError(o.t, err)
	return k.Data, n.Data
}

// phase1 derives the keys from messages 1 to 4.
func (o *onlooker) phase1(messages [][]byte, psk []byte, secretOf func(peer []byte) []byte) {
	m1, m2 := messages[0], messages[1]
	o.ci, o.cr = m2[:8], m2[8:16]
	o.sai = m1[payload.HeaderLen+4 : payload.HeaderLen+int(binary.BigEndian.Uint16(m1[payload.HeaderLen+2:]))]
	for n, of := range []struct{ ke, nonce *[]byte }{{&o.keI, &o.nonceI}, {&o.keR, &o.nonceR}} {
		chain, _, err := payload.Parse(payload.TypeKE, messages[2+n][payload.HeaderLen:])
		require.NoError(o.t, err)
		*of.ke, *of.nonce = o.values(chain)
	}
	gxy := secretOf(o.keR)
	o.skeyid = prf(psk, o.nonceI, o.nonceR)
	o.derive(gxy)
}

// derive makes the keys and the first IV of SKEYID.
func (o *onlooker) derive(gxy []byte) {
	o.d = prf(o.skeyid, gxy, o.ci, o.cr, []byte{0})
	o.a = prf(o.skeyid, o.d, gxy, o.ci, o.cr, []byte{1})
	e := prf(o.skeyid, o.a, gxy, o.ci, o.cr, []byte{2})
	k1 := prf(e, []byte{0})
	var err error
	o.block, err = des.NewTripleDESCipher(concat(k1, prf(e, k1))[:24])
	require.NoError(o.t, err)
	o.iv = firstBlock(o.keI, o.keR)
}

// decrypt takes a message apart: its payloads, and the bytes behind the first one.
func (o *onlooker) decrypt(m []byte) (chain []payload.Item, rest []byte) {
	o.t.Helper()
	plain := bytes.Clone(m[payload.HeaderLen:])
	cipher.NewCBCDecrypter(o.block, o.iv).CryptBlocks(plain, plain)
	o.iv = m[len(m)-des.BlockSize:]
	chain, padding, err := payload.Split(payload.Type(m[16]), plain)
	require.NoError(o.t, err)
	require.NoError(o.t, payload.Decode(chain))
	require.Empty(o.t, bytes.Trim(padding, "\x00"), "padding of zeros")
	return chain, plain[len(chain[0].Raw) : len(plain)-len(padding)]
}

// proof checks message 5 or 6.
func (o *onlooker) proof(m, own, other, cookie, otherCookie []byte, last byte) {
	o.t.Helper()
	chain, _ := o.decrypt(m)
	id := []byte{1, 0, 0, 0, 10, 0, 0, last}
	require.Equal(o.t, id, chain[0].Body())
	require.Equal(o.t, prf(o.skeyid, own, other, cookie, otherCookie, o.sai, id), chain[1].Body())
}

func TestNegotiationRecomputed(t *testing.T) {
	i, r := newSide(t, 1), newSide(t, 2)
	for _, s := range []*side{i, r} {
		s.quick.PFS, s.quick.PFSGroup = true, 2
	}
	var messages [][]byte
	var err error
	i.sa, err = Initiate(&i.env, now, endpoint(1), endpoint(2), i.policy)
	require.NoError(t, err)
	i.drain()
	messages = append(messages, i.take())
	h, err := payload.ParseHeader(messages[0])
	require.NoError(t, err)
	r.sa = Respond(&r.env, now, endpoint(2), endpoint(1), h, messages[0], r.policy)
	r.drain()
	pass := func(from, to *side) {
		m := from.take()
		messages = append(messages, m)
		to.give(m)
	}
	pass(r, i)
	x := i.sa.private
	require.NotNil(t, x)
	for range 2 {
		pass(i, r)
		pass(r, i)
	}
	secret := func(key interface{ Shared([]byte) ([]byte, error) }) func([]byte) []byte {
		return func(peer []byte) []byte {
			b, err := key.Shared(peer)
			require.NoError(t, err)
			return b
		}
	}
	o := &onlooker{t: t}
	o.phase1(messages[:4], []byte("psk"), secret(x))
	o.proof(messages[4], o.keI, o.keR, o.ci, o.cr, 1)
	o.proof(messages[5], o.keR, o.keI, o.cr, o.ci, 2)

	i.start()
	y := i.sa.quicks[0].private
	pass(i, r)
	pass(r, i)
	pass(i, r)
	mid := messages[6][20:24]
	o.iv = firstBlock(o.iv, mid)
	chain, rest := o.decrypt(messages[6])
	_, ni := o.values(chain)
	require.Equal(t, prf(o.a, mid, rest), chain[0].Body(), "HASH(1)")
	chain, rest = o.decrypt(messages[7])
	ke, nr := o.values(chain)
	require.Equal(t, prf(o.a, mid, ni, rest), chain[0].Body(), "HASH(2)")
	chain, _ = o.decrypt(messages[8])
	require.Equal(t, prf(o.a, []byte{0}, mid, ni, nr), chain[0].Body(), "HASH(3)")

	in, out := i.pairOf()
	peerIn, peerOut := r.pairOf()
	for _, sa := range []ipsec.SAParams{in, out, peerIn, peerOut} {
		tail := concat(secret(y)(ke), []byte{3}, binary.BigEndian.AppendUint32(nil, sa.SPI), ni, nr)
		k1 := prf(o.d, tail)
		k2 := prf(o.d, k1, tail)
		require.Equal(t, concat(k1, k2, prf(o.d, k2, tail))[:24+20], concat(sa.CipherKey, sa.AuthKey), "keys of the %v SA", sa.Direction)
	}
}
