package mux_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// What a host has recorded and reported.

// traced are the records of a kind.
func traced[B trace.Body](h *host) (bs []B) {
	for _, b := range h.log {
		if v, ok := b.(B); ok {
			bs = append(bs, v)
		}
	}
	return bs
}

// negotiations are "exchange state" of the host's records, in order.
func (h *host) negotiations() (s []string) {
	for _, g := range traced[trace.Negotiation](h) {
		s = append(s, g.Exchange+" "+g.State)
	}
	return s
}

// messages are the received or sent messages as "exchange number", in order, copies marked.
func (h *host) messages(sent bool) (s []string) {
	for _, m := range traced[trace.IKEMessage](h) {
		if m.Sent == sent {
			text := fmt.Sprintf("%s %d", m.Exchange, m.Number)
			if m.Retransmit > 0 {
				text += " again"
			}
			s = append(s, text)
		}
	}
	return s
}

// noted reports whether a message's note contains the phrase.
func (h *host) noted(phrase string) bool {
	return slices.ContainsFunc(traced[trace.IKEMessage](h), func(m trace.IKEMessage) bool { return strings.Contains(m.Note, phrase) })
}

// count is how many of the events are of a type.
func count[E ike.Event](h *host) (n int) {
	for _, e := range h.events {
		if _, ok := e.(E); ok {
			n++
		}
	}
	return n
}

// first is the first event of a type, which must exist.
func first[E ike.Event](h *host) (e E) {
	h.n.t.Helper()
	for _, ev := range h.events {
		if e, ok := ev.(E); ok {
			return e
		}
	}
	require.Fail(h.n.t, "no such event", "%s: %T", h.name, e)
	return e
}

// field finds a value in the decoded payloads by the path of names.
func field(fs []trace.Field, path ...string) string {
	for _, f := range fs {
		if f.Name == path[0] {
			if len(path) == 1 {
				return f.Value
			}
			return field(f.Fields, path[1:]...)
		}
	}
	return ""
}
