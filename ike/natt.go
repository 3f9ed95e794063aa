package ike

import (
	"fmt"
	"slices"
	"time"
)

// NATDialect is a version of NAT traversal in the IKE, told by its vendor ID.
type NATDialect uint8

// The dialects. Those from NATDraft00 to NATDraft03 number payloads 130 and 131 and
// encapsulation modes 61443 and 61444; the RFC has 20, 21, 3 and 4.
const (
	NATDraft00        NATDialect = iota + 1 // draft-ietf-ipsec-nat-t-ike-00: stays on port 500
	NATDraft01                              // -01: the same
	NATDraft02                              // -02: floats to port 4500, as all later ones
	NATDraft02Newline                       // "-02\n": what Windows Server 2003 and earlier speak, and nothing else (MS-IKEE, product notes 13 and 15)
	NATDraft03                              // -03
	NATRFC3947                              // RFC 3947
)

var natDialectNames = map[NATDialect]string{
	NATDraft00: "draft-ietf-ipsec-nat-t-ike-00", NATDraft01: "draft-ietf-ipsec-nat-t-ike-01", NATDraft02: "draft-ietf-ipsec-nat-t-ike-02",
	NATDraft02Newline: `draft-ietf-ipsec-nat-t-ike-02\n`, NATDraft03: "draft-ietf-ipsec-nat-t-ike-03", NATRFC3947: "RFC 3947",
}

func (d NATDialect) String() string {
	if name := natDialectNames[d]; name != "" {
		return name
	}
	return fmt.Sprintf("NAT traversal dialect %d", uint8(d))
}

// Draft reports the numbers of the drafts.
func (d NATDialect) Draft() bool { return d < NATRFC3947 }

// Floats reports whether IKE goes on on port 4500 when there is a NAT.
func (d NATDialect) Floats() bool { return d >= NATDraft02 }

// NATPlacement says behind which ends of a main mode there is a NAT.
type NATPlacement struct{ Initiator, Responder bool }

// Any reports a NAT at either end.
func (p NATPlacement) Any() bool { return p.Initiator || p.Responder }

func (p NATPlacement) String() string {
	switch {
	case p.Initiator && p.Responder:
		return "both ends are behind NATs"
	case p.Initiator:
		return "the initiator is behind a NAT"
	case p.Responder:
		return "the responder is behind a NAT"
	}
	return "no NAT"
}

// ResponderBehindNAT is AssumeUDPEncapsulationContextOnSendRule of the registry (KB885348,
// KB947234): what an initiator makes of a responder behind a NAT.
type ResponderBehindNAT uint8

// The values, by their numbers in the registry.
const (
	RefuseBehindNAT   ResponderBehindNAT = 0 // no SA with a responder behind a NAT
	AssumeResponder   ResponderBehindNAT = 1 // a responder behind a NAT is accepted, where the initiator is behind none
	AssumeBoth        ResponderBehindNAT = 2 // both may be behind NATs
	maxBehindNATValue                    = AssumeBoth
)

// Allows reports whether an initiator with this value goes on.
func (r ResponderBehindNAT) Allows(p NATPlacement) bool {
	switch r {
	case RefuseBehindNAT:
		return !p.Responder
	case AssumeResponder:
		return !(p.Responder && p.Initiator)
	}
	return true
}

// NATOriginals is which side of a quick mode sends NAT-OA payloads in transport mode.
type NATOriginals uint8

// The choices.
const (
	OriginalsAlways   NATOriginals = iota // RFC 3947, Section 5.2: both sides, always
	OriginalsIfBehind                     // Windows: a side that is behind a NAT itself (MS-IKEE, 3.1.5)
	OriginalsNever                        // a peer that tells nothing, which a strict one must tolerate
)

// NATTraversal is negotiation across NATs, RFC 3947. The zero value is none: no vendor ID
// of it is sent, and those of peers mean nothing.
type NATTraversal struct {
	// Dialects are those whose vendor IDs are sent, in this order, and understood. Of several
	// that both sides speak the latest is used; draft 02 and its "-02\n" are one.
	Dialects []NATDialect
	// Responder is AssumeUDPEncapsulationContextOnSendRule. Systems without the value, from
	// before Windows XP SP2, behave as with AssumeBoth.
	Responder ResponderBehindNAT
	// Originals is when NAT-OA payloads are sent.
	Originals NATOriginals
	// Force sends a source hash that fits nothing, so that the path counts as one with a NAT.
	Force bool
	// KeepAlive is after how long without traffic a side behind a NAT sends a keep-alive;
	// 0: 20 s (RFC 3948, Section 4; fixed in Windows); negative: none (Windows Vista and Server 2008
	// before SP2, MS-IKEE, product note 14).
	KeepAlive time.Duration
}

// On reports whether any dialect is spoken.
func (n NATTraversal) On() bool { return len(n.Dialects) > 0 }

// KeepAliveInterval is KeepAlive with its default; 0: none are sent.
func (n NATTraversal) KeepAliveInterval() time.Duration {
	switch {
	case n.KeepAlive < 0:
		return 0
	case n.KeepAlive == 0:
		return 20 * time.Second
	}
	return n.KeepAlive
}

func (n NATTraversal) check() error {
	for i, d := range n.Dialects {
		switch {
		case natDialectNames[d] == "":
			return fmt.Errorf("ike: Config.NAT has dialect %d, must be NATDraft00 to NATRFC3947", uint8(d))
		case slices.Contains(n.Dialects[:i], d):
			return fmt.Errorf("ike: Config.NAT has %v twice", d)
		}
	}
	switch {
	case n.Responder > maxBehindNATValue:
		return fmt.Errorf("ike: Config.NAT.Responder is %d, must be 0 to 2", n.Responder)
	case n.Originals > OriginalsNever:
		return fmt.Errorf("ike: Config.NAT.Originals is %d, must be 0 to 2", n.Originals)
	}
	return nil
}
