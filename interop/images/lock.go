package images

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Architecture of all packages: Debian's word for it.
const Architecture = "amd64"

// Lock pins the packages of images.
type Lock struct {
	// Base is the hash of the lock that this one was made from, when packages
	// had gone from the mirror; empty for the lock of the source tree.
	Base string

	Sections []Section // sorted by image
}

// Section pins the packages of one image.
type Section struct {
	Image, Suite string
	Pins         []Pin // sorted by package
}

// Pin is one package, as it must be.
type Pin struct {
	Package string
	Version string
	Archive string // "debian" or "debian-security": which of the mirror's archives
	Path    string // below the archive
	Size    int64  // octets
	SHA256  string // hexadecimal
}

func (p Pin) String() string { return p.Package + " " + p.Version }

//go:embed images.lock
var committed []byte

// Committed is the lock that this build of the program has: interop/images/images.lock.
func Committed() (Lock, error) {
	l, err := ParseLock(bytes.NewReader(committed))
	if err != nil {
		return Lock{}, fmt.Errorf("images: images.lock of the program: %w", err)
	}
	return l, nil
}

// Of is the section of an image.
func (l Lock) Of(image string) (Section, bool) {
	i := slices.IndexFunc(l.Sections, func(s Section) bool { return s.Image == image })
	if i < 0 {
		return Section{}, false
	}
	return l.Sections[i], true
}

// with is the lock with a section in place of the one for the same image.
func (l Lock) with(s Section) Lock {
	l.Sections = slices.DeleteFunc(slices.Clone(l.Sections), func(old Section) bool { return old.Image == s.Image })
	l.Sections = append(l.Sections, s)
	slices.SortFunc(l.Sections, func(a, b Section) int { return strings.Compare(a.Image, b.Image) })
	return l
}

// Hash names the lock by its contents.
func (l Lock) Hash() string {
	h := sha256.New()
	for _, s := range l.Sections {
		h.Write(s.append(nil))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Version of a package that is in the image; empty: it is not.
func (s Section) Version(pkg string) string {
	for _, p := range s.Pins {
		if p.Package == pkg {
			return p.Version
		}
	}
	return ""
}

const lockHead = `# The Debian packages that images of real peers are made of: per image its suite, and
# per package the version, the archive, the path on a mirror, the size and the SHA-256.
# Written by: ipseclab interop images --update-lock
`

const baseWord = "# made from lock "

// Append appends the lock as a file.
func (l Lock) Append(b []byte) []byte {
	b = append(b, lockHead...)
	if l.Base != "" {
		b = append(b, baseWord+l.Base+"\n"...)
	}
	for _, s := range l.Sections {
		b = s.append(append(b, '\n'))
	}
	return b
}

func (s Section) append(b []byte) []byte {
	b = fmt.Appendf(b, "[%s] %s %s\n", s.Image, s.Suite, Architecture)
	for _, p := range s.Pins {
		b = fmt.Appendf(b, "%s %s %s %s %d %s\n", p.Package, p.Version, p.Archive, p.Path, p.Size, p.SHA256)
	}
	return b
}

var (
	sectionLine  = regexp.MustCompile(`^\[([^\]\s]+)\] (\S+) (\S+)$`)
	validVersion = regexp.MustCompile(`^[0-9][A-Za-z0-9.+:~-]*$`) // Debian policy, 5.6.12
	validSHA256  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// archives that a mirror has.
var archives = []string{"debian", "debian-security"}

const maxDeb = 4 << 30 // octets of a package, more than Debian has in any

// ParseLock reads a lock file; an error names the line.
func ParseLock(r io.Reader) (Lock, error) {
	var l Lock
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if base, ok := strings.CutPrefix(line, baseWord); ok {
			l.Base = base
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := l.parseLine(line); err != nil {
			return Lock{}, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return Lock{}, err
	}
	return l, nil
}

func (l *Lock) parseLine(line string) error {
	if m := sectionLine.FindStringSubmatch(line); m != nil {
		switch _, twice := l.Of(m[1]); {
		case !validName.MatchString(m[1]) || !validName.MatchString(m[2]):
			return fmt.Errorf("image %q or suite %q is no name", m[1], m[2])
		case twice:
			return fmt.Errorf("image %s is there twice", m[1])
		case m[3] != Architecture:
			return fmt.Errorf("image %s is for %s, not %s", m[1], m[3], Architecture)
		}
		l.Sections = append(l.Sections, Section{Image: m[1], Suite: m[2]})
		return nil
	}
	if len(l.Sections) == 0 {
		return fmt.Errorf("a package comes before the first image")
	}
	p, err := parsePin(line)
	if err != nil {
		return err
	}
	s := &l.Sections[len(l.Sections)-1]
	if s.Version(p.Package) != "" {
		return fmt.Errorf("package %s is there twice in %s", p.Package, s.Image)
	}
	s.Pins = append(s.Pins, p)
	return nil
}

func parsePin(line string) (Pin, error) {
	f := strings.Split(line, " ")
	if len(f) != 6 {
		return Pin{}, fmt.Errorf("want package, version, archive, path, size and SHA-256, got %d fields", len(f))
	}
	p := Pin{Package: f[0], Version: f[1], Archive: f[2], Path: f[3], SHA256: f[5]}
	size, err := strconv.ParseInt(f[4], 10, 64)
	if err != nil {
		return Pin{}, fmt.Errorf("package %s: size %q is no number", p.Package, f[4])
	}
	p.Size = size
	return p, p.check()
}

// check finds what would lead out of the archive or the cache, or can be no package.
func (p Pin) check() error {
	switch {
	case !validName.MatchString(p.Package):
		return fmt.Errorf("package %q is no name", p.Package)
	case !validVersion.MatchString(p.Version):
		return fmt.Errorf("package %s: version %q is none of Debian's", p.Package, p.Version)
	case !slices.Contains(archives, p.Archive):
		return fmt.Errorf("package %s: archive %q is none of %s", p.Package, p.Archive, strings.Join(archives, ", "))
	case path.Clean("/"+p.Path) != "/"+p.Path || !strings.HasPrefix(p.Path, "pool/"):
		return fmt.Errorf("package %s: path %q does not lie below pool/", p.Package, p.Path)
	case p.Size <= 0 || p.Size > maxDeb:
		return fmt.Errorf("package %s: size %d is not between 1 and %d", p.Package, p.Size, maxDeb)
	case !validSHA256.MatchString(p.SHA256):
		return fmt.Errorf("package %s: SHA-256 %q is not 64 hexadecimal digits", p.Package, p.SHA256)
	}
	return nil
}
