//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// bootModules are those of a guest's kernel that peers need: XFRM with its
// protocols, and the algorithms that cryptographic templates are made of.
var bootModules = []string{
	"xfrm_user", "af_key", "esp4", "ah4", "ipcomp", "xfrm4_tunnel",
	"authenc", "authencesn", "seqiv", "echainiv", "cbc", "ctr", "ecb", "ccm", "gcm", "ghash_generic", "hmac", "cmac", "xcbc",
	"des_generic", "camellia_generic", "blowfish_generic", "cast5_generic", "chacha20poly1305", "chacha_generic", "poly1305_generic",
	"sha512_generic", "rmd160", "deflate",
	"drbg", // numbers from which seqiv and echainiv make IVs
}

// ipv6Modules are loaded when a peer has an address of IPv6.
var ipv6Modules = []string{"ipv6", "esp6", "ah6", "ipcomp6"}

// modules are those of a kernel, in the folder of its release.
type modules struct {
	dir    string
	known  map[string]module // by name
	loaded map[string]bool
}

// module is a file, and those that have to be loaded before it, as modules.dep has them.
type module struct {
	file   string
	before []string
}

// openModules reads what modules.dep says. Each line is "file: file file…", the last
// of those to be loaded first.
func openModules(dir string) (*modules, error) {
	b, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, err
	}
	m := &modules{dir: dir, known: map[string]module{}, loaded: map[string]bool{}}
	for line := range bytes.Lines(b) {
		file, before, ok := strings.Cut(string(bytes.TrimSpace(line)), ":")
		if ok {
			m.known[moduleName(file)] = module{file, strings.Fields(before)}
		}
	}
	// Those that are part of the kernel have nothing to load.
	built, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	for _, file := range strings.Fields(string(built)) {
		m.loaded[moduleName(file)] = true
	}
	return m, nil
}

// moduleName is what the kernel calls the module of a file.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}

// load loads modules with all that they need.
func (m *modules) load(names ...string) error {
	for _, name := range names {
		if m.loaded[name] {
			continue
		}
		found, ok := m.known[name]
		if !ok {
			return fmt.Errorf("module %s: %s has none", name, m.dir)
		}
		for i := len(found.before) - 1; i >= 0; i-- {
			if err := m.insert(found.before[i]); err != nil {
				return err
			}
		}
		if err := m.insert(found.file); err != nil {
			return err
		}
	}
	return nil
}

func (m *modules) insert(file string) error {
	name := moduleName(file)
	if m.loaded[name] {
		return nil
	}
	f, err := os.Open(filepath.Join(m.dir, file))
	if err != nil {
		return fmt.Errorf("module %s: %w", name, err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("module %s: %w", name, err)
	}
	m.loaded[name] = true
	return nil
}
