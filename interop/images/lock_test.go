package images

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The lock of the source tree has all that the profiles want, and nothing that they leave out.
func TestCommittedLockCoversProfiles(t *testing.T) {
	lock, err := Committed()
	require.NoError(t, err)
	require.Equal(t, string(committed), string(lock.Append(nil)), "it is as --update-lock writes it")
	require.Len(t, lock.Sections, len(Profiles()))
	for _, p := range Profiles() {
		s, ok := lock.Of(p.Name)
		require.True(t, ok, "%s is not in the lock: run ipseclab interop images --update-lock", p.Name)
		require.Equal(t, p.Suite, s.Suite)
		for _, want := range p.Packages {
			require.NotEmpty(t, s.Version(want), "%s wants %s: run ipseclab interop images --update-lock", p.Name, want)
		}
		for _, pin := range s.Pins {
			require.False(t, p.leavesOut(pin.Package), "%s leaves out %s: run ipseclab interop images --update-lock", p.Name, pin.Package)
		}
	}
	for name, version := range map[string]string{"strongswan-5.9": "5.9.8-", "strongswan-6.0": "6.0.", "libreswan": "4.10-", "openiked": "7.2-", "ike-scan": "1.9.5-", "xl2tpd": "1.3.18-", Kernel: "6.1um"} {
		p, ok := Named(name)
		require.True(t, ok)
		s, _ := lock.Of(name)
		require.True(t, strings.HasPrefix(s.Version(p.Main), version), "%s is %s", name, s.Version(p.Main))
	}
}

var sum = strings.Repeat("0123456789abcdef", 4)

func TestLockMistakes(t *testing.T) {
	const head = "[peer] test amd64\n"
	good := "daemon 1.0-1 debian pool/main/d/daemon.deb 100 " + sum + "\n"
	for _, tc := range []struct{ name, lock, want string }{
		{"no image", good, "line 1: a package comes before the first image"},
		{"twice an image", head + head, "line 2: image peer is there twice"},
		{"twice a package", head + good + good, "line 3: package daemon is there twice in peer"},
		{"an architecture", "[peer] test arm64\n", "image peer is for arm64"},
		{"a name that is a path", "[../peer] test amd64\n", "is no name"},
		{"fields", head + "daemon 1\n", "line 2: want package, version"},
		{"a size", head + strings.Replace(good, " 100 ", " many ", 1), "size"},
		{"no size", head + strings.Replace(good, " 100 ", " 0 ", 1), "size 0"},
		{"a path outside", head + strings.Replace(good, "pool/main", "pool/../..", 1), "does not lie below pool/"},
		{"a path of another server", head + strings.Replace(good, "pool/main", "http://example.org/pool", 1), "does not lie below pool/"},
		{"an archive", head + strings.Replace(good, " debian ", " other ", 1), "archive \"other\""},
		{"a hash", head + strings.Replace(good, sum, sum[1:]+"/", 1), "64 hexadecimal digits"},
		{"a version", head + strings.Replace(good, "1.0-1", "../1", 1), "none of Debian's"},
	} {
		_, err := ParseLock(strings.NewReader(tc.lock))
		require.ErrorContains(t, err, tc.want, tc.name)
	}
	l, err := ParseLock(strings.NewReader("# comment\n" + baseWord + "abc\n\n" + head + good))
	require.NoError(t, err)
	require.Equal(t, Lock{Base: "abc", Sections: []Section{{"peer", "test", []Pin{{"daemon", "1.0-1", "debian", "pool/main/d/daemon.deb", 100, sum}}}}}, l)
}

func FuzzLock(f *testing.F) {
	f.Add([]byte("[peer] test amd64\ndaemon 1.0-1 debian pool/main/d/daemon.deb 100 " + sum + "\n"))
	f.Add([]byte(baseWord + "x\n[a] b amd64\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ParseLock(bytes.NewReader(text))
		if err != nil {
			return
		}
		again, err := ParseLock(bytes.NewReader(l.Append(nil)))
		require.NoError(t, err)
		require.Equal(t, l, again)
	})
}

func TestChanges(t *testing.T) {
	section := func(pins ...string) (s Section) {
		for i := 0; i < len(pins); i += 2 {
			s.Pins = append(s.Pins, Pin{Package: pins[i], Version: pins[i+1]})
		}
		return s
	}
	require.Equal(t, []Change{{"b", "1", "2"}, {"d", "", "1"}, {"c", "1", ""}},
		Changes(section("a", "1", "b", "1", "c", "1"), section("a", "1", "b", "2", "d", "1")))
}
