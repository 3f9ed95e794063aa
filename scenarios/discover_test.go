package scenarios

import (
	"net/netip"
	"reflect"
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
		discovery.KeyNAT, discovery.KeyALG, discovery.KeyOneToOne, discovery.KeyOutside, discovery.KeySimultaneous, discovery.KeyPublished, discovery.KeyAtOnce, discovery.KeyBlocks,
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

// A discovery tells any two boxes that have names apart, by one key at least, but for those
// whose settings are the same.
func TestNamedBoxesAreApart(t *testing.T) {
	inside := []netip.Addr{netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("192.168.1.3")}
	for i := range boxes.All() {
		for k := range i {
			a, b := &boxes.All()[i], &boxes.All()[k]
			keys := discovery.Apart(discovery.NewBox(a.Name, boxes.Config(a), inside), discovery.NewBox(b.Name, boxes.Config(b), inside))
			if reflect.DeepEqual(boxes.Config(a), boxes.Config(b)) {
				require.Empty(t, keys, "%s and %s", a.Name, b.Name)
				continue
			}
			require.NotEmpty(t, keys, "%s and %s", a.Name, b.Name)
		}
	}
}

// The catalogue has a discovery behind each box that has a name.
func TestEachNamedBoxIsDiscovered(t *testing.T) {
	var cells []string
	for _, file := range []string{"nat_discovery", "nat_discovery_one_to_one"} {
		all, err := spec.ParseAllFS(Catalogue(), file+".yaml")
		require.NoError(t, err)
		for _, s := range all {
			cells = append(cells, s.Nodes["box"].NAT.Box)
		}
	}
	for _, name := range boxes.Names() {
		require.Contains(t, cells, name)
	}
}

func TestFindingMeetsExpectation(t *testing.T) {
	timed := func(from, to time.Duration) discovery.Finding {
		return discovery.Finding{Key: "udp-timeout", Min: from, Max: to}
	}
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

// A snapshot of the host shows what it has found out up to then, and the box at the end.
func TestShowDiscovery(t *testing.T) {
	s, err := spec.ParseAllFS(Catalogue(), "nat_discovery.yaml")
	require.NoError(t, err)
	i := slices.IndexFunc(s, func(s *spec.Scenario) bool { return s.Nodes["box"].NAT.Box == "symmetric" })
	values := func(at time.Duration) map[string]string {
		v, err := Show(t.Context(), s[i], Moment{Host: "alice", At: at})
		require.NoError(t, err)
		v, err = v.Only("discovery", "")
		require.NoError(t, err)
		require.Nil(t, v.Policy)
		found := map[string]string{}
		for _, l := range v.Discovery {
			found[l.Name] = l.Value
		}
		return found
	}
	early, late := values(time.Second), values(0)
	require.Equal(t, map[string]string{"nat": "yes", "rewrites-payload": "false", "udp-mapping": "address-and-port-dependent"}, early)
	require.Equal(t, "symmetric", late["box"])
	require.Len(t, late, len(spec.DiscoveryKeys)-3+1, "all but esp-keep, ah-keep and other-keep, and the box")
}
