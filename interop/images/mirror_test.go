package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

// mirror is a made-up mirror of Debian with a suite called "test".
type mirror struct {
	t      testing.TB
	server *httptest.Server
	key    *openpgp.Entity
	keys   string // file with its public half

	mu     sync.Mutex
	files  map[string][]byte // by path
	asked  []string
	faults map[string]http.HandlerFunc // by path

	packages map[string][]fakePackage // by archive/dist
}

type fakePackage struct {
	name, version string
	fields        []string // of the control file
	deb           []byte
}

func (p fakePackage) path() string {
	_, version, ok := strings.Cut(p.version, ":")
	if !ok {
		version = p.version
	}
	return fmt.Sprintf("pool/main/%s_%s_amd64.deb", p.name, version)
}

var archiveKey = sync.OnceValue(func() *openpgp.Entity {
	key, err := openpgp.NewEntity("test archive", "", "archive@example.org", nil)
	if err != nil {
		panic(err)
	}
	return key
})

func newMirror(t testing.TB) *mirror {
	m := &mirror{t: t, files: map[string][]byte{}, faults: map[string]http.HandlerFunc{}, packages: map[string][]fakePackage{}}
	m.server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.server.Close)
	m.key = archiveKey()
	var public bytes.Buffer
	require.NoError(t, m.key.Serialize(&public))
	m.keys = filepath.Join(t.TempDir(), "keys.gpg")
	require.NoError(t, os.WriteFile(m.keys, public.Bytes(), 0o644))
	m.publish()
	return m
}

func (m *mirror) serve(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.asked = append(m.asked, r.URL.Path)
	content, ok := m.files[r.URL.Path]
	fault := m.faults[r.URL.Path]
	m.mu.Unlock()
	switch {
	case fault != nil:
		fault(w, r)
	case !ok:
		http.NotFound(w, r)
	default:
		w.Write(content)
	}
}

// requests since the last call.
func (m *mirror) requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = nil
	return asked
}

// has puts a package into a source, such as "debian/test", in place of an older one, whose file goes.
func (m *mirror) has(source string, p fakePackage) {
	archive, _, _ := strings.Cut(source, "/")
	m.packages[source] = slices.DeleteFunc(m.packages[source], func(old fakePackage) bool {
		if old.name == p.name {
			delete(m.files, "/"+archive+"/"+old.path())
		}
		return old.name == p.name
	})
	m.packages[source] = append(m.packages[source], p)
	m.files["/"+archive+"/"+p.path()] = p.deb
	m.publish()
}

// publish writes the lists of packages and signs the releases.
func (m *mirror) publish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range sourcesOf("test") {
		var list bytes.Buffer
		for _, p := range m.packages[s.archive+"/"+s.dist] {
			fmt.Fprintf(&list, "Package: %s\nVersion: %s\nArchitecture: amd64\n", p.name, p.version)
			for _, f := range p.fields {
				fmt.Fprintln(&list, f)
			}
			fmt.Fprintf(&list, "Filename: %s\nSize: %d\nSHA256: %x\nDescription: made up\n with a second line\n\n", p.path(), len(p.deb), sha256.Sum256(p.deb))
		}
		packed := packXZ(m.t, list.Bytes())
		dists := "/" + s.archive + "/dists/" + s.dist + "/"
		m.files[dists+"main/binary-amd64/Packages.xz"] = packed
		m.files[dists+"InRelease"] = m.sign(fmt.Sprintf("Origin: Debian\nSuite: %s\nSHA256:\n %x %d main/binary-amd64/Packages.xz\n",
			s.dist, sha256.Sum256(packed), len(packed)))
	}
}

func (m *mirror) sign(text string) []byte {
	var out bytes.Buffer
	w, err := clearsign.Encode(&out, m.key.PrivateKey, nil)
	require.NoError(m.t, err)
	_, err = io.WriteString(w, text)
	require.NoError(m.t, err)
	require.NoError(m.t, w.Close())
	return out.Bytes()
}

func packXZ(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w, err := xz.NewWriter(&out)
	require.NoError(t, err)
	_, err = w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// pkg is a package with files, given as tar headers whose Linkname is the content of plain files.
func pkg(t testing.TB, name, version string, fields []string, files ...*tar.Header) fakePackage {
	return fakePackage{name, version, fields, makeDeb(t, "data.tar.xz", packXZ(t, makeTar(t, files...)))}
}

func makeTar(t testing.TB, files ...*tar.Header) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h, content := *f, ""
		if h.Typeflag == tar.TypeReg {
			h.Linkname, content = "", f.Linkname
			h.Size = int64(len(content))
		}
		require.NoError(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func makeDeb(t testing.TB, dataName string, data []byte) []byte {
	var out bytes.Buffer
	out.WriteString(arMagic)
	for _, member := range []struct {
		name    string
		content []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.xz", []byte("odd")}, {dataName, data}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", member.name, 0, 0, 0, "100644", len(member.content))
		out.Write(member.content)
		if len(member.content)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

func file(name, content string, mode int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: content, Mode: mode}
}

func folder(name string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o700}
}

func symlink(name, to string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
}

// testProfile is an image of the suite "test" with a daemon in the package "daemon".
func testProfile() Profile {
	return Profile{
		Name: "peer", Title: "a made-up peer", Suite: "test", Daemon: "/usr/sbin/daemon", Main: "daemon",
		Packages: []string{"daemon", "tools"}, Without: []Without{{"debconf", "asks questions"}, {"perl*", "scripts"}},
		Users: []User{{"_daemon", 101, "/var/lib/daemon"}},
	}
}

// withPeer is a mirror that has the packages of testProfile.
func withPeer(t testing.TB) *mirror {
	m := newMirror(t)
	m.has("debian/test", pkg(t, "daemon", "1.0-1", []string{"Depends: lib (>= 2), debconf | debconf-2.0"},
		folder("./"), folder("./usr/"), folder("./usr/sbin/"), file("./usr/sbin/daemon", "I serve", 0o4700),
		file("./usr/share/man/man8/daemon.8", "manual", 0o644), file("./etc/daemon.conf", "secret", 0o600),
		symlink("./usr/sbin/also", "daemon"), &tar.Header{Typeflag: tar.TypeLink, Name: "./sbin/too", Linkname: "./usr/sbin/daemon"}))
	m.has("debian/test", pkg(t, "lib", "2:1.0-1", nil, file("./lib/x/lib.so", "lib", 0o644)))
	m.has("debian/test", pkg(t, "tools", "3", nil, file("./bin/busybox", "applets", 0o755), file("./bin/ls", "a real ls", 0o755)))
	return m
}

// builder is a builder for the mirror, with the lock of what it has, and all that it logs.
func (m *mirror) builder(p Profile) (*Builder, *logged) {
	l := &logged{}
	b, err := newBuilder(m.t.(interface{ TempDir() string }).TempDir(), Lock{}, l.add)
	require.NoError(m.t, err)
	b.Mirror, b.Keys = Mirror{m.server.URL + "/debian", m.server.URL + "/debian-security"}, m.keys
	x, err := b.readIndex(m.t.Context(), p.Suite)
	require.NoError(m.t, err)
	s, err := x.resolve(p)
	require.NoError(m.t, err)
	b.lock = Lock{}.with(s)
	m.requests()
	l.lines = nil
	return b, l
}

// logged is what a builder has said.
type logged struct{ lines []string }

func (l *logged) add(line string) { l.lines = append(l.lines, line) }

func (l *logged) String() string { return strings.Join(l.lines, "\n") }

// tree lists the folders of a cache that are images, or would be.
func images(t testing.TB, b *Builder) []string {
	all, err := filepath.Glob(filepath.Join(b.Cache, "rootfs", "*"))
	require.NoError(t, err)
	for i := range all {
		all[i] = path.Base(all[i])
	}
	return all
}

const soon = 10 * time.Second // nothing on this machine takes so long
