package interop

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop/cases"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/matrix"
)

// A search for drivers that was given up says so, and not that there are none.
func TestAvailableGivenUp(t *testing.T) {
	store, err := images.Open(t.TempDir())
	require.NoError(t, err)
	d, err := New(Options{Store: store})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	r := Runner{Driver: d, Store: store}
	all, err := r.Available(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1+len(Words()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Available(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// A peer that hangs when it was ready is killed when the time of its cell is over; the cell says so, with what there
// is of evidence, and the next one runs.
func TestCellThatHangs(t *testing.T) {
	d := driverOf(t, "namespace")
	all, err := matrix.Load(cases.Files)
	require.NoError(t, err)
	pattern, err := matrix.NewGlob("tunnel_udp_suites/{3des-sha1,aes128-sha1}:lab->strongswan-5.9@namespace")
	require.NoError(t, err)
	cells := matrix.Filter{Cases: []matrix.Glob{pattern}}.Select(all)
	require.Len(t, cells, 2)
	cells[0].Limit = time.Second
	folder, err := matrix.OpenFolder(t.TempDir(), matrix.Fresh)
	require.NoError(t, err)
	r := &freezer{Runner: Runner{Driver: d, Store: d.opt.Store}, t: t, cell: cells[0].Name()}
	have, err := r.Available(t.Context())
	require.NoError(t, err)
	m, err := matrix.Run(t.Context(), folder, matrix.Options{Cells: cells, Drivers: []matrix.Driver{matrix.Namespace}, Have: have, Runner: r, Parallel: 1})
	require.NoError(t, err)
	require.Equal(t, result.Broken, m.Cells[0].Outcome)
	require.Equal(t, "hung: it was stopped after 1s: scenarios: tunnel_udp_suites/3des-sha1: step 1, a connection, had not ended: the time of the cell is over", m.Cells[0].Reason)
	require.NotEmpty(t, m.Cells[0].Dir)
	require.Equal(t, result.Passed, m.Cells[1].Outcome, m.Cells[1].Reason)
	require.NotEmpty(t, r.frozen)
	for _, pid := range r.frozen {
		require.False(t, alive(pid), "process %d", pid)
	}
}

// freezer stops the processes of the peers of a cell when they are ready.
type freezer struct {
	Runner
	t      *testing.T
	cell   string
	frozen []int
}

func (f *freezer) Run(ctx context.Context, c matrix.Cell, dir string, ready func()) (matrix.Result, error) {
	return f.Runner.Run(ctx, c, dir, func() {
		if c.Name() == f.cell {
			for p := range f.Driver.peers {
				f.frozen = append(f.frozen, machineProcesses(f.t, p)...)
			}
			for _, pid := range f.frozen {
				require.NoError(f.t, unix.Kill(pid, unix.SIGSTOP))
			}
		}
		ready()
	})
}
