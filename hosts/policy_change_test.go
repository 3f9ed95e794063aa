package hosts_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// soon runs f on a host as a coroutine of its own that starts at the present time.
func (b *bench) soon(h *hosts.Host, f func(p *sim.Proc)) { b.world.Go(h, "soon", f) }

// What policy let pass waits for the address of its next hop, and meanwhile the
// policy changes: it does not leave against the new one.
func TestDatagramsThatWaitForARPObeyTheNewPolicy(t *testing.T) {
	require80 := require3DES(bobAddr, "secret")
	require80.Rules[0].Filters.Filters[0].Protocol = ipsec.ProtoUDP
	require80.Rules[0].Filters.Filters[0].DestinationPort = 80
	block := &policy.Policy{Name: "block", Rules: []policy.Rule{{
		Name:    "bob",
		Filters: policy.FilterList{Name: "bob", Filters: []policy.Filter{{Source: policy.Me(), Destination: policy.Host(bobAddr), Mirrored: true}}},
		Action:  policy.FilterAction{Name: "block", Kind: policy.Block},
	}}}
	for name, tc := range map[string]struct {
		next *policy.Policy
		port uint16
		size int
		left int // clear UDP frames, IKE aside
	}{
		"protected now":             {require3DES(bobAddr, "secret"), 7, 100, 0},
		"blocked now":               {block, 7, 100, 0},
		"fragments, protected now":  {require3DES(bobAddr, "secret"), 7, 4000, 0},
		"still permitted":           {nil, 7, 100, 1},
		"another port is protected": {require80, 7, 100, 1},
		"its port is protected":     {require80, 80, 100, 0},
		"two fragments":             {require80, 7, 2000, 1}, // the second hides its ports
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil, nil, hosts.Faults{})
			b.on(b.alice, func(p *sim.Proc) {
				b.soon(b.alice, func(p *sim.Proc) {
					b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, tc.port), Count: 1, Size: tc.size, Timeout: time.Second})
				})
				p.Sleep(time.Millisecond) // ARP takes two
				require.NoError(t, b.alice.AssignPolicy(tc.next))
				p.Sleep(5 * time.Second)
			})
			left := 0
			for _, f := range b.frames {
				if len(f) > 34 && f[12] == 8 && f[13] == 0 && f[23] == ipsec.ProtoUDP && f[29] == 1 {
					left++
				}
			}
			require.Equal(t, tc.left, left)
		})
	}
}

// A datagram is held, and before IKE has heard of it the policy is gone: nothing
// is negotiated for a policy that is no longer there.
func TestNothingIsNegotiatedForAFormerPolicy(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		b.soon(b.alice, func(p *sim.Proc) {
			b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: time.Second})
		})
		b.soon(b.alice, func(*sim.Proc) { require.NoError(t, b.alice.AssignPolicy(nil)) })
		p.Sleep(5 * time.Second)
	})
	require.Empty(t, b.protocols())
	require.Empty(t, b.alice.SAs())
	require.Equal(t, uint64(1), b.alice.Counters().HeldDiscarded)

	require.NoError(t, b.alice.AssignPolicy(require3DES(bobAddr, "secret")))
	b.on(b.alice, func(p *sim.Proc) {
		r := b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: time.Second})
		require.Equal(t, "ok", r.Result(), "the same policy, assigned again, negotiates anew")
	})
}

// A host that cannot be built leaves nothing behind; TestMain looks.
func TestAHostThatCannotBeBuilt(t *testing.T) {
	w, err := sim.New(sim.Config{Trace: trace.New(nil)})
	require.NoError(t, err)
	s, err := w.NewSegment("lan", sim.SegmentConfig{})
	require.NoError(t, err)
	for name, c := range map[string]hosts.Config{
		"route": {Routes: []hosts.Route{{Via: netip.MustParseAddr("192.0.2.1")}}},
		"policy": {Policy: &policy.Policy{Name: "broken", Rules: []policy.Rule{{
			Filters: policy.FilterList{Filters: []policy.Filter{{}}},
		}}}},
	} {
		c.Name, c.Interfaces = name, []hosts.Interface{{Segment: s, Prefixes: []netip.Prefix{netip.PrefixFrom(aliceAddr, 24)}}}
		_, err := hosts.New(w, c)
		require.ErrorContains(t, err, "hosts: "+name)
	}
	require.NoError(t, w.Close())
}
