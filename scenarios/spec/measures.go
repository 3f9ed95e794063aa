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
// of what there is at a moment, active-sas and pending-key-operations, are as
// they stand at the end.
type Counters struct {
	ActiveSAs            *Range `yaml:"active-sas"` // at the end, both directions
	PendingKeyOperations *Range `yaml:"pending-key-operations"`
	KeyAdditions         *Range `yaml:"key-additions"` // SAs
	KeyDeletions         *Range `yaml:"key-deletions"`
	Rekeys               *Range `yaml:"rekeys"`            // SAs that succeeded an older one for the same traffic
	BadSPI               *Range `yaml:"bad-spi"`           // packets under an SPI that nobody has
	NotDecrypted         *Range `yaml:"not-decrypted"`     // malformed, under an expired SA, badly padded
	NotAuthenticated     *Range `yaml:"not-authenticated"` // packets whose integrity check failed
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
