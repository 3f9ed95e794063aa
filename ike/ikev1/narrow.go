package ikev1

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// narrow makes the selector one that a peer can be asked for: in transport mode
// the two hosts themselves, in tunnel mode two prefixes.
func (q *quick) narrow() error {
	local, remote := q.sa.local.Addr(), q.sa.remote.Addr()
	transport := false
	for _, p := range q.policy.Proposals {
		transport = transport || p.Mode == ipsec.Transport
	}
	for _, side := range []struct {
		p, other *netip.Prefix
		addr     netip.Addr
	}{{&q.outbound.Src, &q.outbound.Dst, local}, {&q.outbound.Dst, &q.outbound.Src, remote}} {
		switch {
		case transport && (*side.p == netip.Prefix{} || side.p.Contains(side.addr)):
			*side.p = ipsec.Host(side.addr)
		case transport:
			return ike.Errorf(ike.CodeNoPolicy, 0, "transport mode between %v and %v cannot serve %v", local, remote, q.outbound)
		case *side.p != netip.Prefix{}:
		case side.other.IsValid():
			*side.p = allOf(side.other.Addr())
		default:
			*side.p = allOf(side.addr)
		}
	}
	return nil
}

// allOf is all of an address's family: identities have one, where a selector
// may leave it open.
func allOf(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
