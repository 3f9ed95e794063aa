// Package policy is the Windows IPsec policy model and its compiler.
//
// A [Policy] is what an administrator writes: rules that join a filter list to
// a filter action and to authentication methods, plus the main-mode settings.
// [Compile] turns it, for the addresses of one host, into ordered SPD entries
// of both directions and into the answers that an IKE engine asks for; the
// result explains each of its verdicts in words.
//
// # From filters to the SPD
//
// A mirrored filter is two filters, the second with addresses and ports swapped
// (MS-GPIPSEC 2.2.1.5). "My IP address" becomes one filter per local address
// (claim C113). What comes of that are the specific filters; the ones written
// in the policy are the generic filters.
//
// A specific filter takes part in a direction when a packet of that direction
// can match it. Outbound: the source can be an address of this host and the
// destination can be another's. Inbound: the destination can be an address of
// this host, or multicast, or the limited broadcast, and the source can be
// another's. Packets from this host to itself never pass the IPsec driver. A
// filter that takes part in neither direction is kept and shown as not
// concerning the host. Prefix lengths of the host's networks are not known here,
// so that a directed broadcast counts as another's address.
//
// # Order of the search
//
// Windows searches the most specific filter first and lets nobody set
// priorities (claim C080); the published documentation gives no weights. The
// order below is therefore a lab rule, not a fact. It treats both directions of
// a mirrored filter alike. Of two filters, the earlier one is, by the first of
// these that tells them apart:
//
//  0. the one of a rule with a tunnel: tunnel filters are searched before transport
//     filters (claim C087);
//  1. the one whose narrower end (of source and destination) has the longer
//     prefix: a host, and so "me", is a /32, or a /128 in IPv6, and any address
//     comes after a /0;
//  2. the one whose wider end has the longer prefix;
//  3. the one that names a protocol;
//  4. the one that names more ports, of source and destination port;
//  5. the one whose action comes first in [Options].Ties: block, permit,
//     negotiate unless set otherwise;
//  6. the one that stands earlier in the policy: rule, then filter, then local
//     address, then the filter as written before its mirror image.
//
// [Specificity] has other readings of steps 1 and 2, and [Precedence] says where the
// filters of a persistent policy stand beside those of another one.
//
// # Exemptions
//
// While a policy is assigned, ISAKMP passes it untouched, before all filters:
// the default of Windows Server 2003, NoDefaultExempt=3 (claim C064). The
// sources name UDP 500 and 4500 without saying which end; here it is the port of
// this host: the source port outbound, the destination port inbound. That lets
// through a peer behind a NAT, whose port is another, and does not open every
// port of the host to packets from port 500.
//
// So does IPv6 neighbour discovery on a host with IPv6 addresses: an SA cannot be
// had from a neighbour that cannot be found. RFC 4301 leaves it to local policy,
// and this is a lab rule.
//
// [NoDefaultExempt] knows what the other values of the registry entry let pass as
// well, in both directions (claims C063, C065): Kerberos, which is TCP and UDP with
// port 88 at either end, and RSVP; multicast, and broadcast to 255.255.255.255 and
// to the host's own subnets. The sources have IPv4 in mind; Kerberos, RSVP and
// multicast of IPv6 are treated alike.
//
// # IPv6
//
// The IPsec policies of Windows Server 2003 know IPv4 alone; that a filter may
// name IPv6 addresses is an extension of the lab, and Options.BypassIPv6 turns it
// off. "Any" is any address of either
// family, a prefix of length 0 all addresses of one. "Me" is each address of the
// host whose family is that of the filter's other end. Comparing prefix lengths
// below never compares two families, because no packet is of both.
//
// # Persistent policy
//
// A persistent policy is in force in addition to another one ([CompileBoth]). By
// default the filters of both are searched in the order above, with one more step
// before the fifth: of equally specific filters those of the persistent policy go
// first. [Options].Persistent knows other orders.
//
// # Names and servers
//
// A DNS name is resolved when the policy is assigned, once (TechNet cc756984); the
// DNS, WINS and DHCP servers and the gateways of a host are those of the moment at
// which the policy is compiled, which the policy agent does again when they change.
// What stands for nothing makes no specific filter.
//
// # Connections
//
// A rule for LAN or for remote access connections alone is one whose local end is
// the host's addresses on interfaces of that kind: "any" at that end becomes those
// addresses, too. How the driver of Windows does it is not published.
//
// # Tunnels
//
// A rule with a tunnel is for one direction. What this host sends by such a rule goes
// through a tunnel to the rule's end; what it receives by one, whose end is an address
// of this host, has to come through a tunnel. A mirrored filter in such a rule, which
// the documents advise against, takes part in the other direction likewise.
//
// # Default response
//
// The default response rule answers peers that no filter is for: see DefaultResponse.
//
// # Left out
//
// Authentication by Kerberos is in the model and does not compile, unless a preshared
// key stands in for it (Options.KerberosKey).
package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// Policy is one IPsec policy. A computer has at most one assigned (claim C079).
type Policy struct {
	Name        string
	Description string
	MainMode    MainMode
	Polling     time.Duration // how often the policy agent looks for a change; 0: DefaultPolling
	Rules       []Rule

	// DefaultResponse is the default response rule; nil where it is not active.
	DefaultResponse *DefaultResponse
}

// DefaultPolling is 180 minutes (MS-GPIPSEC 2.2.1.1).
const DefaultPolling = 3 * time.Hour

// PollingInterval is how often the policy agent looks for a change of the policy.
func (p *Policy) PollingInterval() time.Duration { return cmp.Or(p.Polling, DefaultPolling) }

// MainMode is the key exchange part of a policy.
type MainMode struct {
	Proposals  []ike.MainModeProposal // in order of preference; none: DefaultMainModeProposals
	Lifetime   time.Duration          // whole seconds; 0: DefaultMainModeLifetime
	QuickModes int                    // quick modes per main mode; 0 is unlimited, 1 is master key PFS
}

// DefaultMainModeLifetime is 480 minutes (MS-GPIPSEC 2.2.1.2).
const DefaultMainModeLifetime = 8 * time.Hour

// DefaultMainModeProposals are what a policy without main-mode methods offers.
// The list of Windows is unconfirmed: 3DES/SHA1/2, 3DES/MD5/2,
// DES/SHA1/1, DES/MD5/1, with the 2048-bit group ahead where a policy has it
// (MS-GPIPSEC). The lab's choice is what is left of it without DES, MD5 and group 1,
// which a policy has to name.
func DefaultMainModeProposals() []ike.MainModeProposal {
	return []ike.MainModeProposal{
		{Cipher: "3des-cbc", Hash: "sha1", Group: 14},
		{Cipher: "3des-cbc", Hash: "sha1", Group: 2},
	}
}

// Rule joins one filter list to one filter action and the ways in which the
// peers of that traffic may authenticate (claim C049).
type Rule struct {
	Name        string
	Description string
	Filters     FilterList
	Action      FilterAction
	Auth        []AuthMethod // in order of preference; with Negotiate; none: Kerberos (C004)

	// Tunnel is the address at which the tunnel of this rule's packets ends: of a
	// peer for what this host sends, of this host for what it receives. Transport mode
	// where it is invalid. A tunnel takes two rules, one for each direction (KB252735).
	Tunnel netip.Addr

	// Connections are those to which the rule applies (claim C083).
	Connections ConnectionType

	// Inactive rules are kept in the policy and do nothing (netsh: activate=no).
	Inactive bool
}

// ConnectionType is the kind of network connections of a host to which a rule applies.
type ConnectionType uint8

// The three of a Windows rule (MS-GPIPSEC 2.2.1.3, interface type).
const (
	AllConnections ConnectionType = iota
	LANConnections
	RemoteAccess // dial-up and VPN
)

// String is the word that netsh uses: all, lan or dialup.
func (c ConnectionType) String() string {
	switch c {
	case AllConnections:
		return "all"
	case LANConnections:
		return "lan"
	case RemoteAccess:
		return "dialup"
	}
	return fmt.Sprintf("connections(%d)", uint8(c))
}

// FilterList is a named set of filters. Their order decides nothing but ties.
type FilterList struct {
	Name    string
	Filters []Filter
}

// Filter selects packets, seen in the direction in which they travel.
type Filter struct {
	Description         string
	Source, Destination Address
	Protocol            uint8  // ipsec.ProtoAny: any
	SourcePort          uint16 // 0: any; only with TCP and UDP
	DestinationPort     uint16 // 0: any; only with TCP and UDP
	Mirrored            bool   // the answers, too
}

// String prints the filter as written: "tcp me > 10.0.0.2:1433, mirrored".
func (f Filter) String() string {
	end := func(a Address, port uint16) string {
		if port == 0 {
			return a.String()
		}
		if a.is6() {
			return fmt.Sprintf("[%s]:%d", a, port)
		}
		return fmt.Sprintf("%s:%d", a, port)
	}
	s := fmt.Sprintf("%s %s > %s", ipsec.ProtoName(f.Protocol), end(f.Source, f.SourcePort), end(f.Destination, f.DestinationPort))
	if f.Mirrored {
		s += ", mirrored"
	}
	return s
}

// Kind is what a filter action does with the packets that its filters select.
type Kind uint8

// The three actions of a Windows filter action (claim C081).
const (
	Permit    Kind = iota + 1 // pass in the clear
	Block                     // discard
	Negotiate                 // protect: pass only under an SA
)

// String is the word that netsh uses: permit, block or negotiate.
func (k Kind) String() string {
	switch k {
	case Permit:
		return "permit"
	case Block:
		return "block"
	case Negotiate:
		return "negotiate"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// spd is the action of RFC 4301, Section 4.4.1, that the kind stands for.
func (k Kind) spd() ipsec.Action {
	switch k {
	case Permit:
		return ipsec.Bypass
	case Block:
		return ipsec.Discard
	}
	return ipsec.Protect
}

// FilterAction is what happens to the packets of a rule.
type FilterAction struct {
	Name    string
	Kind    Kind
	Methods []ipsec.Proposal // with Negotiate: in order of preference, see ParseSecurityMethod
	PFS     bool             // with Negotiate: session key perfect forward secrecy, in the group of the main mode

	// InPass, with Negotiate, is "Accept unsecured communication, but always respond
	// using IPsec": inbound passthrough (MS-GPIPSEC 2.2.1.4; netsh: inpass).
	InPass bool
	// Soft, with Negotiate, is "Allow unsecured communication with non-IPsec-aware
	// computers": outbound traffic to a host that does not answer IKE falls back to
	// clear (C147 to C149; netsh: soft).
	Soft bool
}

// AuthMethod is one way to authenticate a peer; exactly one of the three is set.
type AuthMethod struct {
	PreSharedKey string // a key that both sides know: its bytes

	// Kerberos is what Windows proposes unless told otherwise. The lab has no domain:
	// see Options.KerberosKey.
	Kerberos bool

	// RootCA is the distinguished name of a certification authority, as written, to
	// which the peer's certificate has to chain. Several methods with one are one list of
	// authorities, in their order (claim C218).
	RootCA        string
	CertMapping   bool // with RootCA: to a computer account (Windows Server 2003)
	ExcludeCAName bool // with RootCA: it is not named in certificate requests

	// By, with RootCA, is what is done with the certificate. 0: RSA signatures, which is
	// all that Windows does; others are for peers of other makers.
	By ike.AuthMethod

	// XAuth, with a key or a certificate, has one side ask the other for a user afterwards. Windows
	// has none, so that it is for peers of other makers.
	XAuth *ike.XAuth
}

// RootCA is a certification authority of a rule, as a host's store of certificates needs it.
type RootCA struct {
	Name          pki.Name
	CertMapping   bool
	ExcludeCAName bool
}

// String names the method, without its secret.
func (a AuthMethod) String() string {
	if a.XAuth != nil {
		a.XAuth = nil
		return a.String() + " with XAUTH"
	}
	switch {
	case a.Kerberos:
		return "Kerberos"
	case a.RootCA != "":
		s := fmt.Sprintf("certificate of root authority %q", a.RootCA)
		if a.By != 0 && a.By != ike.RSASignature {
			s += ", by " + a.By.String()
		}
		if a.CertMapping {
			s += ", mapped to an account"
		}
		if a.ExcludeCAName {
			s += ", which requests do not name"
		}
		return s
	}
	return "preshared key"
}
