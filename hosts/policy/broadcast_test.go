package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// RFC 919, Section 7: all ones in the part of the address that names the host.
func TestBroadcasts(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.1.2.3/24": "10.1.2.255", "10.1.2.3/22": "10.1.3.255", "10.1.2.3/9": "10.127.255.255", "10.1.2.1/30": "10.1.2.3",
		"10.1.2.2/31": "", "10.1.2.3/32": "", "2001:db8::1/64": "",
	} {
		var all []netip.Addr
		if want != "" {
			all = []netip.Addr{addr(want)}
		}
		require.Equal(t, all, Broadcasts(netip.MustParsePrefix(prefix)), prefix)
	}
}

// A filter for what is sent to all of a subnet decides about what arrives so,
// on hosts of that subnet.
func TestFilterOfASubnetBroadcast(t *testing.T) {
	p := policyOf(rule("all", Block, "udp any > 10.0.0.255:520 once"))
	f := flow("udp 10.0.0.2:520 > 10.0.0.255:520")
	for prefix, blocked := range map[string]bool{"10.0.0.1/24": true, "10.0.0.1/16": false} {
		own := netip.MustParsePrefix(prefix)
		c, err := Compile(p, []netip.Addr{own.Addr()}, Options{Broadcasts: Broadcasts(own)})
		require.NoError(t, err)
		matched := false
		for _, e := range c.Inbound {
			matched = matched || e.Selector.Matches(&f)
		}
		require.Equal(t, blocked, matched, prefix)
	}
}
