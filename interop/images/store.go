package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CacheVariable is the environment variable that names the cache.
const CacheVariable = "IPSECLAB_CACHE"

// ErrNotBuilt is what errors about a missing image wrap.
var ErrNotBuilt = errors.New("run make images")

// Kernel is the name of the profile that is no image, but the kernel for them.
const Kernel = "user-mode-linux"

const (
	kernelModules = "usr/lib/uml/modules"
	unfinished    = ".unfinished-" // what names of files and folders begin with that are being made
	newLock       = "images.lock.new"
)

// DefaultCache is $IPSECLAB_CACHE, else the folder ipseclab in the user's cache.
func DefaultCache() (string, error) {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("images: no cache: %w; set %s", err, CacheVariable)
	}
	return filepath.Join(dir, "ipseclab"), nil
}

// Store is a cache with what has been built.
type Store struct {
	cache string
	lock  Lock // the committed one
	newer Lock // what was built when packages of lock had gone; no sections: nothing
}

// Info is what an image is made of, for the evidence.
type Info struct {
	Profile Profile `json:"-"`
	Hash    string  // names the image: its packages and the recipe
	From    string  // the Docker image that it was taken from; empty: packages of the lock
	Section         // suite and packages with their versions
}

// DaemonVersion is the version of the daemon's package.
func (i Info) DaemonVersion() string { return i.Version(i.Profile.Main) }

// Open opens a cache; an empty name is [DefaultCache].
func Open(cache string) (*Store, error) {
	lock, err := Committed()
	if err != nil {
		return nil, err
	}
	return open(cache, lock)
}

func open(cache string, lock Lock) (*Store, error) {
	if cache == "" {
		var err error
		if cache, err = DefaultCache(); err != nil {
			return nil, err
		}
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return nil, err
	}
	s := &Store{cache: cache, lock: lock}
	b, err := os.ReadFile(filepath.Join(cache, newLock))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	newer, err := ParseLock(bytes.NewReader(b))
	if err == nil && newer.Base == lock.Hash() { // else it belongs to an older lock
		s.newer = newer
	}
	return s, nil
}

// Rootfs is the folder of an image's root filesystem. It is shared: whoever runs
// a peer in it mounts it without the right to write, or copies it.
func (s *Store) Rootfs(name string) (dir string, info Info, err error) {
	p, ok := Named(name)
	if !ok || p.Kernel {
		return "", Info{}, fmt.Errorf("images: no image is called %q: there are %v", name, Names())
	}
	info, err = s.find(p)
	if err != nil {
		return "", Info{}, err
	}
	return s.dir(info), info, nil
}

// Find is what an image, or the kernel, is made of, and its folder.
func (s *Store) Find(name string) (info Info, dir string, err error) {
	p, ok := Named(name)
	if !ok {
		return Info{}, "", fmt.Errorf("images: no image is called %q: there are %v", name, Names())
	}
	info, err = s.find(p)
	if err != nil {
		return Info{}, "", err
	}
	return info, s.dir(info), nil
}

// Kernel is the program that is user-mode Linux, and the folder with its
// modules, which it wants to see as /lib/modules: it has a folder for the release.
func (s *Store) Kernel() (program, modules string, err error) {
	p, _ := Named(Kernel)
	info, err := s.find(p)
	if err != nil {
		return "", "", err
	}
	dir := s.dir(info)
	return filepath.Join(dir, p.Daemon), filepath.Join(dir, kernelModules), nil
}

// find finds a profile's image, made by the committed lock, else by the one of a cache whose packages had moved.
// An image that was taken from Docker comes before both.
func (s *Store) find(p Profile) (Info, error) {
	if info, err := s.taken(p); err != nil || info.From != "" {
		return info, err
	}
	for _, lock := range []Lock{s.lock, s.newer} {
		if section, ok := lock.Of(p.Name); ok {
			if info := infoOf(p, section); isDir(s.dir(info)) {
				return info, nil
			}
		}
	}
	return Info{}, fmt.Errorf("images: image %s is not built in %s: %w", p.Name, s.cache, ErrNotBuilt)
}

func (s *Store) dir(i Info) string {
	return filepath.Join(s.cache, "rootfs", i.Image+"-"+i.Hash)
}

// infoOf names the image that a section makes.
func infoOf(p Profile, section Section) Info {
	h := sha256.New()
	fmt.Fprintf(h, "recipe %d\n%v\n%v\n", recipe, p.Users, p.Keep)
	h.Write(section.append(nil))
	return Info{Profile: p, Hash: hex.EncodeToString(h.Sum(nil))[:12], Section: section}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
