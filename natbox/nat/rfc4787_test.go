package nat

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requirement is one of an RFC's: a test that shows it, or why there is nothing to show.
type requirement struct {
	id   string
	says string
	not  string
	test func(t *testing.T)
}

// meet runs the tests of requirements and demands that none is missing.
func meet(t *testing.T, prefix string, last int, list []requirement) {
	n := 0
	for _, r := range list {
		var number int
		_, err := fmt.Sscanf(r.id, prefix+"%d", &number)
		require.NoError(t, err)
		require.True(t, number == n || number == n+1, "%s comes after %s%d", r.id, prefix, n)
		n = number
		require.NotEqual(t, r.test == nil, r.not == "", "%s: a test, or why there is none", r.id)
		if r.test == nil {
			t.Logf("%s: %s: not here: %s", r.id, r.says, r.not)
			continue
		}
		t.Run(r.id+" "+r.says, r.test)
	}
	require.Equal(t, last, n, "the last one")
}

const (
	noAnswer = "no mapping has this outside endpoint; own"
	notLetIn = "the mapping does not let this remote endpoint in"
	device   = "it is the device's: natbox"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestRFC4787(t *testing.T) {
	meet(t, "REQ-", 14, []requirement{
		{id: "REQ-1", says: "endpoint-independent mapping", test: func(t *testing.T) {
			newBench(t, Config{}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4001 > 198.51.100.1:7000",
				"out udp 10.0.0.2:4000 > 198.51.100.1:7001 => udp 203.0.113.1:4001 > 198.51.100.1:7001",
				"out udp 10.0.0.2:4000 > 198.51.100.2:7000 => udp 203.0.113.1:4001 > 198.51.100.2:7000")
		}},
		{id: "REQ-1", says: "what breaks it: address-dependent", test: func(t *testing.T) {
			newBench(t, Config{UDP: Behaviour{Mapping: AddressDependent}, Ports: Ports{Assignment: Sequential}}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4000 > 198.51.100.1:7001 => udp 203.0.113.1:1024 > 198.51.100.1:7001",
				"out udp 10.0.0.1:4000 > 198.51.100.2:7000 => udp 203.0.113.1:1025 > 198.51.100.2:7000")
		}},
		{id: "REQ-1", says: "what breaks it: address-and-port-dependent", test: func(t *testing.T) {
			newBench(t, Config{UDP: Behaviour{Mapping: AddressAndPortDependent}, Ports: Ports{Assignment: Sequential}}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4000 > 198.51.100.1:7001 => udp 203.0.113.1:1025 > 198.51.100.1:7001",
				"out udp 10.0.0.1:4000 > 198.51.100.2:7000 => udp 203.0.113.1:1026 > 198.51.100.2:7000",
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000")
		}},
		{id: "REQ-1", says: "an answer leaves by the mapping that its question came by, though another remote endpoint has another", test: func(t *testing.T) {
			for _, scope := range []Scope{PerMapping, PerSession} {
				newBench(t, Config{UDP: Behaviour{Mapping: AddressDependent}, Scope: scope, Ports: Ports{Assignment: Sequential}}).path(
					"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000",
					"in udp 198.51.100.2:7000 > 203.0.113.1:1024 => udp 198.51.100.2:7000 > 10.0.0.1:4000",
					"out udp 10.0.0.1:4000 > 198.51.100.2:7000 => udp 203.0.113.1:1024 > 198.51.100.2:7000",
					"out udp 10.0.0.1:4000 > 198.51.100.2:7001 => udp 203.0.113.1:1025 > 198.51.100.2:7001")
			}
		}},
		{id: "REQ-2", says: "paired pooling", test: func(t *testing.T) {
			newBench(t, Config{Outside: addrs("203.0.113.1", "203.0.113.2")}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => udp 203.0.113.1:4001 > 198.51.100.1:7000",
				"out tcp 10.0.0.2:4001 > 198.51.100.1:7000 S => tcp 203.0.113.2:4001 > 198.51.100.1:7000 S",
				"out echo 10.0.0.2:1 > 198.51.100.1 => echo 203.0.113.2:1 > 198.51.100.1")
		}},
		{id: "REQ-2", says: "what breaks it: arbitrary", test: func(t *testing.T) {
			newBench(t, Config{Outside: addrs("203.0.113.1", "203.0.113.2"), Pooling: Arbitrary}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => udp 203.0.113.2:4001 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4002 > 198.51.100.1:7000 => udp 203.0.113.1:4002 > 198.51.100.1:7000")
		}},
		{id: "REQ-3", says: "no port overloading", test: func(t *testing.T) {
			b := newBench(t, Config{Ports: Ports{First: 1024, Last: 1025}})
			b.path(
				"out udp 10.0.0.1:1024 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000",
				"out udp 10.0.0.2:1024 > 198.51.100.1:7000 => udp 203.0.113.1:1025 > 198.51.100.1:7000",
				"out udp 10.0.0.3:1024 > 198.51.100.1:7000 => no outside port is free; "+
					"answer error 3/13 203.0.113.1 > 10.0.0.3 about udp 10.0.0.3:1024 > 198.51.100.1:7000",
				"in udp 198.51.100.1:7000 > 203.0.113.1:1025 => udp 198.51.100.1:7000 > 10.0.0.2:1024")
			require.Equal(t, []string{"0s refused 10.0.0.3:1024 no outside port is free"}, b.log)
		}},
		{id: "REQ-3", says: "what breaks it: overload", test: func(t *testing.T) {
			newBench(t, Config{Ports: Ports{Collision: Overload}}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => udp 198.51.100.1:7000 > 10.0.0.2:4000",
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => udp 198.51.100.1:7000 > 10.0.0.1:4000",
				"in udp 198.51.100.9:7000 > 203.0.113.1:4000 => udp 198.51.100.9:7000 > 10.0.0.1:4000")
		}},
		{id: "REQ-3a", says: "well-known ports stay well-known, and others others", test: func(t *testing.T) {
			for _, r := range []struct {
				r         Range
				low, mid  string
				ephemeral string
			}{
				{NoRange, "1024", "1025", "1026"},
				{WellKnown, "1", "2", "1024"},
				{WellKnownHalves, "1", "512", "1024"},
			} {
				newBench(t, Config{Ports: Ports{Assignment: Sequential, Range: r.r}}).path(
					"out udp 10.0.0.1:500 > 198.51.100.1:7000 => udp 203.0.113.1:"+r.low+" > 198.51.100.1:7000",
					"out udp 10.0.0.1:1023 > 198.51.100.1:7000 => udp 203.0.113.1:"+r.mid+" > 198.51.100.1:7000",
					"out udp 10.0.0.1:4500 > 198.51.100.1:7000 => udp 203.0.113.1:"+r.ephemeral+" > 198.51.100.1:7000")
			}
			newBench(t, Config{Ports: Ports{Range: WellKnown}}).path(
				"out udp 10.0.0.1:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500",
				"out udp 10.0.0.2:500 > 198.51.100.1:500 => udp 203.0.113.1:501 > 198.51.100.1:500")
		}},
		{id: "REQ-4", says: "port parity", test: func(t *testing.T) {
			newBench(t, Config{Ports: Ports{Assignment: Sequential, Parity: true}}).path(
				"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => udp 203.0.113.1:1025 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:1026 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4002 > 198.51.100.1:7000 => udp 203.0.113.1:1028 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4003 > 198.51.100.1:7000 => udp 203.0.113.1:1029 > 198.51.100.1:7000")
			newBench(t, Config{Ports: Ports{Assignment: Sequential}}).path(
				"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000")
		}},
		{id: "REQ-5", says: "a mapping lives two minutes at least, and REQ-5c: five by default", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"wait 4m59.999999999s => ",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => udp 198.51.100.1:7000 > 10.0.0.1:4000",
				"wait 1ns => ",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => "+noAnswer)
			require.Equal(t, []string{"5m0s expired 10.0.0.1:4000"}, b.log)
		}},
		{id: "REQ-5a", says: "shorter times for well-known remote ports", test: func(t *testing.T) {
			newBench(t, Config{Scope: PerSession, Timeouts: Timeouts{UDPWellKnown: 10 * time.Second}}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:53 => udp 203.0.113.1:4000 > 198.51.100.1:53",
				"out udp 10.0.0.1:4001 > 198.51.100.1:1024 => udp 203.0.113.1:4001 > 198.51.100.1:1024",
				"wait 10s => ",
				"in udp 198.51.100.1:53 > 203.0.113.1:4000 => "+noAnswer,
				"in udp 198.51.100.1:1024 > 203.0.113.1:4001 => udp 198.51.100.1:1024 > 10.0.0.1:4001")
		}},
		{id: "REQ-5b", says: "the time can be set, before and after an answer", test: func(t *testing.T) {
			newBench(t, Config{Refresh: RefreshBoth, Timeouts: Timeouts{UDP: 180 * time.Second, UDPUnreplied: 30 * time.Second}}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.2:4002 > 198.51.100.1:7000 => udp 203.0.113.1:4002 > 198.51.100.1:7000",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => udp 198.51.100.1:7000 > 10.0.0.1:4000",
				"wait 30s => ",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4002 => "+noAnswer,
				"wait 149s => ",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => udp 198.51.100.1:7000 > 10.0.0.1:4000",
				"wait 180s => ",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => "+noAnswer)
		}},
		{id: "REQ-6", says: "outbound packets refresh, and REQ-6a: inbound ones may", test: func(t *testing.T) {
			for _, scope := range []Scope{PerMapping, PerSession} {
				for refresh, want := range map[Refresh][2]bool{RefreshOutbound: {true, false}, RefreshBoth: {true, true}, RefreshInbound: {false, true}} {
					for i, way := range []string{
						"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
						"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => udp 198.51.100.1:7000 > 10.0.0.1:4000",
					} {
						b := newBench(t, Config{Refresh: refresh, Scope: scope})
						b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
							"wait 4m => ", way, "wait 4m => ")
						require.Equal(t, want[i], len(b.mappings()) == 1, "%v, %v: %s", scope, refresh, way)
					}
				}
			}
		}},
		{id: "REQ-6", says: "a time for each mapping, or for each session", test: func(t *testing.T) {
			for scope, want := range map[Scope]string{PerMapping: "udp 198.51.100.1:7000 > 10.0.0.1:4000", PerSession: notLetIn} {
				newBench(t, Config{Scope: scope, UDP: Behaviour{Filtering: AddressDependent}}).path(
					"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
					"wait 4m => ",
					"out udp 10.0.0.1:4000 > 198.51.100.2:7000 => udp 203.0.113.1:4000 > 198.51.100.2:7000",
					"wait 4m => ",
					"in udp 198.51.100.2:7000 > 203.0.113.1:4000 => udp 198.51.100.2:7000 > 10.0.0.1:4000",
					"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => "+want)
			}
		}},
		{id: "REQ-7", says: "inside and outside addresses that conflict", test: func(t *testing.T) {
			// The second way: a remote host has an inside host's address, and both are translated.
			newBench(t, Config{}).path(
				"out udp 10.0.0.1:4000 > 10.0.0.2:7000 => udp 203.0.113.1:4000 > 10.0.0.2:7000",
				"out udp 10.0.0.2:7000 > 10.0.0.1:4000 => udp 203.0.113.1:7000 > 10.0.0.1:4000",
				"in udp 10.0.0.2:7000 > 203.0.113.1:4000 => udp 10.0.0.2:7000 > 10.0.0.1:4000",
				"in udp 10.0.0.1:4000 > 203.0.113.1:7000 => udp 10.0.0.1:4000 > 10.0.0.2:7000")
		}},
		{id: "REQ-8", says: "endpoint-independent or address-dependent filtering, as set, or a stricter one", test: func(t *testing.T) {
			for f, let := range map[Dependence][3]bool{
				EndpointIndependent:     {true, true, true},
				AddressDependent:        {true, true, false},
				AddressAndPortDependent: {true, false, false},
			} {
				b := newBench(t, Config{UDP: Behaviour{Filtering: f}})
				b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
				for i, from := range []string{"198.51.100.1:7000", "198.51.100.1:7001", "198.51.100.2:7000"} {
					want := notLetIn
					if let[i] {
						want = "udp " + from + " > 10.0.0.1:4000"
					}
					require.Equal(t, want, b.in("udp "+from+" > 203.0.113.1:4000"), "%v", f)
				}
			}
		}},
		{id: "REQ-9", says: "hairpinning, and REQ-9a: from the outside endpoint", test: func(t *testing.T) {
			newBench(t, Config{}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"hairpin udp 10.0.0.2:4000 > 203.0.113.1:4000 => udp 203.0.113.1:4001 > 10.0.0.1:4000",
				"hairpin udp 10.0.0.1:4000 > 203.0.113.1:4001 => udp 203.0.113.1:4000 > 10.0.0.2:4000",
				"hairpin udp 10.0.0.1:4000 > 203.0.113.1:4002 => "+noAnswer)
		}},
		{id: "REQ-9", says: "what breaks it: from the inside endpoint, or not at all; and filtering goes for it", test: func(t *testing.T) {
			newBench(t, Config{Hairpin: InternalSource}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"hairpin udp 10.0.0.2:4000 > 203.0.113.1:4000 => udp 10.0.0.2:4000 > 10.0.0.1:4000")
			newBench(t, Config{Hairpin: NoHairpin}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"hairpin udp 10.0.0.2:4000 > 203.0.113.1:4000 => no hairpinning")
			newBench(t, Config{UDP: Behaviour{Filtering: AddressAndPortDependent}}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"hairpin udp 10.0.0.2:4000 > 203.0.113.1:4000 => "+notLetIn,
				"hairpin udp 10.0.0.1:4000 > 203.0.113.1:4001 => udp 203.0.113.1:4000 > 10.0.0.2:4000",
				"hairpin udp 10.0.0.2:4000 > 203.0.113.1:4000 => udp 203.0.113.1:4001 > 10.0.0.1:4000")
		}},
		{id: "REQ-10", says: "gateways of applications are off", test: func(t *testing.T) {
			// There is none but for IKE, and that is off unless it is asked for: payloads stay, and so does what port 500 means.
			b := newBench(t, Config{})
			message := makePacket(t, "udp 10.0.0.1:500 > 198.51.100.1:500")
			want := string(message[28:])
			require.Equal(t, want, string(b.nat.Outbound(b.now, message).Packets[0][28:]))
			b.path("out udp 10.0.0.2:500 > 198.51.100.1:500 => udp 203.0.113.1:1024 > 198.51.100.1:500")
		}},
		{id: "REQ-11", says: "deterministic: the same at any time and under load", test: func(t *testing.T) {
			b := newBench(t, Config{UDP: Behaviour{Filtering: AddressDependent}})
			for round := range 20 {
				for host := range 50 {
					b.out(fmt.Sprintf("udp 10.0.1.%d:%d > 198.51.100.9:7000", host+1, 4000+round))
				}
				b.path(
					"out udp 10.0.0.1:3000 > 198.51.100.1:7000 => udp 203.0.113.1:3000 > 198.51.100.1:7000",
					"out udp 10.0.0.1:3000 > 198.51.100.2:7000 => udp 203.0.113.1:3000 > 198.51.100.2:7000",
					"in udp 198.51.100.2:7001 > 203.0.113.1:3000 => udp 198.51.100.2:7001 > 10.0.0.1:3000",
					"in udp 198.51.100.3:7001 > 203.0.113.1:3000 => "+notLetIn,
					"wait 100s => ")
			}
		}},
		{id: "REQ-12", says: "no ICMP message ends a mapping, nor keeps it", test: func(t *testing.T) {
			b := newBench(t, Config{})
			for typ := range uint8(20) {
				b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
				for code := range uint8(16) {
					b.nat.Inbound(b.now, makeError(t, typ, code, "198.51.100.9", "203.0.113.1", makePacket(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000")))
				}
				require.Equal(t, []string{"17 10.0.0.1:4000 > 203.0.113.1:4000"}, b.mappings())
				b.wait(time.Second)
			}
			b.wait(5*time.Minute - time.Second)
			require.Empty(t, b.mappings())
		}},
		{id: "REQ-12a", says: "ICMP from any address, and REQ-12b: destination unreachable", test: func(t *testing.T) {
			b := newBench(t, Config{UDP: Behaviour{Filtering: AddressAndPortDependent}})
			b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
			e := makeError(t, 3, 4, "192.0.2.77", "203.0.113.1", makePacket(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000"))
			require.Equal(t, "error 3/4 192.0.2.77 > 10.0.0.1 about udp 10.0.0.1:4000 > 198.51.100.1:7000", b.tell(b.nat.Inbound(b.now, e)))
		}},
		{id: "REQ-13", says: "fragmentation needed", test: func(t *testing.T) {
			// The device finds out after translation; the table gives back what it has to quote.
			b := newBench(t, Config{})
			r := b.nat.Outbound(b.now, makePacket(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000"))
			back, ok := b.nat.Undo(b.now, r.Packets[0])
			require.True(t, ok)
			require.Equal(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000", describe(back))
			require.Empty(t, badChecksums(back))
		}},
		{id: "REQ-13a", says: "packets without DF are fragmented", not: device},
		{id: "REQ-14", says: "fragments in and out of order", test: func(t *testing.T) {
			for name, order := range map[string][]int{"in": {0, 1, 2, 3}, "out": {2, 0, 3, 1}, "last first": {3, 2, 1, 0}} {
				b := newBench(t, Config{})
				b.path("out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
				f := cut(makePayload(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000", make([]byte, 1000)), 256)
				require.Len(t, f, 4)
				require.Equal(t, "udp 203.0.113.1:4001 > 198.51.100.1:7000", together(t, b.nat.Outbound, b.now, f, order), name)
				f = cut(makePayload(t, "udp 198.51.100.1:7000 > 203.0.113.1:4001", make([]byte, 1000)), 256)
				require.Equal(t, "udp 198.51.100.1:7000 > 10.0.0.1:4000", together(t, b.nat.Inbound, b.now, f, order), name)
			}
		}},
		{id: "REQ-14", says: "what breaks it: in order alone, or none", test: func(t *testing.T) {
			f := cut(makePayload(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000", make([]byte, 1000)), 256)
			b := newBench(t, Config{Fragments: Fragments{Mode: InOrder}})
			require.Equal(t, "a fragment before the first one of its datagram", b.tell(b.nat.Outbound(0, f[1])))
			require.Equal(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000 at 0+", b.tell(b.nat.Outbound(0, f[0])))
			require.Equal(t, "17 203.0.113.1 > 198.51.100.1 at 512+", b.tell(b.nat.Outbound(0, f[2])))
			f = cut(makePayload(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000", make([]byte, 1000)), 256)
			b = newBench(t, Config{Fragments: Fragments{Mode: NoFragments}})
			require.Equal(t, "a fragment", b.tell(b.nat.Outbound(0, f[0])))
		}},
		{id: "REQ-14a", says: "fragments that never become whole do not keep others out", test: func(t *testing.T) {
			b := newBench(t, Config{Fragments: Fragments{HoldTotal: 8, HoldEach: 4, Datagrams: 16}})
			for i := range 1000 {
				f := cut(makePayload(t, fmt.Sprintf("udp 198.51.100.%d:7000 > 203.0.113.1:4000", i%250+1), make([]byte, 1000)), 256)
				b.nat.Inbound(b.now, f[i%3+1])
				require.LessOrEqual(t, b.nat.heldFragments, 8)
				require.LessOrEqual(t, b.nat.datagrams.live(), 16)
			}
			b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
			f := cut(makePayload(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000", make([]byte, 1000)), 256)
			require.Equal(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000", together(t, b.nat.Outbound, b.now, f, []int{0, 1, 2, 3}))
			b.wait(15 * time.Second) // what was held goes
			b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
			require.Zero(t, b.nat.heldFragments)
			require.Zero(t, b.nat.datagrams.live())
		}},
	})
}

// together sends fragments in an order through a translation, puts them together again and describes the packet.
func together(t *testing.T, translate func(time.Duration, []byte) Result, now time.Duration, f [][]byte, order []int) string {
	var out [][]byte
	for _, i := range order {
		r := translate(now, append([]byte{}, f[i]...))
		require.Empty(t, r.Why)
		for _, p := range r.Packets {
			require.Empty(t, badChecksums(p))
			out = append(out, append([]byte{}, p...))
		}
	}
	require.Len(t, out, len(f))
	whole := make([]byte, 20)
	for range out {
		for _, p := range out {
			if at := int(p[6]&0x1f)<<8 + int(p[7]); at*8 == len(whole)-20 {
				require.Equal(t, out[0][4:6], p[4:6])
				require.Equal(t, out[0][12:20], p[12:20])
				copy(whole, p[:20])
				whole = append(whole, p[20:]...)
				break
			}
		}
	}
	whole[2], whole[3], whole[6], whole[7] = byte(len(whole)>>8), byte(len(whole)), 0, 0
	whole[10], whole[11] = 0, 0
	sum := ^ones(whole[:20])
	whole[10], whole[11] = byte(sum>>8), byte(sum)
	require.Empty(t, badChecksums(whole))
	return describe(whole)
}
