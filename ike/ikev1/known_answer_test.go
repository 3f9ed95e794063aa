package ikev1

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// The derivations of RFC 2409, Section 5 and Appendix B, for hashes and ciphers
// that the other worked example does not have. No RFC prints such values: these
// were calculated with CPython's hashlib and hmac, and the ciphertexts with the
// Python package cryptography (OpenSSL), by a program that shares nothing with
// this one. Single DES was done there as triple DES with one key three times.
//
// Pre-shared key interop-lab-psk; cookies 1122334455667788 and 99aabbccddeeff00;
// nonces 00..0f and 10..1f, in quick mode 40..4f and 50..5f; g^xi, g^xr, g^xy and
// the quick mode's secret are the bytes 1, 2, 3 and 4 as long as the group;
// identities 10.0.0.1 and 10.0.0.2; message ID cafebabe, SPI 01020304.
func TestKnownAnswers(t *testing.T) {
	for _, row := range []struct {
		p    ike.MainModeProposal
		want map[string]string
	}{
		{ike.MainModeProposal{Cipher: "des-cbc", Hash: "md5", Group: 1}, map[string]string{
			"SKEYID":                "462bdd4decd94f4534115e1e48e23807",
			"SKEYID_d":              "d28075fd8a9725bcd8e543623fccb4ed",
			"SKEYID_a":              "41138ca66ab4c86abc4f3086300e994c",
			"SKEYID_e":              "3076ff23101b83ec5a43ac02a6153521",
			"cipher key":            "3076ff23101b83ec",
			"IV":                    "e4ee63192798eeea",
			"SAi_b":                 "00000001000000010000002c01010001000000240101000080010001800200018004000180030001800b0001000c000400007080",
			"HASH_I":                "d414168c167147ada55ebd175fa53243",
			"HASH_R":                "0b29c653510279a40662bf5e2917653b",
			"message 5":             "26cddad1a8fc893aad21b0cefc74ede4d496c5c0d9a605143a6357d904bc4a56",
			"quick mode IV":         "dcdeb18095b2deeb",
			"KEYMAT of ESP":         "9e46da8b6ccf38871f273514be9fe15eaa19f10c02033198ca174809cd4ec8ea732d72e215c8bc0fa93819c026fd182d",
			"KEYMAT of AH":          "61ee5d20468f4d231839c4e75f7d57554c2446e9e5a7a000ce9a80d1fb87a9326499a95a5f9e640beca73ce0583dd2e6d21b34647b4fb5c44104943966b0766d",
			"KEYMAT of AH with PFS": "38205ed66558794b43a10b2b766f2bc73178d2085cf874e7c210ef8806fe1eabf22b60ff3c23847e7d1feb601fce23ac721a70cb5721716ab1adaec9a99aaaa0",
		}},
		{ike.MainModeProposal{Cipher: "aes128-cbc", Hash: "sha256", Group: 15}, map[string]string{
			"SKEYID":                "3cb3aaa16a73c58b5593f03808d22ad892133a5f25de7c7c07b0fcbaa492a29d",
			"SKEYID_d":              "b71c8ec6fc843bfcc3650093d83f2b467fda5fca89ab541baa5d030a4a4b3a1c",
			"SKEYID_a":              "49fa9359c9ff1ce78357fb8fffb82a4c71783ebd42a1e13e5e53ffc6da97cea7",
			"SKEYID_e":              "a810f656bf844f0a3acb1a4ded8156eb0f99956634947cd5807cd58074403d62",
			"cipher key":            "a810f656bf844f0a3acb1a4ded8156eb",
			"IV":                    "f3677febebe60f2105b39e938bd258d7",
			"SAi_b":                 "00000001000000010000003001010001000000280101000080010007800e0080800200048004000f80030001800b0001000c000400007080",
			"HASH_I":                "7e1de0cfac763bc6c0388ff8142e016f37900d70a6b01cb6b380634284a7be6b",
			"HASH_R":                "3470c686bff424d71d5551f4ccacb735c44c84ad36a8891cd5fe0eb0114db7e5",
			"message 5":             "47af370ae013a1222bb3ac8ef7f4cf74570d004bf266f5dc52f5145d1e2477b7b79afe7d885559d3bce045ba301e081a",
			"quick mode IV":         "9045ff687068b6ba8c8218586d154c6c",
			"KEYMAT of ESP":         "0eef96287f4193a68eb4868300894b546836fe8948bdd6c25c300691958b4eea9bc0d2d9f487db9ca401420e737ebdc6",
			"KEYMAT of AH":          "7cdd1cb989889c5920d1575ba1dc5f10e5c6dccc6fcd29e38bf3e255343beea5e807ef16d777a80c0b42b6c42cc5e8699e493566dd401e21ad6b67d753624534",
			"KEYMAT of AH with PFS": "41a406ae1836bcb9df8c4a98f289fad299e73c6a0af7d61f090a5d01adf337cc0005163de5b08c485f88bda2267b5dce4b3c408e1b76edc47b1262c0b3a51f86",
		}},
		{ike.MainModeProposal{Cipher: "aes192-cbc", Hash: "sha384", Group: 5}, map[string]string{
			"SKEYID":                "cf945b98bf4da300da5b513c6c51aeb0eee6e1e97feddeef3611630d7fcccfe3264793de634d0a8ca82aca91996aab09",
			"SKEYID_d":              "2eecf1650d75cc256d23c405ccd0b01d278e1983a8a1e3940023cb7f18f6c4628a94af8ffe9a8e978ca52879e3aee4a1",
			"SKEYID_a":              "c0eb6f77767a4c6defe1e4a260e8f7c058cc6d4723ead20dd07f3f2aa2a9237d31b4c5f54d64af7a2911c23782f4753e",
			"SKEYID_e":              "960ea184925e77804e2e5805e326e6f12e660f6013659bb44ca1dbf6288d3f8a9ae8d5c4f662fb7ead926100e51e3d48",
			"cipher key":            "960ea184925e77804e2e5805e326e6f12e660f6013659bb4",
			"IV":                    "143bd4dc6d1ffea86a6a7bc0ee0c1ed1",
			"SAi_b":                 "00000001000000010000003001010001000000280101000080010007800e00c0800200058004000580030001800b0001000c000400007080",
			"HASH_I":                "c8673fe12c5e1c92c21c25fb2d5d463e3ebb074a9fc6ec93a4db1301e480509b9d1deeae0e6a64b765b577d9b023cfdc",
			"HASH_R":                "0bb864064b1ecb73f7ea4057108b39d704ef3d9c7cc9791c3a445c901f924a450b57be8e9e037030ec094ff57d618a30",
			"message 5":             "831dd7be869fcc7ad95a01b37d6182ea672f94a695711d530552589eca0b5ef513af5dc89e9f8a2f938b34fe47871e9a71def3bc6fa6ef57f94bbcb9d752c2e1",
			"quick mode IV":         "297840acf104072efa51da9e4e7d31de",
			"KEYMAT of ESP":         "25fcde1b023cdad08f3cf1e42c20b0d7fc9f3efce85b6d3010f4bbd186fb952dad1fb3540d4fb3968eec2bff0fbe59f5",
			"KEYMAT of AH":          "1b934aa57b495fb1bcb9cc392d9ebac333393b6c0601072ab954a5ba95e885459f7f30e1e876dd7ed548bd0c35540d884febe3834c5bac9ea2dad4e6c4a1508a",
			"KEYMAT of AH with PFS": "e6831aff8762e01d3f22b4fd5bf5264eb2486b934c8bf5828a00b2d85a3b3071ecaff9aaa26091d6c7861435bae92cd005390611b1ba7017b56a1de738c703c6",
		}},
		{ike.MainModeProposal{Cipher: "aes256-cbc", Hash: "sha512", Group: 14}, map[string]string{
			"SKEYID":     "d91b87f86347ae1c101539929fbb9d480de557b0a134c9e89b0baa377e905a05605bd84258972f68ebf9d6e9f61ba8b5a8e6e04b58d6abbe434b4fef82e65173",
			"SKEYID_d":   "d6c2da7f6b30d4e1687845b9a49828dd961320401528a78b85758ade5bb7aee860e7482d135cb434785e6ff6c04d54cef70da176e66724d34c7c82fc5f261dcb",
			"SKEYID_a":   "7c09106d724de89d4e5166b750e54b82425cab9877623ffa3c34c3d8955f5190b44f239f8050a635d390e430881c53020030326bd73f7ca3b928fb10e039bf1e",
			"SKEYID_e":   "a38339ea356f58449e2fd5902e1bdd7404f32958b0a77d443fafb00cb876f38ef668fe652fbd98f9428a3a77ac097a86dca1c5bbd91625cd9eb40c7b2f2b3d8e",
			"cipher key": "a38339ea356f58449e2fd5902e1bdd7404f32958b0a77d443fafb00cb876f38e",
			"IV":         "18e39d59f45fa196740b219f415fc955",
			"SAi_b":      "00000001000000010000003001010001000000280101000080010007800e0100800200068004000e80030001800b0001000c000400007080",
			"HASH_I":     "b06eef41a2934bfe822e1a257d63eb9c84144a9f81fff325b5d89d3d41d6cad18b08663b16bc07847465eed7ea494d013cd883b4e18b53dc4240d66fb7d2c477",
			"HASH_R":     "457e7244809d0d5091ac3b116a0ca805d674e0c6bc5c4d27c813cae6af372b48c573b5399f2bc74fab00b73a41b63ede7ed670bb23a8876c96f320cedd77e5f4",
			"message 5": "84e8b4e760337a84992498d4d6afe1ec0ee280fe5b422cb1c49015da6a3896747699d245eb91a396e81cbf34f131820a0f9d729a0b9de50f1197b4a3f26bee46" +
				"2d008723720321b8266b2712bae79b45",
			"quick mode IV":         "461db0e330a38347669c80994a5e30d7",
			"KEYMAT of ESP":         "2ddfee86f2883cacde6b7d503d36eec1ac23e835534111ab9d8d08bd977b21ffcd5214659413e74600b8b84bbb8f2631",
			"KEYMAT of AH":          "25e39d9234c37aa05001556882f3e0762934918f614bdd26f9848b34cf1f4d475fe97e8a3887cd70943b90ef22cedda57f5a3d88f776b0c5a370be1fc444f246",
			"KEYMAT of AH with PFS": "33bb6b0a22518d954295a0812148547f68026c57bf5365ac8ace65b2f4e2695bb4f44b01f901915d7ec4abd3504ba6b1129bc996ccaf046e111db4eabd2e7864",
		}},
		{ike.MainModeProposal{Cipher: "3des-cbc", Hash: "md5", Group: 1}, map[string]string{
			"SKEYID":                "462bdd4decd94f4534115e1e48e23807",
			"SKEYID_d":              "d28075fd8a9725bcd8e543623fccb4ed",
			"SKEYID_a":              "41138ca66ab4c86abc4f3086300e994c",
			"SKEYID_e":              "3076ff23101b83ec5a43ac02a6153521",
			"cipher key":            "15564252f1ab916329cb80f356dcdd0ee4a1eaa16397b6ca",
			"IV":                    "e4ee63192798eeea",
			"SAi_b":                 "00000001000000010000002c01010001000000240101000080010005800200018004000180030001800b0001000c000400007080",
			"HASH_I":                "c7622b10b220a2dbb787e6f1076ddea5",
			"HASH_R":                "e66aa2dc3faf33fdbaf44f2e5a6fabdf",
			"message 5":             "07c7c37c7c8584fab5e9444a9517e6269341f31757e793d0d54c596af29e1e4c",
			"quick mode IV":         "5e9c0bd7ac0c8f34",
			"KEYMAT of ESP":         "9e46da8b6ccf38871f273514be9fe15eaa19f10c02033198ca174809cd4ec8ea732d72e215c8bc0fa93819c026fd182d",
			"KEYMAT of AH":          "61ee5d20468f4d231839c4e75f7d57554c2446e9e5a7a000ce9a80d1fb87a9326499a95a5f9e640beca73ce0583dd2e6d21b34647b4fb5c44104943966b0766d",
			"KEYMAT of AH with PFS": "38205ed66558794b43a10b2b766f2bc73178d2085cf874e7c210ef8806fe1eabf22b60ff3c23847e7d1feb601fce23ac721a70cb5721716ab1adaec9a99aaaa0",
		}},
		{ike.MainModeProposal{Cipher: "aes256-cbc", Hash: "sha1", Group: 2}, map[string]string{
			"SKEYID":                "c50bb624cdf22e2ad17db7e1ba9b00af6555b567",
			"SKEYID_d":              "3213ea4479434ed76727e8fc8386c93e4f3d6a6f",
			"SKEYID_a":              "6a69bec01ca109c55f85669353e385036347a7a9",
			"SKEYID_e":              "10e7ec564c3f5eb3e82b4b6ed10c7fc79f56d63e",
			"cipher key":            "3a7d6296ce9a17e05e73e103801067f7b3ba366c3cf5361d627144bf82aec022",
			"IV":                    "f64fd25db61edf0bc60f87d4f99dec09",
			"SAi_b":                 "00000001000000010000003001010001000000280101000080010007800e0100800200028004000280030001800b0001000c000400007080",
			"HASH_I":                "747f9d48238617f43a7996aff05dd4e55ddf098a",
			"HASH_R":                "f2e47ab995ab64c5699368294de418192679153e",
			"message 5":             "fe8bf5e7ab8358f5b4cd13460a59078259bdcf609bc9fe4b29478d35fcba15119017f8df7a7e7228d0f35341c3b941f5",
			"quick mode IV":         "8762f55211958abdefcfc08336f44d6c",
			"KEYMAT of ESP":         "12d32b16c2fe16f0751b4ae4322e78ee167f89b7615e8a03abe2900888997babd84ca09dba6df8097e733e3cc3ba7243",
			"KEYMAT of AH":          "5c19ffbd4ef8d45f1b45c50004eb231efe069981cb857bc652905ef0adf0635e94f244dcf6032490fb7329738a4184a3d74a3c7f211afc071058055343184e5a",
			"KEYMAT of AH with PFS": "3a5355286907dd3352bf4cc16595743eee0cdae047c08a3dcf38fff032adee6ee351a587be868e5ae3fc867a12d9b225e43ec1163ace30f4f8e8bb653932df9e",
		}},
	} {
		t.Run(row.p.String(), func(t *testing.T) {
			c := ike.Cookies{Initiator: [8]byte(unhex(t, "1122334455667788")), Responder: [8]byte(unhex(t, "99aabbccddeeff00"))}
			rep := func(b byte) []byte { return bytes.Repeat([]byte{b}, suite.GroupNumbered(row.p.Group).Len()) }
			k, err := keysOf(row.p, "interop-lab-psk", run(0, 16), run(0x10, 16), rep(3), c)
			require.NoError(t, err)
			offer, err := ike.OfferMainMode(ike.MainMode{Proposals: []ike.MainModeProposal{row.p}, Auth: []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte("interop-lab-psk")}}})
			require.NoError(t, err)
			sai := payload.Body(offer)
			idI := payload.ID{IDType: payload.IDIPv4, Data: []byte{10, 0, 0, 1}}
			idR := payload.ID{IDType: payload.IDIPv4, Data: []byte{10, 0, 0, 2}}
			hashI := k.authHash(rep(1), rep(2), c.Initiator, c.Responder, sai, payload.Body(idI))
			iv := k.iv(rep(1), rep(2))
			message5, last := k.seal(iv, payload.Append(nil, idI, payload.Hash{Data: hashI}))
			keymat := func(n int, gxy []byte, p ipsec.Protocol) []byte {
				return k.keymat(n, gxy, p, 0x01020304, run(0x40, 16), run(0x50, 16))
			}
			for name, got := range map[string][]byte{
				"SKEYID": k.skeyid, "SKEYID_d": k.d, "SKEYID_a": k.a, "SKEYID_e": k.e, "cipher key": k.cipherKey, "IV": iv,
				"SAi_b": sai, "HASH_I": hashI, "HASH_R": k.authHash(rep(2), rep(1), c.Responder, c.Initiator, sai, payload.Body(idR)),
				"message 5": message5, "quick mode IV": k.iv(last, unhex(t, "cafebabe")),
				"KEYMAT of ESP": keymat(48, nil, ipsec.ESP), "KEYMAT of AH": keymat(64, nil, ipsec.AH), "KEYMAT of AH with PFS": keymat(64, rep(4), ipsec.AH),
			} {
				require.Equal(t, row.want[name], hex.EncodeToString(got), name)
			}
		})
	}
}

// Both hashes are of the SA payload of message 1 with all that it offers, and of the whole body of an
// identity, protocol and port included: RFC 2409, Section 5. Calculated as the others.
func TestHashesOfAllThatIsOffered(t *testing.T) {
	offer, err := ike.OfferMainMode(ike.MainMode{
		Auth:      []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte("interop-lab-psk")}},
		Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}, {Cipher: "des-cbc", Hash: "md5", Group: 1}},
	})
	require.NoError(t, err)
	sai := payload.Body(offer)
	require.Equal(t, "00000001000000010000005001010002"+"030000240101000080010005800200028004000280030001800b0001000c000400007080"+
		"000000240201000080010001800200018004000180030001800b0001000c000400007080", hex.EncodeToString(sai))
	k := example(t)
	i, r := [8]byte(unhex(t, "1122334455667788")), [8]byte(unhex(t, "99aabbccddeeff00"))
	idI := payload.Body(payload.ID{IDType: payload.IDIPv4, Protocol: 17, Port: 500, Data: []byte{10, 0, 0, 1}})
	idR := payload.Body(payload.ID{IDType: payload.IDFQDN, Data: []byte("responder.example")})
	require.Equal(t, "66500e7d25bbb71437e150f197ab253d6032bd88", hex.EncodeToString(k.authHash(rep(1), rep(2), i, r, sai, idI)), "HASH_I")
	require.Equal(t, "a0258bb272c891dedf1622de346094fa83896642", hex.EncodeToString(k.authHash(rep(2), rep(1), r, i, sai, idR)), "HASH_R")
}

// SKEYID of the worked example by each method, RFC 2409, Section 5; calculated twice as well, in Python and in Go.
func TestSKEYIDOfEachMethod(t *testing.T) {
	sa := &SA{
		choice:  ike.MainModeChoice{Proposal: ike.MainModeProposal{Cipher: "3des-cbc", Hash: "sha1", Group: 2}},
		cookies: ike.Cookies{Initiator: [8]byte(unhex(t, "1122334455667788")), Responder: [8]byte(unhex(t, "99aabbccddeeff00"))},
	}
	for _, row := range []struct {
		name   string
		skeyid func(ni, nr, gxy []byte) ([]byte, error)
		want   string
	}{
		{"pre-shared key", (&preShared{sa: sa, key: []byte("interop-lab-psk")}).skeyid, "c50bb624cdf22e2ad17db7e1ba9b00af6555b567"},
		{"signatures", (&signature{sa: sa}).skeyid, "8ab43174c0f9ed271104287fb5bb75c60ed27aa7"},
		{"GSS-API", (&gssAPI{sa: sa}).skeyid, "8ab43174c0f9ed271104287fb5bb75c60ed27aa7"},
		{"public key encryption", (&encryption{sa: sa}).skeyid, "082522dfc35215c3735cb6eda489f4ac9449ba02"},
	} {
		got, err := row.skeyid(run(0, 16), run(0x10, 16), rep(3))
		require.NoError(t, err)
		require.Equal(t, row.want, hex.EncodeToString(got), row.name)
	}
}

// RFC 2409, Appendix B: the key of DES is the first eight bytes of SKEYID_e that
// are not one of the weak and semi-weak keys of Appendix A. The lowest bit of
// each byte is parity and makes no difference.
func TestWeakKeysOfDES(t *testing.T) {
	for _, row := range []struct{ e, want string }{
		{"0123456789abcdeffedcba9876543210", "0123456789abcdef"},
		{"0101010101010101" + "0123456789abcdef", "0123456789abcdef"},
		{"0000000000000000" + "0123456789abcdef", "0123456789abcdef"}, // without parity
		{"fefefefefefefefe" + "e0e0e0e0f1f1f1f1" + "0123456789abcdef", "0123456789abcdef"},
		{"01fe01fe01fe01fe" + "1fe01fe00ef10ef1" + "0123456789abcdef", "0123456789abcdef"}, // semi-weak
		{"01fe01fe01fe01ff" + "0123456789abcdef", "0123456789abcdef"},
		{"01fe01fe01fe01fa" + "0123456789abcdef", "01fe01fe01fe01fa"},
	} {
		k := &keys{hash: suite.HashNamed("md5"), cipher: suite.CipherNamed("des-cbc"), e: unhex(t, row.e)}
		require.NoError(t, k.deriveCipher(), row.e)
		require.Equal(t, row.want, hex.EncodeToString(k.cipherKey), row.e)
		require.NotNil(t, k.block)
	}
	k := &keys{hash: suite.HashNamed("md5"), cipher: suite.CipherNamed("des-cbc"), e: unhex(t, "0101010101010101fefefefefefefefe")}
	require.ErrorIs(t, k.deriveCipher(), suite.ErrWeakKey, "a SKEYID_e of nothing else")
	// Of 3DES, the appendix demands no such thing: the first 24 bytes, which RFC 2451 may then reject.
	k = &keys{hash: suite.HashNamed("md5"), cipher: suite.CipherNamed("3des-cbc"), e: unhex(t, "0101010101010101"+"0101010101010101"+"0123456789abcdef"+"fedcba98765432100123456789abcdef0022446688aaccee")}
	require.ErrorIs(t, k.deriveCipher(), suite.ErrWeakKey)
}
