package interop

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// leases is the folder with a file for each namespace with a name that a lab has made. It is not the one of the names,
// all files of which are names to ip-netns(8).
const leases = "/run/ipseclab/netns"

// lease is a lab's right to a name of a namespace: a file that it has locked for as long as it lives. The file has a
// mark, and so has the namespace, at its loopback: by that the next lab knows a namespace that was left behind from one
// that somebody has made since.
type lease struct {
	file *os.File
	mark string // of the namespace that was made under it; "": none was
}

// takeLease takes what no living lab has.
func takeLease(name string) (*lease, error) {
	if err := os.MkdirAll(leases, 0o700); err != nil {
		return nil, err
	}
	file, err := lockFile(filepath.Join(leases, name))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(file, 100))
	if err != nil {
		file.Close()
		return nil, err
	}
	return &lease{file: file, mark: string(b)}, nil
}

// sign makes a mark, which no other namespace has.
func (l *lease) sign() error {
	l.mark = fmt.Sprintf("ipseclab attach %d %d", os.Getpid(), time.Now().UnixNano())
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(l.mark), 0)
	return err
}

// end gives it back; the name is free.
func (l *lease) end() error { return errors.Join(os.Remove(l.file.Name()), l.file.Close()) }

// leftBehind reports whether a namespace is the one that was made under the lease.
func (l *lease) leftBehind(name string) bool {
	if l.mark == "" {
		return false
	}
	ns, err := netns.GetFromName(name)
	if err != nil {
		return false
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return false
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	return err == nil && lo.Attrs().Alias == l.mark
}

// leaseOf is the lease of a name that nobody has, or that a lab which has died has left: then the namespace is there. A
// name of somebody else is an error.
func leaseOf(name string) (l *lease, there bool, err error) {
	_, err = os.Lstat(namespacePath(name))
	there = err == nil
	l, err = takeLease(name)
	switch {
	case errors.Is(err, errLocked):
		return nil, there, fmt.Errorf("interop: namespace %s is that of another ipseclab attach, which runs", name)
	case err != nil && !there:
		return nil, there, fmt.Errorf("interop: namespace %s: %w", name, err)
	case err != nil:
		return nil, there, errNameTaken(name)
	case there && !l.leftBehind(name):
		l.end() // of no use to anybody
		return nil, there, errNameTaken(name)
	}
	return l, there, nil
}

func errNameTaken(name string) error {
	return fmt.Errorf("interop: there is a namespace %s already; if nothing needs it: ip netns delete %s", name, name)
}
