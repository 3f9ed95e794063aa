package suite

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unhex reads hexadecimal; blanks may stand anywhere.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// count is the byte string from, from+1 … to.
func count(from, to byte) string {
	var b []byte
	for i := int(from); i <= int(to); i++ {
		b = append(b, byte(i))
	}
	return hex.EncodeToString(b)
}

func TestCBC(t *testing.T) {
	text := func(s string) string { return hex.EncodeToString([]byte(s)) }
	for _, c := range []struct{ name, cipher, key, iv, plain, want string }{
		// NESSIE test vectors of DES, set 8, vector 0: there the message is the decryption of 0011…77.
		{"NESSIE set 8, vector 0", "des-cbc", count(0, 7), zeros(8), "41ad068548809d02", "0011223344556677"},
		// FIPS 81, Appendix C, Table C2.
		{"FIPS 81 table C2", "des-cbc", "0123456789abcdef", "1234567890abcdef",
			text("Now is the time for all "), "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"},
		// NIST Multi-block Message Test of triple DES in CBC mode (TCBCMMT), first two messages.
		{"NIST TCBCMMT 1", "3des-cbc", "627f460e08104a1043cd265d5840eaf1313edf97df2a8a8c", "8e29f75ea77e5475",
			"326a494cd33fe756", "b22b8d66de970692"},
		{"NIST TCBCMMT 2", "3des-cbc", "37ae5ebf46dff2dc0754b94f31cbb3855e7fd36dc870bfae", "3d1de3cc132e3b65",
			"84401f78fe6c10876d8ea23094ea5309", "7b1f7c7e3b1c948ebd04a75ffba7d2f5"},
		// RFC 3602, Section 4.
		{"RFC 3602 case 1", "aes128-cbc", "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41",
			text("Single block msg"), "e353779c1079aeb82708942dbe77181a"},
		{"RFC 3602 case 2", "aes128-cbc", "c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58",
			count(0, 0x1f), "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"},
		{"RFC 3602 case 3", "aes128-cbc", "6c3ea0477630ce21a2ce334aa746c2cd", "c782dc4c098c66cbd9cd27d825682c81",
			text("This is a 48-byte message (exactly 3 AES blocks)"),
			"d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5021c19216bad525c8579695d83ba2684"},
		{"RFC 3602 case 4", "aes128-cbc", "56e47a38c5598974bc46903dba290349", "8ce82eefbea0da3c44699ed7db51b7d9",
			count(0xa0, 0xdf), `c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e
				35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55`},
		// NIST SP 800-38A, Sections F.2.3 and F.2.5, first two blocks.
		{"SP 800-38A F.2.3", "aes192-cbc", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", count(0, 15),
			"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
			"4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"},
		{"SP 800-38A F.2.5", "aes256-cbc", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", count(0, 15),
			"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
			"f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			alg := CipherNamed(c.cipher)
			iv, plain, want := unhex(t, c.iv), unhex(t, c.plain), unhex(t, c.want)
			require.Len(t, iv, alg.IVLen)
			b, err := alg.NewBlock(unhex(t, c.key))
			require.NoError(t, err)
			require.Equal(t, alg.Align, b.BlockSize())
			got := make([]byte, len(plain))
			cipher.NewCBCEncrypter(b, iv).CryptBlocks(got, plain)
			require.Equal(t, want, got)
			cipher.NewCBCDecrypter(b, iv).CryptBlocks(got, got)
			require.Equal(t, plain, got)
		})
	}
}

// The cases of McGrew and Viega, "The Galois/Counter Mode of Operation",
// Appendix B, which RFC 4106, Section 9 points to: all whose nonce is that of
// ESP, 96 bits. The rest (5, 6, 11, 12, 17, 18) have others.
func TestGCM(t *testing.T) {
	const (
		key    = "feffe9928665731c6d6a8f9467308308"
		nonce  = "cafebabefacedbaddecaf888"
		plain  = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
		sealed = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
		aad    = "feedfacedeadbeeffeedfacedeadbeefabaddad2"

		key192    = key + "feffe9928665731c"
		sealed192 = "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710acade256"
		key256    = key + key
		sealed256 = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
	)
	for _, c := range []struct{ name, cipher, key, nonce, plain, aad, want string }{
		{"case 1", "aes128-gcm16", zeros(16), zeros(12), "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
		{"case 2", "aes128-gcm16", zeros(16), zeros(12), zeros(16), "", "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
		{"case 3", "aes128-gcm16", key, nonce, plain, "", sealed + "4d5c2af327cd64a62cf35abd2ba6fab4"},
		{"case 4", "aes128-gcm16", key, nonce, plain[:120], aad,
			sealed[:120] + "5bc94fbc3221a5db94fae95ae7121a47"},
		{"case 7", "aes192-gcm16", zeros(24), zeros(12), "", "", "cd33b28ac773f74ba00ed1f312572435"},
		{"case 8", "aes192-gcm16", zeros(24), zeros(12), zeros(16), "", "98e7247c07f0fe411c267e4384b0f6002ff58d80033927ab8ef4d4587514f0fb"},
		{"case 9", "aes192-gcm16", key192, nonce, plain, "", sealed192 + "9924a7c8587336bfb118024db8674a14"},
		{"case 10", "aes192-gcm16", key192, nonce, plain[:120], aad, sealed192[:120] + "2519498e80f1478f37ba55bd6d27618c"},
		{"case 13", "aes256-gcm16", zeros(32), zeros(12), "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
		{"case 14", "aes256-gcm16", zeros(32), zeros(12), zeros(16), "", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
		{"case 15", "aes256-gcm16", key256, nonce, plain, "", sealed256 + "b094dac5d93471bdec1a502270e3cc6c"},
		{"case 16", "aes256-gcm16", key256, nonce, plain[:120], aad, sealed256[:120] + "76fc6ece0f4e1768cddf8853bb2d551b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			alg := CipherNamed(c.cipher)
			nonce, plain, aad := unhex(t, c.nonce), unhex(t, c.plain), unhex(t, c.aad)
			require.Len(t, nonce, alg.SaltLen+alg.IVLen)
			a, err := alg.NewAEAD(unhex(t, c.key))
			require.NoError(t, err)
			require.Equal(t, alg.ICVLen, a.Overhead())
			got := a.Seal(nil, nonce, plain, aad)
			require.Equal(t, unhex(t, c.want), got)
			back, err := a.Open(nil, nonce, got, aad)
			require.NoError(t, err)
			require.True(t, bytes.Equal(plain, back))
			got[len(got)-1] ^= 1
			_, err = a.Open(nil, nonce, got, aad)
			require.Error(t, err)
		})
	}
}

func zeros(n int) string { return strings.Repeat("00", n) }

// RFC 2451, Section 2.3; the parity bits do not make two keys different.
func TestTripleDESThatIsSingleDES(t *testing.T) {
	const a, b, c = "0123456789abcdef", "23456789abcdef01", "456789abcdef0123"
	const aParity = "0022446688aaccee" // a with every parity bit inverted
	for key, ok := range map[string]bool{
		a + b + c: true,
		a + b + a: true, // two-key 3DES is not single DES
		a + a + c: false,
		a + b + b: false,
		a + a + a: false,

		a + aParity + c: false,
		c + aParity + a: false,
	} {
		_, err := CipherNamed("3des-cbc").NewBlock(unhex(t, key))
		if ok {
			require.NoError(t, err, key)
		} else {
			require.ErrorContains(t, err, "single DES", key)
			require.ErrorIs(t, err, ErrWeakKey)
		}
	}
}

// The weak and semi-weak keys of DES (FIPS 74) by what they are: the
// key and its partner undo each other. Their parity bits do not matter.
func TestWeakKeysOfDES(t *testing.T) {
	weak := map[string]string{
		"0101010101010101": "0101010101010101", "1f1f1f1f0e0e0e0e": "1f1f1f1f0e0e0e0e",
		"e0e0e0e0f1f1f1f1": "e0e0e0e0f1f1f1f1", "fefefefefefefefe": "fefefefefefefefe",
		"01fe01fe01fe01fe": "fe01fe01fe01fe01", "1fe01fe00ef10ef1": "e01fe01ff10ef10e", "01e001e001f101f1": "e001e001f101f101",
		"1ffe1ffe0efe0efe": "fe1ffe1ffe0efe0e", "011f011f010e010e": "1f011f010e010e01", "e0fee0fef1fef1fe": "fee0fee0fef1fef1",
	}
	require.Len(t, weakDES, 16)
	alg := CipherNamed("des-cbc")
	for key, partner := range weak {
		block := []byte("8 bytes.")
		for _, k := range []string{key, partner} {
			b, err := des.NewCipher(unhex(t, k))
			require.NoError(t, err)
			b.Encrypt(block, block)
			for _, flip := range []byte{0, 1} {
				bytes := unhex(t, k)
				for i := range bytes {
					bytes[i] ^= flip
				}
				_, err = alg.NewBlock(bytes)
				require.EqualError(t, err, "suite: des-cbc: the key is one of the weak or semi-weak keys of DES", k)
				require.ErrorIs(t, err, ErrWeakKey)
			}
		}
		require.Equal(t, "8 bytes.", string(block), key)
	}
	for _, misprint := range []string{"1f1f1f1fe0e0e0e0", "e0e0e0e01f1f1f1f"} { // in RFC 2409, Appendix A
		b, err := alg.NewBlock(unhex(t, misprint))
		require.NoError(t, err)
		block := []byte("8 bytes.")
		b.Encrypt(block, block)
		b.Encrypt(block, block)
		require.NotEqual(t, "8 bytes.", string(block), "%s would be weak", misprint)
	}
	_, err := alg.NewBlock(unhex(t, "0101010101010102"))
	require.NoError(t, err, "a neighbour of a weak key")
}

// Every cipher, by name: what RFC 2410, 2405, 2451, 3602, 3686, 4106, 4309, 4543, 7634 and
// 1829 say.
func TestCipherSizes(t *testing.T) {
	want := []Cipher{
		{Name: "null", Align: 4},
		{Name: "des-cbc", KeyLen: 8, IVLen: 8, Align: 8},
		{Name: "3des-cbc", KeyLen: 24, IVLen: 8, Align: 8},
		{Name: "chacha20-poly1305", KeyLen: 32, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 16},
		{Name: "des-iv32", KeyLen: 8, IVLen: 4, Align: 8, Numbering: Unnumbered},
		{Name: "des-iv64", KeyLen: 8, IVLen: 8, Align: 8, Numbering: Unnumbered},
	}
	for name, keyLen := range map[string]int{"aes128": 16, "aes192": 24, "aes256": 32} {
		want = append(want,
			Cipher{Name: name + "-cbc", KeyLen: keyLen, IVLen: 16, Align: 16},
			Cipher{Name: name + "-ctr", KeyLen: keyLen, SaltLen: 4, IVLen: 8, Align: 4},
			Cipher{Name: name + "-gcm8", KeyLen: keyLen, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 8},
			Cipher{Name: name + "-gcm12", KeyLen: keyLen, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 12},
			Cipher{Name: name + "-gcm16", KeyLen: keyLen, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 16},
			Cipher{Name: name + "-ccm8", KeyLen: keyLen, SaltLen: 3, IVLen: 8, Align: 4, ICVLen: 8},
			Cipher{Name: name + "-ccm12", KeyLen: keyLen, SaltLen: 3, IVLen: 8, Align: 4, ICVLen: 12},
			Cipher{Name: name + "-ccm16", KeyLen: keyLen, SaltLen: 3, IVLen: 8, Align: 4, ICVLen: 16},
			Cipher{Name: name + "-gmac", KeyLen: keyLen, SaltLen: 4, IVLen: 8, Align: 4, ICVLen: 16})
	}
	require.Len(t, ciphers, len(want))
	for _, c := range want {
		got := CipherNamed(c.Name)
		require.NotNil(t, got, c.Name)
		sizes := *got
		sizes.block, sizes.aead, sizes.counter = nil, nil, false
		require.Equal(t, c, sizes)
		require.Equal(t, c.ICVLen > 0, got.AEAD(), c.Name)
		require.Equal(t, strings.HasSuffix(c.Name, "-cbc") || strings.HasPrefix(c.Name, "des-iv"), got.CBC(), c.Name)
		require.Equal(t, strings.HasSuffix(c.Name, "-ctr"), got.Counter(), c.Name)
	}
	require.Nil(t, CipherNamed("des-ecb"))
	require.Nil(t, CipherNamed(""))
	require.Equal(t, []int{4, 0, 8}, []int{Sequence.Len(), Unnumbered.Len(), Counter64.Len()})
	for _, a := range auths {
		require.Equal(t, strings.HasPrefix(a.Name, "hmac-") && a.Name != "hmac-md5-replay" || a.Name == "aes-xcbc-96", a.ForESP(), a.Name)
	}
}

func TestWrongKeysAndUses(t *testing.T) {
	for _, c := range ciphers {
		if c.Name == "null" {
			_, err := c.NewBlock(nil)
			require.EqualError(t, err, "suite: null is not a CBC cipher")
			continue
		}
		for _, n := range []int{0, c.KeyLen - 1, c.KeyLen + 1, c.KeyLen + 4} {
			var err error
			switch {
			case c.AEAD():
				_, err = c.NewAEAD(make([]byte, n))
			case c.Counter():
				_, err = c.NewStream(make([]byte, n))
			default:
				_, err = c.NewBlock(make([]byte, n))
			}
			require.ErrorContains(t, err, c.Name+" takes a key of", "%d bytes", n)
		}
		if !c.CBC() {
			_, err := c.NewBlock(make([]byte, c.KeyLen))
			require.ErrorContains(t, err, "is not a CBC cipher")
		}
		if !c.AEAD() {
			_, err := c.NewAEAD(make([]byte, c.KeyLen))
			require.ErrorContains(t, err, "is not an AEAD cipher")
		}
	}
}
