package nat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	connect  = "out tcp 10.0.0.1:4000 > 198.51.100.1:80 S => tcp 203.0.113.1:4000 > 198.51.100.1:80 S"
	accept   = "in tcp 198.51.100.1:80 > 203.0.113.1:4000 SA => tcp 198.51.100.1:80 > 10.0.0.1:4000 SA"
	outData  = "out tcp 10.0.0.1:4000 > 198.51.100.1:80 A => tcp 203.0.113.1:4000 > 198.51.100.1:80 A"
	inData   = "in tcp 198.51.100.1:80 > 203.0.113.1:4000 A => tcp 198.51.100.1:80 > 10.0.0.1:4000 A"
	outFIN   = "out tcp 10.0.0.1:4000 > 198.51.100.1:80 FA => tcp 203.0.113.1:4000 > 198.51.100.1:80 FA"
	inFIN    = "in tcp 198.51.100.1:80 > 203.0.113.1:4000 FA => tcp 198.51.100.1:80 > 10.0.0.1:4000 FA"
	outRST   = "out tcp 10.0.0.1:4000 > 198.51.100.1:80 R => tcp 203.0.113.1:4000 > 198.51.100.1:80 R"
	inRST    = "in tcp 198.51.100.1:80 > 203.0.113.1:4000 R => tcp 198.51.100.1:80 > 10.0.0.1:4000 R"
	noTCP    = "no mapping has this outside endpoint"
	unlinked = "a TCP segment of no connection"
)

// state is that of the only connection.
func (b *bench) state() string {
	s := b.nat.Sessions(b.now)
	if len(s) == 0 {
		return "none"
	}
	require.Len(b.t, s, 1)
	return s[0].State
}

func TestRFC5382(t *testing.T) {
	meet(t, "REQ-", 10, []requirement{
		{id: "REQ-1", says: "endpoint-independent mapping, independent of UDP's", test: func(t *testing.T) {
			newBench(t, Config{UDP: Behaviour{Mapping: AddressAndPortDependent}, Ports: Ports{Assignment: Sequential}}).path(
				"out tcp 10.0.0.1:4000 > 198.51.100.1:80 S => tcp 203.0.113.1:1024 > 198.51.100.1:80 S",
				"out tcp 10.0.0.1:4000 > 198.51.100.2:81 S => tcp 203.0.113.1:1024 > 198.51.100.2:81 S",
				"out udp 10.0.0.1:4000 > 198.51.100.1:80 => udp 203.0.113.1:1024 > 198.51.100.1:80",
				"out udp 10.0.0.1:4000 > 198.51.100.2:81 => udp 203.0.113.1:1025 > 198.51.100.2:81")
		}},
		{id: "REQ-2", says: "the three-way handshake from the inside, and the end", test: func(t *testing.T) {
			b := newBench(t, Config{})
			for _, x := range [][2]string{
				{connect, "syn-out"}, {accept, "established"}, {outData, "established"}, {inData, "established"},
				{inFIN, "fin-in"}, {outData, "fin-in"}, {inFIN, "fin-in"}, {outFIN, "closing"}, {inData, "closing"},
			} {
				b.path(x[0])
				require.Equal(t, x[1], b.state(), x[0])
			}
		}},
		{id: "REQ-2", says: "the three-way handshake from the outside", test: func(t *testing.T) {
			b := newBench(t, Config{}) // another connection has made the mapping
			b.path("out tcp 10.0.0.1:4000 > 198.51.100.9:80 S => tcp 203.0.113.1:4000 > 198.51.100.9:80 S",
				"in tcp 198.51.100.1:80 > 203.0.113.1:4000 S => tcp 198.51.100.1:80 > 10.0.0.1:4000 S",
				"out tcp 10.0.0.1:4000 > 198.51.100.1:80 SA => tcp 203.0.113.1:4000 > 198.51.100.1:80 SA", inData)
			require.Equal(t, "established", b.nat.Sessions(b.now)[0].State)
		}},
		{id: "REQ-2a", says: "simultaneous open", test: func(t *testing.T) {
			for _, f := range []Dependence{EndpointIndependent, AddressDependent, AddressAndPortDependent} {
				b := newBench(t, Config{TCP: Behaviour{Filtering: f}})
				b.path(connect, "in tcp 198.51.100.1:80 > 203.0.113.1:4000 S => tcp 198.51.100.1:80 > 10.0.0.1:4000 S")
				require.Equal(t, "established", b.state())
				b.path("out tcp 10.0.0.1:4000 > 198.51.100.1:80 SA => tcp 203.0.113.1:4000 > 198.51.100.1:80 SA", accept, outData)
				require.Equal(t, "established", b.state())
			}
		}},
		{id: "REQ-3", says: "filtering, as set", test: func(t *testing.T) {
			for f, let := range map[Dependence][3]bool{
				EndpointIndependent:     {true, true, true},
				AddressDependent:        {true, true, false},
				AddressAndPortDependent: {true, false, false},
			} {
				b := newBench(t, Config{TCP: Behaviour{Filtering: f}})
				b.path(connect)
				for i, from := range []string{"198.51.100.1:80", "198.51.100.1:81", "198.51.100.2:80"} {
					want := "the mapping does not let this remote endpoint in"
					if let[i] {
						want = "tcp " + from + " > 10.0.0.1:4000 S"
					}
					require.Equal(t, want, b.in("tcp "+from+" > 203.0.113.1:4000 S"), "%v", f)
				}
			}
		}},
		{id: "REQ-3b", says: "independent of UDP's", test: func(t *testing.T) {
			newBench(t, Config{TCP: Behaviour{Filtering: AddressDependent}}).path(connect,
				"out udp 10.0.0.1:4000 > 198.51.100.1:80 => udp 203.0.113.1:4000 > 198.51.100.1:80",
				"in tcp 198.51.100.2:80 > 203.0.113.1:4000 S => the mapping does not let this remote endpoint in",
				"in udp 198.51.100.2:80 > 203.0.113.1:4000 => udp 198.51.100.2:80 > 10.0.0.1:4000")
		}},
		{id: "REQ-4", says: "an unsolicited SYN is answered after six seconds, not before", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path("in tcp 198.51.100.1:80 > 203.0.113.1:4000 S => "+noTCP, "wait 1s => ",
				"in tcp 198.51.100.1:80 > 203.0.113.1:4000 S => "+noTCP, "wait 4.999999999s => ")
			at, ok := b.nat.Deadline()
			require.True(t, ok)
			require.Equal(t, 6*time.Second, at)
			require.Empty(t, b.nat.Expire(b.now))
			answers := b.nat.Expire(at)
			require.Len(t, answers, 1, "for both: the second is the first, again")
			require.Equal(t, "error 3/3 203.0.113.1 > 198.51.100.1 about tcp 198.51.100.1:80 > 203.0.113.1:4000 S", describe(answers[0]))
			require.Empty(t, badChecksums(answers[0]))
			_, ok = b.nat.Deadline()
			require.False(t, ok)
		}},
		{id: "REQ-4", says: "and not at all when a SYN goes out meanwhile", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path("in tcp 198.51.100.1:80 > 203.0.113.1:4000 S => "+noTCP, "wait 5s => ", connect)
			require.Empty(t, b.nat.Expire(6*time.Second))
			b.path("in tcp 198.51.100.1:80 > 203.0.113.1:4000 S => tcp 198.51.100.1:80 > 10.0.0.1:4000 S")
			require.Equal(t, "established", b.state())
		}},
		{id: "REQ-4", says: "of a mapping that filters, as well", test: func(t *testing.T) {
			b := newBench(t, Config{TCP: Behaviour{Filtering: AddressDependent}})
			b.path(connect, "in tcp 198.51.100.2:80 > 203.0.113.1:4000 S => the mapping does not let this remote endpoint in")
			require.Len(t, b.nat.Expire(6*time.Second), 1)
		}},
		{id: "REQ-4", says: "what waits is bounded", test: func(t *testing.T) {
			b := newBench(t, Config{Limits: Limits{Held: 2}})
			for _, port := range []string{"1", "2", "3"} {
				b.path("in tcp 198.51.100.1:80 > 203.0.113.1:" + port + " S => " + noTCP)
			}
			require.Len(t, b.nat.Expire(6*time.Second), 2)
		}},
		{id: "REQ-4a", says: "silently, if that is the policy", test: func(t *testing.T) {
			for _, c := range []Config{{TCPRules: TCPRules{Unsolicited: UnsolicitedSilent}}, {ICMP: ICMP{Silent: true}}} {
				b := newBench(t, c)
				b.path("in tcp 198.51.100.1:80 > 203.0.113.1:4000 S => " + noTCP)
				require.Empty(t, b.nat.Expire(time.Hour))
			}
		}},
		{id: "REQ-4", says: "what breaks it: ICMP or RST at once", test: func(t *testing.T) {
			newBench(t, Config{TCPRules: TCPRules{Unsolicited: UnsolicitedICMP}}).path(
				"in tcp 198.51.100.1:80 > 203.0.113.1:4000 S => " + noTCP +
					"; answer error 3/3 203.0.113.1 > 198.51.100.1 about tcp 198.51.100.1:80 > 203.0.113.1:4000 S")
			b := newBench(t, Config{TCPRules: TCPRules{Unsolicited: UnsolicitedReset}})
			r := b.nat.Inbound(0, makePacket(t, "tcp 198.51.100.1:80 > 203.0.113.1:4000 S"))
			require.Equal(t, noTCP+"; answer tcp 203.0.113.1:4000 > 198.51.100.1:80 RA", b.tell(r))
			require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 1033 >> 8, 1033 & 255}, r.Answer[24:32], "acknowledges the SYN and its 32 octets")
		}},
		{id: "REQ-5", says: "two hours and four minutes when established, four minutes before", test: func(t *testing.T) {
			for _, x := range []struct {
				lines []string
				lives time.Duration
			}{
				{[]string{connect}, 4 * time.Minute},
				{[]string{connect, accept}, 2*time.Hour + 4*time.Minute},
				{[]string{connect, accept, outFIN}, 2*time.Hour + 4*time.Minute},
				{[]string{connect, accept, outFIN, inFIN}, 4 * time.Minute},
			} {
				b := newBench(t, Config{})
				b.path(x.lines...)
				b.wait(x.lives - 1)
				require.Len(t, b.mappings(), 1, "%v", x.lines)
				b.wait(1)
				require.Empty(t, b.mappings(), "%v", x.lines)
			}
		}},
		{id: "REQ-5", says: "each direction counts as activity", test: func(t *testing.T) {
			for _, line := range []string{outData, inData} {
				newBench(t, Config{}).path(connect, accept, "wait 2h3m => ", line, "wait 2h3m => ", line)
			}
		}},
		{id: "REQ-5a", says: "the times can be set", test: func(t *testing.T) {
			newBench(t, Config{Timeouts: Timeouts{TCPOpening: 20 * time.Second, TCPEstablished: time.Hour, TCPClosing: 10 * time.Second}}).path(
				connect, "wait 19s => ", accept, "wait 59m => ", outFIN, inFIN, "wait 9s => ", inData, "wait 1s => ",
				"in tcp 198.51.100.1:80 > 203.0.113.1:4000 A => "+noAnswer)
		}},
		{id: "REQ-6", says: "gateways of applications are off", not: "there is none that affects TCP, so that one of FTP would have to be the lab's own application"},
		{id: "REQ-7", says: "no port overloading", test: func(t *testing.T) {
			b := newBench(t, Config{Ports: Ports{First: 1024, Last: 1025}})
			b.path(
				"out tcp 10.0.0.1:1024 > 198.51.100.1:80 S => tcp 203.0.113.1:1024 > 198.51.100.1:80 S",
				"out tcp 10.0.0.2:1024 > 198.51.100.1:80 S => tcp 203.0.113.1:1025 > 198.51.100.1:80 S",
				"out tcp 10.0.0.3:1024 > 198.51.100.2:80 S => no outside port is free; "+
					"answer error 3/13 203.0.113.1 > 10.0.0.3 about tcp 10.0.0.3:1024 > 198.51.100.2:80 S")
		}},
		{id: "REQ-8", says: "hairpinning, and REQ-8a: from the outside endpoint", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect,
				"hairpin tcp 10.0.0.2:4000 > 203.0.113.1:4000 S => tcp 203.0.113.1:4001 > 10.0.0.1:4000 S",
				"hairpin tcp 10.0.0.1:4000 > 203.0.113.1:4001 SA => tcp 203.0.113.1:4000 > 10.0.0.2:4000 SA",
				"hairpin tcp 10.0.0.2:4000 > 203.0.113.1:4000 A => tcp 203.0.113.1:4001 > 10.0.0.1:4000 A")
			n := 0
			for _, s := range b.nat.Sessions(b.now) {
				if s.State == "established" {
					n++
				}
			}
			require.Equal(t, 2, n, "one for each end")
		}},
		{id: "REQ-9", says: "destination unreachable", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect)
			for code := range uint8(14) {
				e := makeError(t, 3, code, "192.0.2.1", "203.0.113.1", makePacket(t, "tcp 203.0.113.1:4000 > 198.51.100.1:80 S")[:28])
				require.Equal(t, describe(makeError(t, 3, code, "192.0.2.1", "10.0.0.1", makePacket(t, "tcp 10.0.0.1:4000 > 198.51.100.1:80 S")[:28])), b.tell(b.nat.Inbound(0, e)))
			}
		}},
		{id: "REQ-10", says: "no ICMP message ends a mapping or connection", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect, accept)
			for typ := range uint8(20) {
				for code := range uint8(16) {
					b.nat.Inbound(b.now, makeError(t, typ, code, "198.51.100.1", "203.0.113.1", makePacket(t, "tcp 203.0.113.1:4000 > 198.51.100.1:80 A")))
					b.nat.Outbound(b.now, makeError(t, typ, code, "10.0.0.1", "198.51.100.1", makePacket(t, "tcp 198.51.100.1:80 > 10.0.0.1:4000 A")))
				}
			}
			require.Equal(t, "established", b.state())
			b.path(inData)
		}},
	})
}
