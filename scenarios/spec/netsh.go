package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Netsh runs commands of netsh ipsec on a host while the world runs. Static ones change
// its store, and dynamic set config its registry.
type Netsh struct {
	Host string `yaml:"host" jsonschema:"required"`
	Run  string `yaml:"run" jsonschema:"required,minLength=1"` // a line for each command, as in a batch file or at the prompt of netsh
}

func (c *checker) netsh(path string, n *Netsh) {
	c.ipsecHost(path, "netsh", n.Host)
	if n.Run == "" {
		c.missing(path, "run", "netsh: there is nothing to run")
	}
}

// MaxScriptSize is how large a script or another file that a scenario names may be, in bytes.
const MaxScriptSize = 1 << 20

// folder is where the files lie that a scenario names: those beside its own file, and
// below. A scenario that was read from memory has none.
type folder func(name string) ([]byte, error)

// folderOf is the folder of a scenario file on disk. Links do not lead out of it.
func folderOf(file string) folder {
	return func(name string) ([]byte, error) {
		f, err := os.OpenInRoot(filepath.Dir(file), filepath.FromSlash(name))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return atMost(f)
	}
}

// folderIn is the folder of a scenario file in a file system.
func folderIn(fsys fs.FS, file string) folder {
	return func(name string) ([]byte, error) {
		f, err := fsys.Open(path.Join(path.Dir(file), name))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return atMost(f)
	}
}

// atMost reads no more than is needed to see that a file is too large.
func atMost(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxScriptSize+1))
	if err == nil && len(b) > MaxScriptSize {
		err = fmt.Errorf("it is larger than %d bytes, the most that a file beside a scenario may have", MaxScriptSize)
	}
	return b, err
}

// scripts reads the files that a scenario names, each once.
type scripts struct {
	in   folder
	read map[string]script
}

type script struct {
	text string
	err  error
}

func (s *scripts) load(name string) (string, error) {
	if got, ok := s.read[name]; ok {
		return got.text, got.err
	}
	b, err := s.in(name)
	got := script{string(b), err}
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		got.err = errors.New("there is no such file beside the scenario")
	case errors.As(err, &p):
		got.err = p.Err
	}
	s.read[name] = got
	return got.text, got.err
}

// attach puts the text of its script beside each policy that names one, and what its file
// holds beside each certificate.
func (d *decoder) attach(s *Scenario) {
	d.attachCertificates(s)
	for _, name := range sorted(s.Policies) {
		p := s.Policies[name]
		at := child(child("$.policies", name), "netsh")
		if p.Netsh == "" || d.failed[at] {
			continue
		}
		var ok bool
		if p.Script, ok = d.beside(at, "netsh", p.Netsh, "legal.netsh"); ok {
			s.Policies[name] = p
		}
	}
}

// attachCertificates does it for certificates.
func (d *decoder) attachCertificates(s *Scenario) {
	if s.PKI == nil {
		return
	}
	read := func(path string, i *Issued) {
		if at := child(path, "file"); i.File != "" && !d.failed[at] {
			text, _ := d.beside(at, "file", i.File, "client.p12")
			i.Octets = []byte(text)
		}
	}
	for _, name := range sorted(s.PKI.Authorities) {
		a := s.PKI.Authorities[name]
		read(child("$.pki.authorities", name), &a.Issued)
		s.PKI.Authorities[name] = a
	}
	for _, name := range sorted(s.PKI.Certificates) {
		c := s.PKI.Certificates[name]
		read(child("$.pki.certificates", name), &c.Issued)
		s.PKI.Certificates[name] = c
	}
}

// beside reads a file that a key of the scenario names.
func (d *decoder) beside(at, key, name, example string) (text string, ok bool) {
	var err error
	switch {
	case !fs.ValidPath(name) || name == ".":
		err = fmt.Errorf("want a path from the scenario's folder downwards, with slashes and without .., such as %s", example)
	case d.scripts.in == nil:
		err = errors.New("the scenario was not read from a folder, so that there are no files beside it")
	default:
		text, err = d.scripts.load(name)
	}
	if err != nil {
		d.fail(d.src.at(at), at, "%s: %q: %s", key, shorten(name), err)
	}
	return text, err == nil
}

// scripted checks a policy that is a script: it has nothing of its own.
func (c *checker) scripted(path, name string, p Policy) {
	for _, key := range present(p) {
		if !slices.Contains([]string{"netsh", "policy", "description"}, key) {
			c.key(child(path, key), "%s: policy %s is what its script says: leave %s out, or netsh", key, name, key)
		}
	}
	if p.Description != "" {
		c.key(child(path, "description"), "description: policy %s has that of its script: leave it out", name)
	}
}

// fromScript reports whether a policy is what a script makes, or a store has one that is
// under its name.
func (s *Scenario) fromScript(policy string) bool {
	return s.Policies[policy].Netsh != "" || slices.ContainsFunc(s.Steps, func(step Step) bool {
		p := step.StorePolicy
		return p != nil && p.Name() == policy && s.Policies[p.Policy].Netsh != ""
	})
}

// runsNetsh reports whether a step runs netsh, which can make policies of any name.
func (s *Scenario) runsNetsh() bool {
	return slices.ContainsFunc(s.Steps, func(step Step) bool { return step.Netsh != nil })
}

// ScriptFile is the file of a policy's script as it is called for people: beside the
// scenario's own.
func (s *Scenario) ScriptFile(p Policy) string {
	if dir := path.Dir(filepath.ToSlash(s.File())); s.File() != "" && dir != "." {
		return path.Join(dir, p.Netsh)
	}
	return p.Netsh
}

// ErrorIn makes a mistake in a file that a scenario names, with an excerpt of its text.
// Line and column count from 1, columns in characters.
func ErrorIn(file, text string, line, column int, format string, args ...any) *Error {
	return newSource(file, text).error(position{line, column}, "", fmt.Sprintf(format, args...))
}
