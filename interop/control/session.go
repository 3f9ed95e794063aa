package control

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/yamux"
)

// Limits of the conversation.
const (
	// MaxMessage is how long a request or an answer may be, in bytes of JSON.
	MaxMessage = 16 << 20

	// MaxFile is how much of a file Read gives: its last bytes. As base64 it fits into an answer.
	MaxFile = 8 << 20

	// MaxRequests is how many requests a client has under way at one time; more wait.
	MaxRequests = 128
)

// greeting is what the agent says before the session begins. The lab is silent until
// then: a terminal line of the peer gives back and changes what is sent before the
// agent has made it a plain line, and a kernel may have printed to it. On a terminal
// line it is another.
const (
	greeting         = "\nipseclab agent listens\n"
	terminalGreeting = "\nipseclab agent listens on a terminal\n"
)

// maxNoise is how many bytes may stand before the greeting.
const maxNoise = 64 << 10

// readGreeting reads up to the end of the greeting, byte by byte: what follows
// belongs to the session, for which it returns the line.
func readGreeting(line io.ReadWriteCloser) (io.ReadWriteCloser, error) {
	b := make([]byte, 0, maxNoise)
	for len(b) < maxNoise {
		if _, err := io.ReadFull(line, b[len(b):len(b)+1]); err != nil {
			return nil, fmt.Errorf("the line ended before the agent's greeting: %w", err)
		}
		b = b[:len(b)+1]
		if l := greeted(b, line); l != nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no agent's greeting in %d bytes", maxNoise)
}

// config is that of the session. A peer on a busy machine may be away for long, so
// that silence alone ends a session late; requests have limits of their own.
func config() *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = 2 * MaxRequests
	c.KeepAliveInterval = 30 * time.Second
	c.ConnectionWriteTimeout = 2 * time.Minute
	c.StreamOpenTimeout = 3 * time.Minute
	c.StreamCloseTimeout = time.Minute
	c.LogOutput = io.Discard
	return c
}

// errTooLong is of a message beyond MaxMessage.
var errTooLong = errors.New("longer than 16 MiB")

// encode makes the line of a message.
func encode(message any) ([]byte, error) {
	b, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	if len(b) >= MaxMessage {
		return nil, errTooLong
	}
	return append(b, '\n'), nil
}

// decode reads the line of a message.
func decode(r *bufio.Reader, message any) error {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > MaxMessage {
			return errTooLong
		}
		line = append(line, part...)
		switch {
		case err == nil:
			d := json.NewDecoder(bytes.NewReader(line))
			d.DisallowUnknownFields()
			return d.Decode(message)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
}

// kind is that of a request, by the name of its field: exactly one is set.
func (r *Request) kind() (string, error) {
	var set []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"hello", r.Hello != nil}, {"setup", r.Setup != nil}, {"files", len(r.Files) > 0}, {"read", r.Read != ""},
		{"exec", r.Exec != nil}, {"start", r.Start != nil}, {"signal", r.Signal != nil}, {"dial", r.Dial != nil},
		{"serve", r.Serve != nil}, {"seen", r.Seen != nil}, {"ping", r.Ping != nil}, {"call", r.Call != nil},
		{"udp", r.UDP != nil}, {"xfrm", r.XFRM != nil}, {"died", r.Died != nil},
	} {
		if f.set {
			set = append(set, f.name)
		}
	}
	if len(set) != 1 {
		return "", Errorf(BadRequest, "control: a request asks for one thing, not for %d %v", len(set), set)
	}
	return set[0], nil
}
