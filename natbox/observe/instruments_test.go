package observe_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox/observe"
)

func packets(n observe.Notes) map[string]uint64 {
	all := map[string]uint64{}
	for _, c := range n.Counts {
		if c.Packets > 0 {
			all[c.Name] = c.Packets
		}
	}
	return all
}

// Each class selects what its fields say; the first that fits has the packet.
func TestClassifier(t *testing.T) {
	host := func(a string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(a)} }
	marked := ip4(alice, bob, layers.IPProtocolUDP)
	marked.TOS = 46<<2 | 3
	later := ip4(alice, bob, layers.IPProtocolUDP)
	later.FragOffset = 100
	six := ip6(alice6, bob6, layers.IPProtocolUDP)
	six.TrafficClass = 46 << 2
	for _, tc := range []struct {
		name   string
		match  observe.Match
		packet []byte
		want   bool
	}{
		{"everything", observe.Match{}, families[0].udp(t, 1, 2, ""), true},
		{"protocol", observe.Match{Proto: 17}, families[0].udp(t, 1, 2, ""), true},
		{"another protocol", observe.Match{Proto: 6}, families[0].udp(t, 1, 2, ""), false},
		{"port of the sender", observe.Match{Port: 1}, families[0].udp(t, 1, 2, ""), true},
		{"port of the receiver", observe.Match{Port: 2}, families[1].udp(t, 1, 2, ""), true},
		{"another port", observe.Match{Port: 3}, families[0].udp(t, 1, 2, ""), false},
		{"no port in a later fragment", observe.Match{Port: 1}, serialize(t, later, payload("\x00\x01\x00\x01")), false},
		{"its protocol is there", observe.Match{Proto: 17}, serialize(t, later, payload("\x00\x01\x00\x01")), true},
		{"no port in ESP", observe.Match{Port: 0x4711}, noisyESP(0x47114711, newNoise(1), 40), false},
		{"source", observe.Match{Src: host("10.0.0.0/24")}, families[0].udp(t, 1, 2, ""), true},
		{"another source", observe.Match{Src: host("10.0.9.0/24")}, families[0].udp(t, 1, 2, ""), false},
		{"destination", observe.Match{Dst: host("10.0.9.0/24")}, families[0].udp(t, 1, 2, ""), true},
		{"either", observe.Match{Either: host("10.0.9.9/32")}, families[0].udp(t, 1, 2, ""), true},
		{"neither", observe.Match{Either: host("10.0.8.0/24")}, families[0].udp(t, 1, 2, ""), false},
		{"codepoint, whatever ECN is", observe.Match{DSCP: []uint8{46}}, serialize(t, marked, udp(1, 2)), true},
		{"codepoint of IPv6", observe.Match{DSCP: []uint8{46}}, serialize(t, six, udp(1, 2)), true},
		{"another codepoint", observe.Match{DSCP: []uint8{0, 45}}, serialize(t, marked, udp(1, 2)), false},
	} {
		c := observe.NewClassifier(observe.Classes{{Name: "it", Match: tc.match}, {Name: "never", Match: tc.match}})
		c.Observe(0, tc.packet)
		want := map[bool]string{true: "it", false: "default"}[tc.want]
		require.Equal(t, map[string]uint64{want: 1}, packets(c.Notes(0)), tc.name)
	}
}

// A probe counts by protocol and by the lower port, and a bounded number of services.
func TestProbe(t *testing.T) {
	p := observe.NewProbe()
	f := families[0]
	p.Observe(0, f.udp(t, 40000, 53, "?"))
	p.Observe(0, f.udp(t, 53, 40000, "!"))
	p.Observe(0, f.udp(t, 4500, 61000, "\x00\x00\x10\x00"))
	p.Observe(0, f.tcp(t, tcp(40000, 445, 1, "S"), ""))
	p.Observe(0, f.echo(t, 1, ""))
	p.Observe(0, noisyESP(0x1000, newNoise(1), 40))
	p.Observe(0, f.packet(t, layers.IPProtocolAH, payload(string(ahAround(6, 12, make([]byte, 20))))))
	p.Observe(0, []byte{0x45, 0})
	n := p.Notes(0)
	require.Equal(t, map[string]uint64{"udp": 2, "udp-4500": 1, "tcp": 1, "icmp": 1, "esp": 1, "ah": 1}, packets(n))
	var services []string
	for _, s := range n.Ports {
		services = append(services, fmt.Sprint(s.Proto, " ", s.Port, " ", s.Packets))
	}
	require.Equal(t, []string{"6 445 1", "17 53 2", "17 4500 1"}, services)
	for port := range 3000 {
		p.Observe(0, f.udp(t, 40000, layers.UDPPort(port+1), ""))
	}
	require.Len(t, p.Notes(0).Ports, 1024)
}

// books is accounting, and what it exported.
type books struct {
	*observe.Accounting
	exported []string
}

func newBooks(c observe.AccountingConfig) *books {
	b := &books{}
	c.Name = "netflow"
	c.Record = func(body trace.Body) {
		f := body.(trace.ObserverFlow)
		b.exported = append(b.exported, fmt.Sprintf("%s: %d packets, %d bytes, %s to %s, %s", f.Flow, f.Packets, f.Bytes, f.First, f.Last, f.End))
	}
	b.Accounting = observe.NewAccounting(c)
	return b
}

// Records end by inactivity, by age, and with the connection.
func TestAccountingEnds(t *testing.T) {
	f := families[0]
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	b := newBooks(observe.AccountingConfig{})
	b.Observe(second(1), f.udp(t, 1000, 53, "four"))
	b.Observe(second(2), f.udp(t, 1000, 53, "four"))
	b.Observe(second(3), f.udp(t, 1001, 53, "four"))
	require.Len(t, b.Notes(second(16)).Records, 2)
	require.Empty(t, b.exported)
	b.Notes(second(17))
	require.Equal(t, []string{"udp 10.0.0.1:1000 > 10.0.9.9:53: 2 packets, 64 bytes, 1s to 2s, inactive"}, b.exported)

	b = newBooks(observe.AccountingConfig{Active: 30 * time.Second})
	for s := 0; s <= 35; s += 5 {
		b.Observe(second(s), f.udp(t, 1000, 53, "four"))
	}
	require.Equal(t, []string{"udp 10.0.0.1:1000 > 10.0.9.9:53: 6 packets, 192 bytes, 0s to 25s, active timeout"}, b.exported)
	require.Len(t, b.Notes(second(36)).Records, 2)

	b = newBooks(observe.AccountingConfig{})
	b.Observe(0, f.tcp(t, tcp(1000, 80, 1, "S"), ""))
	b.Observe(0, f.tcp(t, tcp(1000, 80, 2, "FA"), ""))
	b.Observe(0, f.tcp(t, tcp(1000, 80, 3, "A"), ""))
	b.Observe(0, f.tcp(t, tcp(1001, 80, 3, "R"), ""))
	require.Equal(t, []string{
		"tcp 10.0.0.1:1000 > 10.0.9.9:80: 2 packets, 80 bytes, 0s to 0s, closed",
		"tcp 10.0.0.1:1001 > 10.0.9.9:80: 1 packets, 40 bytes, 0s to 0s, closed",
	}, b.exported)
}

// A full cache gives up the record that was longest silent, and loses no packet of the sum.
func TestAccountingIsBounded(t *testing.T) {
	b := newBooks(observe.AccountingConfig{Cache: 3})
	for _, port := range []layers.UDPPort{1, 2, 3, 1, 4} {
		b.Observe(0, families[0].udp(t, port, 53, ""))
	}
	require.Equal(t, []string{"udp 10.0.0.1:2 > 10.0.9.9:53: 1 packets, 28 bytes, 0s to 0s, cache full"}, b.exported)
	var sum uint64
	for _, r := range b.Notes(0).Records {
		sum += r.Packets
	}
	require.Equal(t, uint64(5), sum)
}

// Protected traffic is one record each way, whatever is inside; the fragments of a datagram belong to
// what has no ports.
func TestAccountingOfWhatHasNoPorts(t *testing.T) {
	b := newBooks(observe.AccountingConfig{})
	for i := range 5 {
		b.Observe(0, noisyESP(0x1000+uint32(i), newNoise(byte(i)), 40+4*i))
	}
	r := b.Notes(0).Records
	require.Len(t, r, 1)
	require.Equal(t, ipsec.ProtoESP, r[0].Flow.Proto)
	require.Equal(t, uint64(5), r[0].Packets)
}

// What was noted after earlier notes, of every kind.
func TestSince(t *testing.T) {
	f := families[0]
	all := []observe.Instrument{
		newDesk(t, observe.InspectorConfig{Patterns: secret()}), observe.NewClassifier(observe.Classes{{Name: "it"}}),
		observe.NewProbe(), newBooks(observe.AccountingConfig{}),
	}
	for _, i := range all {
		i.Observe(0, f.udp(t, 1, 53, "secret"))
		i.Observe(0, f.udp(t, 3, 53, "secret"))
		before := i.Notes(0)
		require.Zero(t, i.Notes(0).Since(before).Total())
		i.Observe(0, f.udp(t, 1, 53, "secret"))
		i.Observe(0, f.udp(t, 2, 53, "secret"))
		since := i.Notes(0).Since(before)
		require.Equal(t, observe.Count{Packets: 2, Bytes: 68}, since.Total(), "%T", i)
		for _, a := range since.Alerts {
			require.Equal(t, uint64(2), a.Found)
		}
		if len(since.Records) > 0 {
			require.Len(t, since.Records, 2)
			require.Equal(t, []uint64{1, 1}, []uint64{since.Records[0].Packets, since.Records[1].Packets})
		}
		require.Equal(t, uint64(4), i.Notes(0).Since(observe.Notes{}).Total().Packets)
	}
}
