package lint

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// long is a policy of n filters for n hosts, every other one permitted, on a host with two addresses.
func long(t require.TestingT, n int) *Input {
	permit, negotiate := secure(t, "permit", nil), secure(t, "secure", []policy.AuthMethod{{PreSharedKey: "Kd7vQ2mXz9wLpT4rBn8sHy3cF"}})
	permit.Action = policy.FilterAction{Name: "permit", Kind: policy.Permit}
	for i := range n {
		r := &permit
		if i%2 == 0 {
			r = &negotiate
		}
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		r.Filters.Filters = append(r.Filters.Filters, policy.Filter{Source: policy.Me(), Destination: policy.Host(a), Mirrored: true})
	}
	host := Host{Name: "h", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.10")}, Policy: "p", Policies: []string{"p"}}
	return &Input{Policies: []Policy{{Policy: &policy.Policy{Name: "p", Rules: []policy.Rule{negotiate, permit}}, Assigned: true}}, Hosts: []Host{host}}
}

func BenchmarkLint(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := long(b, n)
			for b.Loop() {
				Lint(in)
			}
		})
	}
}
