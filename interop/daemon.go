package interop

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/swan"
	"github.com/ipseclab/ipseclab/scenarios"
)

// daemon is the IKE daemon of a peer. Its methods return soon after ctx ends. Errors that wrap
// a *peerconf.Unsupported say that it cannot do what the policy wants.
type daemon interface {
	// start has it run and answer. It follows no policy yet.
	start(ctx context.Context) error

	// load has it follow a policy, nil for none, in the place of the one before, and waits
	// until it says that it does. SAs stay.
	load(ctx context.Context, p *policy.Policy) error

	// prepare has it negotiate what traffic needs, where the traffic itself would not make it.
	prepare(ctx context.Context, flow ipsec.Flow, timeout time.Duration) error

	// terminate ends its SAs, with Deletes.
	terminate(ctx context.Context) error

	// stop ends it, without farewell unless it is graceful, and all that it has in the kernel.
	stop(ctx context.Context, graceful bool) error

	// sas are the IPsec SAs by its own account: the keys and what the kernel knows better may be missing.
	sas(ctx context.Context) ([]scenarios.PeerSA, error)

	// version is its name and version, as it says itself.
	version(ctx context.Context) (string, error)

	// evidence takes what it has to say in the end.
	evidence(ctx context.Context, to *evidence)
}

// newDaemon makes the daemon of an image.
func newDaemon(p *peer, info images.Info) (daemon, error) {
	if info.Profile.NeedsXFRM && !p.welcome.ESP {
		return nil, scenarios.Unsupportedf("%s leaves the protection of packets to the kernel, and that of driver %s has no ESP: use driver %s",
			info.Profile.Title, p.about.Driver, UML)
	}
	switch product(info) {
	case "strongswan":
		return newStrongSwan(p, info)
	case "libreswan":
		return newPluto(p, info), nil
	case "openiked":
		return newIked(p, info), nil
	default:
		return &noDaemon{p, info}, nil
	}
}

// host is what a scenario says of the peer, for the configuration of its daemon.
func (p *peer) host(assigned *policy.Policy) (peerconf.Host, error) {
	settings, ignored, err := peerconf.SettingsOf(&p.cfg.Settings)
	if err != nil {
		return peerconf.Host{}, err
	}
	h := peerconf.Host{Policy: assigned, Options: p.cfg.Options, Certificates: p.cfg.Certificates, Settings: settings, Ignored: ignored}
	for _, i := range p.cfg.Interfaces {
		for _, prefix := range i.Prefixes {
			h.Addresses = append(h.Addresses, prefix.Addr())
		}
	}
	return h, nil
}

// configuration is what a policy, nil for none, and the rest of the scenario make of the peer.
func (p *peer) configuration(assigned *policy.Policy) (*peerconf.Config, error) {
	host, err := p.host(assigned)
	if err != nil {
		return nil, err
	}
	return peerconf.Build(host)
}

// foresee finds what a daemon cannot be told before a machine is made for it. Where the scenario brings the
// configuration itself there is nothing to tell.
func (p *peer) foresee(way *way) error {
	if len(p.cfg.Files) > 0 || p.cfg.Policy == nil {
		return nil
	}
	config, err := p.configuration(p.cfg.Policy)
	if err != nil {
		return err
	}
	// What the kernel of a machine that shares this one's can do is known when it is there.
	if product(p.info) == "strongswan" && way.word == UML {
		_, err = swan.Build(config, swan.Native)
	}
	return err
}

// product is the daemon of an image, without its version: strongswan.
func product(info images.Info) string {
	name, _, _ := strings.Cut(info.Profile.Name, "-")
	return name
}

// unsupported gives an error about what a peer cannot do the form that scenarios know.
func unsupported(err error) error {
	if err == nil || errors.Is(err, scenarios.ErrUnsupported) {
		return err
	}
	if u, ok := errors.AsType[*peerconf.Unsupported](err); ok {
		return scenarios.Unsupportedf("%s: %s", u.What, u.Why)
	}
	if errors.Is(err, control.ErrUnsupported) {
		return scenarios.Unsupportedf("%w", err)
	}
	return err
}

// noDaemon is that of an image with tools alone.
type noDaemon struct {
	peer *peer
	info images.Info
}

func (d *noDaemon) load(_ context.Context, p *policy.Policy) error {
	if p == nil {
		return nil
	}
	return scenarios.Unsupportedf("image %s has no IKE daemon, which policy %s wants", d.info.Profile.Name, p.Name)
}

func (d *noDaemon) version(context.Context) (string, error) {
	return d.info.Profile.Name + " " + d.info.DaemonVersion(), nil
}

func (d *noDaemon) start(context.Context) error                              { return nil }
func (d *noDaemon) prepare(context.Context, ipsec.Flow, time.Duration) error { return nil }
func (d *noDaemon) terminate(context.Context) error                          { return nil }
func (d *noDaemon) stop(context.Context, bool) error                         { return nil }
func (d *noDaemon) sas(context.Context) ([]scenarios.PeerSA, error)          { return nil, nil }
func (d *noDaemon) evidence(context.Context, *evidence)                      {}
