package firewall_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox/firewall"
)

const (
	unsolicited  = "unsolicited, and no rule permits it"
	noConnection = "TCP of no connection that is known here"
	unrelated    = "an ICMP error about nothing that is known here"
	orphan       = "a fragment whose first one was not seen, or not let through"
)

func stateful(t *testing.T, s firewall.State, rules ...firewall.Rule) *wall {
	return newWall(t, firewall.Config{State: &s, Rules: rules})
}

// What the inside begins may be answered, until nothing has come for a time.
func TestStateUDP(t *testing.T) {
	w := stateful(t, firewall.State{})
	w.drops(unsolicited, udp(out, in, 500, 500))
	w.passes(udp(in, out, 500, 500))
	w.passes(udp(out, in, 500, 500))
	w.drops(unsolicited, udp(out, in, 501, 500))
	w.drops(unsolicited, udp(out2, in, 500, 500))
	w.drops(unsolicited, udp(out, in2, 500, 500))
	w.now += 5*time.Minute - 1
	w.passes(udp(out, in, 500, 500), "either direction keeps it")
	w.now += 5*time.Minute - 1
	w.passes(udp(out, in, 500, 500))
	w.now += 5 * time.Minute
	w.drops(unsolicited, udp(out, in, 500, 500))
	require.Equal(t, firewall.Counters{Passed: 4, Dropped: 5, Created: 1, Expired: 1}, w.Counters())

	w.passes(udp(in6, out6, 500, 500))
	w.passes(udp(out6, in6, 500, 500))
}

// A rule is a pinhole for what the outside begins, or closes what the inside does.
func TestStateRules(t *testing.T) {
	w := stateful(t, firewall.State{},
		firewall.Rule{Action: firewall.Permit, Protocol: 17, Destination: prefixes("10.0.0.5/32"), DestinationPorts: ports(500, 500)},
		firewall.Rule{Action: firewall.Deny, Protocol: 17, DestinationPorts: ports(53, 53)})
	w.passes(udp(out, in, 1025, 500))
	w.passes(udp(in, out, 500, 1025))
	w.drops(unsolicited, udp(out, in2, 1025, 500))
	w.drops("rule 2: deny udp to port 53", udp(in, out, 1025, 53))
	require.NoError(t, w.SetRules([]firewall.Rule{{Action: firewall.Deny}}, firewall.Deny))
	w.passes(udp(out, in, 1025, 500), "it was let through before")
	require.Equal(t, 1, w.Forget())
	w.drops("rule 1: deny any protocol", udp(in, out, 500, 1025))
	require.Equal(t, uint64(1), w.Counters().Created)
}

func TestStateTCP(t *testing.T) {
	w := stateful(t, firewall.State{})
	w.drops(unsolicited, tcp(out, in, 80, 1025, "S"))
	w.drops(noConnection, tcp(in, out, 1025, 80, "A"))
	w.passes(tcp(in, out, 1025, 80, "S"))
	w.now += 4*time.Minute - 1
	w.passes(tcp(out, in, 80, 1025, "SA"))
	w.passes(tcp(in, out, 1025, 80, "A"))
	w.now += 2*time.Hour + 4*time.Minute - 1
	w.passes(tcp(out, in, 80, 1025, "A"))
	w.passes(tcp(out, in, 80, 1025, "FA"))
	w.now += 4*time.Minute - 1
	w.passes(tcp(in, out, 1025, 80, "A"), "half closed")
	w.passes(tcp(in, out, 1025, 80, "FA"))
	w.passes(tcp(out, in, 80, 1025, "A"))
	w.now += 4 * time.Minute
	w.drops(noConnection, tcp(out, in, 80, 1025, "A"))

	w.passes(tcp(in, out, 1025, 80, "S"))
	w.now += 4 * time.Minute
	w.drops(noConnection, tcp(out, in, 80, 1025, "SA"))

	// The same ports again: after a RST a new connection begins, and needs permission.
	w.passes(tcp(in, out, 1026, 80, "S"))
	w.passes(tcp(out, in, 80, 1026, "RA"))
	w.drops(unsolicited, tcp(out, in, 80, 1026, "S"))
	w.passes(tcp(in, out, 1026, 80, "S"))
	w.passes(tcp(out, in, 80, 1026, "SA"))
}

func TestStateMidStream(t *testing.T) {
	w := stateful(t, firewall.State{MidStream: true})
	w.drops(unsolicited, tcp(out, in, 80, 1025, "A"))
	w.passes(tcp(in, out, 1025, 80, "A"))
	w.now += 2 * time.Hour
	w.passes(tcp(out, in, 80, 1025, "A"))
	w.passes(tcp(in, out, 1026, 80, "R"))
	w.drops(unsolicited, tcp(out, in, 80, 1026, "A"))
}

func TestStateICMP(t *testing.T) {
	w := stateful(t, firewall.State{})
	w.drops(unsolicited, icmp(out, in, 0, 0, 7))
	w.passes(icmp(in, out, 8, 0, 7))
	w.passes(icmp(out, in, 0, 0, 7))
	w.drops(unsolicited, icmp(out, in, 0, 0, 8))
	w.drops(unsolicited, icmp(out, in, 8, 0, 7)) // a request of the same number is no answer
	w.drops(unsolicited, icmp(out, in, 14, 0, 7))
	w.passes(icmp(in, out, 0, 0, 9)) // of the inside, and begins nothing
	w.drops(unsolicited, icmp(out, in, 8, 0, 9))
	w.now += time.Minute
	w.drops(unsolicited, icmp(out, in, 0, 0, 7))
	id := []byte{0, 7, 0, 1}
	w.passes(icmp6(in6, out6, 128, 0, id...))
	w.passes(icmp6(out6, in6, 129, 0, id...))
	w.drops(unsolicited, icmp6(out6, in6, 128, 0, id...))
}

// ICMP errors pass if they are about what was let through, and come to who sent it.
func TestStateRelated(t *testing.T) {
	w := stateful(t, firewall.State{})
	sent := udp(in, out, 1025, 53)
	tooBig := icmp(out2, in, 3, 4, 0, sent[:28]...)
	w.drops(unrelated, tooBig)
	w.passes(sent)
	w.passes(tooBig, "from whoever is on the way")
	w.drops(unrelated, icmp(out2, in2, 3, 4, 0, sent[:28]...))
	w.drops(unrelated, icmp(out2, in, 3, 4, 0, udp(in, out, 1026, 53)...))
	w.drops(unrelated, icmp(out2, in, 3, 4, 0, sent[:20]...))

	syn := tcp(in, out, 1025, 80, "S")
	w.passes(syn)
	w.passes(icmp(out, in, 11, 0, 0, syn[:28]...), "eight bytes of the segment are enough")
	w.passes(esp(in, out))
	w.passes(icmp(out2, in, 3, 4, 0, esp(in, out)[:28]...))
	ping := icmp(in, out, 8, 0, 3)
	w.passes(ping)
	w.passes(icmp(out2, in, 11, 0, 0, ping[:28]...))
	sent6 := udp(in6, out6, 1025, 53, make([]byte, 100)...)
	w.drops(unrelated, icmp6(out6, in6, 2, 0, append([]byte{0, 0, 5, 0}, sent6[:80]...)...))
	w.passes(sent6)
	w.passes(icmp6(out6, in6, 2, 0, append([]byte{0, 0, 5, 0}, sent6[:80]...)...))
	require.Equal(t, uint64(5), w.Counters().Related)
}

func TestStateIPsec(t *testing.T) {
	w := stateful(t, firewall.State{})
	w.drops(unsolicited, esp(out, in))
	w.passes(esp(in, out))
	w.passes(esp(out, in))
	w.drops(unsolicited, ah(out, in))
	w.drops(unsolicited, esp(out2, in))
	w.now += 5 * time.Minute
	w.drops(unsolicited, esp(out, in))

	w = stateful(t, firewall.State{IPsec: firewall.ByIKE})
	w.passes(esp(in, out), "the inside may begin anything")
	w.drops(unsolicited, esp(out, in))
	w.passes(udp(in, out, 500, 500))
	w.passes(esp(out, in))
	w.passes(ah(out, in))
	w.passes(icmp(out2, in, 3, 4, 0, esp(in, out)[:28]...))
	w.drops(unsolicited, esp(out2, in))
	w.now += 5*time.Minute - 1
	w.passes(esp(out, in))
	w.now += 5*time.Minute - 1
	w.passes(esp(out, in), "ESP keeps the state of IKE")

	w = stateful(t, firewall.State{IPsec: firewall.ByRules})
	w.passes(udp(in, out, 500, 500))
	w.passes(esp(in, out))
	w.drops(unsolicited, esp(out, in))
	w.drops(unrelated, icmp(out2, in, 3, 4, 0, esp(in, out)[:28]...))
	require.NoError(t, w.SetRules([]firewall.Rule{{Action: firewall.Permit, Protocol: 50}}, firewall.Deny))
	w.passes(esp(out, in))
	require.Equal(t, 1, w.Counters().States)
}

func TestStateFragments(t *testing.T) {
	first, second := pieces(udp(in, out, 1025, 53, make([]byte, 100)...), 48)
	_, other := pieces(udp(in2, out, 1025, 53, make([]byte, 100)...), 48)
	w := stateful(t, firewall.State{})
	w.drops(orphan, second)
	w.passes(first)
	w.passes(second)
	w.drops(orphan, other)
	w.now += 30 * time.Second
	w.drops(orphan, second)

	first, second = pieces(udp(out, in, 53, 1026, make([]byte, 100)...), 48)
	w.drops(unsolicited, first)
	w.drops(orphan, second)
}

// A full table gives up connections that close or were never made first.
func TestStateEviction(t *testing.T) {
	w := stateful(t, firewall.State{Max: 3})
	w.passes(udp(in, out, 1, 1))
	w.now++
	w.passes(tcp(in, out, 1, 80, "S"))
	w.now++
	w.passes(udp(in, out, 2, 2))
	w.passes(udp(in, out, 3, 3))
	w.drops(noConnection, tcp(out, in, 80, 1, "SA"))
	w.now++
	w.passes(udp(out, in, 1, 1))
	w.passes(udp(in, out, 4, 4)) // in place of the second
	w.passes(udp(out, in, 1, 1))
	w.drops(unsolicited, udp(out, in, 2, 2))
	w.passes(udp(out, in, 3, 3))
	require.Equal(t, firewall.Counters{Passed: 8, Dropped: 2, States: 3, Created: 5, Evicted: 2}, w.Counters())
}

// The device itself is inside.
func TestStateSelf(t *testing.T) {
	w := stateful(t, firewall.State{})
	to := func(packet []byte) string {
		return w.Judge(0, firewall.Crossing{Packet: packet, From: "net"}).Why
	}
	require.Equal(t, unsolicited, to(icmp(out, in, 8, 0, 1)))
	require.Empty(t, w.Judge(0, firewall.Crossing{Packet: icmp(in, out, 8, 0, 1), To: "net"}).Why)
	require.Empty(t, to(icmp(out, in, 0, 0, 1)))
}

// An inspecting firewall lets IKE through, and nothing that ESP hides.
func TestInspect(t *testing.T) {
	const (
		byESP = "inspection: it cannot see into ESP"
		byUDP = "inspection: it cannot see into ESP in UDP"
	)
	inside := []byte{0, 0, 1, 2, 0, 0, 0, 1, 9, 9}
	ike := append(make([]byte, 4), 1, 2, 3, 4, 5, 6, 7, 8)
	w := newWall(t, firewall.Config{Default: firewall.Permit, Inspect: []firewall.Inspect{{Source: prefixes("10.0.0.0/24"), Destination: prefixes("192.0.2.9/32")}}})
	w.drops(byESP, esp(in, out))
	w.drops(byESP, esp(out, in))
	w.passes(esp(in, out2))
	w.passes(ah(in, out))
	around := make([]byte, 24)
	around[0], around[1] = 50, 4
	w.drops(byESP, ip(in, out, layers.IPProtocolAH, gopacket.Payload(around)))
	twice := append([]byte{51, 4}, make([]byte, 22)...)
	w.drops(byESP, ip(in, out, layers.IPProtocolAH, gopacket.Payload(append(twice, around...))))
	w.passes(ip(in, out, layers.IPProtocolAH, gopacket.Payload(twice)))
	w.passes(udp(in, out, 500, 500, ike...))
	w.passes(udp(in, out, 4500, 4500, ike...))
	w.passes(udp(in, out, 4500, 4500, 0xff), "a keep-alive")
	w.drops(byUDP, udp(in, out, 4500, 4500, inside...))
	w.drops(byUDP, udp(out, in, 4500, 1025, inside...))
	w.drops(byUDP, udp(in, out, 500, 500, append(make([]byte, 8), inside...)...))
	w.passes(udp(in, out, 1025, 53, inside...))
	require.Equal(t, uint64(7), w.Counters().Uninspected)
	w.SetInspect(nil)
	w.passes(esp(in, out))
}

// A state is found again whatever else there is, in both directions.
func TestStateMany(t *testing.T) {
	w := stateful(t, firewall.State{})
	const n = 1000
	for i := range n {
		w.passes(udp(in, fmt.Sprintf("192.0.2.%d", i%250), 1+i, 53))
		w.passes(ip(in, fmt.Sprintf("198.51.100.%d", i%250), layers.IPProtocol(60+i%100)))
	}
	for i := range n {
		w.passes(udp(fmt.Sprintf("192.0.2.%d", i%250), in, 53, 1+i))
		w.drops(unsolicited, udp(fmt.Sprintf("192.0.2.%d", i%250), in, 53, 1+n+i))
		w.passes(ip(fmt.Sprintf("198.51.100.%d", i%250), in, layers.IPProtocol(60+i%100)))
	}
	require.Equal(t, n+500, w.Counters().States)
}
