package esp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Outcome is what becomes of a packet.
type Outcome uint8

// The outcomes.
const (
	Passed    Outcome = iota + 1 // goes on unchanged
	Dropped                      // ends here
	Protected                    // Decision.Packet goes out in its place
	Held                         // waits, perhaps, for an SA: an acquire is under way
	TooBig                       // the sender must learn Decision.MTU (RFC 1191, RFC 8201)
	Opened                       // Decision.Packet is the packet that was inside
)

func (o Outcome) String() string {
	switch o {
	case Passed:
		return "passed"
	case Dropped:
		return "dropped"
	case Protected:
		return "protected"
	case Held:
		return "held"
	case TooBig:
		return "too big"
	case Opened:
		return "opened"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// The words of Decision.Action and trace.Verdict.
const (
	ActionPermit    = "permit"
	ActionBlock     = "block"
	ActionNegotiate = "negotiate"
	ActionNoMatch   = "no match"
	ActionExempt    = "exempt" // a permit whose rule is a default exemption (TechNet cc756041)
	ActionSA        = "sa"     // no policy was asked: the SPI decides
	ActionBoot      = "boot"   // no policy selects it, and the startup mode decides
)

// ExemptPrefix begins the names of the rules that are default exemptions.
const ExemptPrefix = "exempt:"

// Decision is what to do with one packet, and why.
type Decision struct {
	Outcome  Outcome
	Action   string // one of the Action words; empty for a packet too broken to judge
	Rule     string // the name of the policy entry that decided, or of the SA's; empty for none
	PolicyID int    // of that entry; 0 for none
	Why      string

	Packet []byte // with Protected and Opened: a whole datagram that the caller owns
	MTU    int    // with TooBig: bytes of the largest datagram that fits when protected; at least 1280 for IPv6

	// PeerID is, with Opened, the identity that the peer proved when the SA was made.
	PeerID string

	// Layer is the outermost protection, with Protected, Opened, TooBig (where it
	// has no sequence number), and Dropped once its header was read. Inner is the ESP
	// inside the AH of a bundle; the zero Layer is none.
	Layer
	Inner Layer
	UDP   bool // ESP is encapsulated in UDP, RFC 3948

	// Verified says, with Opened, that the checksum of the transport protocol is not to be looked
	// at: a NAT has spoiled it, and ESP has shown that the packet is what was sent.
	Verified bool
}

// Layer is the part of one SA in a protected packet.
type Layer struct {
	Protocol ipsec.Protocol // 0: there is none
	SPI      uint32
	Sequence uint64
}

// appendName appends the layer's name for people.
func (l Layer) appendName(b []byte) []byte {
	b = append(append(b, l.Protocol.String()...), " SPI 0x"...)
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint32(nil, l.SPI))
	if l.Sequence == 0 {
		return b // the first generation has none
	}
	return strconv.AppendUint(append(b, " sequence "...), l.Sequence, 10)
}

// Protocols names what was applied, outermost first: "ESP", "AH" or "AH+ESP".
// It is empty when nothing was. Encapsulation in UDP is none of them.
func (d Decision) Protocols() string {
	switch {
	case d.Layer.Protocol == 0:
		return ""
	case d.Inner.Protocol == 0:
		return d.Layer.Protocol.String()
	}
	return d.Layer.Protocol.String() + "+" + d.Inner.Protocol.String()
}

// Layers prints the SAs applied, outermost first.
func (d Decision) Layers() string {
	b := make([]byte, 0, 96)
	if d.UDP {
		b = append(b, "UDP, "...)
	}
	b = d.Layer.appendName(b)
	if d.Inner.Protocol != 0 {
		b = d.Inner.appendName(append(b, ", "...))
	}
	return string(b)
}

// layerOf reads SPI and sequence number from a packet of a security protocol,
// whose header is there.
func layerOf(proto ipsec.Protocol, packet []byte) Layer {
	at := 0
	if proto == ipsec.AH {
		at = 4
	}
	return Layer{proto, binary.BigEndian.Uint32(packet[at:]), uint64(binary.BigEndian.Uint32(packet[at+4:]))}
}

// byEntry begins the decision that a policy entry makes; nil is no entry.
func byEntry(e *ipsec.Policy) Decision {
	if e == nil {
		return Decision{Outcome: Passed, Action: ActionNoMatch}
	}
	d := Decision{Rule: e.Rule, PolicyID: e.ID}
	switch {
	case e.Action == ipsec.Bypass && strings.HasPrefix(e.Rule, ExemptPrefix):
		d.Outcome, d.Action = Passed, ActionExempt
	case e.Action == ipsec.Bypass:
		d.Outcome, d.Action = Passed, ActionPermit
	case e.Action == ipsec.Protect:
		d.Action = ActionNegotiate // the caller finds the outcome
	default: // an action that nobody defined is no permission
		d.Outcome, d.Action = Dropped, ActionBlock
	}
	return d
}

func (d *Decision) drop(why string) { d.Outcome, d.Why = Dropped, why }
