package nat

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	send := func(b *bench, host, port int) bool {
		return b.out(fmt.Sprintf("udp 10.0.0.%d:%d > 198.51.100.1:7000", host, port)) == fmt.Sprintf("udp 203.0.113.1:%d > 198.51.100.1:7000", port)
	}
	ports := func(b *bench) (out []uint16) {
		for _, m := range b.nat.Mappings(b.now) {
			out = append(out, m.Outside.Port())
		}
		return out
	}
	for _, tc := range []struct {
		name string
		l    Limits
		last bool     // the last packet, that of port 4, goes on
		left []uint16 // mappings after ports 1, 2, 3, 1 again and 4
	}{
		{"refused", Limits{Mappings: 3}, false, []uint16{1, 2, 3}},
		{"the oldest goes", Limits{Mappings: 3, Eviction: EvictOldest}, true, []uint16{2, 3, 4}},
		{"the least recently used goes", Limits{Mappings: 3, Eviction: EvictLeast}, true, []uint16{1, 3, 4}},
		{"of a host: refused", Limits{MappingsPerHost: 3}, false, []uint16{1, 2, 3}},
		{"of a host: the oldest goes", Limits{MappingsPerHost: 3, Eviction: EvictOldest}, true, []uint16{2, 3, 4}},
		{"of a host: the least recently used goes", Limits{MappingsPerHost: 3, Eviction: EvictLeast}, true, []uint16{1, 3, 4}},
		{"sessions: refused", Limits{Sessions: 3}, false, []uint16{1, 2, 3}},
		{"sessions: the oldest mapping goes", Limits{Sessions: 3, Eviction: EvictOldest}, true, []uint16{2, 3, 4}},
		{"sessions of a host", Limits{SessionsPerHost: 3, Eviction: EvictLeast}, true, []uint16{1, 3, 4}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := Config{Limits: tc.l, ICMP: ICMP{Silent: true}}
			if tc.l.Sessions+tc.l.SessionsPerHost > 0 {
				c.UDP.Filtering = AddressDependent
			}
			b := newBench(t, c)
			for _, port := range []int{1, 2, 3, 1} {
				require.True(t, send(b, 1, port))
				b.wait(time.Second)
			}
			require.Equal(t, tc.last, send(b, 1, 4))
			require.Equal(t, tc.left, ports(b))
			require.Len(t, b.log, 1)
			counters := b.nat.Counters()
			require.Equal(t, uint64(1), counters.Evicted+counters.Refused)
			if l := tc.l; l.MappingsPerHost+l.SessionsPerHost > 0 {
				require.True(t, send(b, 2, 9), "another host has its own")
			}
			consistent(t, b.nat)
		})
	}
	t.Run("of one mapping", func(t *testing.T) {
		// A mapping does not make room for its own sessions.
		b := newBench(t, Config{UDP: Behaviour{Filtering: AddressDependent}, Limits: Limits{Sessions: 2, Eviction: EvictOldest}, ICMP: ICMP{Silent: true}})
		for i, want := range []string{"udp 203.0.113.1:1 > 198.51.100.1:7000", "udp 203.0.113.1:1 > 198.51.100.2:7000", "the table is full"} {
			require.Equal(t, want, b.out(fmt.Sprintf("udp 10.0.0.1:1 > 198.51.100.%d:7000", i+1)))
		}
	})
	t.Run("the only host makes room for itself", func(t *testing.T) {
		b := newBench(t, Config{Limits: Limits{Mappings: 1, Eviction: EvictOldest}})
		for i := range 10 {
			require.True(t, send(b, 1, i+1))
		}
		consistent(t, b.nat)
	})
}

// What an outsider sends makes no more state than the limits allow, whatever lets it in.
func TestOutsidersAreBounded(t *testing.T) {
	b := newBench(t, Config{Scope: PerSession, Limits: Limits{Sessions: 100}})
	b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000", connect)
	for i := range 1000 {
		b.in(fmt.Sprintf("udp 198.51.%d.%d:7000 > 203.0.113.1:4000", i/250, i%250+1))
		b.in(fmt.Sprintf("tcp 198.51.%d.%d:7000 > 203.0.113.1:4000 S", i/250, i%250+1))
		b.in(fmt.Sprintf("tcp 198.51.%d.%d:7000 > 203.0.113.1:4001 S", i/250, i%250+1))
	}
	require.Equal(t, 100, b.nat.sessions.live())
	consistent(t, b.nat)
}
