package scenarios

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/discovery"
	"github.com/ipseclab/ipseclab/natbox/boxes"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Scenario files have the words of package discovery, which they cannot import.
func TestDiscoveryWords(t *testing.T) {
	require.Equal(t, discovery.TestNames(), spec.DiscoveryTests)
	require.Equal(t, discovery.Keys(), spec.DiscoveryKeys)
	own := []string{
		discovery.KeyNAT, discovery.KeyALG, discovery.KeyOneToOne, discovery.KeyOutside, discovery.KeySimultaneous, discovery.KeyPublished, discovery.KeyAtOnce,
	}
	for _, key := range discovery.Keys() {
		_, setting := boxes.KeyOf(key)
		require.NotEqual(t, setting, slices.Contains(own, key), "%s is a setting of NAT boxes, or one of the discovery's own", key)
	}
	for _, b := range namedBoxes([]netip.Addr{netip.MustParseAddr("192.168.1.2")}) {
		for key := range b.Expect {
			require.Contains(t, discovery.Keys(), key, b.Name)
		}
	}
}

// A discovery tells any two boxes that have names apart, by one key at least.
func TestNamedBoxesAreApart(t *testing.T) {
	all := namedBoxes([]netip.Addr{netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("192.168.1.3")})
	for i, a := range all {
		for _, b := range all[:i] {
			require.NotEmpty(t, discovery.Apart(a, b), "%s and %s", a.Name, b.Name)
		}
	}
}

func TestFindingMeetsExpectation(t *testing.T) {
	timed := func(from, to time.Duration) discovery.Finding { return discovery.Finding{Key: "udp-timeout", Min: from, Max: to} }
	for _, c := range []struct {
		found discovery.Finding
		want  spec.Word
		meets bool
	}{
		{timed(29*time.Second, 30*time.Second), "30s", true},
		{timed(29*time.Second, 30*time.Second), "31s", true}, // as exact as the network is quick
		{timed(29*time.Second, 30*time.Second), "33s", false},
		{timed(29*time.Second, 30*time.Second), "20s..40s", true},
		{timed(29*time.Second, 30*time.Second), "30s..60s", true},
		{timed(29*time.Second, 30*time.Second), "31s..60s", false},
		{timed(29*time.Second, 30*time.Second), ">= 40s", false},
		{timed(29*time.Second, 30*time.Second), "endless", false},
		{timed(time.Hour, 0), "endless", true},
		{timed(time.Hour, 0), ">= 1h", true},
		{timed(time.Hour, 0), "30s..1h", false},
		{discovery.Finding{Key: "udp-timeout", Unknown: "because"}, ">= 1s", false},
		{discovery.Finding{Key: "esp", Word: "drop"}, "drop", true},
		{discovery.Finding{Key: "esp", Word: "drop"}, "by-spi", false},
		{discovery.Finding{Key: "esp", Unknown: "because"}, "drop", false},
	} {
		require.Equal(t, c.meets, meets(c.found, c.found.Key, c.want), "%s, want %s", c.found.Value(), c.want)
	}
}
