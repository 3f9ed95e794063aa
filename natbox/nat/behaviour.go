package nat

// Dependence says which part of the remote endpoint matters.
type Dependence uint8

// RFC 4787, Sections 4.1 and 5.
const (
	EndpointIndependent     Dependence = iota // nothing of it
	AddressDependent                          // its address
	AddressAndPortDependent                   // its address and port
)

// Behaviour is how a transport protocol is mapped and filtered.
type Behaviour struct {
	// Mapping: packets from one inside endpoint to remote endpoints that agree in this use
	// one outside endpoint. RFC 4787, REQ-1 and RFC 5382, REQ-1 ask for EndpointIndependent.
	Mapping Dependence
	// Filtering: what comes to an outside endpoint passes when the inside endpoint has sent
	// to a remote endpoint that agrees in this. RFC 4787, REQ-8; RFC 5382, REQ-3.
	Filtering Dependence
}

// Assignment is how outside ports, and identifiers of ICMP queries, are chosen. RFC 4787, Section 4.2.1.
type Assignment uint8

const (
	// Preserve takes the port of the inside endpoint, and what [Ports.Collision] says when another mapping has it.
	Preserve Assignment = iota
	// Sequential takes the next free port of the address.
	Sequential
	// Random takes the first free port from a random one on: RFC 6056, Section 3.3.1, which RFC 7857, Section 9 asks for.
	Random
	// Contiguous puts the next port of an inside host beside the previous one: the mapping of
	// x+1 beside that of x, for RTP and RTCP (RFC 4787, Section 4.2.3). Others are Sequential.
	Contiguous
)

// Collision is what happens when a port to be preserved has another mapping.
type Collision uint8

const (
	// Another port is assigned, the next free one.
	Another Collision = iota
	// AnotherRandom port is assigned.
	AnotherRandom
	// Share uses the port for both as long as their remote endpoints differ, else another
	// one: "port overlapping", RFC 7857, Section 3. It needs AddressAndPortDependent mapping
	// of UDP and TCP. Identifiers of ICMP queries are shared if their mappings depend on the remote address.
	Share
	// Overload uses the port for both, and answers go to who sent last: "port overloading",
	// which RFC 4787, REQ-3 and RFC 5382, REQ-7 forbid.
	Overload
	// Refuse makes no mapping.
	Refuse
)

// Range says whether ports stay among ports of their kind.
type Range uint8

const (
	// NoRange: any port of First to Last.
	NoRange Range = iota
	// WellKnown: 0 to 1023 stay there, and 1024 to 65535 there. RFC 4787, REQ-3a.
	WellKnown
	// WellKnownHalves: as WellKnown, and 1 to 511 and 512 to 1023 each stay there: what
	// iptables-extensions(8) says of MASQUERADE and SNAT.
	WellKnownHalves
)

// Pooling is how inside hosts share several outside addresses. RFC 4787, Section 4.1.
type Pooling uint8

const (
	// Paired gives all mappings of an inside host one address: RFC 4787, REQ-2. When its ports are used up, new mappings are refused.
	Paired Pooling = iota
	// PairedSoft is Paired, but takes another address when the ports are used up.
	PairedSoft
	// Arbitrary takes the next address for each mapping.
	Arbitrary
)

// Hairpinning is what becomes of packets from the inside to an outside endpoint of the box. RFC 4787, Section 6.
type Hairpinning uint8

const (
	// ExternalSource: they arrive from the sender's outside endpoint. RFC 4787, REQ-9a; RFC 5382, REQ-8a.
	ExternalSource Hairpinning = iota
	// InternalSource: they arrive from the sender's inside endpoint, so that answers do not find the way back.
	InternalSource
	// NoHairpin: they end here.
	NoHairpin
)

// Refresh is which packets keep a mapping of UDP or ICMP. RFC 4787, REQ-6.
type Refresh uint8

const (
	RefreshOutbound Refresh = iota // those from the inside: REQ-6, and the default of RFC 7857, Section 7
	RefreshBoth                    // all: REQ-6a
	RefreshInbound                 // those from the outside, which REQ-6 forbids
)

// Scope is whose time runs out when nothing is sent.
type Scope uint8

const (
	// PerMapping: a packet to any remote endpoint keeps the mapping, and who may answer, for all.
	PerMapping Scope = iota
	// PerSession: each remote endpoint has a time of its own, and the mapping ends with the last of them.
	PerSession
)

// Fragments is what becomes of fragments. RFC 4787, Section 11.
type FragmentMode uint8

const (
	// OutOfOrder holds those that come before the first, which has the ports: REQ-14.
	OutOfOrder FragmentMode = iota
	// InOrder drops those that come before the first.
	InOrder
	// NoFragments drops all.
	NoFragments
)

// PortlessMode is what becomes of protocols without ports.
type PortlessMode uint8

const (
	// DropPortless passes none.
	DropPortless PortlessMode = iota
	// OneClient passes them between a remote address and one inside host.
	OneClient
	// BySPI follows ESP or AH by the numbers of its SAs. See [Portless].
	BySPI
)

// Keep is which inside host a resource belongs to that only one can have.
type Keep uint8

const (
	KeepFirst Keep = iota // the first, until its time runs out; others are refused
	KeepLast              // the last that used it
)

// IKEMode is what the box does about IKE, on top of what it does about UDP: the helpers that
// RFC 3715, Section 2.3 says do harm.
type IKEMode uint8

const (
	// IKEPlain: nothing.
	IKEPlain IKEMode = iota
	// IKECookies leaves source port 500 alone and tells inside hosts apart by the
	// initiator's cookie, the first eight octets (RFC 2408, Section 3.1): what
	// "IPsec pass-through" does about key exchange. A cookie that no inside host has sent is
	// nobody's, so that a peer cannot begin a new phase 1: RFC 3715, Section 2.3 (a).
	IKECookies
	// IKEKeepPort leaves the source port alone for all hosts; answers go to who sent last. A fault: RFC 3715, Section 2.3 (b).
	IKEKeepPort
	// IKEOneHost leaves the source port alone for all hosts; answers go to the first of them, until its time runs out. A fault.
	IKEOneHost
)

// Unsolicited is how the box answers a TCP SYN from the outside that no mapping lets in.
type Unsolicited uint8

const (
	// UnsolicitedLater waits 6 s for a SYN in the other direction, and then sends ICMP port unreachable: RFC 5382, REQ-4.
	UnsolicitedLater  Unsolicited = iota
	UnsolicitedSilent             // RFC 5382, REQ-4a
	UnsolicitedICMP               // at once, which breaks simultaneous open
	UnsolicitedReset              // at once, as well
)

// MidStream is what becomes of TCP segments from the inside that are not SYN and belong to no session, after a reboot of the box for example.
type MidStream uint8

const (
	MidStreamAdopt MidStream = iota // they make a session
	MidStreamDrop
	MidStreamReset // their sender gets a RST
)

// Reset is what a TCP RST does to its session.
type Reset uint8

const (
	// ResetWaits keeps the session for [Timeouts.TCPClosing] more: RFC 7857, Section 2.2.
	ResetWaits Reset = iota
	// ResetEnds removes it at once.
	ResetEnds
)

// Window says which TCP segments must lie in the window that both ends have shown.
type Window uint8

const (
	WindowIgnored Window = iota
	WindowOfReset        // a RST outside is dropped
	WindowOfAll          // each segment outside is dropped
)

// Eviction is what happens when a table is full.
type Eviction uint8

const (
	EvictNone   Eviction = iota // what is new is refused, and its sender told: RFC 5508, REQ-8
	EvictOldest                 // what was made first goes
	EvictLeast                  // what was refreshed the longest time ago goes
)

// Exhausted is what happens when a subscriber has no port left in its blocks.
type Exhausted uint8

const (
	ExhaustedRefuse Exhausted = iota // no mapping is made
	ExhaustedSpill                   // a port outside all blocks that are given out is taken
)

// AddressChange is what becomes of mappings when their outside address goes.
type AddressChange uint8

const (
	ChangeDrops AddressChange = iota // they end
	ChangeMoves                      // they get the address that stands in its place, with the same port where it is free
	ChangeKeeps                      // they stay: packets leave with the old address until their time runs out
)

// ErrorMode is what becomes of ICMP errors about translated packets.
type ErrorMode uint8

const (
	ErrorsTranslated ErrorMode = iota // with the packet that they quote: RFC 5508, REQ-4 and REQ-5
	ErrorsOuterOnly                   // the quote stays as it is, so that the receiver does not know it. A fault.
	ErrorsDropped
)
