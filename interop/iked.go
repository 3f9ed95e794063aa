package interop

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/openiked"
	"github.com/ipseclab/ipseclab/scenarios"
)

const (
	ikedName   = "iked"
	ikedConf   = "/etc/iked.conf"
	ikedKey    = "/etc/iked/private/local.key"
	ikedLog    = "/run/iked.log"
	ikedSocket = "/run/iked.sock"
)

// iked is the daemon of OpenIKED. It reads its configuration when it starts, so that it is started with each policy.
type iked struct {
	peer *peer
	info images.Info

	mu   sync.Mutex // one at a time changes what it does
	runs bool
}

func newIked(p *peer, info images.Info) *iked { return &iked{peer: p, info: info} }

// start makes the key that iked wants to have, whatever it authenticates with.
func (d *iked) start(ctx context.Context) error {
	_, err := d.peer.output(ctx, "/bin/sh", "-ec", "mkdir -p /etc/iked/private /var/lib/openiked/empty; [ -e "+ikedKey+" ] || "+
		"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "+ikedKey+"; chmod 600 "+ikedKey)
	return err
}

func (d *iked) load(ctx context.Context, p *policy.Policy) error {
	config, err := d.peer.configuration(p)
	if err != nil {
		return err
	}
	conf, err := openiked.Build(config)
	if err != nil {
		return err
	}
	if err := d.stop(ctx, true); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, given := d.peer.cfg.Files[ikedConf]; !given {
		if err := d.peer.client.WriteFiles(ctx, control.File{Path: ikedConf, Mode: 0o600, Data: []byte(conf)}); err != nil {
			return err
		}
	}
	err = d.peer.client.Start(ctx, &control.Start{
		Name: ikedName, Argv: []string{d.info.Profile.Daemon, "-d", "-v", "-f", ikedConf}, Log: ikedLog, Ready: ikedSocket, Within: daemonPatience,
	})
	if err != nil {
		return fmt.Errorf("iked does not start: %w", err)
	}
	d.runs = true
	return nil
}

// prepare has nothing to do: traffic makes the kernel ask for SAs.
func (d *iked) prepare(context.Context, ipsec.Flow, time.Duration) error { return nil }

// terminate is a matter of load: a policy ends with the daemon.
func (d *iked) terminate(context.Context) error { return nil }

func (d *iked) stop(ctx context.Context, graceful bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.runs {
		return nil
	}
	s := control.Signal{Name: ikedName, Signal: int(syscall.SIGKILL), Wait: farewell}
	if graceful {
		s.Signal = int(syscall.SIGTERM)
	}
	if err := d.peer.client.Signal(ctx, &s); err != nil {
		return err
	}
	d.runs = false
	if _, err := d.peer.output(ctx, "rm", "-f", ikedSocket); err != nil {
		return err
	}
	return d.peer.flush(ctx)
}

func (d *iked) version(context.Context) (string, error) {
	return "OpenIKED " + d.info.DaemonVersion(), nil
}

// sas are none: those of the kernel say all, and iked has IKEv2 alone.
func (d *iked) sas(context.Context) ([]scenarios.PeerSA, error) { return nil, nil }

func (d *iked) evidence(ctx context.Context, to *evidence) {
	to.read(ctx, d.peer.client, "daemon.log", ikedLog)
	to.read(ctx, d.peer.client, "iked.conf", ikedConf)
	if to.died == "" {
		b, err := d.peer.output(ctx, "ikectl", "show", "sa")
		to.take("sas.txt", b, err)
	}
}
