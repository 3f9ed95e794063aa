package ikev1

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// A worked example with SHA-1, 3DES, group 2 and a pre-shared key. Its values
// were calculated twice, in Python and in Go, by programs apart from this one.
func example(t *testing.T) *keys {
	t.Helper()
	c := ike.Cookies{Initiator: [8]byte(unhex(t, "1122334455667788")), Responder: [8]byte(unhex(t, "99aabbccddeeff00"))}
	k, err := keysOf(ike.MainModeProposal{Cipher: "3des-cbc", Hash: "sha1", Group: 2}, "interop-lab-psk", run(0, 16), run(0x10, 16), rep(3), c)
	require.NoError(t, err)
	return k
}

// keysOf are the keys of a phase 1 with a pre-shared key.
func keysOf(p ike.MainModeProposal, psk string, ni, nr, gxy []byte, c ike.Cookies) (*keys, error) {
	sa := &SA{choice: ike.MainModeChoice{Proposal: p}}
	skeyid, err := (&preShared{sa: sa, key: []byte(psk)}).skeyid(ni, nr, gxy)
	if err != nil {
		return nil, err
	}
	return newKeys(p, skeyid, gxy, c)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// run is n bytes counting up from first; rep is 128 times one byte, the size of group 2.
func run(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func rep(b byte) []byte { return bytes.Repeat([]byte{b}, 128) }

func TestWorkedExampleKeys(t *testing.T) {
	k := example(t)
	for _, row := range []struct {
		name string
		got  []byte
		want string
	}{
		{"SKEYID", k.skeyid, "c50bb624cdf22e2ad17db7e1ba9b00af6555b567"},
		{"SKEYID_d", k.d, "3213ea4479434ed76727e8fc8386c93e4f3d6a6f"},
		{"SKEYID_a", k.a, "6a69bec01ca109c55f85669353e385036347a7a9"},
		{"SKEYID_e", k.e, "10e7ec564c3f5eb3e82b4b6ed10c7fc79f56d63e"},
		{"cipher key", k.cipherKey, "3a7d6296ce9a17e05e73e103801067f7b3ba366c3cf5361d"},
		{"phase 1 IV", k.iv(rep(1), rep(2)), "f64fd25db61edf0b"},
	} {
		require.Equal(t, row.want, hex.EncodeToString(row.got), row.name)
	}
}

func TestWorkedExampleMainMode(t *testing.T) {
	offer, err := ike.OfferMainMode(ike.MainMode{Auth: []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte("interop-lab-psk")}}, Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}})
	require.NoError(t, err)
	sai := payload.Body(offer)
	require.Equal(t, "00000001000000010000002c0101000100000024010100008001000580020002"+
		"8004000280030001800b0001000c000400007080", hex.EncodeToString(sai), "SAi_b")

	k := example(t)
	i, r := [8]byte(unhex(t, "1122334455667788")), [8]byte(unhex(t, "99aabbccddeeff00"))
	idI := payload.ID{IDType: payload.IDIPv4, Data: []byte{10, 0, 0, 1}}
	idR := payload.ID{IDType: payload.IDIPv4, Data: []byte{10, 0, 0, 2}}
	hashI := k.authHash(rep(1), rep(2), i, r, sai, payload.Body(idI))
	hashR := k.authHash(rep(2), rep(1), r, i, sai, payload.Body(idR))
	require.Equal(t, "c6ca53c8ec5b9a0a058cab643248a5ebad09888d", hex.EncodeToString(hashI), "HASH_I")
	require.Equal(t, "f1e24f1efd9ca3cd36c29763f049b7beeec36b92", hex.EncodeToString(hashR), "HASH_R")

	msg5, iv := k.seal(k.iv(rep(1), rep(2)), payload.Append(nil, idI, payload.Hash{Data: hashI}))
	require.Equal(t, "08613b1ae7cdab6121da09ca8c9c67c23d41e771867079b5c74bb6b17620f09f5c8735fef567a2f8", hex.EncodeToString(msg5), "message 5")
	msg6, iv := k.seal(iv, payload.Append(nil, idR, payload.Hash{Data: hashR}))
	require.Equal(t, "76e0e0a299f8388d380f84fe61f8a7148555d38963cec2981aee99b8662ce6994083ae2865db44e4", hex.EncodeToString(msg6), "message 6")
	require.Equal(t, "7c1c23ba9e52b5b2", hex.EncodeToString(k.iv(iv, unhex(t, "cafebabe"))), "quick mode IV")

	plain, _, err := k.open(k.iv(rep(1), rep(2)), msg5)
	require.NoError(t, err)
	require.Equal(t, payload.Append(nil, idI, payload.Hash{Data: hashI}), plain[:36], "message 5 decrypts")
	_, _, err = k.open(iv, msg5[:len(msg5)-1])
	require.ErrorIs(t, err, errBlocks)
}

// The engine's own quick mode code, under an SA with the keys of the example.
func TestWorkedExampleQuickMode(t *testing.T) {
	sa := &SA{keys: example(t)}
	const mid = 0xcafebabe
	q := &quick{sa: sa, mid: mid, ni: run(0x40, 16), nr: run(0x50, 16)}
	proposal := ipsec.Proposal{
		Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}},
		Lifetime:   ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100000}, Mode: ipsec.Transport,
	}
	policy := ike.QuickMode{Proposals: []ipsec.Proposal{proposal}}
	offer, err := ike.OfferQuickMode(policy, 0, spiIs(0xa1b2c3d4))
	require.NoError(t, err)
	ids := []payload.Payload{
		payload.SelectorID(ipsec.Host(addr("10.0.0.1")), 0, 0), payload.SelectorID(ipsec.Host(addr("10.0.0.2")), 0, 0),
	}
	message1 := append([]payload.Payload{offer, payload.Nonce{Data: q.ni}}, ids...)
	rest := payload.Append(nil, message1...)
	require.Equal(t, "0a00004000000001000000010000003401030401a1b2c3d4000000280103000080040002"+
		"80050002800100010002000400000e108001000200020004000186a0", hex.EncodeToString(rest[:0x40]), "SA payload")
	require.Equal(t, "f84b7e7af3f6272132aa47ebe5ce4e0a7f537b4f", hex.EncodeToString(sa.hash1(mid)(rest)), "HASH(1)")

	choice, err := ike.SelectQuickMode(offer, policy, 2, ike.InitiatorsOrder)
	require.NoError(t, err)
	message2 := append([]payload.Payload{choice.Reply(spiIs(0x01020304)), payload.Nonce{Data: q.nr}}, ids...)
	require.Equal(t, "c1fccaa7fc8f482aef686841825b1efabe83125b", hex.EncodeToString(q.hash2(payload.Append(nil, message2...))), "HASH(2)")
	require.Equal(t, "63c668bc95f5ec76db7c69eac8d738b3190fda2a", hex.EncodeToString(q.hash3(nil)), "HASH(3)")

	for _, row := range []struct {
		name      string
		gxy       []byte
		spi       uint32
		enc, auth string
	}{
		{"initiator to responder", nil, 0x01020304, "12d32b16c2fe16f0751b4ae4322e78ee167f89b7615e8a03", "abe2900888997babd84ca09dba6df8097e733e3c"},
		{"responder to initiator", nil, 0xa1b2c3d4, "9613951a011ec8ab87f0d4e317a3e5c4b2ba7bf2f0bbd09d", "ff6da6b5998a9bf64e1a6dc37857be56e9af04c6"},
		{"initiator to responder with PFS", rep(4), 0x01020304, "5b0999f00f453ecc12790e8e9b7238f0a2b84bc0e688d4d2", "52d1e1a9ad459091bc2142af707438b213b54da7"},
	} {
		enc, auth := sa.keys.saKeys(proposal.Transforms[0], row.gxy, row.spi, q.ni, q.nr)
		require.Equal(t, row.enc, hex.EncodeToString(enc), row.name)
		require.Equal(t, row.auth, hex.EncodeToString(auth), row.name)
	}
}

func TestWorkedExampleDelete(t *testing.T) {
	sa := &SA{keys: example(t)}
	d := payload.Append(nil, payload.Delete{
		DOI: payload.DOIIPsec, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{unhex(t, "a1b2c3d4")},
	})
	require.Equal(t, "00000010"+"0000000103040001a1b2c3d4", hex.EncodeToString(d), "Delete payload")
	require.Equal(t, "fd9478100e4fc28e4a757991909a4625190847c7", hex.EncodeToString(sa.hash1(0x0badf00d)(d)), "HASH(1)")
}

// Keys longer than SKEYID_e are stretched, shorter ones cut, RFC 2409, Appendix B.
func TestCipherKeyLengths(t *testing.T) {
	for _, cipher := range []string{"des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"} {
		for _, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
			k, err := keysOf(ike.MainModeProposal{Cipher: cipher, Hash: hash, Group: 2}, "k", run(0, 16), run(1, 16), rep(3), ike.Cookies{})
			require.NoError(t, err)
			require.Len(t, k.cipherKey, k.cipher.KeyLen)
			if k.cipher.KeyLen <= k.hash.Size {
				require.Equal(t, k.e[:k.cipher.KeyLen], k.cipherKey, "%s with %s: cut", cipher, hash)
			} else {
				first := k.hash.PRF(k.e, []byte{0})
				require.Equal(t, append(first[:len(first):len(first)], k.hash.PRF(k.e, first)...)[:k.cipher.KeyLen], k.cipherKey, "%s with %s: stretched", cipher, hash)
			}
		}
	}
}

// An AEAD cipher takes its salt from KEYMAT and no integrity key, RFC 4106, Section 8.1.
func TestKeymatOfGCM(t *testing.T) {
	k := example(t)
	enc, auth := k.saKeys(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}, nil, 0x01020304, run(0x40, 16), run(0x50, 16))
	require.Nil(t, auth)
	require.Equal(t, "12d32b16c2fe16f0751b4ae4322e78ee167f89b7", hex.EncodeToString(enc), "key and salt are the start of the KEYMAT of the worked example")
}

// What each transform takes of KEYMAT: the key, then what goes into the nonce, then the key
// of the integrity algorithm.
func TestLengthsOfKeymat(t *testing.T) {
	k := example(t)
	for _, row := range []struct {
		transform    ipsec.Transform
		cipher, auth int
	}{
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-ctr", Auth: "hmac-sha1-96"}, 16 + 4, 20}, // RFC 3686, Section 5.1
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes256-ctr", Auth: "aes-xcbc-96"}, 32 + 4, 16},  // RFC 3566, Section 5
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-ccm8"}, 16 + 3, 0},                       // RFC 4309, Section 7.1
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes256-ccm16"}, 32 + 3, 0},                      //
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes192-gcm8"}, 24 + 4, 0},                       // RFC 4106, Section 8.1
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gmac"}, 16 + 4, 0},                       // RFC 4543, Section 5.2
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16", ESN: true}, 16 + 4, 0},           // the same with extended sequence numbers
		{ipsec.Transform{Protocol: ipsec.AH, Auth: "aes256-gmac"}, 0, 32 + 4},                          // RFC 4543, Section 5.2
		{ipsec.Transform{Protocol: ipsec.AH, Auth: "keyed-md5"}, 0, 16},                                // RFC 1828, Section 1.1: 128 bits
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "des-iv32"}, 8, 0},                               // RFC 1829, Section 1.1
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha512-256"}, 24, 64},    // RFC 2451; RFC 4868
	} {
		enc, auth := k.saKeys(row.transform, nil, 0x01020304, run(0x40, 16), run(0x50, 16))
		require.Equal(t, []int{row.cipher, row.auth}, []int{len(enc), len(auth)}, "%v", row.transform)
		require.Equal(t, k.keymat(row.cipher+row.auth, nil, row.transform.Protocol, 0x01020304, run(0x40, 16), run(0x50, 16)), append(enc, auth...), "%v", row.transform)
	}
}

// spiIs gives the same SPI for each protocol.
func spiIs(v uint32) ike.SPISource { return func(ipsec.Protocol) uint32 { return v } }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
