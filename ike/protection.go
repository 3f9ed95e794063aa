package ike

import (
	"fmt"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// The transforms of phase 2, to and from the wire.

// espCiphers are the ciphers of ESP by name, with their transform and Key Length
// in bits; 0: the attribute must be absent (RFC 2407, Section 4.4.4; RFC 3602,
// Section 5.3; RFC 4106, Section 8.4).
var espCiphers = []struct {
	name string
	id   uint8
	bits uint16
}{
	{"des-cbc", payload.TransformESPDES, 0},
	{"3des-cbc", payload.TransformESP3DES, 0},
	{"null", payload.TransformESPNull, 0},
	{"aes128-cbc", payload.TransformESPAES, 128},
	{"aes192-cbc", payload.TransformESPAES, 192},
	{"aes256-cbc", payload.TransformESPAES, 256},
	{"aes128-gcm16", payload.TransformESPGCM16, 128},
	{"aes192-gcm16", payload.TransformESPGCM16, 192},
	{"aes256-gcm16", payload.TransformESPGCM16, 256},
}

// auths are the integrity algorithms by name, with the value of the attribute
// and the AH transform that goes with it: the two are numbered apart (RFC 2407,
// Sections 4.4.3 and 4.5; RFC 4868, Section 4).
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
}

// part is one protocol's share of a protection: a transform and its attributes,
// which are equal for all protocols of a bundle except for the lifetime.
type part struct {
	transform ipsec.Transform
	mode      ipsec.Mode
	group     uint16
	lifetime  ipsec.Lifetime
}

// encode is the transform payload of the part, without its number.
func (p part) encode() (t payload.Transform, err error) {
	// What its absence means is for each host to say, RFC 2407, Section 4.5: always sent.
	t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrEncapsulation, uint16(p.mode)))
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
		known = known && t.ID != 0 && integrityFits(p.transform.Cipher, auth >= 0)
	case ipsec.AH:
		if known = auth >= 0 && p.transform.Cipher == ""; known {
			t.ID = auths[auth].ah
		}
	default:
		known = false
	}
	if !known {
		return t, fmt.Errorf("%v is unsupported", p.transform)
	}
	if p.group != 0 {
		t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrSAGroup, p.group))
	}
	t.Attributes = append(t.Attributes, lifeAttributes(payload.ProtocolID(p.transform.Protocol), p.lifetime)...)
	return t, nil
}

// integrityFits reports whether a cipher may go with an integrity algorithm, or
// without one: a combined mode has its own (RFC 4303, Section 3.2.3), and NULL
// must come with one (RFC 2407, Section 4.5). The others may go without (the same
// section: no attribute, no authentication); whether they do is for policy to say.
func integrityFits(cipher string, integrity bool) bool {
	if c := suite.CipherNamed(cipher); c == nil || c.AEAD() {
		return c != nil && !integrity
	}
	return integrity || cipher != "null"
}

// readPart is the inverse of encode. The error is a short phrase for a list.
func readPart(protocol payload.ProtocolID, t payload.Transform) (p part, err error) {
	if p.lifetime, err = readLife(protocol, t.Attributes); err != nil {
		return p, err
	}
	v, err := basics(protocol, t.Attributes, payload.AttrSAGroup, payload.AttrEncapsulation, payload.AttrAuth, payload.AttrSAKeyLength)
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
	if hasAuth && p.transform.Auth == "" {
		return p, unsupported(protocol, payload.AttrAuth, v)
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
		if !integrityFits(p.transform.Cipher, hasAuth) {
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
	p.mode, p.group = ipsec.Mode(v[payload.AttrEncapsulation]), v[payload.AttrSAGroup]
	if v[payload.AttrEncapsulation] != uint16(ipsec.Transport) && v[payload.AttrEncapsulation] != uint16(ipsec.Tunnel) {
		return p, unsupported(protocol, payload.AttrEncapsulation, v)
	}
	return p, nil
}
