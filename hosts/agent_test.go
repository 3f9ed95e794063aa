package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// agentBench is a host with settings, and a peer that requires nothing.
type agentBench struct {
	world *sim.World
	log   *trace.Log
	host  *hosts.Host
	peer  *hosts.Host
}

func newAgentBench(t *testing.T, c hosts.Config) *agentBench {
	b := &agentBench{log: trace.New(nil)}
	var err error
	b.world, err = sim.New(sim.Config{Name: t.Name(), Seed: 1, Trace: b.log})
	require.NoError(t, err)
	lan, err := b.world.NewSegment("lan", sim.SegmentConfig{})
	require.NoError(t, err)
	on := func(a netip.Addr) []hosts.Interface {
		return []hosts.Interface{{Segment: lan, Prefixes: []netip.Prefix{netip.PrefixFrom(a, 24)}}}
	}
	c.Name, c.Interfaces = "host", on(aliceAddr)
	b.host, err = hosts.New(b.world, c)
	require.NoError(t, err)
	b.peer, err = hosts.New(b.world, hosts.Config{Name: "peer", Interfaces: on(bobAddr)})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.world.Close())
		b.host.Close()
		b.peer.Close()
	})
	return b
}

// passes reports whether a ping comes back.
func (b *agentBench) passes(t *testing.T, from *hosts.Host, to netip.Addr) bool {
	var r hosts.Report
	p := b.world.Go(from, "ping", func(p *sim.Proc) {
		r = from.Ping(p, hosts.Ping{To: to, Count: 1, Size: 32, Timeout: 500 * time.Millisecond})
	})
	require.NoError(t, b.world.Run(t.Context(), 0, p.Done))
	return r.Received == 1
}

func (b *agentBench) until(t *testing.T, at time.Duration) {
	require.NoError(t, b.world.Run(t.Context(), at, nil))
}

// modes are those of the driver, in their order.
func (b *agentBench) modes() (modes []string) {
	for _, e := range b.log.Events() {
		if m, ok := e.Body.(trace.DriverMode); ok {
			modes = append(modes, m.Mode)
		}
	}
	return modes
}

// The default startup mode is stateful if a policy is assigned, whatever its location, else
// permit (TechNet cc783039).
func TestDefaultStartupMode(t *testing.T) {
	boot := hosts.Boot{Delay: time.Second}
	for want, c := range map[string]hosts.Config{
		"boot: permit":   {Boot: boot},
		"boot: stateful": {Boot: boot, Policy: blocking("local", 0)},
		"boot: block":    {Boot: hosts.Boot{Delay: time.Second, Mode: esp.StartupBlock}},
	} {
		b := newAgentBench(t, c)
		require.Equal(t, []string{want}, b.modes())
		b.until(t, 2*time.Second)
		require.Equal(t, []string{want, "operational"}, b.modes())
	}
	b := newAgentBench(t, hosts.Config{Boot: boot, Persistent: blocking("persistent", 0)})
	require.Equal(t, []string{"boot: stateful"}, b.modes())
}

// An agent that starts later is not there before; one that is stopped in the gap does
// not start by itself, and one that is started in the gap does not start twice.
func TestAgentInTheGap(t *testing.T) {
	c := hosts.Config{Policy: blocking("local", 0), Boot: hosts.Boot{Delay: 10 * time.Second, Mode: esp.StartupPermit}}
	b := newAgentBench(t, c)
	require.True(t, b.passes(t, b.host, bobAddr))
	b.until(t, 11*time.Second)
	require.False(t, b.passes(t, b.host, bobAddr))

	b = newAgentBench(t, c)
	require.NoError(t, b.host.StopAgent())
	b.until(t, 20*time.Second)
	require.True(t, b.passes(t, b.host, bobAddr), "still in the gap")
	require.NoError(t, b.host.StartAgent())
	require.False(t, b.passes(t, b.host, bobAddr))

	b = newAgentBench(t, c)
	require.NoError(t, b.host.StartAgent())
	require.NoError(t, b.host.StartAgent(), "it runs")
	b.until(t, 20*time.Second)
	require.False(t, b.passes(t, b.host, bobAddr))
	require.Equal(t, []string{"boot: permit", "operational"}, b.modes())
}

// A host that is off has no agent to speak to.
func TestAgentOfAHostThatIsOff(t *testing.T) {
	b := newAgentBench(t, hosts.Config{})
	p := b.world.Go(nil, "power", func(p *sim.Proc) {
		b.world.Go(nil, "admin", func(p *sim.Proc) {
			p.Sleep(time.Second)
			require.ErrorIs(t, b.host.StartAgent(), hosts.ErrOff)
			require.ErrorIs(t, b.host.StopAgent(), hosts.ErrOff)
		})
		require.NoError(t, b.host.Restart(p, 5*time.Second, false))
	})
	require.NoError(t, b.world.Run(t.Context(), 0, p.Done))
}

// The store has several policies in each location, one of them assigned (C079), and
// whoever reads it has the preshared keys (C104).
func TestStore(t *testing.T) {
	b := newAgentBench(t, hosts.Config{Policy: require3DES(bobAddr, "readable by the Local System account")})
	s := b.host.Store()
	require.Equal(t, []string{"require"}, s.Names(hosts.Local))
	require.Equal(t, "readable by the Local System account", s.Assigned(hosts.Local).Rules[0].Auth[0].PreSharedKey)

	require.NoError(t, b.host.StorePolicy(hosts.Local, blocking("spare", 0)))
	require.NoError(t, b.host.StorePolicy(hosts.Persistent, blocking("lockdown", 0)))
	require.Equal(t, []string{"require", "spare"}, s.Names(hosts.Local))
	require.Equal(t, "require", s.Assigned(hosts.Local).Name)
	require.Nil(t, s.Assigned(hosts.Persistent))
	require.False(t, b.passes(t, b.peer, aliceAddr), "require drops what is clear: nothing stored is in force")

	require.NoError(t, b.host.AssignPolicy(blocking("spare", 0)))
	require.Equal(t, "spare", s.Assigned(hosts.Local).Name)
	require.NotNil(t, s.Policy(hosts.Local, "require"), "unassigned, and still there")
	require.NoError(t, b.host.AssignPolicy(nil))
	require.Nil(t, s.Assigned(hosts.Local))

	require.ErrorContains(t, b.host.StorePolicy(hosts.Cache, blocking("x", 0)), "nobody but the agent writes to cache")
	require.Error(t, b.host.StorePolicy(hosts.Local, &policy.Policy{}), "it does not compile")
	require.Equal(t, []string{"require", "spare"}, s.Names(hosts.Local))
}

// A change in the store is found at the polling interval in force, counted from the last
// reading, and only if it is one.
func TestPolling(t *testing.T) {
	b := newAgentBench(t, hosts.Config{Policy: blocking("p", 10*time.Minute)})
	assigned := func() (n int) {
		for _, e := range b.log.Events() {
			if _, ok := e.Body.(trace.PolicyAssigned); ok {
				n++
			}
		}
		return n
	}
	open := blocking("p", time.Minute)
	open.Rules[0].Action.Kind = policy.Permit
	b.until(t, 14*time.Minute)
	require.NoError(t, b.host.StorePolicy(hosts.Local, open))
	b.until(t, 20*time.Minute-1)
	require.Equal(t, policy.Block, b.host.Policy().Rules[0].Action.Kind)
	b.until(t, 20*time.Minute)
	require.Equal(t, policy.Permit, b.host.Policy().Rules[0].Action.Kind)
	require.Equal(t, 2, assigned())

	same := *open
	require.NoError(t, b.host.StorePolicy(hosts.Local, &same))
	require.NoError(t, b.host.StorePolicy(hosts.Local, blocking("other", 0)))
	b.until(t, time.Hour)
	require.Equal(t, 2, assigned(), "nothing has changed")

	// Whoever reads at once begins the interval anew.
	require.NoError(t, b.host.AssignPolicy(blocking("p", 10*time.Minute)))
	b.until(t, time.Hour+5*time.Minute)
	require.NoError(t, b.host.StorePolicy(hosts.Local, open))
	b.until(t, time.Hour+10*time.Minute)
	require.Equal(t, policy.Permit, b.host.Policy().Rules[0].Action.Kind)

	// A stopped agent does not poll.
	require.NoError(t, b.host.StopAgent())
	require.NoError(t, b.host.StorePolicy(hosts.Local, blocking("p", 0)))
	b.until(t, 3*time.Hour)
	require.Nil(t, b.host.Policy())
	require.NoError(t, b.host.StartAgent())
	require.Equal(t, policy.Block, b.host.Policy().Rules[0].Action.Kind)
}
