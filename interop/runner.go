package interop

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/matrix"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Runner runs the cells of the matrix: the hosts initiator and responder of a case are
// those of the lab, or real peers in their place.
type Runner struct {
	Driver   *Driver
	Store    *images.Store
	Reporter scenarios.Reporter // of each cell; nil: none
}

var _ matrix.Runner = Runner{}

// Roles are the hosts of a case that systems take the places of.
const (
	initiatorRole = "initiator"
	responderRole = "responder"
)

// Available says which drivers there are, and with which images.
func (r Runner) Available(ctx context.Context) ([]matrix.Availability, error) {
	all := []matrix.Availability{{Driver: matrix.Virtual, Version: "virtual time"}}
	systems := map[matrix.System]matrix.Environment{}
	for _, s := range matrix.Systems() {
		if s == matrix.Lab {
			continue
		}
		_, info, err := r.Store.Rootfs(string(s))
		if err != nil {
			systems[s] = matrix.Environment{Missing: err.Error()}
			continue
		}
		systems[s] = matrix.Environment{Version: info.DaemonVersion(), Image: info.Hash}
	}
	for _, a := range r.Driver.Available(ctx) {
		m := matrix.Availability{Driver: matrix.Driver(a.Driver), Systems: systems}
		if a.OK {
			m.Version = a.Detail
		} else {
			m.Reason = a.Detail
		}
		all = append(all, m)
	}
	return all, ctx.Err() // after its end drivers are missing that were not asked
}

//go:embed impossible.yaml
var impossible []byte

// Probe asks for the case that no daemon can do.
func (r Runner) Probe(ctx context.Context, s matrix.System, d matrix.Driver) error {
	parsed, err := spec.Parse("impossible.yaml", impossible)
	if err != nil {
		return err
	}
	parsed.Name = "impossible"
	real, err := parsed.WithPeers(map[string]spec.Replacement{responderRole: {Image: string(s), Driver: string(d)}})
	if err != nil {
		return err
	}
	got, _, err := scenarios.Guarded(ctx, real, scenarios.Options{Peers: r.Driver}, scenarios.Run)
	switch {
	case err != nil:
		return fmt.Errorf("%s under %s was asked for the impossible, and broke: %w", s, d, err)
	case got.Outcome != result.Unsupported:
		return fmt.Errorf("%s under %s was asked for the impossible, and it %s", s, d, got.Outcome)
	}
	return nil
}

// stackFile has where the lab panicked.
const stackFile = "panic.txt"

// Run runs a cell.
func (r Runner) Run(ctx context.Context, c matrix.Cell, dir string, ready func()) (matrix.Result, error) {
	s, err := scenarioOf(c)
	if err != nil {
		return matrix.Result{}, err
	}
	got, stack, err := scenarios.Guarded(ctx, s, scenarios.Options{Dir: dir, Reporter: r.Reporter, Peers: r.Driver, Ready: ready}, scenarios.Run)
	if stack != nil {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, stackFile), stack, 0o644))
	}
	if err != nil {
		return matrix.Result{}, err
	}
	out := matrix.Result{Outcome: got.Outcome}
	if why := got.Reasons(); len(why) > 0 {
		out.Reason = why[0]
	}
	for _, p := range got.Peers {
		out.Ready, out.Memory = max(out.Ready, p.Ready), max(out.Memory, p.Memory)
		if out.Says == nil {
			out.Says = map[matrix.System]string{}
		}
		out.Says[matrix.System(p.Image)] = p.Daemon + ", kernel " + p.Kernel
	}
	return out, nil
}

// scenarioOf is the scenario of a cell, with real peers in their places.
func scenarioOf(c matrix.Cell) (*spec.Scenario, error) {
	all, err := scenarios.LoadAllFS(c.FS, c.File)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Name != c.Scenario() {
			continue
		}
		peers := map[string]spec.Replacement{}
		for role, system := range map[string]matrix.System{initiatorRole: c.Initiator, responderRole: c.Responder} {
			if system != matrix.Lab {
				peers[role] = spec.Replacement{Image: string(system), Driver: string(c.Driver)}
			}
		}
		return s.WithPeers(peers)
	}
	return nil, fmt.Errorf("%s has no scenario %s", c.File, c.Scenario())
}
