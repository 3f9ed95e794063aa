package swan

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

func built(t *testing.T, rules ...policy.Rule) *peerconf.Config {
	c, err := peerconf.Build(peerconf.Host{Policy: &policy.Policy{Name: "lab", Rules: rules}, Addresses: []netip.Addr{sample.Own}})
	require.NoError(t, err)
	return c
}

func blocks(name string, f policy.Filter) policy.Rule {
	return policy.Rule{Name: name, Filters: policy.FilterList{Name: name, Filters: []policy.Filter{f}}, Action: policy.FilterAction{Name: name, Kind: policy.Block}}
}

// Orders that the kernel would turn round are refused.
func TestOrders(t *testing.T) {
	me, peer := policy.Me(), policy.Host(sample.Peer)
	protect := func(name string, src, dst policy.Address, proto uint8, port uint16, method string) policy.Rule {
		return sample.Rule(name, []policy.Filter{sample.Mirrored(src, dst, proto, 0, port)}, method)
	}
	subnet, half := policy.Subnet(netip.MustParsePrefix("10.0.0.0/24")), policy.Subnet(netip.MustParsePrefix("10.0.0.0/25"))
	for _, c := range []struct {
		name, want string
		rules      []policy.Rule
	}{
		{"a host before its subnet", "", []policy.Rule{protect("server", me, peer, 0, 0, "AH[SHA1]"), protect("subnet", me, subnet, 0, 0, "ESP[3DES,SHA1]")}},
		// The policy compares the narrower ends first: /32 before /25; charon adds both ends up: 25 and 24 are more than 32.
		{"a host to any before two subnets", "unsupported: rule one goes before rule two: charon orders what it protects by the sizes of selectors, and would put them the other way round",
			[]policy.Rule{protect("one", policy.Host(sample.Own), policy.Any(), 0, 0, "AH[SHA1]"), protect("two", half, subnet, 0, 0, "ESP[3DES,SHA1]")}},
		{"the same protection in both", "", []policy.Rule{protect("one", policy.Host(sample.Own), policy.Any(), 0, 0, "AH[SHA1]"), protect("two", half, subnet, 0, 0, "AH[SHA1]")}},
		{"a block between a port and a host", "", []policy.Rule{
			protect("web", me, peer, ipsec.ProtoTCP, 80, "ESP[3DES,SHA1]"), blocks("tcp", sample.Mirrored(me, peer, ipsec.ProtoTCP, 0, 0)), protect("server", me, peer, 0, 0, "AH[SHA1]"),
		}},
		// Under the rule for everything SAs between two hosts come up, for which the kernel has a lower number than for the trap of a subnet.
		{"a block between a subnet and everything", "unsupported: the place of rule block among those that protect: no priority of the kernel's policies is behind those before it and before those behind it", []policy.Rule{
			protect("web", me, half, ipsec.ProtoTCP, 80, "ESP[3DES,SHA1]"), blocks("block", sample.Mirrored(me, subnet, 0, 0, 0)), protect("everything", me, policy.Any(), 0, 0, "AH[SHA1]"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Build(built(t, c.rules...), Native)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}

func TestIntersect(t *testing.T) {
	p := netip.MustParsePrefix
	a := ipsec.Selector{Src: p("10.0.0.0/8"), Dst: p("10.1.0.1/32"), Proto: 6}
	b := ipsec.Selector{Src: p("10.2.0.0/16"), Dst: p("0.0.0.0/0"), DstPort: 80}
	both, ok := intersect(a, b)
	require.True(t, ok)
	require.Equal(t, ipsec.Selector{Src: p("10.2.0.0/16"), Dst: p("10.1.0.1/32"), Proto: 6, DstPort: 80}, both)
	for _, other := range []ipsec.Selector{{Src: p("11.0.0.0/8")}, {Dst: p("::/0")}, {Proto: 17}} {
		require.False(t, overlap(a, other))
	}
}

var kernelPolicy = regexp.MustCompile(`src (\S+) dst (\S+) ?(?:proto (\w+) ?)?(?:sport (\d+) ?)?(?:dport (\d+) ?)?\s+dir out (?:action block )?priority (\d+)`)

// The kernel says which priorities kernel-netlink gave: what priority reckons, and the numbers of the shunts.
func TestKernelPriorities(t *testing.T) {
	d := charon(t, "strongswan-5.9", Native, "10.0.0.1/24", "10.1.0.1/24")
	for _, name := range []string{"ports", "any-to-any", "psk-esp-tunnel", "permit-block", "block-behind", "subnet-and-host"} {
		t.Run(name, func(t *testing.T) {
			var config *peerconf.Config
			for _, c := range sample.Cases() {
				if c.Name == name {
					var err error
					config, err = peerconf.Build(c.Host)
					require.NoError(t, err)
				}
			}
			conf, err := Build(config, Native)
			require.NoError(t, err)
			require.NoError(t, d.Load(context.Background(), conf))
			table, err := d.jail.Network("ip", "xfrm", "policy")
			require.NoError(t, err)
			got := map[string]bool{}
			for _, m := range kernelPolicy.FindAllStringSubmatch(table, -1) {
				got[fmt.Sprintf("%s %s %s %s %s: %s", m[1], m[2], m[3], m[4], m[5], m[6])] = true
			}
			children, shunts := inOrder(config)
			numbers, err := priorities(config, Native)
			require.NoError(t, err)
			want := map[string]bool{}
			add := func(s ipsec.Selector, number uint32) {
				proto := ""
				if s.Proto != 0 {
					proto = ipsec.ProtoName(s.Proto)
				}
				port := func(n uint16) string {
					if n == 0 {
						return ""
					}
					return fmt.Sprint(n)
				}
				want[fmt.Sprintf("%s %s %s %s %s: %d", s.Src, s.Dst, proto, port(s.SrcPort), port(s.DstPort), number)] = true
			}
			for _, c := range children {
				add(c.selector, priority(c.selector))
			}
			for _, s := range shunts {
				add(s.selector, numbers[s.name])
			}
			require.Equal(t, want, got, table)
		})
	}
}
