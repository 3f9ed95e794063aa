package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/tap"
	"github.com/ipseclab/ipseclab/scenarios"
)

// The words for drivers in scenario files and on the command line. Auto is the first of the
// others that this machine can do.
const (
	Auto      = "auto"
	UML       = "uml"       // user-mode Linux: a kernel with ESP and AH of its own
	Container = "container" // a Docker container on this machine's kernel
	Namespace = "namespace" // namespaces of this machine's kernel, without Docker
)

// Words are the words for drivers, in the order in which Auto tries them.
func Words() []string { return []string{UML, Container, Namespace} }

func known(word string) bool { return word == Auto || slices.Contains(Words(), word) }

// way is how the machine of a peer is made.
type way struct {
	word  string
	what  string // in more words
	uid   int    // of the user on this machine that the peer runs as
	start func(context.Context, *site) (machine, error)
}

// Availability is whether this machine can run peers by a driver.
type Availability struct {
	Driver string
	Detail string // how, or why not
	OK     bool
}

// Available tells of each driver whether this machine can use it, for images that are there.
func (d *Driver) Available(ctx context.Context) []Availability {
	var all []Availability
	for _, word := range Words() {
		w, err := d.way(ctx, word)
		if err != nil {
			all = append(all, Availability{Driver: word, Detail: err.Error()})
			continue
		}
		all = append(all, Availability{Driver: word, Detail: w.what, OK: true})
	}
	return all
}

// choose finds the way for a peer: the driver that is forced, or that its scenario wants, or the first that
// can be had.
func (d *Driver) choose(ctx context.Context, c scenarios.PeerConfig, info images.Info) (*way, error) {
	word := c.Driver
	if d.opt.Force != "" {
		word = d.opt.Force
	}
	if word == "" {
		word = Auto
	}
	if !known(word) {
		return nil, fmt.Errorf("no driver is called %q: there are %s and %s", word, strings.Join(Words(), ", "), Auto)
	}
	tried := []string{word}
	if word == Auto {
		tried = Words()
	}
	var why []string
	for _, word := range tried {
		w, err := d.way(ctx, word)
		if err == nil {
			return w, nil
		}
		why = append(why, fmt.Sprintf("driver %s: %v", word, err))
	}
	return nil, scenarios.Unsupportedf("%s", strings.Join(why, "; "))
}

// way is how a driver would make machines here; the error says why it cannot.
func (d *Driver) way(ctx context.Context, word string) (*way, error) {
	switch word {
	case UML:
		return d.umlWay(ctx)
	case Container:
		return d.containerWay(ctx)
	default:
		return d.namespaceWay(ctx)
	}
}

// agent is the program that runs in peers.
func (d *Driver) agent() (string, error) {
	if d.opt.Agent != "" {
		return d.opt.Agent, nil
	}
	return d.opt.Store.Agent()
}

// stage is what user-mode Linux machines start with; it is made once.
func (d *Driver) stage() (string, error) {
	dir := filepath.Join(d.work.path, "stage")
	agent, err := d.agent()
	if err != nil {
		return "", err
	}
	d.staged.Do(func() { d.notStaged = newStage(dir, agent) })
	return dir, d.notStaged
}

func (d *Driver) umlWay(ctx context.Context) (*way, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("user-mode Linux is for linux/amd64, and this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	kernel, modules, err := d.opt.Store.Kernel()
	if err != nil {
		return nil, err
	}
	if modules, err = release(modules); err != nil {
		return nil, err
	}
	stage, err := d.stage()
	if err != nil {
		return nil, err
	}
	u := umlFiles{kernel, modules, stage}
	if d.opt.NoDocker {
		return &way{UML, "user-mode Linux in a process", os.Getuid(), u.process}, nil
	}
	engine, err := d.engine(ctx)
	if err != nil {
		return &way{UML, "user-mode Linux in a process", os.Getuid(), u.process}, nil
	}
	return &way{UML, "user-mode Linux in an unprivileged container", containerUser(), func(ctx context.Context, s *site) (machine, error) {
		return u.container(ctx, engine, d.opt.Store, s)
	}}, nil
}

// containerUser is who runs in a container that needs no rights: the lab's own user, and nobody where that is root.
func containerUser() int {
	if uid := os.Getuid(); uid != 0 {
		return uid
	}
	return 65534
}

func (d *Driver) containerWay(ctx context.Context) (*way, error) {
	agent, err := d.agent()
	if err != nil {
		return nil, err
	}
	if d.opt.NoDocker {
		return nil, errors.New("this lab is not to use Docker")
	}
	engine, err := d.engine(ctx)
	if err != nil {
		return nil, err
	}
	if err := tap.Available(); err != nil {
		return nil, err
	}
	return &way{Container, "a Docker container", os.Getuid(), func(ctx context.Context, s *site) (machine, error) {
		return startContainer(ctx, engine, d.opt.Store, agent, s)
	}}, nil
}

func (d *Driver) namespaceWay(ctx context.Context) (*way, error) {
	agent, err := d.agent()
	if err != nil {
		return nil, err
	}
	if err := tap.Available(); err != nil {
		return nil, err
	}
	if err := canNamespaces(peerNamespaces); err != nil {
		return nil, err
	}
	d.tried.Do(func() { d.fails = d.tryNamespace(context.WithoutCancel(ctx), agent) })
	if d.fails != nil {
		return nil, fmt.Errorf("namespaces have not what a peer needs here: %w: become root, or use driver %s", d.fails, UML)
	}
	return &way{Namespace, "namespaces", os.Getuid(), func(ctx context.Context, s *site) (machine, error) {
		return startNamespace(ctx, agent, s)
	}}, nil
}

// trialPatience is for an agent whose image is an empty folder.
const trialPatience = 5 * time.Second

// tryNamespace starts an agent that has nothing to do, and waits until it greets. Which file systems may be mounted in
// namespaces depends on the kernel, its modules for security, and what is mounted here. An agent that is slow shows nothing
// of that: a peer has its own limit.
func (d *Driver) tryNamespace(ctx context.Context, agent string) error {
	ctx, cancel := context.WithTimeout(ctx, trialPatience)
	defer cancel()
	dir, err := d.work.peer(os.Getuid())
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &site{name: "trial", dir: dir, rootfs: filepath.Join(dir, "root")}
	if err := os.Mkdir(s.rootfs, 0o755); err != nil {
		return err
	}
	m, err := startNamespace(ctx, agent, s)
	if m == nil {
		return err
	}
	defer m.kill()
	if err == nil {
		var client *control.Client
		if client, err = control.Connect(ctx, s.line); err == nil {
			return client.Close()
		}
	}
	select {
	case <-m.ended(): // and has said why
		if _, text := m.printed(); lastLine(text) != "" {
			return errors.New(lastLine(text))
		}
		return err
	case <-ctx.Done():
		return nil
	}
}

// peerNamespaces are those that a peer in namespaces has for itself.
const peerNamespaces = unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// canNamespaces tries: what a process may is not for this program to guess.
func canNamespaces(which uintptr) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Path = "/dev/null/none" // the namespaces are made before it is looked for
	cmd.SysProcAttr = isolated(which)
	if err = cmd.Start(); errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = e.Err // the path is of no interest
	}
	return fmt.Errorf("this user may not make namespaces: %w: become root, or see user_namespaces(7) and "+
		"user.max_user_namespaces, kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns of sysctl", err)
}
