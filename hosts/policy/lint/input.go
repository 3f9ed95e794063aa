package lint

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// Input is what is reviewed together.
type Input struct {
	Policies []Policy
	Hosts    []Host // that the policies are for; none: policies are judged by themselves

	// Settings are those of the host that the policies are for where it is not known
	// otherwise, as a script has them: NoDefaultExempt with Options.Exempt, and
	// OpenAtBoot. nil: nothing is known of them either.
	Settings *Host

	// Lists and Actions are the names of filter lists and filter actions that are kept
	// beside the policies, so that it is known of them whether a rule uses them.
	Lists, Actions []string

	// Issued are the certificates that there are, and Accounts the number of accounts that
	// they may be mapped to. Everything happens from Start to End, as far as that is known.
	Issued     []Issued
	Accounts   int
	Start, End time.Time

	// Where tells where a part stands; nil: nobody knows.
	Where func(Ref) Position
}

// Policy is one policy under review.
type Policy struct {
	*policy.Policy

	// Domain says that the policy comes from the directory, and is not a local one.
	Domain bool

	// Assigned says that hosts get it, or that it is not known who does.
	Assigned bool
}

// Host is a computer that the policies are for, or that others talk to.
type Host struct {
	Name    string
	Addrs   []netip.Addr
	Options policy.Options

	Policy   string   // its name; "": none at the start
	Policies []string // all that it gets in the course of time, with that
	Serves   []Service

	// NoIPsec says that it does not know IPsec, and Router that it passes on what is for
	// others, so that nobody expects an answer of it.
	NoIPsec, Router bool

	// Dynamic says that its addresses change, or come by DHCP.
	Dynamic bool

	// NoDefaultExempt is the registry value of that name, 0 to 3, that Options.Exempt has
	// been made of.
	NoDefaultExempt int

	// Certificates are its store of certificates; nil: nothing is known of it.
	Certificates *Certificates

	// OpenAtBoot says that everything passes between the start of the driver and that of
	// the policy agent: boot mode permit, and no persistent policy in force by then.
	OpenAtBoot bool
}

// Service is what listens on a host.
type Service struct {
	Protocol uint8
	Port     uint16
}

// Ref names a part of what is reviewed. Which fields are set depends on the part.
type Ref struct {
	Part   Part
	Policy string // of parts of a policy
	Rule   int    // its place in the policy, of parts of a rule
	Index  int    // of a method or a filter in its list
	Name   string // of a host, a filter list, a filter action or a certificate
}

// Part is a kind of place.
type Part uint8

// The parts.
const (
	WholePolicy           Part = iota // Policy
	MainModeSettings                  // Policy
	MainModeLifetime                  // Policy
	MainModeMethod                    // Policy, Index
	DefaultResponseRule               // Policy
	DefaultResponseMethod             // Policy, Index
	DefaultResponseAuth               // Policy, Index
	WholeRule                         // Policy, Rule
	RuleAuth                          // Policy, Rule, Index
	RuleTunnel                        // Policy, Rule
	RuleConnections                   // Policy, Rule
	RuleActive                        // Policy, Rule
	RuleFilter                        // Policy, Rule, Index
	RuleAction                        // Policy, Rule
	ActionMethod                      // Policy, Rule, Index
	ActionPFS                         // Policy, Rule
	ActionSoft                        // Policy, Rule
	HostAssignment                    // Name
	HostNoDefaultExempt               // Name
	HostBootMode                      // Name
	HostIPv6                          // Name
	HostCertificates                  // Name
	IssuedAuthority                   // Name
	IssuedCertificate                 // Name
	FilterList                        // Name
	FilterAction                      // Name
)

// Position is a place in a file. Line and Column count from 1; 0: not known.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}
