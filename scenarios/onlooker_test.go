package scenarios_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/dissection"
)

// onlooker reads the messages of a scenario with the codec, from the bytes that were
// captured. He has the keys of phase 1, and finds the IVs by RFC 2409, Appendix B.
type onlooker struct {
	t       *testing.T
	keys    map[payload.Cookie][]byte
	phase1s map[payload.Cookie]*phase1
}

// glance is a message as the onlooker reads it.
type glance struct {
	header   payload.Header
	payloads []payload.Payload
	padding  []byte
	refused  error // why the codec does not decode a payload
	sealed   bool  // payloads of it are encrypted with a public key, RFC 2409, Sections 5.2 and 5.3
	hidden   bool  // it is encrypted with an IV of values that nobody has seen in the clear
}

// phase1 is what is to be known of an ISAKMP SA, by its messages in the clear.
type phase1 struct {
	initiator netip.Addr
	offered   []payload.Attribute
	chosen    []payload.Attribute
	publicI   []byte
	publicR   []byte
	last      []byte            // block of phase 1
	next      map[uint32][]byte // IV for the next message of an exchange
}

func newOnlooker(t *testing.T, table string) *onlooker {
	t.Helper()
	o := &onlooker{t: t, keys: map[payload.Cookie][]byte{}, phase1s: map[payload.Cookie]*phase1{}}
	for line := range strings.Lines(table) {
		cookie, key, ok := strings.Cut(strings.TrimSpace(line), ",")
		if !ok || line[0] == '#' {
			continue
		}
		c, err := hex.DecodeString(cookie)
		require.NoError(t, err)
		k, err := hex.DecodeString(key)
		require.NoError(t, err)
		o.keys[payload.Cookie(c)] = k // of peers with different pre-shared keys the initiator comes last, who alone encrypts
	}
	return o
}

// read decodes a message and notes what the next ones are encrypted with.
func (o *onlooker) read(where string, d dissection.Datagram) (g glance) {
	o.t.Helper()
	var err error
	g.header, err = payload.ParseHeader(d.Message)
	require.NoError(o.t, err, "%s", where)
	h := g.header
	p := o.phase1s[h.CookieI]
	if p == nil {
		p = &phase1{initiator: d.Src, next: map[uint32][]byte{}}
		o.phase1s[h.CookieI] = p
	}
	body := d.Message[payload.HeaderLen:]
	encrypted := h.Flags&payload.Encrypted != 0
	if encrypted {
		// The revised mode encrypts the public values too, which make the first IV.
		g.hidden = p.attribute(payload.AttrAuthMethod) == payload.AuthRevisedRSAEncryption && p.next[h.MessageID] == nil && h.MessageID == 0
		body = o.decrypt(p, h, body)
	}
	if g.hidden {
		return g
	}
	chain, padding, err := payload.Split(h.Next, body)
	require.NoError(o.t, err, "%s", where)
	g.padding = padding
	for i := range chain {
		if err := payload.Decode(chain[i : i+1]); err != nil {
			g.refused = err
		}
		g.payloads = append(g.payloads, chain[i].Payload)
	}
	p.note(d.Src, g.payloads)
	if m := p.attribute(payload.AttrAuthMethod); !encrypted && (m == payload.AuthRSAEncryption || m == payload.AuthRevisedRSAEncryption) {
		g.unseal(chain)
	}
	return g
}

// unseal takes ciphertext for what it is the ciphertext of, as the dissector does, which cannot know better.
func (g *glance) unseal(chain []payload.Item) {
	if len(payload.All[payload.KeyExchange](chain)) == 0 {
		return
	}
	for i, item := range chain {
		switch b := item.Body(); item.Payload.Type() {
		case payload.TypeID:
			if len(b) >= 4 {
				g.payloads[i] = payload.ID{IDType: payload.IDType(b[0]), Protocol: b[1], Port: binary.BigEndian.Uint16(b[2:]), Data: b[4:]}
			}
		case payload.TypeNonce:
			g.payloads[i] = payload.Nonce{Data: b}
		}
	}
	g.sealed = true
}

// note takes the chosen transform and the public values from the messages of phase 1.
func (p *phase1) note(src netip.Addr, ps []payload.Payload) {
	for _, q := range ps {
		switch q := q.(type) {
		case *payload.SA:
			switch as := q.Proposals[0].Transforms[0].Attributes; {
			case src != p.initiator && p.chosen == nil:
				p.chosen = as
			case src == p.initiator && p.offered == nil:
				p.offered = as
			}
		case payload.KeyExchange:
			switch {
			case src == p.initiator && p.publicI == nil:
				p.publicI = q.Data
			case src != p.initiator && p.publicR == nil:
				p.publicR = q.Data
			}
		}
	}
}

// attribute is of what was chosen, and before that of the first that was offered.
func (p *phase1) attribute(class uint16) uint16 {
	as := p.chosen
	if as == nil {
		as = p.offered
	}
	for _, a := range as {
		if v, ok := a.Uint(); ok && a.Type == class {
			return uint16(v)
		}
	}
	return 0
}

func (o *onlooker) decrypt(p *phase1, h payload.Header, body []byte) []byte {
	o.t.Helper()
	key := o.keys[h.CookieI]
	require.NotNil(o.t, key, "a key for the cookie %x", h.CookieI)
	block, err := map[uint16]func([]byte) (cipher.Block, error){
		payload.EncryptionDES: des.NewCipher, payload.Encryption3DES: des.NewTripleDESCipher, payload.EncryptionAES: aes.NewCipher,
	}[p.attribute(payload.AttrEncryption)](key)
	require.NoError(o.t, err)
	ivOf := func(parts ...[]byte) []byte {
		sum := map[uint16]func() hash.Hash{
			payload.HashMD5: md5.New, payload.HashSHA1: sha1.New, payload.HashSHA256: sha256.New, payload.HashSHA384: sha512.New384, payload.HashSHA512: sha512.New,
		}[p.attribute(payload.AttrHash)]()
		for _, b := range parts {
			sum.Write(b)
		}
		return sum.Sum(nil)[:block.BlockSize()]
	}
	iv, last1 := p.next[h.MessageID], p.last
	if last1 == nil { // nothing of phase 1 has been encrypted yet
		last1 = ivOf(p.publicI, p.publicR)
	}
	switch {
	case iv == nil && h.MessageID == 0:
		iv = last1
	case iv == nil:
		iv = ivOf(last1, binary.BigEndian.AppendUint32(nil, h.MessageID))
	}
	last := body[len(body)-block.BlockSize():]
	p.next[h.MessageID] = last
	if h.MessageID == 0 {
		p.last = last
	}
	plain := make([]byte, len(body))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, body)
	return plain
}
