package payload

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// The only DOI and the only situation of this project, RFC 2407, Sections 4.6.1 and 4.2.
const (
	DOIIPsec              uint32 = 1
	SituationIdentityOnly uint32 = 1
)

// SA is a Security Association payload, RFC 2408, Section 3.4: an offer, or the choice from one.
type SA struct {
	DOI       uint32
	Situation uint32
	Proposals []Proposal // equal numbers in a row are to be taken together, different ones are alternatives
}

// Proposal is a Proposal payload, RFC 2408, Section 3.5.
type Proposal struct {
	Number     uint8
	Protocol   ProtocolID
	SPI        []byte
	Transforms []Transform // alternatives in order of preference
}

// Transform is a Transform payload, RFC 2408, Section 3.6.
type Transform struct {
	Number     uint8
	ID         uint8
	Attributes []Attribute
}

// Type is TypeSA.
func (*SA) Type() Type { return TypeSA }

// NewSA is an offer or a choice in the IPsec DOI.
func NewSA(ps ...Proposal) *SA {
	return &SA{DOI: DOIIPsec, Situation: SituationIdentityOnly, Proposals: ps}
}

func parseSA(b []byte) (*SA, error) {
	s := cryptobyte.String(b)
	sa := &SA{}
	if !s.ReadUint32(&sa.DOI) {
		return nil, errorf(NotifyPayloadMalformed, "Security Association without a DOI")
	}
	// What follows is laid out as the DOI says, RFC 2408, Section 3.4.
	if sa.DOI != DOIIPsec {
		return nil, errorf(NotifyDOINotSupported, "DOI %d is not IPsec", sa.DOI)
	}
	if !s.ReadUint32(&sa.Situation) {
		return nil, errorf(NotifyPayloadMalformed, "Security Association without a situation")
	}
	// Secrecy and integrity add labels in front of the proposals, RFC 2407, Section 4.6.1.
	if sa.Situation != SituationIdentityOnly {
		return nil, errorf(NotifySituationNotSupported, "situation %#x is not identity only", sa.Situation)
	}
	if s.Empty() {
		return nil, errorf(NotifyBadProposalSyntax, "Security Association without a proposal")
	}
	for more := true; more; {
		raw, next, err := readGeneric(&s, TypeProposal)
		if err != nil {
			return nil, err
		}
		p, err := parseProposal(raw[genericLen:])
		if err != nil {
			return nil, err
		}
		sa.Proposals = append(sa.Proposals, p)
		if more, err = another(next, TypeProposal); err != nil {
			return nil, err
		}
	}
	if !s.Empty() {
		return nil, errorf(NotifyBadProposalSyntax, "%d bytes after the last proposal", len(s))
	}
	return sa, nil
}

func parseProposal(b []byte) (Proposal, error) {
	s := cryptobyte.String(b)
	var p Proposal
	var spiSize, transforms uint8
	if !s.ReadUint8(&p.Number) || !s.ReadUint8((*uint8)(&p.Protocol)) || !s.ReadUint8(&spiSize) ||
		!s.ReadUint8(&transforms) || !s.ReadBytes(&p.SPI, int(spiSize)) {
		return Proposal{}, errorf(NotifyBadProposalSyntax, "proposal cut short")
	}
	// The cookies name an ISAKMP SA. What an SPI says beside them is ignored, and its
	// length may be from 0 to 16 (RFC 2408, Section 3.5).
	if p.Protocol == ProtocolISAKMP && spiSize > 16 {
		return Proposal{}, errorf(NotifyInvalidSPI, "proposal %d: SPI of %d bytes for an ISAKMP SA", p.Number, spiSize)
	}
	if transforms == 0 {
		return Proposal{}, errorf(NotifyBadProposalSyntax, "proposal %d has no transform", p.Number)
	}
	for n := 1; n <= int(transforms); n++ {
		raw, next, err := readGeneric(&s, TypeTransform)
		if err != nil {
			return Proposal{}, err
		}
		t, err := parseTransform(raw[genericLen:])
		if err != nil {
			return Proposal{}, err
		}
		p.Transforms = append(p.Transforms, t)
		more, err := another(next, TypeTransform)
		if err != nil {
			return Proposal{}, err
		}
		if more != (n < int(transforms)) {
			return Proposal{}, errorf(NotifyBadProposalSyntax, "proposal %d counts %d transforms, transform %d says otherwise", p.Number, transforms, n)
		}
	}
	if !s.Empty() {
		return Proposal{}, errorf(NotifyBadProposalSyntax, "%d bytes after the last transform of proposal %d", len(s), p.Number)
	}
	return p, nil
}

func parseTransform(b []byte) (Transform, error) {
	s := cryptobyte.String(b)
	var t Transform
	var reserved uint16
	if !s.ReadUint8(&t.Number) || !s.ReadUint8(&t.ID) || !s.ReadUint16(&reserved) {
		return Transform{}, errorf(NotifyBadProposalSyntax, "transform cut short")
	}
	if reserved != 0 {
		return Transform{}, errorf(NotifyPayloadMalformed, "transform %d: reserved field is %#x", t.Number, reserved)
	}
	var err error
	t.Attributes, err = ParseAttributes(s)
	return t, err
}

// another reads the "next payload" of a proposal or transform: its own type, or 0 for the last one.
func another(next, own Type) (bool, error) {
	switch next {
	case own:
		return true, nil
	case TypeNone:
		return false, nil
	}
	return false, errorf(NotifyBadProposalSyntax, "%v followed by %v", own, next)
}

func (sa *SA) appendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, sa.DOI)
	dst = binary.BigEndian.AppendUint32(dst, sa.Situation)
	for i, p := range sa.Proposals {
		dst = appendGeneric(dst, nextOf(i, len(sa.Proposals), TypeProposal), p.appendBody)
	}
	return dst
}

func (p Proposal) appendBody(dst []byte) []byte {
	dst = append(dst, p.Number, byte(p.Protocol), byte(len(p.SPI)), byte(len(p.Transforms)))
	dst = append(dst, p.SPI...)
	for i, t := range p.Transforms {
		dst = appendGeneric(dst, nextOf(i, len(p.Transforms), TypeTransform), t.appendBody)
	}
	return dst
}

func (t Transform) appendBody(dst []byte) []byte {
	return AppendAttributes(append(dst, t.Number, t.ID, 0, 0), t.Attributes)
}

func nextOf(i, n int, t Type) Type {
	if i+1 < n {
		return t
	}
	return TypeNone
}
