// Package spec is the scenario file: its Go types, its YAML form, its JSON
// Schema, and the mistakes that can be found in it without running anything.
// It imports nothing of the project, so that editors and reports can use it.
//
// Addresses, durations and words are kept as written; Parse checks them, so
// that code behind it may rely on them. Optional fields are read through the
// accessors that defaults.go lists.
//
// The comments of the types and fields here become the descriptions of the
// published JSON Schema, and the jsonschema tags its rules: Schema, and
// docs/schema/scenario.schema.json.
package spec

import "time"

// Scenario is one scenario file.
type Scenario struct {
	Name   string    `yaml:"-"`                                       // from the file's name, with a cell's behind a slash, or given by whoever builds it in code
	Cell   []Setting `yaml:"-"`                                       // of a cell of a file with parameters: those that vary
	Title  string    `yaml:"title" jsonschema:"required,minLength=1"` // one line: what is shown
	Story  string    `yaml:"story"`                                   // what happens and why it matters, for a reader
	Claims []string  `yaml:"claims" jsonschema:"uniqueItems=true"`    // ids of the claims under test: C001 …
	Seed   uint64    `yaml:"seed"`                                    // 0: 1
	Start  time.Time `yaml:"start"`                                   // the virtual epoch; zero: 2005-03-30T00:00:00Z
	Long   bool      `yaml:"long"`                                    // takes long on the wall clock, and is left out of the average over scenarios

	Network       Network                 `yaml:"network" jsonschema:"required"`
	Nodes         map[string]Node         `yaml:"nodes" jsonschema:"required"`
	Names         map[string][]string     `yaml:"names"` // DNS names at the start: the addresses or nodes of each
	FilterLists   map[string][]Filter     `yaml:"filter-lists"`
	FilterActions map[string]FilterAction `yaml:"filter-actions"`
	Policies      map[string]Policy       `yaml:"policies"`
	Assignments   map[string]string       `yaml:"assignments"` // host: the policy that it starts with
	Persistent    map[string]string       `yaml:"persistent"`  // host: the policy of its persistent store, in force besides the other

	// KerberosStandIn is a preshared key that takes the place of Kerberos, which Windows
	// proposes where a rule names no authentication: the lab has no domain yet.
	KerberosStandIn string `yaml:"kerberos-stand-in"`

	PKI *PKI `yaml:"pki"` // certification authorities, and what they have issued

	// Accounts are the computer accounts to which certificates are mapped, HOST$@example.com,
	// with the groups of each.
	Accounts map[string][]string `yaml:"accounts"`

	Steps      []Step      `yaml:"steps" jsonschema:"required,minItems=1"`
	Invariants []Invariant `yaml:"invariants"`
	Grid       *Grid       `yaml:"grid"` // of a file with cells: what is measured in each, to be shown in tables

	src *source // where each part stands; nil when built in code
}

// file is a scenario file as it is written: a scenario, and what makes several of it.
type file struct {
	Scenario   `yaml:",inline"`
	Parameters map[string][]Value `yaml:"parameters"` // what ${name} and ${name.field} stand for: for each name the values that it takes
	Matrix     *Matrix            `yaml:"matrix"`     // which of their combinations are run; left out: all
}

// Value is one value of a parameter: a plain one, or a mapping of plain ones
// with a label, which is its part of the cell's name.
type Value struct{}

// Matrix says which combinations of the parameters' values are run, each as a
// cell: a scenario of its own, called file/cell.
type Matrix struct {
	Vary    []string    `yaml:"vary" jsonschema:"uniqueItems=true"` // parameters in the order of the cell's name, rows before columns; default: all with several values
	Include []Condition `yaml:"include"`                            // only cells that meet one of these; default: all
	Exclude []Condition `yaml:"exclude"`                            // not cells that meet one of these
}

// Condition is met by the cells in which each of these parameters, or fields of them as in
// name.field, has this value, or one of several.
type Condition struct{}

// Network is the wiring between nodes.
type Network struct {
	Segments map[string]Segment `yaml:"segments" jsonschema:"required"`
}

// Segment is an Ethernet broadcast domain, or a point-to-point link.
type Segment struct {
	Kind    string   `yaml:"kind" jsonschema:"enum=ethernet,enum=point-to-point"` // ethernet (default), or point-to-point: two nodes, and frames that are bare IP packets
	Subnet  string   `yaml:"subnet"`                                              // optional prefix that all addresses of its family on the segment must be in
	Subnets []string `yaml:"subnets" jsonschema:"uniqueItems=true"`               // the same, for several prefixes
	Latency Duration `yaml:"latency"`                                             // one way, from any port to any other; 0: 100µs
	MTU     int      `yaml:"mtu" jsonschema:"minimum=68,maximum=65535"`           // bytes of an IP packet; 0: 1500
	Loss    float64  `yaml:"loss" jsonschema:"minimum=0,maximum=1"`               // probability that a frame is lost, 0 to 1

	Observers map[string]Observer `yaml:"observers"` // by name, what looks at the IP packets on the segment

	Impairments `yaml:",inline"`
}

// Node is a host, a router, an attacker or a real peer.
type Node struct {
	Type         string            `yaml:"type" jsonschema:"enum=host,enum=router,enum=attacker,enum=peer"` // host (default), router, attacker or peer: a real daemon in a machine of its own
	Interfaces   []Interface       `yaml:"interfaces" jsonschema:"required,minItems=1"`
	Gateway      string            `yaml:"gateway"`                                // next hop of the default route of its family
	Gateways     []string          `yaml:"gateways" jsonschema:"uniqueItems=true"` // the same for both families
	Routes       []Route           `yaml:"routes"`
	Serves       []Service         `yaml:"serves"`       // applications that listen from the start
	Servers      Servers           `yaml:"servers"`      // of a host: which it is told to use
	Certificates *CertificateStore `yaml:"certificates"` // of a host: the certificate store of the computer
	OS           string            `yaml:"os"`           // of a host: the profile of its operating system, or of what device it is, whose settings are its defaults
	IPsec        *IPsec            `yaml:"ipsec"`        // of a host: what the sources leave open
	Firewall     *Firewall         `yaml:"firewall"`     // of a router: what it lets through; left out: everything
	NAT          *NAT              `yaml:"nat"`          // of a router: it is a NAT box

	HostFirewall *HostFirewall `yaml:"host-firewall"` // of a host: the computer's own firewall; left out: as os comes

	Observers map[string]Observer `yaml:"observers"` // of a router: by name, what looks at the packets that it forwards

	Image  string            `yaml:"image"`                                                                // of a peer: its root filesystem, as strongswan-5.9
	Driver string            `yaml:"driver" jsonschema:"enum=auto,enum=uml,enum=container,enum=namespace"` // of a peer: the kind of machine that it runs in; default: auto, one that can do what is asked
	Files  map[string]string `yaml:"files"`                                                                // of a peer: by path, configuration in place of what is made of its policy
}

// Interface joins a node to a segment.
type Interface struct {
	Segment   string   `yaml:"segment" jsonschema:"required"`
	Address   string   `yaml:"address"`                                 // with prefix length: 10.0.0.1/24, 2001:db8::1/64; dhcp: a host gets it by DHCP; none: a host has none at the start; an attacker has none
	Addresses []string `yaml:"addresses" jsonschema:"uniqueItems=true"` // instead of address: several, of IPv4 one at most
	Link      *Link    `yaml:"link"`                                    // as it is from the start

	Queueing *Queueing `yaml:"queueing"` // of a router: how packets wait for the link

	// Connection is the kind of network connection, for rules that are for one kind
	// alone: lan (default) or dialup, for dial-up and VPN.
	Connection string `yaml:"connection" jsonschema:"enum=lan,enum=dialup"`

	// BroadcastFlag has a DHCP client say that it cannot receive what is sent to an address
	// that it does not have yet, so that servers answer to all (RFC 2131, Section 4.1).
	BroadcastFlag bool `yaml:"broadcast-flag"`
}

// Route is a static route.
type Route struct {
	To  string `yaml:"to" jsonschema:"required"`  // prefix
	Via string `yaml:"via" jsonschema:"required"` // address of the next hop
}

// Service is a listening application.
type Service struct {
	TCP int `yaml:"tcp" jsonschema:"minimum=1,maximum=65535"` // port; answers each request with as many bytes as it asks for
	UDP int `yaml:"udp" jsonschema:"minimum=1,maximum=65535"` // port; echoes each datagram that was sent to the host alone

	Protocol int `yaml:"protocol" jsonschema:"minimum=1,maximum=255"` // of IP, without ports: counts each datagram, and answers none

	DHCP *DHCPService `yaml:"dhcp"` // a DHCP server, on UDP port 67

	STUN *STUNService `yaml:"stun"` // a server for discoveries of NAT behaviour

	Group string `yaml:"group"` // with udp: a multicast group whose datagrams are received as well

	Policies []string `yaml:"policies" jsonschema:"uniqueItems=true"` // with tcp: it is a policy server, with these policies in its store

	SCEP  *SCEPService `yaml:"scep"`                                // with tcp: it answers for a certification authority
	Lists []string     `yaml:"lists" jsonschema:"uniqueItems=true"` // with tcp, also beside scep: authorities whose lists of revoked certificates it gives by HTTP, at /CertEnroll/NAME.crl
}

// IPsec settles for one host what the sources leave open about IPsec on Windows
// Server 2003. Left out, each setting has its documented default.
type IPsec struct {
	// Rekey is when SAs are replaced before they expire.
	Rekey *Rekey `yaml:"rekey"`
	// TrustSPI leaves out the check that a packet fits the SA that it came under
	// (RFC 4301, Section 5.2): HP J4256-90025 says that Windows makes none. Default: the check is made.
	TrustSPI bool `yaml:"trust-spi"`
	// ReplayWindow is the size of the anti-replay window of inbound SAs in packets. That of
	// Windows is not published. Default: 64, as RFC 4303, Section 3.4.3 prefers.
	ReplayWindow int `yaml:"replay-window" jsonschema:"minimum=32,maximum=65536"`
	// FirstSequence is the number of the first packet of each SA that the host sends under; with
	// it 2³² is not far. Of extended numbers the peer finds the first one only if it lies further
	// below 2³² than the peer's replay-window is wide. Default: 1 (RFC 4303, Section 3.3.3).
	FirstSequence int `yaml:"first-sequence" jsonschema:"minimum=1,maximum=4294967295"`
	// FirstGeneration has the host know AH and ESP of 1995: the methods AH[KPDK], ESP[DES-IV32] and
	// ESP[DES-IV64] (RFC 1828, RFC 1829). Claimed of Windows Server 2003, and not proven.
	// Default: that of os, or it does not, and leaves such methods out.
	FirstGeneration bool `yaml:"first-generation"`
	// SilentResponder has an IKE responder repeat nothing, as MS-IKEE, 3.1.5 says.
	// Default: it repeats, as ike-scan measured.
	SilentResponder bool `yaml:"silent-responder"`
	// ResponderOrder has an IKE responder take the first proposal of its own policy
	// that the peer offers. Default: the first of the offer that its policy has
	// (RFC 2408, Section 4.2). What Windows does is not published.
	ResponderOrder bool `yaml:"responder-order"`
	// ShortenMainMode has a main mode's responder keep to its own lifetime where that
	// is shorter, and say so (RFC 2407, Section 4.6.3.1). Default: it takes what is
	// offered, as HP J4256-90025 saw Windows do.
	ShortenMainMode bool `yaml:"shorten-main-mode"`
	// ShortDurations has IKE write life durations that fit into two bytes as basic attributes
	// (TV), which RFC 2409, Appendix A lets it do. Default: all as variable ones (TLV).
	ShortDurations bool `yaml:"short-durations"`
	// PFSMustMatch has the responder of a quick mode refuse session key perfect forward secrecy
	// that its rule does not ask for. What Windows does is not published. Default: it accepts,
	// since nothing gets weaker.
	PFSMustMatch bool `yaml:"pfs-must-match"`
	// NoInitialContact has an IKE initiator not say that it has no other SA with the
	// peer (RFC 2407, Section 4.6.3.3), as one that has forgotten them all would. Default: it says so.
	NoInitialContact bool `yaml:"no-initial-contact"`
	// AggressiveMode has the host start phase 1 as an aggressive mode, and answer those of
	// peers (RFC 2409, Section 5). Whoever listens then sees who talks, and a hash of a
	// preshared key, at which words can be tried (claim C229). Windows has none. Default: off.
	AggressiveMode bool `yaml:"aggressive-mode"`
	// Identity is what the host calls itself in phase 1 where a preshared key proves it: key-id:GROUP,
	// fqdn:NAME or user-fqdn:USER@NAME. Main mode hides it from who listens, aggressive mode does not.
	// Default: its address, as on Windows.
	Identity string `yaml:"ike-identity" jsonschema:"maxLength=255"`
	// ModeConfig gives or takes an inner address before the first quick mode. Default: neither, as on Windows.
	ModeConfig *ModeConfig `yaml:"mode-config"`
	// NewGroupMode is for Diffie–Hellman groups of the two sides' own. Default: off, as on Windows.
	NewGroupMode *NewGroupMode `yaml:"new-group-mode"`
	// OfferByAuthentication has main-mode offers name all security methods with the first
	// method of authentication, then all with the second. What Windows does is not published.
	// Default: all methods of authentication with the first security method, then with the second.
	OfferByAuthentication bool `yaml:"offer-by-authentication"`
	// Commit has the responder of a quick mode set the commit bit and confirm with
	// CONNECTED (RFC 2408, Section 3.1). Whether Windows does is unconfirmed. Default: it does not.
	Commit bool `yaml:"commit"`
	// ReliableDelete is how often a Delete is repeated that a peer of Microsoft's does not acknowledge
	// (MS-IKEE, 3.8): 6 by its note 24, 4 by 3.8.6.1; 0: Deletes are sent once and not acknowledged.
	// Default: that of os, or 6.
	ReliableDelete *int `yaml:"reliable-delete" jsonschema:"minimum=0,maximum=32"`
	// Fragmentation is how IKE messages are sent in fragments. Default: that of os, or as Windows does.
	Fragmentation *Fragmentation `yaml:"ike-fragmentation"`
	// DPD is dead peer detection (RFC 3706), which no version of Windows has for IKEv1. {} answers peers
	// that ask. Default: that of os, or none.
	DPD *DPD `yaml:"dpd"`
	// ProtectNotify encrypts the notification that refuses message 5 or 6 of main mode, as MS-IKEE,
	// 3.1.5 says of Windows. Default: it goes in the clear, where nobody can end a main mode by altering message 5.
	ProtectNotify bool `yaml:"protect-notify"`
	// SAIdleTime ends a pair of IPsec SAs that nothing has used for so long, as the value
	// of that name in the registry of Windows does, 300 to 3600 seconds there. Default: 5m.
	SAIdleTime Duration `yaml:"sa-idle-time"`
	// LogInterval is how often the driver writes what it discarded to the System log of the
	// host, as Windows has it settable with netsh (ipsecloginterval); the default of Windows
	// is unconfirmed. Default: 1h.
	LogInterval Duration `yaml:"log-interval"`
	// FallBack is when and for how long rules with soft: true fall back to clear.
	FallBack *FallBack `yaml:"fall-back"`
	// Retransmit is how long IKE waits for an answer before it sends a message again, for
	// each copy. Default: that of os, or 1s, 2s, 4s, 8s, 16s and 32s, as measured on Windows.
	Retransmit []Duration `yaml:"retransmit" jsonschema:"minItems=1"`
	// VendorIDs are sent in the first IKE message, in hexadecimal. Default: those of os, or that
	// of Windows Server 2003.
	VendorIDs []string `yaml:"vendor-ids" jsonschema:"uniqueItems=true"`
	// FastFailover has the first IKE message say, by the vendor ID Vid-Initial-Contact behind the
	// others, that the host has no main mode with that address (MS-IKEE, 3.5.4). Default: that of os
	// where vendor-ids is left out, or true without os and vendor-ids, as Windows Server 2003.
	FastFailover bool `yaml:"fast-failover"`
	// DoSProtection is the host's part in the denial of service protection of MS-IKEE, 3.9: active
	// has its IKE keep nothing of a first message, until that comes with a cookie that its sender
	// was given, as EnableDOSProtect=1 in the registry has Windows XP and Server 2003; available
	// sends back such cookies and gives out none; unknown does neither. Default: that of os, or available.
	DoSProtection string `yaml:"dos-protection" jsonschema:"enum=unknown,enum=available,enum=active"`
	// HalfOpen is how many main modes IKE keeps that peers have opened and not gone on with,
	// and how many that are further and not finished; for another one the oldest goes. Default: 256.
	HalfOpen int `yaml:"half-open" jsonschema:"minimum=1,maximum=65536"`
	// HalfOpenPerSource is how many of them one address has. Default: 35 (MS-IKEE, note 29).
	HalfOpenPerSource int `yaml:"half-open-per-source" jsonschema:"minimum=1,maximum=65536"`
	// NonceLength is the length of IKE's nonces in bytes (RFC 2409, Section 5). That of Windows is
	// not published. Default: 20.
	NonceLength int `yaml:"nonce-length" jsonschema:"minimum=8,maximum=256"`
	// MainModeMargin is how long before its end a main mode that this host started is replaced
	// while SAs live that may want it, at most a third of the lifetime. What Windows does is not
	// published. Default: the schedule of an unanswered message and the time in which no quick
	// mode begins, 159s with the default of retransmit.
	MainModeMargin Duration `yaml:"main-mode-margin"`
	// MainModeSpread has each main mode that this host started be replaced earlier still, by a time
	// from 0 to this that is drawn for it, so that main modes that end together are not all replaced
	// together; at most a third of the lifetime. What Windows does is not published. Default: 0.
	MainModeSpread Duration `yaml:"main-mode-spread"`
	// NoMainModeRekey has a main mode end without one in its place: the next quick mode starts
	// another. Default: it is replaced.
	NoMainModeRekey bool `yaml:"no-main-mode-rekey"`
	// NoIKE makes the host one that does not know IPsec: it has no policy, and its port 500 is closed.
	NoIKE bool `yaml:"no-ike"`
	// ReExpand is how long after a change of what filters stand for, such as the addresses of
	// the host, the policy is expanded again. When Windows does so is unconfirmed. Default: at once.
	ReExpand Duration `yaml:"re-expand"`
	// StaticServers has filters for the servers that the host is told to use not follow when it
	// is told of others, as on Windows 2000 and XP, which have no such filters of their own
	// (MS-GPIPSEC, note 22). Default: they follow.
	StaticServers bool `yaml:"static-servers"`
	// MeNeedsAddress has me not take in 0.0.0.0, from which a host sends that has no address
	// yet. Whether Windows takes that for My IP Address is unconfirmed. Default: it does, as
	// "this host" (RFC 1122, Section 3.2.1.3).
	MeNeedsAddress bool `yaml:"me-needs-address"`
	// Ties orders equally specific filters by their action. Default: block, permit, negotiate.
	Ties []string `yaml:"ties"`
	// FirstEnd is which end of a filter, source or destination, says first how specific it
	// is: the narrower (default) or the wider. Windows searches the most specific filter first and
	// does not say which that is where each of two filters is more specific at one end.
	FirstEnd string `yaml:"first-end" jsonschema:"enum=narrower,enum=wider"`
	// MeCountsAs is how specific the address me is in the order of the search: host (default), or any.
	MeCountsAs string `yaml:"me-counts-as" jsonschema:"enum=host,enum=any"`
	// NoDefaultExempt is which traffic passes before all filters, as the registry entry of that name
	// says: 0 multicast, broadcast, RSVP, Kerberos and ISAKMP, as Windows 2000 and XP by default;
	// 1 multicast, broadcast and ISAKMP; 2 RSVP, Kerberos and ISAKMP; 3 (default) ISAKMP alone.
	NoDefaultExempt *int `yaml:"no-default-exempt" jsonschema:"minimum=0,maximum=3"`
	// ExemptInboundGroups has multicast and broadcast that arrive pass before all filters whatever
	// no-default-exempt is: TechNet cc756041 says in one place that Windows Server 2003 does so, and
	// in another that it does not. Default: it does not.
	ExemptInboundGroups bool `yaml:"exempt-inbound-groups"`
	// IPv6 is what the policy means for IPv6: policy (default) has it apply as to IPv4;
	// bypass lets IPv6 pass untouched, as on Windows Server 2003, whose IPsec policies are for IPv4 alone.
	IPv6 string `yaml:"ipv6" jsonschema:"enum=policy,enum=bypass"`

	Startup   `yaml:",inline"`
	Traversal `yaml:",inline"`
}

// Fragmentation is how IKE messages are sent in fragments, and whether a host announces and takes them.
type Fragmentation struct {
	// Form is windows (default), which cuts messages with an identification payload once one was not answered for
	// the first two gaps (MS-IKEE, 3.3); cisco, which cuts whatever is larger than size, as racoon and
	// strongSwan do too; or none.
	Form string `yaml:"form" jsonschema:"enum=windows,enum=cisco,enum=none"`
	// Size is the most that a packet with a fragment has in bytes. Default: 576, and 1280 with IPv6.
	Size int `yaml:"size" jsonschema:"minimum=360,maximum=65535"`
	// WithoutHeader leaves the ISAKMP header of the message out of the fragments, as MS-IKEE, 3.3.5.3 can be
	// read. Default: the message is cut with its header.
	WithoutHeader bool `yaml:"without-header"`
}

// DPD is dead peer detection. RFC 3706 names no numbers.
type DPD struct {
	Idle  Duration `yaml:"idle"`                                     // a peer is asked that was silent for so long while traffic went to it; 0: none is asked
	Retry Duration `yaml:"retry"`                                    // after which it is asked again; 0: 2s
	Tries int      `yaml:"tries" jsonschema:"minimum=0,maximum=100"` // after so many it is dead; 0: 5
}

// Rekey is when the initiator of an SA pair replaces it before its hard
// lifetime. What Windows does here is unconfirmed, hence the setting.
type Rekey struct {
	Margin Duration `yaml:"margin"` // this long before expiry; 0: a tenth of the lifetime
	Idle   bool     `yaml:"idle"`   // also when nothing was sent since the last key
}

// FallBack is how a host falls back to clear.
type FallBack struct {
	After         Duration `yaml:"after"`          // of silence; 0: 3s. With the Simple Policy Update 500ms (KB914841)
	Simultaneous  bool     `yaml:"simultaneous"`   // instead of after: at once, while IKE goes on; an SA takes over when there is one
	Idle          Duration `yaml:"idle"`           // a soft SA ends that nothing used for so long; 0: 5m. Not published
	Lifetime      Duration `yaml:"lifetime"`       // a soft SA in use ends after this, too; 0: it does not. Not published
	OnFailure     bool     `yaml:"on-failure"`     // also where the peer answers and no main mode comes of it, as with the Simple Policy Update
	OnUnreachable bool     `yaml:"on-unreachable"` // at once, when the peer says that its port 500 is closed
	AnswersOnly   bool     `yaml:"answers-only"`   // under a soft SA nothing comes in but answers to what the host has sent. Not published; default: all
}

// Filter is one line of a filter list. Addresses are me, any, an address, a prefix,
// the name of a node (its first address), dns: and a DNS name, or the servers that the
// host is told to use: dns-servers, wins-servers, dhcp-servers, default-gateways.
type Filter struct {
	Description     string `yaml:"description"`
	Source          string `yaml:"source" jsonschema:"required"`
	Destination     string `yaml:"destination" jsonschema:"required"`
	Protocol        string `yaml:"protocol" jsonschema:"oneof_type=string;integer"` // any (default), icmp, icmpv6, tcp, udp or a number
	SourcePort      int    `yaml:"source-port" jsonschema:"minimum=0,maximum=65535"`
	DestinationPort int    `yaml:"destination-port" jsonschema:"minimum=0,maximum=65535"`
	Mirrored        *bool  `yaml:"mirrored"` // default true
}

// FilterAction is what happens to packets that a filter list selects.
type FilterAction struct {
	Description string   `yaml:"description"`
	Action      string   `yaml:"action" jsonschema:"required,enum=permit,enum=block,enum=negotiate"` // permit, block or negotiate
	Methods     []string `yaml:"security-methods"`                                                   // netsh form: ESP[3DES,SHA1]:100000k/3600s
	PFS         bool     `yaml:"pfs"`                                                                // session key perfect forward secrecy
	InPass      bool     `yaml:"inpass"`                                                             // accept unsecured communication, but always respond using IPsec
	Soft        bool     `yaml:"soft"`                                                               // allow unsecured communication with computers that are not IPsec-aware
}

// Policy is an IPsec policy: what netsh and the Windows snap-in call one.
type Policy struct {
	Description string   `yaml:"description"`
	MainMode    MainMode `yaml:"main-mode"`
	Polling     Duration `yaml:"polling"` // how often the policy agent looks for a change; 0: 3h
	Rules       []Rule   `yaml:"rules"`

	// Netsh is a script of netsh ipsec, beside the scenario's file or below, that makes the
	// policy. Then it has no other key but policy.
	Netsh  string `yaml:"netsh" jsonschema:"minLength=1"`
	From   string `yaml:"policy" jsonschema:"minLength=1"` // with netsh: which of the script's policies; left out: the one of this name, the one that it assigns, or its only one
	Script string `yaml:"-"`                               // with netsh: the text of the script, which reading the scenario puts there

	// DefaultResponse activates the default response rule, which Windows has in each new
	// policy and an administrator can deactivate. Default: it is not active, but in what predefined names.
	DefaultResponse *DefaultResponse `yaml:"default-response"`

	// Predefined has the policy begin as one of those of Windows: client-respond-only,
	// server-request-security or secure-server-require-security. Its rules come first, and what
	// else stands here is added, or takes the place of what that policy has.
	Predefined string `yaml:"predefined"`
	// Auth is how the rules of the predefined policy authenticate. Default: Kerberos.
	Auth []Authenticate `yaml:"authentication"`
}

// DefaultResponse is the default response rule: it answers peers that start IKE about
// traffic that no filter of the policy is for.
type DefaultResponse struct {
	Methods []string       `yaml:"security-methods"` // left out: those of the documentation
	PFS     bool           `yaml:"pfs"`              // session key perfect forward secrecy
	Auth    []Authenticate `yaml:"authentication"`   // in order of preference; left out: Kerberos
	Active  *bool          `yaml:"active"`           // default true; false deactivates the one of a predefined policy
}

// MainMode is the key exchange part of a policy.
type MainMode struct {
	Methods    []string `yaml:"security-methods"`                                   // netsh form: 3DES-SHA1-2; empty: the documented default
	Lifetime   Duration `yaml:"lifetime"`                                           // 0: 8h
	QuickModes int      `yaml:"quick-modes" jsonschema:"minimum=0,maximum=1000000"` // per main mode; 0 unlimited, 1 master key PFS
}

// Rule joins a filter list to a filter action.
type Rule struct {
	Name         string         `yaml:"name"`
	Description  string         `yaml:"description"`
	FilterList   string         `yaml:"filter-list" jsonschema:"required"`
	FilterAction string         `yaml:"filter-action" jsonschema:"required"`
	Auth         []Authenticate `yaml:"authentication"`                                         // in order of preference; left out: Kerberos
	Tunnel       string         `yaml:"tunnel"`                                                 // address or node at which the tunnel ends: a peer for what is sent, this host for what arrives
	Connections  string         `yaml:"connections" jsonschema:"enum=all,enum=lan,enum=dialup"` // all (default), lan, or dialup for dial-up and VPN
	Active       *bool          `yaml:"active"`                                                 // default true
}

// Authenticate is one authentication method: exactly one of its keys.
type Authenticate struct {
	PSK      string `yaml:"psk" jsonschema:"minLength=1"`     // preshared key
	Kerberos bool   `yaml:"kerberos"`                         // see kerberos-stand-in
	RootCA   string `yaml:"root-ca" jsonschema:"minLength=1"` // a certificate from below this authority of the scenario, or one of that distinguished name

	// CertificateMapping, with root-ca, maps the peer's certificate to an account, which
	// must have the right to access this computer from the network.
	CertificateMapping bool `yaml:"certificate-mapping"`
	// ExcludeCAName, with root-ca, does not name the authority in certificate requests.
	ExcludeCAName bool `yaml:"exclude-ca-name"`
	// By, with root-ca, is what is done with the certificate: rsa-signature (default), and, not on
	// Windows, dss-signature, rsa-encryption or revised-rsa-encryption.
	By string `yaml:"by" jsonschema:"enum=rsa-signature,enum=dss-signature,enum=rsa-encryption,enum=revised-rsa-encryption"`
	// XAuth, with psk or root-ca, asks one side for a user's name and password afterwards.
	XAuth *XAuth `yaml:"xauth"`
}

// Step is one thing that happens, and what must come of it. Exactly one verb is set.
type Step struct {
	Title      string   `yaml:"title"`      // in words; a default is made from the verb
	At         Duration `yaml:"at"`         // not before this virtual time since the start
	Background bool     `yaml:"background"` // the next step does not wait for this one

	// Pairs makes a step of a file happen once for each two of these hosts, which it
	// calls ${pair.from} and ${pair.to}. What is parsed holds a step for each, and no
	// list: code writes a loop.
	Pairs []string `yaml:"pairs" jsonschema:"minItems=2,maxItems=100,uniqueItems=true"`

	Ping        *Ping        `yaml:"ping"`
	Connect     *Connect     `yaml:"connect"`
	Transfer    *Transfer    `yaml:"transfer"`
	UDP         *UDP         `yaml:"udp"`
	Raw         *Raw         `yaml:"raw"`
	Announce    *Announce    `yaml:"announce"`
	Scan        *Scan        `yaml:"scan"`
	Discover    *Discover    `yaml:"discover"`
	Enrol       *Enrol       `yaml:"enrol"`
	FetchList   *FetchList   `yaml:"fetch-list"`
	Wait        Duration     `yaml:"wait"`
	SetLink     *SetLink     `yaml:"set-link"`
	NAT         *NATStep     `yaml:"nat"`
	SetFirewall *SetFirewall `yaml:"set-firewall"`

	SetHostFirewall *SetHostFirewall `yaml:"set-host-firewall"`

	AssignPolicy *AssignPolicy `yaml:"assign-policy"`
	RestartHost  *RestartHost  `yaml:"restart-host"`
	PolicyAgent  *PolicyAgent  `yaml:"policy-agent"`
	StorePolicy  *StorePolicy  `yaml:"store-policy"`
	Netsh        *Netsh        `yaml:"netsh"`
	SetAddress   *SetAddress   `yaml:"set-address"`
	IPConfig     *IPConfig     `yaml:"ipconfig"`
	SetServers   *SetServers   `yaml:"set-servers"`
	SetName      *SetName      `yaml:"set-name"`
	Run          *Run          `yaml:"run"`

	Tamper *Tamper `yaml:"tamper"`
	Replay *Replay `yaml:"replay"`
	Inject *Inject `yaml:"inject"`
	Spoof  *Spoof  `yaml:"spoof"`

	Expect *Expect `yaml:"expect"`
}

// Ping sends ICMP or ICMPv6 echo requests.
type Ping struct {
	From     string   `yaml:"from" jsonschema:"required"`
	To       string   `yaml:"to" jsonschema:"required"`                     // a node's name (its first address of a family that from has) or an address, here and below
	Count    int      `yaml:"count" jsonschema:"minimum=0,maximum=1000000"` // 0: 1
	Interval Duration `yaml:"interval"`                                     // 0: 1s
	Size     int      `yaml:"size" jsonschema:"minimum=0,maximum=65507"`    // bytes of echo data; 0: 32, as Windows' ping
	TTL      int      `yaml:"ttl" jsonschema:"minimum=0,maximum=255"`       // hops that the requests may take; 0: 64
	Timeout  Duration `yaml:"timeout"`                                      // per request; 0: 5s
}

// Connect opens a TCP connection, sends one request, reads the answer and closes.
type Connect struct {
	From     string   `yaml:"from" jsonschema:"required"`
	To       string   `yaml:"to" jsonschema:"required"`
	Port     int      `yaml:"port" jsonschema:"required,minimum=1,maximum=65535"`
	FromPort int      `yaml:"from-port" jsonschema:"minimum=0,maximum=65535"`   // 0: an ephemeral one
	Request  int      `yaml:"request" jsonschema:"minimum=0,maximum=16777216"`  // bytes; 0: 64
	Response int      `yaml:"response" jsonschema:"minimum=0,maximum=16777216"` // bytes; 0: 512
	Timeout  Duration `yaml:"timeout"`                                          // for the whole step; 0: 30s
	Marked   `yaml:",inline"`
}

// Transfer sends bytes over one TCP connection; every byte is compared at the far end.
type Transfer struct {
	From    string   `yaml:"from" jsonschema:"required"`
	To      string   `yaml:"to" jsonschema:"required"`
	Port    int      `yaml:"port" jsonschema:"required,minimum=1,maximum=65535"`
	Bytes   Size     `yaml:"bytes" jsonschema:"required"`
	Timeout Duration `yaml:"timeout"` // 0: 10m
	Marked  `yaml:",inline"`
}

// UDP sends datagrams to a port and waits for their echoes.
type UDP struct {
	From     string   `yaml:"from" jsonschema:"required"`
	To       string   `yaml:"to" jsonschema:"required"`
	Port     int      `yaml:"port" jsonschema:"required,minimum=1,maximum=65535"`
	FromPort int      `yaml:"from-port" jsonschema:"minimum=0,maximum=65535"` // 0: an ephemeral one
	Count    int      `yaml:"count" jsonschema:"minimum=0,maximum=1000000"`   // 0: 1
	Interval Duration `yaml:"interval"`                                       // 0: 1s
	Size     int      `yaml:"size" jsonschema:"minimum=0,maximum=65507"`      // bytes of payload, at least 4; 0: 64
	Grow     int      `yaml:"grow" jsonschema:"minimum=0,maximum=65507"`      // bytes that each datagram is longer than the one before
	InFlight int      `yaml:"in-flight" jsonschema:"minimum=0,maximum=10000"` // datagrams that may wait for their echoes at one time; 0: 1
	Timeout  Duration `yaml:"timeout"`                                        // per datagram; 0: 5s
	Marked   `yaml:",inline"`
}

// SetLink changes the link between a node and a segment. Fields left out stay as they are.
type SetLink struct {
	Node    string `yaml:"node" jsonschema:"required"`
	Segment string `yaml:"segment"` // may be left out when the node has one interface
	Link    `yaml:",inline"`
}

// AssignPolicy gives a host another policy while it runs.
type AssignPolicy struct {
	Host   string `yaml:"host" jsonschema:"required"`
	Policy string `yaml:"policy"` // empty or "none": unassign

	Location string `yaml:"location" jsonschema:"enum=local,enum=persistent"` // of the host's store; default local
}
