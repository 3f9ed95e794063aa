package interop

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWorkdirOfTheLiving(t *testing.T) {
	parent := private(t)
	w, err := newWorkdir(parent)
	require.NoError(t, err)
	require.Empty(t, abandoned(parent), "its lab lives")
	a, err := w.peer(os.Getuid())
	require.NoError(t, err)
	b, err := w.peer(os.Getuid())
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	require.NoError(t, w.remove())
	require.NoDirExists(t, w.path)
}

func TestWorkdirOfTheDead(t *testing.T) {
	parent := private(t)
	w, err := newWorkdir(parent)
	require.NoError(t, err)
	_, err = w.peer(os.Getuid())
	require.NoError(t, err)
	require.NoError(t, w.lock.Close()) // as the end of the process would
	// A process that nothing has ended is found by its command line.
	orphan := exec.Command("sh", "-c", "sleep 100; true", "linux.uml", "uml_dir="+w.path+"/1/")
	require.NoError(t, orphan.Start())
	ended := make(chan error, 1)
	go func() { ended <- orphan.Wait() }()

	bystander := exec.Command("sh", "-c", "sleep 100; true", "less", w.path+"/1/kernel.log")
	require.NoError(t, bystander.Start())
	defer bystander.Wait()
	defer bystander.Process.Kill()

	found := abandoned(parent)
	require.Len(t, found, 1)
	require.Equal(t, w.path, found[0].path)
	require.Empty(t, abandoned(parent), "whoever finds it first has it")
	killAbandoned(found[0].path)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the process of the dead lab lives on")
	}
	require.NoError(t, bystander.Process.Signal(syscall.Signal(0)), "who only looks at its files lives on")
	require.NoError(t, found[0].remove())
	require.NoDirExists(t, w.path)
}

func TestWorkdirPathTooLong(t *testing.T) {
	parent := filepath.Join(private(t), strings.Repeat("x", 90))
	require.NoError(t, os.Mkdir(parent, 0o700))
	_, err := newWorkdir(parent)
	require.ErrorContains(t, err, "set TMPDIR to a shorter one")
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestListenerGivesUp(t *testing.T) {
	path := filepath.Join(private(t), "w")
	l, err := listen("unixpacket", path)
	require.NoError(t, err)
	ended := make(chan struct{})
	close(ended)
	_, err = l.accept(t.Context(), ended)
	require.ErrorIs(t, err, errMachineEnded)
	l.close()
	require.NoFileExists(t, path)

	l, err = listen("unix", path)
	require.NoError(t, err)
	late := errors.New("too late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, late)
	defer cancel()
	_, err = l.accept(ctx, nil)
	require.ErrorIs(t, err, late)
	l.close()
}
