package images

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBuild(t *testing.T) {
	m, p := withPeer(t), testProfile()
	b, _ := m.builder(p)
	info, err := b.build(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, "1.0-1", info.DaemonVersion())
	require.Len(t, m.requests(), 3, "each package once, and nothing else")

	root := filepath.Join(b.Cache, "rootfs", "peer-"+info.Hash)
	for name, want := range map[string]string{
		"usr/sbin/daemon":  "I serve",
		"sbin/daemon":      "I serve", // through the link
		"usr/sbin/also":    "I serve",
		"usr/sbin/too":     "I serve",
		"usr/lib/x/lib.so": "lib",
		"bin/ls":           "a real ls", // no applet in its place
		"bin/awk":          "applets",
		"etc/daemon.conf":  "secret",
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n_daemon:x:101:101::/var/lib/daemon:/usr/sbin/nologin\n" +
			"nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
	} {
		got, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got), name)
	}
	for name, want := range map[string]os.FileMode{
		".": 0o755, "usr/sbin": 0o755, "usr/sbin/daemon": 0o755, "etc/daemon.conf": 0o644, "tmp": 0o777 | os.ModeSticky,
	} {
		got, err := os.Stat(filepath.Join(root, name))
		require.NoError(t, err)
		require.Equal(t, want, got.Mode()&^os.ModeDir, "%s: readable by everybody, and no set-user-ID", name)
	}
	require.NoDirExists(t, filepath.Join(root, "usr/share/man"))
	for _, name := range mounts {
		require.DirExists(t, filepath.Join(root, name))
	}
	to, err := os.Readlink(filepath.Join(root, "var/run"))
	require.NoError(t, err)
	require.Equal(t, "../run", to)

	again, err := b.build(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, info, again)
	require.Empty(t, m.requests(), "what is in the cache is not made again")
}

func TestHashNamesWhatIsInTheImage(t *testing.T) {
	m, p := withPeer(t), testProfile()
	b, _ := m.builder(p)
	s, _ := b.lock.Of("peer")
	before := infoOf(p, s).Hash
	require.Equal(t, before, infoOf(p, s).Hash)
	p.Users = nil
	require.NotEqual(t, before, infoOf(p, s).Hash, "a user is gone")
	p = testProfile()
	s.Pins[0].SHA256 = strings.Repeat("0", 64)
	require.NotEqual(t, before, infoOf(p, s).Hash, "a package differs")
}

func TestMovedPackage(t *testing.T) {
	m, p := withPeer(t), testProfile()
	b, log := m.builder(p)
	m.has("debian/test", pkg(t, "lib", "2:1.0-2", []string{"Depends: more"}, file("./lib/x/lib.so", "newer", 0o644)))
	m.has("debian/test", pkg(t, "more", "1", nil, file("./lib/more.so", "more", 0o644)))

	b.Locked = true
	_, err := b.build(t.Context(), p)
	require.ErrorIs(t, err, errGone)
	require.ErrorContains(t, err, "lib 2:1.0-1")
	require.ErrorContains(t, err, "--locked")
	require.NoFileExists(t, filepath.Join(b.Cache, newLock))

	b.Locked = false
	info, err := b.build(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, "2:1.0-2", info.Version("lib"))
	require.Contains(t, log.String(), "package lib 2:1.0-1 has moved to 2:1.0-2")
	require.Contains(t, log.String(), "package more 1 is new in it")
	require.Contains(t, log.String(), filepath.Join(b.Cache, newLock))
	got, err := os.ReadFile(filepath.Join(b.Cache, "rootfs", "peer-"+info.Hash, "lib/x/lib.so"))
	require.NoError(t, err)
	require.Equal(t, "newer", string(got))

	f, err := os.Open(filepath.Join(b.Cache, newLock))
	require.NoError(t, err)
	defer f.Close()
	written, err := ParseLock(f)
	require.NoError(t, err)
	require.Equal(t, Lock{Base: b.lock.Hash(), Sections: []Section{info.Section}}, written)

	m.requests()
	log.lines = nil
	again, err := b.build(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, info, again)
	require.Empty(t, m.requests())
	require.Contains(t, log.String(), "is not made as the lock of the source tree says", "said as long as it is so")

	// The lock of the source tree is brought up to date: the new one is as good as it, and then forgotten.
	b.lock = Lock{Sections: written.Sections}
	log.lines = nil
	again, err = b.build(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, info.Hash, again.Hash)
	require.Equal(t, []string{"peer is there: " + b.Cache + "/rootfs/peer-" + info.Hash}, log.lines)
}

func TestMovedPackageThatCannotBeReplaced(t *testing.T) {
	m, p := withPeer(t), testProfile()
	b, _ := m.builder(p)
	m.has("debian/test", pkg(t, "lib", "1", nil, file("./lib/x/lib.so", "too old", 0o644)))
	_, err := b.build(t.Context(), p)
	require.ErrorContains(t, err, "package daemon: it depends on lib (>= 2), which suite test does not have")
	require.Empty(t, images(t, b))
}

func TestBadPackages(t *testing.T) {
	const name = "/debian/pool/main/lib_1.0-1_amd64.deb"
	tests := []struct {
		name  string
		fault func(right []byte) http.HandlerFunc
		want  string
	}{
		{"another content", func(right []byte) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.Write(append(right[:len(right)-1:len(right)-1], 'x')) }
		}, "serves something else than the lock names"},
		{"too short", func(right []byte) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.Write(right[:len(right)/2]) }
		}, "serves something else than the lock names"},
		{"too long", func(right []byte) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.Write(append(right[:len(right):len(right)], 'x')) }
		}, "longer than"},
		{"cut off", func(right []byte) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(right)))
				w.Write(right[:len(right)/2])
			}
		}, "unexpected EOF"},
		{"forbidden", func([]byte) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }
		}, "403"},
		{"a mirror that is ill", func([]byte) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }
		}, "502"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			m, p := withPeer(t), testProfile()
			b, _ := m.builder(p)
			m.faults[name] = tc.fault(m.files[name])
			_, err := b.build(t.Context(), p)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "lib 2:1.0-1")
			require.Empty(t, images(t, b), "no image, not even by half")
			left, err := filepath.Glob(filepath.Join(b.Cache, "debs", unfinished+"*"))
			require.NoError(t, err)
			require.Empty(t, left)

			m.faults = nil
			_, err = b.build(t.Context(), p)
			require.NoError(t, err, "what was bad is not kept")
		})
	}
}

func TestFailingNetworkIsTriedAgain(t *testing.T) {
	const name = "/debian/pool/main/lib_1.0-1_amd64.deb"
	m, p := withPeer(t), testProfile()
	b, _ := m.builder(p)
	right, failures := m.files[name], 2
	m.faults[name] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(right)))
		if failures--; failures >= 0 {
			w.Write(right[:10])
			return
		}
		w.Write(right)
	}
	_, err := b.build(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, -1, failures)
}

func TestInterruptedBuild(t *testing.T) {
	m, p := withPeer(t), testProfile()
	b, _ := m.builder(p)
	const name = "/debian/pool/main/lib_1.0-1_amd64.deb"
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	m.faults[name] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte("begun"))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}
	_, err := b.build(ctx, p)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, images(t, b))
	_, err = (&Store{cache: b.Cache, lock: b.lock}).find(p)
	require.ErrorIs(t, err, ErrNotBuilt)
	require.ErrorContains(t, err, "image peer is not built")
	require.ErrorContains(t, err, "run make images")
}

// A process that was killed has left what it had: it is no image, and goes when it is old.
func TestLeftOvers(t *testing.T) {
	m, p := withPeer(t), testProfile()
	b, _ := m.builder(p)
	left := filepath.Join(b.Cache, "rootfs", unfinished+"peer-1")
	fresh := filepath.Join(b.Cache, "rootfs", unfinished+"peer-2")
	for _, dir := range []string{left, fresh} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "usr"), 0o755))
	}
	old := time.Now().Add(-2 * abandoned)
	require.NoError(t, os.Chtimes(left, old, old))
	_, err := b.build(t.Context(), p)
	require.NoError(t, err)
	require.NoDirExists(t, left)
	require.DirExists(t, fresh, "somebody may be at it")
}

func TestImageWithoutItsDaemon(t *testing.T) {
	m, p := withPeer(t), testProfile()
	p.Daemon = "/usr/sbin/other"
	b, _ := m.builder(p)
	_, err := b.build(t.Context(), p)
	require.ErrorContains(t, err, "image peer: it has no /usr/sbin/other")
	require.Empty(t, images(t, b))
}
