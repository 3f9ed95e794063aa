package sim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// ipFrame is an IPv4 frame with UDP or TCP ports, or another protocol when both are 0.
func ipFrame(t testing.TB, proto layers.IPProtocol, src, dst string, sport, dport uint16, more func(*layers.IPv4)) []byte {
	t.Helper()
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: s[:], DstIP: d[:]}
	if more != nil {
		more(ip)
	}
	all := []gopacket.SerializableLayer{
		&layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeIPv4}, ip,
	}
	switch proto {
	case layers.IPProtocolUDP:
		u := &layers.UDP{SrcPort: layers.UDPPort(sport), DstPort: layers.UDPPort(dport)}
		require.NoError(t, u.SetNetworkLayerForChecksum(ip))
		all = append(all, u)
	case layers.IPProtocolTCP:
		c := &layers.TCP{SrcPort: layers.TCPPort(sport), DstPort: layers.TCPPort(dport)}
		require.NoError(t, c.SetNetworkLayerForChecksum(ip))
		all = append(all, c)
	}
	all = append(all, gopacket.Payload("payload"))
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return b.Bytes()
}

func TestFilter(t *testing.T) {
	prefix := netip.MustParsePrefix
	udp := ipFrame(t, layers.IPProtocolUDP, "10.0.0.1", "10.0.1.2", 500, 4500, nil)
	options := ipFrame(t, layers.IPProtocolTCP, "10.0.0.1", "10.0.1.2", 1025, 80, func(ip *layers.IPv4) {
		ip.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}} // router alert, RFC 2113
	})
	later := ipFrame(t, layers.IPProtocolUDP, "10.0.0.1", "10.0.1.2", 500, 500, func(ip *layers.IPv4) { ip.FragOffset = 185 })
	first := ipFrame(t, layers.IPProtocolUDP, "10.0.0.1", "10.0.1.2", 500, 500, func(ip *layers.IPv4) { ip.Flags = layers.IPv4MoreFragments })
	esp := ipFrame(t, layers.IPProtocolESP, "10.0.0.1", "10.0.1.2", 0, 0, nil)
	arp := arpFrame(broadcast, macAddr{2}, 1, "10.0.0.1", "10.0.0.2")
	for _, tt := range []struct {
		filter Filter
		words  string
		frame  []byte
		want   bool
	}{
		{Filter{}, "every frame", arp, true},
		{Filter{EtherType: 0x0806}, "arp", arp, true},
		{Filter{EtherType: 0x0806}, "arp", udp, false},
		{Filter{EtherType: 0x88b5}, "EtherType 0x88b5", etherFrame(broadcast, macAddr{2}, ""), true},
		{Filter{Protocol: 17}, "udp", arp, false},
		{Filter{Protocol: 17}, "udp", udp, true},
		{Filter{Protocol: 50}, "esp", esp, true},
		{Filter{Protocol: 51}, "ah", esp, false},
		{Filter{Protocol: 1}, "icmp", esp, false},
		{Filter{Protocol: 47}, "protocol 47", esp, false},
		{Filter{Source: prefix("10.0.0.0/24")}, "from 10.0.0.0/24", udp, true},
		{Filter{Source: prefix("10.0.1.0/24")}, "from 10.0.1.0/24", udp, false},
		{Filter{Destination: prefix("10.0.1.2/32")}, "to 10.0.1.2/32", udp, true},
		{Filter{Destination: prefix("10.0.0.1/32")}, "to 10.0.0.1/32", udp, false},
		{Filter{Protocol: 17, Port: 4500}, "udp port 4500", udp, true},
		{Filter{Protocol: 17, Port: 500}, "udp port 500", udp, true},
		{Filter{Protocol: 17, Port: 501}, "udp port 501", udp, false},
		{Filter{Port: 80}, "port 80", options, true},
		{Filter{SourcePort: 1025, DestinationPort: 80}, "source port 1025 destination port 80", options, true},
		{Filter{SourcePort: 80}, "source port 80", options, false},
		{Filter{Protocol: 17, Port: 500}, "udp port 500", later, false},
		{Filter{Port: 500}, "port 500", esp, false},
		{Filter{Fragments: true}, "fragments", later, true},
		{Filter{Fragments: true}, "fragments", first, true},
		{Filter{Fragments: true}, "fragments", udp, false},
		{Filter{Fragments: true}, "fragments", arp, false},
		{Filter{Protocol: 17, Port: 500, Fragments: true}, "udp port 500 fragments", first, true},
		{Filter{Protocol: 50, Fragments: true}, "esp fragments", first, false},
	} {
		require.NoError(t, tt.filter.check())
		require.Equal(t, tt.words, tt.filter.String())
		require.Equal(t, tt.want, tt.filter.Matches(tt.frame), tt.words)
	}
	f := Filter{Protocol: 6, Source: prefix("10.0.0.0/8"), Port: 80}
	for n := range len(options) {
		require.Equal(t, n >= etherHeader+24+4, f.Matches(options[:n]), "the first %d bytes", n)
	}
	bad := append([]byte(nil), udp...)
	bad[etherHeader] = 0x42 // a header of 8 bytes
	require.False(t, (&Filter{Port: 500}).Matches(bad))
	bad[etherHeader] = 0x65
	require.False(t, (&Filter{Protocol: 17}).Matches(bad), "IP version 6")
}

// TestBlackholes lists for each which of twelve frames, one each 100 ms, get from a to b.
func TestBlackholes(t *testing.T) {
	even := Filter{EtherType: 0x88b6}
	for _, tt := range []struct {
		name string
		up   bool // on the sender's link
		hole Selection
		want []int
		lost string
	}{
		{"everything", true, Selection{}, nil, "every frame; number 1"},
		{"by filter", true, Selection{Filter: even}, []int{1, 3, 5, 7, 9, 11}, "EtherType 0x88b6; number 1"},
		{"one", true, Selection{First: 3, Last: 3}, []int{0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11}, "every frame, frame 3; number 3"},
		{"the first ones", true, Selection{Last: 2}, []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, "every frame, frames 1 to 2; number 1"},
		{"from one on", true, Selection{First: 11}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, "every frame, frames from 11 on; number 11"},
		{"the second and third that the filter selects", true, Selection{Filter: even, First: 2, Last: 3}, []int{0, 1, 3, 5, 6, 7, 8, 9, 10, 11}, "EtherType 0x88b6, frames 2 to 3; number 2"},
		{"from a time on", true, Selection{Since: time.Second}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, "every frame, since 1s; number 1"},
		{"for a time", true, Selection{Since: 100 * ms, Until: 300 * ms}, []int{0, 3, 4, 5, 6, 7, 8, 9, 10, 11}, "every frame, since 100ms, until 300ms; number 1"},
		{"counted within the time", true, Selection{Since: 500 * ms, First: 2, Last: 2}, []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11}, "every frame, frame 2, since 500ms; number 2"},
		{"up, on the sender's link", true, Selection{Direction: Up, Last: 11}, []int{11}, "every frame, up, frames 1 to 11; number 1"},
		{"down, on the receiver's link", false, Selection{Direction: Down, Last: 11}, []int{11}, "every frame, down, frames 1 to 11; number 1"},
		{"the other way", false, Selection{Direction: Up}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			s := newSegment(t, w, "lan", SegmentConfig{})
			a, b := attach(t, s, "a"), attach(t, s, "b")
			on := map[bool]*node{true: a, false: b}[tt.up]
			setLink(t, on, LinkConfig{Impairments: Impairments{Blackholes: []Selection{tt.hole}}})
			first := ""
			w.Tap(func(f Frame) {
				if first == "" {
					first = f.Lost
				}
			})
			n := 0
			each(w, 100*ms, 12, func(text string) {
				f := etherFrame(b.MAC(), a.MAC(), text)
				binary.BigEndian.PutUint16(f[12:], uint16(0x88b6-n%2))
				n++
				a.Send(f, "")
			})
			run(t, w, 0)
			require.Equal(t, tt.want, b.numbers(t))
			if tt.lost != "" {
				tt.lost = fmt.Sprintf("lost on link %s (blackhole: %s)", on.Name(), tt.lost)
			}
			require.Equal(t, tt.lost, first)
		})
	}
}

// TestBlackholesKeepCount: a change of something else does not begin the count
// anew, a change of the list does; both ways count together.
func TestBlackholesKeepCount(t *testing.T) {
	w := newWorld(t, Config{})
	s := newSegment(t, w, "lan", SegmentConfig{Impairments: Impairments{Blackholes: []Selection{{First: 7, Last: 7}}}})
	a, b := attach(t, s, "a"), attach(t, s, "b")
	c := LinkConfig{Impairments: Impairments{Blackholes: []Selection{{First: 3, Last: 3}, {First: 3, Last: 3}}}}
	setLink(t, a, c)
	a.to(b, "1")
	b.to(a, "2")
	c.Latency = ms
	setLink(t, a, c)
	a.to(b, "3: the first takes it")
	a.to(b, "4: the second takes it, its third")
	a.to(b, "5")
	c.Impairments.Blackholes[1].Last = 4
	require.NotEqual(t, c, a.Link(), "the link keeps a list of its own")
	setLink(t, a, c)
	a.to(b, "6")
	a.to(b, "7")
	a.to(b, "8: the first takes it")
	a.to(b, "9: the second")
	a.to(b, "10: the second again")
	a.to(b, "11")
	a.to(b, "12: the segment takes it, its seventh") // after 1, 2, 5, 6, 7 and 11
	a.to(b, "13")
	run(t, w, 0)
	require.Equal(t, []string{"2"}, a.texts())
	require.Equal(t, []string{"1", "5", "6", "7", "11", "13"}, b.texts())
	_, err := w.NewSegment("wan", SegmentConfig{Impairments: Impairments{Blackholes: []Selection{{}, {Direction: Up}}}})
	require.EqualError(t, err, `sim: segment "wan": blackhole 2: a segment has no way up: set it on a link`)
}
