package spec

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDHCPService(t *testing.T) {
	require.Equal(t, 8*24*time.Hour, DHCPService{}.LeaseTime())
	require.Equal(t, time.Hour, DHCPService{Lease: Duration(time.Hour)}.LeaseTime())
	for text, want := range map[string]bool{
		"10.0.0.1-10.0.0.9": true, "10.0.0.1 - 10.0.0.1": true, "10.0.0.9-10.0.0.1": false, "10.0.0.1": false, "": false,
		"2001:db8::1-2001:db8::9": false, "10.0.0.1-2001:db8::9": false,
	} {
		_, _, ok := DHCPService{Range: text}.Bounds()
		require.Equal(t, want, ok, text)
	}
	n := Node{Interfaces: []Interface{{Address: "10.9.0.1/24"}, {Address: "10.0.0.1/24"}}}
	p, ok := n.DHCPPrefix(DHCPService{Range: "10.0.0.5-10.0.0.9"})
	require.True(t, ok)
	require.Equal(t, netip.MustParsePrefix("10.0.0.1/24"), p)
	_, ok = n.DHCPPrefix(DHCPService{Range: "10.0.0.5-10.0.1.9"})
	require.False(t, ok)
}

// The words for an address that is not the file's, and what a step means by them.
func TestUnnumbered(t *testing.T) {
	require.True(t, Interface{Address: AddressDHCP}.Unnumbered())
	require.True(t, Interface{Address: AddressNone}.Unnumbered())
	require.False(t, Interface{Address: AddressNone}.DHCP())
	require.Empty(t, Interface{Address: AddressDHCP}.Prefixes())
	require.Empty(t, SetAddress{Address: AddressNone}.Prefixes())
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}, SetAddress{Address: "10.0.0.1/24"}.Prefixes())
	s := &Scenario{Nodes: map[string]Node{"a": {Interfaces: []Interface{{Segment: "lan"}}}}}
	require.Equal(t, "lan", s.InterfaceSegment("a", ""))
	require.Equal(t, "wan", s.InterfaceSegment("a", "wan"))
}

func TestDNSNames(t *testing.T) {
	for name, want := range map[string]bool{
		"print.example": true, "a.b.c": true, "x-1.example": true, "print": false, "": false, "a..b": false, ".a": false, "-a.b": false, "10.0.0.1": false, "a.b-": false,
	} {
		require.Equal(t, want, dnsName(name), name)
	}
	s := &Scenario{
		Names: map[string][]string{"a.example": {"10.0.0.1", "b", "nobody"}},
		Nodes: map[string]Node{"b": {Interfaces: []Interface{{Segment: "lan", Address: "10.0.0.2/24"}}}},
		Steps: []Step{{SetName: &SetName{Name: "later.example"}}},
	}
	require.Equal(t, map[string][]netip.Addr{"a.example": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}}, s.NameTable())
	for word, want := range map[string]Address{
		"dns:a.example": {Name: "a.example"}, "dns:later.example": {Name: "later.example"}, "wins-servers": {Servers: ServersWINS},
	} {
		got, err := s.FilterAddress(word)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := s.FilterAddress("dns:never.example")
	require.ErrorContains(t, err, `no DNS name is called "never.example"`)
}
