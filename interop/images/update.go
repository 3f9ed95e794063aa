package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Resolve makes the lock anew: for each profile the newest packages that its suite has.
func (b *Builder) Resolve(ctx context.Context) (Lock, error) {
	var l Lock
	for _, p := range Profiles() {
		x, err := b.index(ctx, p.Suite)
		if err != nil {
			return Lock{}, err
		}
		s, err := x.resolve(p)
		if err != nil {
			return Lock{}, err
		}
		l = l.with(s)
	}
	return l, nil
}

// WriteLock writes a lock file.
func WriteLock(name string, l Lock) error {
	if err := writeWhole(name, l.Append(nil)); err != nil {
		return fmt.Errorf("images: lock: %w", err)
	}
	return nil
}

// writeWhole writes a file that is never there by half.
func writeWhole(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), unfinished+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing, once it is renamed
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// moved finds the packages of an image anew, because one has gone from the
// mirror, and writes the lock with them beside the images.
func (b *Builder) moved(ctx context.Context, p Profile) (Section, error) {
	x, err := b.index(ctx, p.Suite)
	if err != nil {
		return Section{}, err
	}
	section, err := x.resolve(p)
	if err != nil {
		return Section{}, err
	}
	old, _ := b.lock.Of(p.Name)
	for _, c := range Changes(old, section) {
		b.logf("warning: image %s: %s", p.Name, c)
	}
	b.newer.Lock()
	defer b.newer.Unlock()
	s, err := open(b.Cache, b.lock) // what earlier images were made with stays in it
	if err != nil {
		return Section{}, err
	}
	lock := s.newer
	if len(lock.Sections) == 0 {
		lock = b.lock
	}
	lock = lock.with(section)
	lock.Base = b.lock.Hash()
	name := filepath.Join(b.Cache, newLock)
	if err := WriteLock(name, lock); err != nil {
		return Section{}, err
	}
	b.logf("warning: image %s is not made as the lock of the source tree says. The lock that it is made by is %s: "+
		"compare it with interop/images/images.lock, and take it over by ipseclab interop images --update-lock", p.Name, name)
	return section, nil
}

// Change is how a package of an image differs between two locks.
type Change struct {
	Package  string
	Old, New string // versions; empty: not in the image
}

func (c Change) String() string {
	switch {
	case c.Old == "":
		return fmt.Sprintf("package %s %s is new in it", c.Package, c.New)
	case c.New == "":
		return fmt.Sprintf("package %s %s is no longer in it", c.Package, c.Old)
	}
	return fmt.Sprintf("package %s %s has moved to %s", c.Package, c.Old, c.New)
}

// Changes compares two sections, in the order of the packages' names.
func Changes(old, now Section) []Change {
	var all []Change
	for _, p := range now.Pins {
		if v := old.Version(p.Package); v != p.Version {
			all = append(all, Change{p.Package, v, p.Version})
		}
	}
	for _, p := range old.Pins {
		if now.Version(p.Package) == "" {
			all = append(all, Change{p.Package, p.Version, ""})
		}
	}
	return all
}
