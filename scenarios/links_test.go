package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// checked runs a scenario as a test and reads the evidence that it left behind.
func checked(t *testing.T, s *spec.Scenario) (*scenarios.Result, []pcapng.Packet, []trace.Event) {
	t.Helper()
	dir := t.TempDir()
	r := scenarios.Check(t, s, scenarios.Options{Dir: dir})
	packets, events := evidenceOf(t, dir)
	return r, packets, events
}

// evidenceOf reads the evidence of a run.
func evidenceOf(t *testing.T, dir string) ([]pcapng.Packet, []trace.Event) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "capture.pcapng"))
	require.NoError(t, err)
	defer f.Close()
	packets, err := pcapng.Read(f)
	require.NoError(t, err)
	g, err := os.Open(filepath.Join(dir, "trace.jsonl"))
	require.NoError(t, err)
	defer g.Close()
	events, err := trace.Read(g)
	require.NoError(t, err)
	return packets, events
}

// Each impairment that a file can name reaches the link or segment that it names.
func TestImpairmentsReachTheWire(t *testing.T) {
	for _, tc := range []struct {
		name          string
		segment, link string
		remark        string // in a comment of the capture
		expect        string // of four pings to bob, 100 ms apart
	}{
		{"plain", "", "latency: 1ms", "", "{received: 4, latency: 6ms}"},
		{"rate of the segment", ", rate: 64kbit", "latency: 1ms", "", "{received: 4, latency: '>= 30ms'}"}, // 74 bytes up and down, twice
		{"rate of the link", ", rate: 64kbit", "rate: 1Mbit", "", "{received: 4, latency: '<= 40ms'}"},
		{"queue", "", "rate: 64kbit, queue: {bytes: 10}", "", "{received: 4}"},
		{"jitter", "", "jitter: 50ms", "", "{received: 4, latency: '>= 10ms'}"},
		{"duplicate", "", "duplicate: 1", "duplicated by link alice:lan", "{received: 4}"},
		{"corrupt", "", "corrupt: 1", "altered by link alice:lan: bit", "{received: 0}"},
		{"reorder", "", "reorder: {probability: 1, delay: 150ms}", "held back by link alice:lan: 150ms", "{received: 4, latency: '>= 300ms'}"},
		{"blackhole of the segment", ", blackholes: [{protocol: icmp, source: bob, frames: 2..3}]", "latency: 1ms",
			"lost on segment lan (blackhole: icmp from 10.0.0.2/32, frames 2 to 3; number 3)", "{received: 2}"},
		{"blackhole of the link, up", "", "blackholes: [{protocol: icmp, direction: up, frames: 4}]",
			"lost on link alice:lan (blackhole: icmp, up, frame 4; number 4)", "{received: 3}"},
		{"blackhole of the link, down, for a time", "", "blackholes: [{protocol: icmp, direction: down, since: 50ms, until: 3s}]",
			"lost on link alice:lan (blackhole: icmp, down, since 50ms, until 3s; number 2)", "{received: 2}"},
		{"down", "", "down: true", "lost on link alice:lan (it is down)", "{received: 0}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := parse(t, `
title: t
network: {segments: {lan: {latency: 0.5ms`+tc.segment+`}}}
nodes:
  alice: {interfaces: [{segment: lan, address: 10.0.0.1/24, link: {`+tc.link+`}}]}
  bob: {interfaces: [{segment: lan, address: 10.0.0.2/24}]}
steps:
  - ping: {from: alice, to: bob, count: 4, interval: 100ms, timeout: 2s}
    expect: `+tc.expect+"\n")
			_, packets, _ := checked(t, s)
			found := tc.remark == ""
			for _, p := range packets {
				found = found || strings.Contains(p.Comment, tc.remark)
			}
			require.True(t, found, tc.remark)
		})
	}
}

// set-link changes what it names and leaves the rest; the trace says so.
func TestSetLinkChangesWhatItNames(t *testing.T) {
	s := parse(t, `
title: t
network: {segments: {lan: {}}}
nodes:
  alice: {interfaces: [{segment: lan, address: 10.0.0.1/24, link: {latency: 10ms, jitter: 1ms, blackholes: [{protocol: 99}]}}]}
  bob: {interfaces: [{segment: lan, address: 10.0.0.2/24}]}
steps:
  - wait: 1s
  - set-link: {node: alice, rate: 1Mbit, queue: {frames: 5}, duplicate: 0.5}
  - set-link: {node: alice, down: true}
  - ping: {from: alice, to: bob, timeout: 1s}
    expect: {result: timeout, wire: {protection: nothing}}
  - set-link: {node: alice, down: false, rate: 0bit, jitter: 0s, duplicate: 0, blackholes: []}
  - ping: {from: alice, to: bob}
    expect: {result: ok, latency: '>= 20ms'}
`)
	_, _, events := checked(t, s)
	var changes []trace.LinkChanged
	for _, e := range events {
		if c, ok := e.Body.(trace.LinkChanged); ok {
			changes = append(changes, c)
		}
	}
	base := trace.LinkChanged{Link: "alice:lan", Latency: 10 * time.Millisecond, MTU: 1500}
	one := base
	one.More = "rate 1000000 bit/s, queue 5 frames; jitter 1ms, duplicate 0.5, blackhole (protocol 99)"
	two := one
	two.Down = true
	require.Equal(t, []trace.LinkChanged{one, two, base}, changes)
}

// A line between two devices is a segment of two, with the two addresses of a /31 (RFC 3021).
func TestLineOfTwo(t *testing.T) {
	checked(t, parse(t, `
title: t
network: {segments: {line: {subnet: 10.0.0.0/31, rate: 64kbit}}}
nodes:
  alice: {interfaces: [{segment: line, address: 10.0.0.0/31}]}
  bob: {interfaces: [{segment: line, address: 10.0.0.1/31}], serves: [{tcp: 80}]}
steps:
  - connect: {from: alice, to: bob, port: 80}
    expect: {result: ok, wire: {protection: clear}}
  - ping: {from: bob, to: alice}
    expect: {result: ok}
`))
}
