package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"

	"github.com/hashicorp/yamux"
)

// Handler carries requests out, many at one time. Its methods return soon after ctx
// ends, which it does when the lab has given the request up or the conversation is
// over; what they have started to answer the request is ended then. Errors that are
// no *Error are answered as Failed.
type Handler interface {
	Hello(context.Context) (*Welcome, error) // of the handler's version
	Setup(context.Context, *Setup) error
	Files(context.Context, []File) error
	Read(ctx context.Context, path string) (b []byte, leftOut int64, err error)
	Exec(context.Context, *Exec) (*Exited, error)
	Start(context.Context, *Start) error
	Signal(context.Context, *Signal) error
	Dial(context.Context, *Dial) (net.Conn, error)
	Serve(context.Context, *Serve) error
	Seen(context.Context, *Serve) (*Seen, error)
	Ping(context.Context, *Ping) (*Report, error)
	Call(context.Context, *Call) (*Report, error)
	UDP(context.Context, *UDP) (*Report, error)
	XFRM(context.Context) ([]State, error)
	Died(context.Context) ([]Death, error)
}

// Listen is the agent's side of the conversation. It greets, serves requests until
// the stream ends or ctx does, and returns when all
// requests have ended; the stream is closed then. The error is nil when the lab has
// ended the conversation.
func Listen(ctx context.Context, stream io.ReadWriteCloser, h Handler) error {
	defer stream.Close()
	if err := greet(stream); err != nil {
		return fmt.Errorf("control: greeting the lab: %w", err)
	}
	session, err := yamux.Server(stream, config())
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { session.Close() })()
	var requests sync.WaitGroup
	defer requests.Wait()
	defer session.Close()
	defer cancel()
	for {
		s, err := session.AcceptStream()
		if err != nil {
			if slices.ContainsFunc(lineEnds, func(end error) bool { return errors.Is(err, end) }) {
				return nil
			}
			return fmt.Errorf("control: %w", err)
		}
		requests.Go(func() { serve(ctx, newConn(s), h) })
	}
}

// greet says that the agent listens. Packets of a terminal line begin behind it.
func greet(stream io.ReadWriteCloser) error {
	text, to := greeting, io.Writer(stream)
	if t, ok := stream.(*terminal); ok {
		text, to = terminalGreeting, t.line
	}
	_, err := io.WriteString(to, text)
	return err
}

// lineEnds are how a stream ends when the other end goes away: a socket, also one in
// which something has not been read, and a terminal line.
var lineEnds = []error{io.EOF, yamux.ErrSessionShutdown, syscall.ECONNRESET, syscall.EPIPE, syscall.EIO}

// serve answers the request of a stream.
func serve(ctx context.Context, s *conn, h Handler) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.Close()
	defer context.AfterFunc(ctx, s.abandon)()

	var r Request
	if err := decode(s.buffered, &r); err != nil {
		// The rest of the line is not read: the stream ends.
		reply(s, failure(Errorf(BadRequest, "control: a request that cannot be read: %v", err)))
		return
	}
	if r.Dial != nil {
		if _, err := r.kind(); err == nil {
			dial(ctx, s, h, r.Dial)
			return
		}
	}
	// The lab says nothing more. When it closes the stream it has given up.
	go func() {
		io.Copy(io.Discard, s)
		cancel()
	}()
	reply(s, answer(ctx, h, &r))
}

// reply sends an answer, or why there is none.
func reply(s *conn, a *Answer) error {
	line, err := encode(a)
	if err != nil {
		line, err = encode(failure(fmt.Errorf("control: the answer: %w", err)))
	}
	if err == nil {
		_, err = s.Write(line)
	}
	return err
}

// answer has the handler carry a request out.
func answer(ctx context.Context, h Handler, r *Request) (a *Answer) {
	defer func() { // a panic is the answer to this request: the lab sees it with its stack, and the peer's other requests go on
		if p := recover(); p != nil {
			a = failure(fmt.Errorf("control: the agent panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	if _, err := r.kind(); err != nil {
		return failure(err)
	}
	var err error
	a = &Answer{}
	switch {
	case r.Hello != nil:
		if r.Hello.Version != Version {
			return failure(Errorf(BadRequest, "control: the lab speaks version %d, the agent version %d: build the images anew", r.Hello.Version, Version))
		}
		a.Hello, err = h.Hello(ctx)
	case r.Setup != nil:
		err = h.Setup(ctx, r.Setup)
	case len(r.Files) > 0:
		err = h.Files(ctx, r.Files)
	case r.Read != "":
		a.Read, a.LeftOut, err = h.Read(ctx, r.Read)
	case r.Exec != nil:
		a.Exec, err = h.Exec(ctx, r.Exec)
	case r.Start != nil:
		err = h.Start(ctx, r.Start)
	case r.Signal != nil:
		err = h.Signal(ctx, r.Signal)
	case r.Serve != nil:
		err = h.Serve(ctx, r.Serve)
	case r.Seen != nil:
		a.Seen, err = h.Seen(ctx, r.Seen)
	case r.Ping != nil:
		a.Report, err = h.Ping(ctx, r.Ping)
	case r.Call != nil:
		a.Report, err = h.Call(ctx, r.Call)
	case r.UDP != nil:
		a.Report, err = h.UDP(ctx, r.UDP)
	case r.XFRM != nil:
		a.XFRM, err = h.XFRM(ctx)
	case r.Died != nil:
		a.Died, err = h.Died(ctx)
	}
	if err != nil {
		return failure(err)
	}
	return a
}

// dial makes the stream a connection to a socket of the peer, until either end closes it.
func dial(ctx context.Context, s *conn, h Handler, d *Dial) {
	target, err := h.Dial(ctx, d)
	if err != nil {
		reply(s, failure(err))
		return
	}
	defer context.AfterFunc(ctx, func() { target.Close() })()
	defer target.Close()
	if reply(s, &Answer{}) != nil {
		return
	}
	inward := make(chan struct{})
	go func() {
		defer close(inward)
		io.Copy(target, s)
		target.Close() // the lab has closed: nothing more goes out either
		s.abandon()
	}()
	io.Copy(s, target)
	s.Stream.Close()
	target.Close()
	// What has been sent reaches the lab before it sees the end.
	s.SetReadDeadline(past)
	<-inward
}
