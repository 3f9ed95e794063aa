package swan

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The packets and elements of vici, by strongSwan's README of the plugin.
const (
	cmdRequest, cmdResponse, cmdUnknown     = 0, 1, 2
	eventRegister, eventUnregister          = 3, 4
	eventConfirm, eventUnknown, eventPacket = 5, 6, 7
	sectionStart, sectionEnd, keyValue      = 1, 2, 3
	listStart, listItem, listEnd            = 4, 5, 6
)

// node is a message as the fake reads and writes it: pairs of a name and a string, []string or node.
type node []any

func appendNode(b []byte, n node) []byte {
	name := func(kind byte, s string) { b = append(append(b, kind, byte(len(s))), s...) }
	value := func(s string) { b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	for i := 0; i+1 < len(n); i += 2 {
		key := n[i].(string)
		switch v := n[i+1].(type) {
		case string:
			name(keyValue, key)
			value(v)
		case []string:
			name(listStart, key)
			for _, item := range v {
				b = append(b, listItem)
				value(item)
			}
			b = append(b, listEnd)
		case node:
			name(sectionStart, key)
			b = append(appendNode(b, v), sectionEnd)
		}
	}
	return b
}

func readNode(b []byte) (n node, rest []byte) {
	take := func(n int) (s string) { s, b = string(b[:n]), b[n:]; return s }
	for len(b) > 0 {
		kind := take(1)[0]
		if kind == sectionEnd {
			return n, b
		}
		key := take(int(take(1)[0]))
		switch kind {
		case keyValue:
			n = append(n, key, take(int(binary.BigEndian.Uint16([]byte(take(2))))))
		case listStart:
			items := []string{}
			for take(1)[0] == listItem {
				items = append(items, take(int(binary.BigEndian.Uint16([]byte(take(2))))))
			}
			n = append(n, key, items)
		case sectionStart:
			var sub node
			sub, b = readNode(b)
			n = append(n, key, sub)
		}
	}
	return n, nil
}

// fake is a charon that answers as it is told.
type fake struct {
	answers map[string]node   // by command; without one it says that it does not know it
	events  map[string][]node // by command: what it sends before the answer
	raw     map[string][]byte // instead of an answer, whole segments

	mu    sync.Mutex
	asked []string // commands with their messages
}

// client is one of the fake.
func (f *fake) client() *Client {
	return NewClient(func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go f.serve(theirs)
		return ours, nil
	})
}

var eventOf = map[string]string{"list-sas": "list-sa", "list-conns": "list-conn", "list-policies": "list-policy", "initiate": "control-log"}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	send := func(b []byte) bool {
		_, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
		return err == nil
	}
	for {
		var h [4]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint32(h[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		kind, name := b[0], string(b[2:2+b[1]])
		switch kind {
		case eventRegister, eventUnregister:
			send([]byte{eventConfirm})
		case cmdRequest:
			in, _ := readNode(b[2+b[1]:])
			f.mu.Lock()
			f.asked = append(f.asked, fmt.Sprint(name, in))
			f.mu.Unlock()
			for _, e := range f.events[name] {
				event := eventOf[name]
				send(appendNode(append([]byte{eventPacket, byte(len(event))}, event...), e))
			}
			answer, ok := f.answers[name]
			switch {
			case f.raw[name] != nil:
				if _, err := c.Write(f.raw[name]); err != nil {
					return
				}
			case !ok:
				send([]byte{cmdUnknown})
			default:
				send(appendNode([]byte{cmdResponse}, answer))
			}
		}
	}
}

func TestFakeMessages(t *testing.T) {
	n := node{"key", "value", "list", []string{"a", "b"}, "section", node{"inner", "", "empty", []string{}}}
	read, rest := readNode(appendNode(nil, n))
	require.Empty(t, rest)
	require.Equal(t, n, read)
}
