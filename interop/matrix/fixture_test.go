package matrix

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

const twoHosts = `network: { segments: { wire: {} } }
nodes:
  initiator: { interfaces: [{ segment: wire, address: 10.0.0.1/24 }] }
  responder: { interfaces: [{ segment: wire, address: 10.0.0.2/24 }] }
steps:
  - ping: { from: initiator, to: responder }
`

// cases are two plain files and one with three cells.
func cases(config string) fstest.MapFS {
	fsys := fstest.MapFS{
		"main_psk.yaml":    {Data: []byte("title: Main mode\n" + twoHosts)},
		"rekey_quick.yaml": {Data: []byte("title: Rekeying\n" + twoHosts)},
		"main_suites.yaml": {Data: []byte("title: \"Main mode: ${cipher}\"\nparameters: { cipher: [des, 3des, aes-128] }\n" + twoHosts)},
	}
	if config != "" {
		fsys[ConfigFile] = &fstest.MapFile{Data: []byte(config)}
	}
	return fsys
}

func load(t *testing.T, fsys fs.FS) []Cell {
	t.Helper()
	all, err := Load(fsys)
	require.NoError(t, err)
	return all
}

// fake is a runner without peers, which are ready at once. boot says what happens before, and do what then; nil: it passes.
type fake struct {
	boot  func(ctx context.Context, c Cell) error
	do    func(ctx context.Context, c Cell, dir string) (Result, error)
	probe func(ctx context.Context, s System, d Driver) error

	mu      sync.Mutex
	ran     []string
	probed  map[place]int
	running map[Driver]int
	most    map[Driver]int // at the same time; "" of all drivers
}

func (f *fake) Available(context.Context) ([]Availability, error) { return everything(), nil }

// everything is a machine on which all drivers work.
func everything() (all []Availability) {
	for _, d := range Drivers() {
		a := Availability{Driver: d, Version: string(d) + " 1", Systems: map[System]Environment{}}
		for _, s := range Systems() {
			if s != Lab {
				a.Systems[s] = Environment{Version: string(s) + " on Linux", Image: "hash of " + string(s)}
			}
		}
		all = append(all, a)
	}
	return all
}

func (f *fake) Probe(ctx context.Context, s System, d Driver) error {
	f.mu.Lock()
	if f.probed == nil {
		f.probed = map[place]int{}
	}
	f.probed[place{s, d}]++
	f.mu.Unlock()
	if f.probe == nil {
		return nil
	}
	return f.probe(ctx, s, d)
}

func (f *fake) Run(ctx context.Context, c Cell, dir string, ready func()) (Result, error) {
	f.count(c.Driver, 1)
	defer f.count(c.Driver, -1)
	f.mu.Lock()
	f.ran = append(f.ran, c.Name())
	f.mu.Unlock()
	if err := os.WriteFile(filepath.Join(dir, "report.html"), []byte("of "+c.String()), 0o644); err != nil {
		return Result{}, err
	}
	if f.boot != nil {
		if err := f.boot(ctx, c); err != nil {
			return Result{}, err
		}
	}
	ready()
	if f.do == nil {
		return Result{Outcome: result.Passed, Ready: time.Second, Memory: 1 << 20}, nil
	}
	return f.do(ctx, c, dir)
}

func (f *fake) count(d Driver, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running == nil {
		f.running, f.most = map[Driver]int{}, map[Driver]int{}
	}
	for _, d := range []Driver{d, ""} {
		f.running[d] += n
		f.most[d] = max(f.most[d], f.running[d])
	}
}

// start runs cells into a new folder, or resumes an old one.
func start(t *testing.T, ctx context.Context, dir string, f *fake, o Options) *result.Matrix {
	t.Helper()
	mode := Fresh
	if o.Resume {
		mode = Resume
	}
	folder, err := OpenFolder(dir, mode)
	require.NoError(t, err)
	o.Runner, o.Have, o.Program = f, everything(), "v1"
	m, err := Run(ctx, folder, o)
	require.NoError(t, err)
	saved, err := ReadFolder(dir)
	require.NoError(t, err)
	require.Equal(t, m, saved, "matrix.json is what Run returned")
	return m
}

// cell is one of a matrix, by its text for people.
func cell(t *testing.T, m *result.Matrix, text string) result.MatrixCell {
	t.Helper()
	for _, c := range m.Cells {
		if id, err := ParseName(c.ID); err == nil && id.String() == text {
			return c
		}
	}
	require.Fail(t, fmt.Sprintf("there is no cell %s", text))
	return result.MatrixCell{}
}
