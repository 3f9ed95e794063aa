package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// merged are the folders that lie below /usr in Debian since its release 12,
// while packages may still have files in the old place.
var merged = []string{"bin", "sbin", "lib", "lib64"}

// leftOut are the folders of packages that no daemon reads.
var leftOut = []string{
	"usr/share/man", "usr/share/doc", "usr/share/doc-base", "usr/share/locale", "usr/share/lintian", "usr/share/info",
	"usr/share/bash-completion", "usr/share/bug", "usr/include", "usr/lib/systemd", "etc/init.d", "etc/systemd",
}

// limits of what one package may unpack to, so that a bad one cannot fill the disk.
const (
	maxFiles    = 100_000
	maxUnpacked = 4 << 30 // octets
	maxPadding  = 1 << 20 // octets of zeros that tar may add
)

// unpacker puts the files of packages into a root filesystem.
type unpacker struct {
	root *os.Root // nothing lands outside of it, whatever links say
	keep []string // folders of kernel modules; none: all

	// tree: what comes is a whole root filesystem, which may have devices, that
	// are left out, and its own links into /usr.
	tree bool
}

// deb unpacks the files of a package.
func (u *unpacker) deb(r io.Reader) error {
	files, err := dataTar(r)
	if err != nil {
		return err
	}
	return u.tar(files)
}

// tar unpacks an archive.
func (u *unpacker) tar(files io.Reader) error {
	t := tar.NewReader(files)
	var total int64
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			return ends(files)
		}
		if err != nil {
			return fmt.Errorf("its archive of files: %w", err)
		}
		if total += h.Size; n >= maxFiles || total > maxUnpacked {
			return fmt.Errorf("the files are more than %d, or larger than %d octets together", maxFiles, int64(maxUnpacked))
		}
		if err := u.entry(h, t); err != nil {
			return fmt.Errorf("file %s: %w", h.Name, err)
		}
	}
}

// ends reads what follows the archive, so that the checksum at the end of a compressed one is seen.
func ends(files io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(files, maxPadding+1))
	if err == nil && n > maxPadding {
		err = errors.New("more than padding follows it")
	}
	if err != nil {
		return fmt.Errorf("the end of its archive of files: %w", err)
	}
	return nil
}

// place is where a name of a package lies in the root filesystem; an error if that is outside.
func place(name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(name) || !fs.ValidPath(clean) {
		return "", errors.New("the name leads out of the root filesystem")
	}
	if first, _, _ := strings.Cut(clean, "/"); slices.Contains(merged, first) {
		clean = "usr/" + clean
	}
	return clean, nil
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name, err := place(h.Name)
	if err != nil {
		return err
	}
	if name == "." || u.omits(h, name) {
		return nil
	}
	if h.Typeflag != tar.TypeDir {
		if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		return u.file(name, h.FileInfo().Mode(), content)
	case tar.TypeSymlink:
		if err := u.clear(name); err != nil {
			return err
		}
		return u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		old, err := place(h.Linkname)
		if err != nil {
			return err
		}
		if err := u.clear(name); err != nil {
			return err
		}
		return u.root.Link(old, name)
	}
	return fmt.Errorf("it is neither file nor folder nor link, but of type %q", h.Typeflag)
}

// file writes a file that everybody may read: containers and user-mode Linux
// read the image as a user who does not own it.
func (u *unpacker) file(name string, mode fs.FileMode, content io.Reader) error {
	if err := u.clear(name); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if mode&0o111 != 0 {
		perm = 0o755
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, content); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(perm); err != nil { // whatever the umask
		f.Close()
		return err
	}
	return f.Close()
}

// clear makes room for a file that another package may have put there.
func (u *unpacker) clear(name string) error {
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// omits reports whether a file is not wanted.
func (u *unpacker) omits(h *tar.Header, name string) bool {
	if u.tree {
		switch h.Typeflag {
		case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
			return true
		case tar.TypeSymlink:
			return slices.Contains(merged, path.Clean(h.Name))
		}
		return false
	}
	if below(name, leftOut) {
		return true
	}
	_, module, ok := strings.Cut(name, "/kernel/")
	return ok && len(u.keep) > 0 && !below(module, u.keep)
}

// below reports whether a name is one of the folders, or lies in one.
func below(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return name == f || strings.HasPrefix(name, f+"/") })
}
