package images

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ulikunitz/xz"
	"pault.ag/go/debian/dependency"
	"pault.ag/go/debian/version"
)

// Keyring has the keys that Debian's archives are signed with, where the machine has Debian's package debian-archive-keyring.
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// limits of what a mirror may send when the newest versions are asked for.
const (
	maxRelease  = 4 << 20
	maxPackages = 256 << 20 // compressed; Debian's main has 9 MB
)

// candidate is a package that a suite offers.
type candidate struct {
	Pin
	version  version.Version
	depends  []dependency.Relation
	provides []string
}

// index is all that a suite offers, with its updates and security fixes: the newest version of each package.
type index struct {
	suite    string
	packages map[string]candidate
	provided map[string][]string // virtual package: who provides it, sorted
}

// source is one signed list of packages.
type source struct{ archive, dist string }

// sourcesOf a suite.
func sourcesOf(suite string) []source {
	return []source{
		{"debian", suite},
		{"debian", suite + "-updates"},
		{"debian-security", suite + "-security"},
	}
}

// index is what a suite offers now. It is read once.
func (b *Builder) index(ctx context.Context, suite string) (*index, error) {
	b.suites.Lock()
	defer b.suites.Unlock()
	if x := b.suites.known[suite]; x != nil {
		return x, nil
	}
	x, err := b.readIndex(ctx, suite)
	if err != nil {
		return nil, err
	}
	if b.suites.known == nil {
		b.suites.known = map[string]*index{}
	}
	b.suites.known[suite] = x
	return x, nil
}

func (b *Builder) readIndex(ctx context.Context, suite string) (*index, error) {
	b.logf("reading what Debian %s has", suite)
	x := &index{suite: suite, packages: map[string]candidate{}, provided: map[string][]string{}}
	for _, s := range sourcesOf(suite) {
		if err := b.addSource(ctx, x, s); err != nil {
			return nil, fmt.Errorf("images: %s of %s: %w", s.dist, s.archive, err)
		}
	}
	x.finish()
	return x, nil
}

func (b *Builder) addSource(ctx context.Context, x *index, s source) error {
	release, err := b.release(ctx, s)
	if err != nil {
		return err
	}
	const list = "main/binary-" + Architecture + "/Packages.xz"
	sum, size, err := release.sum(list)
	if err != nil {
		return err
	}
	name := list
	if release.byHash { // the list that the release means, even if the mirror changes meanwhile
		name = "main/binary-" + Architecture + "/by-hash/SHA256/" + sum
	}
	var packed bytes.Buffer
	err = get(ctx, b.Mirror.url(s.archive, "dists/"+s.dist+"/"+name), func(r io.Reader) error {
		packed.Reset()
		_, err := io.Copy(&packed, io.LimitReader(r, size+1))
		return err
	})
	if err != nil {
		return err
	}
	if got := sha256.Sum256(packed.Bytes()); int64(packed.Len()) != size || hex.EncodeToString(got[:]) != sum {
		return fmt.Errorf("%s is not the one that InRelease names: SHA-256 %x, not %s", list, got, sum)
	}
	r, err := xz.NewReader(bufio.NewReader(&packed))
	if err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	if err := x.add(r, s.archive); err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	return nil
}

// add takes the packages of a list, where they are newer than those it has.
func (x *index) add(r io.Reader, archive string) error {
	fields := []string{"Package", "Version", "Architecture", "Depends", "Pre-Depends", "Provides", "Filename", "Size", "SHA256"}
	return stanzas(r, fields, func(f map[string]string) error {
		if a := f["architecture"]; a != Architecture && a != "all" {
			return nil
		}
		c, err := newCandidate(f, archive)
		if err != nil {
			return err
		}
		if old, ok := x.packages[c.Package]; !ok || version.Compare(c.version, old.version) > 0 {
			x.packages[c.Package] = c
		}
		return nil
	})
}

func newCandidate(f map[string]string, archive string) (candidate, error) {
	c := candidate{Pin: Pin{Package: f["package"], Version: f["version"], Archive: archive, Path: f["filename"], SHA256: f["sha256"]}}
	var err error
	if c.Size, err = strconv.ParseInt(f["size"], 10, 64); err != nil {
		return c, fmt.Errorf("package %s: size %q is no number", c.Package, f["size"])
	}
	if err := c.check(); err != nil {
		return c, err
	}
	if c.version, err = version.Parse(c.Version); err != nil {
		return c, fmt.Errorf("package %s: version %q: %w", c.Package, c.Version, err)
	}
	for _, name := range []string{"pre-depends", "depends"} {
		d, err := dependency.Parse(f[name])
		if err != nil {
			return c, fmt.Errorf("package %s: %s: %w", c.Package, name, err)
		}
		c.depends = append(c.depends, d.Relations...)
	}
	provides, err := dependency.Parse(f["provides"])
	if err != nil {
		return c, fmt.Errorf("package %s: provides: %w", c.Package, err)
	}
	for _, p := range provides.GetAllPossibilities() {
		c.provides = append(c.provides, p.Name)
	}
	return c, nil
}

// release is a file InRelease: what a suite's lists of packages are.
type release struct {
	sums   string // lines of SHA-256, size and name
	byHash bool
}

// release reads InRelease, and checks its signature where the machine has the keys.
func (b *Builder) release(ctx context.Context, s source) (release, error) {
	var raw bytes.Buffer
	err := get(ctx, b.Mirror.url(s.archive, "dists/"+s.dist+"/InRelease"), func(r io.Reader) error {
		raw.Reset()
		_, err := io.Copy(&raw, io.LimitReader(r, maxRelease))
		return err
	})
	if err != nil {
		return release{}, err
	}
	block, _ := clearsign.Decode(raw.Bytes())
	if block == nil {
		return release{}, errors.New("InRelease is not signed in the clear")
	}
	if err := b.verify(block, s); err != nil {
		return release{}, err
	}
	var found release
	var ends string
	err = stanzas(bytes.NewReader(block.Plaintext), []string{"SHA256", "Acquire-By-Hash", "Valid-Until"}, func(f map[string]string) error {
		found, ends = release{sums: f["sha256"], byHash: f["acquire-by-hash"] == "yes"}, f["valid-until"]
		return nil
	})
	if err != nil {
		return release{}, fmt.Errorf("InRelease: %w", err)
	}
	if until, err := time.Parse(time.RFC1123, ends); err == nil && time.Now().After(until) {
		b.logf("warning: the list of packages of %s was valid until %s: the mirror, or the clock of this machine, is behind the times", s.dist, ends)
	}
	return found, nil
}

// verify checks the signature of a release against the machine's keyring of Debian.
func (b *Builder) verify(block *clearsign.Block, s source) error {
	f, err := os.Open(b.keyring())
	if errors.Is(err, os.ErrNotExist) {
		b.logf("warning: the signature of %s was not checked: this machine has no %s (package debian-archive-keyring)", s.dist, b.keyring())
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	keys, err := openpgp.ReadKeyRing(f)
	if err != nil {
		return fmt.Errorf("%s: %w", b.keyring(), err)
	}
	signer, err := block.VerifySignature(keys, nil)
	if err != nil {
		return fmt.Errorf("the signature of InRelease is not one of the keys in %s: %w", b.keyring(), err)
	}
	b.logf("the signature of %s is good: key %s", s.dist, signer.PrimaryKey.KeyIdString())
	return nil
}

// sum is the hash and the size of a file of the release.
func (r release) sum(name string) (sum string, size int64, err error) {
	for line := range strings.Lines(r.sums) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != name {
			continue
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil || size <= 0 || size > maxPackages || !validSHA256.MatchString(f[0]) {
			return "", 0, fmt.Errorf("InRelease: the line of %s is %q", name, strings.TrimSpace(line))
		}
		return f[0], size, nil
	}
	return "", 0, fmt.Errorf("InRelease names no %s", name)
}
