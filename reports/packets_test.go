package reports

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
)

func TestFramesWithoutInnerPacketAreOfTheirSAsKind(t *testing.T) {
	w := newWorld(t)
	w.esp(true, 0x1000, 1, 10)
	w.esp(true, 0x1000, 2, 10)
	w.events = w.events[:1] // the trace keeps the first inner packet only
	w.esp(true, 0x2000, 1, 10)
	w.events = w.events[:1]
	ev, err := load(w.folder())
	require.NoError(t, err)
	var classes []string
	for _, f := range readWire(ev).data {
		classes = append(classes, f.class)
	}
	require.Equal(t, []string{"ESP (tcp)", "ESP (tcp)", "ESP"}, classes)
}

func TestLaterFragmentsAreOfTheFirstsKind(t *testing.T) {
	c := classifier{map[uint32]string{}, map[fragmentKey]string{}, map[fragmentKey]string{}}
	inner := trace.Inner{Data: trace.Hex("\x45\x00\x00\x14\x00\x00\x00\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02")}
	first := decoded{class: classESP, src: "10.0.0.1", dst: "10.0.0.2", id: 7, spi: 0x100}
	later := decoded{class: classESP, src: "10.0.0.1", dst: "10.0.0.2", id: 7, later: true}
	other := later
	other.id = 8
	for _, s := range []struct {
		d     decoded
		found bool
		want  string
	}{{first, true, "ESP (udp)"}, {later, false, "ESP (udp)"}, {other, false, "ESP"}} {
		f, ok := c.frame(s.d, inner, s.found, true)
		require.True(t, ok)
		require.Equal(t, s.want, f.class)
	}
}

// What is in UDP only the first fragment tells; another datagram may have its number afterwards.
func TestLaterFragmentsOfUDP(t *testing.T) {
	c := classifier{map[uint32]string{}, map[fragmentKey]string{}, map[fragmentKey]string{}}
	for _, s := range []struct {
		class, proto string
		later        bool
		want         string
	}{
		{classESP, "udp", false, classESP}, {classClear, "udp", true, classESP}, {classClear, "tcp", true, classClear},
		{classClear, "udp", false, classClear}, {classClear, "udp", true, classClear},
	} {
		d := decoded{class: s.class, proto: s.proto, src: "10.0.0.1", dst: "10.0.0.2", id: 7, later: s.later}
		c.fragments(&d)
		require.Equal(t, s.want, d.class)
	}
}

// A frame that an attacker sent in another's name is the attacker's, and no
// traffic between the two whose addresses it has.
func TestFramesOfAttackers(t *testing.T) {
	w := newWorld(t)
	w.esp(true, 0x1000, 1, 10)
	w.esp(true, 0x1000, 2, 10)
	w.record("mallory", trace.Attack{Act: "altered", Frame: 3, Original: 1, Segment: "office", Packet: "esp", Detail: "payload bit 3 flipped"})
	w.result.Nodes = append(w.result.Nodes, result.Node{Name: "mallory", Type: "attacker", Interfaces: []result.Interface{{Segment: "office", MAC: "02:00:00:00:00:66"}}})
	ev, err := load(w.folder())
	require.NoError(t, err)
	wire := readWire(ev)
	require.Equal(t, []string{"client", "mallory"}, []string{wire.table.First[0].Sender, wire.table.First[2].Sender})
	require.Len(t, wire.data, 1)
	ladder := newLadder(ev.events, []string{"client", "server", "mallory"}, nodesByAddress(ev), wire.data)
	i := slices.IndexFunc(ladder.rows, func(r row) bool { return len(r.notes) > 0 && r.notes[0].text == "altered: frame 3, was 1" })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, "mallory", ladder.columns[ladder.rows[i].notes[0].column])
	require.Equal(t, noteBad, ladder.rows[i].notes[0].kind)
}

// Two computers with one address, each behind a NAT box, are two senders.
func TestOneAddressTwice(t *testing.T) {
	ev := &evidence{Scenario: &result.Scenario{Nodes: []result.Node{
		{Name: "a", Interfaces: []result.Interface{{Segment: "home1", Address: "192.168.1.2/24"}}},
		{Name: "b", Interfaces: []result.Interface{{Segment: "home2", Address: "192.168.1.2/24"}}},
		{Name: "s", Interfaces: []result.Interface{{Segment: "internet", Address: "203.0.113.9/24"}}},
	}}}
	require.Equal(t, []string{"a", "b"}, ownersOf(ev)["192.168.1.2"])
	l := newLadder(nil, []string{"a", "b", "s"}, nodesByAddress(ev), []dataFrame{
		{at: 1, from: "192.168.1.2", to: "203.0.113.9", node: "a", class: "clear udp", length: 60},
		{at: 2, from: "192.168.1.2", to: "203.0.113.9", node: "b", class: "clear udp", length: 60},
	})
	require.Equal(t, []string{"a", "b", "s"}, l.columns)
	require.Len(t, l.rows, 2)
	require.Equal(t, []int{0, 1}, []int{l.rows[0].traffic.from, l.rows[1].traffic.from})
}
