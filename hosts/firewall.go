package hosts

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/hosts/dhcp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/natbox/firewall"
)

// Firewall is the computer's own firewall, as Windows has one. It lets everything out, and
// in what answers it, what its exceptions name, and no more. The zero value is none.
//
// It stands above IPsec: ESP and AH reach the driver, and what was inside is judged. What IPsec refuses
// never reaches it.
type Firewall struct {
	Kind FirewallKind

	Off          bool // switched off; what the boot-time policy says is not
	NoExceptions bool // "on with no exceptions": neither Exceptions nor ICMP
	Exceptions   []Exception

	// ICMP are the messages that are allowed, by the names of netsh firewall set icmpsetting;
	// those of the host's errors are for what it sends. The rest is not allowed.
	ICMP []ICMPSetting

	// Bypass are the computers whose protected packets pass whatever the rest says, by their
	// accounts or groups of these: the setting "Allow authenticated IPSec bypass" (TechNet
	// cc755891), which has their security identifiers in SDDL. A peer has an account where a rule
	// maps its certificate to one. The lab takes the identity itself as well, as it was
	// proved: with a preshared key, the peer's address.
	Bypass []string

	// NoUnicastResponse does not let in the unicast answers to multicasts and broadcasts that
	// it otherwise lets in for three seconds (KB884913).
	NoUnicastResponse bool

	// ServiceDelay is how long the service starts after the driver. Until then the firewall of
	// Windows XP SP2 and Server 2003 SP1 has a policy of its own, also where it is off
	// (KB917730), and that of the versions before filters nothing. No source has a figure. 0: at once.
	ServiceDelay time.Duration

	UDPTimeout, TCPTimeout time.Duration // of what it remembers; 0: 1m and 24h
}

// FirewallKind is which firewall it is.
type FirewallKind uint8

// The firewalls of Windows.
const (
	NoFirewall FirewallKind = iota

	// UnicastICF is the Internet Connection Firewall of Windows XP without a service
	// pack, which does not look at multicast and broadcast (KB329928).
	UnicastICF
	// ICF is the Internet Connection Firewall of Windows XP SP1 and Server 2003. It knows IPv4 alone,
	// and nothing of IPsec: UDP ports 500 and 4500 have to be exceptions (claim C016).
	ICF
	// WindowsFirewall is that of Windows XP SP2 and Server 2003 SP1, of both families. IKE needs no exception (claim C017).
	WindowsFirewall
)

var firewallNames = [...]string{"none", "ICF of Windows XP", "ICF", "Windows Firewall"}

func (k FirewallKind) String() string { return firewallNames[k] }

// Exception is a port that is open.
type Exception struct {
	Protocol    uint8 // TCP or UDP
	Port        uint16
	Scope       []netip.Prefix // of whom; none, and not LocalSubnet: everybody
	LocalSubnet bool           // of the computer's own subnets
}

// ICMPSetting is a kind of ICMP message that can be allowed.
type ICMPSetting uint8

// The settings, with the numbers of netsh firewall set icmpsetting, which are those of the messages (TechNet cc773099).
const (
	OutboundPacketTooBig     ICMPSetting = 2
	OutboundUnreachable      ICMPSetting = 3
	OutboundSourceQuench     ICMPSetting = 4
	InboundRedirect          ICMPSetting = 5
	InboundEcho              ICMPSetting = 8
	InboundRouterRequest     ICMPSetting = 9
	OutboundTimeExceeded     ICMPSetting = 11
	OutboundParameterProblem ICMPSetting = 12
	InboundTimestampRequest  ICMPSetting = 13
	InboundMaskRequest       ICMPSetting = 17
)

// The segments of the engine: the host itself is inside, and all else outside.
const network = "network"

// Timeouts. Those of the firewalls of Windows are not published; these are the
// defaults of Windows' NAT (Routing and Remote Access), whose driver they share.
const (
	wallUDP = time.Minute
	wallTCP = 24 * time.Hour
)

// wall is the running firewall of a host.
type wall struct {
	host     *Host
	config   Firewall
	engine   *firewall.Firewall
	starting bool // the service has not started
	answers  map[uint16]time.Duration
	traced   map[[2]string]bool
	counters FirewallCounters
}

// FirewallCounters are what a host's firewall has done since the host's start.
type FirewallCounters struct {
	firewall.Counters
	Bypassed uint64 // of the passed: protected packets of computers of the bypass
}

// FirewallCounters are those of the host's firewall; zero where it has none.
func (h *Host) FirewallCounters() FirewallCounters {
	w := h.driver.wall
	if w == nil {
		return FirewallCounters{}
	}
	c := w.counters
	n := w.engine.Counters()
	c.States, c.Created, c.Expired, c.Evicted, c.Closed, c.Related = n.States, n.Created, n.Expired, n.Evicted, n.Closed, n.Related
	return c
}

// FirewallRules are what may come in through the host's firewall unasked, with how often it did, and
// what may be answered.
func (h *Host) FirewallRules() ([]firewall.Hit, []firewall.Flow) {
	if w := h.driver.wall; w != nil {
		return w.engine.Hits(), w.engine.Flows()
	}
	return nil, nil
}

// Firewall is the host's own firewall as it is set.
func (h *Host) Firewall() Firewall { return h.config.Firewall }

// SetFirewall sets the host's own firewall. What it let through goes on, if it stays one of the same kind.
func (h *Host) SetFirewall(c Firewall) error {
	if h.off {
		return fmt.Errorf("hosts: %s: setting the firewall: %w", h.name, ErrOff)
	}
	w, err := newWall(h, c)
	if err != nil {
		return fmt.Errorf("hosts: %s: %w", h.name, err)
	}
	old := h.driver.wall
	h.config.Firewall, h.driver.wall = c, w
	if old == nil || w == nil {
		return nil
	}
	w.counters, w.answers, w.traced, w.starting = old.counters, old.answers, old.traced, old.starting
	if old.config.Kind == c.Kind {
		w.engine = old.engine
	}
	w.moved()
	return nil
}

// newWall makes the firewall of a host; nil where it has none.
func newWall(h *Host, c Firewall) (*wall, error) {
	if c.Kind == NoFirewall {
		return nil, nil
	}
	if int(c.Kind) >= len(firewallNames) {
		return nil, fmt.Errorf("there is no firewall %d", c.Kind)
	}
	for _, e := range c.Exceptions {
		if e.Protocol != ipsec.ProtoTCP && e.Protocol != ipsec.ProtoUDP || e.Port == 0 {
			return nil, fmt.Errorf("an exception of the firewall is a port of TCP or UDP")
		}
	}
	state := &firewall.State{MidStream: true} // of bypassed peers, and from before it was switched on
	state.Timeouts.UDP, state.Timeouts.TCPEstablished = wallUDP, wallTCP
	if c.UDPTimeout != 0 {
		state.Timeouts.UDP = c.UDPTimeout
	}
	if c.TCPTimeout != 0 {
		state.Timeouts.TCPEstablished = c.TCPTimeout
	}
	engine, err := firewall.New(firewall.Config{State: state})
	if err != nil {
		return nil, err
	}
	w := &wall{host: h, config: c, engine: engine, answers: map[uint16]time.Duration{}, traced: map[[2]string]bool{}}
	if c.ServiceDelay > 0 {
		w.starting = true
		h.after(c.ServiceDelay, w.started)
	}
	return w, engine.SetRules(w.rules(), firewall.Deny)
}

// started is when the service has read its settings.
func (w *wall) started() {
	if now := w.host.driver.wall; now != nil { // it may have been set anew
		now.starting = false
		now.moved()
	}
}

// moved makes the rules anew, as the addresses or settings are others.
func (w *wall) moved() {
	if w == nil {
		return
	}
	if err := w.engine.SetRules(w.rules(), firewall.Deny); err != nil {
		panic(err) // newWall has made them before
	}
}

// rules are what may come in without having been asked for.
func (w *wall) rules() (rules []firewall.Rule) {
	permit := func(name string, r firewall.Rule) {
		r.Name, r.Action, r.From = name, firewall.Permit, firewall.Outside
		rules = append(rules, r)
	}
	one := func(port uint16) []firewall.Ports { return []firewall.Ports{{First: port, Last: port}} }
	// A host without an address cannot be answered at the one that it has asked from.
	// Windows lets DHCP through as well; how, no source says.
	permit("DHCP", firewall.Rule{Protocol: ipsec.ProtoUDP, SourcePorts: one(dhcp.ServerPort), DestinationPorts: one(dhcp.ClientPort)})
	if w.starting {
		return rules
	}
	if w.config.Kind == WindowsFirewall {
		for _, port := range []uint16{isakmpPort, natt.Port} {
			permit("IKE", firewall.Rule{Protocol: ipsec.ProtoUDP, DestinationPorts: one(port)})
		}
	}
	if w.config.NoExceptions {
		return rules
	}
	for _, e := range w.config.Exceptions {
		scope := slices.Clone(e.Scope)
		if e.LocalSubnet {
			for _, p := range w.host.Prefixes() {
				scope = append(scope, p.Masked())
			}
			if len(scope) == 0 {
				continue
			}
		}
		permit("exception", firewall.Rule{Protocol: e.Protocol, DestinationPorts: one(e.Port), Source: scope})
	}
	for _, m := range w.inbound() {
		permit("ICMP", m)
	}
	return rules
}

// inbound are the ICMP messages that the settings let in.
func (w *wall) inbound() (rules []firewall.Rule) {
	types := map[ICMPSetting]uint8{
		InboundRedirect: 5, InboundEcho: 8, InboundRouterRequest: 10, InboundTimestampRequest: 13, InboundMaskRequest: 17,
	}
	allowed := slices.Clone(w.config.ICMP)
	// "If any policy setting opens TCP port 445, Windows Firewall allows inbound echo
	// requests" (the help of the setting Allow ICMP exceptions).
	if w.config.Kind == WindowsFirewall && slices.ContainsFunc(w.config.Exceptions, func(e Exception) bool { return e.Protocol == ipsec.ProtoTCP && e.Port == 445 }) {
		allowed = append(allowed, InboundEcho)
	}
	for _, s := range allowed {
		if t, ok := types[s]; ok {
			rules = append(rules, firewall.Rule{Protocol: ipsec.ProtoICMP, ICMP: []firewall.ICMP{{Type: t}}})
		}
		if s == InboundEcho {
			rules = append(rules, firewall.Rule{Protocol: ipsec.ProtoICMPv6, ICMP: []firewall.ICMP{{Type: 128}}})
		}
	}
	return rules
}
