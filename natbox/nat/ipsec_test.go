package nat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestESPDropped(t *testing.T) {
	newBench(t, Config{ICMP: ICMP{Silent: true}}).path(
		"out esp 10.0.0.1 > 198.51.100.1 #1 => ESP is not let through",
		"in esp 198.51.100.1 > 203.0.113.1 #2 => ESP is not let through",
		"out ah 10.0.0.1 > 198.51.100.1 #1 => AH is not let through",
		"in ah 198.51.100.1 > 203.0.113.1 #2 => AH is not let through",
		"out gre 10.0.0.1 > 198.51.100.1 => this protocol is not let through",
		"in gre 198.51.100.1 > 203.0.113.1 => this protocol is not let through")
}

func TestOneClient(t *testing.T) {
	for _, proto := range []string{"esp", "ah"} {
		lines := func(s ...string) []string {
			return strings.Split(strings.ReplaceAll(strings.Join(s, "\n"), "esp", proto), "\n")
		}
		config := func(keep Keep) Config {
			p := Portless{Mode: OneClient, Keep: keep}
			return Config{ICMP: ICMP{Silent: true}, ESP: p, AH: p}
		}
		t.Run(proto+": the first keeps the peer", func(t *testing.T) {
			b := newBench(t, config(KeepFirst))
			b.path(lines(
				"in esp 198.51.100.1 > 203.0.113.1 #2 => no inside host has this protocol with the remote address",
				"out esp 10.0.0.1 > 198.51.100.1 #1 => esp 203.0.113.1 > 198.51.100.1 #1",
				"in esp 198.51.100.1 > 203.0.113.1 #2 => esp 198.51.100.1 > 10.0.0.1 #2",
				"out esp 10.0.0.2 > 198.51.100.1 #3 => another inside host has this protocol with the remote address",
				"out esp 10.0.0.2 > 198.51.100.2 #3 => esp 203.0.113.1 > 198.51.100.2 #3",
				"in esp 198.51.100.2 > 203.0.113.1 #4 => esp 198.51.100.2 > 10.0.0.2 #4",
				"in esp 198.51.100.1 > 203.0.113.1 #5 => esp 198.51.100.1 > 10.0.0.1 #5",
				"wait 10m => ",
				"out esp 10.0.0.2 > 198.51.100.1 #3 => esp 203.0.113.1 > 198.51.100.1 #3")...)
			consistent(t, b.nat)
		})
		t.Run(proto+": the last takes it", func(t *testing.T) {
			b := newBench(t, config(KeepLast))
			b.path(lines(
				"out esp 10.0.0.1 > 198.51.100.1 #1 => esp 203.0.113.1 > 198.51.100.1 #1",
				"out esp 10.0.0.2 > 198.51.100.1 #3 => esp 203.0.113.1 > 198.51.100.1 #3",
				"in esp 198.51.100.1 > 203.0.113.1 #2 => esp 198.51.100.1 > 10.0.0.2 #2", // though #2 is the first host's
				"out esp 10.0.0.1 > 198.51.100.1 #1 => esp 203.0.113.1 > 198.51.100.1 #1",
				"in esp 198.51.100.1 > 203.0.113.1 #4 => esp 198.51.100.1 > 10.0.0.1 #4")...)
			require.Equal(t, []string{"0s replaced 10.0.0.1:0", "0s replaced 10.0.0.2:0"}, b.log)
			consistent(t, b.nat)
		})
		t.Run(proto+": who speaks IKE is the client", func(t *testing.T) {
			newBench(t, config(KeepFirst)).path(lines(
				"out udp 10.0.0.1:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500",
				"in esp 198.51.100.1 > 203.0.113.1 #2 => esp 198.51.100.1 > 10.0.0.1 #2")...)
		})
		t.Run(proto+": errors", func(t *testing.T) {
			b := newBench(t, config(KeepFirst))
			b.path(lines("out esp 10.0.0.1 > 198.51.100.1 #1 => esp 203.0.113.1 > 198.51.100.1 #1")...)
			e := makeError(t, 3, 4, "192.0.2.1", "203.0.113.1", makePacket(t, proto+" 203.0.113.1 > 198.51.100.1 #1")[:28])
			require.Equal(t, "error 3/4 192.0.2.1 > 10.0.0.1 about "+proto+" 10.0.0.1 > 198.51.100.1 #1", b.tell(b.nat.Inbound(0, e)))
			e = makeError(t, 3, 2, "10.0.0.1", "198.51.100.1", makePacket(t, proto+" 198.51.100.1 > 10.0.0.1 #9")[:28])
			require.Equal(t, "error 3/2 203.0.113.1 > 198.51.100.1 about "+proto+" 198.51.100.1 > 203.0.113.1 #9", b.tell(b.nat.Outbound(0, e)))
		})
	}
}

func TestOtherProtocols(t *testing.T) {
	b := newBench(t, Config{ICMP: ICMP{Silent: true}, Other: Portless{Mode: OneClient}})
	b.path("out gre 10.0.0.1 > 198.51.100.1 => 47 203.0.113.1 > 198.51.100.1",
		"in gre 198.51.100.1 > 203.0.113.1 => 47 198.51.100.1 > 10.0.0.1",
		"out dccp 10.0.0.2:1 > 198.51.100.1:2 => 33 203.0.113.1 > 198.51.100.1",
		"out gre 10.0.0.2 > 198.51.100.1 => another inside host has this protocol with the remote address")
	require.Equal(t, makePacket(t, "dccp 203.0.113.1:1 > 198.51.100.1:2"), b.nat.Outbound(0, makePacket(t, "dccp 10.0.0.2:1 > 198.51.100.1:2")).Packets[0], "RFC 5597: its checksum is over the addresses")
}

// "IPsec pass-through", and what it cannot do.
func TestBySPI(t *testing.T) {
	const (
		outA  = "out esp 10.0.0.1 > 198.51.100.1 #a1 => esp 203.0.113.1 > 198.51.100.1 #a1"
		outB  = "out esp 10.0.0.2 > 198.51.100.1 #b1 => esp 203.0.113.1 > 198.51.100.1 #b1"
		lost  = "an unknown SPI, and no inside host waits for one of the peer's"
		inOf  = "in esp 198.51.100.1 > 203.0.113.1 #%s => "
		to    = "esp 198.51.100.1 > 10.0.0.%d #%s"
		alien = "in esp 198.51.100.9 > 203.0.113.1 #aa => " + lost
	)
	in := func(spi string, host int) string {
		if host == 0 {
			return fmt.Sprintf(inOf, spi) + lost
		}
		return fmt.Sprintf(inOf+to, spi, host, spi)
	}
	c := Config{ICMP: ICMP{Silent: true}, ESP: Portless{Mode: BySPI}, AH: Portless{Mode: BySPI}}
	t.Run("one after the other", func(t *testing.T) {
		b := newBench(t, c)
		b.path(in("aa", 0), outA, alien, in("aa", 1), outB, in("bb", 2), in("aa", 1), in("bb", 2), outA, outB)
		require.Equal(t, []string{"0s bound 10.0.0.1:0", "0s bound 10.0.0.2:0"}, b.log)
		require.Len(t, b.mappings(), 2)
		consistent(t, b.nat)
		b.path("wait 10m => ", in("aa", 0))
		require.Empty(t, b.mappings())
	})
	t.Run("both at once: the answer to the second goes to the first", func(t *testing.T) {
		newBench(t, c).path(outA, outB, in("bb", 1), in("aa", 2))
	})
	t.Run("serial: the second waits until the first has got its answer", func(t *testing.T) {
		c := c
		c.ESP.Serial = true
		newBench(t, c).path(outA, "out esp 10.0.0.2 > 198.51.100.1 #b1 => another inside host waits for its first packet from the peer",
			"out esp 10.0.0.2 > 198.51.100.2 #b1 => esp 203.0.113.1 > 198.51.100.2 #b1",
			in("aa", 1), outB, in("bb", 2))
	})
	t.Run("serial: not for ever", func(t *testing.T) {
		c := c
		c.ESP.Serial = true
		newBench(t, c).path(outA, "wait 30s => ", outB, in("bb", 2))
	})
	t.Run("the peer begins with its new number first: nobody waits", func(t *testing.T) {
		newBench(t, c).path(outA, in("aa", 1), in("ab", 0), "out esp 10.0.0.1 > 198.51.100.1 #a2 => esp 203.0.113.1 > 198.51.100.1 #a2", in("ab", 1), in("aa", 1))
	})
	t.Run("the peer begins with its new number while another host waits: it gets what is not its own", func(t *testing.T) {
		newBench(t, c).path(outA, in("aa", 1), outB, in("ab", 2), in("bb", 0))
	})
	t.Run("errors", func(t *testing.T) {
		b := newBench(t, c)
		b.path(outA, outB, in("aa", 1), in("bb", 2))
		e := makeError(t, 3, 4, "192.0.2.1", "203.0.113.1", makePacket(t, "esp 203.0.113.1 > 198.51.100.1 #b1")[:28])
		require.Equal(t, "error 3/4 192.0.2.1 > 10.0.0.2 about esp 10.0.0.2 > 198.51.100.1 #b1", b.tell(b.nat.Inbound(0, e)))
		e = makeError(t, 3, 2, "10.0.0.2", "198.51.100.1", makePacket(t, "esp 198.51.100.1 > 10.0.0.2 #bb")[:28])
		require.Equal(t, "error 3/2 203.0.113.1 > 198.51.100.1 about esp 198.51.100.1 > 203.0.113.1 #bb", b.tell(b.nat.Outbound(0, e)))
		back, ok := b.nat.Undo(0, makePacket(t, "esp 203.0.113.1 > 198.51.100.1 #b1"))
		require.True(t, ok)
		require.Equal(t, makePacket(t, "esp 10.0.0.2 > 198.51.100.1 #b1"), back)
	})
	t.Run("AH by its own numbers", func(t *testing.T) {
		newBench(t, c).path("out ah 10.0.0.1 > 198.51.100.1 #a1 => ah 203.0.113.1 > 198.51.100.1 #a1", in("aa", 0),
			"in ah 198.51.100.1 > 203.0.113.1 #aa => ah 198.51.100.1 > 10.0.0.1 #aa")
	})
	t.Run("bounded", func(t *testing.T) {
		for e, made := range map[Eviction]bool{EvictNone: false, EvictOldest: true, EvictLeast: true} {
			c := c
			c.Limits = Limits{Mappings: 3, Eviction: e}
			b := newBench(t, c)
			for i := range 5 {
				got := b.out(fmt.Sprintf("esp 10.0.0.%d > 198.51.100.1 #%x", i+1, i+1))
				require.Equal(t, i < 3 || made, !strings.HasPrefix(got, "the table is full"), got)
				require.LessOrEqual(t, len(b.mappings()), 3)
				consistent(t, b.nat)
			}
		}
	})
	t.Run("several addresses: an SA stays with one", func(t *testing.T) {
		c := c
		c.Outside = addrs("203.0.113.1", "203.0.113.2")
		newBench(t, c).path(outA, "out udp 10.0.0.2:1 > 198.51.100.1:1 => udp 203.0.113.2:1 > 198.51.100.1:1", outA, in("aa", 1), outA,
			"out udp 10.0.0.1:1 > 198.51.100.1:1 => udp 203.0.113.1:1 > 198.51.100.1:1")
	})
}

// ikeMessage is a datagram that begins with an initiator's cookie.
func ikeMessage(t *testing.T, packet, cookie string) []byte {
	require.Len(t, cookie, 8)
	return makePayload(t, packet, append([]byte(cookie), make([]byte, 20)...))
}

func TestIKECookies(t *testing.T) {
	b := newBench(t, Config{IKE: IKECookies})
	out := func(host int, cookie, want string) {
		require.Equal(t, want, b.tell(b.nat.Outbound(b.now, ikeMessage(t, fmt.Sprintf("udp 10.0.0.%d:500 > 198.51.100.1:500", host), cookie))))
	}
	in := func(cookie, want string) {
		require.Equal(t, want, b.tell(b.nat.Inbound(b.now, ikeMessage(t, "udp 198.51.100.1:500 > 203.0.113.1:500", cookie))))
	}
	const left, unknown = "udp 203.0.113.1:500 > 198.51.100.1:500", noAnswer
	out(1, "cookie-A", left)
	out(2, "cookie-B", left)
	in("cookie-B", "udp 198.51.100.1:500 > 10.0.0.2:500")
	in("cookie-A", "udp 198.51.100.1:500 > 10.0.0.1:500")
	in("cookie-C", unknown) // the peer begins anew: nobody knows its cookie
	require.Equal(t, noAnswer, b.tell(b.nat.Inbound(0, ikeMessage(t, "udp 198.51.100.2:500 > 203.0.113.1:500", "cookie-A"))), "another peer")
	b.path("out udp 10.0.0.1:501 > 198.51.100.1:500 => udp 203.0.113.1:501 > 198.51.100.1:500", // none of its affair
		"out udp 10.0.0.1:4500 > 198.51.100.1:4500 => udp 203.0.113.1:4500 > 198.51.100.1:4500",
		"out udp 10.0.0.2:4500 > 198.51.100.1:4500 => udp 203.0.113.1:4501 > 198.51.100.1:4500")
	require.Len(t, b.mappings(), 5)

	// An error is for the host whose cookie it quotes; what quotes eight octets has none.
	q := ikeMessage(t, "udp 203.0.113.1:500 > 198.51.100.1:500", "cookie-B")
	e := makeError(t, 3, 3, "198.51.100.1", "203.0.113.1", q)
	require.Equal(t, "error 3/3 198.51.100.1 > 10.0.0.2 about udp 10.0.0.2:500 > 198.51.100.1:500", b.tell(b.nat.Inbound(0, e)))
	e = makeError(t, 3, 3, "198.51.100.1", "203.0.113.1", q[:28])
	require.Equal(t, aboutNone+"; own", b.tell(b.nat.Inbound(0, e)))
	e = makeError(t, 3, 3, "10.0.0.2", "198.51.100.1", ikeMessage(t, "udp 198.51.100.1:500 > 10.0.0.2:500", "cookie-B"))
	require.Equal(t, "error 3/3 203.0.113.1 > 198.51.100.1 about udp 198.51.100.1:500 > 203.0.113.1:500", b.tell(b.nat.Outbound(0, e)))
	back, ok := b.nat.Undo(0, ikeMessage(t, "udp 203.0.113.1:500 > 198.51.100.1:500", "cookie-A"))
	require.True(t, ok)
	require.Equal(t, "udp 10.0.0.1:500 > 198.51.100.1:500", describe(back))

	out(2, "cookie-A", left) // another host says the same: it has it from then on
	in("cookie-A", "udp 198.51.100.1:500 > 10.0.0.2:500")
	require.Equal(t, []string{"0s replaced 10.0.0.1:500"}, b.log)
	b.wait(5 * time.Minute)
	in("cookie-B", unknown)
	consistent(t, b.nat)
	require.Empty(t, b.mappings())
}

// A server that is published at port 500 is reached from the inside and from the outside.
func TestIKECookiesAndServer(t *testing.T) {
	b := newBench(t, Config{IKE: IKECookies, Forwards: []Forward{server(udp, 500, 0, "10.0.0.9:500")}})
	hairpin := func(packet, want string) {
		require.Equal(t, want, b.tell(b.nat.Hairpin(0, ikeMessage(t, packet, "cookie-A"))))
	}
	hairpin("udp 10.0.0.1:500 > 203.0.113.1:500", "udp 203.0.113.1:500 > 10.0.0.9:500")
	hairpin("udp 10.0.0.9:500 > 203.0.113.1:500", "udp 203.0.113.1:500 > 10.0.0.1:500")
	hairpin("udp 10.0.0.1:500 > 203.0.113.1:500", "udp 203.0.113.1:500 > 10.0.0.9:500")
	require.Equal(t, "udp 198.51.100.1:500 > 10.0.0.9:500", b.tell(b.nat.Inbound(0, ikeMessage(t, "udp 198.51.100.1:500 > 203.0.113.1:500", "cookie-X"))))
	require.Equal(t, "udp 203.0.113.1:500 > 198.51.100.1:500", b.tell(b.nat.Outbound(0, ikeMessage(t, "udp 10.0.0.9:500 > 198.51.100.1:500", "cookie-X"))))
	require.Equal(t, "udp 203.0.113.1:500 > 198.51.100.1:500", b.tell(b.nat.Outbound(0, ikeMessage(t, "udp 10.0.0.2:500 > 198.51.100.1:500", "cookie-B"))))
	require.Equal(t, "udp 198.51.100.1:500 > 10.0.0.2:500", b.tell(b.nat.Inbound(0, ikeMessage(t, "udp 198.51.100.1:500 > 203.0.113.1:500", "cookie-B"))))
}

func TestIKEWithoutCookies(t *testing.T) {
	// As any UDP: the second host's source port is another one, which RFC 3947, Section 4 has a peer accept.
	newBench(t, Config{}).path(
		"out udp 10.0.0.1:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500",
		"out udp 10.0.0.2:500 > 198.51.100.1:500 => udp 203.0.113.1:1024 > 198.51.100.1:500",
		"in udp 198.51.100.1:500 > 203.0.113.1:500 => udp 198.51.100.1:500 > 10.0.0.1:500",
		"in udp 198.51.100.1:500 > 203.0.113.1:1024 => udp 198.51.100.1:500 > 10.0.0.2:500")
}

func TestIKEPortFaults(t *testing.T) {
	one := "out udp 10.0.0.1:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500"
	two := "out udp 10.0.0.2:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500"
	other := "out udp 10.0.0.2:500 > 198.51.100.2:500 => udp 203.0.113.1:500 > 198.51.100.2:500"
	to := func(from, host string) string {
		return "in udp " + from + ":500 > 203.0.113.1:500 => udp " + from + ":500 > 10.0.0." + host + ":500"
	}
	for _, f := range []Dependence{EndpointIndependent, AddressAndPortDependent} {
		c := Config{UDP: Behaviour{Mapping: f, Filtering: EndpointIndependent}}
		t.Run(fmt.Sprintf("kept for all, mapping %v: who sent last gets the answers", f), func(t *testing.T) {
			c.IKE = IKEKeepPort
			b := newBench(t, c)
			b.path(one, two, to("198.51.100.1", "2"), one, to("198.51.100.1", "1"), other, to("198.51.100.2", "2"),
				"out udp 10.0.0.1:4500 > 198.51.100.1:4500 => udp 203.0.113.1:4500 > 198.51.100.1:4500",
				"out udp 10.0.0.2:4500 > 198.51.100.1:4500 => udp 203.0.113.1:4501 > 198.51.100.1:4500")
			consistent(t, b.nat)
		})
		t.Run(fmt.Sprintf("kept for all, mapping %v: the first gets the answers", f), func(t *testing.T) {
			c.IKE, c.IKEPorts = IKEOneHost, []uint16{500, 4500}
			b := newBench(t, c)
			b.path(one, two, to("198.51.100.1", "1"), two, to("198.51.100.1", "1"),
				"out udp 10.0.0.1:4500 > 198.51.100.1:4500 => udp 203.0.113.1:4500 > 198.51.100.1:4500",
				"out udp 10.0.0.2:4500 > 198.51.100.1:4500 => udp 203.0.113.1:4500 > 198.51.100.1:4500",
				"in udp 198.51.100.1:4500 > 203.0.113.1:4500 => udp 198.51.100.1:4500 > 10.0.0.1:4500",
				"wait 4m => ", two, "wait 1m => ", two, to("198.51.100.1", "2"))
			consistent(t, b.nat)
		})
	}
}
