//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/interop/control"
)

// result says in one word how traffic fared, as for virtual hosts.
func result(err error, complete bool) string {
	switch {
	case err == nil && complete:
		return traffic.OK
	case err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, unix.ETIMEDOUT):
		return traffic.Timeout
	case errors.Is(err, unix.ECONNREFUSED):
		return traffic.Refused
	case errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTDOWN):
		return traffic.Unreachable
	}
	return traffic.Error
}

// finish puts the result into a report.
func finish(r *control.Report, err error) *control.Report {
	r.Result = result(err, r.Received == r.Sent)
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// limits of what is asked for, so that a mistake does not fill the peer's memory.
const (
	mostRequests = 100_000
	mostPayload  = 65507 // UDP in IPv4: RFC 768 and RFC 791
)

func checkRequests(what string, to netip.Addr, count, size, grow int) error {
	switch {
	case !to.IsValid():
		return control.Errorf(control.BadRequest, "%s: no destination", what)
	case count < 0 || count > mostRequests:
		return control.Errorf(control.BadRequest, "%s: %d requests: 0 to %d", what, count, mostRequests)
	case size < 0 || size > mostPayload || size+count*grow > mostPayload || size+count*grow < 0:
		return control.Errorf(control.BadRequest, "%s: sizes from %d to %d bytes: 0 to %d", what, size, size+count*grow, mostPayload)
	}
	return nil
}

// received is what came to a socket: the number of a request answered, or an error.
type received struct {
	request int
	err     error
	at      time.Duration
}

// exchange runs rounds over a socket. read blocks until an answer or an error is
// there, and ends with the socket, which is closed in the end.
func exchange(ctx context.Context, t traffic.Rounds, c io.Closer, send func(i int) error, read func() (i int, err error)) (*control.Report, error) {
	start := time.Now()
	now := func() time.Duration { return time.Since(start) }
	answers := make(chan received, 16)
	over := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			i, err := read()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case answers <- received{i, err, now()}:
			case <-over:
				return
			}
		}
	}()
	defer func() { close(over); c.Close(); <-ended }()

	var first error
	failed := func(err error) {
		if err != nil && first == nil {
			first = err
		}
	}
	t.Start(now())
	for !t.Done() {
		for t.Expired(now()) {
			t.GiveUp()
		}
		if i, ok := t.Send(now()); ok {
			failed(send(i))
			continue
		}
		if t.Done() {
			break
		}
		timer := time.NewTimer(t.Until() - now())
		select {
		case a := <-answers:
			failed(a.err)
			if a.err == nil {
				t.Answered(a.request, a.at)
			} else if t.Waiting() {
				t.GiveUp()
			}
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
	return finish(&control.Report{Sent: t.Sent, Received: t.Received, Latency: t.Latency(), Silence: t.Silence(now())}, first), nil
}

// Ping sends echo requests, RFC 792 and RFC 4443, Section 4.
func (a *agent) Ping(ctx context.Context, p *control.Ping) (*control.Report, error) {
	if err := checkRequests("ping", p.To, p.Count, p.Size, 0); err != nil {
		return nil, err
	}
	if p.TTL < 0 || p.TTL > 255 {
		return nil, control.Errorf(control.BadRequest, "ping: TTL %d is none: 1 to 255", p.TTL)
	}
	six := p.To.Is6()
	network, request, reply := "ip4:1", byte(8), byte(0)
	if six {
		network, request, reply = "ip6:58", 128, 129
	}
	c, err := net.DialIP(network, nil, &net.IPAddr{IP: p.To.AsSlice(), Zone: p.To.Zone()})
	if err != nil {
		return finish(&control.Report{Sent: p.Count}, err), nil
	}
	err = setOptions(c, func(fd int) error {
		if p.TTL != 0 && six {
			return errors.Join(fragment(fd, six), unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, p.TTL))
		} else if p.TTL != 0 {
			return errors.Join(fragment(fd, six), unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, p.TTL))
		}
		return fragment(fd, six)
	})
	if err != nil {
		c.Close()
		return nil, err
	}
	const header = 8
	identifier := a.echoes.Add(1)
	data := traffic.Pattern(0, p.Size)
	send := func(i int) error {
		b := make([]byte, header, header+len(data))
		b[0] = request
		binary.BigEndian.PutUint16(b[4:], uint16(identifier))
		binary.BigEndian.PutUint16(b[6:], uint16(i))
		b = append(b, data...)
		if !six { // the kernel does it for ICMPv6: RFC 3542, Section 3.1
			binary.BigEndian.PutUint16(b[2:], checksum(b))
		}
		_, err := c.Write(b)
		return err
	}
	buf := make([]byte, 64<<10)
	read := func() (int, error) {
		for {
			n, _, err := c.ReadFromIP(buf) // without the IP header, unlike Read
			if err != nil {
				return 0, err
			}
			b := buf[:n]
			if len(b) >= header && b[0] == reply && binary.BigEndian.Uint16(b[4:]) == uint16(identifier) && bytes.Equal(b[header:], data) {
				return int(binary.BigEndian.Uint16(b[6:])), nil
			}
		}
	}
	return exchange(ctx, traffic.Rounds{Count: p.Count, Interval: p.Interval, Timeout: p.Timeout}, c, send, read)
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// UDP sends datagrams and waits for their echoes.
func (a *agent) UDP(ctx context.Context, u *control.UDP) (*control.Report, error) {
	if err := checkRequests("udp", u.To.Addr(), u.Count, u.Size, u.Grow); err != nil {
		return nil, err
	}
	six := u.To.Addr().Is6()
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (failed error) {
		err := raw.Control(func(fd uintptr) { failed = errors.Join(fragment(int(fd), six), mark(int(fd), six, u.DSCP)) })
		return errors.Join(err, failed)
	}}
	if u.LocalPort != 0 {
		dialer.LocalAddr = &net.UDPAddr{Port: int(u.LocalPort)}
	}
	// Connected, so that ICMP errors come back to the socket.
	c, err := dialer.DialContext(ctx, "udp", u.To.String())
	if _, bad := errors.AsType[*control.Error](err); bad {
		return nil, err
	}
	if err != nil {
		return finish(&control.Report{Sent: u.Count}, err), nil
	}
	sent := traffic.Datagrams{Count: u.Count, Size: u.Size, Grow: u.Grow}
	send := func(i int) error {
		_, err := c.Write(sent.Payload(i))
		return err
	}
	buf := make([]byte, 64<<10)
	read := func() (int, error) {
		for {
			n, err := c.Read(buf)
			if err != nil {
				return 0, err
			}
			if i, ok := sent.Echo(buf[:n]); ok {
				return i, nil
			}
		}
	}
	rounds := traffic.Rounds{Count: u.Count, Ahead: u.InFlight, Interval: u.Interval, Timeout: u.Timeout}
	return exchange(ctx, rounds, c, send, read)
}

// Call makes a TCP request.
func (a *agent) Call(ctx context.Context, c *control.Call) (*control.Report, error) {
	switch {
	case !c.To.IsValid():
		return nil, control.Errorf(control.BadRequest, "call: no destination")
	case c.Request < 0 || c.Response < 0:
		return nil, control.Errorf(control.BadRequest, "call: a request of %d bytes for %d", c.Request, c.Response)
	}
	took, err := call(ctx, c)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if bad, is := errors.AsType[*control.Error](err); is {
		return nil, bad
	}
	r := &control.Report{Sent: 1}
	if err == nil {
		r.Received, r.Latency = 1, []time.Duration{took}
	}
	return finish(r, err), nil
}

// call returns the time until the whole answer was there.
func call(ctx context.Context, c *control.Call) (took time.Duration, err error) {
	start := time.Now()
	six := c.To.Addr().Is6()
	dialer := net.Dialer{Deadline: start.Add(c.Timeout), Control: func(_, _ string, raw syscall.RawConn) (failed error) {
		err := raw.Control(func(fd uintptr) {
			// A connection of before from the same port to another may be closing still.
			failed = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), mark(int(fd), six, c.DSCP))
		})
		return errors.Join(err, failed)
	}}
	if c.LocalPort != 0 {
		dialer.LocalAddr = &net.TCPAddr{Port: int(c.LocalPort)}
	}
	dialed, err := dialer.DialContext(ctx, "tcp", c.To.String())
	if err != nil {
		return 0, err
	}
	k := dialed.(*net.TCPConn)
	defer k.Close()
	defer context.AfterFunc(ctx, func() { k.Close() })()
	k.SetDeadline(start.Add(c.Timeout))
	if _, err := k.Write(traffic.AppendRequest(nil, c.Request, c.Response)); err != nil {
		return 0, err
	}
	if err := writePattern(k, c.Request, func() {}); err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for got := int64(0); got < c.Response; {
		n, err := k.Read(buf[:min(int64(len(buf)), c.Response-got)])
		if !traffic.Matches(buf[:n], got) {
			return 0, fmt.Errorf("the answer of %s differs from what was sent", c.To)
		}
		if got += int64(n); err != nil && got < c.Response {
			return 0, err
		}
	}
	took = time.Since(start)
	// Until the server closes, so that nothing of it is on the wire afterwards.
	k.CloseWrite()
	k.SetDeadline(time.Now().Add(10 * time.Second))
	k.Read(buf)
	return took, nil
}
