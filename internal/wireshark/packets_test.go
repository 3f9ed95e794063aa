package wireshark_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// What follows seals packets with the standard library alone, so that a mistake
// in the project's own ESP or IKE cannot hide one in the tables.

// payload is n bytes that no two suites share: the start says which.
func payload(name string, n int) []byte {
	return append([]byte(name+"/"), bytes.Repeat([]byte{'x'}, n)...)
}

// keyBytes are n bytes that differ from each other, starting at first.
func keyBytes(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)*7
	}
	return b
}

// udp is a UDP datagram, RFC 768, without a checksum.
func udp(src, dst uint16, data []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(data)))
	return append(append(b, 0, 0), data...)
}

// frame is an Ethernet frame with an IPv4 packet, RFC 791. offset is in bytes.
func frame(src, dst string, proto byte, id uint16, offset int, more bool, data []byte) []byte {
	h := []byte{0x45, 0}
	h = binary.BigEndian.AppendUint16(h, uint16(20+len(data)))
	h = binary.BigEndian.AppendUint16(h, id)
	field := uint16(offset / 8)
	if more {
		field |= 0x2000
	}
	h = binary.BigEndian.AppendUint16(h, field)
	h = append(h, 64, proto, 0, 0)
	h = append(h, netip.MustParseAddr(src).AsSlice()...)
	h = append(h, netip.MustParseAddr(dst).AsSlice()...)
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(h[10:], ^uint16(sum+sum>>16))
	ethernet := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}
	return append(append(ethernet, h...), data...)
}

// esp seals data as RFC 4303, Section 2 lays it out, in transport mode.
func esp(t *testing.T, spi uint32, cipherName string, key []byte, authName string, authKey []byte, next byte, data []byte) []byte {
	t.Helper()
	b := binary.BigEndian.AppendUint32(nil, spi)
	b = binary.BigEndian.AppendUint32(b, 1)
	trailer := func(align int) []byte {
		p := bytes.Clone(data)
		n := (align - (len(p)+2)%align) % align
		for i := 1; i <= n; i++ {
			p = append(p, byte(i))
		}
		return append(p, byte(n), next)
	}
	switch cipherName {
	case "null":
		b = append(b, trailer(4)...)
	case "des-cbc":
		block, err := des.NewCipher(key)
		require.NoError(t, err)
		b = cbc(b, block, trailer(8))
	case "3des-cbc":
		block, err := des.NewTripleDESCipher(key)
		require.NoError(t, err)
		b = cbc(b, block, trailer(8))
	case "aes128-cbc", "aes192-cbc", "aes256-cbc":
		block, err := aes.NewCipher(key)
		require.NoError(t, err)
		b = cbc(b, block, trailer(16))
	case "aes128-ctr", "aes192-ctr", "aes256-ctr": // RFC 3686, Section 4: counter block = nonce | IV | 1
		block, err := aes.NewCipher(key[:len(key)-4])
		require.NoError(t, err)
		iv, plain := keyBytes(0x33, 8), trailer(4)
		counter := append(append(bytes.Clone(key[len(key)-4:]), iv...), 0, 0, 0, 1)
		cipher.NewCTR(block, counter).XORKeyStream(plain, plain)
		b = append(append(b, iv...), plain...)
	default: // RFC 4106, Sections 3 to 5: nonce = salt | IV, additional data = SPI | sequence number
		block, err := aes.NewCipher(key[:len(key)-4])
		require.NoError(t, err)
		aead, err := cipher.NewGCM(block)
		require.NoError(t, err)
		iv := keyBytes(0x33, 8)
		sealed := aead.Seal(nil, append(bytes.Clone(key[len(key)-4:]), iv...), trailer(4), b[:8])
		cut := map[string]int{"gcm8": 8, "gcm12": 4}[cipherName[len("aes128-"):]]
		return append(append(b, iv...), sealed[:len(sealed)-cut]...)
	}
	switch authName {
	case "hmac-md5-96":
		return append(b, mac(md5.New, authKey, b)[:12]...) // RFC 2403
	case "hmac-sha1-96":
		return append(b, mac(sha1.New, authKey, b)[:12]...) // RFC 2404
	case "hmac-sha256-128":
		return append(b, mac(sha256.New, authKey, b)[:16]...) // RFC 4868
	case "hmac-sha384-192":
		return append(b, mac(sha512.New384, authKey, b)[:24]...) // RFC 4868
	case "hmac-sha512-256":
		return append(b, mac(sha512.New, authKey, b)[:32]...) // RFC 4868
	}
	return b
}

// ah puts an Authentication Header of HMAC-SHA1-96 in front of content (RFC 4302,
// Section 2). Wireshark does not check its ICV, which is therefore of zeros.
func ah(spi uint32, next byte, content []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{next, 4, 0, 0}, spi)
	b = binary.BigEndian.AppendUint32(b, 1)
	return append(append(b, make([]byte, 12)...), content...)
}

func cbc(b []byte, block cipher.Block, plain []byte) []byte {
	iv := keyBytes(0x55, block.BlockSize())
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, plain)
	return append(append(b, iv...), out...)
}

func mac(h func() hash.Hash, key []byte, parts ...[]byte) []byte {
	m := hmac.New(h, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// mainMode is what a capture reader needs of a main mode, RFC 2409, Section 5.4:
// the proposal chosen, the public values that make the first IV, and message 5.
type mainMode struct {
	cookieI, cookieR []byte
	cipherID, hashID uint16 // RFC 2409, Appendix A
	keyBits          uint16 // 0: the cipher has one length
	hash             func() hash.Hash
	block            func([]byte) (cipher.Block, error)
	key              []byte
	identity         string // ID_FQDN in message 5
}

// messages are messages 1 to 5.
func (m mainMode) messages(t *testing.T) [][]byte {
	t.Helper()
	attribute := func(b []byte, kind, value uint16) []byte {
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, 0x8000|kind), value)
	}
	chosen := attribute(attribute(nil, 1, m.cipherID), 2, m.hashID)
	if m.keyBits != 0 {
		chosen = attribute(chosen, 14, m.keyBits)
	}
	chosen = attribute(attribute(chosen, 4, 2), 3, 1) // group 2, pre-shared key
	transform := generic(0, append([]byte{1, 1, 0, 0}, chosen...))
	proposal := generic(0, append([]byte{1, 1, 0, 1}, transform...))
	sa := generic(0, append([]byte{0, 0, 0, 1, 0, 0, 0, 1}, proposal...))

	publicI, publicR := keyBytes(0x81, 128), keyBytes(0x92, 128)
	exchange := func(public []byte) []byte {
		return append(generic(10, public), generic(0, keyBytes(0x17, 20))...)
	}

	block, err := m.block(m.key)
	require.NoError(t, err)
	h := m.hash()
	h.Write(publicI)
	h.Write(publicR)
	iv := h.Sum(nil)[:block.BlockSize()] // RFC 2409, Appendix B
	body := append(generic(8, append([]byte{2, 0, 0, 0}, m.identity...)), generic(0, keyBytes(0x21, m.hash().Size()))...)
	for len(body)%block.BlockSize() != 0 {
		body = append(body, 0)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(body, body)

	zero := make([]byte, 8)
	return [][]byte{
		isakmp(m.cookieI, zero, 1, 0, sa),
		isakmp(m.cookieI, m.cookieR, 1, 0, sa),
		isakmp(m.cookieI, m.cookieR, 4, 0, exchange(publicI)),
		isakmp(m.cookieI, m.cookieR, 4, 0, exchange(publicR)),
		isakmp(m.cookieI, m.cookieR, 5, 1, body),
	}
}

// generic is a payload with its generic header, RFC 2408, Section 3.2.
func generic(next byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{next, 0}, uint16(4+len(body))), body...)
}

// isakmp is a main mode message, RFC 2408, Section 3.1.
func isakmp(cookieI, cookieR []byte, first, flags byte, body []byte) []byte {
	b := append(bytes.Clone(cookieI), cookieR...)
	b = append(b, first, 0x10, 2, flags, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(28+len(body)))
	return append(b, body...)
}
