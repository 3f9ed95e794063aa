package boxes

import (
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/sourced"
	"github.com/ipseclab/ipseclab/natbox/nat"
)

type stream uint64

func (s *stream) Uint64() uint64 { *s += 0x9e3779b97f4a7c15; return uint64(*s) }

// Each box is a configuration that the table takes; its name is a word of scenario files, and
// its values have sources.
func TestBoxes(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	titles := map[string]bool{}
	for _, b := range All() {
		require.Regexp(t, valid, b.Name)
		require.False(t, titles[b.Title], b.Title)
		titles[b.Title] = true
		c := Config(&b)
		c.Outside, c.Inside = []netip.Addr{netip.MustParseAddr("203.0.113.1")}, netip.MustParseAddr("192.168.1.1")
		var s stream
		_, err := nat.New(c, &s)
		require.NoError(t, err, b.Name)
		for _, key := range []string{"udp-mapping", "udp-filtering", "tcp-mapping", "tcp-filtering", "port-assignment", "esp", "ah"} {
			_, ok := b.Value(key)
			require.True(t, ok || b.Name == "one-to-one" && key == "port-assignment", "%s says nothing about %s", b.Name, key)
		}
		again, ok := Named(b.Name)
		require.True(t, ok)
		require.Equal(t, b.Values, again.Values)
	}
	_, ok := Named("netfilter")
	require.False(t, ok, "a base is no box")
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(Names()))), len(Names()))
}

// Every key acts: set to something else than a box has, it changes the configuration.
func TestKeysAct(t *testing.T) {
	for _, k := range Keys() {
		require.NotEmpty(t, k.Meaning)
		var values []any
		for _, w := range k.Words {
			values = append(values, any(w))
		}
		if k.Name == "faults" {
			values = nil
			for _, w := range k.Words {
				values = append(values, []any{w})
			}
		}
		if len(values) == 0 {
			values = []any{true, 7, "7s", []any{7}}
		}
		var seen []nat.Config
		for _, v := range values {
			var c nat.Config
			if err := k.Set(&c, v); err == nil && !slices.ContainsFunc(seen, func(d nat.Config) bool { return same(c, d) }) {
				seen = append(seen, c)
			}
		}
		switch {
		case len(k.Words) > 0:
			require.Len(t, seen, len(k.Words), "%s: two words mean the same", k.Name)
		default:
			require.NotEmpty(t, seen, k.Name)
			require.False(t, same(seen[0], nat.Config{}), "%s does nothing", k.Name)
		}
	}
}

func same(a, b nat.Config) bool { return reflect.DeepEqual(a, b) }

// What the sources say about boxes that are told apart by it.
func TestKnownBoxes(t *testing.T) {
	of := func(name string) nat.Config {
		b, ok := Named(name)
		require.True(t, ok, name)
		return Config(b)
	}
	require.Equal(t, nat.Behaviour{Mapping: nat.EndpointIndependent, Filtering: nat.AddressDependent}, of("restricted-cone").UDP)
	require.Equal(t, nat.Behaviour{Mapping: nat.AddressAndPortDependent, Filtering: nat.AddressAndPortDependent}, of("symmetric").UDP)
	linux := of("linux-masquerade")
	require.Equal(t, nat.Ports{Assignment: nat.Preserve, Collision: nat.Share, Range: nat.WellKnownHalves}, linux.Ports)
	require.Equal(t, nat.OneClient, linux.ESP.Mode)
	require.Equal(t, nat.Portless{Mode: nat.BySPI, Serial: true}, of("cisco-passthrough").ESP)
	require.Equal(t, nat.IKECookies, of("spi-passthrough").IKE)
	require.Equal(t, 512, of("carrier").Blocks.Size)
	unsure, _ := Named("windows-ics")
	require.Contains(t, sourced.Unsure(unsure.Values), "udp-timeout")
	require.Empty(t, func() (keys []string) {
		for _, v := range all(t, "linux-masquerade") {
			if v.Status == sourced.Choice {
				keys = append(keys, v.Key)
			}
		}
		return keys
	}(), "it was measured")
}

func all(t *testing.T, name string) []sourced.Value {
	b, ok := Named(name)
	require.True(t, ok)
	return b.Values
}

// Slips in the data file, each planted, so that they are seen to be found.
func TestSlips(t *testing.T) {
	for text, want := range map[string]string{
		`boxes: {a: {title: A, values: {udp-mapping: {value: cone, source: s, status: fact}}}}`:   "want one of endpoint-independent",
		`boxes: {a: {title: A, values: {first-port: {value: 70000, source: s, status: fact}}}}`:   "want a port from 1 to 65535",
		`boxes: {a: {title: A, values: {reserved-ports: {value: [0], source: s, status: fact}}}}`: "want a port from 1 to 65535",
		`boxes: {a: {title: A, values: {reserved-ports: {value: 7, source: s, status: fact}}}}`:   "want a list",
		`boxes: {a: {title: A, values: {faults: {value: [bad], source: s, status: fact}}}}`:       "want a list of no-udp-checksum",
		`boxes: {a: {title: A, values: {faults: {value: bad, source: s, status: fact}}}}`:         "want a list",
		`boxes: {a: {title: A, values: {udp-timeout: {value: 0s, source: s, status: fact}}}}`:     "want a time span",
		`boxes: {a: {title: A, values: {nothing: {value: 1, source: s, status: fact}}}}`:          "nothing is called nothing",
	} {
		_, err := parse([]byte(text))
		require.ErrorContains(t, err, want)
	}
}
