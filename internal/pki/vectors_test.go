package pki

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func hexInt(t *testing.T, s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 16)
	require.True(t, ok)
	return n
}

func digest(h crypto.Hash, text string) []byte {
	w := h.New()
	w.Write([]byte(text))
	return w.Sum(nil)
}

// RFC 6979, Appendix A.2.1 and A.2.2: r and s of "sample" and "test".
func TestDSAVectors(t *testing.T) {
	keys := map[int]string{
		1024: "411602CB19A6CCC34494D79D98EF1E7ED5AF25F7",
		2048: "69C7548C21D0DFEA6B9A51C9EAD4E27C33D3B3F180316E5BCAB92C933F0E4DBC",
	}
	// RFC 6979, Appendix A.2.1: the public key.
	const y = "5DF5E01DED31D0297E274E1691C192FE5868FEF9E19A84776454B100CF16F653" +
		"92195A38B90523E2542EE61871C0440CB87C322FC4B4D2EC5E1E7EC766E1BE8D" +
		"4CE935437DC11C3C8FD426338933EBFE739CB3465F4D3668C5E473508253B1E6" +
		"82F65CBDC4FAE93C2EA212390E54905A86E2223170B44EAA7DA5DD9FFCFB7F3B"
	for _, v := range []struct {
		bits    int
		hash    crypto.Hash
		text, r string
		s       string
	}{
		{1024, crypto.SHA1, "sample", "2E1A0C2562B2912CAAF89186FB0F42001585DA55", "29EFB6B0AFF2D7A68EB70CA313022253B9A88DF5"},
		{1024, crypto.SHA224, "sample", "4BC3B686AEA70145856814A6F1BB53346F02101E", "410697B92295D994D21EDD2F4ADA85566F6F94C1"},
		{1024, crypto.SHA256, "sample", "81F2F5850BE5BC123C43F71A3033E9384611C545", "4CDD914B65EB6C66A8AAAD27299BEE6B035F5E89"},
		{1024, crypto.SHA384, "sample", "07F2108557EE0E3921BC1774F1CA9B410B4CE65A", "54DF70456C86FAC10FAB47C1949AB83F2C6F7595"},
		{1024, crypto.SHA512, "sample", "16C3491F9B8C3FBBDD5E7A7B667057F0D8EE8E1B", "02C36A127A7B89EDBB72E4FFBC71DABC7D4FC69C"},
		{1024, crypto.SHA1, "test", "42AB2052FD43E123F0607F115052A67DCD9C5C77", "183916B0230D45B9931491D4C6B0BD2FB4AAF088"},
		{1024, crypto.SHA512, "test", "8EA47E475BA8AC6F2D821DA3BD212D11A3DEB9A0", "7C670C7AD72B6C050C109E1790008097125433E8"},
		{2048, crypto.SHA1, "sample", "3A1B2DBD7489D6ED7E608FD036C83AF396E290DBD602408E8677DAABD6E7445A",
			"D26FCBA19FA3E3058FFC02CA1596CDBB6E0D20CB37B06054F7E36DED0CDBBCCF"},
		{2048, crypto.SHA256, "sample", "EACE8BDBBE353C432A795D9EC556C6D021F7A03F42C36E9BC87E4AC7932CC809",
			"7081E175455F9247B812B74583E9E94F9EA79BD640DC962533B0680793A38D53"},
		{2048, crypto.SHA384, "test", "239E66DDBE8F8C230A3D071D601B6FFBDFB5901F94D444C6AF56F732BEB954BE",
			"6BD737513D5E72FE85D1C750E0F73921FE299B945AAD1C802F15C26A43D34961"},
		{2048, crypto.SHA512, "test", "89EC4BB1400ECCFF8E7D9AA515CD1DE7803F2DAFF09693EE7FD1353E90A68307",
			"C9F0BDABCC0D880BB137A994CC7F3980CE91CC10FAF529FC46565B15CEA854E1"},
	} {
		k, err := newDSAPrivate(dsaDomains[v.bits], hexInt(t, keys[v.bits]))
		require.NoError(t, err)
		if v.bits == 1024 {
			require.Equal(t, hexInt(t, y), k.Public().(*dsaPublic).y)
		}
		s, err := k.Sign(digest(v.hash, v.text))
		require.NoError(t, err)
		require.Equal(t, v.r+v.s, strings.ToUpper(hex.EncodeToString(s)), "%d %v %s", v.bits, v.hash, v.text)
		require.NoError(t, k.Public().Verify(digest(v.hash, v.text), s))
	}
}

// RFC 6979, Appendix A.2.5: P-256, SHA-256, "sample".
func TestECDSAVector(t *testing.T) {
	k, err := newECDSAPrivate(curveOf(256), hexInt(t, "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"))
	require.NoError(t, err)
	s, err := k.Sign(digest(crypto.SHA256, "sample"))
	require.NoError(t, err)
	require.Equal(t, "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"+
		"F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8", strings.ToUpper(hex.EncodeToString(s)))
}

// RFC 7515, Appendix A.2: sha256WithRSAEncryption.
func TestRSAVector(t *testing.T) {
	b64 := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	num := func(s string) *big.Int { return new(big.Int).SetBytes(b64(s)) }
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: num("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"), E: 65537},
		D:         num("Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"),
		Primes: []*big.Int{
			num("4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"),
			num("uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"),
		},
	}
	k, err := newRSAPrivate(key)
	require.NoError(t, err)
	text := []byte("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ")
	want := b64("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw")
	got, err := SHA256WithRSA.sign(k, text)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, SHA256WithRSA.verify(k.Public(), text, want))
	require.ErrorIs(t, SHA1WithRSA.verify(k.Public(), text, want), ErrSignature)
}

// A peer's key may be shorter than those that are made here, and no larger than is cheap.
func TestRSAPublicKeys(t *testing.T) {
	odd := func(bits uint) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return n.Add(n, big.NewInt(1))
	}
	_, err := NewRSAPublicKey(odd(512), big.NewInt(3))
	require.NoError(t, err)
	for _, tc := range []struct {
		n, e *big.Int
		want string
	}{
		{odd(511), big.NewInt(3), "pki: the RSA modulus has 511 bits; 512 to 8192 are supported"},
		{odd(8193), big.NewInt(3), "pki: the RSA modulus has 8193 bits; 512 to 8192 are supported"},
		{odd(1024), odd(33), "pki: the RSA exponent has 33 bits; at most 32 are supported"},
		{odd(1024), big.NewInt(1), "pki: the RSA exponent is not an odd number of 3 or more"},
		{odd(1024), big.NewInt(4), "pki: the RSA exponent is not an odd number of 3 or more"},
		{new(big.Int).Lsh(big.NewInt(1), 1023), big.NewInt(3), "pki: the RSA modulus is not a positive odd number"},
		{big.NewInt(-7), big.NewInt(3), "pki: the RSA modulus is not a positive odd number"},
	} {
		_, err := NewRSAPublicKey(tc.n, tc.e)
		require.EqualError(t, err, tc.want)
	}
}
