package scenarios_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/dissection"
)

// sealedMainMode is a main mode in which nonces and identities, and in the revised
// form the public values, are ciphertext of public keys (RFC 2409, Sections 5.2 and
// 5.3). Who looks on cannot tell ciphertext from noise, so it is noise here.
func sealedMainMode(t *testing.T, method uint16) heard {
	t.Helper()
	noise := func(n int, first byte) []byte {
		b := bytes.Repeat([]byte{0xf1, 0x30, 3, 0x99}, n/4)
		b[0] = first
		return b
	}
	cookieI := payload.Cookie{0x5e, 0xa1, 0xed, byte(method), 1, 2, 3, 4}
	zero, cookieR := payload.Cookie{}, payload.Cookie{9, 8, 7, 6, 5, 4, 3, 2}
	sa := payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, Transforms: []payload.Transform{{
		Number: 1, ID: payload.TransformKeyIKE, Attributes: []payload.Attribute{
			payload.BasicAttribute(payload.AttrEncryption, payload.Encryption3DES), payload.BasicAttribute(payload.AttrHash, payload.HashSHA1),
			payload.BasicAttribute(payload.AttrAuthMethod, method), payload.BasicAttribute(payload.AttrGroup, 2),
		}}}})
	publicI, publicR := noise(128, 1), noise(128, 2)
	sentI, sentR := publicI, publicR
	if method == payload.AuthRevisedRSAEncryption {
		sentI, sentR = noise(136, 7), noise(136, 8)
	}
	key := []byte("123456789012345678901234")
	block, err := des.NewTripleDESCipher(key)
	require.NoError(t, err)
	sum := sha1.Sum(append(bytes.Clone(publicI), publicR...))
	iv := sum[:block.BlockSize()]
	var last []byte
	i, r := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	h := heard{scenario: fmt.Sprintf("authentication method %d", method), table: fmt.Sprintf("%x,%x\n", cookieI, key)}
	send := func(src, dst netip.Addr, responder payload.Cookie, encrypted bool, id uint32, ps ...payload.Payload) {
		header := payload.Header{CookieI: cookieI, CookieR: responder, Next: payload.First(ps), Version: payload.Version1, Exchange: payload.MainMode, MessageID: id}
		if id != 0 {
			header.Exchange = payload.Informational
			sum := sha1.Sum(binary.BigEndian.AppendUint32(bytes.Clone(last), id))
			iv = sum[:block.BlockSize()]
		}
		m := payload.Append(header.Append(nil), ps...)
		if encrypted {
			for (len(m)-payload.HeaderLen)%block.BlockSize() != 0 {
				m = append(m, 0)
			}
			body := m[payload.HeaderLen:]
			cipher.NewCBCEncrypter(block, iv).CryptBlocks(body, body)
			payload.SetFlags(m, payload.Encrypted)
			iv = body[len(body)-block.BlockSize():]
			last = iv
		}
		payload.SetLength(m)
		h.messages = append(h.messages, ikeMessage{Datagram: dissection.Datagram{Src: src, Dst: dst, Message: m}})
	}
	raw := func(n int, first byte) payload.Raw { return payload.Raw{T: payload.TypeID, Data: noise(n, first)} }
	hash := payload.Hash{Data: noise(20, 3)}
	send(i, r, zero, false, 0, sa)
	send(r, i, cookieR, false, 0, sa)
	send(i, r, cookieR, false, 0, payload.KeyExchange{Data: sentI}, raw(128, byte(payload.IDIPv4)), payload.Raw{T: payload.TypeNonce, Data: noise(512, 5)})
	send(r, i, cookieR, false, 0, payload.KeyExchange{Data: sentR}, raw(128, byte(payload.IDFQDN)), payload.Raw{T: payload.TypeNonce, Data: noise(128, 6)})
	send(i, r, cookieR, true, 0, hash)
	send(r, i, cookieR, true, 0, hash)
	send(i, r, cookieR, true, 0x11223344, hash, payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyInitialContact, SPI: append(cookieI[:], cookieR[:]...)})
	return h
}
