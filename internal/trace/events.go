package trace

import (
	"encoding/hex"
	"time"
)

func init() {
	register[Step]()
	register[PolicyAssigned]()
	register[FiltersChanged]()
	register[PolicyFetched]()
	register[Verdict]()
	register[Acquire]()
	register[IKEMessage]()
	register[Negotiation]()
	register[IKEKeys]()
	register[SAAdded]()
	register[PeerReady]()
	register[SAMoved]()
	register[SARemoved]()
	register[SoftSAAdded]()
	register[SoftSARemoved]()
	register[Inner]()
	register[PacketDropped]()
	register[LinkChanged]()
	register[Application]()
	register[Violation]()
	register[Attack]()
	register[HostState]()
	register[EventLog]()
	register[AgentState]()
	register[DriverMode]()
	register[AddressChanged]()
	register[SCEP]()
	register[CertificateStored]()
	register[Discovered]()
}

// Hex is a byte string that JSON shows in hexadecimal.
type Hex []byte

// MarshalText writes lower-case hexadecimal.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads hexadecimal; the empty string is nil.
func (h *Hex) UnmarshalText(b []byte) error {
	v, err := hex.AppendDecode(nil, b)
	*h = v
	return err
}

func (h Hex) String() string { return hex.EncodeToString(h) }

// Step marks the start and the end of a scenario step.
type Step struct {
	Index   int    `json:"index"` // from 1
	Verb    string `json:"verb"`
	Title   string `json:"title"`
	State   string `json:"state"` // "started" or the step's outcome
	Failure string `json:"failure,omitempty"`
}

// PolicyAssigned says which IPsec policy a host follows from now on.
type PolicyAssigned struct {
	Policy  string   `json:"policy"`  // empty: none assigned
	Filters []string `json:"filters"` // the specific filters in search order, printed

	Source     string `json:"source,omitempty"`     // where it was read: local, cache or source
	Persistent string `json:"persistent,omitempty"` // the persistent policy that is in force as well

	// Warnings are offers that the operating system of the host does not know, with
	// the number that MS-ERREF gives to leaving them out.
	Warnings []string `json:"warnings,omitempty"`
}

// PolicyFetched is what a policy agent got from the source of its policy.
type PolicyFetched struct {
	Source  string        `json:"source"`
	Result  string        `json:"result"`           // policy, none assigned, failed
	Policy  string        `json:"policy,omitempty"` // its name
	Changed bool          `json:"changed"`          // another policy is in force from now on
	Next    time.Duration `json:"next"`             // when the source is asked again, from now
	Detail  string        `json:"detail,omitempty"`
}

// FiltersChanged says that the filters of a policy in force are others from now on.
type FiltersChanged struct {
	Reason  string   `json:"reason"`
	Filters []string `json:"filters"` // the specific filters in search order, printed
}

// Verdict is a policy decision about one packet. Equal decisions about one flow
// are recorded once per assignment of a policy or change of its SAs.
type Verdict struct {
	Direction string `json:"direction"`
	Packet    string `json:"packet"` // protocol, addresses and ports
	Action    string `json:"action"` // permit, block, negotiate, no match, exempt, boot, sa
	Rule      string `json:"rule,omitempty"`
	Outcome   string `json:"outcome"` // passed, dropped, protected, held, too big, opened
	Why       string `json:"why,omitempty"`
}

// Acquire is the driver's request for an SA pair.
type Acquire struct {
	ID       uint64 `json:"id"`
	Selector string `json:"selector"`
	Peer     string `json:"peer"`
	Rule     string `json:"rule"`
}

// Field is one node of a decoded message.
type Field struct {
	Name   string  `json:"name"`
	Value  string  `json:"value,omitempty"`
	Fields []Field `json:"fields,omitempty"`
}

// IKEMessage is one ISAKMP message as an engine sent or received it, decrypted.
type IKEMessage struct {
	Sent       bool    `json:"sent"`
	Local      string  `json:"local"` // address:port
	Remote     string  `json:"remote"`
	CookieI    Hex     `json:"cookie_i"`
	CookieR    Hex     `json:"cookie_r"`
	Exchange   string  `json:"exchange"` // "main mode", "quick mode", "informational"
	MessageID  uint32  `json:"message_id"`
	Number     int     `json:"number"` // position in its exchange, from 1; 0 when unknown
	Encrypted  bool    `json:"encrypted"`
	Length     int     `json:"length"` // bytes on the wire, ISAKMP header included
	Retransmit int     `json:"retransmit,omitempty"`
	Payloads   []Field `json:"payloads,omitempty"`
	Note       string  `json:"note,omitempty"` // why it was ignored, what it answers
}

// IKEKeys are the secrets of a main mode that a capture reader needs.
type IKEKeys struct {
	CookieI Hex    `json:"cookie_i"`
	CookieR Hex    `json:"cookie_r"`
	Cipher  string `json:"cipher"`
	Key     Hex    `json:"key"` // the ISAKMP cipher key, RFC 2409, Appendix B
}

// SAAdded is an IPsec SA entering the SAD.
type SAAdded struct {
	Direction string `json:"direction"`
	Protocol  string `json:"protocol"`
	SPI       uint32 `json:"spi"`
	PeerSPI   uint32 `json:"peer_spi"`
	Src       string `json:"src"`
	Dst       string `json:"dst"`
	Mode      string `json:"mode"`
	Cipher    string `json:"cipher,omitempty"`
	CipherKey Hex    `json:"cipher_key,omitempty"`
	Auth      string `json:"auth,omitempty"`
	AuthKey   Hex    `json:"auth_key,omitempty"`
	Selector  string `json:"selector"`
	Rule      string `json:"rule"`
	Seconds   int64  `json:"seconds,omitempty"`
	Kilobytes uint64 `json:"kilobytes,omitempty"`
	Initiator bool   `json:"initiator"`
	Inner     uint32 `json:"inner,omitempty"` // in a bundle: the SPI of the SA that this one is around
	ESN       bool   `json:"esn,omitempty"`   // extended sequence numbers

	// With ESP in UDP: the ports, and the addresses with which the sender computed
	// checksums, if the peer told (NAT-OA of RFC 3947).
	SrcPort     uint16 `json:"src_port,omitempty"`
	DstPort     uint16 `json:"dst_port,omitempty"`
	OriginalSrc string `json:"original_src,omitempty"`
	OriginalDst string `json:"original_dst,omitempty"`
}

// PeerReady is a real peer whose daemon is ready to negotiate.
type PeerReady struct {
	Image  string `json:"image"`
	Driver string `json:"driver"` // the kind of machine that it runs in
	Daemon string `json:"daemon"` // name and version, as it says itself
	Kernel string `json:"kernel"`
}

// SAMoved is an SA whose peer, behind a NAT, has proved that it is at another address or port now.
type SAMoved struct {
	Direction string `json:"direction"`
	Protocol  string `json:"protocol"`
	SPI       uint32 `json:"spi"`
	From      string `json:"from"` // the peer's address and port until now
	To        string `json:"to"`
}

// SARemoved is an IPsec SA leaving the SAD, with what it carried.
type SARemoved struct {
	Direction string `json:"direction"`
	Protocol  string `json:"protocol"`
	SPI       uint32 `json:"spi"`
	Dst       string `json:"dst"`
	Reason    string `json:"reason"` // expired, replaced, deleted by peer, policy changed …
	Packets   uint64 `json:"packets"`
	Bytes     uint64 `json:"bytes"`
}

// SoftSAAdded says that a host has fallen back to clear for its traffic with a
// peer, as far as rules allow it.
type SoftSAAdded struct {
	Local  string `json:"local"`
	Peer   string `json:"peer"`
	Rule   string `json:"rule"`
	Code   int    `json:"code"` // 13844, MS-ERREF, Section 2.2
	Reason string `json:"reason"`
}

// SoftSARemoved says that it has ended.
type SoftSARemoved struct {
	Local   string `json:"local"`
	Peer    string `json:"peer"`
	Code    int    `json:"code"`   // 13845, MS-ERREF, Section 2.2
	Reason  string `json:"reason"` // idle, expired, policy changed, the peer has negotiated an SA …
	Packets uint64 `json:"packets"`
}

// Inner is the packet inside a protected frame, as its sender knew it before
// sealing. Data is cut after InnerLimit bytes.
type Inner struct {
	Frame    int    `json:"frame"`    // number in the capture, from 1: the first frame of the datagram
	Protocol string `json:"protocol"` // ESP, AH, or AH+ESP for a bundle
	SPI      uint32 `json:"spi"`      // of the outermost SA
	Sequence uint64 `json:"sequence"` // of the outermost SA
	Length   int    `json:"length"`
	Packet   string `json:"packet"`
	Data     Hex    `json:"data"`
}

// InnerLimit is how many bytes of an inner packet a trace keeps: all headers
// and the start of the payload; the whole packet is in the capture.
const InnerLimit = 160

// PacketDropped is a packet that ended on a node or a link. Repeats of one
// reason for one flow are counted by the node and recorded at the first.
type PacketDropped struct {
	Where  string `json:"where"` // "ipsec inbound", "link lan", "router" …
	Packet string `json:"packet"`
	Reason string `json:"reason"`
	Rule   string `json:"rule,omitempty"`
}

// LinkChanged is a change of a link's properties during the run.
type LinkChanged struct {
	Link    string        `json:"link"` // "node:segment"
	Latency time.Duration `json:"latency_ns"`
	Loss    float64       `json:"loss"`
	MTU     int           `json:"mtu"`
	Down    bool          `json:"down,omitempty"`
	More    string        `json:"more,omitempty"` // rate, queue, jitter and the like, in words
}

// Application is what a program on a host saw or did.
type Application struct {
	App    string `json:"app"`   // "tcp server :1433", "ping" …
	Event  string `json:"event"` // listening, syn, accepted, connected, request, response, datagram, closed, timeout …
	Peer   string `json:"peer,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Violation is a finding of the wire oracle: a frame in the clear that its
// sender's policy demanded protected.
type Violation struct {
	Frame   int    `json:"frame"`
	Segment string `json:"segment"`
	Packet  string `json:"packet"`
	Rule    string `json:"rule"`
	Why     string `json:"why"`
}

// Attack is one act of an attacker: a frame that he put on the wire.
type Attack struct {
	Act      string `json:"act"`                // altered, replayed, injected, spoofed; passed on: there was nothing to alter
	Frame    int    `json:"frame"`              // his frame's number in the capture
	Original int    `json:"original,omitempty"` // the number of the frame that was altered or is sent again
	Segment  string `json:"segment"`
	Packet   string `json:"packet"`           // altered: as it was
	Detail   string `json:"detail,omitempty"` // what was changed or sent, and from what was overheard
}

// HostState says that a computer stopped or started.
type HostState struct {
	State  string `json:"state"` // stopped, started
	Detail string `json:"detail,omitempty"`
}

// EventLog is an entry that a Windows computer writes to one of its event logs. What
// an entry does not have is left out.
type EventLog struct {
	Log           string  `json:"log"`                      // Security or System
	Source        string  `json:"source"`                   // Security, or IPSEC: the driver
	ID            int     `json:"id,omitempty"`             // of the event; left out where no source has the number
	Type          string  `json:"type"`                     // Success Audit, Failure Audit, Warning, Information
	Message       string  `json:"message"`                  // what the event says, in short
	Mode          string  `json:"mode,omitempty"`           // Key Exchange Mode (Main Mode), Data Protection Mode (Quick Mode)
	Peer          string  `json:"peer,omitempty"`           // its address
	FailurePoint  string  `json:"failure_point,omitempty"`  // Me or Peer: who found the fault
	FailureReason string  `json:"failure_reason,omitempty"` // the text of the code, and what the engine knows
	Code          int     `json:"code,omitempty"`           // Windows error code (MS-ERREF, 138xx)
	Count         uint64  `json:"count,omitempty"`          // packets that the entry stands for
	Fields        []Field `json:"fields,omitempty"`         // identity, filter, parameters, SPIs
	Unconfirmed   string  `json:"unconfirmed,omitempty"`    // what of the entry no published source confirms
}

// AgentState says that a policy agent started, stopped or found a change.
type AgentState struct {
	State  string `json:"state"` // started, stopped; polled: it found a change in the store
	Detail string `json:"detail,omitempty"`
}

// DriverMode says how an IPsec driver filters from now on.
type DriverMode struct {
	Mode   string `json:"mode"` // boot: permit, boot: block or boot: stateful; operational; permit: without an agent
	Detail string `json:"detail,omitempty"`
}

// AddressChanged says that an interface of a host has other addresses from now on.
type AddressChanged struct {
	Segment string   `json:"segment"`
	Added   []string `json:"added,omitempty"` // with the lengths of their networks
	Removed []string `json:"removed,omitempty"`
	Reason  string   `json:"reason"`
}

// SCEP is a question of a device to a certification authority and its answer (RFC 8894),
// as one of the two sides sees it.
type SCEP struct {
	Role        string `json:"role"` // requester, authority
	Peer        string `json:"peer"`
	Operation   string `json:"operation"`             // GetCACert, GetCACaps, PKIOperation …
	Message     string `json:"message,omitempty"`     // of PKIOperation: PKCSReq, RenewalReq, CertPoll, GetCert, GetCRL
	Transaction string `json:"transaction,omitempty"` // likewise
	Status      string `json:"status,omitempty"`      // of the answer: SUCCESS, PENDING, FAILURE
	Subject     string `json:"subject,omitempty"`     // of the request; of the authority's certificate
	Serial      string `json:"serial,omitempty"`      // of what was given, in hexadecimal
	Reason      string `json:"reason,omitempty"`      // why not
}

// CertificateStored says that a certificate or a list of revoked ones came into the
// certificate store of a computer.
type CertificateStored struct {
	Store      string `json:"store"`                // own, roots, intermediates, revocation-lists
	Subject    string `json:"subject"`              // of a list: its issuer
	Serial     string `json:"serial,omitempty"`     // in hexadecimal
	Thumbprint string `json:"thumbprint,omitempty"` // SHA-1, in hexadecimal
	Until      string `json:"until,omitempty"`      // valid until; of a list, when the next one is due
	Replaces   string `json:"replaces,omitempty"`   // the serial number of the one whose place it takes
}

// Discovered is what a host has found out about the box between it and two servers.
type Discovered struct {
	Key    string `json:"key"`   // of a setting of NAT boxes, or what else the discovery looks for
	Value  string `json:"value"` // a word of the setting, a span of times, or that nothing was observed, and why
	Detail string `json:"detail,omitempty"`
}

// The names of the kinds, as trace.jsonl spells them.
func (Step) Kind() string              { return "scenario.step" }
func (PolicyAssigned) Kind() string    { return "policy.assigned" }
func (FiltersChanged) Kind() string    { return "policy.filters" }
func (PolicyFetched) Kind() string     { return "policy.fetched" }
func (Verdict) Kind() string           { return "policy.verdict" }
func (Acquire) Kind() string           { return "driver.acquire" }
func (IKEMessage) Kind() string        { return "ike.message" }
func (Negotiation) Kind() string       { return "ike.negotiation" }
func (IKEKeys) Kind() string           { return "ike.keys" }
func (PeerReady) Kind() string         { return "peer.ready" }
func (SAAdded) Kind() string           { return "sa.added" }
func (SAMoved) Kind() string           { return "sa.moved" }
func (SARemoved) Kind() string         { return "sa.removed" }
func (SoftSAAdded) Kind() string       { return "sa.soft.added" }
func (SoftSARemoved) Kind() string     { return "sa.soft.removed" }
func (Inner) Kind() string             { return "packet.inner" }
func (PacketDropped) Kind() string     { return "packet.dropped" }
func (LinkChanged) Kind() string       { return "link.changed" }
func (Application) Kind() string       { return "app" }
func (Violation) Kind() string         { return "oracle.violation" }
func (Attack) Kind() string            { return "attack" }
func (HostState) Kind() string         { return "host.state" }
func (EventLog) Kind() string          { return "event.log" }
func (AgentState) Kind() string        { return "agent.state" }
func (DriverMode) Kind() string        { return "driver.mode" }
func (AddressChanged) Kind() string    { return "address.changed" }
func (SCEP) Kind() string              { return "scep" }
func (CertificateStored) Kind() string { return "certificate.stored" }
func (Discovered) Kind() string        { return "nat.discovered" }
