// Package jail runs a daemon of a root filesystem in namespaces of its own, for tests that want its own
// word on a configuration. The packets of several jails can meet on a wire.
package jail

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipseclab/ipseclab/internal/needs"
)

// Jail is a network, mount and process namespace with a daemon.
type Jail struct {
	Dir  string // a folder of the machine, which is /mnt in the jail
	root string
	pid  int // of a process in its namespaces' parent
}

// script prepares the file system and becomes the command. Whatever it mounts ends with the namespace.
const script = `set -e
mount --make-rprivate /
ip link set lo up
for a in $3; do ip addr add $a dev lo; done
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs run run
mount -t tmpfs tmp tmp
mount --bind "$2" mnt
touch mnt/up
exec chroot . sh -c "$4"
`

// Start runs a command of the shell in the root filesystem of an image, with addresses on its loopback
// interface. The test is skipped, or fails, where the machine has no namespaces or the image was not made. What the
// command printed, and the files in Dir whose names are given, are shown when the test fails.
func Start(t *testing.T, image string, addresses []string, command string, files map[string]string, logs ...string) *Jail {
	t.Helper()
	unshare := needs.Tool(t, "namespace")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	roots, err := filepath.Glob(filepath.Join(cache, "ipseclab", "rootfs", image+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(roots) == 0 {
		needs.Missing(t, "namespace", "no root filesystem of "+image+" in the cache: make images")
	}
	j := &Jail{root: roots[0]}
	if j.Dir, err = os.MkdirTemp("", "jail"); err != nil { // short, for the path of a socket
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(j.Dir) })
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(j.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(filepath.Join(j.Dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(unshare, "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh",
		j.root, j.Dir, strings.Join(addresses, " "), command)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	j.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
		if !t.Failed() {
			return
		}
		for _, name := range append([]string{"out"}, logs...) {
			text, _ := os.ReadFile(filepath.Join(j.Dir, name))
			t.Logf("%s of %s:\n%s", name, image, text[max(0, len(text)-20000):])
		}
	})
	for deadline := time.Now().Add(10 * time.Second); !exists(filepath.Join(j.Dir, "up")); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the namespaces for %s are not there after 10 s", image)
		}
	}
	return j
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Run runs a command of the shell in the network of the jail and its root filesystem, without what was mounted there.
func (j *Jail) Run(command string) (string, error) {
	return j.run("nsenter", "-t", strconv.Itoa(j.pid), "-n", "chroot", j.root, "sh", "-c", command)
}

// Inside runs a command of the shell where the daemon is.
func (j *Jail) Inside(command string) (string, error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", j.pid))
	if err != nil {
		return "", fmt.Errorf("jail: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(children)), " ")
	if first == "" {
		return "", fmt.Errorf("jail: the daemon has ended")
	}
	return j.run("nsenter", "-t", first, "-n", "-m", "-p", "--root", "--wd=/proc/"+first+"/root", "sh", "-c", command)
}

func (j *Jail) run(args ...string) (string, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("jail: %s: %w: %s", args[len(args)-1], err, out)
	}
	return string(out), nil
}

// Wire joins two jails by a line, on which they have these addresses.
func Wire(a, b *Jail, addressA, addressB string) error {
	out, err := exec.Command("ip", "link", "add", "wire", "netns", strconv.Itoa(a.pid), "type", "veth",
		"peer", "name", "wire", "netns", strconv.Itoa(b.pid)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("jail: a wire: %w: %s", err, out)
	}
	for _, end := range []struct {
		jail    *Jail
		address string
	}{{a, addressA}, {b, addressB}} {
		for _, args := range [][]string{{"ip", "address", "add", end.address, "dev", "wire"}, {"ip", "link", "set", "wire", "up"}} {
			if _, err := end.jail.run(append([]string{"nsenter", "-t", strconv.Itoa(end.jail.pid), "-n"}, args...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// Read is what is in a file of Dir; "" where there is none.
func (j *Jail) Read(name string) string {
	text, _ := os.ReadFile(filepath.Join(j.Dir, name))
	return string(text)
}

// Dial connects to a socket in Dir.
func (j *Jail) Dial(name string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(j.Dir, name))
	}
}

// Network runs a program of the machine in the network of the jail.
func (j *Jail) Network(args ...string) (string, error) {
	return j.run(append([]string{"nsenter", "-t", strconv.Itoa(j.pid), "-n"}, args...)...)
}
