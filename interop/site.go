package interop

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/interop/control"
)

// site is what a machine is made of.
type site struct {
	name   string // of the peer
	image  string
	work   string // the folder of the driver
	dir    string // the peer's own in it, with the sockets; short
	rootfs string
	wires  []*wire // in the order of its interfaces
	frames bool    // its agent is to carry them, and hands no TAP over

	ipv6     bool              // an interface has an address of it
	names    []string          // of its interfaces, in the peer
	sysctls  map[string]string // for the agent to set
	hostname string            // likewise

	listeners []*listener
	joins     chan error // for each wire, when it carries frames or never will

	line io.ReadWriteCloser // on which the agent answers, when there is a machine; who closes it does not end that
}

// prepare names the interfaces, and says how packets are to go.
func (s *site) prepare(names string) {
	s.names = nil
	for i := range s.wires {
		s.names = append(s.names, fmt.Sprintf("%s%d", names, i))
	}
	s.sysctls, s.hostname = s.forwarding(), s.name
	s.joins = make(chan error, len(s.wires))
}

// conversation is the socket of the agent's line, where that is one.
func (s *site) conversation() string { return filepath.Join(s.dir, "control") }

// socket is the one that a user-mode Linux machine connects an interface to.
func (s *site) socket(wire int) string { return filepath.Join(s.dir, fmt.Sprintf("wire%d", wire)) }

// allWires is the one that an agent offers all its interfaces at.
func (s *site) allWires() string { return filepath.Join(s.dir, "wires") }

// start starts a machine to which these sockets, for frames, are there, and has it join its wires by them.
func (s *site) start(launch func() (machine, error), join func(ended <-chan struct{}), sockets ...string) (m machine, err error) {
	defer func() {
		if err != nil { // nobody comes
			for _, l := range s.listeners {
				l.close()
			}
		}
	}()
	for _, path := range sockets {
		l, err := listen("unixpacket", path)
		if err != nil {
			return nil, err
		}
		s.listeners = append(s.listeners, l)
	}
	if m, err = launch(); err != nil {
		return nil, err
	}
	join(m.ended())
	return m, nil
}

// startUML starts a user-mode Linux machine, which has a socket for each interface.
func (s *site) startUML(launch func() (machine, error)) (machine, error) {
	var sockets []string
	for i := range s.wires {
		sockets = append(sockets, s.socket(i))
	}
	return s.start(launch, s.acceptFrames, sockets...)
}

// startAgent starts a machine whose agent connects to the lab, and waits for that. A machine whose agent does not
// is there beside the error.
func (s *site) startAgent(ctx context.Context, launch func() (machine, error)) (machine, error) {
	control, err := listen("unix", s.conversation())
	if err != nil {
		return nil, err
	}
	defer control.close()
	m, err := s.start(launch, s.acceptOffers, s.allWires())
	if err != nil {
		return nil, err
	}
	line, err := control.accept(ctx, m.ended())
	if err != nil {
		return m, err
	}
	s.line = line
	return m, nil
}

// acceptFrames lets a user-mode Linux machine join the wires, each by a socket of its own. It does not
// wait for that.
func (s *site) acceptFrames(ended <-chan struct{}) {
	for i, l := range s.listeners {
		go func() {
			defer l.close()
			conn, err := l.accept(context.Background(), ended)
			if err == nil {
				err = s.wires[i].join(conn)
			}
			s.joins <- err
		}()
	}
}

// acceptOffers lets an agent join the wires, by what it offers at one socket. It does not wait for that.
func (s *site) acceptOffers(ended <-chan struct{}) {
	l := s.listeners[0]
	go func() {
		defer l.close()
		for range s.wires {
			conn, err := l.accept(context.Background(), ended)
			if err == nil {
				err = s.offered(conn)
			}
			s.joins <- err
		}
	}()
}

// offered joins a wire by what an agent offers on a connection.
func (s *site) offered(conn *net.UnixConn) error {
	_ = conn.SetReadDeadline(time.Now().Add(joinPatience)) // without one it only takes longer
	offer, err := control.AcceptWire(conn)
	if err != nil {
		conn.Close()
		return err
	}
	_ = conn.SetReadDeadline(time.Time{})
	frames := io.ReadWriteCloser(conn)
	if offer.TAP != nil {
		conn.Close()
		frames = offer.TAP
	}
	i := slices.Index(s.names, offer.Interface)
	if i < 0 {
		frames.Close()
		return fmt.Errorf("interop: the agent of %s offers an interface %q, and is asked for %v", s.name, offer.Interface, s.names)
	}
	return s.wires[i].join(frames)
}

// joinPatience is for a machine whose interfaces are up to be on its wires.
const joinPatience = 5 * time.Second

// joined waits until all wires carry frames.
func (s *site) joined(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	for i := range s.wires {
		select {
		case err := <-s.joins:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("interop: %d of the %d interfaces of %s are up and not on their wires", len(s.wires)-i, len(s.wires), s.name)
		}
	}
	return nil
}

// agentCommand is the command line of an agent that shares this machine's kernel.
func (s *site) agentCommand(agent, mode string, more ...string) []string {
	argv := append([]string{agent, mode, "--control", s.conversation()}, more...)
	if len(s.names) > 0 {
		argv = append(argv, "--wire", s.allWires())
	}
	for _, name := range s.names {
		argv = append(argv, "--interface", name)
	}
	if s.frames {
		argv = append(argv, "--frames")
	}
	return argv
}
