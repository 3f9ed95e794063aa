package spec

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// twins are two homes with one private network, each behind a box, one behind two.
func twins(t *testing.T) *Scenario {
	all, err := ParseAll("twins.yaml", []byte(`
title: twins
network:
  segments:
    attic: {subnet: 10.0.0.0/24}
    home1: {subnet: 192.168.1.0/24}
    home2: {subnet: 192.168.1.0/24}
    carrier: {subnet: 100.64.0.0/24}
    internet: {subnet: 203.0.113.0/24}
nodes:
  a: {interfaces: [{segment: home1, address: 192.168.1.2/24}], gateway: 192.168.1.1}
  u: {interfaces: [{segment: attic, address: 10.0.0.2/24}], gateway: 10.0.0.1}
  stairs: {type: router, interfaces: [{segment: attic, address: 10.0.0.1/24}, {segment: home1, address: 192.168.1.9/24}]}
  b: {interfaces: [{segment: home2, address: 192.168.1.2/24}], gateway: 192.168.1.1}
  s: {interfaces: [{segment: internet, address: 203.0.113.9/24}]}
  n1:
    type: router
    interfaces: [{segment: home1, address: 192.168.1.1/24}, {segment: internet, address: 203.0.113.1/24}]
    nat: {box: home-router, outside: internet, addresses: [203.0.113.1, 203.0.113.5]}
  n2:
    type: router
    interfaces: [{segment: home2, address: 192.168.1.1/24}, {segment: carrier, address: 100.64.0.2/24}]
    nat: {box: home-router, outside: carrier}
  n3:
    type: router
    interfaces: [{segment: carrier, address: 100.64.0.1/24}, {segment: internet, address: 203.0.113.3/24}]
    nat: {box: home-router, outside: internet}
steps:
  - udp: {from: a, to: s, port: 7}
`))
	require.NoError(t, err)
	return all[0]
}

func TestRealms(t *testing.T) {
	r := twins(t).Realms()
	require.Equal(t, r.Realm("attic"), r.Realm("home1"), "a router joins them")
	for _, other := range []string{"home2", "carrier", "internet"} {
		require.NotEqual(t, r.Realm("home1"), r.Realm(other))
	}
	for _, c := range []struct {
		from, to string
		boxes    int
		reaches  bool
	}{
		{"home1", "attic", 0, true}, {"attic", "internet", 1, true}, {"home2", "carrier", 1, true}, {"home2", "internet", 2, true},
		{"internet", "home1", 0, false}, {"home1", "home2", 0, false}, {"carrier", "home2", 0, false},
	} {
		n, ok := r.Distance([]string{c.from}, c.to)
		require.Equal(t, c.reaches, ok, "%s to %s", c.from, c.to)
		require.Equal(t, c.boxes, map[bool]int{true: n}[ok], "%s to %s", c.from, c.to)
	}
	boxes, ok := r.Way([]string{"home2"}, "internet")
	require.True(t, ok)
	require.Equal(t, []string{"n2", "n3"}, boxes)
	n, ok := built().Realms().Distance(nil, "anything")
	require.True(t, ok, "without a box there is one realm")
	require.Zero(t, n)
}

// An address means whom the sender reaches by it.
func TestAddressesInRealms(t *testing.T) {
	s := twins(t)
	for _, c := range []struct{ from, addr, want string }{
		{"a", "192.168.1.1", "n1"}, {"b", "192.168.1.1", "n2"}, {"u", "192.168.1.2", "a"}, {"n2", "192.168.1.2", "b"},
		{"b", "203.0.113.5", "n1"}, {"b", "203.0.113.9", "s"}, {"a", "100.64.0.2", "n2"}, {"s", "203.0.113.6", ""},
	} {
		name, ok := s.NodeFrom(c.from, netip.MustParseAddr(c.addr))
		require.Equal(t, c.want, name, "%s from %s", c.addr, c.from)
		require.Equal(t, c.want != "", ok)
	}
	for _, c := range []struct{ from, to, want string }{
		{"a", "n1", "192.168.1.1"}, {"s", "n1", "203.0.113.1"}, {"b", "n1", "203.0.113.1"}, {"b", "n3", "100.64.0.1"}, {"s", "n3", "203.0.113.3"},
		{"s", "a", "192.168.1.2"},
	} {
		a, err := s.Destination(c.from, c.to)
		require.NoError(t, err)
		require.Equal(t, c.want, a.String(), "%s from %s", c.to, c.from)
	}
}
