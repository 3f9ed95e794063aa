package ikev1

import (
	"bytes"
	"crypto/sha1"
	"hash"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Nobody can find nonces that give a weak key, one in 2^52. So the PRF of these
// tests is that of SHA-1 but for one thing: KEYMAT, the only PRF under SKEYID_d,
// is a given digest again and again for as many nonces of the responder as asked.

// weakening makes KEYMAT weak for the first nonces that it meets.
type weakening struct {
	skeyidD []byte
	digest  []byte // what KEYMAT consists of
	nonces  [][]byte
	left    int
}

// spoils reports whether KEYMAT is weak under a nonce of the responder.
func (w *weakening) spoils(nr []byte) bool {
	for _, n := range w.nonces {
		if bytes.Equal(n, nr) {
			return true
		}
	}
	if w.left == 0 {
		return false
	}
	w.left--
	w.nonces = append(w.nonces, bytes.Clone(nr))
	return true
}

// marker is what the inner hash of a weak KEYMAT is.
var marker = bytes.Repeat([]byte{0xee}, sha1.Size)

// weakHash is one hash of an HMAC, RFC 2104: of the key with 0x36 and the text,
// or of the key with 0x5c and the inner hash.
type weakHash struct {
	hash.Hash
	weakening   *weakening
	first, last []byte // written
}

func (h *weakHash) Write(b []byte) (int, error) {
	if h.first == nil {
		h.first = bytes.Clone(b)
	}
	h.last = bytes.Clone(b)
	return h.Hash.Write(b)
}

func (h *weakHash) Reset() { h.first = nil; h.Hash.Reset() }

func (h *weakHash) Sum(b []byte) []byte {
	padded := func(pad byte) []byte {
		block := bytes.Repeat([]byte{pad}, sha1.BlockSize)
		for i, k := range h.weakening.skeyidD {
			block[i] ^= k
		}
		return block
	}
	switch {
	case bytes.Equal(h.first, padded(0x36)) && h.weakening.spoils(h.last):
		return append(b, marker...)
	case bytes.Equal(h.first, padded(0x5c)) && bytes.Equal(h.last, marker):
		return append(b, h.weakening.digest...)
	}
	return h.Hash.Sum(b)
}

// weaken gives a side the PRF of the tests.
func (s *side) weaken(w *weakening) {
	require.Equal(s.t, "sha1", s.sa.keys.hash.Name)
	w.skeyidD = s.sa.keys.d
	s.sa.keys.hash = &suite.Hash{Name: "sha1", Size: sha1.Size, New: func() hash.Hash { return &weakHash{Hash: sha1.New(), weakening: w} }}
}

// weakKeys are transforms and digests that make KEYMAT weak for them.
var weakKeys = []struct {
	name      string
	transform ipsec.Transform
	digest    string
}{
	{"DES", ipsec.Transform{Protocol: ipsec.ESP, Cipher: "des-cbc", Auth: "hmac-sha1-96"}, "01fe01fe01fe01fe" + "0123456789abcdef" + "00000000"},
	{"3DES with two equal parts in front, but for parity", ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"},
		"0123456789abcdef" + "0022446688aaccee" + "00000000"},
	// The digest begins again after 20 bytes.
	{"3DES with two equal parts behind", ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-md5-96"},
		"0123456789abcdef" + "aabbccdd01234567" + "aabbccdd"},
}

func weakPair(t *testing.T, tr ipsec.Transform) (i, r *side) {
	i, r = establish(t)
	for _, s := range []*side{i, r} {
		s.quick.Proposals[0].Transforms = []ipsec.Transform{tr}
	}
	return i, r
}

// pairOf is the pair that a side was given; there must be one.
func (s *side) pairOf() (in, out ipsec.SAParams) {
	s.t.Helper()
	for _, e := range s.events {
		if e, ok := e.(ike.EventSAs); ok {
			return e.In[0], e.Out[0]
		}
	}
	require.Fail(s.t, "no SAs", "%v", s.events)
	return in, out
}

// The responder draws nonces until the keys are good, so that the peer never
// meets a weak one.
func TestResponderDrawsAnotherNonce(t *testing.T) {
	for _, c := range weakKeys {
		i, r := weakPair(t, c.transform)
		w := &weakening{digest: unhex(t, c.digest), left: 2}
		i.weaken(w)
		r.weaken(w)
		i.start()
		r.give(i.take())
		require.Len(t, w.nonces, 2, "two draws were weak")
		i.give(r.take())
		r.give(i.take())
		in, out := i.pairOf()
		peerIn, peerOut := r.pairOf()
		require.Equal(t, in.CipherKey, peerOut.CipherKey)
		require.Equal(t, out.CipherKey, peerIn.CipherKey)
		for _, key := range [][]byte{in.CipherKey, out.CipherKey} {
			_, err := suite.CipherNamed(c.transform.Cipher).NewBlock(key)
			require.NoError(t, err)
		}
	}
}

// A source of randomness that gives nothing but weak keys is not asked for ever.
func TestResponderGivesUp(t *testing.T) {
	i, r := weakPair(t, weakKeys[0].transform)
	r.weaken(&weakening{digest: unhex(t, weakKeys[0].digest), left: 100})
	i.start()
	r.give(i.take())
	require.Equal(t, payload.NotifyInvalidKeyInformation, i.told(r.take()))
	require.Zero(t, r.spis, "the SPI is released")
}

// An initiator whose peer has not looked rejects the keys, tells the peer, and
// asks for another SA (RFC 2451, Section 2.3).
func TestInitiatorAsksForAnotherSA(t *testing.T) {
	for _, c := range weakKeys {
		t.Run(c.name, func(t *testing.T) {
			i, r := weakPair(t, c.transform)
			w := &weakening{digest: unhex(t, c.digest), left: 1}
			i.weaken(w)
			i.start()
			r.give(i.take())
			i.give(r.take())
			require.Len(t, w.nonces, 1)
			require.Zero(t, i.spis, "the SPI is released")
			require.Len(t, i.events, 1)
			again := i.events[0].(ike.EventUnserved)
			require.Equal(t, request.ID, again.Request.ID)
			require.Equal(t, 1, again.Attempts)
			require.ErrorContains(t, again.Err, "a weak key: suite: "+c.transform.Cipher)
			require.Equal(t, "failed", i.lastNegotiation().State)

			r.give(i.take())
			require.Equal(t, "failed", r.lastNegotiation().State, "the peer knows")
			require.Zero(t, r.spis)
			require.IsType(t, ike.EventInboundGone{}, r.events[len(r.events)-1])

			// What the mux does with it: the same request, once more.
			i.events = nil
			i.sa.StartQuickMode(now, again.Request, again.Attempts+1)
			i.drain()
			r.give(i.take())
			i.give(r.take())
			in, _ := i.pairOf()
			require.NotZero(t, in.SPI)
		})
	}
}

func (s *side) lastNegotiation() (n trace.Negotiation) {
	for _, b := range s.log {
		if b, ok := b.(trace.Negotiation); ok {
			n = b
		}
	}
	return n
}
