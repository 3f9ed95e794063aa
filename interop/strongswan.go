package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/swan"
	"github.com/ipseclab/ipseclab/scenarios"
)

const (
	charonName   = "charon"
	charonConf   = "/etc/strongswan.conf"
	charonLog    = "/run/charon.log"
	charonSocket = "/run/charon.vici"
	swanctlDir   = "/etc/swanctl/"

	daemonPatience = 20 * time.Second // for a daemon to answer after its start, on a busy machine
	farewell       = 3 * time.Second  // for a daemon to say goodbye to its peers
)

// strongSwan is charon, told over vici what it is to do.
type strongSwan struct {
	peer    *peer
	program string
	kind    swan.Kind
	client  *swan.Client

	mu            sync.Mutex // one at a time changes what charon does
	daemon        swan.Daemon
	config        *peerconf.Config // what it follows
	configuration *swan.Configuration
}

func newStrongSwan(p *peer, info images.Info) (daemon, error) {
	d := &strongSwan{peer: p, program: info.Profile.Daemon}
	d.kind = swan.Native
	if !p.welcome.ESP {
		d.kind = swan.LibIPsec
		if major, _, _ := strings.Cut(info.DaemonVersion(), "."); atLeast(major, 6) {
			d.kind = swan.LibIPsecRaw
		}
	}
	d.client = swan.NewClient(func(ctx context.Context) (net.Conn, error) { return p.client.Dial(ctx, "unix", charonSocket) })
	host, err := p.host(nil)
	if err != nil {
		return nil, err
	}
	if d.daemon, err = swan.DaemonOf(&host.Settings, d.kind); err != nil {
		return nil, err
	}
	d.daemon.Log, d.daemon.Socket = charonLog, charonSocket
	return d, nil
}

func atLeast(number string, least int) bool {
	n, err := strconv.Atoi(number)
	return err == nil && n >= least
}

func (d *strongSwan) start(ctx context.Context) error {
	conf := []byte(d.daemon.Text())
	if given, ok := d.peer.cfg.Files[charonConf]; ok {
		conf = []byte(given)
	}
	if err := d.peer.client.WriteFiles(ctx, control.File{Path: charonConf, Mode: 0o644, Data: conf}); err != nil {
		return err
	}
	return d.run(ctx)
}

// run starts charon, and waits until it answers.
func (d *strongSwan) run(ctx context.Context) error {
	err := d.peer.client.Start(ctx, &control.Start{
		Name: charonName, Argv: []string{d.program}, Log: "/run/charon.out", Logs: charonLog, Ready: charonSocket, Within: daemonPatience,
	})
	if err != nil {
		return fmt.Errorf("charon does not start: %w", err)
	}
	if _, err := d.client.Version(ctx); err != nil {
		return fmt.Errorf("charon does not answer: %w", err)
	}
	return nil
}

// given reports whether the scenario brings swanctl.conf itself.
func (d *strongSwan) given() bool {
	for path := range d.peer.cfg.Files {
		if strings.HasPrefix(path, swanctlDir) {
			return true
		}
	}
	return false
}

func (d *strongSwan) load(ctx context.Context, p *policy.Policy) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.given() {
		return d.loadGiven(ctx)
	}
	config, err := d.peer.configuration(p)
	if err != nil {
		return err
	}
	configuration, err := swan.Build(config, d.kind)
	if err != nil {
		return err
	}
	has, err := d.client.Algorithms(ctx)
	if err != nil {
		return err
	}
	if err := configuration.Check(has); err != nil {
		return err
	}
	d.config, d.configuration = config, configuration
	if d.kind.Userspace() {
		if err := d.peer.shield(ctx, config, swan.Mark); err != nil {
			return err
		}
	}
	return d.reload(ctx)
}

// reload has charon take what is to be its configuration, and compares it with what charon lists.
func (d *strongSwan) reload(ctx context.Context) error {
	if d.configuration == nil {
		return nil
	}
	if err := d.client.Load(ctx, d.configuration); err != nil {
		return err
	}
	loaded, err := d.client.Connections(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, l := range loaded {
		names = append(names, l.Name)
	}
	for _, i := range d.configuration.Connections.Items {
		if s, ok := i.(*swan.Section); ok && !slices.Contains(names, s.Name) {
			return fmt.Errorf("charon has taken connection %s and does not list it: it lists %v", s.Name, names)
		}
	}
	return nil
}

// loadGiven loads the scenario's own files.
func (d *strongSwan) loadGiven(ctx context.Context) error {
	out, err := d.peer.client.Exec(ctx, &control.Exec{Argv: []string{"swanctl", "--load-all", "--clear"}, Within: daemonPatience})
	if err != nil {
		return err
	}
	if out.Code != 0 || out.TimedOut {
		return fmt.Errorf("swanctl --load-all refuses the files of the scenario: %s", strings.TrimSpace(string(out.Output)))
	}
	return nil
}

// prepare initiates the child that the flow belongs to, where charon itself protects the packets and nothing is trapped.
func (d *strongSwan) prepare(ctx context.Context, flow ipsec.Flow, timeout time.Duration) error {
	if !d.kind.Userspace() {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.config == nil {
		return nil
	}
	connection, child, ok := d.config.Find(flow)
	if !ok {
		return nil
	}
	all, err := d.client.ListSAs(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		for _, c := range s.Children {
			if s.Connection == connection && c.Name == child && c.State == "INSTALLED" {
				return nil
			}
		}
	}
	return d.client.Initiate(ctx, connection, child, timeout)
}

func (d *strongSwan) terminate(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, err := d.client.ListSAs(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		err := d.client.Terminate(ctx, swan.Target{ConnectionID: s.ID}, farewell)
		if _, refused := errors.AsType[*swan.Refused](err); err != nil && !refused { // it may have ended meanwhile
			return err
		}
	}
	return nil
}

func (d *strongSwan) stop(ctx context.Context, graceful bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := control.Signal{Name: charonName, Signal: int(syscall.SIGKILL), Wait: farewell}
	if graceful {
		s.Signal = int(syscall.SIGTERM)
	}
	if err := d.peer.client.Signal(ctx, &s); err != nil {
		return err
	}
	return d.peer.flush(ctx)
}

func (d *strongSwan) version(ctx context.Context) (string, error) {
	v, err := d.client.Version(ctx)
	return "strongSwan " + v.Version, err
}

func (d *strongSwan) sas(ctx context.Context) (all []scenarios.PeerSA, err error) {
	listed, err := d.client.ListSAs(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range listed {
		for _, c := range s.Children {
			if c.State != "INSTALLED" && c.State != "REKEYED" && c.State != "REKEYING" {
				continue
			}
			all = append(all, pairOf(s, c)...)
		}
	}
	return all, nil
}

// pairOf are the two SAs of a child, as far as charon tells.
func pairOf(s swan.SA, c swan.ChildSA) []scenarios.PeerSA {
	local, remote := s.Local, s.Remote
	in := scenarios.PeerSA{Packets: c.PacketsIn, Bytes: c.BytesIn, SAAdded: trace.SAAdded{
		Direction: ipsec.Inbound.String(), Protocol: c.Protocol.String(), SPI: c.In, PeerSPI: c.Out,
		Src: remote.Addr().String(), Dst: local.Addr().String(), Mode: strings.ToLower(c.Mode),
		Cipher: c.Cipher, Auth: c.Auth, Selector: selector(c.RemoteTS, c.LocalTS), Rule: c.Name,
		Seconds: int64((c.LifeLeft + c.Installed.Abs()).Seconds()), Initiator: s.Initiator, ESN: c.ESN,
	}}
	out := in
	out.Packets, out.Bytes = c.PacketsOut, c.BytesOut
	out.Direction, out.SPI, out.PeerSPI = ipsec.Outbound.String(), c.Out, c.In
	out.Src, out.Dst, out.Selector = in.Dst, in.Src, selector(c.LocalTS, c.RemoteTS)
	if c.Encap {
		in.SrcPort, in.DstPort = remote.Port(), local.Port()
		out.SrcPort, out.DstPort = local.Port(), remote.Port()
	}
	return []scenarios.PeerSA{in, out}
}

func (d *strongSwan) evidence(ctx context.Context, to *evidence) {
	to.read(ctx, d.peer.client, "daemon.log", charonLog)
	to.read(ctx, d.peer.client, "strongswan.conf", charonConf)
	if to.died == "" {
		listed, err := d.client.ListSAs(ctx)
		to.encode("sas.json", listed, err)
		b, err := d.peer.output(ctx, "swanctl", "--list-sas")
		to.take("sas.txt", b, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.configuration != nil {
		for name, data := range d.configuration.Files() {
			to.take("swanctl/"+name, data, nil)
		}
	}
}
