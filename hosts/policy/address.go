package policy

import (
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Address is one end of a filter: this host's own addresses, any address, a
// host, a subnet, what a DNS name stands for, or the servers that this host is told
// to use. The zero value is none of them and does not compile.
type Address struct {
	kind    addressKind
	prefix  netip.Prefix
	name    string
	servers ServerKind
}

type addressKind uint8

const (
	addressMe addressKind = iota + 1
	addressAny
	addressPrefix
	addressName
	addressServers
)

// ServerKind is a kind of server that a host is told to use, in its own settings or
// by DHCP. Filters of these kinds follow when the host is told of others (MS-GPIPSEC
// 2.2.1.5, special filters; Windows 2000 and XP do not have them, note 22).
type ServerKind uint8

// The four kinds of MS-GPIPSEC 2.2.1.5, by their numbers there.
const (
	DNSServers ServerKind = iota + 1
	WINSServers
	DHCPServers
	DefaultGateways
)

// ServerKinds are all of them.
var ServerKinds = []ServerKind{DNSServers, WINSServers, DHCPServers, DefaultGateways}

// String is the word that netsh uses: dns, wins, dhcp or gateway.
func (k ServerKind) String() string {
	switch k {
	case DNSServers:
		return "dns"
	case WINSServers:
		return "wins"
	case DHCPServers:
		return "dhcp"
	case DefaultGateways:
		return "gateway"
	}
	return fmt.Sprintf("servers(%d)", uint8(k))
}

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

// DNSName is the addresses that a name has when the filter is made: later changes of
// the name do not reach it (TechNet cc756984).
func DNSName(name string) Address { return Address{kind: addressName, name: name} }

// Servers are the servers of a kind that this host is told to use, as they are at the
// time.
func Servers(k ServerKind) Address { return Address{kind: addressServers, servers: k} }

// Name is what DNSName was given; "" for the others.
func (a Address) Name() string { return a.name }

// ServerKind is what Servers was given; 0 for the others.
func (a Address) ServerKind() ServerKind { return a.servers }

// IsMe reports whether the address stands for those of the host.
func (a Address) IsMe() bool { return a.kind == addressMe }

// IsAny reports whether the address is any.
func (a Address) IsAny() bool { return a.kind == addressAny }

// is4 and is6 report whether the address names one of its family.
func (a Address) is4() bool { return a.kind == addressPrefix && a.prefix.Addr().Is4() }
func (a Address) is6() bool { return a.kind == addressPrefix && a.prefix.Addr().Is6() }

// Prefix is what Host and Subnet were given; the zero Prefix for the others.
func (a Address) Prefix() netip.Prefix { return a.prefix }

// String is me, any, an address, a prefix, a name, or the netsh word of a kind of servers.
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
	case a.kind == addressName:
		return a.name
	case a.kind == addressServers:
		return a.servers.String()
	}
	return "no address"
}

// expand lists the prefixes that the address stands for on a host; the zero Prefix is any.
func (a Address) expand(local []netip.Addr, o *Options) []netip.Prefix {
	switch a.kind {
	case addressMe:
		return hostPrefixes(local)
	case addressAny:
		return []netip.Prefix{{}}
	case addressName:
		if o.Resolve != nil {
			return hostPrefixes(o.Resolve(a.name))
		}
		return nil
	case addressServers:
		if o.Servers != nil {
			return hostPrefixes(o.Servers(a.servers))
		}
		return nil
	}
	return []netip.Prefix{a.prefix}
}

func hostPrefixes(addrs []netip.Addr) []netip.Prefix {
	all := make([]netip.Prefix, len(addrs))
	for i, a := range addrs {
		all[i] = ipsec.Host(a)
	}
	return all
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
