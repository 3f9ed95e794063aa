package interop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/scenarios"
)

// peer is a real peer that runs: a machine with an agent in it, and its daemon.
type peer struct {
	cfg     scenarios.PeerConfig
	info    images.Info
	site    *site
	machine machine
	client  *control.Client
	welcome *control.Welcome
	daemon  daemon
	about   scenarios.PeerAbout

	began time.Time
	log   func(format string, args ...any)

	change  sync.Mutex // one at a time assigns or restarts
	mourned mourned
	policy  *policy.Policy
	stopped sync.Once
	ending  error
	forget  func() // by the driver
}

var _ scenarios.Peer = (*peer)(nil)

func (p *peer) Send(iface int, frame []byte) { p.site.wires[iface].send(frame) }

func (p *peer) About() scenarios.PeerAbout { return p.about }

// failed says whose failure it is.
func (p *peer) failed(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	return told(p.cfg.Name, p.during(ctx, what, err))
}

// told is an error about a peer. One about what the peer cannot do is the reason of an outcome, for people who
// may not know that packages have names.
func told(name string, err error) error {
	if err = unsupported(err); errors.Is(err, scenarios.ErrUnsupported) {
		return fmt.Errorf("peer %s: %w", name, err)
	}
	return fmt.Errorf("interop: peer %s: %w", name, err)
}

// during says what failed. When the daemon has died or the machine has gone, that is why.
func (p *peer) during(ctx context.Context, what string, err error) error {
	if err = unsupported(err); errors.Is(err, scenarios.ErrUnsupported) {
		return err
	}
	if dead := p.deadBehind(ctx); dead != nil {
		return dead
	}
	select {
	case <-p.machine.ended():
		err = fmt.Errorf("%w: %w", errMachineEnded, err)
	default:
	}
	return fmt.Errorf("%s: %w", what, err)
}

// join talks to the agent and makes the network.
func (p *peer) join(ctx context.Context) error {
	client, err := control.Connect(ctx, p.site.line)
	if err != nil {
		return err
	}
	p.client = client
	if p.welcome, err = client.Hello(ctx); err != nil {
		return err
	}
	if err := p.checkDate(); err != nil {
		return err
	}
	if err := client.Setup(ctx, p.setup()); err != nil {
		return err
	}
	return p.site.joined(ctx)
}

// clockSlack is how far the date of a scenario may be from the machine's with a peer that shares its clock.
const clockSlack = time.Minute

func (p *peer) checkDate() error {
	if p.cfg.Date.IsZero() || p.welcome.Clock {
		return nil
	}
	if off := time.Until(p.cfg.Date).Abs(); off > clockSlack {
		return scenarios.Unsupportedf("driver %s shares this machine's clock, and the scenario starts at %s: leave start: out, or use driver uml",
			p.about.Driver, p.cfg.Date.UTC().Format(time.RFC3339))
	}
	return nil
}

func (p *peer) setup() *control.Setup {
	s := &control.Setup{Hostname: p.site.hostname, Sysctls: p.site.sysctls}
	if p.welcome.Clock {
		s.Date = p.cfg.Date
	}
	for i, c := range p.cfg.Interfaces {
		mac := c.MAC
		s.Interfaces = append(s.Interfaces, control.Interface{
			Name: p.site.names[i], MAC: fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]),
			MTU: c.MTU, Prefixes: c.Prefixes,
		})
	}
	for _, r := range p.cfg.Routes {
		s.Routes = append(s.Routes, control.Route{To: r.To, Via: r.Via})
	}
	return s
}

// prepare starts what the peer is to run.
func (p *peer) prepare(ctx context.Context) (err error) {
	if p.daemon, err = newDaemon(p, p.info); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(p.cfg.Files)) {
		file := control.File{Path: path, Mode: 0o600, Data: []byte(p.cfg.Files[path])}
		if err := p.client.WriteFiles(ctx, file); err != nil {
			return fmt.Errorf("file %s: %w", path, err)
		}
	}
	for _, s := range p.cfg.Services {
		if err := p.client.Serve(ctx, control.Serve{Protocol: s.Protocol, Port: s.Port}); err != nil {
			return fmt.Errorf("server of protocol %d, port %d: %w", s.Protocol, s.Port, err)
		}
	}
	if err := p.daemon.start(ctx); err != nil {
		return err
	}
	p.policy = p.cfg.Policy
	if err := p.daemon.load(ctx, p.policy); err != nil {
		return err
	}
	return p.describe(ctx)
}

func (p *peer) describe(ctx context.Context) (err error) {
	p.about.Kernel = p.welcome.Kernel
	p.about.Packages = map[string]string{}
	for _, pkg := range p.info.Pins {
		p.about.Packages[pkg.Package] = pkg.Version
	}
	p.about.Daemon, err = p.daemon.version(ctx)
	return err
}

// first is how often the first request is repeated until there is an answer: an SA that is
// there a moment after the last message of IKE is no failure of the request.
const first = time.Second

func (p *peer) Ping(ctx context.Context, c hosts.Ping) (hosts.Report, error) {
	if r, ok := p.negotiate(ctx, ipsec.Flow{Dst: c.To, Proto: echoProtocol(c.To), ICMPType: echoType(c.To)}, c.Count, c.Timeout); !ok {
		return r, nil
	}
	r, err := repeatFirst(ctx, c.Count, c.Timeout, func(count int, timeout time.Duration) (*control.Report, error) {
		return p.client.Ping(ctx, &control.Ping{To: c.To, Count: count, Size: c.Size, TTL: c.TTL, Interval: c.Interval, Timeout: timeout})
	}, c.Interval)
	return r, p.failed(ctx, "ping "+c.To.String(), err)
}

func (p *peer) SendDatagrams(ctx context.Context, c hosts.Datagrams) (hosts.Report, error) {
	flow := ipsec.Flow{Dst: c.To.Addr(), Proto: ipsec.ProtoUDP, SrcPort: c.LocalPort, DstPort: c.To.Port()}
	if r, ok := p.negotiate(ctx, flow, c.Count, c.Timeout); !ok {
		return r, nil
	}
	sent := 0
	r, err := repeatFirst(ctx, c.Count, c.Timeout, func(count int, timeout time.Duration) (*control.Report, error) {
		u := control.UDP{
			To: c.To, LocalPort: c.LocalPort, Count: count, Size: c.Size + sent*c.Grow, Grow: c.Grow,
			InFlight: c.InFlight, Interval: c.Interval, Timeout: timeout, DSCP: c.DSCP,
		}
		r, err := p.client.UDP(ctx, &u)
		if err == nil {
			sent = r.Received
		}
		return r, err
	}, c.Interval)
	return r, p.failed(ctx, "datagrams to "+c.To.String(), err)
}

func (p *peer) Call(ctx context.Context, c hosts.Call) (hosts.Report, error) {
	flow := ipsec.Flow{Dst: c.To.Addr(), Proto: ipsec.ProtoTCP, SrcPort: c.LocalPort, DstPort: c.To.Port()}
	if r, ok := p.negotiate(ctx, flow, 1, c.Timeout); !ok {
		return r, nil
	}
	r, err := p.client.Call(ctx, &control.Call{
		To: c.To, LocalPort: c.LocalPort, Request: c.Request, Response: c.Response, Timeout: c.Timeout, DSCP: c.DSCP,
	})
	if err != nil {
		return hosts.Report{Sent: 1}, p.failed(ctx, "call "+c.To.String(), err)
	}
	report := reportOf(r)
	if report.Received == 0 && report.Err == nil {
		report.Err = hosts.ErrTimeout
	}
	return report, nil
}

// negotiate has the daemon negotiate what the flow needs. When that fails, the traffic stays away, as
// policy wants it.
func (p *peer) negotiate(ctx context.Context, f ipsec.Flow, count int, timeout time.Duration) (hosts.Report, bool) {
	f.Src = p.source(f.Dst)
	err := p.daemon.prepare(ctx, f, timeout)
	if err == nil {
		return hosts.Report{}, true
	}
	if dead := p.deadBehind(ctx); dead != nil {
		err = dead
	}
	return hosts.Report{Sent: count, Silence: timeout, Err: fmt.Errorf("%w: the peer has no SA: %w", hosts.ErrTimeout, err)}, false
}

// source is the address from which the peer sends to another: that of the interface in whose
// network it is, or on the way to it.
func (p *peer) source(to netip.Addr) netip.Addr {
	next, best := to, -1
	for _, r := range p.cfg.Routes {
		if r.To.Contains(to) && r.To.Bits() > best {
			next, best = r.Via, r.To.Bits()
		}
	}
	var fallback netip.Addr
	for _, hop := range []netip.Addr{to, next} {
		for _, i := range p.cfg.Interfaces {
			for _, prefix := range i.Prefixes {
				if prefix.Contains(hop) {
					return prefix.Addr()
				}
				if !fallback.IsValid() && prefix.Addr().Is4() == to.Is4() {
					fallback = prefix.Addr()
				}
			}
		}
	}
	return fallback
}

func echoProtocol(to netip.Addr) uint8 {
	if to.Is6() {
		return ipsec.ProtoICMPv6
	}
	return ipsec.ProtoICMP
}

// echoType is that of an echo request (RFC 792, RFC 4443).
func echoType(to netip.Addr) uint8 {
	if to.Is6() {
		return 128
	}
	return 8
}

func (p *peer) Seen(ctx context.Context, s scenarios.PeerService) (hosts.Seen, error) {
	seen, err := p.client.Seen(ctx, control.Serve{Protocol: s.Protocol, Port: s.Port})
	if err != nil {
		return hosts.Seen{}, p.failed(ctx, "what its server has seen", err)
	}
	return hosts.Seen{Connections: seen.Connections, Datagrams: seen.Datagrams, Bytes: seen.Bytes, Corrupt: seen.Corrupt}, nil
}

func (p *peer) Run(ctx context.Context, command string, within time.Duration) (scenarios.PeerOutput, error) {
	out, err := p.client.Exec(ctx, &control.Exec{Argv: []string{"/bin/sh", "-c", command}, Within: within})
	if err != nil {
		return scenarios.PeerOutput{}, p.failed(ctx, "command", err)
	}
	return printedBy(out), nil
}

func printedBy(x *control.Exited) scenarios.PeerOutput {
	return scenarios.PeerOutput{Code: x.Code, Output: string(x.Output), LeftOut: x.LeftOut, TimedOut: x.TimedOut}
}

// output is that of a command that has to succeed.
func (p *peer) output(ctx context.Context, argv ...string) ([]byte, error) {
	return p.succeed(ctx, strings.Join(argv, " "), &control.Exec{Argv: argv, Within: 10 * time.Second})
}

// succeed runs a command that has to, and that errors call what is given.
func (p *peer) succeed(ctx context.Context, what string, e *control.Exec) ([]byte, error) {
	x, err := p.client.Exec(ctx, e)
	if err != nil {
		return nil, err
	}
	text := printedBy(x).Text()
	if x.Code != 0 || x.TimedOut {
		return nil, fmt.Errorf("%s: exit code %d: %s", what, x.Code, strings.TrimSpace(text))
	}
	return []byte(text), nil
}

// flush takes all that IPsec has in the kernel away, as the end of a machine would.
func (p *peer) flush(ctx context.Context) error {
	if !p.welcome.ESP {
		return nil
	}
	for _, what := range []string{"state", "policy"} {
		if _, err := p.output(ctx, "ip", "xfrm", what, "flush"); err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) Assign(ctx context.Context, to *policy.Policy) error {
	p.change.Lock()
	defer p.change.Unlock()
	if err := p.daemon.terminate(ctx); err != nil {
		return p.failed(ctx, "end of the SAs of its policy", err)
	}
	if err := p.daemon.load(ctx, to); err != nil {
		return p.failed(ctx, "another policy", err)
	}
	p.policy = to
	return nil
}

func (p *peer) Restart(ctx context.Context, off time.Duration, graceful bool) error {
	p.change.Lock()
	defer p.change.Unlock()
	if err := p.daemon.stop(ctx, graceful); err != nil {
		return p.failed(ctx, "end of its daemon", err)
	}
	select {
	case <-time.After(off):
	case <-ctx.Done():
		return p.failed(ctx, "restart", context.Cause(ctx))
	}
	if err := p.daemon.start(ctx); err != nil {
		return p.failed(ctx, "restart", err)
	}
	return p.failed(ctx, "restart", p.daemon.load(ctx, p.policy))
}

// SAs does not pass over a daemon that has died, also where its kernel or nobody is asked.
func (p *peer) SAs(ctx context.Context) ([]scenarios.PeerSA, error) {
	if dead := p.dead(ctx); dead != nil {
		return nil, told(p.cfg.Name, dead)
	}
	all, err := p.daemon.sas(ctx)
	if err != nil {
		return nil, p.failed(ctx, "its SAs", err)
	}
	if !p.welcome.ESP {
		return all, nil
	}
	states, err := p.client.XFRM(ctx)
	if err != nil {
		return nil, p.failed(ctx, "SAs of its kernel", err)
	}
	return explained(added(states, p.owns), all), nil
}

func (p *peer) owns(a netip.Addr) bool {
	return slices.ContainsFunc(p.cfg.Interfaces, func(i scenarios.PeerInterface) bool { return has(i.Prefixes, a) })
}

// repeatFirst makes requests, of which the first is repeated until it is answered or its time is over.
func repeatFirst(ctx context.Context, count int, timeout time.Duration, request func(int, time.Duration) (*control.Report, error), interval time.Duration) (hosts.Report, error) {
	start := time.Now()
	whole := hosts.Report{Sent: count}
	for {
		began := time.Now()
		left := timeout - began.Sub(start)
		r, err := request(1, min(first, left))
		if err != nil {
			return whole, err
		}
		one := reportOf(r)
		whole.Received = one.Received
		if one.Received > 0 {
			whole.Latency = []time.Duration{began.Sub(start) + one.Latency[0]}
			break
		}
		whole.Err = one.Err
		if left <= first {
			whole.Silence = timeout
			break
		}
		if one.Err != nil { // at once, perhaps by a policy of a moment ago
			if err := pause(ctx, first-time.Since(began)); err != nil {
				return whole, err
			}
		}
	}
	if whole.Received > 0 {
		whole.Err = nil
	}
	whole.Silence = max(whole.Silence, time.Since(start))
	if count == 1 {
		return whole, nil
	}
	if err := pause(ctx, interval); err != nil {
		return whole, err
	}
	r, err := request(count-1, timeout)
	if err != nil {
		return whole, err
	}
	rest := reportOf(r)
	whole.Received += rest.Received
	whole.Latency = append(whole.Latency, rest.Latency...)
	whole.Silence = max(whole.Silence, rest.Silence)
	if whole.Err == nil {
		whole.Err = rest.Err
	}
	return whole, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reportOf is the agent's report as virtual hosts make theirs: an answer that is missing is no error.
func reportOf(r *control.Report) hosts.Report {
	out := hosts.Report{Sent: r.Sent, Received: r.Received, Latency: r.Latency, Silence: r.Silence}
	switch r.Result {
	case "ok", "timeout":
	case "refused":
		out.Err = hosts.ErrRefused
	case "unreachable":
		out.Err = hosts.ErrUnreachable
	default:
		out.Err = fmt.Errorf("interop: %s", r.Error)
	}
	return out
}
