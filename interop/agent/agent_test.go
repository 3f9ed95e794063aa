//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/interop/control"
)

// The test's own program is the agent, or a daemon that a test starts in a peer.
func TestMain(m *testing.M) {
	switch os.Getenv("AGENT_TEST_AS") {
	case "agent":
		main()
		return
	case "daemon":
		listenForever(os.Args[1])
	}
	os.Exit(m.Run())
}

// listenForever is a daemon that is ready after a moment.
func listenForever(path string) {
	os.Stdout.WriteString("daemon starts\n")
	time.Sleep(50 * time.Millisecond)
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		os.Exit(9)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(8)
		}
		go io.Copy(c, c)
	}
}

// testRoot is a root filesystem with a shell, a few programs, and the test's own as "daemon".
func testRoot(t *testing.T) string {
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	for _, dir := range []string{"proc", "sys", "dev", "tmp", "etc", "run"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, dir), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/motd"), []byte("of the image"), 0o644))
	for _, name := range []string{"sh", "sleep", "cat", "yes"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		copyProgram(t, path, root, "/bin/"+name)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	copyProgram(t, self, root, "/bin/daemon")
	return root
}

// copyProgram copies a program with the libraries that it is linked to.
func copyProgram(t *testing.T, path, root, to string) {
	put := func(from, to string) {
		b, err := os.ReadFile(from)
		require.NoError(t, err)
		to = filepath.Join(root, to)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, b, 0o755))
	}
	put(path, to)
	out, _ := exec.Command("ldd", path).CombinedOutput() // of a static program it says so, and fails
	for _, word := range strings.Fields(string(out)) {
		if filepath.IsAbs(word) {
			put(word, word)
		}
	}
}

// peer is an agent that runs, and the wires of its interfaces.
type peer struct {
	*control.Client
	cmd   *exec.Cmd
	wires []io.ReadWriter
}

// sockets is a folder whose path is short enough for the addresses of sockets.
func sockets(t *testing.T) string {
	dir, err := os.MkdirTemp("", "agent")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start starts an agent in namespaces of its own, with interfaces eth0 and so on.
func start(t *testing.T, interfaces int, arguments ...string) *peer {
	return startAs(t, os.Geteuid(), interfaces, arguments...)
}

// startAs starts it as another user of this machine, who is root of its namespaces.
func startAs(t *testing.T, uid, interfaces int, arguments ...string) *peer {
	if os.Geteuid() == 0 {
		needs.Tool(t, "namespace")
	}
	dir := sockets(t)
	require.NoError(t, os.Chmod(dir, 0o711))
	line, err := net.Listen("unix", filepath.Join(dir, "control"))
	require.NoError(t, err)
	defer line.Close()
	wire, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(dir, "wire"), Net: "unixpacket"})
	require.NoError(t, err)
	defer wire.Close()

	arguments = append(arguments, "--control", line.Addr().String(), "--wire", wire.Addr().String())
	for i := range interfaces {
		arguments = append(arguments, "--interface", "eth"+string(rune('0'+i)))
	}
	for _, name := range []string{"control", "wire"} {
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o666))
	}
	p := &peer{cmd: exec.Command("/proc/self/exe", arguments...)}
	p.cmd.Env = []string{"AGENT_TEST_AS=agent"}
	p.cmd.Stdout, p.cmd.Stderr = os.Stderr, os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if uid != 0 {
		gid := os.Getgid()
		if os.Geteuid() == 0 {
			gid = uid
			p.cmd.SysProcAttr.Credential = &syscall.Credential{NoSetGroups: true}
		}
		p.cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		p.cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		p.cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
	}
	err = p.cmd.Start()
	if uid != 0 && err != nil {
		needs.Missing(t, "namespace", fmt.Sprintf("without root's rights a user namespace is needed: %v", err))
	}
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() { p.cmd.Wait(); close(ended); line.Close(); wire.Close() }()
	t.Cleanup(func() {
		if p.Client != nil {
			p.Close()
		}
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Error("the agent does not end with the conversation")
			p.cmd.Process.Kill()
			<-ended
		}
	})
	c, err := line.Accept()
	require.NoError(t, err, "the agent did not come")
	for i := range interfaces {
		u, err := wire.AcceptUnix()
		require.NoError(t, err, "the agent did not offer its interfaces")
		w, err := control.AcceptWire(u)
		require.NoError(t, err)
		require.Equal(t, "eth"+string(rune('0'+i)), w.Interface)
		t.Cleanup(func() { u.Close() })
		if w.TAP != nil {
			t.Cleanup(func() { w.TAP.Close() })
			p.wires = append(p.wires, w.TAP)
		} else {
			p.wires = append(p.wires, u)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p.Client, err = control.Connect(ctx, c)
	require.NoError(t, err)
	return p
}

// inNamespace starts an agent with a small root filesystem.
func inNamespace(t *testing.T, interfaces int) *peer {
	return start(t, interfaces, "namespace", "--root", testRoot(t))
}

// exec runs a shell command.
func (p *peer) exec(t *testing.T, command string) *control.Exited {
	x, err := p.Client.Exec(t.Context(), &control.Exec{Argv: []string{"sh", "-c", command}})
	require.NoError(t, err)
	return x
}

func TestHello(t *testing.T) {
	p := inNamespace(t, 0)
	w, err := p.Hello(t.Context())
	require.NoError(t, err)
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(string(release)), w.Kernel)
	require.False(t, w.Clock, "it is the machine's")

	states, err := p.XFRM(t.Context())
	if w.ESP || w.AH {
		require.NoError(t, err)
		require.Empty(t, states, "the probe leaves nothing")
	} else if err != nil {
		require.ErrorIs(t, err, control.ErrUnsupported)
	}
	err = p.Setup(t.Context(), &control.Setup{Date: time.Now()})
	require.ErrorIs(t, err, control.ErrUnsupported, "the machine's clock is not touched")
}

func TestFiles(t *testing.T) {
	root := testRoot(t)
	p := start(t, 0, "namespace", "--root", root)
	ctx := t.Context()
	long := make([]byte, control.MaxFile+10)
	copy(long, "beginning")
	copy(long[control.MaxFile:], "0123456789")
	for range 2 { // what is there is written anew
		require.NoError(t, p.WriteFiles(ctx,
			control.File{Path: "/etc/swanctl/private/key.pem", Mode: 0o600, Data: []byte("secret")},
			control.File{Path: "/etc/motd", Mode: 0o640, Data: []byte("of the lab")}))
	}
	for at := 0; at < len(long); at += 4 << 20 {
		require.NoError(t, p.WriteFiles(ctx, control.File{Path: "/tmp/part", Mode: 0o600, Data: long[at:min(len(long), at+4<<20)]}))
		require.Zero(t, p.exec(t, "cat /tmp/part >>/tmp/long").Code)
	}
	b, leftOut, err := p.ReadFile(ctx, "/etc/swanctl/private/key.pem")
	require.NoError(t, err)
	require.Equal(t, "secret", string(b))
	require.Zero(t, leftOut)
	b, _, err = p.ReadFile(ctx, "/etc/motd")
	require.NoError(t, err)
	require.Equal(t, "of the lab", string(b))
	b, _, err = p.ReadFile(ctx, "/proc/self/status")
	require.NoError(t, err)
	require.Contains(t, string(b), "Pid:\t1\n")
	b, leftOut, err = p.ReadFile(ctx, "/tmp/long")
	require.NoError(t, err)
	require.Len(t, b, control.MaxFile)
	require.EqualValues(t, 10, leftOut)
	require.Equal(t, "0123456789", string(b[len(b)-10:]))

	for _, bad := range []string{"etc/motd", "/nothing", "/etc", "/dev/zero"} {
		_, _, err = p.ReadFile(ctx, bad)
		require.Error(t, err, bad)
	}
	require.Error(t, p.WriteFiles(ctx, control.File{Path: "relative"}))
	require.Error(t, p.WriteFiles(ctx, control.File{Path: "/etc/motd/below"}))

	b, err = os.ReadFile(filepath.Join(root, "etc/motd"))
	require.NoError(t, err)
	require.Equal(t, "of the image", string(b), "the image is not written to")
}

// A user whose image is another's has a copy, as nobody may write over the files of users who are not in a namespace.
func TestImageOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		needs.Missing(t, "root", "nobody else makes an image of another user")
	}
	const nobody = 65534
	root := testRoot(t)
	require.NoError(t, os.Chmod(filepath.Dir(root), 0o711))
	require.NoError(t, os.Mkdir(filepath.Join(root, "closed"), 0o555))
	require.NoError(t, os.Symlink("/etc/motd", filepath.Join(root, "tmp", "link")))
	p := startAs(t, nobody, 1, "namespace", "--root", root)
	ctx := t.Context()
	for _, path := range []string{"/etc/motd", "/etc/new", "/closed/file"} {
		require.NoError(t, p.WriteFiles(ctx, control.File{Path: path, Mode: 0o640, Data: []byte("of the lab")}))
	}
	x := p.exec(t, "echo >>/bin/daemon; cat /tmp/link")
	require.Equal(t, &control.Exited{Output: []byte("of the lab")}, x)
	require.NoError(t, p.Setup(ctx, setup(1, false)))
	b, err := os.ReadFile(filepath.Join(root, "etc/motd"))
	require.NoError(t, err)
	require.Equal(t, "of the image", string(b))
	require.NoFileExists(t, filepath.Join(root, "etc/new"))
}

func TestExec(t *testing.T) {
	p := inNamespace(t, 0)
	run := func(e control.Exec) *control.Exited {
		t.Helper()
		x, err := p.Client.Exec(t.Context(), &e)
		require.NoError(t, err)
		return x
	}
	x := run(control.Exec{Argv: []string{"sh", "-c", `echo out; echo err >&2; echo "$COLOUR $HOME"; cat; exit 3`}, Env: []string{"COLOUR=red"}})
	require.Equal(t, &control.Exited{Code: 3, Output: []byte("out\nerr\nred /root\n")}, x)
	x = run(control.Exec{Argv: []string{"sh", "-c", "kill -TERM $$"}})
	require.Equal(t, 128+15, x.Code)
	require.NoError(t, p.WriteFiles(t.Context(), control.File{Path: "/tmp/long", Mode: 0o600, Data: make([]byte, 3*execLimit)}))
	x = run(control.Exec{Argv: []string{"sh", "-c", "cat /tmp/long; echo end"}})
	require.Len(t, x.Output, execLimit)
	require.EqualValues(t, 2*execLimit+4, x.LeftOut)
	require.Equal(t, "\x00end\n", string(x.Output[execLimit-5:]), "the last of it is kept")

	begun := time.Now()
	x = run(control.Exec{Argv: []string{"sh", "-c", "yes & sleep 100"}, Within: 200 * time.Millisecond})
	require.True(t, x.TimedOut)
	require.Equal(t, 128+9, x.Code)
	require.Contains(t, string(x.Output), "y\ny\n")
	require.Less(t, time.Since(begun), 5*time.Second)
	require.Eventually(t, func() bool {
		return !strings.Contains(string(p.exec(t, "cat /proc/[0-9]*/cmdline").Output), "yes")
	}, 5*time.Second, 20*time.Millisecond, "children are killed too; on a busy machine that takes a moment")

	begun = time.Now()
	x = p.exec(t, "sleep 100 & echo done")
	require.Equal(t, "done\n", string(x.Output))
	require.Less(t, time.Since(begun), 5*time.Second, "what goes on in the background holds nothing up")

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := p.Client.Exec(ctx, &control.Exec{Argv: []string{"sleep", "4711"}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Eventually(t, func() bool {
		return !strings.Contains(string(p.exec(t, "cat /proc/[0-9]*/cmdline").Output), "4711")
	}, 5*time.Second, 20*time.Millisecond, "a command that nobody waits for is killed")

	_, err = p.Client.Exec(t.Context(), &control.Exec{Argv: []string{"nothing-of-this-name"}})
	require.ErrorContains(t, err, "nothing-of-this-name")
	_, err = p.Client.Exec(t.Context(), &control.Exec{})
	require.Error(t, err)
	require.Equal(t, "still here\n", string(p.exec(t, "echo still here").Output))
}

func TestDaemon(t *testing.T) {
	p := inNamespace(t, 0)
	ctx := t.Context()
	const socket = "/run/daemon.sock"
	d := &control.Start{Name: "d", Argv: []string{"daemon", socket}, Env: []string{"AGENT_TEST_AS=daemon"}, Log: "/var/log/d.log", Ready: socket}
	require.NoError(t, p.Start(ctx, d))
	require.ErrorContains(t, p.Start(ctx, d), "runs already")

	c, err := p.Dial(ctx, "unix", socket)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("hello"))
	require.NoError(t, err)
	b := make([]byte, 5)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))

	require.NoError(t, p.Signal(ctx, &control.Signal{Name: "d", Signal: int(syscall.SIGKILL), Wait: time.Second}))
	_, err = c.Read(b)
	require.Equal(t, io.EOF, err)
	require.NoError(t, p.Signal(ctx, &control.Signal{Name: "d", Signal: int(syscall.SIGKILL), Wait: time.Second}), "it has ended already")
	require.ErrorContains(t, p.Signal(ctx, &control.Signal{Name: "d", Signal: int(syscall.SIGHUP)}), "d has ended: signal 9, killed\ndaemon starts")
	require.ErrorContains(t, p.Signal(ctx, &control.Signal{Name: "e", Signal: 1}), "no daemon")
	require.NoError(t, p.Start(ctx, d), "its socket of before does not count")
	log, _, err := p.ReadFile(ctx, d.Log)
	require.NoError(t, err)
	require.Equal(t, "daemon starts\ndaemon starts\n", string(log), "the log goes on")
	require.ErrorContains(t, p.Signal(ctx, &control.Signal{Name: "d", Signal: 999}), "no signal 999")

	early := &control.Start{Name: "early", Argv: []string{"sh", "-c", "echo bad configuration; exit 5"}, Log: "/var/log/early", Ready: "/run/early"}
	require.ErrorContains(t, p.Start(ctx, early), "early ended before it was ready: exit status 5\nbad configuration")
	late := &control.Start{Name: "late", Argv: []string{"sleep", "4712"}, Log: "/var/log/late", Ready: "/run/late", Within: 100 * time.Millisecond}
	require.ErrorContains(t, p.Start(ctx, late), "was not ready within 100ms")
	require.NotContains(t, string(p.exec(t, "cat /proc/[0-9]*/cmdline").Output), "4712")
	stubborn := &control.Start{Name: "stubborn", Argv: []string{"sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"}, Log: "/var/log/stubborn"}
	require.NoError(t, p.Start(ctx, stubborn))
	time.Sleep(50 * time.Millisecond)
	require.ErrorContains(t, p.Signal(ctx, &control.Signal{Name: "stubborn", Signal: 15, Wait: 200 * time.Millisecond}), "has not ended within")

}

// A daemon that ends by itself is told of, with the last of what it has said; one that was to end is not, nor one that
// runs again.
func TestDied(t *testing.T) {
	p := inNamespace(t, 0)
	ctx := t.Context()
	died := func() []control.Death {
		t.Helper()
		all, err := p.Died(ctx)
		require.NoError(t, err)
		return all
	}
	begin := func(name, script string) {
		t.Helper()
		require.NoError(t, p.Start(ctx, &control.Start{Name: name, Argv: []string{"sh", "-c", script}, Log: "/run/" + name + ".out", Logs: "/run/" + name + ".log"}))
	}
	require.Empty(t, died())
	begin("exits", "echo out of memory; echo 'ABORT: no' >/run/exits.log; exit 3")
	begin("hangs", "sleep 4714")
	begin("told", "sleep 4715")
	require.NoError(t, p.Signal(ctx, &control.Signal{Name: "told", Signal: int(syscall.SIGKILL), Wait: time.Second}))
	require.Eventually(t, func() bool { return len(died()) == 1 }, 5*time.Second, 10*time.Millisecond)
	d := died()[0]
	require.Positive(t, d.PID)
	require.Equal(t, control.Death{Name: "exits", PID: d.PID, How: "exit status 3", Output: []byte("out of memory\n"), Log: []byte("ABORT: no\n")}, d)
	p.exec(t, "kill -9 -1") // all that it may signal, but the agent
	require.Eventually(t, func() bool { return len(died()) == 2 }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, "signal 9, killed", died()[1].How)
	require.True(t, died()[1].Killed)
	begin("exits", "sleep 4716")
	require.Len(t, died(), 1)
	require.NoError(t, p.Signal(ctx, &control.Signal{Name: "hangs", Signal: int(syscall.SIGTERM), Wait: time.Second}), "it has ended already")
	require.Empty(t, died(), "and was to")
}
