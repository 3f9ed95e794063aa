//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/images"
)

// built is the agent as it is built for images, made once for all tests.
var built = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "agent"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "agent"))
})

// machine is one of user-mode Linux.
type machine struct {
	*peer
	line  net.Conn
	ended chan struct{}
	ready time.Duration // from its start until the agent greeted
}

// bootGuest starts a machine with one interface, by the command line of the package's doc comment.
func bootGuest(t *testing.T) *machine {
	store, err := images.Open("")
	require.NoError(t, err)
	kernel, modules, err := store.Kernel()
	if errors.Is(err, images.ErrNotBuilt) {
		needs.Missing(t, "uml", err.Error())
	}
	require.NoError(t, err)
	root, _, err := store.Rootfs("strongswan-5.9")
	if errors.Is(err, images.ErrNotBuilt) {
		needs.Missing(t, "uml", err.Error())
	}
	require.NoError(t, err)
	releases, err := filepath.Glob(filepath.Join(modules, "*", "modules.dep"))
	require.NoError(t, err)
	require.Len(t, releases, 1)

	stage := t.TempDir()
	agent, err := built()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(stage, "agent"), agent, 0o755))
	for _, dir := range []string{"proc", "run"} {
		require.NoError(t, os.Mkdir(filepath.Join(stage, dir), 0o755))
	}
	memory, err := os.MkdirTemp("/dev/shm", "uml")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(memory) })
	console, err := os.Create(filepath.Join(memory, "console"))
	require.NoError(t, err)
	defer console.Close()
	lab, line := socketPair(t, syscall.SOCK_STREAM)
	wire, vector := socketPair(t, syscall.SOCK_SEQPACKET)

	cmd := exec.Command(kernel, "mem=96M", "umid=g", "uml_dir="+memory+"/", "con=null", "con0=null,fd:1", "ssl=null", "ssl0=fd:3", "quiet",
		"root=/dev/root", "rootfstype=hostfs", "rootflags="+stage, "ro", "init=/agent",
		"ipseclab.root="+root, "ipseclab.modules="+filepath.Dir(releases[0]), "vec0:transport=fd,fd=4,vec=0",
		"pty.legacy_count=0", "lpj=10000000", "cryptomgr.notests=1",
		"initcall_blacklist=raid6_select_algo,calibrate_xor_blocks,init_zswap,init_jfs_fs,init_xfs_fs,init_btrfs_fs")
	cmd.Env = []string{"TMPDIR=" + memory, "PATH=/usr/bin:/bin"}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{line, vector}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	begun := time.Now()
	require.NoError(t, cmd.Start())
	line.Close()
	vector.Close()
	g := &machine{peer: &peer{cmd: cmd}, ended: make(chan struct{})}
	go func() { cmd.Wait(); close(g.ended) }()
	t.Cleanup(func() {
		if g.line != nil {
			g.line.Close()
		}
		select {
		case <-g.ended:
		case <-time.After(10 * time.Second):
			t.Error("the machine does not end with its line")
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-g.ended
		if t.Failed() {
			b, _ := os.ReadFile(console.Name())
			t.Logf("the kernel printed\n%s", b)
		}
	})
	g.line, err = net.FileConn(lab)
	require.NoError(t, err)
	frames, err := net.FileConn(wire)
	require.NoError(t, err)
	lab.Close()
	wire.Close()
	t.Cleanup(func() { frames.Close() })
	g.wires = append(g.wires, frames)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	g.Client, err = control.Connect(ctx, g.line)
	require.NoError(t, err)
	g.ready = time.Since(begun)
	return g
}

// socketPair are two ends of a connection.
func socketPair(t *testing.T, kind int) (a, b *os.File) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	return os.NewFile(uintptr(fds[0]), "lab"), os.NewFile(uintptr(fds[1]), "peer")
}

// guestSetup is that of the n-th of several machines.
func guestSetup(n int) *control.Setup {
	s := setup(n, true)
	s.Interfaces[0].Name = "vec0"
	return s
}

func TestGuest(t *testing.T) {
	g := bootGuest(t)
	t.Logf("the agent greeted after %v", g.ready)
	ctx := t.Context()
	w, err := g.Hello(ctx)
	require.NoError(t, err)
	require.True(t, w.ESP)
	require.True(t, w.AH)
	require.True(t, w.Clock)

	t.Run("the line carries much", func(t *testing.T) {
		data := make([]byte, 100_000)
		for i := range data {
			data[i] = byte(i*7 + i>>8*3 + i>>16)
		}
		var all sync.WaitGroup
		for i := range 3 { // side by side
			all.Go(func() {
				path := fmt.Sprintf("/etc/swanctl/%d", i)
				require.NoError(t, g.WriteFiles(ctx, control.File{Path: path, Mode: 0o600, Data: data}))
				b, _, err := g.ReadFile(ctx, path)
				require.NoError(t, err)
				require.True(t, bytes.Equal(data, b), path)
			})
		}
		all.Wait()
	})
	t.Run("date", func(t *testing.T) {
		s := guestSetup(1)
		s.Date = time.Date(2005, 3, 30, 12, 0, 0, 0, time.UTC)
		require.NoError(t, g.Setup(ctx, s))
		require.Contains(t, string(g.exec(t, "date -u +%Y-%m-%d; hostname").Output), "2005-03-30\npeer1\n")
	})
	t.Run("SAs", func(t *testing.T) { testStates(t, g.peer) })
	t.Run("end of the line", func(t *testing.T) {
		require.NoError(t, g.Close())
		select {
		case <-g.ended:
		case <-time.After(10 * time.Second):
			t.Fatal("the machine goes on")
		}
	})
}

// testStates adds SAs of every kind that daemons negotiate, and reads them back.
func testStates(t *testing.T, p *peer) {
	key := func(n int) string { return "0x" + strings.Repeat("5a", n) }
	const from = "src 10.9.0.1 dst 10.9.0.2 "
	var want []string
	var batch strings.Builder
	add := func(name, arguments string) {
		fmt.Fprintf(&batch, "xfrm state add %s spi 0x%x %s\n", from, 0x1000+len(want), arguments)
		want = append(want, name)
	}
	for cipher, k := range map[string]string{
		"cbc(aes)": key(32), "cbc(camellia)": key(16), "cbc(blowfish)": key(16), "cbc(cast5)": key(16), "rfc3686(ctr(aes))": key(20),
		"cbc(des)": "0x0123456789abcdef", "cbc(des3_ede)": "0x0123456789abcdef23456789abcdef01456789abcdef0123", // weak keys are refused
	} {
		add(cipher, "proto esp mode tunnel enc '"+cipher+"' "+k+" auth-trunc 'hmac(sha1)' "+key(20)+" 96")
	}
	for auth, n := range map[string][2]int{"hmac(md5)": {16, 96}, "hmac(sha1)": {20, 96}, "hmac(sha256)": {32, 128}, "hmac(sha384)": {48, 192}, "hmac(sha512)": {64, 256}, "xcbc(aes)": {16, 96}, "cmac(aes)": {16, 96}} {
		add(auth, fmt.Sprintf("proto esp mode transport enc 'cbc(aes)' %s auth-trunc '%s' %s %d", key(16), auth, key(n[0]), n[1]))
		add(auth, fmt.Sprintf("proto ah mode transport auth-trunc '%s' %s %d", auth, key(n[0]), n[1]))
	}
	add("null", "proto esp mode transport enc 'ecb(cipher_null)' \"\" auth-trunc 'hmac(sha1)' "+key(20)+" 96")
	for aead, n := range map[string][2]int{"rfc4106(gcm(aes))": {36, 128}, "rfc4309(ccm(aes))": {19, 128}, "rfc4543(gcm(aes))": {20, 128}, "rfc7539esp(chacha20,poly1305)": {36, 128}} {
		add(aead, fmt.Sprintf("proto esp mode tunnel flag esn replay-window 64 aead '%s' %s %d", aead, key(n[0]), n[1]))
	}
	add("NAT-T", "proto esp mode transport reqid 7 replay-window 32 encap espinudp 4500 4501 0.0.0.0 enc 'cbc(aes)' "+key(16)+" auth-trunc 'hmac(sha1)' "+key(20)+" 96 limit time-hard 3600")

	require.NoError(t, p.WriteFiles(t.Context(), control.File{Path: "/tmp/states", Mode: 0o600, Data: []byte(batch.String())}))
	x := p.exec(t, "ip -batch /tmp/states")
	require.Zero(t, x.Code, string(x.Output))
	states, err := p.XFRM(t.Context())
	require.NoError(t, err)
	require.Len(t, states, len(want))
	for _, s := range states {
		name := want[s.SPI-0x1000]
		require.Equal(t, "10.9.0.1 10.9.0.2", s.Src.String()+" "+s.Dst.String())
		switch {
		case s.ESN:
			require.Equal(t, name, s.Cipher)
			require.Equal(t, "tunnel", s.Mode)
			require.Equal(t, 128, s.ICVBits)
		case name == "NAT-T":
			require.Equal(t, 7, s.ReqID)
			require.Equal(t, [2]uint16{4500, 4501}, [2]uint16{s.EncapSrc, s.EncapDst})
			require.Equal(t, uint64(3600), s.Seconds)
			require.Equal(t, bytes.Repeat([]byte{0x5a}, 20), s.AuthKey)
			require.Equal(t, bytes.Repeat([]byte{0x5a}, 16), s.CipherKey)
		case name == "null":
			require.Equal(t, "ecb(cipher_null)", s.Cipher)
			require.Empty(t, s.CipherKey)
		case s.Protocol == 51:
			require.Equal(t, name, s.Auth)
			require.Empty(t, s.Cipher)
		case strings.HasPrefix(name, "cbc") || strings.HasPrefix(name, "rfc3686"):
			require.Equal(t, name, s.Cipher)
		default:
			require.Equal(t, name, s.Auth)
		}
	}
	require.Zero(t, p.exec(t, "ip xfrm policy add dir out src 10.9.0.1 dst 10.9.0.2 tmpl proto esp mode transport").Code)
	require.NoError(t, p.Setup(t.Context(), &control.Setup{}))
	states, err = p.XFRM(t.Context())
	require.NoError(t, err)
	require.Empty(t, states)
	require.Empty(t, string(p.exec(t, "ip xfrm policy").Output))
}

// Two machines talk, in clear and with keys by hand, twice.
func TestGuests(t *testing.T) {
	a, b := bootGuest(t), bootGuest(t)
	join(a.peer, b.peer)
	ctx := t.Context()
	const s = time.Second
	traffic := func(to string) {
		t.Helper()
		r, err := a.Ping(ctx, &control.Ping{To: netip.MustParseAddr(to), Count: 3, Size: 3000, Interval: 10 * time.Millisecond, Timeout: 5 * s})
		require.NoError(t, err)
		require.Equal(t, "ok", r.Result, r.Error)
		r, err = a.Call(ctx, &control.Call{To: netip.AddrPortFrom(netip.MustParseAddr(to), 80), Request: 50_000, Response: 50_000, Timeout: 10 * s})
		require.NoError(t, err)
		require.Equal(t, "ok", r.Result, r.Error)
		r, err = a.UDP(ctx, &control.UDP{To: netip.AddrPortFrom(netip.MustParseAddr(to), 7), Count: 5, Size: 1000, InFlight: 5, Timeout: 5 * s})
		require.NoError(t, err)
		require.Equal(t, "ok", r.Result, r.Error)
	}
	for range 2 {
		require.NoError(t, a.Setup(ctx, guestSetup(1)))
		require.NoError(t, b.Setup(ctx, guestSetup(2)))
		require.NoError(t, b.Serve(ctx, control.Serve{Protocol: 6, Port: 80}))
		require.NoError(t, b.Serve(ctx, control.Serve{Protocol: 17, Port: 7}))
		traffic("10.9.0.2")
		traffic("fd09::2")
		keys := "ip xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1000 mode transport enc 'cbc(aes)' 0x00112233445566778899aabbccddeeff auth 'hmac(sha1)' 0x00112233445566778899aabbccddeeff00112233;" +
			"ip xfrm state add src 10.9.0.2 dst 10.9.0.1 proto esp spi 0x1001 mode transport enc 'cbc(aes)' 0x00112233445566778899aabbccddeeff auth 'hmac(sha1)' 0x00112233445566778899aabbccddeeff00112233;"
		policy := "ip xfrm policy add dir %s src 10.9.0.1 dst 10.9.0.2 tmpl proto esp mode transport; ip xfrm policy add dir %s src 10.9.0.2 dst 10.9.0.1 tmpl proto esp mode transport"
		require.Zero(t, a.exec(t, keys+fmt.Sprintf(policy, "out", "in")).Code)
		require.Zero(t, b.exec(t, keys+fmt.Sprintf(policy, "in", "out")).Code)
		traffic("10.9.0.2")
		states, err := a.XFRM(ctx)
		require.NoError(t, err)
		require.Len(t, states, 2)
		for _, s := range states {
			require.Greater(t, s.Packets, uint64(10))
			require.Greater(t, s.Bytes, uint64(50_000))
		}
		require.NoError(t, a.Setup(ctx, &control.Setup{}))
		require.NoError(t, b.Setup(ctx, &control.Setup{}))
		r, err := a.Ping(ctx, &control.Ping{To: netip.MustParseAddr("10.9.0.2"), Count: 1, Size: 8, Timeout: s})
		require.NoError(t, err)
		require.Equal(t, "unreachable", r.Result)
	}
}
