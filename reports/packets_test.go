package reports

import (
	"testing"

	"github.com/stretchr/testify/require"

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
	c := classifier{map[uint32]string{}, map[fragmentKey]string{}}
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
