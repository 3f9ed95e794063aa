// Package profile is what is known of the IPsec of operating systems and devices: data
// files with one source for each value.
//
// The lab acts on most values: they are the defaults of the host that a scenario says
// has that system (os: windows-xp-sp2). The others are there to be read: Value.Informational.
//
// Short names of sources: INTEROP, WP and IMPL as in docs/claims.md; MS-IKEE and
// MS-GPIPSEC, Microsoft's protocol documents; HPUX, HP's J4256-90025 on HP-UX IPSec with
// Windows; ike-scan 1.9.5, whose tables are of measurements from outside.
package profile

import (
	"time"

	"github.com/ipseclab/ipseclab/internal/sourced"
)

// Profile is one operating system or device.
type Profile struct {
	Name   string  // as a scenario has it: windows-xp-sp2
	Title  string  // in words
	Group  string  // windows, silent or others: the file that it is in
	Values []Value // all that is known, in the order of Keys

	// What the lab acts on. Words are those of the scenario file. Empty is: not known.
	IPsec           bool
	NoDefaultExempt *int
	IPv6            string // policy or bypass
	VendorIDs       []string
	Retransmit      []time.Duration
	FastFailover    bool
	DoSProtection   string // unknown, available or active

	ReliableDelete   int    // copies of a Delete that is not acknowledged; 0: none is
	IKEFragmentation string // windows, cisco or none
	DPD              bool

	NATTraversal           []string // words of NATDialects
	AssumeUDPEncapsulation *int
	NATKeepAlive           *time.Duration
	NATOriginals           string // always, behind or never

	MainModeCiphers, MainModeHashes []string
	MainModeGroups                  []uint16 // IANA numbers
	MainModeOffers                  int      // the most for one peer; 0: any number
	MainModeDefault                 []string // what a policy offers that names nothing
	MainModeLifetime                time.Duration
	MainModeQuickModes              int // of a policy that has no limit; 0: none
	ShortenMainMode                 bool

	ESPCiphers, Integrity []string
	ExtendedSequence      bool     // extended sequence numbers
	FirstGeneration       bool     // AH and ESP of RFC 1826 and RFC 1827
	Protocols             []string // ESP, AH
	Modes                 []string // transport, tunnel
	Authentication        []string // kerberos, certificates (RSA signatures), psk, dss-signature, rsa-encryption, revised-rsa-encryption

	MyAddress, OneWayFilters, ServerFilters       bool
	FallBack, InboundPassthrough, DefaultResponse bool
	FallBackAfter, SAIdleTime                     time.Duration
	FallBackOnFailure                             bool
	AuthenticationOnPermit                        bool
	PersistentPolicy, BootFiltering               bool

	Firewall   string // none, icf-unicast, icf or windows-firewall
	FirewallOn bool   // as the system comes

	XAuth, ModeConfig, NewGroupMode bool
}

// Value is one statement about a profile; Status is how sure it is.
type (
	Value  = sourced.Value
	Status = sourced.Status
)

// The three of Status.
const (
	Fact        = sourced.Fact
	Unconfirmed = sourced.Unconfirmed
	Choice      = sourced.Choice
)

// Unsure are the keys of values that the lab acts on and no source confirms.
func (p *Profile) Unsure() (keys []string) { return sourced.Unsure(p.Values) }

// Value is what the profile has under a key.
func (p *Profile) Value(key string) (Value, bool) {
	e := sourced.Entry[Profile]{Values: p.Values}
	return e.Value(key)
}
