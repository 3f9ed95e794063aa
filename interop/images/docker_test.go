package images

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
)

// builtPeer is a store with the made-up peer under the name of a real image, and a kernel.
func builtPeer(t *testing.T) (*Builder, *Store) {
	m, p := withPeer(t), testProfile()
	p.Name = "strongswan-5.9"
	b, _ := m.builder(p)
	_, err := b.build(t.Context(), p)
	require.NoError(t, err)
	uml, _ := Named(Kernel)
	kernel := Section{Image: Kernel, Suite: uml.Suite}
	b.lock = b.lock.with(kernel)
	s, err := open(b.Cache, b.lock)
	require.NoError(t, err)
	// The store knows the real profile, whose users are others: the folder has the name for it.
	real, _ := Named(p.Name)
	section, _ := b.lock.Of(p.Name)
	require.NoError(t, os.Rename(s.dir(infoOf(p, section)), s.dir(infoOf(real, section))))
	dir := s.dir(infoOf(uml, kernel))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, kernelModules, "6.1/kernel"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "usr/bin/linux.uml"), []byte("kernel"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, kernelModules, "6.1/modules.dep"), []byte("dep"), 0o644))
	return b, s
}

func TestImageAsTar(t *testing.T) {
	_, s := builtPeer(t)
	_, rootfs, err := s.Find("strongswan-5.9")
	require.NoError(t, err)
	_, kernel, err := s.Find(Kernel)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, writeImage(&out, rootfs, kernel))
	found := map[string]string{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.NotContains(t, found, h.Name, "no name is there twice")
		require.Zero(t, h.Uid+h.Gid, "all is root's")
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		found[h.Name] = string(content) + h.Linkname
	}
	require.Subset(t, found, map[string]string{
		"usr/sbin/daemon": "I serve", "usr/bin/linux.uml": "kernel", "usr/lib/modules/6.1/modules.dep": "dep", "lib": "usr/lib", "proc/": "", "lab/": "",
	})
}

func TestImportMessages(t *testing.T) {
	require.NoError(t, importResult(strings.NewReader(`{"status":"x"}{"status":"sha256:1"}`)))
	require.ErrorContains(t, importResult(strings.NewReader(`{"status":"x"}{"error":"no space left"}`)), "no space left")
	require.Error(t, importResult(strings.NewReader(`{"status":`)))
}

func TestNoDocker(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none"))
	_, s := builtPeer(t)
	_, err := s.DockerImage(t.Context(), "strongswan-5.9")
	require.ErrorIs(t, err, ErrNoDocker)
}

// docker is the daemon, or the reason why the test does not run.
func docker(t *testing.T) *client.Client {
	c, err := Docker(t.Context())
	if errors.Is(err, ErrNoDocker) {
		needs.Missing(t, "docker", err.Error())
	}
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// An image goes into Docker once, and another of Docker takes its place until the lock is asked for again.
func TestDockerAndBack(t *testing.T) {
	c := docker(t)
	b, s := builtPeer(t)
	tag, err := s.DockerImage(t.Context(), "strongswan-5.9")
	require.NoError(t, err)
	remove := func(tag string) {
		_, err := c.ImageRemove(context.WithoutCancel(t.Context()), tag, client.ImageRemoveOptions{Force: true})
		require.NoError(t, err)
	}
	defer remove(tag)
	require.True(t, strings.HasPrefix(tag, "ipseclab/strongswan-5.9:"), tag)
	first, err := c.ImageInspect(t.Context(), tag)
	require.NoError(t, err)
	require.Equal(t, "strongswan-5.9", first.Config.Labels["org.ipseclab.image"])
	again, err := s.DockerImage(t.Context(), "strongswan-5.9")
	require.NoError(t, err)
	require.Equal(t, tag, again)
	second, err := c.ImageInspect(t.Context(), tag)
	require.NoError(t, err)
	require.Equal(t, first.ID, second.ID, "not imported again")

	// Somebody's own: a tree with the daemon where the profile has it, and dpkg's list of packages.
	p, _ := Named("strongswan-5.9")
	own := makeTar(t, folder("usr/lib/ipsec/"), file(p.Daemon[1:], "own", 0o755), symlink("bin", "usr/bin"), file("var/lib/dpkg/status",
		"Package: strongswan-charon\nStatus: install ok installed\nVersion: 9.9-1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n", 0o644))
	const ownTag = "ipseclab-test/own:1"
	answer, err := c.ImageImport(t.Context(), client.ImageImportSource{Source: bytes.NewReader(own), SourceName: "-"}, ownTag, client.ImageImportOptions{})
	require.NoError(t, err)
	require.NoError(t, importResult(answer))
	defer remove(ownTag)

	_, err = b.Take(t.Context(), "strongswan-5.9", tag)
	require.ErrorContains(t, err, "it has no "+p.Daemon, "the made-up peer has its daemon elsewhere")
	taken, err := b.Take(t.Context(), "strongswan-5.9", ownTag)
	require.NoError(t, err)
	require.Equal(t, ownTag, taken.From)
	dir, info, err := s.Rootfs("strongswan-5.9")
	require.NoError(t, err)
	require.Equal(t, taken, info)
	require.Equal(t, "9.9-1", info.DaemonVersion())
	require.Empty(t, info.Version("gone"))
	got, err := os.ReadFile(filepath.Join(dir, p.Daemon))
	require.NoError(t, err)
	require.Equal(t, "own", string(got))
	built, err := b.Build(t.Context(), "strongswan-5.9")
	require.NoError(t, err)
	require.Equal(t, taken, built, "it stays in place of what the lock says")

	require.NoError(t, b.GoBack("strongswan-5.9"))
	_, info, err = s.Rootfs("strongswan-5.9")
	require.NoError(t, err)
	require.Equal(t, "1.0-1", info.Version("daemon"))
	list, err := c.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("ancestor", ownTag)})
	require.NoError(t, err)
	require.Empty(t, list.Items, "no container is left behind")
}
