package pki

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// contentCiphers encrypt the content of an envelope, in CBC mode (RFC 3370,
// Section 5; RFC 3565, Section 2; DES: OIW Security Agreements, Part 12).
var contentCiphers = []struct {
	name string
	oid  OID
	key  int // octets
	open func([]byte) (cipher.Block, error)
}{
	{"des", OID{1, 3, 14, 3, 2, 7}, 8, des.NewCipher},
	{"3des", OID{1, 2, 840, 113549, 3, 7}, 24, des.NewTripleDESCipher},
	{"aes128", OID{2, 16, 840, 1, 101, 3, 4, 1, 2}, 16, aes.NewCipher},
	{"aes256", OID{2, 16, 840, 1, 101, 3, 4, 1, 42}, 32, aes.NewCipher},
}

// ErrContentCipher is in the chain of an error of [OpenEnveloped] when a cipher is not supported.
var ErrContentCipher = errors.New("pki: the cipher of the content is not supported")

// MarshalEnveloped is an EnvelopedData (RFC 2315, Section 10) of content for the
// holder of a certificate with an RSA key. The cipher is "des", "3des", "aes128" or "aes256", its key
// and initialization vector are from rand: the same stream gives the same octets.
func MarshalEnveloped(rand io.Reader, content []byte, cipherName string, to *Certificate) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("pki: an envelope for %s: %w", to.Subject, err)
	}
	if to.Key == nil {
		return fail(to.KeyError)
	}
	for _, c := range contentCiphers {
		if c.name != cipherName {
			continue
		}
		key := make([]byte, c.key)
		if err := readRandom(rand, key); err != nil {
			return fail(err)
		}
		block, err := c.open(key)
		if err != nil {
			return fail(err)
		}
		iv := make([]byte, block.BlockSize())
		if err := readRandom(rand, iv); err != nil {
			return fail(err)
		}
		wrapped, err := to.Key.Encrypt(rand, key)
		if err != nil {
			return fail(err)
		}
		pad := block.BlockSize() - len(content)%block.BlockSize() // RFC 2315, Section 10.3, note 2
		sealed := append(bytes.Clone(content), bytes.Repeat([]byte{byte(pad)}, pad)...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
		return enveloped(to, wrapped, c.oid, iv, sealed)
	}
	return fail(fmt.Errorf("%w: %q", ErrContentCipher, cipherName))
}

func enveloped(to *Certificate, wrapped []byte, oid OID, iv, sealed []byte) ([]byte, error) {
	var b cryptobyte.Builder
	addContentInfo(&b, oidEnvelopedData, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				AddIssuerAndSerial(b, to.Issuer, to.Serial)
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidRSA); b.AddASN1NULL() })
				b.AddASN1OctetString(wrapped)
			})
		})
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidData)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oid)
				b.AddASN1OctetString(iv)
			})
			b.AddASN1(asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(sealed) })
		})
	})
	return b.Bytes()
}

// maxRecipients bounds those of an envelope.
const maxRecipients = 16

// OpenEnveloped decrypts an EnvelopedData in DER that is for this certificate, and says
// with which cipher. Errors are of kind [BadEncoding], [ErrContentCipher], or say that it
// does not decrypt.
func OpenEnveloped(der []byte, own Own) (content []byte, cipherName string, err error) {
	bad := func(what string) ([]byte, string, error) {
		return nil, "", &Error{Kind: BadEncoding, Detail: "an enveloped PKCS #7 message has " + what}
	}
	if own.Key == nil || own.Certificate == nil {
		return nil, "", errors.New("pki: opening an envelope needs a certificate and its key")
	}
	in, ok := readContentInfo(der, oidEnvelopedData)
	var version int
	var recipients, info, algorithm, iv, sealed cryptobyte.String
	var kind, oid OID
	if !ok || !in.ReadASN1Integer(&version) || !in.ReadASN1(&recipients, asn1.SET) || !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() {
		return bad("no EnvelopedData")
	}
	if !info.ReadASN1ObjectIdentifier(&kind) || !info.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!info.ReadASN1(&sealed, asn1.Tag(0).ContextSpecific()) || !info.Empty() {
		return bad("no encrypted content")
	}
	wrapped, ok := wrappedFor(recipients, own.Certificate)
	if !ok {
		return bad("no key for " + own.Certificate.Subject.String())
	}
	for _, c := range contentCiphers {
		if !c.oid.Equal(oid) {
			continue
		}
		if !algorithm.ReadASN1(&iv, asn1.OCTET_STRING) {
			return bad("no initialization vector")
		}
		key, err := own.Key.Decrypt(wrapped)
		if err != nil || len(key) != c.key {
			return nil, "", errDecryption
		}
		block, err := c.open(key)
		if err != nil {
			return nil, "", errDecryption
		}
		content, err := openCBC(block, iv, sealed)
		return content, c.name, err
	}
	return nil, "", fmt.Errorf("%w: %v", ErrContentCipher, oid)
}

// wrappedFor is the encrypted key of a recipient.
func wrappedFor(recipients cryptobyte.String, c *Certificate) (wrapped []byte, found bool) {
	for n := 0; !recipients.Empty(); n++ {
		var one, algorithm, value cryptobyte.String
		var version int
		var oid OID
		if n == maxRecipients || !recipients.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1Integer(&version) {
			return nil, false
		}
		issuer, serial, ok := ReadIssuerAndSerial(&one)
		if !ok || !one.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
			!one.ReadASN1(&value, asn1.OCTET_STRING) || !one.Empty() {
			return nil, false
		}
		if !found && oid.Equal(oidRSA) && serial.Cmp(c.Serial) == 0 && issuer.Equal(c.Issuer) {
			wrapped, found = value, true
		}
	}
	return wrapped, found
}

func openCBC(block cipher.Block, iv, sealed []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(sealed) == 0 || len(sealed)%size != 0 {
		return nil, errDecryption
	}
	content := bytes.Clone(sealed)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(content, content)
	pad := int(content[len(content)-1])
	if pad < 1 || pad > size || !bytes.Equal(content[len(content)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errDecryption
	}
	return content[:len(content)-pad], nil
}
