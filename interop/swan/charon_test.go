package swan

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

// jail starts charon in namespaces of its own, with a root filesystem that it does not change.
const jail = `set -e
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
export STRONGSWAN_CONF=/mnt/strongswan.conf
exec chroot . /usr/lib/ipsec/charon
`

// daemon is a charon that runs.
type daemon struct {
	*Client
	pid  int    // of a process in its network namespace
	root string // its root filesystem
}

// charon runs a real one.
func charon(t *testing.T, image string, k Kind, addresses string) daemon {
	unshare := needs.Tool(t, "namespace")
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	roots, err := filepath.Glob(filepath.Join(cache, "ipseclab", "rootfs", image+"-*"))
	require.NoError(t, err)
	if len(roots) == 0 {
		needs.Missing(t, "namespace", "no root filesystem of "+image+" in the cache: make images")
	}
	dir, err := os.MkdirTemp("", "charon") // the path of a socket is short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := Daemon{Kind: k, Log: "/mnt/log", Socket: "/mnt/vici"}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "strongswan.conf"), []byte(d.Text()), 0o644))
	out, err := os.Create(filepath.Join(dir, "out"))
	require.NoError(t, err)
	cmd := exec.Command(unshare, "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", jail, "sh",
		roots[0], dir, addresses)
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
		if t.Failed() {
			for _, name := range []string{"out", "log"} {
				text, _ := os.ReadFile(filepath.Join(dir, name))
				t.Logf("%s:\n%s", name, text[max(0, len(text)-6000):])
			}
		}
	})
	c := NewClient(Unix(filepath.Join(dir, "vici")))
	require.Eventually(t, func() bool {
		_, err := c.Version(context.Background())
		return err == nil
	}, 10*time.Second, 20*time.Millisecond, "charon is not ready")
	return daemon{c, cmd.Process.Pid, roots[0]}
}

// A real charon takes each configuration, and lists what was meant.
func TestCharonLoads(t *testing.T) {
	for _, image := range []string{"strongswan-5.9", "strongswan-6.0"} {
		for _, k := range []Kind{Native, LibIPsec} {
			t.Run(image+"/"+k.String(), func(t *testing.T) {
				c := charon(t, image, k, "10.0.0.1/24 10.1.0.1/24 2001:db8::1/64")
				ctx := context.Background()
				v, err := c.Version(ctx)
				require.NoError(t, err)
				require.Contains(t, v.Daemon, "charon")
				t.Log(v)
				algorithms, err := c.Algorithms(ctx)
				require.NoError(t, err)
				for _, s := range sample.Cases() {
					if s.Why != "" {
						continue
					}
					t.Run(s.Name, func(t *testing.T) { loads(t, ctx, c.Client, s, k, algorithms) })
				}
			})
		}
	}
}

func loads(t *testing.T, ctx context.Context, c *Client, s sample.Case, k Kind, algorithms Algorithms) {
	config, err := peerconf.Build(s.Host)
	require.NoError(t, err)
	conf, err := Build(config, k)
	if _, ok := errors.AsType[*peerconf.Unsupported](err); ok {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, conf.Check(algorithms))
	require.NoError(t, c.Load(ctx, conf))
	listed, err := c.Connections(ctx)
	require.NoError(t, err)
	var want, got []string
	for _, i := range conf.Connections.Items {
		want = append(want, i.(*Section).Name)
	}
	for _, l := range listed {
		got = append(got, l.Name)
		i := slices.IndexFunc(config.Connections, func(conn peerconf.Connection) bool { return conn.Name == l.Name })
		if i < 0 {
			require.Len(t, l.Children, len(config.Shunts))
			continue
		}
		for _, ch := range config.Connections[i].Children {
			loaded, ok := l.Children[ch.Name]
			require.True(t, ok, ch.Name)
			require.Equal(t, map[string]string{"tunnel": "TUNNEL", "transport": "TRANSPORT"}[ch.Mode.String()], loaded.Mode)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got)

	// What is trapped, passed and dropped is in force.
	if k.Userspace() {
		return
	}
	policies, err := c.Policies(ctx)
	require.NoError(t, err)
	var inForce, expected []string
	for _, p := range policies {
		inForce = append(inForce, p.Child)
	}
	for _, conn := range config.Connections {
		for _, ch := range conn.Children {
			if ch.Start == peerconf.Trap {
				expected = append(expected, ch.Name)
			}
		}
	}
	for _, sh := range config.Shunts {
		expected = append(expected, sh.Name)
	}
	require.ElementsMatch(t, expected, inForce)
}
