package images

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nothing of an archive lands outside of the root filesystem.
func TestUnpackStaysInside(t *testing.T) {
	tests := []struct {
		name  string
		files []*tar.Header
		want  string
	}{
		{"a name with dots", []*tar.Header{file("../evil", "x", 0o644)}, "leads out of the root filesystem"},
		{"a name with dots inside", []*tar.Header{file("./usr/../../evil", "x", 0o644)}, "leads out of the root filesystem"},
		{"an absolute name", []*tar.Header{file("/evil", "x", 0o644)}, "leads out of the root filesystem"},
		{"through a link", []*tar.Header{symlink("./out", "../"), file("./out/evil", "x", 0o644)}, "escapes"},
		{"through an absolute link", []*tar.Header{symlink("./out", "/tmp"), file("./out/evil", "x", 0o644)}, "escapes"},
		{"a folder through a link", []*tar.Header{symlink("./out", ".."), folder("./out/evil")}, "escapes"},
		{"a hard link outwards", []*tar.Header{{Typeflag: tar.TypeLink, Name: "./evil", Linkname: "../secret"}}, "leads out of the root filesystem"},
		{"a hard link through a link", []*tar.Header{symlink("./out", ".."), {Typeflag: tar.TypeLink, Name: "./evil", Linkname: "./out/secret"}}, "escapes"},
		{"a device", []*tar.Header{{Typeflag: tar.TypeBlock, Name: "./evil", Devmajor: 8}}, "neither file nor folder nor link"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
			inside := filepath.Join(dir, "root")
			require.NoError(t, os.Mkdir(inside, 0o755))
			root, err := os.OpenRoot(inside)
			require.NoError(t, err)
			defer root.Close()
			u := unpacker{root: root}
			err = u.deb(bytes.NewReader(pkg(t, "evil", "1", nil, tc.files...).deb))
			require.ErrorContains(t, err, tc.want)
			all, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, all, 2, "the root and what was there before")
			require.NoFileExists(t, "/tmp/evil")
		})
	}
}

// A file takes the place of a link, not of what the link leads to.
func TestUnpackReplacesLinks(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	u := unpacker{root: root}
	deb := pkg(t, "a", "1", nil, file("./etc/kept", "kept", 0o644), symlink("./etc/name", "kept"), file("./etc/name", "new", 0o644)).deb
	require.NoError(t, u.deb(bytes.NewReader(deb)))
	for name, want := range map[string]string{"etc/kept": "kept", "etc/name": "new"} {
		got, err := root.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

func TestKernelModulesThatAreKept(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer root.Close()
	u := unpacker{root: root, keep: []string{"net", "drivers/net"}}
	deb := pkg(t, "a", "1", nil, file("./usr/lib/uml/modules/6.1/kernel/net/ipv4/esp4.ko", "x", 0o644),
		file("./usr/lib/uml/modules/6.1/kernel/drivers/net/tun.ko", "x", 0o644), file("./usr/lib/uml/modules/6.1/kernel/drivers/netlike.ko", "x", 0o644),
		file("./usr/lib/uml/modules/6.1/modules.dep", "x", 0o644)).deb
	require.NoError(t, u.deb(bytes.NewReader(deb)))
	require.True(t, there(root, "usr/lib/uml/modules/6.1/kernel/net/ipv4/esp4.ko"))
	require.True(t, there(root, "usr/lib/uml/modules/6.1/kernel/drivers/net/tun.ko"))
	require.True(t, there(root, "usr/lib/uml/modules/6.1/modules.dep"))
	require.False(t, there(root, "usr/lib/uml/modules/6.1/kernel/drivers/netlike.ko"))
}

// The tree of a container has devices, and links where an image has them already.
func TestUnpackTree(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, prepare(root))
	u := unpacker{root: root, tree: true}
	files := makeTar(t, symlink("bin", "usr/bin"), folder("usr/bin/"), file("usr/bin/daemon", "x", 0o755), symlink("var/run", "/run"),
		&tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Devmajor: 1, Devminor: 3}, file("usr/share/doc/kept", "x", 0o644),
		file("etc/passwd", "root:x:0:0::/root:/bin/sh\n_own:x:7:7::/:/bin/sh\n", 0o644))
	require.NoError(t, u.tar(bytes.NewReader(files)))
	require.NoError(t, finish(root, testProfile()))
	require.False(t, there(root, "dev/null"))
	require.True(t, there(root, "usr/share/doc/kept"))
	to, err := root.Readlink("bin")
	require.NoError(t, err)
	require.Equal(t, "usr/bin", to)
	passwd, err := root.ReadFile("etc/passwd")
	require.NoError(t, err)
	require.Contains(t, string(passwd), "_own", "a tree knows its users")
}

func TestDebsThatAreNone(t *testing.T) {
	good := makeDeb(t, "data.tar.xz", packXZ(t, makeTar(t, file("./a", "content", 0o644))))
	for n := range len(good) - 1 { // the last octet may be padding
		require.Error(t, unpackAway(t, good[:n]), "the first %d octets of %d", n, len(good))
	}
	require.NoError(t, unpackAway(t, good))
	require.NoError(t, unpackAway(t, makeDeb(t, "data.tar", makeTar(t, file("./a", "content", 0o644)))))
	for _, tc := range []struct {
		name, want string
		deb        []byte
	}{
		{"not an archive", "does not begin as an ar archive", []byte("!<oops>\n")},
		{"no data", "it has no data.tar", makeDeb(t, "other", nil)},
		{"a compression of another distribution", "compressed as .zst", makeDeb(t, "data.tar.zst", []byte("x"))},
		{"a negative size", "size", bytes.Replace(good, []byte("4         `"), []byte("-4        `"), 1)},
		{"another format", "its format is", bytes.Replace(good, []byte("2.0\n"), []byte("0.9\n"), 1)},
	} {
		require.ErrorContains(t, unpackAway(t, tc.deb), tc.want, tc.name)
	}
}

func unpackAway(t testing.TB, deb []byte) error {
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer root.Close()
	u := unpacker{root: root}
	return u.deb(bytes.NewReader(deb))
}

// Whatever comes, an answer or an error follows, and nothing outside of the folder.
func FuzzDeb(f *testing.F) {
	f.Add(makeDeb(f, "data.tar", makeTar(f, file("./a", "content", 0o644), symlink("./b", "a"))))
	f.Add(makeDeb(f, "data.tar.xz", packXZ(f, makeTar(f, folder("./usr/"), file("../b", "x", 0o644)))))
	f.Add([]byte(arMagic))
	f.Fuzz(func(t *testing.T, deb []byte) {
		if len(deb) > 1<<16 {
			return
		}
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "root"), 0o755))
		root, err := os.OpenRoot(filepath.Join(dir, "root"))
		require.NoError(t, err)
		defer root.Close()
		u := unpacker{root: root}
		_ = u.deb(bytes.NewReader(deb)) // an error is as good
		all, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, all, 1)
	})
}
