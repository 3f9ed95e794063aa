package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ErrPrivileges is in the chain of errors about what a process without privileges may not do.
var ErrPrivileges = errors.New("it takes root, or CAP_NET_ADMIN and CAP_SYS_ADMIN")

// canAttach is why this process may not make interfaces, and with them namespaces; nil: it may.
func canAttach(namespace bool) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3} // capget(2)
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("interop: capabilities of this process: %w", err)
	}
	has := func(capability int) bool { return data[capability/32].Effective&(1<<(capability%32)) != 0 }
	if !has(unix.CAP_NET_ADMIN) || namespace && !has(unix.CAP_SYS_ADMIN) {
		return fmt.Errorf("interop: this process may not make network interfaces: %w", ErrPrivileges)
	}
	return nil
}

// EnterUserNamespace runs this program again, with the same arguments and in the place of this process, as
// root of a new user namespace, where it has the privileges that it lacks here. It returns if it cannot.
func EnterUserNamespace() error {
	if err := canNamespaces(unix.CLONE_NEWUSER | unix.CLONE_NEWNET); err != nil {
		return err
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// A process with threads cannot enter a user namespace (unshare(2)).
	return unix.Exec(unshare, append([]string{"unshare", "--user", "--map-root-user", self}, os.Args[1:]...), os.Environ())
}

// namespacePath is where ip-netns(8) looks for namespaces with names.
func namespacePath(name string) string { return filepath.Join("/run/netns", name) }

// room is a network namespace, with a thread that is in it: the lab's own, or a new one. A new one
// without a name goes with the last process in it.
type room struct {
	name  string
	lease *lease // of the name; nil: there is none
	own   bool   // it is the lab's
	tid   int
	work  chan func()
	done  chan struct{} // closed when the thread has left
}

// newRoom enters a namespace: a new one, with a name or without, or else the lab's.
func newRoom(isNew bool, name string) (*room, error) {
	r := &room{name: name, own: !isNew, work: make(chan func()), done: make(chan struct{})}
	entered := make(chan error)
	go func() {
		defer close(r.done)
		runtime.LockOSThread() // for good: a thread that was elsewhere serves nothing else
		r.tid = unix.Gettid()
		err := r.make()
		entered <- err
		if err != nil {
			return
		}
		for f := range r.work {
			f()
		}
	}()
	if err := <-entered; err != nil {
		<-r.done
		return nil, err
	}
	return r, nil
}

// make makes the namespace, and brings its loopback up.
func (r *room) make() error {
	if r.own {
		return nil
	}
	var ns netns.NsHandle
	var err error
	if r.name == "" {
		ns, err = netns.New()
	} else {
		ns, err = r.named()
	}
	if err != nil {
		return fmt.Errorf("a network namespace: %w", err)
	}
	ns.Close() // the thread holds it
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err == nil && r.lease != nil {
		err = netlink.LinkSetAlias(lo, r.lease.mark)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("loopback of a network namespace: %w", err), r.remove())
	}
	return nil
}

// named makes a namespace with a name, in the place of one that a lab which has died has left. Another's stays as it is.
func (r *room) named() (netns.NsHandle, error) {
	l, there, err := leaseOf(r.name)
	if err == nil && there {
		err = netns.DeleteNamed(r.name)
	}
	if err != nil {
		return netns.None(), err
	}
	var ns netns.NsHandle
	if err = l.sign(); err == nil {
		ns, err = netns.NewNamed(r.name)
	}
	if err != nil {
		if !errors.Is(err, os.ErrExist) {
			os.Remove(namespacePath(r.name)) // where the namespace was not put; of one in use this is refused
		}
		return netns.None(), errors.Join(err, l.end())
	}
	r.lease = l
	return ns, nil
}

// do runs f on the thread.
func (r *room) do(f func() error) (err error) {
	done := make(chan struct{})
	r.work <- func() { err = f(); close(done) }
	<-done
	return err
}

// enter is the command before which another is put to run in the namespace.
func (r *room) enter() string {
	pid := os.Getpid()
	words := fmt.Sprintf("nsenter --net=/proc/%d/task/%d/ns/net", pid, r.tid)
	if inUserNamespace() {
		words = fmt.Sprintf("nsenter --user=/proc/%d/ns/user --preserve-credentials --net=/proc/%d/task/%d/ns/net", pid, pid, r.tid)
	}
	return words
}

// inUserNamespace reports whether this process is in a user namespace other than the machine's,
// by its map of users: the machine's has all of them (user_namespaces(7)).
func inUserNamespace() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	var inside, outside, length uint64
	if err == nil {
		_, err = fmt.Sscan(string(b), &inside, &outside, &length)
	}
	return err == nil && length != 1<<32-1
}

// close leaves the namespace, and takes its name away.
func (r *room) close() error {
	close(r.work)
	<-r.done
	return r.remove()
}

func (r *room) remove() error {
	if r.lease == nil {
		return nil
	}
	if err := errors.Join(netns.DeleteNamed(r.name), r.lease.end()); err != nil {
		return fmt.Errorf("namespace %s: %w", r.name, err)
	}
	return nil
}
