package mux_test

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// A fuzzer chooses the mode, the method, the options and the faults of a
// negotiation. The same must come of it as of a random schedule, with bounded memory.
func FuzzFaults(f *testing.F) {
	for seed := range byte(40) {
		program := make([]byte, 60)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(program)
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 400 {
			return
		}
		r := rand.New(&drawn{program: program, then: rand.NewPCG(0, uint64(len(program)))})
		s := drawnSetup(r)
		wantBoundedMemory(t, func() { newStory(t, s, 1).tell(someFaults(r, s.phase1()+8)...) })
	})
}

// wantBoundedMemory expects that what one negotiation keeps and discards is no more than it may.
func wantBoundedMemory(t *testing.T, run func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "bytes allocated, kept or not")
}

// What phase 1 does with a message that decrypts to something else than the peer
// has sent: the fuzzer changes messages under the encryption, with the right
// keys. In messages 5 and 6 no hash covers certificates, requests and notifications.
func FuzzInside(f *testing.F) {
	for number := range uint8(6) {
		for choice := range uint8(len(methods) * 2) {
			f.Add(choice, number+1, uint16(40*number), []byte{0, 1, 0, byte(choice)}, false)
		}
	}
	f.Fuzz(func(t *testing.T, choice, number uint8, at uint16, change []byte, insert bool) {
		if len(change) > 2000 {
			return
		}
		s := setup{aggressive: choice&1 != 0, method: methods[int(choice/2)%len(methods)], asks: choice&64 != 0, commit: choice&128 != 0}
		wantBoundedMemory(t, func() {
			st := newStory(t, s, 1)
			in := &insider{n: st.network}
			for _, h := range st.hosts {
				h.config.Trace = in.listen
				h.reboot()
			}
			st.alter = func(n int, b []byte) []byte {
				if n != int(number) {
					in.pass(b)
					return b
				}
				return in.change(b, func(plain []byte) []byte {
					i := int(at) % (len(plain) + 1)
					if insert {
						return append(append(bytes.Clone(plain[:i]), change...), plain[i:]...)
					}
					plain = bytes.Clone(plain)
					copy(plain[i:], change)
					return plain
				})
			}
			st.tell()
		})
	})
}

// insider knows the keys of phase 1 from the trace.
type insider struct {
	n     *network
	keys  *trace.IKEKeys
	kes   [][]byte
	block []byte // the last one of ciphertext
}

func (in *insider) listen(b trace.Body) {
	if k, ok := b.(trace.IKEKeys); ok && in.keys == nil {
		in.keys = &k
	}
}

// pass takes note of what goes by.
func (in *insider) pass(b []byte) {
	h, err := payload.ParseHeader(b)
	switch {
	case err != nil || h.MessageID != 0:
	case h.Flags&payload.Encrypted != 0:
		in.block = b[len(b)-8:]
	default:
		chain, _, err := payload.Split(h.Next, b[payload.HeaderLen:])
		for _, item := range chain {
			if err == nil && item.Payload.Type() == payload.TypeKE && len(in.kes) < 2 {
				in.kes = append(in.kes, bytes.Clone(item.Body()))
			}
		}
	}
}

// change alters a message of phase 1: what is encrypted in it, with the cipher's key or with
// a public key, and else the message itself.
func (in *insider) change(b []byte, alter func([]byte) []byte) []byte {
	h, err := payload.ParseHeader(b)
	if err != nil || h.MessageID != 0 {
		return b
	}
	head, body := b[:payload.HeaderLen:payload.HeaderLen], b[payload.HeaderLen:]
	switch {
	case h.Flags&payload.Encrypted != 0 && in.keys != nil && len(in.kes) == 2:
		block, err := suite.CipherNamed(in.keys.Cipher).NewBlock(in.keys.Key)
		if err != nil {
			return b
		}
		iv := in.block
		if iv == nil {
			iv = suite.HashNamed("sha1").Sum(in.kes[0], in.kes[1])[:8]
		}
		plain := make([]byte, len(body))
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, body)
		plain = alter(plain)
		plain = append(plain, make([]byte, (8-len(plain)%8)%8)...)
		body = make([]byte, len(plain))
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(body, plain)
		in.block = body[len(body)-8:]
	default:
		in.pass(b)
		body = in.reseal(h, body, alter)
	}
	b = append(head, body...)
	payload.SetLength(b)
	return b
}

// reseal alters the plaintext of the first body that is encrypted with a host's public key, or the message itself.
func (in *insider) reseal(h payload.Header, body []byte, alter func([]byte) []byte) []byte {
	chain, _, err := payload.Split(h.Next, body)
	if err != nil {
		return alter(body)
	}
	at := 0
	for _, item := range chain {
		for _, host := range in.n.hosts {
			if host.wallet == nil || !host.auth[0].Method.Encryption() || item.Payload.Type() != payload.TypeID && item.Payload.Type() != payload.TypeNonce {
				continue
			}
			c, _ := host.wallet.Own(in.n.now, ike.RSAEncryption, nil)
			plain, err := c.Key.Decrypt(item.Body())
			if err != nil {
				continue
			}
			sealed, err := c.Key.(*paperKey).Encrypt(rand.NewChaCha8([32]byte{1}), alter(plain))
			if err != nil {
				return body
			}
			out := append(bytes.Clone(body[:at+4]), sealed...)
			binary.BigEndian.PutUint16(out[at+2:], uint16(4+len(sealed)))
			return append(out, body[at+len(item.Raw):]...)
		}
		at += len(item.Raw)
	}
	return alter(body)
}
