package nat

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The updates, by section; those that have no number there have none here.
func TestRFC7857(t *testing.T) {
	meet(t, "Section ", 12, []requirement{
		{id: "Section 1", says: "scope", not: "says nothing to a NAT"},
		{id: "Section 2.1", says: "the state machine of TCP, with times of their own for opening and closing", test: func(t *testing.T) {
			b := newBench(t, Config{Timeouts: Timeouts{TCPOpening: time.Minute, TCPClosing: 2 * time.Minute}})
			b.path(connect)
			require.Equal(t, time.Minute, b.nat.Sessions(b.now)[0].Expires)
			b.path(accept, outFIN, inFIN)
			require.Equal(t, 2*time.Minute, b.nat.Sessions(b.now)[0].Expires)
			b.path("wait 1m => ", outData, inData)
			require.Equal(t, 2*time.Minute, b.nat.Sessions(b.now)[0].Expires, "after both FIN, nothing keeps it")
		}},
		{id: "Section 2.2", says: "a RST is translated, and its session stays for four minutes", test: func(t *testing.T) {
			for _, line := range []string{outRST, inRST} {
				b := newBench(t, Config{})
				b.path(connect, accept, "wait 1h => ", line)
				require.Equal(t, "reset", b.state())
				b.path(line, "wait 3m59.999s => ")
				require.Equal(t, "reset", b.state())
				b.wait(time.Millisecond)
				require.Equal(t, "none", b.state())
			}
		}},
		{id: "Section 2.2", says: "and another segment brings it back", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect, accept, inRST, "wait 3m => ", outData)
			require.Equal(t, "established", b.state())
			b.path("wait 2h => ", inData)
		}},
		{id: "Section 2.2", says: "what breaks it: a RST ends the session at once", test: func(t *testing.T) {
			b := newBench(t, Config{TCPRules: TCPRules{Reset: ResetEnds, MidStream: MidStreamDrop}})
			b.path(connect, accept, inRST)
			require.Equal(t, "none", b.state())
			require.Equal(t, []string{"0s closed 10.0.0.1:4000"}, b.log)
			b.path("out tcp 10.0.0.1:4000 > 198.51.100.1:80 A => " + unlinked)
		}},
		{id: "Section 3", says: "port overlapping: one port for two hosts with other remote endpoints", test: func(t *testing.T) {
			c := Config{Ports: Ports{Collision: Share}}
			c.UDP, c.TCP = Behaviour{AddressAndPortDependent, AddressAndPortDependent}, Behaviour{AddressAndPortDependent, AddressAndPortDependent}
			newBench(t, c).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.2:4000 > 198.51.100.2:7000 => udp 203.0.113.1:4000 > 198.51.100.2:7000",
				"out udp 10.0.0.3:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4001 > 198.51.100.1:7000",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4000 => udp 198.51.100.1:7000 > 10.0.0.1:4000",
				"in udp 198.51.100.2:7000 > 203.0.113.1:4000 => udp 198.51.100.2:7000 > 10.0.0.2:4000",
				"in udp 198.51.100.1:7000 > 203.0.113.1:4001 => udp 198.51.100.1:7000 > 10.0.0.3:4000",
				"in udp 198.51.100.3:7000 > 203.0.113.1:4000 => "+notLetIn)
		}},
		{id: "Section 3", says: "and of queries, when they depend on the remote host", test: func(t *testing.T) {
			for mapping, second := range map[Dependence]string{EndpointIndependent: "78", AddressDependent: "77"} {
				c := Config{Ports: Ports{Collision: Share}, ICMP: ICMP{Behaviour: Behaviour{Mapping: mapping}}}
				c.UDP, c.TCP = Behaviour{AddressAndPortDependent, AddressAndPortDependent}, Behaviour{AddressAndPortDependent, AddressAndPortDependent}
				newBench(t, c).path(ping, "out echo 10.0.0.2:77 > 198.51.100.2 => echo 203.0.113.1:"+second+" > 198.51.100.2",
					"in reply 198.51.100.2 > 203.0.113.1:"+second+" => reply 198.51.100.2 > 10.0.0.2:77", pong,
					"out echo 10.0.0.3:77 > 198.51.100.1 => echo 203.0.113.1:"+map[string]string{"78": "79", "77": "78"}[second]+" > 198.51.100.1")
			}
		}},
		{id: "Section 4", says: "paired pooling: no other address when the ports are used up, unless set", test: func(t *testing.T) {
			for pooling, want := range map[Pooling]string{
				Paired:     "no outside port is free; answer error 3/13 203.0.113.1 > 10.0.0.1 about udp 10.0.0.1:4001 > 198.51.100.1:7000",
				PairedSoft: "udp 203.0.113.2:1024 > 198.51.100.1:7000",
			} {
				newBench(t, Config{Outside: addrs("203.0.113.1", "203.0.113.2"), Pooling: pooling, Ports: Ports{First: 1024, Last: 1024}}).path(
					"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000",
					"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => "+want)
			}
		}},
		{id: "Section 5", says: "mappings of UDP and TCP are apart", test: func(t *testing.T) {
			newBench(t, Config{Ports: Ports{Assignment: Sequential}}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:80 => udp 203.0.113.1:1024 > 198.51.100.1:80",
				"out udp 10.0.0.1:4001 > 198.51.100.1:80 => udp 203.0.113.1:1025 > 198.51.100.1:80",
				"out tcp 10.0.0.1:4001 > 198.51.100.1:80 S => tcp 203.0.113.1:1024 > 198.51.100.1:80 S")
		}},
		{id: "Section 6", says: "filters of UDP and TCP are apart", test: func(t *testing.T) {
			c := Config{}
			c.UDP.Filtering, c.TCP.Filtering = AddressDependent, AddressDependent
			newBench(t, c).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:80 => udp 203.0.113.1:4000 > 198.51.100.1:80",
				"out tcp 10.0.0.1:4000 > 198.51.100.2:80 S => tcp 203.0.113.1:4000 > 198.51.100.2:80 S",
				"in tcp 198.51.100.1:81 > 203.0.113.1:4000 S => "+notLetIn,
				"in udp 198.51.100.2:81 > 203.0.113.1:4000 => "+notLetIn)
		}},
		{id: "Section 7", says: "inbound packets do not keep an open mapping by default", test: func(t *testing.T) {
			newBench(t, Config{}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:80 => udp 203.0.113.1:4000 > 198.51.100.1:80",
				"wait 3m => ", "in udp 198.51.100.2:80 > 203.0.113.1:4000 => udp 198.51.100.2:80 > 10.0.0.1:4000",
				"wait 2m => ", "in udp 198.51.100.2:80 > 203.0.113.1:4000 => "+noAnswer)
		}},
		{id: "Section 7.1", says: "outbound errors and RST do not keep a mapping", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path("out udp 10.0.0.1:4000 > 198.51.100.1:80 => udp 203.0.113.1:4000 > 198.51.100.1:80", "wait 4m => ")
			require.Empty(t, b.nat.Outbound(b.now, makeError(t, 3, 3, "10.0.0.1", "198.51.100.1", makePacket(t, "udp 198.51.100.1:80 > 10.0.0.1:4000"))).Why)
			b.path("wait 1m => ", "in udp 198.51.100.1:80 > 203.0.113.1:4000 => "+noAnswer)

			b = newBench(t, Config{})
			b.path(connect, "wait 3m => ", outRST, "wait 1m => ")
			require.Equal(t, "none", b.state(), "of a connection that is not open")
			b.path(connect, accept, "wait 2h3m => ", outRST)
			require.Equal(t, b.now+4*time.Minute, b.nat.Sessions(b.now)[0].Expires)
		}},
		{id: "Section 8", says: "parity may be disabled, and is unless set", test: func(t *testing.T) {
			newBench(t, Config{}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:80 => udp 203.0.113.1:4000 > 198.51.100.1:80",
				"out udp 10.0.0.2:4000 > 198.51.100.1:80 => udp 203.0.113.1:4001 > 198.51.100.1:80")
		}},
		{id: "Section 9", says: "ports at random", test: func(t *testing.T) {
			b := newBench(t, Config{Ports: Ports{Assignment: Random, First: 2048, Last: 4095}})
			in := make([]int, 2048)
			for i := range 2048 {
				b.out(fmt.Sprintf("udp 10.0.%d.1:4000 > 198.51.100.1:7000", i/8) + "")
				b.out(fmt.Sprintf("udp 10.1.%d.%d:4000 > 198.51.100.1:7000", i/8, i%8+1))
			}
			runs := 0
			last := uint16(0)
			for _, m := range b.nat.Mappings(b.now) {
				port := m.Outside.Port()
				require.Zero(t, in[port-2048], "each port once")
				in[port-2048]++
				if port == last+1 {
					runs++
				}
				last = port
			}
			require.Less(t, runs, 600, "ports that follow each other")
		}},
		{id: "Section 10", says: "identifications of the box's own for what may be fragmented", test: func(t *testing.T) {
			b := newBench(t, Config{RewriteID: true})
			id := func(p []byte) uint16 { return ipv4(p).id() }
			one := b.nat.Outbound(0, makePacket(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000")).Packets[0]
			two := b.nat.Outbound(0, makePacket(t, "udp 10.0.0.2:4000 > 198.51.100.1:7000")).Packets[0]
			require.NotEqual(t, id(one), id(two), "though both hosts gave the same")
			require.Empty(t, badChecksums(two))
			p := makePacket(t, "udp 10.0.0.2:4000 > 198.51.100.1:7000")
			p[6] |= 0x40
			p[10], p[11] = 0, 0
			sum := ^ones(p[:20])
			p[10], p[11] = byte(sum>>8), byte(sum)
			require.Equal(t, uint16(4711), id(b.nat.Outbound(0, p).Packets[0]), "DF: atomic")
			f := cut(makePayload(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000", make([]byte, 1000)), 256)
			require.Equal(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000", together(t, b.nat.Outbound, 0, f, []int{1, 0, 2, 3}))
		}},
		{id: "Section 11", says: "the time of a query's mapping, from the last query", test: func(t *testing.T) {
			newBench(t, Config{}).path(ping, "wait 50s => ", pong, "wait 10s => ", "in reply 198.51.100.1 > 203.0.113.1:77 => "+noAnswer)
		}},
		{id: "Section 12", says: "hairpinned queries", not: "REQ-7 of RFC 5508 has them"},
	})
}
