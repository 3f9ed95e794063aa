package spec

// Link is what the link between a node and a segment does to frames, each way.
// Fields left out stay as they are; a link begins with none.
type Link struct {
	Latency     *Duration `yaml:"latency"`                                   // added to the segment's
	Loss        *float64  `yaml:"loss" jsonschema:"minimum=0,maximum=1"`     // probability that a frame is lost, 0 to 1
	MTU         *int      `yaml:"mtu" jsonschema:"minimum=68,maximum=65535"` // bytes of an IP packet; the segment's holds as well
	Down        *bool     `yaml:"down"`                                      // nothing passes
	Impairments `yaml:",inline"`
}

// Impairments are what a link or a segment does to frames besides delaying and
// losing them.
type Impairments struct {
	Rate       *Rate       `yaml:"rate"`                                       // bits per second of a link, each way; of a segment: of each of its links without one; 0bit: no limit
	Queue      *Queue      `yaml:"queue"`                                      // what may wait for the rate, each way
	Jitter     *Duration   `yaml:"jitter"`                                     // the most that a frame takes longer, evenly drawn; each sender's frames keep their order
	Duplicate  *float64    `yaml:"duplicate" jsonschema:"minimum=0,maximum=1"` // probability that a frame comes out twice
	Corrupt    *float64    `yaml:"corrupt" jsonschema:"minimum=0,maximum=1"`   // probability that one bit of what an Ethernet frame holds is flipped
	Reorder    *Reorder    `yaml:"reorder"`                                    // frames that are held back
	Blackholes []Blackhole `yaml:"blackholes"`                                 // frames that are swallowed; an empty list ends earlier ones
}

// Queue bounds what may wait for a link of limited rate; a frame for which there
// is no room is dropped. 0 is no bound.
type Queue struct {
	Frames int  `yaml:"frames" jsonschema:"minimum=0,maximum=1000000"`
	Bytes  Size `yaml:"bytes"`
}

// Reorder holds some frames back, so that later ones overtake them.
type Reorder struct {
	Probability float64  `yaml:"probability" jsonschema:"required,minimum=0,maximum=1"`
	Delay       Duration `yaml:"delay"` // how long; needed unless the probability is 0
}

// Blackhole swallows frames. All its conditions must hold.
type Blackhole struct {
	FrameSelection `yaml:",inline"`
	Direction      string `yaml:"direction" jsonschema:"enum=up,enum=down"` // of a link: up (from the node) or down; default both
}

// FrameSelection selects frames by what is in them, by time and by number.
type FrameSelection struct {
	FrameFilter `yaml:",inline"`
	Frames      *Range   `yaml:"frames"` // which of the frames that all else selects, counted from 1
	Since       Duration `yaml:"since"`  // virtual time from which on
	Until       Duration `yaml:"until"`  // virtual time before which; 0: for ever
}

// FrameFilter selects frames by what an observer of the wire can read in them.
// What is left out is any.
type FrameFilter struct {
	Protocol        string `yaml:"protocol" jsonschema:"oneof_type=string;integer"` // icmp, icmpv6, tcp, udp, esp, ah or a number of IP; arp
	Source          string `yaml:"source"`                                          // any, an address, a prefix, or the name of a node (its first address)
	Destination     string `yaml:"destination"`
	Port            int    `yaml:"port" jsonschema:"minimum=0,maximum=65535"` // of either side, with TCP and UDP
	SourcePort      int    `yaml:"source-port" jsonschema:"minimum=0,maximum=65535"`
	DestinationPort int    `yaml:"destination-port" jsonschema:"minimum=0,maximum=65535"`
	Fragments       bool   `yaml:"fragments"` // fragments of IP datagrams alone, the first ones too
}

// The words of Blackhole.Direction.
const (
	DirectionUp   = "up"
	DirectionDown = "down"
)

// ProtocolARP is the word for ARP in a FrameFilter.
const ProtocolARP = "arp"

// ProtocolNumber is the IP protocol that the filter selects; 0 is any, and also ARP
// and a word that Check refuses.
func (f FrameFilter) ProtocolNumber() uint8 {
	n, _ := frameProtocol(f.Protocol)
	return n
}

func frameProtocol(word string) (n uint8, ok bool) {
	switch word {
	case "esp":
		return 50, true
	case "ah":
		return 51, true
	case ProtocolARP:
		return 0, true
	}
	return ProtocolNumber(word)
}
