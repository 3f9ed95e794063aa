package natbox

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// pen marks what ends with an m.
type pen uint8

func (p pen) Mark(_ time.Duration, c Crossing) (uint8, bool) {
	return uint8(p), c.Packet[len(c.Packet)-1] == 'm'
}

// A marked packet has the codepoint and its ECN bits, and a right checksum; another one is as it was.
func TestMark(t *testing.T) {
	l := newLab(t)
	l.segment("a", 1500)
	l.segment("b", 1500)
	at := func(segment, address string) Interface {
		return Interface{Segment: l.segments[segment], Prefixes: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	l.router(RouterConfig{Name: "r", Interfaces: []Interface{at("a", "10.0.1.1/24"), at("b", "10.0.2.1/24")}, Markers: []Marker{pen(46)}})
	a, b := l.station("sa", "a", "r", "10.0.1.2"), l.station("sb", "b", "r", "10.0.2.2")
	for last, want := range map[string]uint8{"m": 46<<2 | 2, "n": 8<<2 | 2} {
		ip := a.ipv4("10.0.2.2", 253)
		ip.TOS = 8<<2 | 2
		a.sendIP(ip, gopacket.Payload(last))
		l.run()
		got := b.take()[0].Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		require.Equal(t, want, got.TOS)
		require.Equal(t, uint16(0xffff), sum16(got.Contents), "checksum")
	}
}

func TestMarkIPv6(t *testing.T) {
	p := []byte{6<<4 | 2, 2<<4 | 5, 7, 9} // codepoint 8, ECN 2, flow label 0x50709
	setDSCP(p, 46)
	class := uint8(46<<2 | 2)
	require.Equal(t, []byte{6<<4 | class>>4, class<<4 | 5, 7, 9}, p)
}

// sum16 is the sum of 16-bit words in ones' complement: RFC 791, Section 3.1.
func sum16(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}
