package reports

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
)

var update = flag.Bool("update", false, "rewrite testdata from what the code does now")

func ladderText(t *testing.T, events []trace.Event) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Ladder(&b, events))
	return b.String()
}

func TestLadderText(t *testing.T) {
	for name, w := range map[string]*world{"sql": sqlWorld(t), "day": dayWorld(t)} {
		t.Run(name, func(t *testing.T) {
			got := ladderText(t, w.events)
			file := "testdata/ladder_" + name + ".txt"
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o666))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

// exchange is a message of one exchange between a and b, or the note that it arrived.
func exchange(ms int, sent bool, fromA bool, retransmit int) trace.Event {
	m := trace.IKEMessage{Sent: sent, Local: "10.0.0.1:500", Remote: "10.0.0.2:500", CookieI: trace.Hex("c"), Exchange: "main mode", Number: 1, Length: 100, Retransmit: retransmit}
	node := "a"
	if sent != fromA {
		node, m.Local, m.Remote = "b", m.Remote, m.Local
	}
	return trace.Event{At: time.Duration(ms) * time.Millisecond, Node: node, Body: m}
}

// numbered is the event with another number in the exchange.
func numbered(e trace.Event, n int) trace.Event {
	m := e.Body.(trace.IKEMessage)
	m.Number = n
	e.Body = m
	return e
}

func messages(l *ladder) []string {
	var out []string
	for _, r := range l.rows {
		if m := r.message; m != nil {
			s := fmt.Sprintf("%s %s>%s", clock(r.at), l.columns[m.from], l.columns[m.to])
			if m.lost {
				s += " lost"
			} else {
				s += " " + clock(m.received)
			}
			out = append(out, s)
		}
	}
	return out
}

func TestMessagesArePaired(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []trace.Event
		want   []string
	}{
		{"sent and received", []trace.Event{exchange(0, true, true, 0), exchange(5, false, true, 0)}, []string{"0.000000 a>b 0.005000"}},
		{"never received", []trace.Event{exchange(0, true, true, 0)}, []string{"0.000000 a>10.0.0.2 lost"}},
		{"first copy lost", []trace.Event{exchange(0, true, true, 0), exchange(1000, true, true, 1), exchange(1005, false, true, 0)},
			[]string{"0.000000 a>b lost", "1.000000 a>b 1.005000"}},
		{"two copies under way at once", []trace.Event{
			exchange(0, true, true, 0), exchange(1000, true, true, 1), exchange(1500, false, true, 0), exchange(2500, false, true, 0)},
			[]string{"0.000000 a>b 1.500000", "1.000000 a>b 2.500000"}},
		{"both ask at once", []trace.Event{
			exchange(0, true, true, 0), exchange(1, true, false, 0), exchange(5, false, true, 0), exchange(6, false, false, 0)},
			[]string{"0.000000 a>b 0.005000", "0.001000 b>a 0.006000"}},
		{"received and ignored, so that its number is unknown", []trace.Event{exchange(0, true, true, 0), numbered(exchange(5, false, true, 0), 0)},
			[]string{"0.000000 a>b 0.005000"}},
		{"another message of the same length", []trace.Event{exchange(0, true, true, 0), numbered(exchange(1, true, true, 0), 3), numbered(exchange(5, false, true, 0), 3)},
			[]string{"0.000000 a>b lost", "0.001000 a>b 0.005000"}},
		{"sender is no host of the run", []trace.Event{exchange(5, false, true, 0)}, []string{"0.005000 10.0.0.1>b 0.005000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// With both addresses known the far end of a lost message has its name.
			addresses := map[string]string{}
			if slices.Contains(c.want, "0.000000 a>b lost") {
				addresses = map[string]string{"10.0.0.1": "a", "10.0.0.2": "b"}
			}
			require.Equal(t, c.want, messages(newLadder(c.events, nil, addresses, nil)))
		})
	}
}

func TestMessageThroughAddressTranslation(t *testing.T) {
	sent, received := exchange(0, true, true, 0), exchange(5, false, true, 0)
	m := received.Body.(trace.IKEMessage)
	m.Remote = "203.0.113.1:1024" // the box's address, not the sender's
	received.Body = m
	require.Equal(t, []string{"0.000000 a>b 0.005000"}, messages(newLadder([]trace.Event{sent, received}, nil, nil, nil)))
}

func TestHostsThatDoNothingHaveNoColumn(t *testing.T) {
	l := newLadder([]trace.Event{exchange(0, true, true, 0), exchange(5, false, true, 0)}, []string{"idle", "b", "a"}, nil, nil)
	require.Equal(t, []string{"b", "a"}, l.columns, "in the order given")
	require.Equal(t, []string{"0.000000 a>b 0.005000"}, messages(l))
}

// allRows counts the rows of a ladder, hidden and omitted ones included.
func allRows(rows []row) int {
	n := 0
	for _, r := range rows {
		n += r.weight()
		if r.fold != nil {
			n += r.fold.omitted
		}
	}
	return n
}

func TestNothingIsCutSilently(t *testing.T) {
	drop := func(i int, reason string) trace.Event {
		return trace.Event{At: time.Duration(i) * time.Second, Node: "a", Body: trace.PacketDropped{Reason: reason}}
	}
	for _, c := range []struct {
		name   string
		n      int
		reason func(i int) string
	}{
		{"all alike", 5000, func(int) string { return "same" }},
		{"a pattern of three", 5000, func(i int) string { return fmt.Sprint(i % 3) }},
		{"all different", 5000, func(i int) string { return fmt.Sprint(i) }},
		{"few", 7, func(i int) string { return fmt.Sprint(i) }},
		{"alike in stretches", 3000, func(i int) string { return fmt.Sprint(i / 40) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var events []trace.Event
			for i := range c.n {
				events = append(events, drop(i, c.reason(i)))
			}
			l := newLadder(events, nil, nil, nil)
			require.Equal(t, c.n, allRows(l.rows)+l.omitted)
			require.LessOrEqual(t, len(l.rows), stretch+1, "what is open at once")
		})
	}
}

func TestRepetitionIsFoldedOnceAndCounted(t *testing.T) {
	text := ladderText(t, dayWorld(t).events)
	require.Contains(t, text, "… 7 more repetitions of the 6 rows above (1:00:01.000000 – 8:00:00.000000: 21 IKE messages, 35 changes, 826 data frames)")
	require.Less(t, strings.Count(text, "\n"), 40, "a day fits on a page")
}

func TestStepsBreakRepetitions(t *testing.T) {
	var events []trace.Event
	for i := range 6 {
		events = append(events, trace.Event{At: time.Duration(i), Body: trace.Step{Index: i + 1, Verb: "ping", State: "started"}},
			trace.Event{At: time.Duration(i), Node: "a", Body: trace.PacketDropped{Reason: "same"}})
	}
	text := ladderText(t, events)
	require.Equal(t, 6, strings.Count(text, "== step"))
	require.Contains(t, text, "[never judged]")
	require.NotContains(t, text, "repetition")
}

// A host that falls back to clear, and its return, stand in the ladder.
func TestSoftSAsAreShown(t *testing.T) {
	text := ladderText(t, []trace.Event{
		{At: 3 * time.Second, Node: "client", Body: trace.SoftSAAdded{Local: "10.0.0.1", Peer: "10.0.0.2", Rule: "p/all", Code: 13844, Reason: "nobody answered"}},
		{At: 9 * time.Second, Node: "client", Body: trace.SoftSARemoved{Local: "10.0.0.1", Peer: "10.0.0.2", Code: 13845, Reason: "idle", Packets: 2}},
	})
	require.Contains(t, text, "soft SA with 10.0.0.2")
	require.Contains(t, text, "soft SA with 10.0.0.2 removed")
}

func TestLadderTextKeepsTerminalsSafe(t *testing.T) {
	text := ladderText(t, []trace.Event{
		{Body: trace.Step{Index: 1, Verb: "ping\x1b[2J", Title: "a\nb\u009b", State: "started"}},
		{Node: "a\x1b", Body: trace.PacketDropped{Reason: "\x07" + strings.Repeat("long", 100)}},
	})
	for _, r := range text {
		require.True(t, r == '\n' || r >= 0x20 && (r < 0x7f || r >= 0xa0), "%q", r)
	}
	for line := range strings.Lines(text) {
		require.Less(t, len([]rune(line)), 120, "long notes go on in the next line")

	}
}

func TestEmptyLadder(t *testing.T) {
	require.Equal(t, "\n", ladderText(t, nil))
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestLadderSaysThatItCouldNotBeWritten(t *testing.T) {
	require.EqualError(t, Ladder(fullDisk{}, sqlWorld(t).events), "reports: writing a ladder: disk full")
}

// What becomes of mappings stands in the column of the box, with the endpoints that they join.
func TestMappingsAreShown(t *testing.T) {
	m := trace.NATMapping{Protocol: "esp", Inside: "192.168.1.2", Outside: "203.0.113.1", Remote: "203.0.113.80", SPIOut: "0x00001001"}
	got := ladderText(t, []trace.Event{
		{At: time.Second, Node: "box", Body: trace.NATMappingAdded{NATMapping: m}},
		{At: 2 * time.Second, Node: "box", Body: trace.NATMappingRefused{NATMapping: m, Reason: "the table is full"}},
		{At: 3 * time.Second, Node: "box", Body: trace.NATMappingEvicted{NATMapping: m}},
		{At: 4 * time.Second, Node: "box", Body: trace.NATMappingMoved{NATMapping: m}},
		{At: 5 * time.Second, Node: "box", Body: trace.NATMappingExpired{NATMapping: m}},
		{At: 6 * time.Second, Node: "box", Body: trace.NATRebooted{Mappings: 3}},
	})
	for _, want := range []string{"mapping esp", "mapping refused: the table is full", "mapping evicted", "mapping moved", "mapping expired", "rebooted"} {
		require.Contains(t, got, want)
	}
	n, ok := (&builder{column: map[string]int{}}).note(trace.Event{Node: "box", Body: trace.NATMappingAdded{NATMapping: m}})
	require.True(t, ok)
	require.Equal(t, "192.168.1.2\nas 203.0.113.1\nfor 203.0.113.80\nSPI 0x00001001", n.detail)
}
