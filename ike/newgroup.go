package ike

import (
	"fmt"
	"math/big"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// NewGroups is about new group mode, RFC 2409, Section 5.6: under a main mode its two
// sides agree on a group of their own for the Diffie–Hellman exchanges of its quick modes.
// Windows does not have it.
type NewGroups struct {
	// Propose is what the initiator of the main mode proposes: a private group, whose number
	// is 32768 or more; nil: nothing.
	Propose *suite.Group
	// Accept has us take groups of peers, of MinBits to MaxBits (0: 1024 and 2048), if they
	// stand the tests of suite.NewGroup.
	Accept           bool
	MinBits, MaxBits int
}

// minPrivateGroup is the first number of private groups, RFC 2409, Appendix A.
const minPrivateGroup = 32768

// Bounds are the sizes of groups that are accepted, in bits.
func (n NewGroups) Bounds() (low, high int) {
	if low = n.MinBits; low == 0 {
		low = 1024
	}
	if high = n.MaxBits; high == 0 {
		high = 2048
	}
	return low, high
}

// Check reports what is out of range.
func (n NewGroups) Check() error {
	low, high := n.Bounds()
	if low < suite.MinPrivateBits || high > suite.MaxPrivateBits || low > high {
		return fmt.Errorf("new group mode accepts groups of %d to %d bits, must be %d to %d", low, high, suite.MinPrivateBits, suite.MaxPrivateBits)
	}
	if p := n.Propose; p != nil && p.Number < minPrivateGroup {
		return fmt.Errorf("new group mode proposes the group number %d, must be %d to 65535", p.Number, minPrivateGroup)
	}
	return nil
}

// NewPrivateGroup is a group to propose, after all tests.
func NewPrivateGroup(number uint16, prime, generator *big.Int) (*suite.Group, error) {
	if number < minPrivateGroup {
		return nil, fmt.Errorf("ike: the private group has the number %d, must have %d to 65535", number, minPrivateGroup)
	}
	return suite.NewGroup(number, prime, generator)
}

// OfferNewGroup is the SA payload of new group mode.
func OfferNewGroup(g *suite.Group) *payload.SA {
	variable := func(t uint16, v *big.Int) payload.Attribute { return payload.Attribute{Type: t, Value: v.Bytes()} }
	return payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, Transforms: []payload.Transform{{
		Number: 1, ID: payload.TransformKeyIKE, Attributes: []payload.Attribute{
			payload.BasicAttribute(payload.AttrGroup, g.Number), payload.BasicAttribute(payload.AttrGroupType, payload.GroupMODP),
			variable(payload.AttrGroupPrime, g.Prime()), variable(payload.AttrGenerator1, g.Generator()),
		},
	}}})
}

// Choose reads the SA payload of a peer and takes the one group that it is about, if the
// policy allows that. The error is an *Error.
func (n NewGroups) Choose(sa *payload.SA) (*suite.Group, error) {
	refuse := func(format string, args ...any) (*suite.Group, error) {
		return nil, Errorf(CodeInvalidGroup, payload.NotifyAttributesNotSupported, format, args...)
	}
	if !n.Accept {
		return refuse("new group mode is off")
	}
	if len(sa.Proposals) != 1 || len(sa.Proposals[0].Transforms) != 1 {
		return refuse("new group mode with several proposals")
	}
	number, prime, generator, err := readPrivateGroup(sa.Proposals[0].Transforms[0])
	if err != nil {
		return refuse("new group mode with %v", err)
	}
	if low, high := n.Bounds(); prime.BitLen() < low || prime.BitLen() > high {
		return refuse("the group has %d bits, policy accepts %d to %d", prime.BitLen(), low, high)
	}
	g, err := suite.NewGroup(number, prime, generator)
	if err != nil {
		return refuse("%v", err)
	}
	return g, nil
}

// readPrivateGroup reads the attributes 4 to 10 and 16 of RFC 2409, Appendix A. The error is a short phrase.
func readPrivateGroup(t payload.Transform) (number uint16, prime, generator *big.Int, err error) {
	bad := func(format string, args ...any) (uint16, *big.Int, *big.Int, error) {
		return 0, nil, nil, fmt.Errorf(format, args...)
	}
	seen := map[uint16]bool{}
	for _, a := range t.Attributes {
		name, value := payload.AttributeName(payload.ProtocolISAKMP, a)
		v, isNumber := a.Uint()
		if seen[a.Type] {
			return bad("%s twice", name)
		}
		seen[a.Type] = true
		switch a.Type {
		case payload.AttrGroup:
			if !isNumber || v < minPrivateGroup || v > 1<<16-1 {
				return bad("%s %s, which is no private number", name, value)
			}
			number = uint16(v)
		case payload.AttrGroupType:
			if !isNumber || v != uint64(payload.GroupMODP) {
				return bad("%s %s", name, value)
			}
		case payload.AttrGroupPrime, payload.AttrGenerator1:
			if len(a.Value) == 0 || len(a.Value) > suite.MaxPrivateBits/8+1 {
				return bad("%s of %d bytes", name, len(a.Value))
			}
			if n := new(big.Int).SetBytes(a.Value); a.Type == payload.AttrGroupPrime {
				prime = n
			} else {
				generator = n
			}
		case payload.AttrGroupOrder: // of a MODP group it follows from the prime
		default:
			return bad("%s %s", name, value)
		}
	}
	if number == 0 || prime == nil || generator == nil || !seen[payload.AttrGroupType] {
		return bad("a group without number, type, prime or generator")
	}
	return number, prime, generator, nil
}
