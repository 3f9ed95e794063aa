package mux_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// The messages of the walk: main mode 1 to 6, quick mode 1 to 3, the Delete of
// the pair and that of the main mode, both from the initiator.
const walkLength = 11

// walk is a negotiation stopped when so many of its messages have been delivered;
// the next one was sent and is lost. Two walks with the same seeds are the same.
type walk struct {
	*network
	a, b      *host
	delivered int
	phase1    int // how many messages phase 1 has
	length    int
}

// newWalk is one of main mode with a pre-shared key.
func newWalk(t testing.TB, seed uint64, delivered int) *walk {
	return newWalkOf(t, setup{method: ike.PreSharedKey}, seed, delivered)
}

// newWalkOf has the mode and the method of a setup.
func newWalkOf(t testing.TB, s setup, seed uint64, delivered int) *walk {
	n := newNetwork(t)
	w := &walk{network: n, a: n.add("a", "10.0.0.1", 2*seed+1), b: n.add("b", "10.0.0.2", 2*seed+2), delivered: delivered, phase1: s.phase1()}
	w.length = w.phase1 + 5
	n.authenticate(s.method, s.real, s.asks)
	for _, h := range n.hosts {
		h.mainMode.Aggressive = s.aggressive
		h.firstSPI = uint32(h.addr.AsSlice()[3]) << 24
		h.mainMode.Proposals[0].Group = 1
		h.config.VendorIDs = [][]byte{[]byte("vendor")}
		h.reboot()
	}
	n.fate = func(k int, _ ike.Datagram) []time.Duration {
		if k > delivered {
			return nil
		}
		return []time.Duration{n.latency}
	}
	w.a.request(w.b)
	n.run(100 * time.Millisecond)
	if delivered >= w.pair() {
		for id, sa := range w.a.in {
			w.a.mux.DeleteSAs(n.now, w.b.addr, id.protocol, []uint32{id.spi})
			delete(w.a.out, said{id.protocol, sa.PeerSPI})
			delete(w.a.in, id)
			delete(w.a.allocated, id)
		}
		w.a.drain()
		n.run(200 * time.Millisecond)
	}
	if delivered > w.pair() {
		w.a.mux.Shutdown(n.now)
		w.a.drain()
		n.run(300 * time.Millisecond)
	}
	sent := min(delivered+1, w.length)
	if s.aggressive && delivered == 2 {
		sent = 4 // quick mode follows message 3 at once
	}
	require.Len(t, n.sent, sent)
	return w
}

// pair is how many messages the walk has before the Delete of the pair.
func (w *walk) pair() int { return w.phase1 + 3 }

// Outcomes of a message.
const (
	ignored  = '.' // nothing changes and nothing is sent
	awaited  = 'A' // it is what the exchange awaits, which goes on
	again    = '=' // a copy: the stored answer goes out again
	idle     = '-' // it is genuine, and there is nothing to act on
	newOne   = 'N' // it starts a main mode of its own
	stranger = 'C' // nothing changes, the sender is told INVALID-COOKIE in the clear
	wrong    = 'W' // nothing changes, the sender is told what is wrong in the clear, once in a main mode
	special  = 'U' // nothing changes, the sender is told UNSUPPORTED-EXCHANGE-TYPE in the clear
)

// inject gives a message to a host and says what came of it.
func (w *walk) inject(to *host, b []byte) rune {
	from := w.a
	if to == w.a {
		from = w.b
	}
	sent, events, log := len(w.sent), len(to.events), len(to.log)
	modes, waiting := len(to.mux.MainModes()), len(to.early)
	to.mux.HandleDatagram(w.now, ike.Datagram{Local: netip.AddrPortFrom(to.addr, mux500), Remote: netip.AddrPortFrom(from.addr, mux500), Payload: b})
	to.drain()
	answers := w.sent[sent:]
	if len(answers) == 2 && exchangeOf(answers[0]) == payload.Aggressive {
		answers = answers[:1] // quick mode follows message 3 at once
		events++
	}
	require.LessOrEqual(w.t, len(answers), 1, "one message has one answer at most")
	changed := len(to.events)-events-len(answers) > 0 || len(to.early) != waiting
	var heard trace.IKEMessage
	for _, e := range to.log[log:] {
		switch e := e.(type) {
		case trace.Negotiation, trace.IKEKeys:
			changed = true
		case trace.IKEMessage:
			if !e.Sent {
				heard = e
			}
		}
	}
	switch {
	case len(to.mux.MainModes()) > modes:
		return newOne
	case len(answers) == 1 && w.repeats(answers[0], sent):
		require.False(w.t, changed)
		require.Contains(w.t, heard.Note, "the stored answer goes out again")
		return again
	case len(answers) == 1 && exchangeOf(answers[0]) == payload.Informational && answers[0].Payload[19]&byte(payload.Encrypted) == 0:
		require.False(w.t, changed, "what is answered in the clear changes nothing")
		require.Contains(w.t, heard.Note, "ignored: ")
		chain, _, err := payload.Parse(payload.TypeNotify, answers[0].Payload[payload.HeaderLen:])
		require.NoError(w.t, err)
		switch chain[0].Payload.(payload.Notify).NotifyType {
		case payload.NotifyInvalidCookie:
			return stranger
		case payload.NotifyUnsupportedExchangeType:
			return special
		}
		return wrong
	case len(answers) == 1 || changed || heard.Number == 3 && heard.Exchange == payload.QuickMode.String(): // quick mode message 3 may mean a wait for CONNECTED
		require.NotContains(w.t, heard.Note, "ignored")
		return awaited
	}
	if !strings.Contains(heard.Note, "ignored: ") {
		require.Contains(w.t, []int{1, 4}, heard.Number, "a genuine message is in the trace as such: %q", heard.Note)
		return idle
	}
	return ignored // with the reason in the trace
}

const mux500 = 500

// repeats reports whether d was sent before.
func (w *walk) repeats(d ike.Datagram, before int) bool {
	for _, s := range w.sent[:before] {
		if bytes.Equal(s.Payload, d.Payload) {
			return true
		}
	}
	return false
}

// receiver is who a message of the walk is for.
func (w *walk) receiver(d ike.Datagram) *host {
	if d.Remote.Addr() == w.a.addr {
		return w.a
	}
	return w.b
}

// finish lets the network work again. The sides must come to an agreement, and
// to the pair of the request unless the walk is past it.
func (w *walk) finish(sentence string, spoilt bool) {
	w.fate = nil
	w.run(5 * time.Minute)
	if w.delivered == w.pair() {
		return // the Delete of the pair is lost for good
	}
	w.wantAgreement(sentence)
	if w.delivered > w.pair() {
		return
	}
	for until := 10 * time.Minute; spoilt && len(w.a.in) == 0 && until < 20*time.Minute; until += 5 * time.Minute {
		w.a.request(w.b)
		w.run(until)
	}
	w.wantPairs(sentence, 1)
}

// matrix walks the exchange and injects each of the recorded messages at each
// state. A row is a message, a column the number of messages delivered before.
func matrix(t *testing.T, inject func(w *walk, number int, d ike.Datagram) rune) string {
	return matrixOf(t, setup{method: ike.PreSharedKey}, inject)
}

func matrixOf(t *testing.T, s setup, inject func(w *walk, number int, d ike.Datagram) rune) string {
	length := s.phase1() + 5
	record := newWalkOf(t, s, 1, length).sent
	forgeable := 4
	if s.aggressive {
		forgeable = 0
	}
	var rows []string
	for j, d := range record {
		row := fmt.Sprintf("%2d ", j+1)
		for delivered := 0; delivered <= length; delivered++ {
			w := newWalkOf(t, s, 1, delivered)
			outcome := inject(w, j+1, d)
			row += " " + string(outcome)
			// An awaited message that the peer has not sent yet could be forged up to message 4 of main mode, which spoils
			// it (see the documentation of package ikev1), and not after that.
			if outcome != awaited || j <= delivered || j < forgeable {
				w.finish(fmt.Sprintf("%s: message %d after %d", s, j+1, delivered), outcome == awaited)
			}
		}
		rows = append(rows, row)
	}
	return strings.Join(rows, "\n")
}

// documented are the tables in the documentation of package ikev1.
func documented(t *testing.T) (tables []string) {
	doc, err := os.ReadFile("../ikev1/doc.go")
	require.NoError(t, err)
	for _, line := range strings.Split(string(doc), "\n") {
		row, ok := strings.CutPrefix(line, "//\t")
		if ok && len(row) > 1 && row[1] == ' ' {
			row = " " + row // of a table without numbers of two digits
		}
		switch {
		case !ok || strings.Trim(row, "0123456789 .-A=NCWU") != "" || !strings.ContainsAny(row, "A=N-"):
		case strings.HasPrefix(row, " 1 "):
			tables = append(tables, row)
		default:
			tables[len(tables)-1] += "\n" + row
		}
	}
	return tables
}

// The tables in the documentation of package ikev1 are what happens: own
// messages, earlier and later, with each method of authentication.
func TestOutcomeOfEachMessageInEachState(t *testing.T) {
	tables := documented(t)
	require.Len(t, tables, 2)
	for i, table := range tables {
		for _, method := range methods {
			s := setup{aggressive: i == 1, method: method}
			got := matrixOf(t, s, func(w *walk, _ int, d ike.Datagram) rune { return w.inject(w.receiver(d), d.Payload) })
			require.Equal(t, table, got, s)
		}
	}
}

// A message that is sent back to whom it came from, once it has been sent, changes nothing.
func TestOutcomeOfReflections(t *testing.T) {
	got := matrix(t, func(w *walk, number int, d ike.Datagram) rune {
		if number > w.delivered+1 {
			return ' '
		}
		to := w.a
		if w.receiver(d) == w.a {
			to = w.b
		}
		outcome := w.inject(to, d.Payload)
		if outcome == newOne {
			require.Equal(t, 1, number)
			require.GreaterOrEqual(t, w.delivered, 10, "the initiator has forgotten the main mode")
		}
		return outcome
	})
	require.NotContains(t, got, string(awaited))
	require.NotContains(t, got, string(again))
}

// Messages of another main mode between the same hosts: message 1 starts that
// main mode, the others belong to nothing.
func TestOutcomeOfAnotherSAsMessages(t *testing.T) {
	other := newWalk(t, 2, walkLength).sent
	matrix(t, func(w *walk, number int, d ike.Datagram) rune {
		outcome := w.inject(w.receiver(d), other[number-1].Payload)
		switch {
		case number == 1:
			require.Equal(t, string(newOne), string(outcome))
		case number < 10:
			require.Equal(t, string(stranger), string(outcome))
		default: // informational exchanges
			require.Equal(t, string(ignored), string(outcome))
		}
		return outcome
	})
}

// Messages of another main mode under the cookies of this one. Message 2 is the
// same in both, and nothing authenticates messages 3 and 4: in their place, one of
// somebody who knows the cookies is accepted, and the hashes of messages 5 and 6
// do not verify then. Anything else is noise.
func TestOutcomeOfAnotherSAsMessagesUnderOurCookies(t *testing.T) {
	other := newWalk(t, 2, walkLength).sent
	matrix(t, func(w *walk, number int, d ike.Datagram) rune {
		b := bytes.Clone(other[number-1].Payload)
		copy(b[:16], d.Payload[:16])
		outcome := w.inject(w.receiver(d), b)
		switch {
		case bytes.Equal(b, d.Payload):
			require.LessOrEqual(t, number, 2, "main modes differ from message 3 on")
		case outcome == awaited:
			require.LessOrEqual(t, number, 4, "after %d", w.delivered)
		case outcome == newOne:
			require.Equal(t, 1, number)
			require.Zero(t, w.delivered, "its cookie alone makes a message 1 a new one")
		default:
			require.NotEqual(t, string(again), string(outcome), "message %d after %d", number, w.delivered)
		}
		return outcome
	})
}

// mutation makes something else of a message.
type mutation struct {
	name  string
	apply func(b []byte) []byte
}

// mutations of the header, and the message cut at each boundary of payloads, or
// of cipher blocks, and between them.
func mutations(original []byte) (all []mutation) {
	set := func(name string, at int, v ...byte) {
		all = append(all, mutation{name, func(b []byte) []byte { copy(b[at:], v); return b }})
	}
	flip := func(name string, at int, bits byte) {
		all = append(all, mutation{name, func(b []byte) []byte { b[at] ^= bits; return b }})
	}
	flip("another initiator's cookie", 3, 1)
	flip("another responder's cookie", 12, 1)
	set("no responder's cookie", 8, 0, 0, 0, 0, 0, 0, 0, 0)
	set("version 0.0", 17, 0)
	set("version 1.1", 17, 0x11)
	set("version 2.0", 17, 0x20)
	for _, x := range []payload.Exchange{0, payload.Base, payload.MainMode, payload.AuthOnly, payload.Aggressive, payload.Informational, payload.QuickMode, payload.Transaction, payload.NewGroup, 34, 255} {
		if byte(x) != original[18] {
			set(fmt.Sprintf("as %v", x), 18, byte(x))
		}
	}
	flip("encryption flag", 19, byte(payload.Encrypted))
	flip("commit flag", 19, byte(payload.Commit))
	flip("authentication only flag", 19, byte(payload.AuthenticationOnly))
	flip("a flag that does not exist", 19, 0x80)
	flip("another message ID", 23, 1)
	set("no first payload", 16, 0)
	set("first payload of an unknown type", 16, 200)
	flip("a length that is too short", 27, 1)
	set("a length that is far too long", 24, 0xff, 0xff, 0xff, 0xff)
	for _, n := range []int{1, 4, 8, 16} {
		all = append(all, mutation{fmt.Sprintf("%d bytes appended", n), func(b []byte) []byte { return lengthen(append(b, make([]byte, n)...)) }})
		all = append(all, mutation{fmt.Sprintf("%d bytes appended that the header does not count", n), func(b []byte) []byte { return append(b, make([]byte, n)...) }})
	}
	cuts := []int{0, 1, 16, 27, 28, 29, 31, 32}
	if original[19]&byte(payload.Encrypted) != 0 {
		for at := payload.HeaderLen + 4; at < len(original); at += 4 {
			cuts = append(cuts, at, at+1)
		}
	} else {
		for at := payload.HeaderLen; at < len(original); at += int(binary.BigEndian.Uint16(original[at+2:])) {
			cuts = append(cuts, at, at+1, at+4, at+8)
		}
	}
	for _, at := range cuts {
		if at < len(original) {
			all = append(all, mutation{fmt.Sprintf("cut at %d", at), func(b []byte) []byte { return lengthen(b[:at]) }})
			all = append(all, mutation{fmt.Sprintf("cut at %d with the old length", at), func(b []byte) []byte { return b[:at] }})
		}
	}
	return all
}

// lengthen makes the length in the header true, if there is a header.
func lengthen(b []byte) []byte {
	if len(b) >= payload.HeaderLen {
		payload.SetLength(b)
	}
	return b
}

// The awaited message, altered: it is ignored, and the genuine one is accepted
// after it as if nothing had been. The exceptions are the table below.
func TestOutcomeOfAlteredMessages(t *testing.T) {
	record := newWalk(t, 1, walkLength).sent
	exceptions := map[string]rune{
		// A cookie of its own makes message 1 the start of another main mode.
		"1 another initiator's cookie": newOne,
		// The cookie that the responder chooses is whatever message 2 says.
		"2 another responder's cookie": awaited,
	}
	for number := 5; number <= walkLength; number++ {
		// What follows the last payload is padding, of which no hash says how much there is. But the IV of the next
		// message comes from it, so that the exchange goes no further.
		exceptions[fmt.Sprintf("%d 8 bytes appended", number)] = awaited
		exceptions[fmt.Sprintf("%d 16 bytes appended", number)] = awaited
	}
	for s := range walkLength {
		d := record[s]
		for _, m := range mutations(d.Payload) {
			name := fmt.Sprintf("%d %s", s+1, m.name)
			w := newWalk(t, 1, s)
			to := w.receiver(d)
			altered := m.apply(bytes.Clone(d.Payload))
			if bytes.Equal(altered, d.Payload) {
				continue
			}
			outcome := w.inject(to, altered)
			want, excepted := exceptions[name]
			genuine := awaited
			if s == 0 {
				genuine = newOne
			}
			switch {
			case m.name == "commit flag":
				require.Equal(t, string(genuine), string(outcome), "%s: the bit stands outside the hash", name)
			case excepted:
				require.Equal(t, string(want), string(outcome), name)
			default:
				require.NotContains(t, string([]rune{awaited, newOne, again}), string(outcome), name)
			}
			if !excepted && m.name != "commit flag" {
				require.Equal(t, string(genuine), string(w.inject(to, d.Payload)), "%s: the genuine message after it", name)
			}
			if s < 9 {
				w.finish(name, outcome == awaited)
			}
		}
	}
}
