package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/tap"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// AttachOptions say what an outside program gets of a node of a scenario: an interface in
// the network namespace of the lab, or a network namespace of its own, with a name or without.
type AttachOptions struct {
	Node      string // that stands for the program: a peer, see spec.Scenario.Attach
	TAP       string // name of the interface in the lab's namespace; "": in a namespace of its own
	Namespace string // its name; "": none
	Program   string // for the evidence: what is attached, in words

	Peers scenarios.PeerDriver // starts the other real peers; nil: there are none
}

// Attachment attaches an outside program to a scenario: it is the driver of a peer of which
// the lab has nothing but an interface. What goes on there is not the lab's to ask.
type Attachment struct {
	opt  AttachOptions
	peer *outside
	runs sync.WaitGroup
}

var _ scenarios.PeerDriver = (*Attachment)(nil)

// The form of names that both the kernel and its tools take.
var validDevice = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)

// Check finds mistakes in the options, such as names that are taken.
func (o AttachOptions) Check() error {
	const form = "has 1 to 15 letters, digits, dots, dashes and underscores"
	switch {
	case o.TAP != "" && o.Namespace != "":
		return errors.New("interop: an interface here or a namespace, not both")
	case o.TAP != "" && !validDevice.MatchString(o.TAP):
		return fmt.Errorf("interop: the name of an interface %s, and %q is none", form, o.TAP)
	case o.Namespace != "" && !validDevice.MatchString(o.Namespace):
		return fmt.Errorf("interop: the name of a namespace %s, and %q is none", form, o.Namespace)
	}
	if o.TAP != "" {
		if _, err := net.InterfaceByName(o.TAP); err == nil {
			return fmt.Errorf("interop: there is an interface %s already", o.TAP)
		}
	}
	if o.Namespace != "" {
		if _, err := os.Lstat(namespacePath(o.Namespace)); err == nil {
			l, _, err := leaseOf(o.Namespace)
			if err != nil {
				return err
			}
			l.file.Close()
		}
	}
	return nil
}

// Possible is why this machine or process cannot make what the options say; nil: it can. ErrPrivileges is
// in the chain when the process may not.
func (o AttachOptions) Possible() error {
	if err := tap.Available(); err != nil {
		return fmt.Errorf("interop: there are no TAP interfaces here: %w", err)
	}
	return canAttach(o.TAP == "")
}

// NewAttachment is for options that Check finds no mistake in. Close ends it.
func NewAttachment(o AttachOptions) *Attachment { return &Attachment{opt: o} }

// Date is this machine's.
func (a *Attachment) Date() time.Time { return time.Now() }

// Go runs f apart. Close waits for it.
func (a *Attachment) Go(f func()) { a.runs.Go(f) }

// Close waits for what Go has started.
func (a *Attachment) Close() { a.runs.Wait() }

// Start makes the interface, after the other real peers are ready.
func (a *Attachment) Start(ctx context.Context, all []scenarios.PeerConfig) (peers []scenarios.Peer, err error) {
	mine := -1
	var others []scenarios.PeerConfig
	for i, c := range all {
		if c.Name == a.opt.Node {
			mine = i
		} else {
			others = append(others, c)
		}
	}
	switch {
	case mine < 0 || len(all[mine].Interfaces) != 1:
		return nil, fmt.Errorf("interop: the scenario has no peer %s with one interface", a.opt.Node)
	case len(others) > 0 && a.opt.Peers == nil:
		return nil, scenarios.Unsupportedf("no driver: %s is a real peer", others[0].Name)
	case len(others) > 0:
		if peers, err = a.opt.Peers.Start(ctx, others); err != nil {
			return nil, err
		}
	}
	p, err := a.join(all[mine])
	if err != nil {
		for _, p := range peers {
			_ = p.Stop(ctx) // the first error is the one to tell
		}
		return nil, fmt.Errorf("interop: %s: %w", a.opt.Node, err)
	}
	a.peer = p
	return append(peers[:mine:mine], append([]scenarios.Peer{p}, peers[mine:]...)...), nil
}

// interfaceOf is the name of the interface in a namespace of its own.
const interfaceOf = "eth0"

// join makes the interface and puts it on its wire.
func (a *Attachment) join(c scenarios.PeerConfig) (*outside, error) {
	began := time.Now()
	ifc := c.Interfaces[0]
	p := &outside{cfg: c, device: a.opt.TAP, wire: newWire(ifc.Deliver)}
	var err error
	if p.room, err = newRoom(a.opt.TAP == "", a.opt.Namespace); err != nil {
		return nil, err
	}
	if p.device == "" {
		p.device = interfaceOf
	}
	var file *os.File
	err = p.room.do(func() (err error) {
		if file, err = tap.Open(p.device); err != nil {
			return err
		}
		i := control.Interface{Name: p.device, MAC: net.HardwareAddr(ifc.MAC[:]).String(), MTU: ifc.MTU, Prefixes: ifc.Prefixes}
		if err := tap.Configure(&i); err != nil {
			return err
		}
		for _, r := range c.Routes {
			if err := a.route(control.Route{To: r.To, Via: r.Via}); err != nil {
				return fmt.Errorf("route to %s via %s: %w", r.To, r.Via, err)
			}
		}
		return nil
	})
	if err == nil {
		err = p.wire.join(file)
	} else if file != nil {
		file.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("interface %s: %w", p.device, err), p.room.close())
	}
	p.about = scenarios.PeerAbout{
		Image: spec.ImageOutside, Driver: a.way(), Daemon: a.opt.Program, Kernel: kernel(), Ready: time.Since(began),
	}
	return p, nil
}

// route makes a route. In the lab's own namespace none takes the place of one that is there.
func (a *Attachment) route(r control.Route) error {
	if a.opt.TAP != "" {
		return tap.NewRoute(r)
	}
	return tap.AddRoute(r)
}

// way is where the interface is, in words.
func (a *Attachment) way() string {
	switch {
	case a.opt.TAP != "":
		return "tap " + a.opt.TAP
	case a.opt.Namespace != "":
		return "namespace " + a.opt.Namespace
	}
	return "unnamed namespace"
}

// kernel is what this machine runs on.
func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// Device is the name of the interface, which is there when the scenario goes on.
func (a *Attachment) Device() string { return a.peer.device }

// Enter is the command before which another is put to run in the namespace; "": it is the lab's own.
func (a *Attachment) Enter() string {
	switch {
	case a.opt.TAP != "":
		return ""
	case a.opt.Namespace != "":
		return "ip netns exec " + a.opt.Namespace
	}
	return a.peer.room.enter()
}

// Command starts a command beside the interface.
func (a *Attachment) Command(cmd *exec.Cmd) error { return a.peer.room.do(cmd.Start) }

// outside is a peer of which the lab has the interface alone.
type outside struct {
	cfg    scenarios.PeerConfig
	device string
	wire   *wire
	room   *room
	about  scenarios.PeerAbout

	once   sync.Once
	ending error
}

var _ scenarios.Peer = (*outside)(nil)

func (p *outside) Send(_ int, frame []byte) { p.wire.send(frame) }

func (p *outside) About() scenarios.PeerAbout { return p.about }

// Stop takes the interface and the namespace away.
func (p *outside) Stop(context.Context) error {
	p.once.Do(func() {
		var all []error
		if p.cfg.Dir != "" {
			all = append(all, p.keep())
		}
		closeWires(p.wire)
		p.ending = errors.Join(append(all, p.room.close())...)
	})
	return p.ending
}

// keep writes the evidence.
func (p *outside) keep() error {
	var all evidence
	all.encode("about.json", account{
		Name: p.cfg.Name, Image: p.about.Image, Driver: p.about.Driver, Daemon: p.about.Daemon, Kernel: p.about.Kernel,
		Ready: p.about.Ready.Round(time.Millisecond).String(), Dropped: []uint64{p.wire.dropped.Load()},
	}, nil)
	return all.write(p.cfg.Dir)
}

// refuse is the answer to all that an agent would do.
func (p *outside) refuse() error {
	return scenarios.Unsupportedf("%s is an outside program: nothing of the lab is in it", p.cfg.Name)
}

func (p *outside) Ping(context.Context, hosts.Ping) (hosts.Report, error) {
	return hosts.Report{}, p.refuse()
}

func (p *outside) Call(context.Context, hosts.Call) (hosts.Report, error) {
	return hosts.Report{}, p.refuse()
}

func (p *outside) SendDatagrams(context.Context, hosts.Datagrams) (hosts.Report, error) {
	return hosts.Report{}, p.refuse()
}

func (p *outside) Seen(context.Context, scenarios.PeerService) (hosts.Seen, error) {
	return hosts.Seen{}, p.refuse()
}

func (p *outside) Run(context.Context, string, time.Duration) (scenarios.PeerOutput, error) {
	return scenarios.PeerOutput{}, p.refuse()
}

func (p *outside) Assign(context.Context, *policy.Policy) error { return p.refuse() }

func (p *outside) Restart(context.Context, time.Duration, bool) error { return p.refuse() }

// SAs are none that the lab knows of.
func (p *outside) SAs(context.Context) ([]scenarios.PeerSA, error) { return nil, nil }
