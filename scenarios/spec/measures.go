package spec

// Overhead is what IPsec added to packets: the length of the protected IP
// packet on the wire less that of the packet inside. Packets that were
// fragmented are left out.
type Overhead struct {
	Least *Range `yaml:"least"` // bytes, of the packet that grew least
	Most  *Range `yaml:"most"`  // of the one that grew most

	Share *PercentRange `yaml:"share"` // of all: what was added, as a share of the packets inside
}

// Counters are statistics of a host's IPsec driver: how far each moved. Those
// of what there is at a moment, active-sas, offloaded-sas, active-tunnels and
// pending-key-operations, are as they stand at the end.
type Counters struct {
	ActiveSAs            *Range `yaml:"active-sas"`    // at the end, both directions
	OffloadedSAs         *Range `yaml:"offloaded-sas"` // at the end: 0, as no network card of the lab does IPsec
	PendingKeyOperations *Range `yaml:"pending-key-operations"`
	ActiveTunnels        *Range `yaml:"active-tunnels"` // at the end: pairs of SAs in tunnel mode
	KeyAdditions         *Range `yaml:"key-additions"`  // SAs
	KeyDeletions         *Range `yaml:"key-deletions"`
	Rekeys               *Range `yaml:"rekeys"`            // SAs that succeeded an older one for the same traffic
	BadSPI               *Range `yaml:"bad-spi"`           // packets under an SPI that nobody has
	NotDecrypted         *Range `yaml:"not-decrypted"`     // malformed, under an expired SA, badly padded
	NotAuthenticated     *Range `yaml:"not-authenticated"` // packets whose integrity check failed
	ReplayDetection      *Range `yaml:"replay-detection"`  // packets whose sequence number was valid
	Replayed             *Range `yaml:"replayed"`          // packets that replay detection refused
	WrongSA              *Range `yaml:"wrong-sa"`          // packets with traffic inside that their SA is not for
	ClearTextDrops       *Range `yaml:"clear-text-drops"`  // arrived in the clear although policy demands protection
	PolicyDrops          *Range `yaml:"policy-drops"`      // blocked by policy, both directions
	HeldDiscarded        *Range `yaml:"held-discarded"`    // waited for an SA in vain
	BootDrops            *Range `yaml:"boot-drops"`        // refused by the startup mode
	SoftAssociations     *Range `yaml:"soft-associations"` // soft SAs that began: the host fell back to clear
	AcceptedClear        *Range `yaml:"accepted-clear"`    // arrived in the clear, and came in by inbound passthrough
	PacketsProtected     *Range `yaml:"packets-protected"`
	BytesProtected       *Range `yaml:"bytes-protected"`
	PacketsOpened        *Range `yaml:"packets-opened"`
	BytesOpened          *Range `yaml:"bytes-opened"`

	ConfidentialBytesSent      *Range `yaml:"confidential-bytes-sent"` // payload under ESP
	ConfidentialBytesReceived  *Range `yaml:"confidential-bytes-received"`
	AuthenticatedBytesSent     *Range `yaml:"authenticated-bytes-sent"` // payload under AH
	AuthenticatedBytesReceived *Range `yaml:"authenticated-bytes-received"`
	TransportBytesSent         *Range `yaml:"transport-bytes-sent"` // payload in transport mode
	TransportBytesReceived     *Range `yaml:"transport-bytes-received"`
	TunnelBytesSent            *Range `yaml:"tunnel-bytes-sent"` // payload in tunnel mode
	TunnelBytesReceived        *Range `yaml:"tunnel-bytes-received"`
	OffloadedBytesSent         *Range `yaml:"offloaded-bytes-sent"` // 0, see offloaded-sas
	OffloadedBytesReceived     *Range `yaml:"offloaded-bytes-received"`
}

// IKECounters are IKE statistics of a host, with the names of the Windows IP Security
// Monitor: how far each moved. Those of what there is at a moment, the active ones and
// the sizes, are as they stand at the end.
type IKECounters struct {
	ActiveAcquire          *Range `yaml:"active-acquire"`          // at the end: requests for SAs that have not been answered
	ActiveReceive          *Range `yaml:"active-receive"`          // at the end: 0, as a message never waits
	AcquireHeapSize        *Range `yaml:"acquire-heap-size"`       // at the end: requests that have not begun a quick mode
	ReceiveHeapSize        *Range `yaml:"receive-heap-size"`       // at the end: 0, as a message never waits
	AcquireFailures        *Range `yaml:"acquire-failures"`        // requests for SAs that came to nothing
	ReceiveFailures        *Range `yaml:"receive-failures"`        // errors of receiving, and first messages that are not taken
	SendFailures           *Range `yaml:"send-failures"`           // errors of sending
	TotalAcquire           *Range `yaml:"total-acquire"`           // requests for SAs
	AuthenticationFailures *Range `yaml:"authentication-failures"` // main modes that ended because the peer's proof was wrong, where it was found
	NegotiationFailures    *Range `yaml:"negotiation-failures"`    // main modes and quick modes that failed
	InvalidCookies         *Range `yaml:"invalid-cookies"`         // messages of an ISAKMP SA that is not there
	InvalidPackets         *Range `yaml:"invalid-packets"`         // other messages that changed nothing
	TotalGetSPI            *Range `yaml:"total-get-spi"`           // inbound SPIs asked of the driver
	GetSPIFailures         *Range `yaml:"get-spi-failures"`
	KeyAdditions           *Range `yaml:"key-additions"` // outbound SAs given to the driver
	KeyAdditionFailures    *Range `yaml:"key-addition-failures"`
	KeyUpdates             *Range `yaml:"key-updates"` // inbound SAs given to the driver
	KeyUpdateFailures      *Range `yaml:"key-update-failures"`
	ISADBListSize          *Range `yaml:"isadb-list-size"`      // at the end: states of main modes
	ConnectionListSize     *Range `yaml:"connection-list-size"` // at the end: states of quick modes
	MainModes              *Range `yaml:"main-modes"`           // established
	QuickModes             *Range `yaml:"quick-modes"`          // established
	SoftAssociations       *Range `yaml:"soft-associations"`    // soft SAs that began
}

// SACount is how many SAs a host had, both directions.
type SACount struct {
	Most   *Range `yaml:"most"`   // at one time during the step
	Fewest *Range `yaml:"fewest"` // at one time during the step
	AtEnd  *Range `yaml:"at-end"` // of the step
}

// Event is an event of the trace that must have come, after the one before it
// in the list. What is left out fits every event.
type Event struct {
	Kind     string          `yaml:"kind" jsonschema:"required,minLength=1"` // as trace.jsonl has it: sa.added
	Node     string          `yaml:"node"`                                   // where it happened
	With     map[string]Word `yaml:"with"`                                   // fields of its data and what they are
	Contains string          `yaml:"contains"`                               // a phrase that a text in its data contains
}

// CountersOn limits the statistics of one host.
type CountersOn struct {
	Host     string `yaml:"host" jsonschema:"required"`
	Counters `yaml:",inline"`
}

// IKECountersOn limits the IKE statistics of one host.
type IKECountersOn struct {
	Host        string `yaml:"host" jsonschema:"required"`
	IKECounters `yaml:",inline"`
}
