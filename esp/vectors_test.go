package esp

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Known ESP packets: built with the key, SPI, number and IV of their source, they
// come out byte for byte, and open again.

// RFC 3602, Section 4, cases 5 to 8: whole ESP packets with AES-CBC and no ICV.
// Add accepts no SA without integrity, so the ICV that HMAC appends is left off
// in the comparison; everything in front of it is as printed.
func TestPacketsOfRFC3602(t *testing.T) {
	const tunnelKey = "0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		name, key string
		spi       uint32
		seq       uint64
		iv        string
		next      uint8
		payload   string
		padding   int
		want      string
	}{
		{"case 5, transport-mode ESP", "90d382b410eeba7ad938c46cec1a82bf", 0x4321, 1, "e96e8c08ab465763fd098d45dd3ff893", 1,
			`08000ebda70a00008e9c083db95b0700
			 08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`, 14,
			`00004321 00000001 e96e8c08ab465763fd098d45dd3ff893
			 f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db08
			 0b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6`},
		{"case 6, transport-mode ESP", "90d382b410eeba7ad938c46cec1a82bf", 0x4321, 8, "69d08df7d203329db093fc4924e5bd80", 1,
			"0800b5e8a80a0500a69c083d0b660e00 777777777777777777777777", 2,
			`00004321 00000008 69d08df7d203329db093fc4924e5bd80
			 f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75`},
		{"case 7, tunnel-mode ESP", tunnelKey, 0x8765, 2, "f4e765244f6407adf13dc1380f673f37", 4,
			`45000054090400004001f988c0a87b03c0a87bc8 08009f76a90a0100b49c083d02a20400
			 08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`, 10,
			`00008765 00000002 f4e765244f6407adf13dc1380f673f37
			 773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c6
			 47752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d`},
		{"case 8, tunnel-mode ESP", tunnelKey, 0x8765, 5, "85d47224b5f3dd5d2101d4ea8dffab22", 4,
			`45000044090c00004001f990c0a87b03c0a87bc8 0800d63caa0a0200c69c083da3de0300
			 ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff`, 10,
			`00008765 00000005 85d47224b5f3dd5d2101d4ea8dffab22
			 15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c07ff9639
			 b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, in := params(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-cbc", Auth: "hmac-sha1-96"}, alice, bob, c.spi, 1)
			out.CipherKey, in.CipherKey = unhex(t, c.key), unhex(t, c.key)
			payload, want := unhex(t, c.payload), unhex(t, c.want)
			s, err := newTransform(out)
			require.NoError(t, err)

			got := sealWithIV(s, c.spi, c.seq, unhex(t, c.iv), payload, c.next)
			require.Equal(t, c.padding, s.ciphered(len(payload))-len(payload)-espTrailer)
			require.Equal(t, want, got[:len(got)-s.icvLen])

			r, err := newTransform(in)
			require.NoError(t, err)
			back, next, ok := r.unpad(r.open(make([]byte, len(got)), got, c.seq))
			require.True(t, ok)
			require.Equal(t, c.next, next)
			require.Equal(t, payload, back)
		})
	}
}

// sealWithIV is transform.seal with the IV that a vector prescribes.
func sealWithIV(tr *transform, spi uint32, seq uint64, iv, payload []byte, next uint8) []byte {
	p := make([]byte, tr.size(len(payload)))
	end := tr.head + tr.ciphered(len(payload))
	binary.BigEndian.PutUint32(p, spi)
	tr.put(p, seq)
	copy(p[tr.front:], iv)
	copy(p[tr.head:], payload)
	pad(p[tr.head:end], len(payload), next)
	tr.encrypt(p, end, seq)
	return p
}

// RFC 7634, Appendix A: the whole ESP packet, in tunnel mode.
func TestChaChaPacket(t *testing.T) {
	inner := unhex(t, `45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec1000073627
		08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`)
	want := unhex(t, `01020304 00000005 1011121314151617
		24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9
		befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0 76aaa8266b7fb0f7b11b369907e1ad43`)
	out, in := params(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "chacha20-poly1305"}, alice, bob, 0x01020304, 1)
	out.CipherKey = unhex(t, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f a0a1a2a3")
	in.CipherKey = out.CipherKey
	s, err := newTransform(out)
	require.NoError(t, err)
	require.Equal(t, want, sealWithIV(s, 0x01020304, 5, want[8:16], inner, protoIPv4))
	r, err := newTransform(in)
	require.NoError(t, err)
	back, next, ok := r.unpad(r.open(make([]byte, len(want)), want, 5))
	require.True(t, ok)
	require.EqualValues(t, protoIPv4, next)
	require.Equal(t, inner, back)
}

// A UDP datagram under 3DES and HMAC-SHA1-96, made by two programs that are not
// this one: a construction by hand with Python's cryptography, and scapy.
func TestTripleDESPacket(t *testing.T) {
	in := unhex(t, "4500002942420000401124800a0000010a000002 06a506a50015150b30313233343536373839616263")
	want := unhex(t, `0a0b0c0d00000007 0102030405060708
		e73ada3df53cdf7f05ee35bdf27bb50164283fc1b21397947bbce8f82e57e30a a4f41399`)
	out, rx := params(tripleDES, alice, bob, 0x0a0b0c0d, 1)
	for _, p := range []*ipsec.SAParams{&out, &rx} {
		p.CipherKey = unhex(t, "000102030405060708090a0b0c0d0e0f1011121314151617")
		p.AuthKey = unhex(t, "202122232425262728292a2b2c2d2e2f30313233")
	}
	s, err := newTransform(out)
	require.NoError(t, err)
	require.Equal(t, want, sealWithIV(s, 0x0a0b0c0d, 7, want[8:16], in[20:], ipsec.ProtoUDP))
	require.Equal(t, 31, len(want)-len(in[20:]), "21 bytes of UDP become 52 of ESP")

	n := newNode(t, Config{})
	require.NoError(t, n.Add(start, rx))
	arriving := append(bytes.Clone(in[:20]), want...)
	finishIPv4(arriving, arriving, 20, ipsec.ProtoESP)
	d := n.InboundProtected(start, arriving)
	require.Equal(t, Opened, d.Outcome, d.Why)
	require.Equal(t, in, d.Packet)
	require.EqualValues(t, 7, d.Sequence)
}

// The same datagram under NULL and HMAC-SHA1-96, from the same two programs: no IV,
// padding to four bytes, everything in the clear (RFC 2410, Section 2).
func TestNullPacket(t *testing.T) {
	in := unhex(t, "4500002942420000401124800a0000010a000002 06a506a50015150b30313233343536373839616263")
	want := unhex(t, "0a0b0c0e00000001 06a506a50015150b30313233343536373839616263 010111 0c3f4874d509f064f10f1a22")
	out, rx := params(ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}, alice, bob, 0x0a0b0c0e, 0x1000)
	out.AuthKey = unhex(t, "202122232425262728292a2b2c2d2e2f30313233")
	rx.AuthKey = out.AuthKey
	a, b := tunnelled(t, Config{}, []ipsec.SAParams{out}, []ipsec.SAParams{rx})
	d := a.Outbound(start, in, 0)
	require.Equal(t, Protected, d.Outcome, d.Why)
	require.Equal(t, want, d.Packet[20:])
	o := b.InboundProtected(start, d.Packet)
	require.Equal(t, Opened, o.Outcome, o.Why)
	require.Equal(t, in, o.Packet)
}

// The IVs that the package comment promises: for CBC the block cipher over the
// sequence number (NIST SP 800-38A, Appendix C), for GCM the number itself.
func TestIV(t *testing.T) {
	for _, tr := range suites {
		out, _ := params(tr, alice, bob, 0x1234, 1)
		s, err := newTransform(out)
		require.NoError(t, err)
		if tr.Cipher == "null" {
			require.Equal(t, espHeader, s.head, "RFC 2410, Section 2.2: no IV")
			continue
		}
		seen := map[string]bool{}
		for seq := uint64(1); seq <= 1000; seq++ {
			p := make([]byte, s.size(0))
			s.seal(p, 0x1234, seq, 0, 17)
			iv := p[espHeader:s.head]
			require.False(t, seen[string(iv)], "%v: IV repeats at %d", tr, seq)
			seen[string(iv)] = true
			if s.aead != nil || s.stream != nil {
				require.Equal(t, seq, binary.BigEndian.Uint64(iv), "%v", tr)
				continue
			}
			counter := make([]byte, len(iv))
			s.block.Decrypt(counter, iv)
			require.Equal(t, seq, binary.BigEndian.Uint64(counter[len(iv)-8:]), "%v", tr)
			require.Zero(t, bytes.TrimLeft(counter[:len(iv)-8], "\x00"), "%v", tr)
		}
	}
}
