package swan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongswan/govici/vici"
)

// Target names SAs: those of a connection, of a child, or one by its number. Connection beside Child
// says under which connection the child is looked for.
type Target struct {
	Connection, Child string
	ConnectionID      uint32 // the unique number of an IKE SA; 0: not said
}

func (t Target) message() *vici.Message {
	m := vici.NewMessage()
	add := func(key string, value any, said bool) {
		if said {
			_ = m.Set(key, value) // strings and numbers can be set
		}
	}
	add("ike", t.Connection, t.Connection != "")
	add("child", t.Child, t.Child != "")
	add("ike-id", t.ConnectionID, t.ConnectionID != 0)
	return m
}

// Initiate has charon negotiate a child, and waits until it has, or for the time given. An error that
// wraps *Refused has charon's own words.
func (c *Client) Initiate(ctx context.Context, connection, child string, timeout time.Duration) error {
	m := Target{Connection: connection, Child: child}.message()
	return c.control(ctx, "initiate", m, timeout)
}

// Terminate ends SAs, with Deletes to the peer, whose answer is not waited for.
func (c *Client) Terminate(ctx context.Context, t Target, timeout time.Duration) error {
	m := t.message()
	_ = m.Set("force", "yes")
	return c.control(ctx, "terminate", m, timeout)
}

// control is a command that charon works on, and logs meanwhile.
func (c *Client) control(ctx context.Context, command string, m *vici.Message, timeout time.Duration) error {
	_ = m.Set("timeout", fmt.Sprint(max(timeout.Milliseconds(), 1)))
	_ = m.Set("loglevel", "1")
	return c.session(ctx, timeout+grace, func(ctx context.Context, s *vici.Session) error {
		events, err := stream(ctx, s, command, "control-log", m)
		if refused, ok := errors.AsType[*Refused](err); ok {
			for _, e := range events {
				refused.Log = append(refused.Log, fields{e}.text("msg"))
			}
		}
		return err
	})
}

// Version is who the daemon is.
type Version struct{ Daemon, Version, System, Release, Machine string }

// Version asks who the daemon is.
func (c *Client) Version(ctx context.Context) (Version, error) {
	m, err := c.call(ctx, "version", nil)
	if err != nil {
		return Version{}, err
	}
	f := fields{m}
	return Version{f.text("daemon"), f.text("version"), f.text("sysname"), f.text("release"), f.text("machine")}, nil
}

// Algorithms are what a daemon has: by kind ("encryption", "integrity", "ke" or "dh" …) and name, and the
// plugin that it is from.
type Algorithms map[string]map[string]string

// Algorithms asks what the daemon has.
func (c *Client) Algorithms(ctx context.Context) (Algorithms, error) {
	m, err := c.call(ctx, "get-algorithms", nil)
	if err != nil {
		return nil, err
	}
	all := Algorithms{}
	for kind, s := range (fields{m}).sections() {
		all[kind] = map[string]string{}
		for _, name := range s.m.Keys() {
			all[kind][name] = s.text(name)
		}
	}
	return all, nil
}
