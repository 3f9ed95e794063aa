package suite

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// The first 16 bytes of SHA-256 over each prime, taken from primes that were
// compared with the texts of RFC 2409 and RFC 3526.
func TestPrimes(t *testing.T) {
	for _, c := range []struct {
		group uint16
		bits  int
		want  string
	}{
		{1, 768, "b52ba6a3026520a6c49d37e458760180"},
		{2, 1024, "3f35a3f5f6c4376a744acad409bb22f8"},
		{5, 1536, "64fcc83ec403930bf18393dbc883ccaa"},
		{14, 2048, "d66436f79bbd6b2e38c0ffbd079be904"},
		{15, 3072, "48cf8b092fbce4359d9871abf74f98e2"},
		{16, 4096, "4ee95187682bcb230ad26a95205f6920"},
		{17, 6144, "d1bfe6d0925ce7e4da262b62861514a7"},
		{18, 8192, "39ab4feab950a3128fb71accb9fc3965"},
	} {
		g := GroupNumbered(c.group)
		require.NotNil(t, g, "group %d", c.group)
		require.Equal(t, c.bits, g.Bits)
		require.Equal(t, c.bits/8, g.Len())
		require.Equal(t, c.bits, g.Prime().BitLen())
		sum := sha256.Sum256(g.Prime().Bytes())
		require.Equal(t, c.want, hex.EncodeToString(sum[:16]), "group %d", c.group)
	}
	require.Nil(t, GroupNumbered(0))
	require.Nil(t, GroupNumbered(3))
}

// The hexadecimal values as the RFCs print them.
func TestPrimesAsPrinted(t *testing.T) {
	for group, want := range map[uint16]string{
		// RFC 2409, Section 6.2.
		2: `
			FFFFFFFF FFFFFFFF C90FDAA2 2168C234 C4C6628B 80DC1CD1
			29024E08 8A67CC74 020BBEA6 3B139B22 514A0879 8E3404DD
			EF9519B3 CD3A431B 302B0A6D F25F1437 4FE1356D 6D51C245
			E485B576 625E7EC6 F44C42E9 A637ED6B 0BFF5CB6 F406B7ED
			EE386BFB 5A899FA5 AE9F2411 7C4B1FE6 49286651 ECE65381
			FFFFFFFF FFFFFFFF`,
		// RFC 3526, Section 3.
		14: `
			FFFFFFFF FFFFFFFF C90FDAA2 2168C234 C4C6628B 80DC1CD1
			29024E08 8A67CC74 020BBEA6 3B139B22 514A0879 8E3404DD
			EF9519B3 CD3A431B 302B0A6D F25F1437 4FE1356D 6D51C245
			E485B576 625E7EC6 F44C42E9 A637ED6B 0BFF5CB6 F406B7ED
			EE386BFB 5A899FA5 AE9F2411 7C4B1FE6 49286651 ECE45B3D
			C2007CB8 A163BF05 98DA4836 1C55D39A 69163FA8 FD24CF5F
			83655D23 DCA3AD96 1C62F356 208552BB 9ED52907 7096966D
			670C354E 4ABC9804 F1746C08 CA18217C 32905E46 2E36CE3B
			E39E772C 180E8603 9B2783A2 EC07A28F B5C55DF0 6F4C52C9
			DE2BCBF6 95581718 3995497C EA956AE5 15D22618 98FA0510
			15728E5A 8AACAA68 FFFFFFFF FFFFFFFF`,
	} {
		require.Equal(t, unhex(t, want), GroupNumbered(group).Prime().Bytes(), "group %d", group)
	}
}

// Values of CPython's pow(2, x, p) and pow(2, x*y, p), with p typed in from the
// RFC texts above and x, y the bytes given to GenerateKey after setting the
// highest bit of the first.
func TestDiffieHellman(t *testing.T) {
	for _, c := range []struct {
		group                    uint16
		x, y                     string
		publicX, publicY, shared string
	}{
		{2, count(0x00, 0x1f), count(0x20, 0x3f),
			`
				ff2f22817ed9fcb52eb84299e01daf054628e462504ec4f57dd646cb77314a8c5d0f0ed2d588085a49c0de73e8c64db4
				82e2b3e7f21ebcb9768873857f61963a3ce9fd8092c1dee1486e3a62162a2d8d7bfc481836b10c8694220dc2bb5dc434
				9feb44b8fadba98f56d63a6ed248a3acfc2eebad12106bd3e166d91ab3f93cee`,
			`
				0e4b0446fc0bf92729ec05a9f7363dc923f6c922930ca6d9de9de19c79a00ba7a1a1e5290d8e615e8838d533ee29e3f2
				11338a09f134ee69f8ba5f047cb996f799e5a0473600cfbbc244eaf3d3ea4c9385c52560b638a57739858c17c35880f4
				e0c974f876c7bba968b42259b55200b8993362c876464dba24771ce37ce58edd`,
			`
				0c6a47332c5184e66f1da5f86f56a928ee56fc1d69ae6584bd3cb8ae04a6dd0da429961ac720a7f223eca1a90104f3bb
				a76bf3076eb379a69ce071be5c94c56e3c3cee26b424281a1881f47aef7f21d2a7f4c79fdfb11ae85e80117795d2b078
				283005306a72669c9791a226178332b2e7c699f5bde3692efecc6219b94b4f82`},
		{14, count(0x00, 0x27), count(0x20, 0x47),
			`
				9dfd6e37ebd8e9f79c6a4786d5d9a5de091903c8d719a84f478dca52980c74668b6f3fa89172ccdd0223a403740321e7
				76223595936a869e52d0fe4d04b3f13d512c8747113c0767544fa31cfc60307d5fd50827fa5429bc9342e34d62c30056
				35e6a41256a86dba12eb6d205b465bd57cf1f92574f7e2b9d3a288122ac57496f3d6a038a24320bcb22fd116c6c98502
				7ccc77f5899a5eb4e5078f3d8526d158a7e86b28367ab8adcc27dff2aee18828256103f24b6751355adde04b3bac2798
				a1a773ced4bff6369b162c6f50cd080480bdab9abe34dee9bda528630bcd9de8a6d154cd26174ff3d3752904cbd214f4
				28ea546c63779e9f688b6dd8fed07ad5`,
			`
				406e247fe6bbaf4d164160f839ca186fc1aea74933a34b1688166d0d96a6b52ad23c74b1d44d4d4b2c561e1766d51bf7
				ed5e26de30964bf7a5093b1884017ab4c01d4eb057ee9b9fe2998b503712663814c86db81540a25f31268225cfeb78bd
				eee1603b157cfb512c9ee3870868e285f6e11310c52264fc80b3354d85df3ad00541df07ff9f101dd3ceab79ff449124
				5ff0b4f61d0fbf032049f525219363bd2b65e92077f14511c9af9e65dbe637d28a2b351fd667aa8118e171774604c8ad
				4d460f52f80280c113385f2e2fc74e2dc6f69089270ec550c35f418a40f5245c1c6219ece17d89fc87b30cc5727781ba
				e8caed0b0e7d35ef908c40913503de4f`,
			`
				51f2d91e846c50fc1d5f2d98f0dad48977aeceab701b7248ff078fda00364f15d3f36155dd88c98b09c7a65236468426
				e41d8a42d444cd455bfb4986e5095f43bbf167cc9edc73ea59c2b5c11ede8c3da1ad464bce7f2ba2e188ad5dbf949566
				90a2e9591caae7d59e5e59c6abe936c95764c1303e726eec5f046ed5d8f4a30cf2712adc17a6fab347f2f9a42bd2178f
				5300b07677c70cffff840f2fa0d14e8068ee13532353d86e0d7963354275c332d5794a2ccbb84e8f0d92bc77874bfea9
				9737f6f4a39fb93ba044c4f911a31f3f3971b984c332f8e1d94229c9c2a1e84c51eecc8e7f8b0d5d5a02edd50590c1e5
				61ebdcff7e899e026b7f9fb47e88edd6`},
	} {
		g := GroupNumbered(c.group)
		a, err := g.GenerateKey(bytes.NewReader(unhex(t, c.x)))
		require.NoError(t, err)
		b, err := g.GenerateKey(bytes.NewReader(unhex(t, c.y)))
		require.NoError(t, err)
		require.Equal(t, unhex(t, c.publicX), a.Public(), "group %d", c.group)
		require.Equal(t, unhex(t, c.publicY), b.Public(), "group %d", c.group)
		for _, side := range []struct {
			own  *PrivateKey
			peer []byte
		}{{a, b.Public()}, {b, a.Public()}} {
			got, err := side.own.Shared(side.peer)
			require.NoError(t, err)
			require.Equal(t, unhex(t, c.shared), got, "group %d", c.group)
		}
	}
}

// The remaining groups, by SHA-256 over the two public values and the secret:
// CPython's pow with primes from a program of its own (pi by Størmer's formula
// instead of Machin's), x the bytes 00, 01 … and y the bytes 20, 21 …, as many as
// a private key has, the highest bit set.
func TestDiffieHellmanDigests(t *testing.T) {
	for _, c := range []struct {
		group                    uint16
		publicX, publicY, shared string
	}{
		{1, "e8fe6246d87d65e6f78d6ef1ed0544867fefe7a8233601657bcac22e758642c3", "a4bea69d757402613f93746efc7be31a7deb47125cf99a6d8f4161f0eb05fc65", "5531a486d996d6129d1d753a67a76f6d9b09eb12f6be6c2afbddc80d62616c6f"},
		{5, "6484731a114b589aebe5e6ee2868208281872da2b17e9191cb47607a64abcd8c", "07390dbd98f6cb91793afd2a40b0f6dee8bd74fa1c7bb700716e5378cc5c9826", "7c5946a7287896f68d007bab4034abc7ffe13cc7c7174616bc2f0aba6650f3b1"},
		{15, "5f2775e06e714d18282b9292a5e8ed79dd96de7b0b5425ab3c41ded930066857", "a368bd25a79b251c08f409838b0d7f9f3ee388fb8498c8844942d0c31cf471e8", "55e785abfd27c6e9b613050aa4a8ac810973ee98e69037142773a60c31b9e950"},
		{16, "ba99047119484d954703477baa2f98613d3aceac63739248475c6024f0df3423", "7ca873d27727fe9d2746c5b58afc3b3ba1d8ef98d4118773b856daaad0cf18ac", "954b16ff91a32ce4f0bd2a44a807dc3cf87d64e997dae66b9be3d86a625961d5"},
		{17, "3759bc8c3d0f4bb3981532b88a1871a9f86e71c6b134292b4f6e2fbf05131706", "fdd8edd4d8030d592b55856a44f8d5b0b41e474b7b97490cd328bf7abfcf63f1", "e144accd4e8075af1a627c15e282671c54659e077ee15c491ecd50396165cd09"},
		{18, "41e4b16faf65483d5a563e91b99fd1ce3977b472d4e39b20c132cfb8328ac2b2", "eab373bf60da91c0f09ef9805d5e66094e1d34a64fba5a61090da2fc9141993f", "ff6e09958aec0b35a34c6dbe33f27c0d8d0ab871b3859623616b4169e102baaf"},
	} {
		g := GroupNumbered(c.group)
		x, y := make([]byte, (g.ExponentBits+7)/8), make([]byte, (g.ExponentBits+7)/8)
		for i := range x {
			x[i], y[i] = byte(i), byte(i+0x20)
		}
		a, err := g.GenerateKey(bytes.NewReader(x))
		require.NoError(t, err)
		b, err := g.GenerateKey(bytes.NewReader(y))
		require.NoError(t, err)
		require.Equal(t, c.publicX, digest(a.Public()), "group %d", c.group)
		require.Equal(t, c.publicY, digest(b.Public()), "group %d", c.group)
		for _, side := range []struct {
			own  *PrivateKey
			peer []byte
		}{{a, b.Public()}, {b, a.Public()}} {
			got, err := side.own.Shared(side.peer)
			require.NoError(t, err)
			require.Len(t, got, g.Len())
			require.Equal(t, c.shared, digest(got), "group %d", c.group)
		}
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// What the comb makes is what math/big's exponentiation makes.
func TestPowersOfTheGenerator(t *testing.T) {
	r := rand.NewChaCha8([32]byte{1})
	for _, g := range groups {
		for range 3 {
			k, err := g.GenerateKey(r)
			require.NoError(t, err)
			require.Equal(t, new(big.Int).Exp(big.NewInt(2), k.x, g.Prime()).FillBytes(make([]byte, g.Len())), k.Public(), "group %d", g.Number)
			require.GreaterOrEqual(t, k.x.BitLen(), g.ExponentBits)
		}
		ones := bytes.Repeat([]byte{0xff}, (g.ExponentBits+7)/8)
		k, err := g.GenerateKey(bytes.NewReader(ones))
		require.NoError(t, err)
		require.Equal(t, new(big.Int).Exp(big.NewInt(2), new(big.Int).SetBytes(ones), g.Prime()).FillBytes(make([]byte, g.Len())), k.Public())
	}
}

// RFC 3526, Section 8, upper estimates; NIST SP 800-56A Rev. 3, 5.6.1.1.1 and Appendix D: twice the security strength.
func TestPrivateKeysAreLongEnough(t *testing.T) {
	for group, least := range map[uint16][2]int{
		1: {240, 0}, 2: {240, 0}, 5: {240, 0}, 14: {320, 224}, 15: {420, 256}, 16: {480, 304}, 17: {540, 352}, 18: {620, 400},
	} {
		require.GreaterOrEqual(t, GroupNumbered(group).ExponentBits, least[0], "group %d, RFC 3526", group)
		require.GreaterOrEqual(t, GroupNumbered(group).ExponentBits, least[1], "group %d, SP 800-56A", group)
	}
}

// A value that begins with zeros keeps them: CPython's pow(2, 2**255 + 1649, p) for group 2.
func TestPublicValueIsPadded(t *testing.T) {
	x := make([]byte, 32)
	x[30], x[31] = 1649>>8, 1649&0xff
	k, err := GroupNumbered(2).GenerateKey(bytes.NewReader(x))
	require.NoError(t, err)
	require.Equal(t, unhex(t, `
		008d4c4c83945e2fd781e8e51b1d3d9b687acea8a7c29b9f6a994ce2c7212dabc1b7ae39c236e8bae48d79db4923fc13
		404fdeadddc4e598312628a10ced1ade175eae00f42a1a968dc70753f01b17f0fcfc7b5da0b463972aa46338eaafaa73
		4f895f16bee400f427e7540f1dc7eb7c3818ea6a6bde99a6e15d845a91819d05`), k.Public())
}

func TestPublicValueOutsideTheGroup(t *testing.T) {
	g := GroupNumbered(2)
	k, err := g.GenerateKey(bytes.NewReader(make([]byte, 32)))
	require.NoError(t, err)
	p := g.Prime()
	value := func(n *big.Int) []byte { return n.FillBytes(make([]byte, g.Len())) }
	minus := func(n int64) *big.Int { return new(big.Int).Sub(p, big.NewInt(n)) }
	for name, peer := range map[string][]byte{
		"0":         value(big.NewInt(0)),
		"1":         value(big.NewInt(1)),
		"p−1":       value(minus(1)),
		"p":         value(p),
		"all ones":  bytes.Repeat([]byte{0xff}, g.Len()),
		"empty":     nil,
		"too short": k.Public()[1:],
		"too long":  append([]byte{0}, k.Public()...),
	} {
		_, err := k.Shared(peer)
		require.ErrorIs(t, err, ErrPublicValue, name)
	}
	for _, peer := range [][]byte{value(big.NewInt(2)), value(minus(2))} {
		_, err := k.Shared(peer)
		require.NoError(t, err)
	}
}

func TestGenerateKeyNeedsRandomness(t *testing.T) {
	broken := errors.New("no more randomness")
	_, err := GroupNumbered(14).GenerateKey(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
	_, err = GroupNumbered(14).GenerateKey(bytes.NewReader(make([]byte, 39)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
