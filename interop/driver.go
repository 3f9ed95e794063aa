package interop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/matrix"
	"github.com/ipseclab/ipseclab/scenarios"
)

// Options say how a driver is to make peers.
type Options struct {
	Store *images.Store // of the root filesystems

	// Force is the driver that all peers get, whatever their scenario says: one of Words; "": theirs.
	Force string

	// Agent is the program that runs in peers, by its path; "": the one of the store.
	Agent string

	// NoDocker has user-mode Linux run as a plain process, also where Docker is.
	NoDocker bool

	// Frames has agents carry frames over a socket, as they do by themselves where the descriptor of a TAP
	// cannot be sent. User-mode Linux always does.
	Frames bool

	// StartLimit is how long peers that are started together may take until all of them are ready; 0: as
	// long as the start of a cell of the matrix.
	StartLimit time.Duration

	// Log takes what is worth telling about the choice of drivers and the state of peers, a line at a time; nil: nobody.
	Log func(format string, args ...any)
}

// Driver makes real peers in the way that fits each of them and this machine.
type Driver struct {
	opt  Options
	work *workdir

	looking sync.Mutex // for Docker
	docker  *docker
	noDock  error

	staged    sync.Once // makes what user-mode Linux starts with
	notStaged error

	tried sync.Once // an agent in namespaces
	fails error

	mu    sync.Mutex
	peers map[*peer]bool
	runs  sync.WaitGroup
}

var _ scenarios.PeerDriver = (*Driver)(nil)

// New makes a driver, and clears away what drivers of labs that have died have left on this
// machine. Close ends it.
func New(o Options) (*Driver, error) {
	if o.Store == nil {
		return nil, errors.New("interop: a driver needs a store of images")
	}
	if o.Force != "" && !known(o.Force) {
		return nil, fmt.Errorf("interop: no driver is called %q: there are %s", o.Force, strings.Join(Words(), ", "))
	}
	o.StartLimit = cmp.Or(o.StartLimit, matrix.DefaultStartLimit)
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	work, err := newWorkdir(workParent())
	if err != nil {
		return nil, err
	}
	d := &Driver{opt: o, work: work, peers: map[*peer]bool{}}
	d.sweep()
	return d, nil
}

// sweep clears away what labs that have died have left.
func (d *Driver) sweep() {
	for _, w := range abandoned(workParent()) {
		killAbandoned(w.path)
		ctx, cancel := context.WithTimeout(context.Background(), dockerPatience)
		if engine, err := d.engine(ctx); err == nil {
			if err := engine.sweep(ctx, w.path); err != nil {
				d.opt.Log("peers of a lab that has died: %v", err)
			}
		}
		cancel()
		if err := w.remove(); err != nil {
			d.opt.Log("peers of a lab that has died: %v", err)
		}
		d.opt.Log("cleared away what a lab that died has left in %s", w.path)
	}
}

// engine is the Docker engine, which is looked for once.
func (d *Driver) engine(ctx context.Context) (*docker, error) {
	d.looking.Lock()
	defer d.looking.Unlock()
	if d.docker == nil && d.noDock == nil {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		docker, err := connectDocker(limited)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err() // nobody knows whether it would have answered
		}
		d.docker, d.noDock = docker, err
	}
	return d.docker, d.noDock
}

// Date is this machine's.
func (d *Driver) Date() time.Time { return time.Now() }

// Go runs f apart. Close waits for it.
func (d *Driver) Go(f func()) { d.runs.Go(f) }

// Close stops the peers that still run, waits for what Go has started, and removes all files but the evidence.
func (d *Driver) Close() error {
	d.mu.Lock()
	var left []*peer
	for p := range d.peers {
		left = append(left, p)
	}
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	var all []error
	for _, p := range left {
		all = append(all, p.Stop(ctx))
	}
	d.runs.Wait()
	if d.docker != nil {
		all = append(all, d.docker.sweep(ctx, d.work.path)) // what was being made when somebody gave up
		d.docker.close()
	}
	return errors.Join(append(all, d.work.remove())...)
}

// Start starts peers side by side. One that is not ready in time is killed, and the others with it.
func (d *Driver) Start(ctx context.Context, all []scenarios.PeerConfig) ([]scenarios.Peer, error) {
	peers := make([]scenarios.Peer, len(all))
	errs := make([]error, len(all))
	ctx, stop := context.WithTimeoutCause(ctx, d.opt.StartLimit, fmt.Errorf("not ready within %s", d.opt.StartLimit))
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var starts sync.WaitGroup
	for i, c := range all {
		starts.Go(func() {
			p, err := d.start(ctx, c)
			if err != nil {
				errs[i] = told(c.Name, err)
				cancel(errOther)
				return
			}
			peers[i] = p
		})
	}
	starts.Wait()
	if err := firstCause(errs); err != nil {
		stop, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		for _, p := range peers {
			if p != nil {
				_ = p.Stop(stop) // the first error is the one to tell
			}
		}
		return nil, err
	}
	return peers, nil
}

// errOther is why peers are given up when another one cannot be had.
var errOther = errors.New("another peer has not started")

// firstCause is the error of the peer that failed by itself: the others were given up because of it.
func firstCause(errs []error) error {
	var any error
	for _, err := range errs {
		if err == nil {
			continue
		}
		if !errors.Is(err, errOther) && !errors.Is(err, context.Canceled) {
			return err
		}
		any = err
	}
	return any
}

// start starts one peer, to where its daemon is ready.
func (d *Driver) start(ctx context.Context, c scenarios.PeerConfig) (_ *peer, err error) {
	began := time.Now()
	rootfs, info, err := d.opt.Store.Rootfs(c.Image)
	switch {
	case errors.Is(err, images.ErrNotBuilt):
		return nil, scenarios.Unsupportedf("%w", err)
	case err != nil: // a slip of the pen is not to look like a verdict
		return nil, err
	}
	way, err := d.choose(ctx, c, info)
	if err != nil {
		return nil, err
	}
	p := &peer{cfg: c, info: info, began: began, log: d.opt.Log}
	if err := p.foresee(way); err != nil {
		return nil, err
	}
	p.about = scenarios.PeerAbout{Image: c.Image, Driver: way.word}
	p.site = &site{name: c.Name, image: c.Image, rootfs: rootfs, work: d.work.path, frames: d.opt.Frames}
	for _, i := range c.Interfaces {
		p.site.wires = append(p.site.wires, newWire(i.Deliver))
		p.site.ipv6 = p.site.ipv6 || slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() })
	}
	defer func() {
		if err != nil {
			err = p.diagnose(err)
			ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
			defer cancel()
			_ = p.Stop(ctx)
		}
	}()
	if p.site.dir, err = d.work.peer(way.uid); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.peers[p] = true
	d.mu.Unlock()
	p.forget = func() {
		d.mu.Lock()
		delete(d.peers, p)
		d.mu.Unlock()
	}
	p.machine, err = way.start(ctx, p.site)
	if p.machine == nil && err == nil {
		err = errors.New("no machine")
	}
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { p.machine.kill() })() // a machine that hangs holds nothing up
	if err := p.join(ctx); err != nil {
		return nil, p.during(ctx, "its machine", err)
	}
	if err := p.prepare(ctx); err != nil {
		return nil, p.during(ctx, "its daemon", err)
	}
	p.about.Ready = time.Since(began)
	if p.about.Memory, err = p.machine.memory(ctx); err != nil {
		d.opt.Log("peer %s of %s: memory: %v", c.Name, c.Scenario, err)
	}
	d.opt.Log("peer %s of %s: %s, %s, by %s, ready in %s", c.Name, c.Scenario, p.about.Daemon, p.about.Kernel, way.what, p.about.Ready.Round(time.Millisecond))
	return p, nil
}
