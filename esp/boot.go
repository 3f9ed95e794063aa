package esp

import (
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/recent"
)

// Startup is how the driver filters while the computer starts, before a policy
// agent has made it operational (TechNet cc783039; claims C058, C072). Filters that
// there are already, those of a persistent policy, are searched first: the mode
// decides about what none of them selects.
type Startup struct {
	Mode   StartupMode
	Exempt []BootExemption

	// BypassIPv6 lets IPv6 pass untouched, as policy.Options does.
	BypassIPv6 bool
}

// StartupMode is one of the modes of the driver of Windows Server 2003.
type StartupMode uint8

// The modes of netsh ipsec dynamic set config bootmode.
const (
	StartupPermit   StartupMode = iota + 1 // nothing is filtered
	StartupBlock                           // nothing passes but exemptions and DHCP
	StartupStateful                        // outbound passes; inbound answers to it, exemptions and DHCP
)

// String is the word that netsh uses.
func (m StartupMode) String() string {
	switch m {
	case StartupPermit:
		return "permit"
	case StartupBlock:
		return "block"
	case StartupStateful:
		return "stateful"
	}
	return fmt.Sprintf("startup mode(%d)", uint8(m))
}

// BootExemption is traffic that passes whatever the mode is, in one direction: an
// exemption is for its packets and not for the answers to them.
type BootExemption struct {
	Direction ipsec.Direction
	Proto     uint8
	SrcPort   uint16 // 0: any
	DstPort   uint16 // 0: any
}

// String is protocol:source port:destination port:direction, 0 for any port; of a
// protocol without ports protocol:direction.
func (e BootExemption) String() string {
	if !ipsec.HasPorts(e.Proto) {
		return fmt.Sprintf("%s:%s", ipsec.ProtoName(e.Proto), e.Direction)
	}
	return fmt.Sprintf("%s:%d:%d:%s", ipsec.ProtoName(e.Proto), e.SrcPort, e.DstPort, e.Direction)
}

func (e BootExemption) matches(d ipsec.Direction, f *ipsec.Flow) bool {
	return e.Direction == d && e.Proto == f.Proto && !f.Fragment &&
		(e.SrcPort == 0 || e.SrcPort == f.SrcPort) && (e.DstPort == 0 || e.DstPort == f.DstPort)
}

// The names of the rules in the verdicts of a driver that starts: that of its mode,
// as in "boot: stateful", or one of these.
const (
	BootPrefix = "boot: "
	BootExempt = BootPrefix + "exempt" // a boot exemption
	BootDHCP   = BootPrefix + "dhcp"
)

// startup is a Startup at work.
type startup struct {
	Startup
	// asked are the conversations that this host began: whom answers may come from.
	asked recent.Map[conversation, struct{}]
}

// conversation is what an answer must have in common with the packet that it
// answers: the peer's address, the protocol and both ports.
type conversation struct {
	local, peer         netip.Addr
	proto               uint8
	localPort, peerPort uint16
}

// maxAsked bounds the conversations that are remembered: a choice of the lab.
const maxAsked = 4096

// SetStartup puts the driver into a startup mode; nil makes it operational. What it
// remembers of conversations is forgotten.
func (p *Pipeline) SetStartup(s *Startup) {
	p.recorder.reset()
	if s == nil {
		p.startup = nil
		return
	}
	p.startup = &startup{Startup: *s, asked: recent.New[conversation, struct{}](maxAsked)}
}

// unmatched decides about a packet that no policy entry selects: it passes (TechNet
// cc740034), unless the driver is in a startup mode.
func (p *Pipeline) unmatched(d ipsec.Direction, f *ipsec.Flow) Decision {
	s := p.startup
	if s == nil || s.BypassIPv6 && f.Src.Is6() {
		return byEntry(nil)
	}
	decision := s.decide(d, f)
	if decision.Outcome == Dropped {
		p.counters.BootDrops++
	}
	return decision
}

// Refuses reports whether the startup mode keeps back a packet of this host that no policy
// entry selects, as it would a new one. It counts and remembers nothing.
func (p *Pipeline) Refuses(f *ipsec.Flow) bool {
	s := p.startup
	return s != nil && s.Mode == StartupBlock && !(s.BypassIPv6 && f.Src.Is6()) && s.decide(ipsec.Outbound, f).Outcome == Dropped
}

func (s *startup) decide(d ipsec.Direction, f *ipsec.Flow) Decision {
	decision := Decision{Outcome: Passed, Action: ActionBoot, Rule: BootPrefix + s.Mode.String()}
	if s.Mode == StartupPermit {
		decision.Why = "no policy agent yet: in permit mode the driver filters nothing"
		return decision
	}
	if dhcp(d, f) {
		decision.Rule, decision.Why = BootDHCP, "DHCP passes in every mode"
		return decision
	}
	if resolving(f) {
		decision.Why = "neighbour discovery: without it there is no peer to filter"
		return decision
	}
	for _, e := range s.Exempt {
		if e.matches(d, f) {
			decision.Rule, decision.Why = BootExempt, "the boot exemption "+e.String()
			return decision
		}
	}
	switch {
	case s.Mode != StartupStateful:
		decision.drop("no policy agent yet: in block mode nothing passes but boot exemptions and DHCP")
	case d == ipsec.Outbound:
		s.asked.Put(conversation{f.Src, f.Dst, f.Proto, f.SrcPort, f.DstPort}, struct{}{})
		decision.Why = "no policy agent yet: in stateful mode what the host sends passes"
	default:
		if _, ok := s.asked.Get(conversation{f.Dst, f.Src, f.Proto, f.DstPort, f.SrcPort}); !ok || f.Fragment {
			decision.drop("no policy agent yet: in stateful mode nothing comes in that is no answer to what the host has sent")
			break
		}
		decision.Why = "an answer to what the host has sent: peer, protocol and ports are the same"
	}
	return decision
}

// dhcp reports whether a packet is one of a DHCP client on this host, or for it: RFC 2131, Section 4.1.
func dhcp(d ipsec.Direction, f *ipsec.Flow) bool {
	const server, client = 67, 68
	if f.Proto != ipsec.ProtoUDP || f.Fragment {
		return false
	}
	if d == ipsec.Outbound {
		return f.SrcPort == client && f.DstPort == server
	}
	return f.SrcPort == server && f.DstPort == client
}

// resolving reports whether a packet is one of neighbour discovery: RFC 4861, Section 4.
func resolving(f *ipsec.Flow) bool {
	return f.Proto == ipsec.ProtoICMPv6 && !f.Fragment && f.ICMPType >= 133 && f.ICMPType <= 137
}
