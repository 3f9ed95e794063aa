package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Lease is what a client was given.
type Lease struct {
	Address netip.Prefix // with the length of its subnet
	Server  netip.Addr   // server identifier
	Routers []netip.Addr
	DNS     []netip.Addr
	WINS    []netip.Addr // NetBIOS name servers, option 44

	// Renew and Rebind are T1 and T2, Expires is the end of the lease; all after it was
	// asked for. Endless leases have none of them.
	Renew, Rebind, Expires time.Duration
	Endless                bool
}

// leaseOf reads what an OFFER or an ACK gives. The subnet mask, which RFC 2131 does not
// demand, must be there: a choice of the lab.
func leaseOf(m *dhcpv4.DHCPv4) (l Lease, err error) {
	a := addrOf(m.YourIPAddr)
	bits, masked := maskBits(m)
	l.Server = addr(m, dhcpv4.OptionServerIdentifier)
	total, endless, timed := span(m, dhcpv4.OptionIPAddressLeaseTime)
	switch {
	case !unicast(a):
		return l, fmt.Errorf("dhcp: %s is no address for a host", a)
	case !masked:
		return l, fmt.Errorf("dhcp: there is no subnet mask")
	case !l.Server.IsValid():
		return l, fmt.Errorf("dhcp: there is no server identifier")
	case !timed || total == 0:
		return l, fmt.Errorf("dhcp: there is no lease time")
	}
	l.Address = netip.PrefixFrom(a, bits)
	l.Routers, l.DNS = addrs(m, dhcpv4.OptionRouter), addrs(m, dhcpv4.OptionDomainNameServer)
	l.WINS = addrs(m, dhcpv4.OptionNetBIOSOverTCPIPNameServer)
	if l.Endless = endless; endless {
		return l, nil
	}
	// RFC 2131, Section 4.4.5: half and seven eighths of the lease, unless the server says otherwise.
	l.Renew, l.Rebind, l.Expires = total/2, total*7/8, total
	t1, _, one := span(m, dhcpv4.OptionRenewTimeValue)
	t2, _, two := span(m, dhcpv4.OptionRebindingTimeValue)
	if one && two && 0 < t1 && t1 < t2 && t2 < total {
		l.Renew, l.Rebind = t1, t2
	}
	return l, nil
}

// Same reports whether the host has to change nothing for the other lease: only times differ.
func (l Lease) Same(o Lease) bool {
	return l.Address == o.Address && l.Server == o.Server && slices.Equal(l.Routers, o.Routers) &&
		slices.Equal(l.DNS, o.DNS) && slices.Equal(l.WINS, o.WINS)
}

func (l Lease) String() string {
	if l.Endless {
		return fmt.Sprintf("%s from %s for ever", l.Address, l.Server)
	}
	return fmt.Sprintf("%s from %s for %s", l.Address, l.Server, l.Expires)
}
