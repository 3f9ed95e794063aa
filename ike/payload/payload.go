package payload

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Type is a payload type, RFC 2408, Section 3.1.
type Type uint8

// Payload types of RFC 2408, Section 3.1.
const (
	TypeNone      Type = 0
	TypeSA        Type = 1
	TypeProposal  Type = 2
	TypeTransform Type = 3
	TypeKE        Type = 4
	TypeID        Type = 5
	TypeCert      Type = 6
	TypeCertReq   Type = 7
	TypeHash      Type = 8
	TypeSignature Type = 9
	TypeNonce     Type = 10
	TypeNotify    Type = 11
	TypeDelete    Type = 12
	TypeVendorID  Type = 13
)

// Payload types that later documents add.
const (
	TypeAttributes Type = 14  // draft-dukes-ike-mode-cfg-02, Section 3.2
	TypeNATD       Type = 20  // RFC 3947, Section 3.2
	TypeNATOA      Type = 21  // RFC 3947, Section 5.2
	TypeGSSToken   Type = 129 // of Windows and racoon; the draft gives no number
	TypeNATDDraft  Type = 130 // draft-ietf-ipsec-nat-t-ike-00 to -03
	TypeNATOADraft Type = 131 // draft-ietf-ipsec-nat-t-ike-00 to -03
	TypeFragment   Type = 132 // MS-IKEE, 2.2.3.1
)

var typeNames = map[Type]string{
	TypeNone: "NONE", TypeSA: "Security Association", TypeProposal: "Proposal", TypeTransform: "Transform", TypeKE: "Key Exchange",
	TypeID: "Identification", TypeCert: "Certificate", TypeCertReq: "Certificate Request", TypeHash: "Hash", TypeSignature: "Signature",
	TypeNonce: "Nonce", TypeNotify: "Notification", TypeDelete: "Delete", TypeVendorID: "Vendor ID", TypeAttributes: "Attributes",
	TypeNATD: "NAT-D", TypeNATOA: "NAT-OA", TypeGSSToken: "GSS-API Token", TypeNATDDraft: "NAT-D (draft)",
	TypeNATOADraft: "NAT-OA (draft)", TypeFragment: "Fragment",
}

func (t Type) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return fmt.Sprintf("payload type %d", uint8(t))
}

// Payload is one decoded payload: *SA, KeyExchange, Nonce, ID, Certificate,
// CertificateRequest, Hash, Signature, Notify, Delete, VendorID, Attributes, NATD,
// NATOA, GSSToken, Fragment or Raw.
type Payload interface {
	Type() Type
	appendBody(dst []byte) []byte
}

// Item is a payload of a received chain.
type Item struct {
	Payload Payload
	Raw     []byte // as received, generic header included
}

// Body is the payload as received without its generic header: the "_b" of RFC 2409, Section 3.2.
func (i Item) Body() []byte { return i.Raw[genericLen:] }

// Raw is a payload that the package does not decode.
type Raw struct {
	T    Type
	Data []byte
}

// Type is the type as received.
func (r Raw) Type() Type                   { return r.T }
func (r Raw) appendBody(dst []byte) []byte { return append(dst, r.Data...) }

const (
	genericLen  = 4   // RFC 2408, Section 3.2
	maxPayloads = 128 // more in one message is an attack, not a negotiation
)

// Parse reads a chain of payloads that starts with one of type first. What is
// left after the last payload is returned as padding: cipher padding in an
// encrypted message, and nothing in one in the clear. The chain refers to b.
func Parse(first Type, b []byte) (chain []Item, padding []byte, err error) {
	if chain, padding, err = Split(first, b); err != nil {
		return nil, nil, err
	}
	if err = Decode(chain); err != nil {
		return nil, nil, err
	}
	return chain, padding, nil
}

// Split reads generic headers only and leaves every payload Raw, so that a
// message can be authenticated before the rest of it is looked at.
func Split(first Type, b []byte) (chain []Item, padding []byte, err error) {
	s := cryptobyte.String(b)
	for next := first; next != TypeNone; {
		if len(chain) == maxPayloads {
			return nil, nil, errorf(NotifyPayloadMalformed, "more than %d payloads", maxPayloads)
		}
		raw, following, err := readGeneric(&s, next)
		if err != nil {
			return nil, nil, err
		}
		chain = append(chain, Item{Payload: Raw{T: next, Data: raw[genericLen:]}, Raw: raw})
		next = following
	}
	return chain, s, nil
}

// Decode replaces the Raw payloads of a chain by decoded ones. After an error
// the payloads before the faulty one are decoded.
func Decode(chain []Item) error {
	for i, item := range chain {
		p, err := parseBody(item.Payload.Type(), item.Body())
		if err != nil {
			return err
		}
		chain[i].Payload = p
	}
	return nil
}

// One finds the only payload of a type in a chain; it is an error when there is none, or another.
func One[P Payload](chain []Item) (p P, item Item, err error) {
	found := 0
	for _, i := range chain {
		if q, ok := i.Payload.(P); ok {
			p, item = q, i
			found++
		}
	}
	if found != 1 {
		return p, item, errorf(NotifyPayloadMalformed, "%d payloads of %T in a message that needs one", found, p)
	}
	return p, item, nil
}

// All are the payloads of a type in a chain.
func All[P Payload](chain []Item) []P {
	var ps []P
	for _, i := range chain {
		if p, ok := i.Payload.(P); ok {
			ps = append(ps, p)
		}
	}
	return ps
}

// readGeneric cuts one payload off s and reads its generic header, RFC 2408, Section 3.2.
func readGeneric(s *cryptobyte.String, t Type) (raw []byte, next Type, err error) {
	head := *s
	var reserved uint8
	var length uint16
	if !head.ReadUint8((*uint8)(&next)) || !head.ReadUint8(&reserved) || !head.ReadUint16(&length) {
		return nil, 0, errorf(NotifyPayloadMalformed, "%v payload: no room for its header", t)
	}
	// RFC 2408, Section 5.3 has it verified, and answered with PAYLOAD-MALFORMED.
	if reserved != 0 {
		return nil, 0, errorf(NotifyPayloadMalformed, "%v payload: reserved field is %#x", t, reserved)
	}
	if length < genericLen || !s.ReadBytes(&raw, int(length)) {
		return nil, 0, errorf(NotifyPayloadMalformed, "%v payload: length %d, %d bytes left", t, length, len(*s))
	}
	return raw, next, nil
}

func parseBody(t Type, body []byte) (Payload, error) {
	switch t {
	case TypeSA:
		return parseSA(body)
	case TypeKE:
		return KeyExchange{Data: body}, nil
	case TypeNonce:
		return parseNonce(body)
	case TypeID:
		return ParseID(body)
	case TypeCert:
		return parseCert(body)
	case TypeCertReq:
		return parseCertReq(body)
	case TypeHash:
		return Hash{Data: body}, nil
	case TypeSignature:
		return Signature{Data: body}, nil
	case TypeNotify:
		return parseNotify(body)
	case TypeDelete:
		return parseDelete(body)
	case TypeVendorID:
		return VendorID{Data: body}, nil
	case TypeAttributes:
		return parseConfig(body)
	case TypeNATD, TypeNATDDraft:
		return NATD{Draft: t == TypeNATDDraft, Hash: body}, nil
	case TypeNATOA, TypeNATOADraft:
		return parseNATOA(body, t == TypeNATOADraft)
	case TypeGSSToken:
		return GSSToken{Data: body}, nil
	case TypeFragment:
		return parseFragment(body)
	case TypeProposal, TypeTransform:
		// They exist only inside an SA payload, RFC 2408, Section 3.4.
		return nil, errorf(NotifyInvalidPayloadType, "%v payload outside a Security Association", t)
	}
	return Raw{T: t, Data: body}, nil
}

// Append writes the payloads as a chain: each names the type of its successor.
func Append(dst []byte, ps ...Payload) []byte {
	for i, p := range ps {
		next := TypeNone
		if i+1 < len(ps) {
			next = ps[i+1].Type()
		}
		dst = appendGeneric(dst, next, p.appendBody)
	}
	return dst
}

// appendGeneric writes one payload and fills in its length afterwards, which counts the header itself.
func appendGeneric(dst []byte, next Type, body func([]byte) []byte) []byte {
	start := len(dst)
	dst = body(append(dst, byte(next), 0, 0, 0))
	binary.BigEndian.PutUint16(dst[start+2:], uint16(len(dst)-start))
	return dst
}

// First is the type of the first payload, for the header of a message.
func First(ps []Payload) Type {
	if len(ps) == 0 {
		return TypeNone
	}
	return ps[0].Type()
}

// Body encodes the payload without its generic header: the "_b" of RFC 2409, Section 3.2.
func Body(p Payload) []byte { return p.appendBody(nil) }
