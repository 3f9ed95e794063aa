package ike

import (
	"fmt"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// The transforms of phase 2, to and from the wire.

// espCipher is a cipher of ESP by name, with its transform and Key Length in bits; 0: the
// attribute must be absent (RFC 2407, Section 4.4.4; RFC 3602, Section 5.3; RFC 3686,
// Section 5.4; RFC 4106, Section 8.4; RFC 4309, Section 7.4).
type espCipher struct {
	name string
	id   uint8
	bits uint16
}

var espCiphers = append([]espCipher{
	{"des-cbc", payload.TransformESPDES, 0},
	{"3des-cbc", payload.TransformESP3DES, 0},
	{"null", payload.TransformESPNull, 0},
	{"des-iv64", payload.TransformESPDESIV64, 0},
	{"des-iv32", payload.TransformESPDESIV32, 0},
}, aesCiphers()...)

// aesCiphers are the modes of AES, each with three lengths of keys.
func aesCiphers() (all []espCipher) {
	for _, mode := range []espCipher{
		{name: "cbc", id: payload.TransformESPAES}, {name: "ctr", id: payload.TransformESPCTR},
		{name: "ccm8", id: payload.TransformESPCCM8}, {name: "ccm12", id: payload.TransformESPCCM12}, {name: "ccm16", id: payload.TransformESPCCM16},
		{name: "gcm8", id: payload.TransformESPGCM8}, {name: "gcm12", id: payload.TransformESPGCM12}, {name: "gcm16", id: payload.TransformESPGCM16},
		{name: "gmac", id: payload.TransformESPGMAC},
	} {
		for _, bits := range []uint16{128, 192, 256} {
			all = append(all, espCipher{fmt.Sprintf("aes%d-%s", bits, mode.name), mode.id, bits})
		}
	}
	return all
}

// auths are the integrity algorithms by name, with the value of the attribute
// and the AH transform that goes with it: the two are numbered apart (RFC 2407,
// Sections 4.4.3 and 4.5; RFC 4868, Section 4). AH_MD5 has two, of which KPDK is that
// of RFC 1826 (RFC 2407, Section 4.4.3.1).
var auths = []struct {
	name  string
	value uint16
	ah    uint8
}{
	{"hmac-md5-96", payload.AuthHMACMD5, payload.TransformAHMD5},
	{"hmac-sha1-96", payload.AuthHMACSHA1, payload.TransformAHSHA},
	{"hmac-sha256-128", payload.AuthHMACSHA256, payload.TransformAHSHA256},
	{"hmac-sha384-192", payload.AuthHMACSHA384, payload.TransformAHSHA384},
	{"hmac-sha512-256", payload.AuthHMACSHA512, payload.TransformAHSHA512},
	{"aes-xcbc-96", payload.AuthXCBC, payload.TransformAHXCBC},
	{"aes128-gmac", payload.AuthGMAC128, payload.TransformAHGMAC128},
	{"aes192-gmac", payload.AuthGMAC192, payload.TransformAHGMAC192},
	{"aes256-gmac", payload.AuthGMAC256, payload.TransformAHGMAC256},
	{"keyed-md5", payload.AuthKPDK, payload.TransformAHMD5},
}

// Unnumbered says why the protocol cannot negotiate an algorithm of package suite; "" when it can.
func Unnumbered(algorithm string) string {
	switch algorithm {
	case "chacha20-poly1305":
		return "IKEv1 has no number for ChaCha20-Poly1305: RFC 7634 assigns one for IKEv2 alone"
	case "hmac-md5-replay":
		return "IKEv1 has no number for HMAC-MD5 of RFC 2085: AH_MD5 with HMAC-MD5 is that of RFC 2403"
	}
	return ""
}

// part is one protocol's share of a protection: a transform and its attributes,
// which are equal for all protocols of a bundle except for the lifetime.
type part struct {
	transform ipsec.Transform
	mode      ipsec.Mode
	form      form
	group     uint16
	lifetime  ipsec.Lifetime
}

// encode is the transform payload of the part, without its number.
func (p part) encode() (t payload.Transform, err error) {
	// What its absence means is for each host to say, RFC 2407, Section 4.5: always sent.
	t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrEncapsulation, p.form.encapsulation(p.mode)))
	auth := -1
	for i, a := range auths {
		if a.name == p.transform.Auth {
			auth = i
			t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrAuth, a.value))
		}
	}
	known := auth >= 0 || p.transform.Auth == ""
	switch p.transform.Protocol {
	case ipsec.ESP:
		for _, c := range espCiphers {
			if c.name != p.transform.Cipher {
				continue
			}
			t.ID = c.id
			if c.bits != 0 {
				t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrSAKeyLength, c.bits))
			}
		}
		known = known && t.ID != 0 && integrityFits(p.transform.Cipher, p.transform.Auth)
	case ipsec.AH:
		if known = auth >= 0 && p.transform.Cipher == ""; known {
			t.ID = auths[auth].ah
		}
	default:
		known = false
	}
	for _, algorithm := range []string{p.transform.Cipher, p.transform.Auth} {
		if why := Unnumbered(algorithm); why != "" {
			return t, fmt.Errorf("%v is unsupported: %s", p.transform, why)
		}
	}
	if !known || p.transform.ESN && !numbered(p.transform) {
		return t, fmt.Errorf("%v is unsupported", p.transform)
	}
	if p.transform.ESN {
		t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrSAESN, payload.ESN64))
	}
	if p.group != 0 {
		t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrSAGroup, p.group))
	}
	t.Attributes = append(t.Attributes, lifeAttributes(payload.ProtocolID(p.transform.Protocol), p.lifetime)...)
	return t, nil
}

// integrityFits reports whether a cipher may go with an integrity algorithm, or
// without one: a combined mode has its own (RFC 4303, Section 3.2.3), ESP of RFC 1827
// knew none, and NULL and counter mode must come with one (RFC 2407, Section 4.5; RFC
// 3686, Section 7). The others may go without (RFC 2407, Section 4.5: no attribute, no
// authentication); whether they do is for policy to say. Some algorithms are for AH alone.
func integrityFits(cipher, auth string) bool {
	c, a := suite.CipherNamed(cipher), suite.AuthNamed(auth)
	switch {
	case c == nil || a != nil && !a.ForESP():
		return false
	case c.AEAD() || c.Numbering != suite.Sequence:
		return a == nil
	}
	return a != nil || c.CBC()
}

// numbered reports whether packets under a transform have a sequence number that can be extended.
func numbered(t ipsec.Transform) bool {
	c, a := suite.CipherNamed(t.Cipher), suite.AuthNamed(t.Auth)
	return (c == nil || c.Numbering == suite.Sequence) && (a == nil || a.Numbering == suite.Sequence)
}

// readPart is the inverse of encode. The error is a short phrase for a list.
func readPart(protocol payload.ProtocolID, t payload.Transform) (p part, err error) {
	if p.lifetime, err = readLife(protocol, t.Attributes); err != nil {
		return p, err
	}
	v, err := basics(protocol, t.Attributes, payload.AttrSAGroup, payload.AttrEncapsulation, payload.AttrAuth, payload.AttrSAKeyLength, payload.AttrSAESN)
	if err != nil {
		return p, err
	}
	p.transform.Protocol = ipsec.Protocol(protocol)
	name := payload.TransformName(protocol, t.ID)
	value, hasAuth := v[payload.AttrAuth]
	var ah uint8
	for _, a := range auths {
		if hasAuth && a.value == value {
			p.transform.Auth, ah = a.name, a.ah
		}
	}
	esn, hasESN := v[payload.AttrSAESN]
	switch p.transform.ESN = hasESN; {
	case hasAuth && p.transform.Auth == "":
		return p, unsupported(protocol, payload.AttrAuth, v)
	case hasESN && esn != payload.ESN64:
		return p, unsupported(protocol, payload.AttrSAESN, v)
	}
	bits, hasBits := v[payload.AttrSAKeyLength]
	switch protocol {
	case payload.ProtocolESP:
		for _, c := range espCiphers {
			if c.id == t.ID && c.bits == bits && hasBits == (c.bits != 0) {
				p.transform.Cipher = c.name
			}
		}
		if p.transform.Cipher == "" {
			return p, fmt.Errorf("%s with Key Length %d", name, bits)
		}
		if !integrityFits(p.transform.Cipher, p.transform.Auth) {
			if a := suite.AuthNamed(p.transform.Auth); a != nil && !a.ForESP() {
				return p, unsupported(protocol, payload.AttrAuth, v)
			}
			return p, fmt.Errorf("%s, Authentication Algorithm %s", p.transform.Cipher, map[bool]string{true: "present", false: "absent"}[hasAuth])
		}
	case payload.ProtocolAH:
		// Each transform goes with one algorithm, and with any other it "is currently undefined": RFC 2407, Sections
		// 4.4.3.1 to 4.4.3.3. The attribute "MUST be specified", Section 4.4.3.
		_, text := payload.AttributeName(protocol, payload.BasicAttribute(payload.AttrAuth, value))
		switch {
		case !hasAuth:
			return p, fmt.Errorf("%s, Authentication Algorithm absent", name)
		case ah != t.ID:
			return p, fmt.Errorf("%s with %s", name, text)
		case hasBits:
			return p, fmt.Errorf("%s with Key Length %d", name, bits)
		}
	default:
		return p, fmt.Errorf("%v", protocol)
	}
	if hasESN && !numbered(p.transform) {
		return p, fmt.Errorf("%s with extended sequence numbers", name)
	}
	var ok bool
	if p.mode, p.form, ok = readEncapsulation(v[payload.AttrEncapsulation]); !ok {
		return p, unsupported(protocol, payload.AttrEncapsulation, v)
	}
	p.group = v[payload.AttrSAGroup]
	return p, nil
}
