package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// PeerDriver starts real peers: daemons in machines of their own, on segments of
// the simulated network. The command and suites give one in Options; without it a
// scenario with peers is unsupported.
type PeerDriver interface {
	// Date is the machine's: scenarios with peers start then, unless they say otherwise.
	Date() time.Time

	// Start starts peers side by side, each to where its daemon is ready to negotiate.
	// When one cannot, those that have started are stopped. An error that wraps
	// ErrUnsupported says that a peer or its driver cannot do what is asked.
	Start(ctx context.Context, peers []PeerConfig) ([]Peer, error)

	// Go runs f apart from the world, which goes on meanwhile.
	Go(f func())
}

// ErrUnsupported is in the chain of errors about what a real peer cannot do.
var ErrUnsupported = errors.New("unsupported")

// PeerConfig is what a real peer is to be: all that a virtual host in its place
// would be given.
type PeerConfig struct {
	Scenario string
	Name     string // of the node
	Image    string
	Driver   string // as the scenario has it; "": auto
	Dir      string // for the peer's files, beside the evidence of the scenario; "": none are kept

	Date       time.Time // at the start of the scenario
	Interfaces []PeerInterface
	Routes     []hosts.Route
	Services   []PeerService

	// Policy in force from the start, nil for none; Options are what its compiler has to know.
	Policy       *policy.Policy
	Options      policy.Options
	Settings     spec.IPsec
	Certificates *hosts.Certificates

	// Files are given by the scenario, by their paths in the peer: they take the place of
	// what would be generated from the policy.
	Files map[string]string
}

// PeerInterface joins a peer to a segment.
type PeerInterface struct {
	Segment  string
	MAC      [6]byte
	MTU      int // of the segment
	Prefixes []netip.Prefix

	// Deliver takes an Ethernet frame that the peer has sent, and keeps it. It may be
	// called from any goroutine, and blocks while the world is behind.
	Deliver func(frame []byte)
}

// PeerService is an application that listens in the peer.
type PeerService struct {
	Protocol uint8
	Port     uint16 // 0 of a protocol without ports
}

// Peer is a real peer that runs. But for Send, its methods block; they are called
// apart from the world, see PeerDriver.Go, and return soon after ctx ends.
type Peer interface {
	// Send gives the peer a frame on one of its interfaces, and does not block: a peer
	// that does not keep up loses frames.
	Send(iface int, frame []byte)

	// Ping, Call and SendDatagrams are as those of hosts.Host. A peer whose daemon does not
	// negotiate when traffic needs it has it do so first.
	Ping(ctx context.Context, c hosts.Ping) (hosts.Report, error)
	Call(ctx context.Context, c hosts.Call) (hosts.Report, error)
	SendDatagrams(ctx context.Context, c hosts.Datagrams) (hosts.Report, error)

	// Seen is what has reached an application so far; SYNs are not known there.
	Seen(ctx context.Context, s PeerService) (hosts.Seen, error)

	// Run runs a shell command in the peer.
	Run(ctx context.Context, command string, within time.Duration) (PeerOutput, error)

	// Assign gives the peer another policy, or none. SAs of the old one end.
	Assign(ctx context.Context, p *policy.Policy) error

	// Restart kills the daemon, without farewell unless it is graceful, and starts it after a while.
	Restart(ctx context.Context, off time.Duration, graceful bool) error

	// SAs are the IPsec SAs that the peer has now, two of each pair. Their keys are there where
	// the driver can read them from the kernel.
	SAs(ctx context.Context) ([]PeerSA, error)

	// About says what the peer is: kernel, daemon, versions of packages.
	About() PeerAbout

	// Stop writes the peer's files and ends it.
	Stop(ctx context.Context) error
}

// PeerSA is an IPsec SA of a peer, and what it has carried so far.
type PeerSA struct {
	trace.SAAdded
	Packets, Bytes uint64
}

// PeerOutput is what a command has printed.
type PeerOutput struct {
	Code     int
	Output   string // the last of it
	LeftOut  int64  // bytes before that, which were not kept
	TimedOut bool
}

// Text is the output. Its first line says what was left out, so that nothing is taken for the beginning that is not.
func (o PeerOutput) Text() string {
	if o.LeftOut == 0 {
		return o.Output
	}
	return fmt.Sprintf("… %d bytes were left out …\n%s", o.LeftOut, o.Output)
}

// PeerAbout describes a peer for the evidence.
type PeerAbout struct {
	Image    string            `json:"image"`
	Driver   string            `json:"driver"` // the one that was chosen
	Daemon   string            `json:"daemon"` // name and version, as it says itself
	Kernel   string            `json:"kernel"`
	Packages map[string]string `json:"packages,omitempty"` // versions
	Ready    time.Duration     `json:"ready_ns"`           // from the start of the peer until its daemon was ready
	Memory   uint64            `json:"memory,omitempty"`   // bytes that it took on this machine when it was ready
}

// Unsupportedf is an error that wraps ErrUnsupported. Its text is the reason alone, which is what the
// result gives: the outcome says the rest.
func Unsupportedf(format string, args ...any) error {
	return unsupported{fmt.Errorf(format, args...)}
}

type unsupported struct{ error }

func (u unsupported) Unwrap() error { return u.error }

func (unsupported) Is(target error) bool { return target == ErrUnsupported }
