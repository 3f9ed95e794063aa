package ike

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// NATPort is the port to which IKE floats when there is a NAT.
const NATPort = natt.Port

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

// natDialectNames are what the vendor IDs are MD5 of. The text of draft 01 repeats that of draft
// 00, and the text of draft 02 gives the value with the newline for the name without it.
var natDialectNames = map[NATDialect]string{
	NATDraft00: "draft-ietf-ipsec-nat-t-ike-00", NATDraft01: "draft-ietf-ipsec-nat-t-ike-01", NATDraft02: "draft-ietf-ipsec-nat-t-ike-02",
	NATDraft02Newline: "draft-ietf-ipsec-nat-t-ike-02\n", NATDraft03: "draft-ietf-ipsec-nat-t-ike-03", NATRFC3947: "RFC 3947",
}

func (d NATDialect) String() string {
	if name := natDialectNames[d]; name != "" {
		return strings.ReplaceAll(name, "\n", `\n`)
	}
	return fmt.Sprintf("NAT traversal dialect %d", uint8(d))
}

// VendorID announces the dialect: RFC 3947, Section 3.1, and the drafts.
func (d NATDialect) VendorID() []byte {
	sum := md5.Sum([]byte(natDialectNames[d]))
	return sum[:]
}

// NATDialects are those that vendor IDs announce, each once, in the order of the IDs.
func NATDialects(ids []payload.VendorID) (ds []NATDialect) {
	for _, id := range ids {
		for d := NATDraft00; d <= NATRFC3947; d++ {
			if bytes.Equal(id.Data, d.VendorID()) && !slices.Contains(ds, d) {
				ds = append(ds, d)
			}
		}
	}
	return ds
}

// Draft reports the numbers of the drafts.
func (d NATDialect) Draft() bool { return d < NATRFC3947 }

// Floats reports whether IKE goes on on port 4500 when there is a NAT.
func (d NATDialect) Floats() bool { return d >= NATDraft02 }

// NATPlacement says behind which ends of a main mode there is a NAT.
type NATPlacement struct{ Initiator, Responder bool }

// Any reports a NAT at either end.
func (p NATPlacement) Any() bool { return p.Initiator || p.Responder }

// Word is the placement in a word of traces and scenario files.
func (p NATPlacement) Word() string {
	switch {
	case p.Initiator && p.Responder:
		return "both"
	case p.Initiator:
		return "initiator"
	case p.Responder:
		return "responder"
	}
	return "none"
}

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

func (r ResponderBehindNAT) String() string {
	switch r {
	case RefuseBehindNAT:
		return "no SA with a responder behind a NAT"
	case AssumeResponder:
		return "no SA with a responder behind a NAT if the initiator is behind one too"
	}
	return "both may be behind NATs"
}

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
	// that both sides speak the latest is used. Draft 02 and "-02\n" are one protocol by two
	// names, and whoever knows one of them does not know the other by that.
	Dialects []NATDialect
	// Responder is AssumeUDPEncapsulationContextOnSendRule. Systems without the value, from
	// before Windows XP SP2, behave as with AssumeBoth.
	Responder ResponderBehindNAT
	// Originals is when NAT-OA payloads are sent.
	Originals NATOriginals
	// BothOriginals has those of the drafts be two, as of the RFC. The texts of the drafts have the
	// sender's address alone; MS-IKEE, 3.2 says of what Windows makes of draft 02 that it is the RFC
	// but for its numbers.
	BothOriginals bool
	// Addresses are further addresses of ours with which what is sent from local may leave, where
	// that is not known: each has a NAT-D payload of its own (RFC 3947, Section 3.2). nil: none.
	Addresses func(local netip.Addr) []netip.Addr
	// Force sends a source hash that fits nothing, so that for both sides we are behind a NAT.
	Force bool
	// KeepAlive is after how long without traffic a side behind a NAT sends a keep-alive;
	// 0: 20 s (RFC 3948, Section 4; fixed in Windows); negative: none (Windows Vista and Server 2008
	// before SP2, MS-IKEE, product note 14).
	KeepAlive time.Duration
	// KeepAliveOutside has a side that is behind no NAT send them too, where the peer is behind
	// one. RFC 3947, Section 3.2 has them come from the side behind; one outside does no harm.
	KeepAliveOutside bool
	// AcceptEither has the responder of a quick mode take plain ESP although there is a NAT, and ESP in
	// UDP although there is none: RFC 3947, Section 5.1 has no more than a SHOULD and a SHOULD NOT of either.
	// What is offered is the form that fits. Never AH across a NAT.
	AcceptEither bool
	// Begin4500 has main modes begin on port 4500. RFC 3947, Section 4 has everybody understand that
	// who has a dialect that floats. Of a path without a NAT, plain ESP is still negotiated.
	Begin4500 bool
}

// On reports whether any dialect is spoken.
func (n NATTraversal) On() bool { return len(n.Dialects) > 0 }

// Choose is the latest dialect that both sides speak; 0: none.
func (n NATTraversal) Choose(peer []NATDialect) (latest NATDialect) {
	for _, d := range n.Dialects {
		if slices.Contains(peer, d) {
			latest = max(latest, d)
		}
	}
	return latest
}

// Own are the addresses with which packets from one of ours may leave, that one first.
func (n NATTraversal) Own(local netip.Addr) []netip.Addr {
	all := []netip.Addr{local}
	if n.Addresses == nil {
		return all
	}
	for _, a := range n.Addresses(local) {
		if len(all) < maxOwnAddresses && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// maxOwnAddresses bounds the NAT-D payloads of a message.
const maxOwnAddresses = 16

// NATHash is what a NAT-D payload has of an address and a port: HASH(CKY-I | CKY-R | IP | Port),
// with the hash of phase 1 (RFC 3947, Section 3.2).
func NATHash(h *suite.Hash, c Cookies, at netip.AddrPort) []byte {
	return h.Sum(c.Initiator[:], c.Responder[:], at.Addr().Unmap().AsSlice(), []byte{byte(at.Port() >> 8), byte(at.Port())})
}

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
