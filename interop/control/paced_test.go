package control

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// narrow is a terminal line that breaks when more waits to be read than it holds.
type narrow struct {
	net.Conn // of the agent
	waiting  atomic.Int64
	most     atomic.Int64
	from     chan []byte
	rest     []byte
}

// newNarrow gives the lab's end of a line, and the agent's.
func newNarrow() (lab net.Conn, agent *narrow) {
	lab, inner := net.Pipe()
	n := &narrow{Conn: inner, from: make(chan []byte, 1<<16)}
	go func() {
		defer close(n.from)
		for {
			b := make([]byte, 1000)
			m, err := inner.Read(b)
			if err != nil {
				return
			}
			if w := n.waiting.Add(int64(m)); w > n.most.Load() {
				n.most.Store(w)
			}
			n.from <- b[:m]
		}
	}()
	return lab, n
}

func (n *narrow) Read(b []byte) (int, error) {
	if len(n.rest) == 0 {
		time.Sleep(50 * time.Microsecond) // the agent is slow
		part, ok := <-n.from
		if !ok {
			return 0, io.EOF
		}
		n.rest = part
	}
	m := copy(b, n.rest)
	n.rest = n.rest[m:]
	n.waiting.Add(int64(-m))
	return m, nil
}

func TestTerminal(t *testing.T) {
	lab, agent := newNarrow()
	p := &peer{ended: make(chan error, 10)}
	over := make(chan error, 1)
	go func() { over <- Listen(context.Background(), NewTerminal(agent), p) }()
	c, err := Connect(t.Context(), lab)
	require.NoError(t, err)
	defer c.Close()
	done := make(chan error, 20)
	for range 20 {
		go func() {
			want := strings.Repeat("0123456789", 5000)
			x, err := c.Exec(t.Context(), &Exec{Argv: []string{want}, Env: []string{want}})
			if err == nil && string(x.Output) != want {
				err = io.ErrUnexpectedEOF
			}
			done <- err
		}()
	}
	for range 20 {
		require.NoError(t, <-done)
	}
	b, _, err := c.ReadFile(t.Context(), "/log")
	require.NoError(t, err)
	require.Len(t, b, MaxFile)
	require.LessOrEqual(t, agent.most.Load(), int64(pace), "no more waits in the line than it holds")
	require.NoError(t, c.Close())
	require.NoError(t, <-over)
}

// A terminal line that ends frees who waits for room on it, and one on which the agent
// tells of bytes that were never sent is given up.
func TestTerminalEnds(t *testing.T) {
	for _, tc := range []struct{ name, says string }{
		{"at once", ""},
		{"in a packet's head", "\x00\x00\x00"},
		{"in a packet", "\x00\x00\x00\x20\x00"},
		{"with too much said to be read", "\xff\xff\x00\x00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lab, agent := net.Pipe()
			go func() {
				io.WriteString(agent, terminalGreeting)
				io.CopyN(io.Discard, agent, pace)
				io.WriteString(agent, tc.says)
				if !strings.HasPrefix(tc.says, "\xff") {
					agent.Close()
				}
			}()
			c, err := Connect(t.Context(), lab)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Exec(t.Context(), &Exec{Argv: []string{strings.Repeat("x", 100_000)}})
			require.Error(t, err)
			require.NoError(t, t.Context().Err())
			<-c.session.CloseChan()
		})
	}
}
