package suite

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rep is n times one byte, in hexadecimal.
func rep(b string, n int) string { return strings.Repeat(b, n) }

func TestHMAC(t *testing.T) {
	text := func(s string) string { return hex.EncodeToString([]byte(s)) }
	const (
		longKey        = "Test Using Larger Than Block-Size Key - Hash Key First"
		longKeyAndData = "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm."
	)
	for _, c := range []struct{ name, hash, key, data, want string }{
		// RFC 2202, Section 2; case 5 only concerns truncation, see TestAuth.
		{"RFC 2202 MD5 case 1", "md5", rep("0b", 16), text("Hi There"), "9294727a3638bb1c13f48ef8158bfc9d"},
		{"RFC 2202 MD5 case 2", "md5", text("Jefe"), text("what do ya want for nothing?"), "750c783e6ab0b503eaa86e310a5db738"},
		{"RFC 2202 MD5 case 3", "md5", rep("aa", 16), rep("dd", 50), "56be34521d144c88dbb8c733f0e8b3f6"},
		{"RFC 2202 MD5 case 4", "md5", count(1, 0x19), rep("cd", 50), "697eaf0aca3a3aea3a75164746ffaa79"},
		{"RFC 2202 MD5 case 6", "md5", rep("aa", 80), text("Test Using Larger Than Block-Size Key - Hash Key First"),
			"6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
		// RFC 2202, Section 3; case 5 only concerns truncation, see TestAuth.
		{"RFC 2202 case 1", "sha1", rep("0b", 20), text("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00"},
		{"RFC 2202 case 2", "sha1", text("Jefe"), text("what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
		{"RFC 2202 case 3", "sha1", rep("aa", 20), rep("dd", 50), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
		{"RFC 2202 case 4", "sha1", count(1, 0x19), rep("cd", 50), "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
		{"RFC 2202 case 6", "sha1", rep("aa", 80), text("Test Using Larger Than Block-Size Key - Hash Key First"),
			"aa4ae5e15272d00e95705637ce8a3b55ed402112"},
		// RFC 4231, Sections 4.2 and 4.3; the rest of it below.
		{"RFC 4231 case 1", "sha256", rep("0b", 20), text("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"RFC 4231 case 2", "sha256", text("Jefe"), text("what do ya want for nothing?"),
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"RFC 4231 case 1, SHA-384", "sha384", rep("0b", 20), text("Hi There"),
			"afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"},
		{"RFC 4231 case 2, SHA-384", "sha384", text("Jefe"), text("what do ya want for nothing?"),
			"af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
		{"RFC 4231 case 1, SHA-512", "sha512", rep("0b", 20), text("Hi There"), `
			87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde
			daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854`},
		{"RFC 4231 case 2, SHA-512", "sha512", text("Jefe"), text("what do ya want for nothing?"), `
			164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
			9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737`},
		// RFC 4231, Sections 4.4, 4.5, 4.7 and 4.8; case 5 only concerns truncation.
		{"RFC 4231 case 3, SHA-256", "sha256", rep("aa", 20), rep("dd", 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{"RFC 4231 case 4, SHA-256", "sha256", count(1, 0x19), rep("cd", 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
		{"RFC 4231 case 6, SHA-256", "sha256", rep("aa", 131), text(longKey), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{"RFC 4231 case 7, SHA-256", "sha256", rep("aa", 131), text(longKeyAndData), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
		{"RFC 4231 case 3, SHA-384", "sha384", rep("aa", 20), rep("dd", 50), "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27"},
		{"RFC 4231 case 4, SHA-384", "sha384", count(1, 0x19), rep("cd", 50), "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb"},
		{"RFC 4231 case 6, SHA-384", "sha384", rep("aa", 131), text(longKey), "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952"},
		{"RFC 4231 case 7, SHA-384", "sha384", rep("aa", 131), text(longKeyAndData), "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e"},
		{"RFC 4231 case 3, SHA-512", "sha512", rep("aa", 20), rep("dd", 50), `
			fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39
			bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb`},
		{"RFC 4231 case 4, SHA-512", "sha512", count(1, 0x19), rep("cd", 50), `
			b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db
			a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd`},
		{"RFC 4231 case 6, SHA-512", "sha512", rep("aa", 131), text(longKey), `
			80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352
			6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598`},
		{"RFC 4231 case 7, SHA-512", "sha512", rep("aa", 131), text(longKeyAndData), `
			e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944
			b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := HashNamed(c.hash)
			data := unhex(t, c.data)
			require.Equal(t, unhex(t, c.want), h.PRF(unhex(t, c.key), data))
			require.Equal(t, unhex(t, c.want), h.PRF(unhex(t, c.key), data[:3], nil, data[3:]), "the parts are concatenated")
		})
	}
}

// The integrity algorithms as packets carry them: the HMAC's first ICVLen bytes.
func TestAuth(t *testing.T) {
	for _, c := range []struct {
		name, auth, key, data, want string
	}{
		// RFC 2403: the first 96 bits of RFC 2202 cases 1 and 3, whose keys have the length that it demands.
		{"RFC 2202 MD5 case 1", "hmac-md5-96", rep("0b", 16), "4869205468657265", "9294727a3638bb1c13f48ef8"},
		{"RFC 2202 MD5 case 3", "hmac-md5-96", rep("aa", 16), rep("dd", 50), "56be34521d144c88dbb8c733"},
		// RFC 2404: the first 96 bits of RFC 2202 cases 1 and 3, whose keys have the length that it demands.
		{"RFC 2202 case 1", "hmac-sha1-96", rep("0b", 20), "4869205468657265", "b617318655057264e28bc0b6"},
		{"RFC 2202 case 3", "hmac-sha1-96", rep("aa", 20), rep("dd", 50), "125d7342b9ac11cd91a39af4"},
		// RFC 2202 case 5 prints the truncated value.
		{"RFC 2202 case 5", "hmac-sha1-96", rep("0c", 20), hex.EncodeToString([]byte("Test With Truncation")), "4c1a03424b55e07fe7f27be1"},
		// RFC 4868, Section 2.7.2.1, test case AUTH256-1.
		{"RFC 4868 AUTH256-1", "hmac-sha256-128", rep("0b", 32), "4869205468657265", "198a607eb44bfbc69903a0f1cf2bbdc5"},
		// RFC 4868, Section 2.7.2.2, test case AUTH384-1, and Section 2.7.2.3, test case AUTH512-1.
		{"RFC 4868 AUTH384-1", "hmac-sha384-192", rep("0b", 48), "4869205468657265", "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973"},
		{"RFC 4868 AUTH512-1", "hmac-sha512-256", rep("0b", 64), "4869205468657265",
			"637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := AuthNamed(c.auth)
			key := unhex(t, c.key)
			require.Len(t, key, a.KeyLen)
			mac, err := a.New(key)
			require.NoError(t, err)
			mac.Write(unhex(t, c.data))
			sum := mac.Sum(nil)
			require.Len(t, sum, a.KeyLen, "the key is as long as the digest")
			require.Equal(t, unhex(t, c.want), sum[:a.ICVLen])
		})
	}
}

func TestAuthWrongKey(t *testing.T) {
	for _, a := range auths {
		for _, n := range []int{0, a.KeyLen - 1, a.KeyLen + a.SaltLen - 1, a.KeyLen + a.SaltLen + 1} {
			_, err := a.New(make([]byte, n))
			require.ErrorContains(t, err, a.Name+" takes a key of", "%d bytes", n)
		}
	}
	require.Nil(t, AuthNamed("hmac-md4-96"))
	require.Nil(t, AuthNamed(""))
}

// FIPS 180-4 example messages, also in RFC 3174, Section 7.3 and RFC 6234,
// Section 8.5; MD5 from RFC 1321, Appendix A.5.
func TestHash(t *testing.T) {
	for name, want := range map[string]string{
		"md5":    "900150983cd24fb0d6963f7d28e17f72",
		"sha384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
		"sha512": `ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
			2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f`,
		"sha1":   "a9993e364706816aba3e25717850c26c9cd0d89d",
		"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	} {
		h := HashNamed(name)
		require.Equal(t, unhex(t, want), h.Sum([]byte("abc")), name)
		require.Equal(t, unhex(t, want), h.Sum([]byte("a"), []byte("bc")), name)
		require.Equal(t, h.Size, h.New().Size(), name)
	}
	require.Nil(t, HashNamed("md4"))
}
