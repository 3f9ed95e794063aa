package spec

// Expect is what must be true of the step it stands in. Absent fields are not judged.
type Expect struct {
	Result   string         `yaml:"result" jsonschema:"enum=ok,enum=timeout,enum=refused,enum=unreachable,enum=error"` // ok, timeout, refused, unreachable or error
	Received *Range         `yaml:"received"`                                                                          // answers (ping, udp) that came back
	Lost     *Range         `yaml:"lost"`                                                                              // requests (ping, udp) that nobody answered
	Loss     *PercentRange  `yaml:"loss"`                                                                              // the same as a share of the requests
	Silence  *DurationRange `yaml:"silence"`                                                                           // of ping and udp: the longest time in which no answer came, from the beginning of the step, between two answers, or to its end
	Latency  *DurationRange `yaml:"latency"`                                                                           // of the first answer: echo, datagram or response
	Wire     *Wire          `yaml:"wire"`                                                                              // what the frames between the two nodes looked like
	SA       *SA            `yaml:"sa"`                                                                                // the SA pair that the traffic used, on both sides
	Rule     *RuleExpect    `yaml:"rule"`
	App      *App           `yaml:"application"` // what the listening application at the far end saw
	IKE      *IKE           `yaml:"ike"`         // negotiations between the two nodes during the step

	Ports      *Ports              `yaml:"ports"`      // what a scan found
	Discovered map[string]Word     `yaml:"discovered"` // what a discovery finds: words and times by the keys of nat, and box, which is the only one of the named boxes that fits
	Heard      map[string]Range    `yaml:"heard"`      // by host: how many datagrams of an announcement reached the application that listens on its port
	Throughput *Range              `yaml:"throughput"` // of a transfer: bytes per second of virtual time, from the beginning of the step to its end
	Overhead   *Overhead           `yaml:"overhead"`   // of the protected packets between the two nodes, both directions, the first 256 of each SA
	Counters   map[string]Counters `yaml:"counters"`   // by host: how far the driver's statistics moved during the step

	IKECounters map[string]IKECounters `yaml:"ike-counters"` // by host: how far the statistics of IKE moved during the step

	NAT map[string]NATExpect `yaml:"nat"` // by node: what its NAT has at the end of the step, and how far its statistics moved

	FirewallCounters map[string]FirewallCounters `yaml:"firewall-counters"` // by node: how far the statistics of its firewall moved during the step

	Certificates map[string]StoreExpect `yaml:"certificates"` // by host: what its certificate store has at the end of the step

	Observed map[string]Observed `yaml:"observed"` // by observer: what it noted during the step

	Output []string `yaml:"output"`                                  // of a command: each of these regular expressions (RE2) matches somewhere in what it printed
	Exit   *int     `yaml:"exit" jsonschema:"minimum=0,maximum=255"` // of a command: its exit status

	SAs    map[string]SACount `yaml:"sas"`    // by host: how many SAs it had during the step
	Events []Event            `yaml:"events"` // what the trace holds of the step, in this order, other events between them or not
	Never  []Event            `yaml:"never"`  // what the trace does not hold of the step
}

// Wire is what an observer of the wire saw of a step's traffic between its two
// nodes: IKE, ARP and neighbour discovery aside.
type Wire struct {
	Protection string `yaml:"protection" jsonschema:"enum=esp,enum=ah,enum=ah+esp,enum=esp-in-udp,enum=clear,enum=mixed,enum=nothing"` // esp, ah, ah+esp (AH around ESP), esp-in-udp (of NAT traversal), clear, nothing, or mixed: more than one of them
	Data       string `yaml:"data" jsonschema:"enum=readable,enum=hidden"`                                                             // whether the bytes that applications send can be read in some frame, or in none
	Frames     *Range `yaml:"frames"`
	Bytes      *Range `yaml:"bytes"`     // of the IP packets in those frames, headers included
	Fragments  *Range `yaml:"fragments"` // frames that hold a part of a datagram
}

// SA is what the SAs in use must look like. Empty fields are not judged.
type SA struct {
	Protocol  string   `yaml:"protocol" jsonschema:"enum=esp,enum=ah,enum=ah+esp,enum=esp-in-udp"` // esp, ah, ah+esp (AH around ESP), or esp-in-udp (of NAT traversal)
	Mode      string   `yaml:"mode" jsonschema:"enum=transport,enum=tunnel"`                       // transport or tunnel
	Cipher    string   `yaml:"cipher"`                                                             // of ESP: 3des-cbc, aes128-cbc, null …; none without ESP
	Auth      string   `yaml:"auth"`                                                               // of ESP: hmac-sha1-96 …; none
	AHAuth    string   `yaml:"ah-auth"`                                                            // of AH: hmac-sha1-96 …; none without AH
	ESN       *bool    `yaml:"esn"`                                                                // whether the outermost SA has extended sequence numbers
	Seconds   int      `yaml:"seconds" jsonschema:"minimum=0"`
	Kilobytes int      `yaml:"kilobytes" jsonschema:"minimum=0"`
	PFSGroup  *int     `yaml:"pfs-group" jsonschema:"minimum=0,maximum=65535"` // 0: none
	MainMode  string   `yaml:"main-mode"`                                      // the proposal agreed on in phase 1: 3des-cbc/sha1/2
	Age       Duration `yaml:"max-age"`                                        // not older than this at the end of the step
}

// RuleExpect names the rule that decided: "policy/rule", "no match", or an exemption:
// "exempt: isakmp", "exempt: kerberos", and likewise rsvp, multicast, broadcast, neighbour discovery and ipv6.
type RuleExpect struct {
	From string `yaml:"from"` // on the sending node, outbound
	To   string `yaml:"to"`   // on the receiving node, inbound
}

// App is what the application at the far end of a step saw of it.
type App struct {
	SYNs        *Range `yaml:"syns"`        // connection requests that reached the listening socket
	Connections *Range `yaml:"connections"` // accepted
	Datagrams   *Range `yaml:"datagrams"`
	Bytes       *Range `yaml:"bytes"` // of application data received
}

// IKE counts negotiations between the step's two nodes that ended during it.
type IKE struct {
	MainModes   *Range `yaml:"main-modes"`  // established
	QuickModes  *Range `yaml:"quick-modes"` // established
	Failed      *Range `yaml:"failed"`      // main or quick modes given up, counted on either side
	Retransmits *Range `yaml:"retransmits"` // repeated IKE messages sent by either side
	Reason      string `yaml:"reason"`      // a word or phrase that a failure's reason contains
	Messages    *Range `yaml:"messages"`    // ISAKMP datagrams sent by either side

	KeyExchanges *Range `yaml:"key-exchanges"` // messages with a KE payload sent by either side, repeated ones aside: two for each Diffie–Hellman exchange
}

// Invariant is judged over the whole run. Exactly one field is set.
type Invariant struct {
	Title string       `yaml:"title"`
	Wire  *WireBetween `yaml:"wire"`
	IKE   *IKEBetween  `yaml:"ike"`
	Loss  *LossBetween `yaml:"answers"`
	SAs   *SAsOn       `yaml:"sas"`

	Counters *CountersOn `yaml:"counters"` // of the driver of one host

	IKECounters *IKECountersOn `yaml:"ike-counters"` // of IKE on one host

	NAT *NATOn `yaml:"nat"` // of the NAT of one node

	FirewallCounters *FirewallCountersOn `yaml:"firewall-counters"` // of the firewall of one node

	Observed *ObservedBy `yaml:"observed"` // what one observer notes

	Events []Event `yaml:"events"` // what the trace holds, in this order
	Never  []Event `yaml:"never"`  // what the trace does not hold
}

// WireBetween limits what the wire may carry between two nodes, in either direction.
type WireBetween struct {
	Between    []string `yaml:"between" jsonschema:"required,minItems=2,maxItems=2,uniqueItems=true"` // two node names
	Protocol   string   `yaml:"protocol" jsonschema:"oneof_type=string;integer"`                      // of the clear packets meant: any (default), icmp, icmpv6, tcp, udp
	Port       int      `yaml:"port" jsonschema:"minimum=0,maximum=65535"`                            // of either side
	Protection string   `yaml:"protection" jsonschema:"enum=esp,enum=ah,enum=ah+esp,enum=esp-in-udp,enum=clear,enum=mixed,enum=nothing"`
	Frames     *Range   `yaml:"frames"`
}

// IKEBetween limits the negotiations of two nodes.
type IKEBetween struct {
	Between []string `yaml:"between" jsonschema:"required,minItems=2,maxItems=2,uniqueItems=true"`
	IKE     `yaml:",inline"`
}

// LossBetween limits how many requests of ping and udp steps stayed unanswered.
type LossBetween struct {
	Between []string `yaml:"between" jsonschema:"required,minItems=2,maxItems=2,uniqueItems=true"`
	Lost    *Range   `yaml:"lost" jsonschema:"required"`
}

// SAsOn limits the SAs of one host.
type SAsOn struct {
	Host         string   `yaml:"host" jsonschema:"required"`
	AtEnd        *Range   `yaml:"at-end"`       // in the SAD when the run ends, both directions
	Simultaneous *Range   `yaml:"simultaneous"` // the most that existed at one time
	MaxAge       Duration `yaml:"max-age"`      // no SA lived longer
}
