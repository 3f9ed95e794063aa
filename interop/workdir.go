package interop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	workPrefix = "ipseclab-"
	lockName   = "lock"

	// maxSocketPath is what the path of a Unix socket may have (unix(7): 108 with the NUL),
	// less what the lab appends to the folder of a driver.
	maxSocketPath = 107 - len("/9999/control")
)

// workdir is the private folder of a driver, with the sockets and small files of its peers.
// It is locked for as long as its lab lives: by that another lab knows what it may clear away.
type workdir struct {
	path string
	lock *os.File
	last atomic.Int64
}

// newWorkdir makes the folder below parent.
func newWorkdir(parent string) (*workdir, error) {
	for {
		w, err := tryWorkdir(parent)
		if !errors.Is(err, errLocked) { // by another lab, which takes it for abandoned
			return w, err
		}
	}
}

func tryWorkdir(parent string) (*workdir, error) {
	path, err := os.MkdirTemp(parent, workPrefix)
	if err != nil {
		return nil, fmt.Errorf("interop: a folder for the sockets of peers: %w", err)
	}
	if len(path) > maxSocketPath {
		os.Remove(path)
		return nil, fmt.Errorf("interop: the path %s is too long for Unix sockets: set TMPDIR to a shorter one", path)
	}
	w := &workdir{path: path}
	if w.lock, err = lockFile(filepath.Join(path, lockName)); err == nil {
		// A user in a container, who is not the lab's, goes through it to the folder of its peer.
		err = os.Chmod(path, 0o711)
	}
	if err != nil {
		os.RemoveAll(path)
		return nil, err
	}
	return w, nil
}

// workParent is the system's folder for temporary files, or /tmp if paths of sockets would get too long there.
func workParent() string {
	if dir := os.TempDir(); len(dir)+len("/"+workPrefix)+10 <= maxSocketPath {
		return dir
	}
	return "/tmp"
}

// errLocked is about a lock that a living process has.
var errLocked = errors.New("interop: the lock is taken")

// lockFile locks a file, which it makes; the lock goes with the process, however it ends (flock(2)).
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("interop: lock of %s: %w", name, err)
	}
	return f, nil
}

// peer makes the folder of one peer, which belongs to the user that its machine runs as.
func (w *workdir) peer(uid int) (string, error) {
	path := filepath.Join(w.path, strconv.FormatInt(w.last.Add(1), 10))
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", fmt.Errorf("interop: %w", err)
	}
	if uid != os.Getuid() {
		if err := os.Chown(path, uid, -1); err != nil {
			return "", fmt.Errorf("interop: %w", err)
		}
	}
	return path, nil
}

func (w *workdir) remove() error {
	return errors.Join(os.RemoveAll(w.path), w.lock.Close())
}

// abandoned are the folders below parent of labs that have died, each with its lock, which is now ours.
func abandoned(parent string) (all []*workdir) {
	names, _ := filepath.Glob(filepath.Join(parent, workPrefix+"*", lockName))
	for _, name := range names {
		// What other users have in /tmp is not for us to lock.
		var s unix.Stat_t
		if err := unix.Lstat(filepath.Dir(name), &s); err != nil || s.Mode&unix.S_IFMT != unix.S_IFDIR || int(s.Uid) != os.Getuid() {
			continue
		}
		if lock, err := lockFile(name); err == nil {
			all = append(all, &workdir{path: filepath.Dir(name), lock: lock})
		}
	}
	return all
}
