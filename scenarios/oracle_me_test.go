package scenarios

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

const changing = `
title: what filters stand for
names: {print.example: [10.0.0.9]}
network: {segments: {lan: {subnet: 10.0.0.0/24}}}
nodes:
  a:
    interfaces: [{segment: lan, address: 10.0.0.1/24}]
    servers: {dns: [10.0.0.53]}
    ipsec: {%s}
  b: {interfaces: [{segment: lan, address: 10.0.0.2/24}]}
filter-lists:
  all: [{source: me, destination: any}]
  dns: [{source: me, destination: dns-servers}]
  gateways: [{source: me, destination: default-gateways}]
  printer: [{source: me, destination: "dns:print.example"}]
filter-actions:
  encrypt: {action: negotiate, security-methods: ["ESP[3DES,SHA1]"]}
  permit: {action: permit}
policies:
  p:
    rules:
      - {name: all, filter-list: all, filter-action: encrypt, authentication: [{psk: "secret of no great length"}]}
      - {name: dns, filter-list: dns, filter-action: permit}
      - {name: gateways, filter-list: gateways, filter-action: permit}
      - {name: printer, filter-list: printer, filter-action: permit}
assignments: {a: p}
steps: [{wait: 1s}]
`

// changingLab is a lab with a host whose addresses, servers and names the test changes.
func changingLab(t *testing.T, settings string) *lab {
	t.Helper()
	s, err := spec.Parse("changing.yaml", fmt.Appendf(nil, changing, settings))
	require.NoError(t, err)
	require.NoError(t, Validate(s))
	l, err := build(s, Options{}, nil, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.close()) })
	l.wait(t, time.Second)
	return l
}

// wait lets time pass.
func (l *lab) wait(t *testing.T, d time.Duration) {
	t.Helper()
	p := l.world.Go(nil, "wait", func(p *sim.Proc) { p.Sleep(d) })
	require.NoError(t, l.world.Run(context.Background(), 0, p.Done))
}

// leaks reports whether the oracle calls a datagram of host a a leak.
func (l *lab) leaks(t *testing.T, src, dst string) bool {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true},
		&layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6), EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.ParseIP(src).To4(), DstIP: net.ParseIP(dst).To4()},
		&layers.UDP{SrcPort: 1025, DstPort: 53, Length: 8}))
	before := len(l.oracle.violations)
	l.hosts["a"].Interfaces()[0].Send(b.Bytes(), "")
	return len(l.oracle.violations) > before
}

func (l *lab) renumber(t *testing.T, prefix string) {
	t.Helper()
	require.NoError(t, l.hosts["a"].SetAddresses("lan", []netip.Prefix{netip.MustParsePrefix(prefix)}, "test"))
}

// "me" is the addresses of the moment, and whatever source the host uses besides.
func TestWireOracleKnowsMe(t *testing.T) {
	l := changingLab(t, "")
	require.True(t, l.leaks(t, "10.0.0.1", "10.0.0.2"))
	l.renumber(t, "10.0.0.7/24")
	require.True(t, l.leaks(t, "10.0.0.7", "10.0.0.2"))
	require.True(t, l.leaks(t, "10.0.0.1", "10.0.0.2"), "an address that it has no more")
	require.True(t, l.leaks(t, "0.0.0.0", "255.255.255.255"), "this host")
	require.False(t, changingLab(t, "me-needs-address: true").leaks(t, "0.0.0.0", "255.255.255.255"))
}

// While a policy does not know an address yet, by the setting of the host, its packets
// are counted; after that they are leaks.
func TestWireOracleKnowsLateExpansion(t *testing.T) {
	l := changingLab(t, "re-expand: 10s")
	l.renumber(t, "10.0.0.7/24")
	require.False(t, l.leaks(t, "10.0.0.7", "10.0.0.2"))
	require.False(t, l.leaks(t, "10.0.0.7", "10.0.0.53"))
	require.Contains(t, l.oracle.check().Got, "; 1 of them from addresses that the hosts' policies did not know")
	l.wait(t, 11*time.Second)
	require.True(t, l.leaks(t, "10.0.0.7", "10.0.0.2"))
	// A policy that is put in force knows all addresses at once.
	l.renumber(t, "10.0.0.8/24")
	require.False(t, l.leaks(t, "10.0.0.8", "10.0.0.2"))
	l.wait(t, time.Second)
	require.NoError(t, l.assignPolicy(&spec.AssignPolicy{Host: "a", Policy: "p"}))
	require.True(t, l.leaks(t, "10.0.0.8", "10.0.0.2"))
}

// Servers are those of the moment, names those of when the policy was put in force.
func TestWireOracleKnowsServersAndNames(t *testing.T) {
	for _, tc := range []struct {
		settings string
		follows  bool
	}{{"", true}, {"static-servers: true", false}} {
		l := changingLab(t, tc.settings)
		h := l.hosts["a"]
		require.False(t, l.leaks(t, "10.0.0.1", "10.0.0.53"))
		require.True(t, l.leaks(t, "10.0.0.1", "10.0.0.54"))
		h.SetServers(hosts.Servers{policy.DNSServers: {netip.MustParseAddr("10.0.0.54")}}, "test")
		require.Equal(t, tc.follows, l.leaks(t, "10.0.0.1", "10.0.0.53"), tc.settings)
		require.Equal(t, !tc.follows, l.leaks(t, "10.0.0.1", "10.0.0.54"), tc.settings)
		require.NoError(t, h.SetGateway(netip.MustParseAddr("10.0.0.2"), "test"))
		require.Equal(t, !tc.follows, l.leaks(t, "10.0.0.1", "10.0.0.2"), tc.settings)

		require.False(t, l.leaks(t, "10.0.0.1", "10.0.0.9"))
		l.names["print.example"] = []netip.Addr{netip.MustParseAddr("10.0.0.10")}
		require.False(t, l.leaks(t, "10.0.0.1", "10.0.0.9"), "the name was asked when the policy was assigned")
		require.True(t, l.leaks(t, "10.0.0.1", "10.0.0.10"))
		require.NoError(t, l.assignPolicy(&spec.AssignPolicy{Host: "a", Policy: "p"}))
		require.True(t, l.leaks(t, "10.0.0.1", "10.0.0.9"))
		require.False(t, l.leaks(t, "10.0.0.1", "10.0.0.10"))
	}
}
