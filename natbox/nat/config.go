package nat

import (
	"net/netip"
	"time"
)

// Config is what a NAT does, as data. The zero value of each field is what the RFCs ask
// for, or what the comment says.
type Config struct {
	Outside []netip.Addr // the outside addresses; at least one
	// Inside is the box's own address on the inside: what its ICMP errors to the inside come
	// from, and the source that published servers see with [Forward.RewriteSource]. None:
	// errors come from the first outside address.
	Inside netip.Addr

	UDP, TCP Behaviour
	ICMP     ICMP
	Ports    Ports
	Pooling  Pooling
	Blocks   Blocks
	Hairpin  Hairpinning
	Timeouts Timeouts
	// Refresh and Scope are of UDP and of ICMP queries. TCP has a time per connection, which both directions refresh: RFC 5382, REQ-5.
	Refresh Refresh
	Scope   Scope

	Static   []Static
	Forwards []Forward

	Fragments Fragments
	RewriteID bool // gives outbound packets that are fragments, or may become some, identifications of the box's own: RFC 7857, Section 10

	ESP, AH  Portless
	Other    Portless // any other protocol; BySPI is not for it
	IKE      IKEMode
	IKEPorts []uint16 // the source ports that IKE is about; none: 500

	TCPRules TCPRules
	Limits   Limits
	Change   AddressChange
	Faults   Faults
}

// ICMP is what becomes of ICMP messages.
type ICMP struct {
	Behaviour           // of queries: the identifier stands for the port. RFC 5508, REQ-1a
	NoQueries bool      // queries from the inside are dropped
	Errors    ErrorMode // errors about translated packets
	Silent    bool      // the box tells nobody why it has dropped a packet: RFC 5508, REQ-9
}

// Ports is how outside ports are assigned.
type Ports struct {
	Assignment Assignment
	Collision  Collision // of Preserve
	Range      Range
	Parity     bool // even ports stay even and odd ones odd: RFC 4787, REQ-4
	// First and Last bound what is assigned. Both 0: 1024 to 65535, and lower ports where
	// Preserve or Range ask for them.
	First, Last uint16
	Reserved    []uint16 // outside ports that are the box's own
}

// Blocks is how a carrier's NAT gives ports to its subscribers: in blocks, so that a line
// in its log covers many mappings. RFC 6888, REQ-14 and RFC 7422, Section 1.
type Blocks struct {
	Size      int // ports in a block, for each protocol; 0: no blocks
	PerHost   int // blocks of an inside host; 0: one
	Exhausted Exhausted
}

// Timeouts are how long things stay that no packet refreshes. 0 is the value in brackets.
type Timeouts struct {
	UDP          time.Duration // [5m] RFC 4787, REQ-5c
	UDPUnreplied time.Duration // [as UDP] until a packet has come back
	UDPWellKnown time.Duration // [as UDP] to remote ports 0 to 1023: RFC 4787, REQ-5a. Of each session, so it needs PerSession or AddressAndPortDependent mapping.

	TCPOpening     time.Duration // [4m] RFC 5382, REQ-5; RFC 7857, Section 2.1
	TCPEstablished time.Duration // [2h4m] RFC 5382, REQ-5
	TCPClosing     time.Duration // [4m] after FIN both ways or a RST: RFC 5382, REQ-5; RFC 7857, Sections 2.1 and 2.2

	ICMP  time.Duration // [60s] RFC 5508, REQ-2; from the last query, RFC 7857, Section 11
	ESP   time.Duration // [10m] ESP and AH: a choice of the lab
	SPI   time.Duration // [30s] how long an inside host waits for the number of the SA in the other direction: a choice of the lab
	Other time.Duration // [10m] other protocols: a choice of the lab
}

// Static is a one-to-one translation: of addresses alone, of all protocols. RFC 2663, Section 4.1.1.
type Static struct {
	Inside, Outside netip.Addr
	// Filtered lets packets in only as for dynamic mappings; ports stay the same.
	Filtered bool
}

// Forward publishes a server of the inside.
type Forward struct {
	Proto   uint8      // 6 or 17
	Outside netip.Addr // none: each one of the pool
	Port    uint16     // the outside port
	Last    uint16     // of a range of ports; 0: Port alone. They go to as many ports from Inside's on
	Inside  netip.AddrPort
	// OneWay is for what comes in, and its answers, alone. Else what the server sends of its own accord leaves from the outside port as well.
	OneWay bool
	// RewriteSource lets the server see Config.Inside as the source, with a port of the box's choice.
	RewriteSource bool
}

// Fragments is what becomes of fragments.
type Fragments struct {
	Mode    FragmentMode
	Timeout time.Duration // how long the box knows a datagram of which it has seen a fragment; 0: 15 s, RFC 791, Section 3.2
	// What is held until the first fragment comes, bounded so that nothing else suffers: RFC 4787, REQ-14a.
	HoldEach  int // fragments of one datagram; 0: 16
	HoldTotal int // fragments; 0: 1024
	Datagrams int // datagrams in fragments that are known at a time; 0: 1024
}

// Portless is what becomes of a protocol without ports.
//
// BySPI is "IPsec pass-through". The number (SPI) of an outbound packet says which inside
// host and peer have an SA. The number of its counterpart in the other direction was agreed
// on in secret, so that an inbound packet with an unknown number is given to the peer's inside
// host that waits the longest, and its number is that host's from then on. Two hosts that
// begin at once are mixed up when the second is answered first; when the peer
// begins to use a new SA before the inside host has sent on its own new one, nobody waits.
// RFC 3715, Section 2.1 says of both numbers that they are independent.
type Portless struct {
	Mode PortlessMode
	Keep Keep // of OneClient
	// Serial, of BySPI, passes the first packets of an inside host only while no other one waits for the same peer.
	Serial bool
}

// TCPRules are about TCP beyond mapping and filtering.
type TCPRules struct {
	Unsolicited Unsolicited
	MidStream   MidStream
	Reset       Reset
	Window      Window
}

// Limits bound the tables.
type Limits struct {
	Mappings        int // 0: 1,048,576
	MappingsPerHost int // 0: no limit of its own
	Sessions        int // 0: twice Mappings
	SessionsPerHost int // 0: no limit of its own
	Held            int // SYNs that wait for UnsolicitedLater; 0: 256. Those beyond it are dropped silently
	Eviction        Eviction
}

// Faults are mistakes of implementations.
type Faults struct {
	NoUDPChecksum bool // checksums of UDP are not adjusted
	NoTCPChecksum bool // checksums of TCP are not adjusted
	LostCarry     bool // the adjustment forgets the carry, so that some checksums are wrong: compare RFC 1624, Section 2
	ZeroFilled    bool // an absent checksum of UDP, which is 0, is adjusted as if it were one: compare RFC 3022, Section 4.1
	StaleQuote    bool // checksums in the packets that ICMP errors quote are not adjusted
}
