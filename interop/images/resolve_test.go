package images

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/stretchr/testify/require"
)

// suite is an index of packages, each "name version" with the fields behind it.
func suite(t *testing.T, packages ...string) *index {
	x := &index{suite: "test", packages: map[string]candidate{}, provided: map[string][]string{}}
	for _, p := range packages {
		head, fields, _ := strings.Cut(p, "\n")
		name, version, ok := strings.Cut(head, " ")
		require.True(t, ok)
		list := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nFilename: pool/%s.deb\nSize: 1\nSHA256: %s\n%s", name, version, name, strings.Repeat("a", 64), fields)
		require.NoError(t, x.add(strings.NewReader(list), "debian"))
	}
	x.finish()
	return x
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name     string
		packages []string
		want     string // packages with versions, or the error
	}{
		{"dependencies of dependencies, before installation and after",
			[]string{"daemon 1\nDepends: a\nPre-Depends: b", "a 1\nDepends: c (>= 2)", "b 1", "c 2", "tools 1"}, "a 1, b 1, c 2, daemon 1, tools 1"},
		{"a circle", []string{"daemon 1\nDepends: tools", "tools 1\nDepends: daemon"}, "daemon 1, tools 1"},
		{"the first alternative that exists", []string{"daemon 1\nDepends: none | b | c", "b 1", "c 1", "tools 1"}, "b 1, daemon 1, tools 1"},
		{"an alternative that is wanted anyway", []string{"daemon 1\nDepends: b | tools", "b 1", "tools 1"}, "daemon 1, tools 1"},
		{"the first alternative is too old", []string{"daemon 1\nDepends: b (>= 2) | c", "b 1", "c 1", "tools 1"}, "c 1, daemon 1, tools 1"},
		{"a virtual package", []string{"daemon 1\nDepends: virtual", "z 1\nProvides: virtual", "y 1\nProvides: virtual (= 3), other", "tools 1"}, "daemon 1, tools 1, y 1"},
		{"what the image does without", []string{"daemon 1\nDepends: debconf (>= 0.5) | debconf-2.0, perl-base, perl:any", "tools 1", "debconf 2", "perl-base 5"}, "daemon 1, tools 1"},
		{"what the image does without, as a virtual package", []string{"daemon 1\nDepends: questions", "tools 1", "debconf 2\nProvides: questions"}, "daemon 1, tools 1"},
		{"a qualified name", []string{"daemon 1\nDepends: b:any", "b 1", "tools 1"}, "b 1, daemon 1, tools 1"},
		{"recommendations are not followed", []string{"daemon 1\nRecommends: b", "b 1", "tools 1"}, "daemon 1, tools 1"},
		{"a package that is not there", []string{"daemon 1"}, "suite test has no package tools"},
		{"a dependency that is not there", []string{"daemon 1\nDepends: b | c (= 2)", "c 1", "tools 1"}, "package daemon: it depends on b | c (= 2), which suite test does not have"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s, err := suite(t, tc.packages...).resolve(testProfile())
			if err != nil {
				require.ErrorContains(t, err, tc.want)
				return
			}
			var got []string
			for _, p := range s.Pins {
				got = append(got, p.String())
			}
			require.Equal(t, tc.want, strings.Join(got, ", "))
		})
	}
}

// Debian policy, 5.6.12: what comes first in each line is older.
func TestNewestVersion(t *testing.T) {
	for _, pair := range [][2]string{
		{"5.9.8-5+deb12u5", "5.9.8-5+deb12u6"},
		{"5.9.8-5+deb12u9", "5.9.8-5+deb12u10"},
		{"9.9-1", "1:0.1-1"},
		{"3.0.20-1~deb12u2", "3.0.20-1"},
		{"1.0~rc1-1", "1.0-1"},
		{"6.1um4+b9", "6.1um4+b13"},
		{"1.0-1", "1.0-1+b1"},
	} {
		for _, order := range [][2]string{pair, {pair[1], pair[0]}} {
			x := suite(t, "daemon "+order[0], "daemon "+order[1])
			require.Equal(t, pair[1], x.packages["daemon"].Version, "of %v", order)
		}
	}
}

// Security fixes and updates beat the suite, and each package comes from the archive that has it.
func TestIndexOfAllSources(t *testing.T) {
	m := withPeer(t)
	m.has("debian-security/test-security", pkg(t, "daemon", "1.0-1+fix1", nil, file("./usr/sbin/daemon", "fixed", 0o755)))
	m.has("debian/test-updates", pkg(t, "tools", "4", nil))
	b, log := m.builder(testProfile())
	s, _ := b.lock.Of("peer")
	require.Equal(t, "1.0-1+fix1", s.Version("daemon"))
	require.Equal(t, "4", s.Version("tools"))
	require.Equal(t, "debian-security", s.Pins[0].Archive)
	_, err := b.build(t.Context(), testProfile())
	require.NoError(t, err)
	require.NotContains(t, log.String(), "not checked")
}

func TestSignaturesOfReleases(t *testing.T) {
	m := withPeer(t)
	b, log := m.builder(testProfile())
	_, err := b.readIndex(t.Context(), "test")
	require.NoError(t, err)
	require.Contains(t, log.String(), "the signature of test-security is good")

	log.lines = nil
	b.Keys = m.keys + ".none"
	_, err = b.readIndex(t.Context(), "test")
	require.NoError(t, err)
	require.Contains(t, log.String(), "warning: the signature of test was not checked", "said, where a machine has no keys")
	b.Keys = m.keys

	other, err := openpgp.NewEntity("somebody else", "", "", nil)
	require.NoError(t, err)
	own := m.key
	m.key = other
	m.publish()
	_, err = b.readIndex(t.Context(), "test")
	require.ErrorContains(t, err, "not one of the keys")
	m.key = own
	m.publish()

	const inRelease = "/debian/dists/test/InRelease"
	m.files[inRelease] = bytes.Replace(m.files[inRelease], []byte("Suite: test"), []byte("Suite: tast"), 1)
	_, err = b.readIndex(t.Context(), "test")
	require.ErrorContains(t, err, "the signature of InRelease", "a letter was changed")

	m.files[inRelease] = []byte("Suite: test\n")
	_, err = b.readIndex(t.Context(), "test")
	require.ErrorContains(t, err, "not signed")
}

func TestListsOfPackagesAreThoseOfTheRelease(t *testing.T) {
	m := withPeer(t)
	b, _ := m.builder(testProfile())
	const list = "/debian/dists/test/main/binary-amd64/Packages.xz"
	m.files[list] = packXZ(t, []byte("Package: evil\n"))
	_, err := b.readIndex(t.Context(), "test")
	require.ErrorContains(t, err, "is not the one that InRelease names")

	// By its hash, where the archive offers that.
	m.publish()
	right := m.files[list]
	sum := fmt.Sprintf("%x", sha256.Sum256(right))
	m.files["/debian/dists/test/InRelease"] = m.sign(fmt.Sprintf("Acquire-By-Hash: yes\nSHA256:\n %s %d main/binary-amd64/Packages.xz\n", sum, len(right)))
	m.files["/debian/dists/test/main/binary-amd64/by-hash/SHA256/"+sum] = right
	delete(m.files, list)
	x, err := b.readIndex(t.Context(), "test")
	require.NoError(t, err)
	require.Equal(t, []string{"daemon", "lib", "tools"}, slices.Sorted(maps.Keys(x.packages)))
}

func TestStanzas(t *testing.T) {
	read := func(text string) (all []map[string]string, err error) {
		err = stanzas(strings.NewReader(text), []string{"Package", "Depends", "Sums"}, func(f map[string]string) error {
			all = append(all, f)
			return nil
		})
		return all, err
	}
	all, err := read("# comment\nPackage: a\nDescription: long\n and longer\ndepends: b,\n c\nSums:\n 1 x\n 2 y\n\n \nPackage: z\r\n")
	require.NoError(t, err)
	require.Equal(t, []map[string]string{{"package": "a", "depends": "b,\nc", "sums": "\n1 x\n2 y"}, {"package": "z"}}, all)
	for text, want := range map[string]string{
		" continued": "line 1: it continues a field, and there is none", "Package: a\nodd": "line 2: it is no field",
		"Package: a\nPACKAGE: b": "line 2: field PACKAGE is there twice", "a b: c": "line 1: it is no field",
		"Package: a\n" + strings.Repeat("x", maxLine+1): "line 2: ",
	} {
		_, err := read(text)
		require.ErrorContains(t, err, want)
	}
}

// Lists of packages come from a mirror: whatever they say, a package that is taken is one that can be fetched.
func FuzzPackages(f *testing.F) {
	f.Add([]byte("Package: a\nVersion: 1:2-3\nArchitecture: all\nDepends: b (>= 1) | c:any, d [amd64] <!x>\nProvides: e (= 1)\nFilename: pool/a.deb\nSize: 1\nSHA256: " + strings.Repeat("a", 64) + "\n"))
	f.Add([]byte("Package: a\nDepends: ${x}, ("))
	f.Fuzz(func(t *testing.T, list []byte) {
		if len(list) > 1<<16 {
			return
		}
		x := &index{suite: "test", packages: map[string]candidate{}, provided: map[string][]string{}}
		if x.add(bytes.NewReader(list), "debian") != nil {
			return
		}
		x.finish()
		for name, c := range x.packages {
			require.NoError(t, c.check())
			p := Profile{Name: "peer", Suite: "test", Packages: []string{name}}
			if s, err := x.resolve(p); err == nil {
				require.NotEmpty(t, s.Version(name))
			}
		}
	})
}
