package ipsec

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	alice = netip.MustParseAddr("10.0.0.1")
	bob   = netip.MustParseAddr("10.0.0.2")
	lan   = netip.MustParsePrefix("10.0.0.0/24")

	alice6    = netip.MustParseAddr("2001:db8:1::1")
	bob6      = netip.MustParseAddr("2001:db8:2::2")
	discovery = Selector{Proto: ProtoICMPv6, ICMP: ICMPTypes{133, 137}}

	lan6 = netip.MustParsePrefix("2001:db8:2::/64")
)

func TestSelectorMatches(t *testing.T) {
	tcp := Flow{Src: alice, Dst: bob, Proto: ProtoTCP, SrcPort: 3000, DstPort: 80}
	fragment := Flow{Src: alice, Dst: bob, Proto: ProtoTCP, Fragment: true}
	icmp := Flow{Src: alice, Dst: bob, Proto: ProtoICMP, ICMPType: 8}
	tcp6 := Flow{Src: alice6, Dst: bob6, Proto: ProtoTCP, SrcPort: 3000, DstPort: 80}
	mapped := Flow{Src: alice6, Dst: netip.AddrFrom16(bob.As16()), Proto: ProtoTCP}
	for _, c := range []struct {
		name string
		sel  Selector
		flow Flow
		want bool
	}{
		{"the zero selector is everything", Selector{}, tcp, true},
		{"… a fragment, too", Selector{}, fragment, true},
		{"… and no flow at all", Selector{}, Flow{}, true},
		{"source host", Selector{Src: Host(alice)}, tcp, true},
		{"another source host", Selector{Src: Host(bob)}, tcp, false},
		{"destination subnet", Selector{Dst: lan}, tcp, true},
		{"another subnet", Selector{Dst: netip.MustParsePrefix("10.0.1.0/24")}, tcp, false},
		{"the whole of IPv4", Selector{Dst: netip.MustParsePrefix("0.0.0.0/0")}, tcp, true},
		{"another family", Selector{Dst: netip.MustParsePrefix("::/0")}, tcp, false},
		{"IPv6: the zero selector", Selector{}, tcp6, true},
		{"… the whole of IPv6", Selector{Dst: netip.MustParsePrefix("::/0")}, tcp6, true},
		{"… the whole of IPv4", Selector{Dst: netip.MustParsePrefix("0.0.0.0/0")}, tcp6, false},
		{"… destination subnet and port", Selector{Dst: lan6, DstPort: 80}, tcp6, true},
		{"… another subnet", Selector{Src: lan6}, tcp6, false},
		{"… an IPv4 address written as IPv6", Selector{Dst: Host(bob)}, mapped, false},
		{"protocol", Selector{Proto: ProtoTCP}, tcp, true},
		{"another protocol", Selector{Proto: ProtoUDP}, tcp, false},
		{"destination port", Selector{Proto: ProtoTCP, DstPort: 80}, tcp, true},
		{"another destination port", Selector{Proto: ProtoTCP, DstPort: 81}, tcp, false},
		{"source port", Selector{Proto: ProtoTCP, SrcPort: 3000}, tcp, true},
		{"ports the wrong way round", Selector{Proto: ProtoTCP, SrcPort: 80}, tcp, false},
		{"a port that a fragment hides", Selector{Proto: ProtoTCP, DstPort: 80}, fragment, false},
		{"a fragment without ports asked", Selector{Proto: ProtoTCP}, fragment, true},
		{"a port that ICMP does not have", Selector{DstPort: 80}, icmp, false},
		{"ICMP type", discovery, Flow{Src: alice6, Dst: bob6, Proto: ProtoICMPv6, ICMPType: 133}, true},
		{"… the last of the range", discovery, Flow{Src: alice6, Dst: bob6, Proto: ProtoICMPv6, ICMPType: 137}, true},
		{"… below it", discovery, Flow{Src: alice6, Dst: bob6, Proto: ProtoICMPv6, ICMPType: 132}, false},
		{"… above it", discovery, Flow{Src: alice6, Dst: bob6, Proto: ProtoICMPv6, ICMPType: 138}, false},
		{"… that a fragment hides", discovery, Flow{Src: alice6, Dst: bob6, Proto: ProtoICMPv6, ICMPType: 133, Fragment: true}, false},
		{"everything at once", Selector{Src: Host(alice), Dst: lan, Proto: ProtoTCP, SrcPort: 3000, DstPort: 80}, tcp, true},
	} {
		require.Equal(t, c.want, c.sel.Matches(&c.flow), c.name)
		sel, flow := c.sel.Reverse(), c.flow.Reverse()
		require.Equal(t, c.want, sel.Matches(&flow), "%s, reversed", c.name)
		require.Equal(t, c.sel, c.sel.Reverse().Reverse(), c.name)
		require.Equal(t, c.flow, c.flow.Reverse().Reverse(), c.name)
	}
}

func TestStrings(t *testing.T) {
	des := Transform{Protocol: ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}
	ah := Transform{Protocol: AH, Auth: "hmac-sha1-96"}
	for want, v := range map[string]interface{ String() string }{
		"outbound":     Outbound,
		"inbound":      Inbound,
		"direction(0)": Direction(0),
		"AH":           AH,
		"ESP":          ESP,
		"protocol(9)":  Protocol(9),
		"tunnel":       Tunnel,
		"transport":    Transport,
		"mode(0)":      Mode(0),
		"discard":      Discard,
		"bypass":       Bypass,
		"protect":      Protect,
		"action(0)":    Action(0),

		"any any > any":                  Selector{},
		"udp 10.0.0.1:500 > 10.0.0.0/24": Selector{Src: Host(alice), Dst: lan, Proto: ProtoUDP, SrcPort: 500},
		"tcp any > any:80":               Selector{Proto: ProtoTCP, DstPort: 80},

		"udp 2001:db8:1::1 > [2001:db8:2::/64]:80": Selector{Src: Host(alice6), Dst: lan6, Proto: ProtoUDP, DstPort: 80},
		"icmpv6 types 133 to 137 any > any":        discovery,
		"udp [2001:db8:1::1]:500 > any":            Selector{Src: Host(alice6), Proto: ProtoUDP, SrcPort: 500},

		"tcp 10.0.0.1:3000 > 10.0.0.2:80":               Flow{Src: alice, Dst: bob, Proto: ProtoTCP, SrcPort: 3000, DstPort: 80},
		"udp 10.0.0.1 > 10.0.0.2 (fragment)":            Flow{Src: alice, Dst: bob, Proto: ProtoUDP, Fragment: true},
		"tcp [2001:db8:1::1]:3000 > [2001:db8:2::2]:80": Flow{Src: alice6, Dst: bob6, Proto: ProtoTCP, SrcPort: 3000, DstPort: 80},
		"any 2001:db8:1::1 > 2001:db8:2::2 (fragment)":  Flow{Src: alice6, Dst: bob6, Fragment: true},
		"icmpv6 2001:db8:1::1 > 2001:db8:2::2":          Flow{Src: alice6, Dst: bob6, Proto: ProtoICMPv6, ICMPType: 128},

		"icmp 10.0.0.1 > 10.0.0.2": Flow{Src: alice, Dst: bob, Proto: ProtoICMP, ICMPType: 8},
		"47 10.0.0.1 > 10.0.0.2":   Flow{Src: alice, Dst: bob, Proto: 47},

		"unlimited":                  Lifetime{},
		"3600s":                      Lifetime{Duration: time.Hour},
		"100000kB":                   Lifetime{Kilobytes: 100000},
		"3600s/100000kB":             Lifetime{Duration: time.Hour, Kilobytes: 100000},
		"AH[hmac-sha1-96]":           ah,
		"ESP[3des-cbc,hmac-sha1-96]": des,
		"ESP[aes128-gcm16]":          Transform{Protocol: ESP, Cipher: "aes128-gcm16"},
		"ESP[aes128-gcm16,esn]":      Transform{Protocol: ESP, Cipher: "aes128-gcm16", ESN: true},
		"AH[hmac-sha1-96,esn]":       Transform{Protocol: AH, Auth: "hmac-sha1-96", ESN: true},
		"ESP[3des-cbc,hmac-sha1-96]+AH[hmac-sha1-96]:3600s": Proposal{Transforms: []Transform{des, ah}, Lifetime: Lifetime{Duration: time.Hour}},
	} {
		require.Equal(t, want, v.String())
	}
}

func TestProtocolNames(t *testing.T) {
	for proto, want := range map[uint8]string{0: "any", 1: "icmp", 6: "tcp", 17: "udp", 50: "esp", 51: "ah", 58: "icmpv6", 47: "47"} {
		require.Equal(t, want, ProtoName(proto))
		require.Equal(t, proto == 6 || proto == 17, HasPorts(proto))
	}
}
