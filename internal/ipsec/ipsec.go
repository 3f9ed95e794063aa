// Package ipsec is the vocabulary that policy, key management and the data
// plane share: selectors, policies, proposals and security association
// parameters in the sense of RFC 4301. It has no behaviour beyond comparing
// and printing.
package ipsec

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/natt"
)

// Direction is the side of the IPsec boundary that a packet or an SA serves.
type Direction uint8

// The two directions, as a host sees them.
const (
	Outbound Direction = iota + 1
	Inbound
)

func (d Direction) String() string {
	switch d {
	case Outbound:
		return "outbound"
	case Inbound:
		return "inbound"
	}
	return fmt.Sprintf("direction(%d)", uint8(d))
}

// Protocol is a security protocol by its IPsec DOI number, RFC 2407, Section 4.4.1.
type Protocol uint8

// Protocol identifiers of RFC 2407, Section 4.4.1.
const (
	AH  Protocol = 2
	ESP Protocol = 3
)

func (p Protocol) String() string {
	switch p {
	case AH:
		return "AH"
	case ESP:
		return "ESP"
	}
	return fmt.Sprintf("protocol(%d)", uint8(p))
}

// IP protocol numbers that IPsec code has to name. RFC 792, RFC 9293, RFC 768,
// RFC 2205, RFC 4303, RFC 4302, RFC 4443.
const (
	ProtoAny    uint8 = 0
	ProtoICMP   uint8 = 1
	ProtoTCP    uint8 = 6
	ProtoUDP    uint8 = 17
	ProtoRSVP   uint8 = 46
	ProtoESP    uint8 = 50
	ProtoAH     uint8 = 51
	ProtoICMPv6 uint8 = 58
)

// ProtoName is the usual name of an IP protocol number, or the number itself.
func ProtoName(proto uint8) string {
	switch proto {
	case ProtoAny:
		return "any"
	case ProtoICMP:
		return "icmp"
	case ProtoTCP:
		return "tcp"
	case ProtoUDP:
		return "udp"
	case ProtoESP:
		return "esp"
	case ProtoAH:
		return "ah"
	case ProtoICMPv6:
		return "icmpv6"
	}
	return fmt.Sprint(proto)
}

// HasPorts reports whether packets of the protocol carry ports that a selector can name.
func HasPorts(proto uint8) bool { return proto == ProtoTCP || proto == ProtoUDP }

// Mode is how an SA encapsulates, RFC 4301, Section 3.2.
type Mode uint8

// The two modes; the numbers are those of the Encapsulation Mode attribute, RFC 2407, Section 4.5.
const (
	Tunnel    Mode = 1
	Transport Mode = 2
)

func (m Mode) String() string {
	switch m {
	case Tunnel:
		return "tunnel"
	case Transport:
		return "transport"
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// Selector names a set of packets by source and destination, seen in the
// direction in which they travel. RFC 4301, Section 4.4.1.1.
type Selector struct {
	Src, Dst         netip.Prefix // the zero Prefix is any address of either family
	Proto            uint8        // ProtoAny is any protocol
	SrcPort, DstPort uint16       // 0 is any port, or a protocol without ports
	ICMP             ICMPTypes    // with ProtoICMP and ProtoICMPv6
}

// ICMPTypes is a range of ICMP message types, both ends included. The zero value
// is every type, and of protocols without types everything.
type ICMPTypes struct{ First, Last uint8 }

// String prints the range; of the zero value it means nothing.
func (t ICMPTypes) String() string { return fmt.Sprintf("%d to %d", t.First, t.Last) }

func (t ICMPTypes) holds(p *Flow) bool {
	return t == ICMPTypes{} || !p.Fragment && t.First <= p.ICMPType && p.ICMPType <= t.Last
}

// Host is the prefix that holds a alone.
func Host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// Matches reports whether a packet with these fields is in the set. A packet
// whose ports are unknown (a non-first fragment, or no ports at all) carries 0
// and is matched only by selectors that leave the port open.
func (s *Selector) Matches(p *Flow) bool {
	return (s.Src == netip.Prefix{} || s.Src.Contains(p.Src)) &&
		(s.Dst == netip.Prefix{} || s.Dst.Contains(p.Dst)) &&
		(s.Proto == ProtoAny || s.Proto == p.Proto) &&
		(s.SrcPort == 0 || s.SrcPort == p.SrcPort) &&
		(s.DstPort == 0 || s.DstPort == p.DstPort) &&
		s.ICMP.holds(p)
}

// Reverse is the selector of the packets that travel the other way.
func (s Selector) Reverse() Selector {
	s.Src, s.Dst, s.SrcPort, s.DstPort = s.Dst, s.Src, s.DstPort, s.SrcPort
	return s
}

func (s Selector) String() string {
	end := func(p netip.Prefix, port uint16) string {
		a := "any"
		switch {
		case p == netip.Prefix{}:
		case p.IsSingleIP():
			a = p.Addr().String()
		default:
			a = p.String()
		}
		if port != 0 {
			if p.Addr().Is6() {
				a = "[" + a + "]"
			}
			a += fmt.Sprintf(":%d", port)
		}
		return a
	}
	name := ProtoName(s.Proto)
	if s.ICMP != (ICMPTypes{}) {
		name += " types " + s.ICMP.String()
	}
	return fmt.Sprintf("%s %s > %s", name, end(s.Src, s.SrcPort), end(s.Dst, s.DstPort))
}

// Flow is what policy looks at in one packet.
type Flow struct {
	Src, Dst         netip.Addr
	Proto            uint8  // of the upper layer, behind all extension headers of IPv6; ProtoAny where a fragment hides it
	SrcPort, DstPort uint16 // 0 where the packet has none, or hides them (see Fragment)
	ICMPType         uint8  // with ProtoICMP and ProtoICMPv6
	Fragment         bool   // a non-first fragment: ports are not in the packet
}

// Reverse is the flow of the answers.
func (f Flow) Reverse() Flow {
	f.Src, f.Dst, f.SrcPort, f.DstPort = f.Dst, f.Src, f.DstPort, f.SrcPort
	return f
}

func (f Flow) String() string {
	if f.Fragment {
		return fmt.Sprintf("%s %s > %s (fragment)", ProtoName(f.Proto), f.Src, f.Dst)
	}
	if HasPorts(f.Proto) {
		return fmt.Sprintf("%s %s > %s", ProtoName(f.Proto), netip.AddrPortFrom(f.Src, f.SrcPort), netip.AddrPortFrom(f.Dst, f.DstPort))
	}
	return fmt.Sprintf("%s %s > %s", ProtoName(f.Proto), f.Src, f.Dst)
}

// Lifetime bounds the use of an SA; a zero field is no bound of that kind.
// Kilobytes are units of 1024 bytes here; RFC 2407, Section 4.5 says no more than "Kbytes".
type Lifetime struct {
	Duration  time.Duration
	Kilobytes uint64
}

func (l Lifetime) String() string {
	var parts []string
	if l.Duration != 0 {
		parts = append(parts, fmt.Sprintf("%ds", int64(l.Duration/time.Second)))
	}
	if l.Kilobytes != 0 {
		parts = append(parts, fmt.Sprintf("%dkB", l.Kilobytes))
	}
	if parts == nil {
		return "unlimited"
	}
	return strings.Join(parts, "/")
}

// Transform is one way to protect packets under one security protocol. Cipher
// and Auth are names of package suite; an ESP transform with an AEAD cipher has
// no Auth, an AH transform has no Cipher.
type Transform struct {
	Protocol Protocol
	Cipher   string // "3des-cbc", "aes128-cbc", "aes256-gcm16" …; "null" for ESP without encryption
	Auth     string // "hmac-sha1-96", "hmac-sha256-128" …
	ESN      bool   // extended sequence numbers of 64 bits, RFC 4303, Section 2.2.1
}

func (t Transform) String() string {
	var words []string
	for _, word := range []string{t.Cipher, t.Auth} {
		if word != "" {
			words = append(words, word)
		}
	}
	if t.ESN {
		words = append(words, "esn")
	}
	return t.Protocol.String() + "[" + strings.Join(words, ",") + "]"
}

// Proposal is one acceptable protection: all its transforms together, innermost
// first (ESP before AH when both are used). Proposals in a list are alternatives
// in order of preference. RFC 2408, Section 4.2.
type Proposal struct {
	Transforms []Transform
	Lifetime   Lifetime
	Mode       Mode
}

func (p Proposal) String() string {
	var names []string
	for _, t := range p.Transforms {
		names = append(names, t.String())
	}
	return strings.Join(names, "+") + ":" + p.Lifetime.String()
}

// Action is what a policy entry demands for the packets it selects, RFC 4301, Section 4.4.1.
type Action uint8

// The three actions of RFC 4301, Section 4.4.1.
const (
	Discard Action = iota + 1
	Bypass
	Protect
)

func (a Action) String() string {
	switch a {
	case Discard:
		return "discard"
	case Bypass:
		return "bypass"
	case Protect:
		return "protect"
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// Policy is one entry of an ordered SPD for one direction. The first entry
// whose selector matches decides.
type Policy struct {
	ID        int    // unique within one host's SPD, equal for the two directions of one mirrored filter
	Rule      string // the administrator's name for it: "policy/rule", shown in every verdict
	Direction Direction
	Selector  Selector
	Action    Action
	Proposals []Proposal // with Protect
	PFS       bool       // with Protect: session key perfect forward secrecy, a Diffie–Hellman exchange per quick mode
	PFSGroup  uint16     // IANA group number with PFS; 0: the group of the main mode in use
	Peer      netip.Addr // with Protect in tunnel mode: the far end; else invalid, the packet's own address
	Local     netip.Addr // with Peer: the near end, if the policy names one; else that from which the far end is reached

	// With Protect in transport mode, what Windows has besides RFC 4301.
	Passthrough bool // inbound: what comes in the clear is let in, and an SA with its sender is asked for
	FallBack    bool // under a soft SA with the peer packets pass in the clear, both ways
}

// SAParams is one security association as key management hands it to the data
// plane: everything that RFC 4301, Section 4.4.2.1 lists and this project uses.
type SAParams struct {
	Direction Direction
	Protocol  Protocol
	SPI       uint32
	Src, Dst  netip.Addr // outer addresses in the direction of travel
	Mode      Mode
	Transform Transform
	CipherKey []byte   // with the salt appended where the cipher has one
	AuthKey   []byte   // nil for an AEAD cipher
	Selector  Selector // the packets that may use it, in the direction of travel
	PolicyID  int      // the SPD entry that asked for it; 0 when the peer asked
	Rule      string   // the name of that entry
	Lifetime  Lifetime
	PeerSPI   uint32 // the SPI of the opposite direction, so that a pair can be found and shown
	Inner     uint32 // in a bundle: the SPI of the SA whose packets this one protects; 0 when it is alone or the innermost
	Initiator bool   // this side started the quick mode
	PeerID    string // the identity that the peer proved in main mode; "" where nobody did

	// UDP is encapsulation of ESP in UDP, because a NAT is on the path. The zero value is none.
	UDP Encapsulation

	// OriginalSrc and OriginalDst are, of an SA in transport mode with UDP encapsulation, the
	// addresses with which the sender computed the checksums of what it carries, as its NAT-OA
	// payloads tell (RFC 3947, Section 5.2). Invalid: not told.
	OriginalSrc, OriginalDst netip.Addr
}

// Encapsulation is that of ESP in UDP, RFC 3948: the ports, in the direction of travel.
type Encapsulation struct {
	Src, Dst uint16
	NonIKE   bool // on port 500, behind the marker of draft-ietf-ipsec-udp-encaps-00 and -01
}

// On reports whether there is any.
func (e Encapsulation) On() bool { return e.Dst != 0 }

// Form is what tells ESP and IKE apart on these ports.
func (e Encapsulation) Form() natt.Form {
	if e.NonIKE {
		return natt.NonIKE
	}
	return natt.NonESP
}
