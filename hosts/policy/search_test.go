package policy

import (
	"flag"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	driver "github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/classifier"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// More policies: go test ./hosts/policy -run PolicySearch -policies 1000000.
var policies = flag.Int("policies", 10_000, "number of random policies that TestPolicySearch compiles")

// TestPolicySearch compiles 10,000 random policies and has the data plane judge packets
// by them: action and rule are those that a naive judge takes from the policy as it is
// written. A fragment that is dropped is of no datagram that would have passed.
func TestPolicySearch(t *testing.T) {
	checks(t, *policies)
	var long, flows, decided, six, fragments int
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicyOf(t, rapid.SampledFrom([]int{1, 3, 6, 9}), rapid.SampledFrom([]int{1, 4, 8}))
		local := rapid.SampledFrom(addresses).Draw(t, "addresses")
		o := Options{
			Exempt:      drawExempt(t),
			Ties:        rapid.Permutation([]Kind{Block, Permit, Negotiate}).Draw(t, "ties"),
			Specificity: Specificity{rapid.Bool().Draw(t, "wider end first"), rapid.Bool().Draw(t, "me counts as any")},
		}
		if local[0].Is4() {
			o.Broadcasts = []netip.Addr{addr("10.0.0.255")}
		}
		c, err := Compile(p, local, o)
		require.NoError(t, err)
		if len(c.Outbound) > 16 {
			long++
		}
		for _, d := range []ipsec.Direction{out, in} {
			entries := c.entries(d)
			judge := boundary(t, entries)
			// The data plane walks policies of few entries a shape: here all are searched.
			search := classifier.New(len(entries), func(i int) *ipsec.Selector { return &entries[i].Selector })
			for range 4 {
				f := drawFlow(t, local, d)
				action, rule := naive(p, local, o, d, f)
				flows++
				if f.Src.Is6() {
					six++
				}
				if action != actionNoMatch {
					decided++
				}
				if !f.Fragment {
					found := ""
					if i := search.First(&f); i >= 0 {
						found = entries[i].Rule
					}
					if found != rule {
						t.Fatalf("%s %s: the search finds %q, not %q\n%v", d, f, found, rule, c.Specific())
					}
					if got := judge(f); got.Action != action || got.Rule != rule {
						t.Fatalf("%s %s: %s by %q, not %s by %q\n%v", d, f, got.Action, got.Rule, action, rule, c.Specific())
					}
					continue
				}
				fragments++
				if judge(f).Outcome == driver.Passed {
					continue
				}
				for _, whole := range datagrams(f) {
					if action, rule := naive(p, local, o, d, whole); action != "block" && action != "negotiate" {
						t.Fatalf("%s %s: %s by %q, but its fragments are dropped\n%v", d, whole, action, rule, c.Specific())
					}
				}
			}
		}
	})
	require.Greater(t, long, *policies/5, "policies too long to be walked for their length alone")
	require.Greater(t, decided, flows/2)
	require.Greater(t, six, flows/10)
	t.Logf("%d policies, %d of them long; %d packets, %d decided by a filter or exemption, %d of IPv6, %d fragments",
		*policies, long, flows, decided, six, fragments)
}

// checks has rapid.Check draw n times in this test.
func checks(t *testing.T, n int) {
	rapids := flag.Lookup("rapid.checks")
	old := rapids.Value.String()
	require.NoError(t, rapids.Value.Set(strconv.Itoa(n)))
	t.Cleanup(func() { require.NoError(t, rapids.Value.Set(old)) })
}

// boundary judges packets by the SPD of one direction, as the data plane does. It is
// asked as about packets that arrive in the clear, which a search of either list is for.
func boundary(t require.TestingT, entries []ipsec.Policy) func(ipsec.Flow) driver.Decision {
	n, err := driver.New(driver.Config{Rand: zeros{}})
	require.NoError(t, err)
	n.SetPolicy(nil, entries)
	return func(f ipsec.Flow) driver.Decision { return n.InboundClear(time.Unix(0, 0), f) }
}

// zeros is a source of randomness for what needs none.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// datagrams are those of which a fragment may be, with the ports of the policies here and another.
func datagrams(f ipsec.Flow) (all []ipsec.Flow) {
	f.Fragment = false
	if !ipsec.HasPorts(f.Proto) {
		return []ipsec.Flow{f}
	}
	for _, f.SrcPort = range []uint16{80, 88, 500, 1433, 2000, 4500} {
		for _, f.DstPort = range []uint16{80, 88, 500, 1433, 2000, 4500} {
			all = append(all, f)
		}
	}
	return all
}

// An index gives the filter that a walk of the policy gives, tunnels, dynamic filters
// and a persistent policy included.
func TestIndexEqualsWalk(t *testing.T) {
	checks(t, *policies/10)
	var asked, main, quick int
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.SampledFrom(addresses).Draw(t, "addresses")
		draw := func(name string) *Policy {
			p := drawPolicyOf(t, rapid.SampledFrom([]int{1, 3, 6}), rapid.SampledFrom([]int{1, 4, 8}))
			p.Name = name
			far := worlds[local[0].Is6()].far
			for i := range p.Rules {
				r := &p.Rules[i]
				if r.Auth = nil; r.Action.Kind == Negotiate {
					r.Auth = []AuthMethod{{PreSharedKey: "key of " + name + "/" + r.Name}}
					r.Tunnel = rapid.SampledFrom(append([]netip.Addr{{}, {}, local[0]}, far...)).Draw(t, "tunnel")
				}
			}
			return p
		}
		p, persistent := draw("p"), (*Policy)(nil)
		p.DefaultResponse = &DefaultResponse{Auth: []AuthMethod{{PreSharedKey: "a key"}}}
		if rapid.Bool().Draw(t, "beside a persistent one") {
			persistent = draw("persistent")
		}
		o := Options{Persistent: rapid.SampledFrom([]Precedence{PersistentSpecific, PersistentFirst, PersistentLast}).Draw(t, "precedence")}
		walk, err := CompileBoth(persistent, p, local, o)
		require.NoError(t, err)
		walk.index = nil
		index := *walk
		index.index = walk.newIndex()
		for range 5 {
			d := rapid.SampledFrom([]ipsec.Direction{out, in}).Draw(t, "direction")
			f := drawFlow(t, local, d)
			there := drawFlow(t, local, out)
			require.Same(t, walk.negotiating(there.Src, there.Dst), index.negotiating(there.Src, there.Dst), "%v", there)
			a, b := walk.Entry(d, &f), index.Entry(d, &f)
			require.Equal(t, a, b, "%v", f)

			s := ipsec.Selector{Src: ipsec.Host(there.Src), Dst: ipsec.Host(there.Dst), Proto: there.Proto, SrcPort: there.SrcPort, DstPort: there.DstPort}
			if rapid.Bool().Draw(t, "a filter's selector") && len(walk.Outbound) > 0 {
				s = rapid.SampledFrom(walk.Outbound).Draw(t, "entry").Selector
			}
			dynamic := []Response{{Number: 1, Outbound: s}}[:rapid.IntRange(0, 1).Draw(t, "dynamic filters")]
			wq, wok := walk.WithResponse(dynamic).QuickMode(there.Dst, s)
			iq, iok := index.WithResponse(dynamic).QuickMode(there.Dst, s)
			require.Equal(t, wok, iok)
			require.Equal(t, wq, iq, "%v", s)
			asked++
			if walk.negotiating(there.Src, there.Dst) != nil {
				main++
			}
			if wq.PolicyID != 0 {
				quick++
			}
		}
	})
	require.Greater(t, main, asked/6)
	require.Greater(t, quick, asked/25)
	t.Logf("%d questions, %d main modes and %d quick modes of a filter", asked, main, quick)
}
