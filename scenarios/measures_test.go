package scenarios_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Every statistic of the driver has a word in scenarios.
func TestCountersHaveWords(t *testing.T) {
	for words, counters := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[spec.Counters]():    reflect.TypeFor[esp.Counters](),
		reflect.TypeFor[spec.IKECounters](): reflect.TypeFor[ike.Statistics](),
	} {
		for i := range counters.NumField() {
			_, ok := words.FieldByName(counters.Field(i).Name)
			require.True(t, ok, "%s has no %s", words, counters.Field(i).Name)
		}
		require.Equal(t, counters.NumField(), words.NumField())
	}
}

func exactly(n int64) *spec.Range { return &spec.Range{Min: n, Max: n} }

// checks runs a scenario and gives the checks of its only step, by name.
func checks(t *testing.T, s *spec.Scenario) map[string]result.Check {
	t.Helper()
	r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
	require.NoError(t, err)
	all := map[string]result.Check{}
	for _, c := range r.Steps[0].Checks {
		all[c.Name] = c
	}
	return all
}

// What measures find, each once as it is and once not.
func TestMeasures(t *testing.T) {
	// 3DES and HMAC-SHA-1-96: 8 bytes of SPI and sequence number, 8 of IV, 12 of ICV, and
	// padding with its two last bytes to a multiple of 8 (RFC 2406, RFC 2451, RFC 2404).
	ping := func(e spec.Expect) *spec.Scenario {
		s := inCode("ESP[3DES,SHA1]")
		s.Steps = []spec.Step{{Ping: &spec.Ping{From: "client", To: "server", Count: 4}, Expect: &e}}
		return s
	}
	for _, tc := range []struct {
		expect  spec.Expect
		name    string
		outcome result.Outcome
		got     string
	}{
		{spec.Expect{Lost: exactly(0)}, "requests without an answer: 0", scenarios.Passed, "0"},
		{spec.Expect{Lost: exactly(1)}, "requests without an answer: 1", scenarios.Failed, "0"},
		{spec.Expect{Loss: &spec.PercentRange{Max: 50_000}}, "share of requests without an answer: <= 5%", scenarios.Passed, "0%, 0 of 4"},
		{spec.Expect{Loss: &spec.PercentRange{Min: 50_000, Max: 60_000}}, "share of requests without an answer: 5%..6%", scenarios.Failed, "0%, 0 of 4"},
		// 40 bytes of ICMP, and 2 bytes, are padded to 48: 8+8+8+12.
		{spec.Expect{Overhead: &spec.Overhead{Least: exactly(36)}}, "bytes added at least: 36", scenarios.Passed, "36, of 8 packets"},
		{spec.Expect{Overhead: &spec.Overhead{Most: exactly(37)}}, "bytes added at most: 37", scenarios.Failed, "36, of 8 packets"},
		{spec.Expect{Overhead: &spec.Overhead{Share: &spec.PercentRange{Min: 600_000, Max: 600_000}}}, "share of bytes added: 60%", scenarios.Passed, "60%, 288 to 480 bytes in 8 packets"},
		{spec.Expect{Overhead: &spec.Overhead{Share: &spec.PercentRange{Max: 50_000}}}, "share of bytes added: <= 5%", scenarios.Failed, "60%, 288 to 480 bytes in 8 packets"},
		{spec.Expect{IKE: &spec.IKE{KeyExchanges: exactly(2)}}, "messages with a KE payload: 2", scenarios.Passed, "2"},
		{spec.Expect{Counters: map[string]spec.Counters{"client": {PacketsProtected: exactly(4)}}}, "packets-protected at client: 4", scenarios.Passed, "4"},
		{spec.Expect{Counters: map[string]spec.Counters{"client": {ActiveSAs: exactly(2)}}}, "active-sas at client: 2", scenarios.Passed, "2"},
		{spec.Expect{Counters: map[string]spec.Counters{"server": {BadSPI: exactly(1)}}}, "bad-spi at server: 1", scenarios.Failed, "0"},
		{spec.Expect{SAs: map[string]spec.SACount{"client": {Most: exactly(2)}}}, "SAs at one time on client: 2", scenarios.Passed, "2"},
		{spec.Expect{SAs: map[string]spec.SACount{"client": {Fewest: exactly(2)}}}, "SAs at the fewest on client: 2", scenarios.Failed, "0"},
		{spec.Expect{SAs: map[string]spec.SACount{"server": {AtEnd: exactly(2)}}}, "SAs at the end on server: 2", scenarios.Passed, "2"},
		{spec.Expect{Events: []spec.Event{
			{Kind: "driver.acquire", Node: "client"},
			{Kind: "ike.message", Contains: "SIT_IDENTITY_ONLY"},
			{Kind: "ike.message", With: map[string]spec.Word{"exchange": "quick mode", "number": "3", "sent": "true"}},
			{Kind: "app"},
		}}, "events in order: 4", scenarios.Passed, "4, from 0s to 3.0002s"},
		{spec.Expect{Events: []spec.Event{{Kind: "sa.added"}, {Kind: "driver.acquire", Node: "client", With: map[string]spec.Word{"rule": "client/server"}}}},
			"events in order: 2", scenarios.Failed, "1 of 2"},
		{spec.Expect{Events: []spec.Event{{Kind: "sa.added", Contains: "rot13"}}}, "events in order: 1", scenarios.Failed, "0 of 1"},
	} {
		c, ok := checks(t, ping(tc.expect))[tc.name]
		require.True(t, ok, "%s: no such check", tc.name)
		require.Equal(t, tc.outcome, c.Outcome, "%s: got %s: %s", tc.name, c.Got, c.Reason)
		require.Equal(t, tc.got, c.Got, tc.name)
	}
	c := checks(t, ping(spec.Expect{Events: []spec.Event{{Kind: "sa.added"}, {Kind: "driver.acquire", Node: "client", With: map[string]spec.Word{"rule": "x"}}}}))
	require.Regexp(t, `^the trace has no driver.acquire on client, rule x after sa.added, which came at `, c["events in order: 2"].Reason)
}

func TestThroughput(t *testing.T) {
	s := inCode("ESP[AES128-GCM]")
	s.Network.Segments["lan"] = spec.Segment{Latency: spec.Duration(time.Millisecond)}
	s.Steps = []spec.Step{{
		Transfer: &spec.Transfer{From: "client", To: "server", Port: 443, Bytes: 1 << 20},
		Expect:   &spec.Expect{Throughput: &spec.Range{Min: 1 << 20, Max: 1 << 30}},
	}}
	for name, c := range checks(t, s) {
		require.Equal(t, "bytes per second: 1048576..1073741824", name)
		require.Equal(t, scenarios.Passed, c.Outcome, c.Got)
	}
	s.Steps[0].Expect.Throughput = exactly(7)
	require.Equal(t, scenarios.Failed, checks(t, s)["bytes per second: 7"].Outcome)
}

// A clear step has no overhead to judge, and that is no pass.
func TestOverheadOfNothing(t *testing.T) {
	s := inCode("ESP[3DES,SHA1]")
	s.Assignments = nil
	s.Steps[0].Expect = &spec.Expect{Overhead: &spec.Overhead{Most: exactly(0)}}
	s.Steps[0].Expect.Overhead.Share = &spec.PercentRange{}
	for _, name := range []string{"bytes added at most: 0", "share of bytes added: 0%"} {
		c := checks(t, s)[name]
		require.Equal(t, scenarios.Failed, c.Outcome)
		require.Contains(t, c.Reason, "no protected packet of the step was seen")
	}
}

// The same over the whole run, and of a host whose driver did something else.
func TestMeasuresAsInvariants(t *testing.T) {
	s := inCode("ESP[3DES,SHA1]")
	s.Invariants = []spec.Invariant{
		{Counters: &spec.CountersOn{Host: "client", Counters: spec.Counters{KeyAdditions: exactly(2), PolicyDrops: exactly(1)}}},
		{Title: "first keys, then data", Events: []spec.Event{{Kind: "sa.added", Node: "client"}, {Kind: "packet.inner", Node: "client"}}},
		{Events: []spec.Event{{Kind: "packet.inner", Node: "client"}, {Kind: "driver.acquire", Node: "client"}}},
	}
	r, err := scenarios.Run(t.Context(), s, scenarios.Options{})
	require.NoError(t, err)
	got := map[string]result.Outcome{}
	for _, c := range r.Invariants[1:] {
		got[c.Name] = c.Outcome
	}
	require.Equal(t, map[string]result.Outcome{
		"client: key-additions at client: 2":        scenarios.Passed,
		"client: policy-drops at client: 1":         scenarios.Failed,
		"first keys, then data: events in order: 2": scenarios.Passed,
		"the run: events in order: 2":               scenarios.Failed,
	}, got)
}

func TestUnknownKindOfEvent(t *testing.T) {
	s := inCode("ESP[3DES,SHA1]")
	s.Steps[0].Expect = &spec.Expect{
		Events: []spec.Event{{Kind: "sa.addedd"}, {Kind: "sa.added", With: map[string]spec.Word{"spy": "7"}}},
		Never:  []spec.Event{{Kind: "sa.aded"}},
	}
	s.Invariants = []spec.Invariant{
		{Events: []spec.Event{{Kind: "driver"}}},
		{Never: []spec.Event{{Kind: "attack", With: map[string]spec.Word{"act": "replayed", "actor": "mallory"}}}},
	}
	err := scenarios.Validate(s)
	require.ErrorContains(t, err, `in_code: $.steps[0].expect.events[0].kind: events: no event is of kind "sa.addedd"; did you mean "sa.added"?`)
	require.ErrorContains(t, err, `$.invariants[0].events[0].kind: events: no event is of kind "driver"`)
	require.ErrorContains(t, err, `$.steps[0].expect.events[1].with.spy: events: sa.added has no "spy"; did you mean "spi"?`)
	require.ErrorContains(t, err, `$.steps[0].expect.never[0].kind: never: no event is of kind "sa.aded"; did you mean "sa.added"?`)
	require.ErrorContains(t, err, `$.invariants[1].never[0].with.actor: never: attack has no "actor"`)
	require.NotContains(t, err.Error(), "with.act:")
}
