package pki

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// stream is the lab's kind of random octets: the same for the same seed.
func stream(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func newKey(t testing.TB, seed byte, kind string) PrivateKey {
	t.Helper()
	k, err := GenerateKey(stream(seed), kind)
	require.NoError(t, err)
	return k
}

var kinds = []string{"rsa-1024", "rsa-1536", "rsa-2048", "dsa-1024", "dsa-2048", "ecdsa-256", "ecdsa-384", "ecdsa-521"}

func TestKeysSign(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			k, other := newKey(t, 1, kind), newKey(t, 2, kind)
			require.False(t, SameKey(k.Public(), other.Public()))
			for _, n := range []int{16, 20, 32, 48, 64} { // IKE signs values of the negotiated PRF
				hash := bytes.Repeat([]byte{byte(n)}, n)
				s, err := k.Sign(hash)
				require.NoError(t, err)
				require.Len(t, s, k.Public().Size())
				require.NoError(t, k.Public().Verify(hash, s))
				again, err := k.Sign(hash)
				require.NoError(t, err)
				require.Equal(t, s, again)

				require.ErrorIs(t, other.Public().Verify(hash, s), ErrSignature)
				hash[0] ^= 1
				require.ErrorIs(t, k.Public().Verify(hash, s), ErrSignature)
				hash[0] ^= 1
				for _, i := range []int{0, len(s) / 2, len(s) - 1} {
					s[i] ^= 1
					require.ErrorIs(t, k.Public().Verify(hash, s), ErrSignature)
					s[i] ^= 1
				}
				for _, bad := range [][]byte{nil, s[1:], append([]byte{0}, s...), bytes.Repeat([]byte{0xFF}, len(s)), make([]byte, len(s))} {
					require.ErrorIs(t, k.Public().Verify(hash, bad), ErrSignature)
				}
			}
			require.Error(t, k.Public().Verify(nil, nil))
			_, err := k.Sign(nil)
			require.Error(t, err)
		})
	}
}

func TestSameStreamSameKey(t *testing.T) {
	for _, kind := range append(kinds, "rsa-3072") {
		first := newKey(t, 7, kind)
		a, err := MarshalPrivateKey(first)
		require.NoError(t, err)
		b, err := MarshalPrivateKey(newKey(t, 7, kind))
		require.NoError(t, err)
		require.Equal(t, a, b, kind)

		k, err := ParsePrivateKey(a)
		require.NoError(t, err)
		require.True(t, SameKey(k.Public(), first.Public()))
		b, err = MarshalPrivateKey(k)
		require.NoError(t, err)
		require.Equal(t, a, b, kind)
		for n := range a {
			_, err := ParsePrivateKey(a[:n])
			require.Error(t, err)
		}
	}
}

func TestRSAEncryption(t *testing.T) {
	k := newKey(t, 1, "rsa-1024")
	for _, n := range []int{0, 1, 20, 117} {
		text := bytes.Repeat([]byte{0xA5}, n)
		c, err := k.Public().Encrypt(stream(9), text)
		require.NoError(t, err)
		again, err := k.Public().Encrypt(stream(9), text)
		require.NoError(t, err)
		require.Equal(t, c, again)
		other, err := k.Public().Encrypt(stream(8), text)
		require.NoError(t, err)
		require.NotEqual(t, c, other)
		got, err := k.Decrypt(c)
		require.NoError(t, err)
		require.Equal(t, text, append([]byte{}, got...))
	}
	_, err := k.Public().Encrypt(stream(9), make([]byte, 118))
	require.EqualError(t, err, "pki: 118 octets do not fit an encryption of 128")
	_, err = k.Public().Encrypt(bytes.NewReader(nil), nil)
	require.EqualError(t, err, "pki: read random octets: EOF")
	_, err = k.Public().Encrypt(zeros{}, nil)
	require.ErrorIs(t, err, errStuck)
	for _, bad := range [][]byte{nil, {1}, make([]byte, 128), bytes.Repeat([]byte{0xFF}, 128), make([]byte, 129)} {
		_, err := k.Decrypt(bad)
		require.ErrorIs(t, err, errDecryption)
	}
	for _, kind := range []string{"dsa-1024", "ecdsa-256"} {
		k := newKey(t, 1, kind)
		_, err := k.Public().Encrypt(stream(9), nil)
		require.ErrorIs(t, err, errNoEncryption)
		_, err = k.Decrypt(nil)
		require.ErrorIs(t, err, errNoEncryption)
	}
}

// zeros is a stream that never gives what padding needs.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestKindsOfKeysThatThereAreNot(t *testing.T) {
	for _, kind := range []string{"", "rsa", "rsa-512", "rsa-1000", "rsa-4160", "dsa-512", "ecdsa-224", "ed25519-256", "rsa-x"} {
		_, err := GenerateKey(stream(1), kind)
		require.ErrorContains(t, err, "pki: ", kind)
	}
	_, err := GenerateKey(nil, "rsa-1024")
	require.EqualError(t, err, "pki: there is no stream of random octets")
	_, err = GenerateKey(zeros{}, "rsa-1024") // finds a prime, the same one for ever
	require.ErrorIs(t, err, errStuck)
}

func BenchmarkGenerate(b *testing.B) {
	for _, kind := range []string{"rsa-1024", "rsa-2048", "rsa-4096", "dsa-1024", "ecdsa-256"} {
		b.Run(kind, func(b *testing.B) {
			in := stream(1)
			for b.Loop() {
				_, err := GenerateKey(in, kind)
				require.NoError(b, err)
			}
		})
	}
}
