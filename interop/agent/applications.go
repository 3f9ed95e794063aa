//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/interop/control"
)

// application listens as those of virtual hosts do.
type application struct {
	sockets []io.Closer

	mu   sync.Mutex
	seen control.Seen
}

func (app *application) note(f func(*control.Seen)) {
	app.mu.Lock()
	defer app.mu.Unlock()
	f(&app.seen)
}

func (app *application) close() {
	for _, s := range app.sockets {
		s.Close()
	}
}

// Serve starts an application, which listens when it returns. One that is there goes on.
func (a *agent) Serve(_ context.Context, s *control.Serve) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.applications[*s] != nil {
		return nil
	}
	app := &application{}
	var err error
	switch {
	case s.Protocol == unix.IPPROTO_TCP && s.Port != 0:
		err = app.serveTCP(s.Port)
	case s.Protocol == unix.IPPROTO_UDP && s.Port != 0:
		err = app.serveUDP(s.Port)
	case s.Protocol != unix.IPPROTO_TCP && s.Protocol != unix.IPPROTO_UDP && s.Protocol != 0 && s.Port == 0:
		err = app.serveProtocol(s.Protocol)
	default:
		return control.Errorf(control.BadRequest, "serve: no application for port %d of protocol %d", s.Port, s.Protocol)
	}
	if err != nil {
		app.close()
		return fmt.Errorf("serve: port %d of protocol %d: %w", s.Port, s.Protocol, err)
	}
	a.mu.applications[*s] = app
	return nil
}

// Seen counts what has reached an application.
func (a *agent) Seen(_ context.Context, s *control.Serve) (*control.Seen, error) {
	a.mu.Lock()
	app := a.mu.applications[*s]
	a.mu.Unlock()
	if app == nil {
		return nil, control.Errorf(control.BadRequest, "seen: nothing listens on port %d of protocol %d", s.Port, s.Protocol)
	}
	var seen control.Seen
	app.note(func(s *control.Seen) { seen = *s })
	return &seen, nil
}

// families opens a socket in each family that the kernel has.
func (app *application) families(open func(suffix string) (io.Closer, error)) error {
	for _, f := range []string{"4", "6"} {
		s, err := open(f)
		if f == "6" && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
			continue
		}
		if err != nil {
			return err
		}
		app.sockets = append(app.sockets, s)
	}
	return nil
}

func (app *application) serveTCP(port uint16) error {
	return app.families(func(f string) (io.Closer, error) {
		l, err := net.ListenTCP("tcp"+f, &net.TCPAddr{Port: int(port)})
		if err != nil {
			return nil, err
		}
		go func() {
			for {
				c, err := l.AcceptTCP()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err != nil {
					time.Sleep(10 * time.Millisecond) // there are too many
					continue
				}
				app.note(func(s *control.Seen) { s.Connections++ })
				go app.answer(c)
			}
		}()
		return l, nil
	})
}

// serverIdle is how long the server waits for the next byte of a request.
const serverIdle = 5 * time.Minute

// answer serves a connection.
func (app *application) answer(c *net.TCPConn) {
	defer c.Close()
	idle := func() { c.SetDeadline(time.Now().Add(serverIdle)) }
	header := make([]byte, traffic.RequestHeader)
	idle()
	if _, err := io.ReadFull(c, header); err != nil {
		return
	}
	want, answer := traffic.ParseRequest(header)
	buf := make([]byte, 64<<10)
	for got := uint64(0); got < want; {
		idle()
		n, err := c.Read(buf[:min(uint64(len(buf)), want-got)])
		intact := traffic.Matches(buf[:n], int64(got))
		got += uint64(n)
		app.note(func(s *control.Seen) {
			s.Bytes += int64(n)
			if !intact {
				s.Corrupt++
			}
		})
		if !intact || err != nil {
			return
		}
	}
	if err := writePattern(c, int64(answer), idle); err != nil {
		return
	}
	c.CloseWrite()
	// Until the client closes, so that nothing on its way is reset.
	idle()
	c.Read(buf)
}

// writePattern sends n bytes of test data; before is called before each piece.
func writePattern(w io.Writer, n int64, before func()) error {
	buf := make([]byte, min(max(n, 0), 64<<10))
	for at := int64(0); at < n; {
		piece := buf[:min(int64(len(buf)), n-at)]
		traffic.Fill(piece, at)
		before()
		if _, err := w.Write(piece); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	return nil
}

// serveUDP echoes the datagrams that were sent to the peer alone, from the address
// that they came to.
func (app *application) serveUDP(port uint16) error {
	return app.families(func(f string) (io.Closer, error) {
		c, err := net.ListenUDP("udp"+f, &net.UDPAddr{Port: int(port)})
		if err != nil {
			return nil, err
		}
		err = setOptions(c, func(fd int) error {
			if f == "6" {
				return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1), fragment(fd, true))
			}
			return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1), fragment(fd, false))
		})
		if err != nil {
			c.Close()
			return nil, err
		}
		go app.echo(c)
		return c, nil
	})
}

func (app *application) echo(c *net.UDPConn) {
	b, about := make([]byte, 64<<10), make([]byte, 256)
	for {
		n, m, _, from, err := c.ReadMsgUDPAddrPort(b, about)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // of a datagram that was sent
		}
		app.note(func(s *control.Seen) { s.Datagrams++; s.Bytes += int64(n) })
		if to, back := destination(about[:m]); isOwn(to) {
			c.WriteMsgUDPAddrPort(b[:n], back, from)
		}
	}
}

// destination is the address that a datagram came to, and what makes an answer come from it.
func destination(about []byte) (to netip.Addr, back []byte) {
	messages, err := unix.ParseSocketControlMessage(about)
	if err != nil {
		return to, nil
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			// struct in_pktinfo: interface, local address, destination; ip(7).
			to = netip.AddrFrom4([4]byte(m.Data[8:12]))
			return to, unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: to.As4()})
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			to = netip.AddrFrom16([16]byte(m.Data[:16]))
			info := &unix.Inet6Pktinfo{Addr: to.As16()}
			if to.IsLinkLocalUnicast() {
				info.Ifindex = binary.NativeEndian.Uint32(m.Data[16:])
			}
			return to, unix.PktInfo6(info)
		}
	}
	return to, nil
}

// isOwn reports whether an address is one of the peer's interfaces.
func isOwn(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, n := range all {
		if p, ok := n.(*net.IPNet); ok && p.IP.Equal(a.AsSlice()) {
			return true
		}
	}
	return false
}

// serveProtocol takes every datagram of a protocol and answers none.
func (app *application) serveProtocol(number uint8) error {
	return app.families(func(f string) (io.Closer, error) {
		c, err := net.ListenIP(fmt.Sprintf("ip%s:%d", f, number), nil)
		if err != nil {
			return nil, err
		}
		go func() {
			b := make([]byte, 64<<10)
			for {
				n, _, err := c.ReadFromIP(b)
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err == nil {
					app.note(func(s *control.Seen) { s.Datagrams++; s.Bytes += int64(n) })
				}
			}
		}()
		return c, nil
	})
}

// setOptions sets options of a socket.
func setOptions(c syscall.Conn, set func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// fragment lets datagrams be fragmented, here and on their way.
func fragment(fd int, six bool) error {
	if six {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DONT)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
}

// mark sets the DSCP of what a socket sends, RFC 2474.
func mark(fd int, six bool, dscp uint8) error {
	if dscp > 63 {
		return control.Errorf(control.BadRequest, "DSCP %d is none: 0 to 63", dscp)
	}
	if dscp == 0 {
		return nil
	}
	if six {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, int(dscp)<<2)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, int(dscp)<<2)
}
