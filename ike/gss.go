package ike

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// GSSAPI is authentication by a GSS-API mechanism, which is Kerberos on Windows
// (draft-ietf-ipsec-isakmp-gss-auth-07). XAUTH has the same number: see readMainMode.
const GSSAPI = AuthMethod(payload.AuthGSSAPI)

// GSS is a GSS-API mechanism of the host, for one peer. Errors should be of type
// *Error: they end the negotiation with their code and tell the peer their notification.
type GSS interface {
	// Identity is our GSS-API identity name, which the SA payload carries: host/fqdn.
	Identity() string
	// Initiate begins a context with the peer of this identity name, with mutual
	// authentication, confidentiality and integrity. The peer gets the token.
	Initiate(at time.Time, peer string) (GSSContext, []byte, error)
	// Accept takes the token of an initiator of this identity name, and gives the one that answers it.
	Accept(at time.Time, peer string, token []byte) (GSSContext, []byte, error)
}

// GSSContext is a security context of a mechanism.
type GSSContext interface {
	// Finish takes the acceptor's token. It is called at the initiator alone, and there once
	// the token has come; a mechanism that needs more tokens than one each way is unsupported.
	Finish(token []byte) error
	// Wrap protects with confidentiality what the peer's Unwrap gives back (RFC 2743, Section 2.3.3).
	Wrap(plain []byte) ([]byte, error)
	Unwrap(wrapped []byte) ([]byte, error)
	// Peer is who the mechanism says the peer is.
	Peer() string
}

// GSSVendorID says that its sender means GSS-API by 65001 (MS-IKEE, product note 6).
var GSSVendorID = []byte{0x62, 0x1b, 0x04, 0xbb, 0x09, 0x88, 0x2a, 0xc1, 0xe1, 0x59, 0x35, 0xfe, 0xfa, 0x24, 0xae, 0xee}

// ownVendors say what the numbers of an offer of ours mean.
var ownVendors = []payload.VendorID{{Data: XAUTHVendorID}, {Data: GSSVendorID}}

// maxGSSIdentity bounds identity names, in UTF-16 units.
const maxGSSIdentity = 512

// GSSName is an identity name as the SA payload carries it: UTF-16, low byte first, without a terminator.
func GSSName(name string) (b []byte) {
	for _, u := range utf16.Encode([]rune(name)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func gssAttribute(name string) payload.Attribute {
	return payload.Attribute{Type: payload.AttrGSSIdentity, Value: GSSName(name)}
}

// withoutGSS takes the identity name off the attributes of a transform; nil bytes: there is none.
func withoutGSS(as []payload.Attribute) (rest []payload.Attribute, name []byte, err error) {
	for _, a := range as {
		if a.Type != payload.AttrGSSIdentity {
			rest = append(rest, a)
			continue
		}
		if name != nil || len(a.Value) == 0 || len(a.Value)%2 != 0 || len(a.Value) > 2*maxGSSIdentity {
			return nil, nil, fmt.Errorf("GSS Identity Name of %d bytes", len(a.Value))
		}
		name = a.Value
	}
	return rest, name, nil
}

// GSSName is the identity name of the peer, in the SA payload that it has sent.
func (c MainModeChoice) GSSName() string {
	units := make([]uint16, len(c.GSSIdentity)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(c.GSSIdentity[2*i:])
	}
	return string(utf16.Decode(units))
}

// GSS reports whether a method of the policy is a GSS-API mechanism.
func (m MainMode) GSS() bool {
	return slices.ContainsFunc(m.Auth, func(a Auth) bool { return a.Method == GSSAPI })
}

// replyAs is the responder's transform: a copy of the offered one, in which the identity
// name is its own. It is the one attribute that a responder does not repeat.
func replyAs(t payload.Transform, identity string) payload.Transform {
	t.Attributes = slices.Clone(t.Attributes)
	for i, a := range t.Attributes {
		if a.Type == payload.AttrGSSIdentity {
			t.Attributes[i] = gssAttribute(identity)
		}
	}
	return t
}
