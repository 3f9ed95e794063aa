package policy

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Address is one end of a filter: this host's own addresses, any address, a
// host or a subnet. The zero value is none of them and does not compile.
type Address struct {
	kind   addressKind
	prefix netip.Prefix
}

type addressKind uint8

const (
	addressMe addressKind = iota + 1
	addressAny
	addressPrefix
)

// Me is "My IP address": each address of the host that has the policy. Where the
// other end of a filter is of one family, those of that family.
func Me() Address { return Address{kind: addressMe} }

// Any is any address of either family.
func Any() Address { return Address{kind: addressAny} }

// Host is one address.
func Host(a netip.Addr) Address {
	a = a.Unmap()
	return Address{kind: addressPrefix, prefix: ipsec.Host(a)}
}

// Subnet is all addresses of a prefix; bits of p beyond its length are ignored.
// A prefix of full length is the same as Host. One of length 0 is all of its
// family, where Any is all of both.
func Subnet(p netip.Prefix) Address {
	return Address{kind: addressPrefix, prefix: p.Masked()}
}

// IsMe reports whether the address stands for those of the host.
func (a Address) IsMe() bool { return a.kind == addressMe }

// IsAny reports whether the address is any.
func (a Address) IsAny() bool { return a.kind == addressAny }

// is4 and is6 report whether the address names one of its family.
func (a Address) is4() bool { return a.kind == addressPrefix && a.prefix.Addr().Is4() }
func (a Address) is6() bool { return a.kind == addressPrefix && a.prefix.Addr().Is6() }

// Prefix is what Host and Subnet were given; the zero Prefix for the others.
func (a Address) Prefix() netip.Prefix { return a.prefix }

// String is me, any, an address or a prefix.
func (a Address) String() string {
	switch {
	case a.kind == addressMe:
		return "me"
	case a.kind == addressAny:
		return "any"
	case a.kind == addressPrefix && a.prefix.IsSingleIP():
		return a.prefix.Addr().String()
	case a.kind == addressPrefix:
		return a.prefix.String()
	}
	return "no address"
}

// expand lists the prefixes that the address stands for on a host; the zero Prefix is any.
func (a Address) expand(local []netip.Addr) []netip.Prefix {
	switch a.kind {
	case addressMe:
		mine := make([]netip.Prefix, len(local))
		for i, l := range local {
			mine[i] = ipsec.Host(l)
		}
		return mine
	case addressAny:
		return []netip.Prefix{{}}
	}
	return []netip.Prefix{a.prefix}
}

// group reports whether a prefix holds addresses that many hosts receive:
// multicast (RFC 1112; RFC 4291, Section 2.7) and the limited broadcast (RFC 919).
func group(p netip.Prefix) bool {
	return p.IsValid() && (p.Overlaps(multicast4) || p.Overlaps(multicast6) || p.Contains(broadcast))
}

var (
	multicast4 = netip.MustParsePrefix("224.0.0.0/4")
	multicast6 = netip.MustParsePrefix("ff00::/8")
	broadcast  = netip.MustParseAddr("255.255.255.255")
)
