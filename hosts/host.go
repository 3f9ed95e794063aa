package hosts

import (
	"container/list"
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/recent"
	"github.com/ipseclab/ipseclab/internal/tcprun"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Config describes a host.
type Config struct {
	Name         string
	Interfaces   []Interface
	Routes       []Route
	Rekey        esp.Rekey                       // when SAs are replaced before they expire
	Policy       *policy.Policy                  // assigned in the local store from the start; nil: none
	Persistent   *policy.Policy                  // likewise in the persistent store
	Options      policy.Options                  // of the policy compiler
	Protocols    []uint8                         // of IP, without ports: an application takes all datagrams of each
	Certificates *Certificates                   // the certificate store; nil: nothing is in it
	Names        func(string) (netip.Addr, bool) // resolves host names; nil: none is known
	Servers      Servers                         // that it is told to use
	Faults       Faults

	// StaticServers has filters for the servers that the host is told to use not follow
	// when it is told of others: they are as when the policy was assigned.
	StaticServers bool

	TrustSPI        bool   // see esp.Config
	ReplayWindow    int    // see esp.Config.Window
	FirstSequence   uint64 // see esp.Config
	SilentResponder bool   // see ike.Config
	ResponderOrder  bool   // see ike.Preference
	ShortenMainMode bool   // see ike.Config
	ShortDurations  bool   // likewise

	PFSMustMatch     bool // likewise
	NoInitialContact bool // likewise
	Commit           bool // likewise
	ProtectNotify    bool // likewise

	ReliableDelete ike.ReliableDelete // of the zero values of these, none is on
	Fragmentation  ike.Fragmentation
	DPD            ike.DPD
	NAT            ike.NATTraversal

	Conflicts esp.Conflicts // see esp.Config
	Checksums esp.Checksums // likewise
	AnyForm   bool          // likewise

	DriverLogInterval time.Duration // of the driver's entries in the System log; 0: DefaultDriverLogInterval

	SAIdleTime time.Duration // see esp.Config.Idle
	FallBack   FallBack
	KeepSAs    bool // a change of policy ends what the new one invalidates, and no more
	Boot       Boot
	Source     Source // of a policy that goes before the local one; nil: none

	// ExpandAfter is how long after a change of what filters stand for, such as the
	// addresses of the host, the policy is expanded again. 0: at once.
	ExpandAfter time.Duration

	// ReleaseAfter is how long after its negotiation what waited for it leaves. 0: at once, with the last message,
	// which a real peer may read after what comes behind it.
	ReleaseAfter time.Duration

	// MeNeedsAddress has My IP Address not take in 0.0.0.0, from which a host without
	// an address sends.
	MeNeedsAddress bool

	Retransmit []time.Duration // see ike.Config
	VendorIDs  [][]byte        // of the first IKE message; nil: that of Windows Server 2003, with FastFailover

	// See ike.Config for all of these.
	FastFailover         bool
	DoSProtection        bool
	NoDoSCookie          bool
	MaxHalfOpen          int
	MaxHalfOpenPerSource int
	NonceLen             int
	MainModeMargin       time.Duration
	MainModeSpread       time.Duration

	Firewall Firewall // the computer's own

	// NoIKE leaves port 500 closed: a computer that does not know IPsec. It answers
	// IKE with ICMP port unreachable, and takes no policy.
	NoIKE bool
}

// Interface joins a host to a segment.
type Interface struct {
	Segment *sim.Segment

	// Prefixes are its addresses, each with the length of its subnet: of IPv4 one
	// at most, of IPv6 any number. An interface with an IPv6 address has a link-local
	// one too, which Addrs leaves out: nothing but neighbour discovery uses it.
	Prefixes []netip.Prefix

	// Unnumbered says that it may have no address: it gets one later, see
	// Host.SetAddresses.
	Unnumbered bool

	// DHCP has it get its IPv4 address by DHCP; nil: it does not. Then it is Unnumbered.
	DHCP *DHCP

	// RemoteAccess makes it a dial-up or VPN connection: see policy.Options.RemoteAccess.
	RemoteAccess bool
}

// Route is a static route; the zero prefix length is the default route.
type Route struct {
	To  netip.Prefix
	Via netip.Addr
}

// Faults break a host on purpose, so that a test can prove that the lab notices.
// Scenario files cannot set them.
type Faults struct {
	// PassClear lets every PassClear-th datagram that policy wants protected
	// leave in the clear; 0 is off.
	PassClear int
}

// Host is one virtual computer. It lives on its world's loop: call its methods
// from events and coroutines of that world only.
type Host struct {
	name     string
	world    *sim.World
	stack    *stack.Stack
	tcp      *tcprun.Runner
	nics     []*nic
	families []family
	names    func(string) (netip.Addr, bool)
	driver   *driver
	agent    *agent
	store    *Store          // outlives the agent
	registry []func(*Config) // changes that the next start makes
	keying   *keying
	config   Config
	ports    []*sim.Port

	broadcasts []netip.Addr // of its subnets

	dhcp       []*dhcpClient
	dhcpSocket *udpSocket
	leased     []Route // the default route by DHCP

	enrolments int // questions to certification authorities so far

	boots  int // how often it was restarted; see restart.go
	off    bool
	parked list.List // of *sim.Proc: programs that wait for something

	listeners map[listenKey]*Listener
	takers    []*taker
}

// New builds a host and attaches it to its segments.
func New(w *sim.World, c Config) (*Host, error) {
	if c.Certificates == nil {
		c.Certificates = new(Certificates)
	}
	c.Certificates.mapped = recent.New[string, string](maxMapped)
	h := &Host{name: c.Name, world: w, config: c, names: c.Names, listeners: map[listenKey]*Listener{}, store: &Store{}}
	if err := h.install(c); err != nil {
		return nil, err
	}
	if err := h.start(c); err != nil {
		if h.stack != nil {
			h.Close()
		}
		return nil, err
	}
	return h, nil
}

// start builds what a host consists of, from the stack up.
func (h *Host) start(c Config) (err error) {
	if h.driver, err = newDriver(h, c); err != nil {
		return err
	}
	if err := h.newStack(c); err != nil {
		return fmt.Errorf("hosts: %s: %w", c.Name, err)
	}
	h.dhcp, h.leased = nil, nil
	h.agent = newAgent(h, c.Options)
	h.noteAddresses()
	if h.keying, err = newKeying(h, c); err != nil {
		return fmt.Errorf("hosts: %s: %w", c.Name, err)
	}
	if err := h.startAgent(); err != nil {
		return err
	}
	if err := h.startDHCP(); err != nil {
		return fmt.Errorf("hosts: %s: %w", c.Name, err)
	}
	return nil
}

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Addrs are the host's addresses in the order of its interfaces.
func (h *Host) Addrs() []netip.Addr {
	var addrs []netip.Addr
	for _, n := range h.nics {
		for _, p := range n.prefixes {
			addrs = append(addrs, p.Addr())
		}
	}
	return addrs
}

// Lookup resolves a name, or reads an address.
func (h *Host) Lookup(name string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return a, nil
	}
	if h.names != nil {
		if a, ok := h.names(name); ok {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("hosts: %s: no address is known for the name %q", h.name, name)
}

// Interfaces describe where the host is attached.
func (h *Host) Interfaces() []*sim.Port {
	var ports []*sim.Port
	for _, n := range h.nics {
		ports = append(ports, n.port)
	}
	return ports
}

// SAs are the IPsec SAs of both directions, in the order in which they were added.
func (h *Host) SAs() []esp.SAInfo { return h.driver.esp.SAs() }

// Settle runs netstack's TCP until it has nothing left to do, so that everything
// that an event caused has happened before the next event. It implements sim.Owner.
func (h *Host) Settle() { h.tcp.Run() }

// Close tears the stack down. Close the world first: what a stack sends while it
// ends is in no particular order.
func (h *Host) Close() {
	if h.off {
		return
	}
	h.stack.Close()
	h.stack.Wait()
}

// after schedules f as an event of this host, unless it has been restarted by then.
func (h *Host) after(d time.Duration, f func()) *sim.Timer {
	boot := h.boots
	return h.world.After(h, d, func() {
		if h.boots == boot {
			f()
		}
	})
}

// rand is a random stream of the host, another one after each restart.
func (h *Host) rand(purpose string) *sim.Stream {
	if n := h.boots; n > 0 {
		return h.world.Rand(h.name, purpose, fmt.Sprintf("restart %d", n))
	}
	return h.world.Rand(h.name, purpose)
}

// soon schedules f as an event of this host, behind those of the present time.
func (h *Host) soon(f func()) { h.world.Soon(h, f) }

func (h *Host) record(b trace.Body) { h.world.Record(h.name, b) }
