//go:build linux

// The agent runs inside a real peer, serves the lab's requests (package control) and
// ends with the conversation. It is one static program with three ways to start:
//
//	agent init                                                  as the first process of user-mode Linux
//	agent namespace --root DIR --control SOCKET [interfaces]    as the first process of new namespaces
//	agent container --control SOCKET [interfaces]               as the first process of a container
//
// where interfaces are --wire SOCKET --interface NAME [--interface NAME…] [--frames].
// The agent connects to the Unix stream socket --control for the conversation. For
// each interface it makes a TAP, connects to the SOCK_SEQPACKET socket --wire, and
// hands the TAP over, or carries its frames there (control.Wire) where it cannot, or has --frames.
//
// In namespaces the driver starts the agent with CLONE_NEWNS, NEWNET, NEWPID, NEWUTS
// and NEWIPC, and with NEWUSER when it is not root. The root filesystem DIR is not
// written to: what a peer writes is kept in memory and gone with it. The same holds
// in user-mode Linux. Where an overlay cannot be, or cannot be written to since DIR is
// another user's, DIR is copied into memory.
//
// # User-mode Linux
//
//	linux.uml mem=96M umid=NAME uml_dir=DIR/ con=null con0=null,fd:1 ssl=null ssl0=fd:3 quiet
//	  root=/dev/root rootfstype=hostfs rootflags=STAGE ro init=/agent
//	  ipseclab.root=IMAGE ipseclab.modules=MODULES
//	  vec0:transport=fd,fd=4,vec=0
//	  pty.legacy_count=0 lpj=10000000 cryptomgr.notests=1
//	  initcall_blacklist=raid6_select_algo,calibrate_xor_blocks,init_zswap,init_jfs_fs,init_xfs_fs,init_btrfs_fs
//
// with descriptor 1 a file that takes what the kernel prints, 3 one end of a stream
// socket pair for the conversation, 4 one of a SOCK_SEQPACKET pair for the frames of
// the interface vec0, and in the environment TMPDIR, a folder on a tmpfs whose files
// may be executed, which holds the machine's memory. The conversation can as well run
// over two pipes, as ssl0=fd:0,fd:1. uml_dir and umid are of one machine alone.
//
// STAGE is a folder that holds the agent and empty folders "proc" and "run", and is
// shared by all machines; without ipseclab.root it is the root filesystem itself.
// IMAGE and MODULES are folders of the lab's machine; MODULES is the one of the
// kernel's release, which holds modules.dep. The lab closes descriptor 3, and the
// machine ends.
//
// The last two lines are for speed: the kernel would measure RAID code and the
// processor's, test its algorithms, and make file systems and 256 old terminals that
// nobody uses. From the start to Hello answered it takes 0.5 s with them, 2 s without.
//
// Interfaces of a machine stay up: a vector device that goes down loses its
// descriptor, or connects anew.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

const usage = "usage: agent init | agent namespace --root DIR --control SOCKET … | agent container --control SOCKET …"

func run(args []string) error {
	if os.Getpid() == 1 && len(args) == 1 {
		args = append(args, "init") // a kernel gives its first process no arguments
	}
	if len(args) < 2 {
		return errors.New(usage)
	}
	os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	os.Setenv("HOME", "/root")
	switch args[1] {
	case "init":
		return runInit(context.Background())
	case "namespace", "container":
		o, err := parseOptions(args[1], args[2:])
		if err != nil {
			return err
		}
		return runAttached(context.Background(), o)
	}
	return errors.New(usage)
}

// options are those of an agent that the lab reaches over sockets.
type options struct {
	root       string // of namespaces
	control    string
	wire       string
	interfaces []string
	frames     bool
}

func parseOptions(mode string, args []string) (o options, err error) {
	f := flag.NewFlagSet("agent "+mode, flag.ContinueOnError)
	f.StringVar(&o.control, "control", "", "Unix socket of the lab for the conversation")
	f.StringVar(&o.wire, "wire", "", "Unix socket of the lab that takes interfaces")
	f.BoolVar(&o.frames, "frames", false, "carry frames in place of handing descriptors over")
	f.Func("interface", "name of an interface to make", func(s string) error {
		if s == "" || len(s) > 15 || strings.ContainsAny(s, "/ ") {
			return errors.New("an interface's name has 1 to 15 characters, none of them a space or a slash")
		}
		o.interfaces = append(o.interfaces, s)
		return nil
	})
	if mode == "namespace" {
		f.StringVar(&o.root, "root", "", "root filesystem")
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("what is %q? %s", f.Arg(0), usage)
	case o.control == "":
		return o, errors.New("--control is missing: " + usage)
	case len(o.interfaces) > 0 && o.wire == "":
		return o, errors.New("--wire is missing: it takes the interfaces")
	case mode == "namespace" && !filepath.IsAbs(o.root):
		return o, errors.New("--root is missing, or no absolute path")
	}
	return o, nil
}
