package observe_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox/observe"
)

// desk is an inspector and what it recorded.
type desk struct {
	*observe.Inspector
	recorded []trace.Body
}

func newDesk(t testing.TB, c observe.InspectorConfig) *desk {
	t.Helper()
	d := &desk{}
	c.Name, c.Record = "ids", func(b trace.Body) { d.recorded = append(d.recorded, b) }
	n, err := observe.NewInspector(c)
	require.NoError(t, err)
	d.Inspector = n
	return d
}

func secret() []observe.Pattern { return []observe.Pattern{{Name: "secret", Bytes: []byte("secret")}} }

func (d *desk) found() uint64 { return d.Notes(0).Alerts[0].Found }

func payload(s string) gopacket.Payload { return gopacket.Payload(s) }

// segments shows the data of one direction of a connection, each at its offset.
func (d *desk) segments(t testing.TB, isn uint32, parts ...string) {
	for _, part := range parts {
		var at uint32
		var data string
		_, err := fmt.Sscanf(part, "%d:%s", &at, &data)
		require.NoError(t, err)
		d.Observe(0, serialize(t, ip4(alice, bob, layers.IPProtocolTCP), tcp(1000, 80, isn+1+at, "A"), payload(data)))
	}
}

// The inspector finds what is in a stream, however it was cut, and once.
func TestInspectorPutsStreamsInOrder(t *testing.T) {
	for _, tc := range []struct {
		name  string
		parts []string
		want  uint64
	}{
		{"in one segment", []string{"0:xxsecretxx"}, 1},
		{"cut in the middle", []string{"0:xxsec", "5:retxx"}, 1},
		{"byte by byte", []string{"0:s", "1:e", "2:c", "3:r", "4:e", "5:t"}, 1},
		{"the end first", []string{"0:xx", "5:ret", "2:sec"}, 1},
		{"sent again", []string{"0:xxsecret", "0:xxsecret", "8:xx"}, 1},
		{"sent again in other pieces", []string{"0:xxsec", "0:xxsecret", "4:cret"}, 1},
		{"twice", []string{"0:secretsecret"}, 2},
		{"not at all", []string{"0:secre", "6:t"}, 0},
		{"the first data of a place count", []string{"0:xxsec", "5:...", "5:ret"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, isn := range []uint32{7, 0xffff_fffa} { // the second one wraps
				d := newDesk(t, observe.InspectorConfig{Patterns: secret()})
				d.Observe(0, serialize(t, ip4(alice, bob, layers.IPProtocolTCP), tcp(1000, 80, isn, "S")))
				d.segments(t, isn, tc.parts...)
				require.Equal(t, tc.want, d.found())
				if tc.want > 0 {
					require.Equal(t, []trace.Body{trace.ObserverAlert{Observer: "ids", Pattern: "secret", Flow: "tcp 10.0.0.1:1000 > 10.0.9.9:80"}}, d.recorded)
				}
			}
		})
	}
}

// A gap that is never filled is given up once too much waits behind it.
func TestInspectorGivesUpAGap(t *testing.T) {
	d := newDesk(t, observe.InspectorConfig{Patterns: secret()})
	d.segments(t, 0, "0:x")
	chunk := strings.Repeat("y", 1000)
	for at := 1001; at < 90_000; at += 1000 {
		d.segments(t, 0, fmt.Sprintf("%d:%s", at, chunk))
	}
	d.segments(t, 0, "90001:secret")
	require.Equal(t, uint64(1), d.found())
	require.Equal(t, uint64(1000), d.Notes(0).Dropped)
}

// A repeated SYN begins nothing anew, another one does; a reset ends the connection.
func TestInspectorConnections(t *testing.T) {
	d := newDesk(t, observe.InspectorConfig{Patterns: secret()})
	syn := func(isn uint32, flags string) {
		d.Observe(0, serialize(t, ip4(alice, bob, layers.IPProtocolTCP), tcp(1000, 80, isn, flags)))
	}
	syn(7, "S")
	d.segments(t, 7, "0:secret")
	syn(7, "S")
	d.segments(t, 7, "0:secret")
	require.Equal(t, uint64(1), d.found())
	syn(99, "S")
	d.segments(t, 99, "0:secret")
	require.Equal(t, uint64(2), d.found())
	syn(105, "R")
	d.segments(t, 7, "0:secret")
	require.Equal(t, uint64(3), d.found())
}

// ahAround puts an Authentication Header between IP and a protocol: RFC 4302, Section 2.
func ahAround(next layers.IPProtocol, icv int, inner []byte) []byte {
	b := make([]byte, 12+icv, 12+icv+len(inner))
	b[0], b[1] = byte(next), byte((12+icv)/4-2)
	binary.BigEndian.PutUint32(b[4:], 0x1001)
	binary.BigEndian.PutUint32(b[8:], 1)
	return append(b, inner...)
}

// What an inspector reads, and what it does not.
func TestInspectorReads(t *testing.T) {
	datagram := func(s string) []byte {
		return serialize(t, ip4(alice, bob, layers.IPProtocolUDP), udp(1000, 53), payload(s))
	}
	inner := datagram("a secret")
	for _, tc := range []struct {
		name     string
		packet   []byte
		kind     string
		found    uint64
		read     uint64
		patterns []observe.Pattern
	}{
		{"UDP", inner, "udp", 1, 1, nil},
		{"UDP of IPv6", serialize(t, ip6(alice6, bob6, layers.IPProtocolUDP), udp(1000, 53), payload("a secret")), "udp", 1, 1, nil},
		{"an echo", serialize(t, ip4(alice, bob, layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: 0x0800}, payload("secret")), "icmp", 1, 1, nil},
		{"AH", serialize(t, ip4(alice, bob, layers.IPProtocolAH), payload(string(ahAround(layers.IPProtocolUDP, 12, inner[20:])))), "ah", 1, 1, nil},
		{"AH with a long ICV", serialize(t, ip4(alice, bob, layers.IPProtocolAH), payload(string(ahAround(layers.IPProtocolUDP, 32, inner[20:])))), "ah", 1, 1, nil},
		{"AH in tunnel mode", serialize(t, ip4("10.1.0.1", "10.1.0.2", layers.IPProtocolAH), payload(string(ahAround(layers.IPProtocolIPv4, 12, inner)))), "ah", 1, 1, nil},
		{"IP in IP", serialize(t, ip4("10.1.0.1", "10.1.0.2", layers.IPProtocolIPv4), payload(string(inner))), "other", 1, 1, nil},
		{"AH cut off", serialize(t, ip4(alice, bob, layers.IPProtocolAH), payload("secret")), "ah", 0, 0, nil},
		{"ESP", serialize(t, ip4(alice, bob, layers.IPProtocolESP), payload("12345678secret")), "esp", 0, 0, nil},
		{"another port", inner, "udp", 0, 1, []observe.Pattern{{Name: "p", Bytes: []byte("secret"), Port: 54}}},
		{"the port of the sender", inner, "udp", 1, 1, []observe.Pattern{{Name: "p", Bytes: []byte("secret"), Port: 1000}}},
		{"another protocol", inner, "udp", 0, 1, []observe.Pattern{{Name: "p", Bytes: []byte("secret"), Proto: 6}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.patterns == nil {
				tc.patterns = secret()
			}
			d := newDesk(t, observe.InspectorConfig{Patterns: tc.patterns})
			d.Observe(0, tc.packet)
			n := d.Notes(0)
			require.Equal(t, tc.found, d.found())
			require.Equal(t, []uint64{tc.read, 1 - tc.read}, []uint64{n.Read.Packets, n.Opaque.Packets})
			for _, c := range n.Counts {
				want := observe.Count{}
				if c.Name == tc.kind {
					want = observe.Count{Packets: 1, Bytes: uint64(len(tc.packet))}
				}
				require.Equal(t, want, c.Count, c.Name)
			}
		})
	}
}

// fragments cuts an IPv4 datagram into pieces of size bytes.
func fragments(packet []byte, size int) (all [][]byte) {
	for at := 20; at < len(packet); at += size {
		end := min(at+size, len(packet))
		f := append(append([]byte(nil), packet[:20]...), packet[at:end]...)
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		offset := uint16(at-20) / 8
		if end < len(packet) {
			offset |= 0x2000
		}
		binary.BigEndian.PutUint16(f[6:], offset)
		all = append(all, f)
	}
	return all
}

// Datagrams in fragments are put together, in any order, and also ESP is before anybody looks
// at it. What stays incomplete is counted as unread.
func TestInspectorPutsFragmentsTogether(t *testing.T) {
	long := strings.Repeat("x", 50) + "secret" + strings.Repeat("y", 100)
	a, b := families[0].addrs()
	seal := sealer(t, ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}, ipsec.Transport, a, b, 0x4711)
	for name, packet := range map[string][]byte{
		"in the clear": families[0].udp(t, 1000, 53, long), "ESP": seal(families[0].udp(t, 1000, 53, long)),
	} {
		for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 0, 3, 1}} {
			d := newDesk(t, observe.InspectorConfig{Patterns: secret(), ESPNull: true, CheckBits: 16})
			all := fragments(packet, 48)
			for _, i := range order {
				d.Observe(0, all[i])
			}
			n := d.Notes(0)
			require.Equal(t, uint64(1), d.found(), "%s %v", name, order)
			require.Equal(t, []uint64{uint64(len(order)), 0, 0}, []uint64{n.Read.Packets, n.Unsure.Packets, n.Opaque.Packets}, "%s %v", name, order)
		}
	}
	d := newDesk(t, observe.InspectorConfig{Patterns: secret()})
	all := fragments(families[0].udp(t, 1000, 53, long), 56)
	d.Observe(0, all[0])
	d.Observe(time.Second, all[1])
	other := fragments(families[0].udp(t, 1001, 53, long), 56)
	other[0][4] = 9 // another identification
	require.Equal(t, uint64(2), d.Notes(0).Unsure.Packets)
	d.Observe(time.Minute, other[0])
	n := d.Notes(time.Minute)
	require.Equal(t, []uint64{1, 2, 2}, []uint64{n.Unsure.Packets, n.Opaque.Packets, n.Dropped})
}
