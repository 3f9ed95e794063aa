package hosts_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// moody is a source that fails and recovers at given times.
type moody struct {
	from, until time.Duration // when it cannot be asked
	policy      func(now time.Duration) *policy.Policy
	asked       []time.Duration
}

func (m *moody) String() string { return "moody" }

func (m *moody) Fetch(p *sim.Proc, _ *hosts.Host) (*policy.Policy, error) {
	now := p.Now()
	m.asked = append(m.asked, now)
	if now >= m.from && now < m.until {
		return nil, errors.New("no answer")
	}
	return m.policy(now), nil
}

// blocking is a policy of one rule.
func blocking(name string, polling time.Duration) *policy.Policy {
	return &policy.Policy{Name: name, Polling: polling, Rules: []policy.Rule{{
		Name: "all", Action: policy.FilterAction{Name: "block", Kind: policy.Block},
		Filters: policy.FilterList{Name: "icmp", Filters: []policy.Filter{{Source: policy.Me(), Destination: policy.Any(), Protocol: 1}}},
	}}}
}

// A source is asked at the start and at the interval of what it gave; when it fails,
// again after 1, 4, 9 and more minutes (MS-GPIPSEC, Section 3.2.6), while what it gave
// last holds.
func TestSource(t *testing.T) {
	s := &moody{from: 30 * time.Minute, until: 2 * time.Hour, policy: func(now time.Duration) *policy.Policy {
		switch {
		case now < time.Hour:
			return blocking("first", time.Hour)
		case now < 5*time.Hour:
			return blocking("second", time.Hour)
		}
		return nil
	}}
	w, err := sim.New(sim.Config{Name: t.Name(), Seed: 1, Trace: trace.New(nil)})
	require.NoError(t, err)
	lan, err := w.NewSegment("lan", sim.SegmentConfig{})
	require.NoError(t, err)
	h, err := hosts.New(w, hosts.Config{
		Name: "h", Interfaces: []hosts.Interface{{Segment: lan, Prefixes: []netip.Prefix{netip.PrefixFrom(aliceAddr, 24)}}}, Source: s, Policy: blocking("local", 0),
	})
	require.NoError(t, err)
	defer h.Close()
	name := func(at time.Duration) string {
		require.NoError(t, w.Run(t.Context(), at, nil))
		if p := h.Policy(); p != nil {
			return p.Name
		}
		return ""
	}
	require.Equal(t, "local", h.Policy().Name, "until the source has answered")
	require.Equal(t, "first", name(time.Second))
	require.Equal(t, "first", name(time.Hour+30*time.Minute), "the source fails")

	// The agent is restarted while the source cannot be asked: the cached policy holds.
	require.NoError(t, h.StopAgent())
	require.Nil(t, h.Policy())
	require.NoError(t, h.StartAgent())
	require.Equal(t, "first", name(90*time.Minute+1))
	require.Equal(t, "first", h.Store().Assigned(hosts.Cache).Name)
	require.Equal(t, "second", name(3*time.Hour), "it has recovered")
	require.Equal(t, "local", name(6*time.Hour), "it has none assigned any more")
	require.Nil(t, h.Store().Assigned(hosts.Cache))

	minutes := []int{}
	for _, at := range s.asked {
		minutes = append(minutes, int(at/time.Minute))
	}
	require.Equal(t, []int{0, 60, 61, 65, 74, 90, 90, 91, 95, 104, 120, 180, 240, 300}, minutes)
	require.NoError(t, w.Close())
}

func TestRetry(t *testing.T) {
	var minutes []int
	for n := range 15 {
		minutes = append(minutes, int(hosts.Retry(n)/time.Minute))
	}
	require.Equal(t, []int{1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144, 166, 166, 166}, minutes)
	require.Equal(t, 166*time.Minute, hosts.Retry(1<<40))
}
