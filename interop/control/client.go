package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/yamux"
)

// Client is the lab's side of the conversation with one agent. Its methods may be
// called from any goroutine. They return when the agent has answered, when ctx ends
// (the agent then gives the request up), or when the conversation is over. An error
// of type *Error is the agent's.
type Client struct {
	session *yamux.Session
	room    chan struct{} // a place for each request under way
}

// Connect begins the conversation when the agent at the other end has greeted, which
// it does once it can serve. What the stream brings before, as a console does, is
// skipped. The client closes the stream, also when Connect fails.
func Connect(ctx context.Context, stream io.ReadWriteCloser) (*Client, error) {
	type greeted struct {
		line io.ReadWriteCloser
		err  error
	}
	done := make(chan greeted, 1)
	go func() {
		line, err := readGreeting(stream)
		done <- greeted{line, err}
	}()
	var g greeted
	select {
	case g = <-done:
	case <-ctx.Done():
		g.err = fmt.Errorf("the agent has not greeted: %w", context.Cause(ctx))
	}
	var session *yamux.Session
	if g.err == nil {
		session, g.err = yamux.Client(g.line, config())
	}
	if g.err != nil {
		stream.Close() // ends the reading as well
		return nil, fmt.Errorf("control: %w", g.err)
	}
	return &Client{session: session, room: make(chan struct{}, MaxRequests)}, nil
}

// Close ends the conversation, whereupon the agent ends all that it has started, and itself.
func (c *Client) Close() error { return c.session.Close() }

// Hello asks what the peer is. Version is filled in.
func (c *Client) Hello(ctx context.Context) (*Welcome, error) {
	a, err := c.ask(ctx, &Request{Hello: &Hello{Version: Version}})
	if err == nil && a.Hello == nil {
		err = missing("hello")
	}
	if err != nil {
		return nil, err
	}
	return a.Hello, nil
}

// Setup makes the network of the peer.
func (c *Client) Setup(ctx context.Context, s *Setup) error { return c.tell(ctx, &Request{Setup: s}) }

// WriteFiles writes files, each with the folders above it.
func (c *Client) WriteFiles(ctx context.Context, files ...File) error {
	if len(files) == 0 {
		return nil
	}
	return c.tell(ctx, &Request{Files: files})
}

// ReadFile gives the content of a file; of one longer than MaxFile the last bytes, and how many it left out.
func (c *Client) ReadFile(ctx context.Context, path string) (b []byte, leftOut int64, err error) {
	a, err := c.ask(ctx, &Request{Read: path})
	if err != nil {
		return nil, 0, err
	}
	return a.Read, a.LeftOut, nil
}

// Exec runs a command to its end. A command that fails is no error.
func (c *Client) Exec(ctx context.Context, e *Exec) (*Exited, error) {
	a, err := c.ask(ctx, &Request{Exec: e})
	if err == nil && a.Exec == nil {
		err = missing("exec")
	}
	if err != nil {
		return nil, err
	}
	return a.Exec, nil
}

// Start starts a daemon.
func (c *Client) Start(ctx context.Context, s *Start) error { return c.tell(ctx, &Request{Start: s}) }

// Signal sends a signal to a daemon.
func (c *Client) Signal(ctx context.Context, s *Signal) error {
	return c.tell(ctx, &Request{Signal: s})
}

// Serve starts an application.
func (c *Client) Serve(ctx context.Context, s Serve) error { return c.tell(ctx, &Request{Serve: &s}) }

// Seen counts what has reached an application.
func (c *Client) Seen(ctx context.Context, s Serve) (*Seen, error) {
	a, err := c.ask(ctx, &Request{Seen: &s})
	if err == nil && a.Seen == nil {
		err = missing("seen")
	}
	if err != nil {
		return nil, err
	}
	return a.Seen, nil
}

// Ping sends echo requests.
func (c *Client) Ping(ctx context.Context, p *Ping) (*Report, error) {
	return c.report(ctx, &Request{Ping: p})
}

// Call makes a TCP request.
func (c *Client) Call(ctx context.Context, r *Call) (*Report, error) {
	return c.report(ctx, &Request{Call: r})
}

// UDP sends datagrams.
func (c *Client) UDP(ctx context.Context, u *UDP) (*Report, error) {
	return c.report(ctx, &Request{UDP: u})
}

// XFRM gives the SAs of the kernel with their keys.
func (c *Client) XFRM(ctx context.Context) ([]State, error) {
	a, err := c.ask(ctx, &Request{XFRM: &XFRM{}})
	if err != nil {
		return nil, err
	}
	return a.XFRM, nil
}

// Died tells of the daemons that have ended by themselves.
func (c *Client) Died(ctx context.Context) ([]Death, error) {
	a, err := c.ask(ctx, &Request{Died: &Died{}})
	if err != nil {
		return nil, err
	}
	return a.Died, nil
}

// Dial connects to a socket in the peer. To close the connection closes it in both
// directions; its deadlines work. ctx is about the making of it alone.
func (c *Client) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	s, _, err := c.do(ctx, &Request{Dial: &Dial{Network: network, Address: address}})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c *Client) report(ctx context.Context, r *Request) (*Report, error) {
	a, err := c.ask(ctx, r)
	if err == nil && a.Report == nil {
		err = missing("report")
	}
	if err != nil {
		return nil, err
	}
	return a.Report, nil
}

func missing(field string) error {
	return fmt.Errorf("control: the agent's answer has no %s: lab and agent do not belong together", field)
}

func (c *Client) tell(ctx context.Context, r *Request) error {
	_, err := c.ask(ctx, r)
	return err
}

// ask makes a request of which nothing is left but the answer.
func (c *Client) ask(ctx context.Context, r *Request) (*Answer, error) {
	s, a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	go s.Close() // which would wait for a line that takes nothing
	return a, nil
}

// outcome is what a request came to.
type outcome struct {
	stream *conn
	answer *Answer
	err    error
}

// do makes a request in a stream of its own, which it gives with the answer.
//
// The exchange runs apart, because yamux waits for a line that takes nothing however
// the request fares. When ctx ends nobody waits for it any more, and it ends as
// soon as the line or the session does.
func (c *Client) do(ctx context.Context, r *Request) (*conn, *Answer, error) {
	kind, err := r.kind()
	if err != nil {
		return nil, nil, err
	}
	line, err := encode(r)
	if err != nil {
		return nil, nil, fmt.Errorf("control: %s: %w", kind, err)
	}
	over := func() error { return fmt.Errorf("control: %s: %w", kind, context.Cause(ctx)) }
	if ctx.Err() != nil {
		return nil, nil, over()
	}
	select {
	case c.room <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, over()
	case <-c.session.CloseChan():
		return nil, nil, fmt.Errorf("control: %s: the conversation with the agent is over", kind)
	}
	done := make(chan outcome)
	go func() {
		defer func() { <-c.room }()
		o := c.exchange(ctx, line)
		select {
		case done <- o:
		case <-ctx.Done():
			if o.stream != nil {
				o.stream.Close()
			}
		}
	}()
	select {
	case o := <-done:
		if o.err != nil && ctx.Err() != nil {
			return nil, nil, over()
		}
		if _, agents := errors.AsType[*Error](o.err); o.err != nil && !agents {
			o.err = fmt.Errorf("control: %s: %w", kind, o.err)
		}
		return o.stream, o.answer, o.err
	case <-ctx.Done():
		return nil, nil, over()
	}
}

// exchange sends the line of a request and reads the answer. There is a stream
// exactly when there is no error.
func (c *Client) exchange(ctx context.Context, line []byte) outcome {
	stream, err := c.session.OpenStream()
	if err != nil {
		return outcome{err: fmt.Errorf("the conversation with the agent is over: %w", err)}
	}
	s := newConn(stream)
	stop := context.AfterFunc(ctx, s.abandon)
	var a Answer
	_, err = s.Write(line)
	if err == nil {
		err = decode(s.buffered, &a)
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	switch {
	case err != nil:
		err = fmt.Errorf("no answer of the agent: %w", err)
	case a.Error != "":
		err = &Error{Kind: a.Kind, Text: a.Error}
	default:
		return outcome{stream: s, answer: &a}
	}
	s.abandon()
	s.Close()
	return outcome{err: err}
}

// conn is a stream with what has been read of it beyond its first line.
type conn struct {
	*yamux.Stream
	buffered *bufio.Reader
}

func newConn(s *yamux.Stream) *conn { return &conn{Stream: s, buffered: bufio.NewReader(s)} }

func (c *conn) Read(b []byte) (int, error) { return c.buffered.Read(b) }

// Close closes both directions: a yamux stream alone would go on being read.
func (c *conn) Close() error {
	c.abandon()
	return c.Stream.Close()
}

// abandon ends what reads and writes now, and all that would later.
func (c *conn) abandon() { c.SetDeadline(past) }

// past is a deadline that is over.
var past = time.Unix(1, 0)
