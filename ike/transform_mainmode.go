package ike

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// The transforms of phase 1, to and from the wire.

// Check reports an algorithm that phase 1 cannot use.
func (p MainModeProposal) Check() error {
	_, _, known := cipherAttributes(p.Cipher)
	switch {
	case !known:
		return fmt.Errorf("ike: main mode cannot use the cipher %q", p.Cipher)
	case hashValues[p.Hash] == 0:
		return fmt.Errorf("ike: main mode cannot use the hash %q", p.Hash)
	case suite.GroupNumbered(p.Group) == nil:
		return fmt.Errorf("ike: main mode cannot use the group %d", p.Group)
	}
	return nil
}

// mainModeCiphers are the ciphers of phase 1 by name, with their value and Key
// Length in bits, which DES and 3DES must not carry (RFC 2409, Appendix A; RFC 3602, Section 5).
var mainModeCiphers = []struct {
	name        string
	value, bits uint16
}{
	{"des-cbc", payload.EncryptionDES, 0},
	{"3des-cbc", payload.Encryption3DES, 0},
	{"aes128-cbc", payload.EncryptionAES, 128},
	{"aes192-cbc", payload.EncryptionAES, 192},
	{"aes256-cbc", payload.EncryptionAES, 256},
}

var hashValues = map[string]uint16{
	"md5": payload.HashMD5, "sha1": payload.HashSHA1, "sha256": payload.HashSHA256, "sha384": payload.HashSHA384, "sha512": payload.HashSHA512,
}

// cipherAttributes are a cipher's phase 1 value and its Key Length; 0: none.
func cipherAttributes(name string) (value, keyBits uint16, ok bool) {
	for _, c := range mainModeCiphers {
		if c.name == name {
			return c.value, c.bits, true
		}
	}
	return 0, 0, false
}

// readMainMode understands a phase 1 transform of who speaks XAUTH, or not. The error is a short phrase for a list.
func readMainMode(t payload.Transform, xauth bool) (MainModeChoice, error) {
	c := MainModeChoice{Lifetime: DefaultLifetime, Transform: t}
	if t.ID != payload.TransformKeyIKE {
		return c, fmt.Errorf("transform %d", t.ID)
	}
	life, err := readLife(payload.ProtocolISAKMP, t.Attributes)
	if err != nil {
		return c, err
	}
	c.Kilobytes = life.Kilobytes
	if life.Duration != 0 {
		c.Lifetime = life.Duration
	}
	as, name, err := withoutGSS(t.Attributes)
	if err != nil {
		return c, err
	}
	v, err := basics(payload.ProtocolISAKMP, as, payload.AttrEncryption, payload.AttrKeyLength, payload.AttrHash,
		payload.AttrGroup, payload.AttrAuthMethod)
	if err != nil {
		return c, err
	}
	// 65001 is two methods' number: with an identity name it is that of GSS-API.
	c.Method, c.Asked = readAuth(v[payload.AttrAuthMethod], xauth && name == nil)
	if c.GSSIdentity = name; name != nil && c.Method != GSSAPI {
		return c, errors.New("GSS Identity Name with another method of authentication")
	}
	if c.Method != GSSAPI && c.Method != PreSharedKey && !c.Method.Signature() && !c.Method.Encryption() {
		return c, unsupported(payload.ProtocolISAKMP, payload.AttrAuthMethod, v)
	}
	for _, known := range mainModeCiphers {
		if known.value == v[payload.AttrEncryption] && known.bits == v[payload.AttrKeyLength] {
			c.Proposal.Cipher = known.name
		}
	}
	for name, value := range hashValues {
		if value == v[payload.AttrHash] {
			c.Proposal.Hash = name
		}
	}
	c.Proposal.Group = v[payload.AttrGroup]
	switch {
	case c.Proposal.Cipher == "":
		return c, unsupported(payload.ProtocolISAKMP, payload.AttrEncryption, v)
	case c.Proposal.Hash == "":
		return c, unsupported(payload.ProtocolISAKMP, payload.AttrHash, v)
	case suite.GroupNumbered(c.Proposal.Group) == nil:
		return c, unsupported(payload.ProtocolISAKMP, payload.AttrGroup, v)
	}
	return c, nil
}

// sameTransform reports whether a reply carries the attributes of an offer: the
// initiator rejects it when values have changed, or attributes were added or deleted
// (RFC 2409, Section 5). Their order is nobody's business but that of a duration, which
// follows its type (RFC 2407, Section 4.5): strongSwan answers a quick mode in an order of its own.
// Only how a duration is encoded is up to it: what was offered as variable "MAY be
// returned to the initiator as a basic (or variable)" attribute and the other way
// round (RFC 2409, Appendix A; RFC 2407, Section 4.5 takes it over).
// The transform's number is not compared, since some responders renumber their one transform.
func sameTransform(p payload.ProtocolID, a, b payload.Transform) bool {
	if p == payload.ProtocolISAKMP { // the identity name of GSS-API is each side's own
		a, b = unnamed(a), unnamed(b)
	}
	if a.ID != b.ID || len(a.Attributes) != len(b.Attributes) {
		return false
	}
	lifeType, duration := lifeClasses(p)
	same := func(x, y payload.Attribute) bool {
		if x.Type == duration && y.Type == duration {
			v, ok := x.Uint()
			w, same := y.Uint()
			return ok && same && v == w
		}
		return x.Type == y.Type && x.Basic == y.Basic && bytes.Equal(x.Value, y.Value)
	}
	if slices.EqualFunc(a.Attributes, b.Attributes, same) {
		return true
	}
	return slices.EqualFunc(ordered(a.Attributes, lifeType, duration), ordered(b.Attributes, lifeType, duration), same)
}

// ordered are attributes by their types. The pairs of a lifetime stay together, by their units.
func ordered(as []payload.Attribute, lifeType, duration uint16) []payload.Attribute {
	type place struct {
		payload.Attribute
		unit []byte // of a lifetime: its type's value
	}
	var all []place
	var unit []byte
	for _, a := range as {
		if a.Type == lifeType {
			unit = a.Value
		}
		at := place{Attribute: a}
		if a.Type == lifeType || a.Type == duration {
			at.unit = unit
		}
		all = append(all, at)
	}
	slices.SortStableFunc(all, func(x, y place) int {
		return cmp.Or(bytes.Compare(x.unit, y.unit), cmp.Compare(x.Type, y.Type))
	})
	var out []payload.Attribute
	for _, at := range all {
		out = append(out, at.Attribute)
	}
	return out
}

// unnamed is a transform without the identity name of GSS-API.
func unnamed(t payload.Transform) payload.Transform {
	if rest, name, err := withoutGSS(t.Attributes); err == nil && name != nil {
		t.Attributes = rest
	}
	return t
}
