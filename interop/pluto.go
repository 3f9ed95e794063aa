package interop

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/libreswan"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/scenarios"
)

const (
	plutoName    = "pluto"
	plutoConf    = "/etc/ipsec.conf"
	plutoSecrets = "/etc/ipsec.secrets"
	plutoLog     = "/run/pluto.log"
	plutoSocket  = "/run/pluto/pluto.ctl"
	plutoFiles   = "/run/lab" // certificates and keys on their way into its database
)

// quickNSS has the database of certificates derive the key that it is encrypted with in one round: its password is
// empty, and ten thousand rounds take a second.
var quickNSS = []string{"NSS_MAX_MP_PBE_ITERATION_COUNT=1"}

// acquireExpires has the kernel ask for an SA again after some seconds. What it asks for while pluto installs the
// SAs that a peer has begun is not taken back when they are there, and for 30 s (Documentation/networking/ip-sysctl.rst,
// xfrm_acq_expires) packets of those addresses would be dropped without another request. Not every machine lets it be written.
const acquireExpires = "echo 3 2>/dev/null >/proc/sys/net/core/xfrm_acq_expires || :"

// pluto is the daemon of Libreswan, told by whack what it is to do.
type pluto struct {
	peer *peer
	info images.Info

	mu     sync.Mutex // one at a time changes what it does
	config *peerconf.Config
	files  *libreswan.Files
}

func newPluto(p *peer, info images.Info) *pluto { return &pluto{peer: p, info: info} }

// run runs commands in a shell, until one fails.
func (d *pluto) run(ctx context.Context, commands ...string) ([]byte, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	return d.peer.succeed(ctx, strings.Join(commands, "; "), &control.Exec{
		Argv: []string{"/bin/sh", "-ec", strings.Join(commands, "\n")}, Env: quickNSS, Within: daemonPatience,
	})
}

// start writes an empty configuration: pluto reads some of it when it starts, and connections when it is told.
func (d *pluto) start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	config, err := d.peer.configuration(nil)
	if err != nil {
		return err
	}
	files, err := libreswan.Build(config, libreswan.Config{Log: plutoLog})
	if err != nil {
		return err
	}
	if err := d.write(ctx, files); err != nil {
		return err
	}
	if _, err := d.run(ctx, append(libreswan.Prepare(), acquireExpires)...); err != nil {
		return err
	}
	err = d.peer.client.Start(ctx, &control.Start{
		Name: plutoName, Argv: []string{d.info.Profile.Daemon, "--config", plutoConf, "--leak-detective", "--nofork"}, Log: "/run/pluto.out",
		Logs: plutoLog, Ready: plutoSocket, Within: daemonPatience,
	})
	if err != nil {
		return fmt.Errorf("pluto does not start: %w", err)
	}
	_, err = d.run(ctx, libreswan.Whack+"--listen")
	return err
}

// write writes the files that the scenario does not give itself.
func (d *pluto) write(ctx context.Context, f *libreswan.Files) error {
	all := []control.File{
		{Path: plutoConf, Mode: 0o644, Data: []byte(f.Conf)},
		{Path: plutoSecrets, Mode: 0o600, Data: []byte(f.Secrets)},
	}
	for name, data := range f.Credentials {
		all = append(all, control.File{Path: path.Join(plutoFiles, name), Mode: 0o600, Data: data})
	}
	var ours []control.File
	for _, file := range all {
		if _, given := d.peer.cfg.Files[file.Path]; !given {
			ours = append(ours, file)
		}
	}
	return d.peer.client.WriteFiles(ctx, ours...)
}

func (d *pluto) given() bool {
	_, ok := d.peer.cfg.Files[plutoConf]
	return ok
}

func (d *pluto) load(ctx context.Context, p *policy.Policy) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.given() {
		_, err := d.run(ctx, libreswan.LoadGiven()...)
		return err
	}
	config, err := d.peer.configuration(p)
	if err != nil {
		return err
	}
	files, err := libreswan.Build(config, libreswan.Config{Log: plutoLog})
	if err != nil {
		return err
	}
	if d.files != nil {
		if _, err := d.run(ctx, d.files.Each("--delete")...); err != nil {
			return err
		}
	}
	if err := d.write(ctx, files); err != nil {
		return err
	}
	if _, err := d.run(ctx, files.Load(plutoFiles)...); err != nil {
		return err
	}
	out, err := d.run(ctx, libreswan.Whack+"--status")
	if err != nil {
		return err
	}
	for _, name := range files.Connections {
		if !strings.Contains(string(out), fmt.Sprintf("%q", name)) {
			return fmt.Errorf("pluto has taken connection %s and does not list it", name)
		}
	}
	d.config, d.files = config, files
	return nil
}

// selector is what a connection of pluto's is for, outbound: our child of that name, which has a number behind it
// for each further address of the peer.
func (d *pluto) selector(connection string) (ipsec.Selector, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.config == nil {
		return ipsec.Selector{}, false
	}
	for i := range d.config.Connections {
		conn := &d.config.Connections[i]
		for j := range conn.Children {
			if c := &conn.Children[j]; c.Name == connection || strings.HasPrefix(connection, c.Name+"-at-") {
				return c.Selector(conn), true
			}
		}
	}
	return ipsec.Selector{}, false
}

// prepare has nothing to do: traffic makes the kernel ask for SAs.
func (d *pluto) prepare(context.Context, ipsec.Flow, time.Duration) error { return nil }

func (d *pluto) terminate(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files == nil {
		return nil
	}
	_, err := d.run(ctx, d.files.Each("--terminate")...)
	return err
}

func (d *pluto) stop(ctx context.Context, graceful bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = nil // what starts again knows nothing
	s := control.Signal{Name: plutoName, Signal: int(syscall.SIGKILL), Wait: farewell}
	if graceful {
		s.Signal = int(syscall.SIGTERM)
	}
	if err := d.peer.client.Signal(ctx, &s); err != nil {
		return err
	}
	if _, err := d.run(ctx, "rm -f /run/pluto/pluto.pid "+plutoSocket); err != nil {
		return err
	}
	return d.peer.flush(ctx)
}

func (d *pluto) version(context.Context) (string, error) {
	return "Libreswan " + d.info.DaemonVersion(), nil
}

func (d *pluto) sas(ctx context.Context) (all []scenarios.PeerSA, err error) {
	out, err := d.run(ctx, libreswan.Whack+"--status")
	if err != nil {
		return nil, err
	}
	for _, s := range libreswan.Status(string(out)) {
		if s.In == 0 || s.Out == 0 {
			continue
		}
		in := scenarios.PeerSA{SAAdded: trace.SAAdded{
			Direction: ipsec.Inbound.String(), Protocol: s.Protocol.String(), SPI: s.In, PeerSPI: s.Out, Rule: s.Connection,
			Initiator: strings.HasPrefix(s.Name, "STATE_QUICK_I"),
		}}
		sent := in
		sent.Direction, sent.SPI, sent.PeerSPI = ipsec.Outbound.String(), s.Out, s.In
		if sel, ok := d.selector(s.Connection); ok {
			in.Selector, sent.Selector = sel.Reverse().String(), sel.String()
		}
		all = append(all, in, sent)
	}
	return all, nil
}

func (d *pluto) evidence(ctx context.Context, to *evidence) {
	to.read(ctx, d.peer.client, "daemon.log", plutoLog)
	to.read(ctx, d.peer.client, "ipsec.conf", plutoConf)
	to.read(ctx, d.peer.client, "ipsec.secrets", plutoSecrets)
	if to.died == "" {
		b, err := d.run(ctx, libreswan.Whack+"--status")
		to.take("sas.txt", b, err)
	}
}
