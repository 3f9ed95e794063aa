package spec

import (
	"net/netip"
	"strconv"
	"time"
)

// Optional fields are read through accessors, which know the defaults:
//
//	field                accessor                      when left out
//	Scenario.Seed        (*Scenario).RandomSeed        1
//	Scenario.Start       (*Scenario).Epoch             2005-03-30T00:00:00Z
//	Segment.Latency      Segment.Delay                 100µs
//	Segment.MTU          Segment.PacketSize            1500 bytes
//	Segment.Kind         Segment.PointToPoint          ethernet
//	Segment.Subnet       Segment.Networks              none
//	Node.Type            Node.Kind, Node.Router        host
//	Node.Gateway         Node.NextHops                 none
//	Interface.Address    Interface.Prefixes
//	SetAddress.Segment   (*Scenario).InterfaceSegment  the segment of the node's only interface
//	DHCPService.Lease    DHCPService.LeaseTime         8 days
//	Node.IPsec           Node.Settings                 the default of each setting
//	Node.OS              Node.Profile                  none: Windows Server 2003, without the limits of a profile
//	IPsec.Retransmit     IPsec.Gaps                    as measured on Windows
//	IPsec.VendorIDs      IPsec.Vendors                 that of Windows Server 2003
//	IPsec.ReliableDelete IPsec.Repeats                 6
//	IPsec.Fragmentation  IPsec.Fragments               as Windows does
//	Traversal.Dialects   Traversal.Speaks              draft-02n
//	Traversal.AssumeUDP  Traversal.BehindNAT           2
//	Traversal.KeepAlive  Traversal.KeepsAlive          20s
//	Traversal.Originals  Traversal.TellsOriginals      behind
//	IPsec.MainModeMargin IPsec.ReplaceMainModes        that of the engine; below 0 with NoMainModeRekey
//	IPsec.Rekey          IPsec.RekeyBefore             margin 0 (a tenth of the lifetime), not idle
//	IPsec.SAIdleTime     IPsec.IdleAfter               5m
//	IPsec.LogInterval    IPsec.LogsEvery               1h
//	IPsec.FallBack       IPsec.FallingBack             after 3s, 0 if simultaneous, idle 5m, no lifetime, neither on failure nor on unreachable
//	IPsec.Ties           IPsec.TieOrder                block, permit, negotiate
//	IPsec.FirstEnd       IPsec.WiderEndFirst           narrower
//	IPsec.MeCountsAs     IPsec.MeAsAny                 host
//	IPsec.IPv6           IPsec.BypassIPv6              policy
//	Startup.AgentDelay   Startup.Gap                   0
//	Startup.AgentStopped Startup.WithoutAgent          permit
//	Startup.PersistentFrom  Startup.PersistentSince    driver
//	Startup.PersistentOrder Startup.Precedence         specific
//	Startup.PolicyChange    Startup.KeepsSAs           all
//	Filter.Protocol      Filter.ProtocolNumber         0, any
//	Filter.Mirrored      Filter.BothWays               true
//	MainMode.Lifetime    MainMode.Expiry               8h
//	Policy.Polling       Policy.PollingInterval        3h
//	DefaultResponse      Policy.Responds               not active, but in a predefined policy
//	Rule.Name            Rule.Label                    the name of its filter list
//	Rule.Active          Rule.IsActive                 true
//	Interface.Connection Node.DialUp                   lan
//	Step.Title           Step.Words                    made of the verb: "ping alice → bob"
//	Ping.Count           Ping.Requests                 1
//	Ping.Interval        Ping.Gap                      1s
//	Ping.Size            Ping.DataBytes                32
//	Ping.Timeout         Ping.Patience                 5s
//	Connect.Request      Connect.RequestBytes          64
//	Connect.Response     Connect.ResponseBytes         512
//	Connect.Timeout      Connect.Patience              30s
//	Transfer.Timeout     Transfer.Patience             10m
//	UDP.Count            UDP.Datagrams                 1
//	UDP.Interval         UDP.Gap                       1s
//	UDP.Size             UDP.PayloadBytes              64
//	UDP.Timeout          UDP.Patience                  5s
//	Announce.Count       Announce.Datagrams            1
//	Announce.Interval    Announce.Gap                  1s
//	Announce.Size        Announce.PayloadBytes         64
//	Scan.Protocol        Scan.Transport                tcp
//	Scan.InFlight        Scan.Together                 64
//	Scan.Timeout         Scan.Patience                 900ms
//	Enrol.Port           SCEPServer.TCPPort            80; likewise of FetchList, as the next three
//	Enrol.Timeout        SCEPServer.Patience           30s
//	Enrol.Interval       SCEPServer.Gap                1m
//	Enrol.Tries          SCEPServer.Questions          10
//	SetLink.Segment      (*Scenario).LinkSegment       the segment of the node's only interface
//	AssignPolicy.Policy  AssignPolicy.Unassigns        unassign
//	RestartHost.Boot     RestartHost.Boots             30s
//	AssignPolicy.Location AssignPolicy.Place           local
//	StorePolicy.As       StorePolicy.Name              its own name
//	StorePolicy.Location StorePolicy.Place             local
//	Tamper.Segment       (*Scenario).TamperSegment     the only one that attacker and node share
//	Tamper.Checksums     Tamper.Repairs                all
//	Replay.Segment       (*Scenario).AttackSegment     the only one that the attacker is on; likewise of Inject and Spoof
//	Repeat.Count         Repeat.Times                  1
//	Repeat.Interval      Repeat.Gap                    1ms
//	Repeat.Watch         Repeat.Watching               1s
//	Spoof.Size           Spoof.DataBytes               64
//
// Beside them stand (Step).Verb, (Step).Ends, (*Scenario).Resolve,
// (*Scenario).Destination, (*Scenario).NodeAt and (*Scenario).FilterAddress.

// The words that Node.Type, Segment.Kind, IPsec.IPv6, FilterAction.Action, Expect.Result,
// Wire.Protection and Wire.Data are written with.
const (
	TypeHost     = "host"
	TypeRouter   = "router"
	TypeAttacker = "attacker"

	KindEthernet     = "ethernet"
	KindPointToPoint = "point-to-point"

	DoSUnknown   = "unknown"
	DoSAvailable = "available"
	DoSActive    = "active"

	IPv6Policy = "policy"
	IPv6Bypass = "bypass"

	ActionPermit    = "permit"
	ActionBlock     = "block"
	ActionNegotiate = "negotiate"

	ResultOK          = "ok"
	ResultTimeout     = "timeout"
	ResultRefused     = "refused"
	ResultUnreachable = "unreachable"
	ResultError       = "error"

	WireESP     = "esp"
	WireAH      = "ah"
	WireBoth    = "ah+esp"     // AH around ESP
	WireUDP     = "esp-in-udp" // of NAT traversal, RFC 3948
	WireClear   = "clear"
	WireMixed   = "mixed"
	WireNothing = "nothing"

	DataReadable = "readable"
	DataHidden   = "hidden"
)

// The words of Rule.Connections and Interface.Connection.
const (
	ConnectionsAll    = "all"
	ConnectionsLAN    = "lan"
	ConnectionsDialUp = "dialup"
)

// The words of IPsec.FirstEnd and IPsec.MeCountsAs.
const (
	EndNarrower = "narrower"
	EndWider    = "wider"
	MeHost      = "host"
	MeAny       = "any"
)

// PolicyNone is the word for no policy in AssignPolicy.
const PolicyNone = "none"

// AlgorithmNone is the word in SA for an algorithm that there is not.
const AlgorithmNone = "none"

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// RandomSeed is the seed of the run.
func (s *Scenario) RandomSeed() uint64 { return or(s.Seed, 1) }

// Epoch is the virtual wall-clock time at which the run starts, in UTC.
func (s *Scenario) Epoch() time.Time {
	if s.Start.IsZero() {
		return time.Date(2005, time.March, 30, 0, 0, 0, 0, time.UTC) // the month in which Windows Server 2003 SP1 came out
	}
	return s.Start.UTC()
}

// Delay is the one-way latency from any port to any other.
func (s Segment) Delay() time.Duration { return or(s.Latency.Span(), 100*time.Microsecond) }

// PacketSize is the MTU in bytes of an IP packet.
func (s Segment) PacketSize() int { return or(s.MTU, 1500) }

// PointToPoint reports whether the segment is a link between two nodes.
func (s Segment) PointToPoint() bool { return s.Kind == KindPointToPoint }

// Networks are the prefixes that addresses on the segment must be in, as they are written.
func (s Segment) Networks() []string { return oneOrMore(s.Subnet, s.Subnets) }

// NextHops are the next hops of the node's default routes, as they are written.
func (n Node) NextHops() []string { return oneOrMore(n.Gateway, n.Gateways) }

// Prefixes are the interface's addresses with the lengths of their networks, in
// the order of the file, without those that Check refuses.
func (i Interface) Prefixes() (all []netip.Prefix) {
	for _, text := range i.texts() {
		if p, err := parseInterface(text); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func (i Interface) texts() []string {
	if i.Unnumbered() {
		return i.Addresses
	}
	return oneOrMore(i.Address, i.Addresses)
}

// oneOrMore are the values of two fields of which one is set: for one value, or for several.
func oneOrMore(one string, more []string) []string {
	if one == "" {
		return more
	}
	return append([]string{one}, more...)
}

// BypassIPv6 reports whether IPv6 passes whatever the policy says.
func (s IPsec) BypassIPv6() bool { return s.IPv6 == IPv6Bypass }

// DefaultExempt is the value of NoDefaultExempt, 0 to 3 (TechNet cc756041).
func (s IPsec) DefaultExempt() int {
	if s.NoDefaultExempt == nil {
		return 3
	}
	return *s.NoDefaultExempt
}

// Kind is TypeHost, TypeRouter, TypeAttacker or TypePeer.
func (n Node) Kind() string { return or(n.Type, TypeHost) }

// Router reports whether the node is one.
func (n Node) Router() bool { return n.Kind() == TypeRouter }

// Attacker reports whether the node is one.
func (n Node) Attacker() bool { return n.Kind() == TypeAttacker }

// Host reports whether the node is a computer, with applications and IPsec, virtual or real.
func (n Node) Host() bool { return n.Kind() == TypeHost || n.Real() }

// Settings are what the sources leave open, as this node has it: what it says
// itself, and what its operating system has by default.
func (n Node) Settings() IPsec {
	var s IPsec
	if n.IPsec != nil {
		s = *n.IPsec
	}
	if p, ok := n.Profile(); ok {
		s.defaults(p)
	}
	return s
}

// RekeyBefore is how long before the end of its lifetime an SA pair is
// replaced, 0 for a tenth of the lifetime, and whether an idle one is too.
func (s IPsec) RekeyBefore() (margin time.Duration, idle bool) {
	if s.Rekey == nil {
		return 0, false
	}
	return s.Rekey.Margin.Span(), s.Rekey.Idle
}

// ReplaceMainModes is how long before its end a main mode is replaced: 0 is the default of the engine, and less never.
func (s IPsec) ReplaceMainModes() time.Duration {
	if s.NoMainModeRekey {
		return -1
	}
	return s.MainModeMargin.Span()
}

// LogsEvery is how often the driver writes to the System log.
func (s IPsec) LogsEvery() time.Duration { return or(s.LogInterval.Span(), time.Hour) }

// IdleAfter is how long nothing uses a pair of IPsec SAs before it ends.
func (s IPsec) IdleAfter() time.Duration { return or(s.SAIdleTime.Span(), 5*time.Minute) }

// FallingBack is how the host falls back to clear, with its defaults filled in; a
// Lifetime of 0 is none.
func (s IPsec) FallingBack() FallBack {
	var f FallBack
	if s.FallBack != nil {
		f = *s.FallBack
	}
	f.After, f.Idle = or(f.After, Duration(3*time.Second)), or(f.Idle, Duration(5*time.Minute))
	if f.Simultaneous {
		f.After = 0
	}
	return f
}

// WiderEndFirst reports whether the wider end of a filter says first how specific it is.
func (s IPsec) WiderEndFirst() bool { return s.FirstEnd == EndWider }

// MeAsAny reports whether me is no more specific than any address.
func (s IPsec) MeAsAny() bool { return s.MeCountsAs == MeAny }

// TieOrder is the order of actions among equally specific filters.
func (s IPsec) TieOrder() []string {
	if s.Ties == nil {
		return []string{ActionBlock, ActionPermit, ActionNegotiate}
	}
	return s.Ties
}

// ProtocolNumber is the IP protocol that the filter selects; 0 is any, and also a word that Check refuses.
func (f Filter) ProtocolNumber() uint8 {
	n, _ := ProtocolNumber(f.Protocol)
	return n
}

// ProtocolNumber is the IP protocol that a word of a scenario names: any (also
// written as nothing), icmp, icmpv6, tcp, udp or a number from 1 to 255; any is 0.
func ProtocolNumber(word string) (n uint8, ok bool) {
	switch word {
	case "", "any":
		return 0, true
	case "icmp":
		return 1, true
	case "icmpv6":
		return 58, true
	case "tcp":
		return 6, true
	case "udp":
		return 17, true
	}
	v, err := strconv.ParseUint(word, 10, 8)
	return uint8(v), err == nil && v > 0
}

// hasPorts reports whether a filter on the protocol may name ports: TCP and UDP.
func hasPorts(protocol uint8) bool { return protocol == 6 || protocol == 17 }

// BothWays reports whether the filter also selects the answers.
func (f Filter) BothWays() bool { return f.Mirrored == nil || *f.Mirrored }

// Expiry is the lifetime of a main mode.
func (m MainMode) Expiry() time.Duration { return or(m.Lifetime.Span(), 8*time.Hour) }

// Label is what verdicts call the rule, behind the policy's name and a slash.
func (r Rule) Label() string { return or(r.Name, r.FilterList) }

// IsActive reports whether the rule does anything.
func (r Rule) IsActive() bool { return r.Active == nil || *r.Active }

// PollingInterval is how often the policy agent looks for a change of the policy.
func (p Policy) PollingInterval() time.Duration { return or(p.Polling.Span(), 3*time.Hour) }

// Responds reports whether the default response rule of the policy is active.
func (p Policy) Responds() bool {
	if d := p.DefaultResponse; d != nil {
		return d.Active == nil || *d.Active
	}
	return p.Predefined != ""
}

// DialUp are the node's addresses on dial-up and VPN connections.
func (n Node) DialUp() (all []netip.Addr) {
	for _, i := range n.Interfaces {
		for _, p := range i.Prefixes() {
			if i.Connection == ConnectionsDialUp {
				all = append(all, p.Addr())
			}
		}
	}
	return all
}

// Requests is the number of echo requests.
func (p Ping) Requests() int { return or(p.Count, 1) }

// Gap is the time from one request to the next.
func (p Ping) Gap() time.Duration { return or(p.Interval.Span(), time.Second) }

// DataBytes is the length of the echo data.
func (p Ping) DataBytes() int { return or(p.Size, 32) }

// Patience is how long an answer may take, per request.
func (p Ping) Patience() time.Duration { return or(p.Timeout.Span(), 5*time.Second) }

// RequestBytes is the length of the request.
func (c Connect) RequestBytes() int { return or(c.Request, 64) }

// ResponseBytes is the length of the answer asked for.
func (c Connect) ResponseBytes() int { return or(c.Response, 512) }

// Patience is how long the whole step may take.
func (c Connect) Patience() time.Duration { return or(c.Timeout.Span(), 30*time.Second) }

// Patience is how long the whole step may take.
func (t Transfer) Patience() time.Duration { return or(t.Timeout.Span(), 10*time.Minute) }

// Datagrams is the number of datagrams sent.
func (u UDP) Datagrams() int { return or(u.Count, 1) }

// Gap is the time from one datagram to the next.
func (u UDP) Gap() time.Duration { return or(u.Interval.Span(), time.Second) }

// PayloadBytes is the length of a datagram's payload.
func (u UDP) PayloadBytes() int { return or(u.Size, 64) }

// Patience is how long an echo may take, per datagram.
func (u UDP) Patience() time.Duration { return or(u.Timeout.Span(), 5*time.Second) }

// Unassigns reports whether the step leaves the host without a policy.
func (a AssignPolicy) Unassigns() bool { return a.Policy == "" || a.Policy == PolicyNone }

// LinkSegment is the name of the segment whose link the step changes.
func (s *Scenario) LinkSegment(l *SetLink) string {
	if node := s.Nodes[l.Node]; l.Segment == "" && len(node.Interfaces) == 1 {
		return node.Interfaces[0].Segment
	}
	return l.Segment
}

// Address is what a word in a filter's source or destination means.
type Address struct {
	Me      bool         // the addresses of the host that has the policy
	Any     bool         // every address
	Name    string       // what a DNS name stands for
	Servers string       // the servers of a kind that the host is told to use: the word for it
	Prefix  netip.Prefix // else; one address is a prefix of full length
}
