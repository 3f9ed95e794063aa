package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a handler whose commands are words: "hang", "panic", "big" and others, which it repeats.
type peer struct {
	Handler // what a test does not use
	ended   chan error
}

func (p *peer) Hello(context.Context) (*Welcome, error) {
	return &Welcome{Version: Version, Kernel: "6.1"}, nil
}

func (p *peer) Exec(ctx context.Context, e *Exec) (*Exited, error) {
	switch e.Argv[0] {
	case "hang":
		<-ctx.Done()
		p.ended <- ctx.Err()
		return nil, ctx.Err()
	case "panic":
		panic("of the handler")
	case "big":
		return &Exited{Output: make([]byte, MaxMessage)}, nil
	case "esp":
		return nil, Errorf(Unsupported, "no ESP")
	}
	return &Exited{Code: 3, Output: []byte(strings.Join(e.Argv, " "))}, nil
}

func (p *peer) Read(_ context.Context, path string) ([]byte, int64, error) {
	return bytes.Repeat([]byte{7}, MaxFile), 5, nil
}

func (p *peer) Dial(_ context.Context, d *Dial) (net.Conn, error) {
	if d.Address != "/run/vici" {
		return nil, errors.New("no such socket")
	}
	lab, daemon := net.Pipe()
	go func() { // echoes a line, and closes when the line is "bye"
		defer daemon.Close()
		b := make([]byte, 1<<10)
		for {
			n, err := daemon.Read(b)
			if err != nil {
				p.ended <- err
				return
			}
			daemon.Write(b[:n])
			if string(b[:n]) == "bye\n" {
				return
			}
		}
	}()
	return lab, nil
}

// session is a client and an agent that serves it.
func session(t *testing.T) (*Client, *peer, <-chan error) {
	lab, agent := net.Pipe()
	p := &peer{ended: make(chan error, 200)}
	over := make(chan error, 1)
	go func() { over <- Listen(context.Background(), agent, p) }()
	c, err := Connect(t.Context(), lab)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c, p, over
}

func TestRequests(t *testing.T) {
	c, _, over := session(t)
	ctx := t.Context()
	w, err := c.Hello(ctx)
	require.NoError(t, err)
	require.Equal(t, "6.1", w.Kernel)

	x, err := c.Exec(ctx, &Exec{Argv: []string{"echo", "a"}})
	require.NoError(t, err)
	require.Equal(t, &Exited{Code: 3, Output: []byte("echo a")}, x)

	b, leftOut, err := c.ReadFile(ctx, "/var/log/charon")
	require.NoError(t, err)
	require.EqualValues(t, 5, leftOut)
	require.Len(t, b, MaxFile, "the longest file fits into an answer")

	_, err = c.Exec(ctx, &Exec{Argv: []string{"esp"}})
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = c.Exec(ctx, &Exec{Argv: []string{"panic"}})
	require.ErrorContains(t, err, "panicked: of the handler")
	_, err = c.Exec(ctx, &Exec{Argv: []string{"big"}})
	require.ErrorContains(t, err, "longer than 16 MiB")
	err = c.WriteFiles(ctx, File{Path: "/long", Data: make([]byte, MaxMessage)})
	require.ErrorContains(t, err, "longer than 16 MiB", "before it is sent")

	require.NoError(t, c.Close())
	require.NoError(t, <-over)
	_, err = c.Hello(ctx)
	require.ErrorContains(t, err, "the conversation with the agent is over")
}

func TestManyAtOnce(t *testing.T) {
	c, _, _ := session(t)
	hanging, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for range MaxRequests / 2 {
		all.Go(func() {
			_, err := c.Exec(hanging, &Exec{Argv: []string{"hang"}})
			require.ErrorIs(t, err, context.Canceled)
		})
	}
	var some sync.WaitGroup
	for i := range 100 {
		some.Go(func() {
			want := strings.Repeat("x", i*100)
			x, err := c.Exec(t.Context(), &Exec{Argv: []string{want}})
			require.NoError(t, err)
			require.Equal(t, want, string(x.Output))
		})
	}
	some.Wait()
	cancel()
	all.Wait()
}

// A context that ends frees the caller at once, and the agent hears of it.
func TestGiveUp(t *testing.T) {
	c, p, _ := session(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Exec(ctx, &Exec{Argv: []string{"hang"}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "exec")
	require.ErrorIs(t, <-p.ended, context.Canceled)

	_, err = c.Hello(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = c.Hello(t.Context())
	require.NoError(t, err, "others go on")
}

// An agent that stands still holds nobody beyond his time: neither the requests under
// way nor those that wait for room.
func TestStandstill(t *testing.T) {
	lab, agent := net.Pipe()
	defer agent.Close()
	go io.WriteString(agent, greeting)
	c, err := Connect(t.Context(), lab)
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range MaxRequests + 10 {
		all.Go(func() {
			_, err := c.Hello(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
	all.Wait()
}

func TestConnectWaits(t *testing.T) {
	t.Run("for nobody", func(t *testing.T) {
		lab, agent := net.Pipe()
		defer agent.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := Connect(ctx, lab)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("for who goes away", func(t *testing.T) {
		lab, agent := net.Pipe()
		go func() { io.WriteString(agent, "Kernel panic - not syncing\n"); agent.Close() }()
		_, err := Connect(t.Context(), lab)
		require.ErrorContains(t, err, "before the agent's greeting")
	})
	t.Run("among noise", func(t *testing.T) {
		lab, agent := net.Pipe()
		defer lab.Close()
		go func() {
			defer agent.Close()
			for range 2000 {
				if _, err := agent.Write(bytes.Repeat([]byte("noise\n"), 1000)); err != nil {
					return
				}
			}
		}()
		_, err := Connect(t.Context(), lab)
		require.ErrorContains(t, err, "no agent's greeting in")
	})
	t.Run("behind a console", func(t *testing.T) {
		lab, agent := net.Pipe()
		go func() {
			io.WriteString(agent, "[    0.1] random: crng init done\nipseclab agent")
			Listen(context.Background(), agent, &peer{})
		}()
		c, err := Connect(t.Context(), lab)
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Hello(t.Context())
		require.NoError(t, err)
	})
}

// What an agent answers that is none ends the request, or the session, and nothing else.
func TestBadAgent(t *testing.T) {
	for _, tc := range []struct{ name, says, want string }{
		{"garbage", "\x00\xff\x17 not a session at all \x00\x00\x00\x00\x00\x00\x00\x00", "the conversation with the agent is over|no answer of the agent"},
		{"nothing", "", "the conversation with the agent is over|no answer of the agent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lab, agent := net.Pipe()
			go io.Copy(io.Discard, agent)
			go func() { io.WriteString(agent, greeting+tc.says); agent.Close() }()
			c, err := Connect(t.Context(), lab)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Hello(t.Context())
			require.Error(t, err)
			require.Regexp(t, tc.want, err.Error())
		})
	}
}

// lines opens a stream by hand and gives what the agent answers to what is written there.
func lines(t *testing.T, c *Client, write ...string) (*Answer, error) {
	s, err := c.session.OpenStream()
	require.NoError(t, err)
	k := newConn(s)
	defer k.Close()
	for _, w := range write {
		if _, err := io.WriteString(k, w); err != nil {
			break // the agent does not read all of what is too long
		}
	}
	var a Answer
	return &a, decode(k.buffered, &a)
}

func TestBadRequests(t *testing.T) {
	c, _, _ := session(t)
	for _, tc := range []struct{ name, line, want string }{
		{"no JSON", "what?\n", "cannot be read"},
		{"no object", "[1]\n", "cannot be read"},
		{"an unknown field", `{"fly":true}` + "\n", "cannot be read"},
		{"a number out of range", `{"serve":{"protocol":300}}` + "\n", "cannot be read"},
		{"nothing asked", "{}\n", "not for 0"},
		{"two things", `{"read":"/x","xfrm":{}}` + "\n", "not for 2 [read xfrm]"},
		{"two things, one of them a connection", `{"dial":{},"read":"/x"}` + "\n", "not for 2"},
		{"another version", `{"hello":{"version":99}}` + "\n", "the lab speaks version 99"},
		{"too long", strings.Repeat("x", MaxMessage+64<<10), "longer than 16 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := lines(t, c, tc.line)
			require.NoError(t, err)
			require.Contains(t, a.Error, tc.want)
			require.Equal(t, BadRequest, a.Kind)
		})
	}
	_, err := c.Hello(t.Context())
	require.NoError(t, err, "none of them hurts the others")
}

func TestRequestCutShort(t *testing.T) {
	c, _, over := session(t)
	s, err := c.session.OpenStream()
	require.NoError(t, err)
	io.WriteString(s, `{"exec":{"argv":["hang"`)
	s.Close()
	_, err = c.Hello(t.Context())
	require.NoError(t, err)
	c.Close()
	require.NoError(t, <-over)
}

// A line that breaks ends what hangs in the agent.
func TestLineBreaks(t *testing.T) {
	c, p, over := session(t)
	hanging := make(chan error, 1)
	go func() {
		_, err := c.Exec(context.Background(), &Exec{Argv: []string{"hang"}})
		hanging <- err
	}()
	_, err := c.Hello(t.Context())
	require.NoError(t, err)
	time.Sleep(20 * time.Millisecond)
	c.Close()
	require.Error(t, <-hanging)
	require.Error(t, <-p.ended)
	require.NoError(t, <-over)
}

func TestDial(t *testing.T) {
	c, p, over := session(t)
	_, err := c.Dial(t.Context(), "unix", "/nothing")
	require.EqualError(t, err, "no such socket")

	talk := func(k net.Conn, line string) {
		_, err := fmt.Fprintln(k, line)
		require.NoError(t, err)
		b := make([]byte, len(line)+1)
		_, err = io.ReadFull(k, b)
		require.NoError(t, err)
		require.Equal(t, line+"\n", string(b))
	}
	ctx, cancel := context.WithCancel(t.Context())
	k, err := c.Dial(ctx, "unix", "/run/vici")
	require.NoError(t, err)
	cancel() // is of no consequence any more
	talk(k, "hello")
	require.NoError(t, k.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	_, err = k.Read(make([]byte, 1))
	require.True(t, err.(net.Error).Timeout())
	require.NoError(t, k.SetReadDeadline(time.Time{}))
	talk(k, "again")
	require.NoError(t, k.Close())
	require.Error(t, <-p.ended, "the daemon sees that the lab closes")

	k, err = c.Dial(t.Context(), "unix", "/run/vici")
	require.NoError(t, err)
	talk(k, "bye")
	_, err = k.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err, "the lab sees that the daemon closes")
	k.Close()

	_, err = c.Dial(t.Context(), "unix", "/run/vici")
	require.NoError(t, err)
	c.Close()
	require.NoError(t, <-over)
	require.Error(t, <-p.ended, "a session that ends closes connections")
}
