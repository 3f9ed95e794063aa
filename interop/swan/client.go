package swan

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/strongswan/govici/vici"
)

// Dial opens a connection to charon's vici socket.
type Dial func(ctx context.Context) (net.Conn, error)

// Client asks one charon. Each call has a connection of its own, so that one that hangs or is
// given up disturbs no other. It may be used by several goroutines.
type Client struct{ dial Dial }

// NewClient makes a client; it connects when it is first used.
func NewClient(d Dial) *Client { return &Client{dial: d} }

const (
	// answerTime is how long a daemon has for a question that it can answer at once.
	answerTime = 10 * time.Second
	// grace is how long it has after the time that it was given for a longer task.
	grace = 5 * time.Second
	// maxEvents is how many events one call may have, more than any lab has SAs.
	maxEvents = 1 << 14
	// maxSegment bounds what a daemon may send at once: vici's README, "Transport protocol".
	maxSegment = 512 << 10
)

// session runs calls on one connection, which ends with them.
func (c *Client) session(ctx context.Context, limit time.Duration, calls func(context.Context, *vici.Session) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s, err := vici.NewSession(vici.WithDialContext(func(context.Context, string, string) (net.Conn, error) {
		conn, err := c.dial(ctx)
		if err != nil {
			return nil, err
		}
		return &segments{Conn: conn}, nil
	}))
	if err != nil {
		return fmt.Errorf("swan: connecting to charon: %w", err)
	}
	defer s.Close()
	return calls(ctx, s)
}

// call is one command without events.
func (c *Client) call(ctx context.Context, command string, in *vici.Message) (out *vici.Message, err error) {
	err = c.session(ctx, answerTime, func(ctx context.Context, s *vici.Session) error {
		out, err = ask(ctx, s, command, in)
		return err
	})
	return out, err
}

// ask is one command of a session.
func ask(ctx context.Context, s *vici.Session, command string, in *vici.Message) (*vici.Message, error) {
	out, err := s.Call(ctx, command, in)
	if err != nil {
		return nil, failed(command, err)
	}
	return out, nil
}

// Refused is charon's own "no" to a command.
type Refused struct {
	Command string
	Reason  string   // as charon words it
	Log     []string // what charon said meanwhile; nil: it was not asked
}

func (e *Refused) Error() string {
	s := "swan: charon refused " + e.Command
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if n := len(e.Log); n > 0 {
		s += " (last: " + e.Log[n-1] + ")"
	}
	return s
}

func failed(command string, err error) error {
	if reason, ok := strings.CutPrefix(err.Error(), "vici: command failed"); ok {
		return &Refused{Command: command, Reason: strings.TrimPrefix(reason, ": ")}
	}
	return fmt.Errorf("swan: charon's answer to %s: %w", command, err)
}

// stream is a command whose answer comes as events. They are subscribed to, and not streamed by
// govici: version 0.8.0 has events and the answer wait in two queues and takes one of either, so that the
// last events may come after the answer and are lost.
func stream(ctx context.Context, s *vici.Session, command, event string, in *vici.Message) ([]*vici.Message, error) {
	events := make(chan vici.Event, maxEvents)
	s.NotifyEvents(events)
	defer s.StopEvents(events)
	if err := s.Subscribe(event); err != nil {
		return nil, fmt.Errorf("swan: charon's events %s: %w", event, err)
	}
	_, err := s.Call(ctx, command, in)
	// What came before the answer is in the channel by now: one goroutine reads both.
	var all []*vici.Message
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return all, errors.Join(err, errors.New("swan: charon closed the connection"))
			}
			if e.Name == event {
				all = append(all, e.Message)
			}
			continue
		default:
		}
		break
	}
	if len(all) == maxEvents {
		return all, fmt.Errorf("swan: charon answered %s with more than %d events", command, maxEvents-1)
	}
	if err != nil {
		return all, failed(command, err)
	}
	return all, nil
}

// events is a stream in a session of its own.
func (c *Client) events(ctx context.Context, command, event string, in *vici.Message) (all []*vici.Message, err error) {
	err = c.session(ctx, answerTime, func(ctx context.Context, s *vici.Session) error {
		all, err = stream(ctx, s, command, event, in)
		return err
	})
	return all, err
}

// segments bounds the segments that are read of a connection: govici makes room for whatever length a header names.
type segments struct {
	net.Conn
	header []byte // not yet given to the reader
	left   uint32 // of the segment
}

func (s *segments) Read(p []byte) (int, error) {
	if len(s.header) == 0 && s.left == 0 {
		var h [4]byte
		if _, err := io.ReadFull(s.Conn, h[:]); err != nil {
			return 0, err
		}
		s.left = binary.BigEndian.Uint32(h[:])
		if s.left > maxSegment {
			return 0, fmt.Errorf("swan: charon announces %d bytes, and vici has %d at most", s.left, maxSegment)
		}
		s.header = h[:]
	}
	if len(s.header) > 0 {
		n := copy(p, s.header)
		s.header = s.header[n:]
		return n, nil
	}
	n, err := s.Conn.Read(p[:min(len(p), int(s.left))])
	s.left -= uint32(n)
	return n, err
}
