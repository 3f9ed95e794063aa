package matrix

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
)

// DefaultStartLimit is how long a cell may take to make its certificates and start its peers: far
// longer than that takes on a machine that is busy, and so a word about peers and not about the machine.
const DefaultStartLimit = 3 * time.Minute

// DefaultGrace is how long a runner may take to return when the time of a cell is over: a peer that
// hangs is asked in vain for its evidence first.
const DefaultGrace = 30 * time.Second

// stackFile is where a runner stood when it panicked.
const stackFile = "stack.txt"

// Options say how a matrix is run.
type Options struct {
	Cells   []Cell // that are asked for; those under other drivers than these are not run
	Drivers []Driver
	Have    []Availability
	Runner  Runner
	Expect  *Expectations
	Program string // version
	Shards  []string

	Parallel   int            // cells at the same time; 0: one per processor
	Limits     map[Driver]int // of them under one driver; none: no other limit
	Limit      time.Duration  // of every cell, from when its peers are ready; 0: its own
	StartLimit time.Duration  // until then; 0: DefaultStartLimit
	Grace      time.Duration  // 0: DefaultGrace

	Resume bool // cells that have a result of the same inputs are not run again, unless it is broken

	// Ended is called when a cell has its result, from one goroutine at a time. kept: of an earlier run.
	Ended func(c result.MatrixCell, kept bool)
}

// run is a run of the matrix.
type run struct {
	Options
	folder *Folder
	have   map[Driver]Availability
	probes map[place]string // what is wrong with the system there

	mu    sync.Mutex
	m     *result.Matrix
	ended int // cells
	saved int // of them when matrix.json was last written
	err   error
}

// place is a system under a driver.
type place struct {
	System
	Driver
}

// Run runs cells and keeps their results in the folder. When ctx ends, cells that had
// not ended are not-run, and the matrix is interrupted.
func Run(ctx context.Context, folder *Folder, o Options) (*result.Matrix, error) {
	o.Parallel = cmp.Or(o.Parallel, runtime.GOMAXPROCS(0))
	o.StartLimit = cmp.Or(o.StartLimit, DefaultStartLimit)
	o.Grace = cmp.Or(o.Grace, DefaultGrace)
	r := &run{Options: o, folder: folder, have: map[Driver]Availability{}, probes: map[place]string{}}
	for _, a := range o.Have {
		r.have[a.Driver] = a
	}
	started := time.Now()
	r.m = &result.Matrix{
		Schema: result.MatrixSchema, Version: o.Program, GoVersion: runtime.Version(), Started: started.UTC(), Shards: o.Shards,
		Drivers: []result.MatrixDriver{}, Systems: []result.MatrixSystem{}, Cells: []result.MatrixCell{},
	}
	cells := r.enter()
	r.environment()
	r.m.Interrupted = true // until it is not, should the program not live to say otherwise
	if err := r.save(); err != nil {
		return nil, fmt.Errorf("matrix: %w", err)
	}
	r.all(ctx, r.settle(cells))
	r.m.Wall = time.Since(started)
	r.m.Interrupted = false
	for _, c := range r.m.Cells {
		r.m.Interrupted = r.m.Interrupted || c.Kind == result.KindNotRun
	}
	if err := r.save(); err != nil && r.err == nil {
		r.err = err
	}
	if r.err != nil {
		return nil, fmt.Errorf("matrix: %w", r.err)
	}
	return r.m, nil
}

// task is a cell that is run, and its place in the matrix.
type task struct {
	Cell
	at int
}

// enter lists the cells of the run in the matrix.
func (r *run) enter() (tasks []task) {
	for _, c := range r.Cells {
		if !has(r.Drivers, c.Driver) {
			continue
		}
		tasks = append(tasks, task{c, len(r.m.Cells)})
		r.m.Cells = append(r.m.Cells, result.MatrixCell{
			ID: c.Name(), Case: c.Case, Cell: c.Cell, Title: c.Title, Tags: c.Tags, Initiator: string(c.Initiator), Responder: string(c.Responder),
			Driver: string(c.Driver), Kind: result.KindNotRun, Inputs: r.inputs(c),
		})
	}
	return tasks
}

// inputs are what the result of a cell will rest on.
func (r *run) inputs(c Cell) result.MatrixInputs {
	in := result.MatrixInputs{Case: c.Hash, Program: r.Program}
	for _, s := range []System{c.Initiator, c.Responder} {
		if s != Lab {
			if in.Images == nil {
				in.Images = map[string]string{}
			}
			in.Images[string(s)] = r.have[c.Driver].Systems[s].Image
		}
	}
	return in
}

// environment lists drivers, and the systems that take a role.
func (r *run) environment() {
	used := map[place]bool{}
	for _, c := range r.m.Cells {
		used[place{System(c.Initiator), Driver(c.Driver)}] = true
		used[place{System(c.Responder), Driver(c.Driver)}] = true
	}
	for _, d := range Drivers() {
		a, ok := r.have[d]
		if !ok {
			continue
		}
		r.m.Drivers = append(r.m.Drivers, result.MatrixDriver{Name: string(d), Version: a.Version, Reason: a.Reason})
		for _, s := range Systems() {
			if used[place{s, d}] && (s != Lab || d == Virtual) {
				e := a.Systems[s]
				r.m.Systems = append(r.m.Systems, result.MatrixSystem{Name: string(s), Driver: string(d), Version: e.Version, Image: e.Image})
			}
		}
	}
}

// settle gives results to the cells that need not be run, and returns the others.
func (r *run) settle(tasks []task) (rest []task) {
	for _, t := range tasks {
		c := r.m.Cells[t.at]
		switch earlier, ok := r.folder.earlier(c.ID); {
		case t.Unsupported != "":
			c.Outcome, c.Reason = result.Unsupported, t.Unsupported
			r.end(t, c, false)
		case r.Resume && ok && earlier.Outcome != result.Broken && earlier.Inputs.Equal(c.Inputs):
			c.Outcome, c.Reason, c.Wall, c.Ready, c.Memory, c.Dir = earlier.Outcome, earlier.Reason, earlier.Wall, earlier.Ready, earlier.Memory, earlier.Dir
			r.end(t, c, true)
		default:
			if why := r.missing(t.CellID); why != "" {
				c.Outcome, c.Reason = result.Broken, why
				r.end(t, c, false)
				continue
			}
			rest = append(rest, t)
		}
	}
	return rest
}

// missing says why a cell cannot be run on this machine.
func (r *run) missing(id CellID) string {
	for _, s := range []System{id.Initiator, id.Responder} {
		if s == Lab {
			continue
		}
		if e, ok := r.have[id.Driver].Systems[s]; !ok {
			return fmt.Sprintf("driver %s has no system %s here", id.Driver, s)
		} else if e.Missing != "" {
			return fmt.Sprintf("%s: %s", s, e.Missing)
		}
	}
	return ""
}

// all probes the systems and runs the cells.
func (r *run) all(ctx context.Context, tasks []task) {
	var places []place
	seen := map[place]bool{}
	for _, t := range tasks {
		for _, s := range []System{t.Initiator, t.Responder} {
			p := place{s, t.Driver}
			if !seen[p] && s != Lab { // the lab's own word is what all others are held against
				seen[p] = true
				places = append(places, p)
			}
		}
	}
	dispatch(ctx, r, places, func(p place) Driver { return p.Driver }, func(p place) { r.probe(ctx, p) })
	dispatch(ctx, r, tasks, func(t task) Driver { return t.Driver }, func(t task) {
		if c, ok := r.cell(ctx, t); ok {
			r.end(t, c, false)
		}
	})
}

// dispatch does what is to be done, side by side within the limits, and returns when all that
// was begun has ended. When ctx has ended, nothing more is begun.
func dispatch[T any](ctx context.Context, r *run, todo []T, driver func(T) Driver, do func(T)) {
	free := make(chan Driver, len(todo))
	busy, running := map[Driver]int{}, 0
	next := func() int {
		for i, t := range todo {
			if limit := r.Limits[driver(t)]; running < r.Parallel && (limit == 0 || busy[driver(t)] < limit) {
				return i
			}
		}
		return -1
	}
	for len(todo) > 0 && ctx.Err() == nil || running > 0 {
		if ctx.Err() == nil {
			for i := next(); i >= 0; i = next() {
				t, d := todo[i], driver(todo[i])
				todo = append(todo[:i:i], todo[i+1:]...)
				busy[d]++
				running++
				go func() { defer func() { free <- d }(); do(t) }()
			}
		}
		if running == 0 {
			return
		}
		d := <-free
		busy[d]--
		running--
	}
}

// probe finds out whether the system there calls unsupported what is impossible. That is to be said
// before peers are ready, if not before they are started.
func (r *run) probe(ctx context.Context, p place) {
	_, _, err := r.guarded(ctx, DefaultLimit, func(ctx context.Context, _ func()) (Result, error) {
		return Result{}, r.Runner.Probe(ctx, p.System, p.Driver)
	})
	if err == nil || ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probes[p] = err.Error()
	for i, s := range r.m.Systems {
		if s.Name == string(p.System) && s.Driver == string(p.Driver) {
			r.m.Systems[i].Probe = err.Error()
		}
	}
}

// distrusted is what is wrong with a system of the cell.
func (r *run) distrusted(id CellID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range []System{id.Initiator, id.Responder} {
		if why := r.probes[place{s, id.Driver}]; why != "" {
			return fmt.Sprintf("an impossible case was not called unsupported by %s under %s: %s", s, id.Driver, why)
		}
	}
	return ""
}

// cell runs one cell. It is not ok if ctx ended before the cell did.
func (r *run) cell(ctx context.Context, t task) (c result.MatrixCell, ok bool) {
	if ctx.Err() != nil {
		return c, false
	}
	c = r.m.Cells[t.at]
	broken := func(why string) (result.MatrixCell, bool) {
		c.Outcome, c.Reason = result.Broken, why
		return c, true
	}
	if why := r.distrusted(t.CellID); why != "" {
		return broken(why)
	}
	part, err := r.folder.begin(c.ID)
	if err != nil {
		return broken(err.Error())
	}
	start := time.Now()
	res, stack, err := r.guarded(ctx, cmp.Or(r.Limit, t.Limit), func(ctx context.Context, ready func()) (Result, error) {
		return r.Runner.Run(ctx, t.Cell, part, ready)
	})
	c.Wall, c.Ready, c.Memory = time.Since(start), res.Ready, res.Memory
	r.about(t.Driver, res.Says)
	if ctx.Err() != nil && (err != nil || res.Outcome != result.Passed) { // the end of ctx may be why
		if err := r.folder.abandon(c.ID); err != nil {
			r.fail(err)
		}
		return c, false
	}
	switch c.Outcome, c.Reason = res.Outcome, res.Reason; {
	case err != nil:
		c.Outcome, c.Reason = result.Broken, err.Error()
	case !res.Outcome.Known():
		c.Outcome, c.Reason = result.Broken, fmt.Sprintf("the runner came to no outcome: %q", res.Outcome)
	case res.Outcome == result.Unsupported && res.Reason == "":
		c.Outcome, c.Reason = result.Broken, "the runner called it unsupported and said no reason"
	}
	if stack != nil {
		err = os.WriteFile(filepath.Join(part, stackFile), stack, 0o644)
		if err != nil {
			c.Reason += "; and the evidence is incomplete: " + err.Error()
		}
	}
	c.Kind, c.Expected = r.Expect.Judge(t.CellID, c.Outcome, c.Reason)
	if err := r.folder.finish(&c); err != nil {
		c.Dir = ""
		return broken(err.Error())
	}
	return c, true
}

// about notes what peers say of themselves.
func (r *run) about(d Driver, says map[System]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, s := range r.m.Systems {
		if text := says[System(s.Name)]; s.Driver == string(d) && text != "" {
			r.m.Systems[i].Says = text
		}
	}
}

// guarded has the runner do something within a time: the start until ready is called, and what
// follows within limit. A panic becomes an error, since one cell must not take the others with it, and so
// does what ends after its time without having passed; what does not end is left alone after a while.
func (r *run) guarded(ctx context.Context, limit time.Duration, do func(ctx context.Context, ready func()) (Result, error)) (Result, []byte, error) {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type answer struct {
		Result
		stack []byte
		err   error
	}
	done, started := make(chan answer, 1), make(chan struct{})
	ready := sync.OnceFunc(func() { close(started) })
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil { // a panic of a runner is the outcome of its cell; the stack goes to the evidence
				a = answer{stack: debug.Stack(), err: fmt.Errorf("panic: %v", p)}
			}
			done <- a
		}()
		a.Result, a.err = do(within, ready)
	}()
	left := time.NewTimer(r.StartLimit)
	defer left.Stop()
	what, allowed, over := "the start", r.StartLimit, false
	for waiting := (<-chan struct{})(started); ; {
		select {
		case a := <-done:
			return a.Result, a.stack, a.err
		case <-waiting:
			waiting, what, allowed = nil, "it", limit
			left.Reset(limit)
			continue
		case <-left.C:
			over = true
			cancel(errTime)
		case <-ctx.Done():
		}
		break
	}
	var a answer
	patience := time.NewTimer(r.Grace)
	defer patience.Stop()
	select {
	case a = <-done:
	case <-patience.C:
		return Result{}, nil, fmt.Errorf("hung: %s did not end within %s, nor %s after it was told to", what, allowed, r.Grace)
	}
	if over && ctx.Err() == nil && a.stack == nil && (a.err != nil || a.Outcome != result.Passed) {
		why := a.Reason
		if a.err != nil {
			why = a.err.Error()
		}
		return a.Result, nil, fmt.Errorf("hung: %s was stopped after %s: %s", what, allowed, cmp.Or(why, "no reason was given"))
	}
	return a.Result, a.stack, a.err
}

// errTime is why what hangs is told to end.
var errTime = errors.New("the time of the cell is over")

// end puts the result of a cell into the matrix.
func (r *run) end(t task, c result.MatrixCell, kept bool) {
	c.Kind, c.Expected = r.Expect.Judge(t.CellID, c.Outcome, c.Reason)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m.Cells[t.at] = c
	if r.ended++; r.ended-r.saved > r.saved/16 { // each at first, and ever more seldom in a long run, of which all is written each time
		r.saved = r.ended
		if err := r.save(); err != nil && r.err == nil {
			r.err = err
		}
	}
	if r.Ended != nil {
		r.Ended(c, kept)
	}
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = cmp.Or(r.err, err)
}

// save writes matrix.json as it is now.
func (r *run) save() error {
	r.m.Count()
	return r.folder.Save(r.m)
}
