package natbox

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/stretchr/testify/require"
)

// stages is a filter and an observer that keep what they are shown.
type stages struct {
	judge        func(Crossing) Judgement
	asked, shown [][2]string // from and to
	at           []time.Duration
}

func (s *stages) Judge(now time.Duration, c Crossing) Judgement {
	s.asked, s.at = append(s.asked, [2]string{c.From, c.To}), append(s.at, now)
	return s.judge(c)
}

func (s *stages) Observe(_ time.Duration, c Crossing) {
	s.shown = append(s.shown, [2]string{c.From, c.To})
}

// A filter stops what it refuses, and observers see the rest; a packet to the router
// itself crosses to nowhere.
func TestCrossing(t *testing.T) {
	l := newLab(t)
	l.segment("a", 1500)
	l.segment("b", 1500)
	s := &stages{judge: func(c Crossing) Judgement {
		switch c.Packet[len(c.Packet)-1] {
		case 'x':
			return Judgement{Why: "no x"}
		case 'y':
			return Judgement{Why: "no y", Prohibited: true}
		}
		return Judgement{}
	}}
	at := func(segment, address string) Interface {
		return Interface{Segment: l.segments[segment], Prefixes: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	r := l.router(RouterConfig{
		Name:       "r",
		Interfaces: []Interface{at("a", "10.0.1.1/24"), at("b", "10.0.2.1/24")},
		Filters:    []Filter{s}, Observers: []Observer{s},
	})
	a, b := l.station("sa", "a", "r", "10.0.1.2"), l.station("sb", "b", "r", "10.0.2.2")
	for _, last := range "zxy" {
		a.sendIP(a.ipv4("10.0.2.2", 253), gopacket.Payload([]byte{byte(last)}))
		l.run()
	}
	a.sendIP(a.ipv4("10.0.1.1", 253), gopacket.Payload("z"))
	l.run()
	across, here := [2]string{"a", "b"}, [2]string{"a", ""}
	require.Equal(t, [][2]string{across, across, across, here}, s.asked)
	require.Equal(t, [][2]string{across, here}, s.shown)
	require.IsIncreasing(t, s.at)
	require.Len(t, b.take(), 1)
	require.Equal(t, uint64(2), r.Counters().Dropped("stopped by a filter"))
	got := a.take()
	require.Len(t, got, 2) // about y, and that the router has no protocol 253
	require.Equal(t, []byte{3, 13}, got[0].NetworkLayer().LayerPayload()[:2])
}
