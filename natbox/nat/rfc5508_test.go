package nat

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	ping      = "out echo 10.0.0.1:77 > 198.51.100.1 => echo 203.0.113.1:77 > 198.51.100.1"
	pong      = "in reply 198.51.100.1 > 203.0.113.1:77 => reply 198.51.100.1 > 10.0.0.1:77"
	badIsBad  = "an ICMP error with a bad checksum, or a bad quote"
	aboutNone = "an ICMP error about a packet that no mapping has"
	refused   = "; answer error 3/13 203.0.113.1 > 10.0.0.1 about "
)

// withOptions puts options into the header of a packet.
func withOptions(p []byte, options ...byte) []byte {
	out := append(append(append([]byte{}, p[:20]...), options...), p[20:]...)
	out[0] += byte(len(options) / 4)
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	out[10], out[11] = 0, 0
	binary.BigEndian.PutUint16(out[10:], ^ones(out[:20+len(options)]))
	return out
}

func TestRFC5508(t *testing.T) {
	meet(t, "REQ-", 11, []requirement{
		{id: "REQ-1", says: "queries from the inside, and what answers them", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(ping, pong,
				"out echo 10.0.0.2:77 > 198.51.100.1 => echo 203.0.113.1:78 > 198.51.100.1",
				"in reply 198.51.100.1 > 203.0.113.1:78 => reply 198.51.100.1 > 10.0.0.2:77",
				"in reply 198.51.100.1 > 203.0.113.1:79 => "+noAnswer,
				"in echo 198.51.100.1:77 > 203.0.113.1 => "+noAnswer)
			for query, reply := range map[byte]byte{13: 14, 15: 16, 17: 18} {
				p := makePacket(t, "echo 10.0.0.1:77 > 198.51.100.1")
				retype(p, query)
				r := b.nat.Outbound(0, p)
				require.Empty(t, r.Why)
				require.Empty(t, badChecksums(r.Packets[0]))
				p = makePacket(t, "reply 198.51.100.1 > 203.0.113.1:77")
				retype(p, reply)
				r = b.nat.Inbound(0, p)
				require.Empty(t, r.Why)
				require.Empty(t, badChecksums(r.Packets[0]))
			}
		}},
		{id: "REQ-1", says: "unless local policy says otherwise", test: func(t *testing.T) {
			newBench(t, Config{ICMP: ICMP{NoQueries: true}}).path(
				"out echo 10.0.0.1:77 > 198.51.100.1 => ICMP queries are not let out" + refused + "echo 10.0.0.1:77 > 198.51.100.1")
		}},
		{id: "REQ-1a", says: "mappings do not depend on the remote host, unless set", test: func(t *testing.T) {
			newBench(t, Config{}).path(ping, "out echo 10.0.0.1:77 > 198.51.100.2 => echo 203.0.113.1:77 > 198.51.100.2",
				"in reply 198.51.100.3 > 203.0.113.1:77 => reply 198.51.100.3 > 10.0.0.1:77")
			newBench(t, Config{ICMP: ICMP{Behaviour: Behaviour{AddressDependent, AddressDependent}}}).path(
				ping, "out echo 10.0.0.1:77 > 198.51.100.2 => echo 203.0.113.1:78 > 198.51.100.2",
				"in reply 198.51.100.2 > 203.0.113.1:77 => "+notLetIn, pong)
		}},
		{id: "REQ-2", says: "sixty seconds at least, from the last query", test: func(t *testing.T) {
			newBench(t, Config{}).path(ping, "wait 59s => ", ping, "wait 59s => ", pong, "wait 1s => ",
				"in reply 198.51.100.1 > 203.0.113.1:77 => "+noAnswer)
		}},
		{id: "REQ-2a", says: "the time can be set", test: func(t *testing.T) {
			newBench(t, Config{Timeouts: Timeouts{ICMP: 10 * time.Second}}).path(ping, "wait 10s => ",
				"in reply 198.51.100.1 > 203.0.113.1:77 => "+noAnswer)
		}},
		{id: "REQ-3", says: "an error with a bad checksum is dropped", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect)
			e := makeError(t, 3, 1, "192.0.2.1", "203.0.113.1", makePacket(t, "tcp 203.0.113.1:4000 > 198.51.100.1:80 S")[:28])
			e[22] ^= 1
			require.Equal(t, badIsBad, b.tell(b.nat.Inbound(0, e)))
		}},
		{id: "REQ-3a", says: "and one whose quote has a bad header checksum", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect)
			q := makePacket(t, "tcp 203.0.113.1:4000 > 198.51.100.1:80 S")[:28]
			q[8]--
			require.Equal(t, badIsBad, b.tell(b.nat.Inbound(0, makeError(t, 3, 1, "192.0.2.1", "203.0.113.1", q))))
		}},
		{id: "REQ-3b", says: "options of the quoted packet are passed over", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect)
			q := withOptions(makePacket(t, "tcp 203.0.113.1:4000 > 198.51.100.1:80 S"), 7, 7, 4, 0, 0, 0, 0, 0)
			require.Equal(t, "error 3/1 192.0.2.1 > 10.0.0.1 about tcp 10.0.0.1:4000 > 198.51.100.1:80 S",
				b.tell(b.nat.Inbound(0, makeError(t, 3, 1, "192.0.2.1", "203.0.113.1", q))))
		}},
		{id: "REQ-3c", says: "the transport checksum of the quote is not verified, and stays as wrong as it was", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect)
			q := makePacket(t, "tcp 203.0.113.1:4000 > 198.51.100.1:80 S")
			q[36] += 5
			r := b.nat.Inbound(0, makeError(t, 3, 1, "192.0.2.1", "203.0.113.1", q))
			require.Empty(t, r.Why)
			require.Equal(t, []string{"tcp in the quote"}, badChecksums(r.Packets[0]))
			r.Packets[0][28+36] -= 5
			fix := r.Packets[0][20:]
			fix[2], fix[3] = 0, 0
			binary.BigEndian.PutUint16(fix[2:], ^ones(fix))
			require.Empty(t, badChecksums(r.Packets[0]))
		}},
		{id: "REQ-3d", says: "extensions of the error are none of the quote's", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
			quoted := make([]byte, 128) // RFC 4884, Section 3: padded with zeros, its length in words in the sixth octet
			copy(quoted, makePacket(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000"))
			extension := []byte{0x20, 0, 0, 0, 0, 8, 1, 1, 1, 2, 3, 4}
			binary.BigEndian.PutUint16(extension[2:], ^ones(extension))
			e := makeError(t, 11, 0, "192.0.2.1", "203.0.113.1", append(quoted, extension...))
			e[25] = 32
			e[22], e[23] = 0, 0
			binary.BigEndian.PutUint16(e[22:], ^ones(e[20:]))
			r := b.nat.Inbound(0, e)
			require.Equal(t, "error 11/0 192.0.2.1 > 10.0.0.1 about udp 10.0.0.1:4000 > 198.51.100.1:7000", b.tell(r))
			require.Equal(t, extension, r.Packets[0][len(r.Packets[0])-len(extension):])
		}},
		{id: "REQ-4", says: "an error from the outside: addresses, ports and checksums of the quote, type and code, the address outside", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path("out udp 10.0.0.2:4000 > 198.51.100.9:1 => udp 203.0.113.1:4000 > 198.51.100.9:1", // so that the next one gets another port
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4001 > 198.51.100.1:7000",
				"out tcp 10.0.0.2:4000 > 198.51.100.9:1 S => tcp 203.0.113.1:4000 > 198.51.100.9:1 S",
				"out tcp 10.0.0.1:4000 > 198.51.100.1:7000 S => tcp 203.0.113.1:4001 > 198.51.100.1:7000 S",
				"out echo 10.0.0.2:4000 > 198.51.100.9 => echo 203.0.113.1:4000 > 198.51.100.9",
				"out echo 10.0.0.1:4000 > 198.51.100.1 => echo 203.0.113.1:4001 > 198.51.100.1")
			for left, was := range map[string]string{
				"udp 203.0.113.1:4001 > 198.51.100.1:7000":   "udp 10.0.0.1:4000 > 198.51.100.1:7000",
				"tcp 203.0.113.1:4001 > 198.51.100.1:7000 S": "tcp 10.0.0.1:4000 > 198.51.100.1:7000 S",
				"echo 203.0.113.1:4001 > 198.51.100.1":       "echo 10.0.0.1:4000 > 198.51.100.1",
			} {
				for _, kind := range [][2]uint8{{3, 1}, {3, 3}, {3, 4}, {3, 13}, {11, 0}, {11, 1}, {12, 0}, {4, 0}} {
					for _, n := range []int{28, 32, 40, len(makePacket(t, left))} {
						want := makeError(t, kind[0], kind[1], "192.0.2.1", "10.0.0.1", makePacket(t, was)[:n])
						r := b.nat.Inbound(0, makeError(t, kind[0], kind[1], "192.0.2.1", "203.0.113.1", makePacket(t, left)[:n]))
						require.Empty(t, r.Why)
						require.Equal(t, want, r.Packets[0], "%s, %d octets, of type %d", left, n, kind[0])
					}
				}
			}
		}},
		{id: "REQ-4", says: "and none about what no mapping has", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path(connect)
			for _, q := range []string{
				"tcp 203.0.113.1:4000 > 198.51.100.1:81 S", "tcp 203.0.113.1:4001 > 198.51.100.1:80 S", "udp 203.0.113.1:4000 > 198.51.100.1:80",
				"echo 203.0.113.1:4000 > 198.51.100.1", "esp 203.0.113.1 > 198.51.100.1 #9", "gre 203.0.113.1 > 198.51.100.1",
			} {
				require.Equal(t, aboutNone+"; own", b.tell(b.nat.Inbound(0, makeError(t, 3, 1, "192.0.2.1", "203.0.113.1", makePacket(t, q)))), q)
			}
		}},
		{id: "REQ-4", says: "what breaks it: the quote as it came, or nothing", test: func(t *testing.T) {
			b := newBench(t, Config{ICMP: ICMP{Errors: ErrorsOuterOnly}})
			b.path(connect)
			e := func() []byte {
				return makeError(t, 3, 1, "192.0.2.1", "203.0.113.1", makePacket(t, "tcp 203.0.113.1:4000 > 198.51.100.1:80 S")[:28])
			}
			require.Equal(t, "error 3/1 192.0.2.1 > 10.0.0.1 about tcp 203.0.113.1:4000 > 198.51.100.1:80", b.tell(b.nat.Inbound(0, e())))
			b = newBench(t, Config{ICMP: ICMP{Errors: ErrorsDropped}})
			b.path(connect)
			require.Equal(t, "ICMP errors are not translated", b.tell(b.nat.Inbound(0, e())))
		}},
		{id: "REQ-5", says: "an error from the inside, from the host or a router before it", test: func(t *testing.T) {
			b := newBench(t, Config{})
			b.path("out udp 10.0.0.2:4000 > 198.51.100.9:1 => udp 203.0.113.1:4000 > 198.51.100.9:1",
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4001 > 198.51.100.1:7000", connect, accept, ping)
			for came, is := range map[string]string{
				"udp 198.51.100.1:7000 > 10.0.0.1:4000":  "udp 198.51.100.1:7000 > 203.0.113.1:4001",
				"tcp 198.51.100.1:80 > 10.0.0.1:4000 SA": "tcp 198.51.100.1:80 > 203.0.113.1:4000 SA",
				"reply 198.51.100.1 > 10.0.0.1:77":       "reply 198.51.100.1 > 203.0.113.1:77",
			} {
				for _, from := range []string{"10.0.0.1", "10.9.9.9"} {
					want := makeError(t, 3, 3, "203.0.113.1", "198.51.100.1", makePacket(t, is))
					r := b.nat.Outbound(0, makeError(t, 3, 3, from, "198.51.100.1", makePacket(t, came)))
					require.Empty(t, r.Why)
					require.Equal(t, want, r.Packets[0], came)
				}
			}
			require.Equal(t, aboutNone, b.tell(b.nat.Outbound(0, makeError(t, 3, 3, "10.0.0.1", "198.51.100.1", makePacket(t, "udp 198.51.100.1:7000 > 10.0.0.1:5")))))
		}},
		{id: "REQ-5c", says: "from its own outside address where it has one", test: func(t *testing.T) {
			b := newBench(t, Config{Static: []Static{{Inside: addrs("10.0.0.9")[0], Outside: addrs("203.0.113.9")[0]}}})
			e := makeError(t, 3, 3, "10.0.0.9", "198.51.100.1", makePacket(t, "udp 198.51.100.1:7000 > 10.0.0.9:4000"))
			require.Equal(t, "error 3/3 203.0.113.9 > 198.51.100.1 about udp 198.51.100.1:7000 > 203.0.113.9:4000", b.tell(b.nat.Outbound(0, e)))
			b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
			e = makeError(t, 11, 0, "10.0.0.9", "198.51.100.1", makePacket(t, "udp 198.51.100.1:7000 > 10.0.0.1:4000"))
			require.Equal(t, "error 11/0 203.0.113.9 > 198.51.100.1 about udp 198.51.100.1:7000 > 203.0.113.1:4000", b.tell(b.nat.Outbound(0, e)))
		}},
		{id: "REQ-6", says: "errors neither keep nor end the session of a query", test: func(t *testing.T) {
			b := newBench(t, Config{Refresh: RefreshBoth})
			b.path(ping, "wait 59s => ")
			e := makeError(t, 3, 1, "192.0.2.1", "203.0.113.1", makePacket(t, "echo 203.0.113.1:77 > 198.51.100.1"))
			require.Equal(t, "error 3/1 192.0.2.1 > 10.0.0.1 about echo 10.0.0.1:77 > 198.51.100.1", b.tell(b.nat.Inbound(b.now, e)))
			require.Len(t, b.mappings(), 1)
			b.wait(time.Second)
			require.Empty(t, b.mappings())
		}},
		{id: "REQ-7", says: "hairpinned queries between translated addresses, and hairpinned errors", test: func(t *testing.T) {
			b := newBench(t, Config{Static: []Static{
				{Inside: addrs("10.0.0.8")[0], Outside: addrs("203.0.113.8")[0]}, {Inside: addrs("10.0.0.9")[0], Outside: addrs("203.0.113.9")[0]}}})
			b.path("hairpin echo 10.0.0.8:1 > 203.0.113.9 => echo 203.0.113.8:1 > 10.0.0.9",
				"hairpin reply 10.0.0.9 > 203.0.113.8:1 => reply 203.0.113.9 > 10.0.0.8:1",
				"hairpin echo 10.0.0.1:1 > 203.0.113.9 => echo 203.0.113.1:1 > 10.0.0.9",
				"hairpin reply 10.0.0.9 > 203.0.113.1:1 => reply 203.0.113.9 > 10.0.0.1:1",
				"hairpin echo 10.0.0.1:1 > 203.0.113.1 => "+noAnswer)
			// REQ-7a: the address outside is the sender's.
			b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"hairpin udp 10.0.0.2:4000 > 203.0.113.1:4000 => udp 203.0.113.1:4001 > 10.0.0.1:4000")
			e := makeError(t, 3, 3, "10.0.0.1", "203.0.113.1", makePacket(t, "udp 203.0.113.1:4001 > 10.0.0.1:4000"))
			require.Equal(t, "error 3/3 203.0.113.1 > 10.0.0.2 about udp 10.0.0.2:4000 > 203.0.113.1:4000", b.tell(b.nat.Hairpin(0, e)))
		}},
		{id: "REQ-8", says: "who gets no session is told so", test: func(t *testing.T) {
			b := newBench(t, Config{Limits: Limits{Mappings: 1}})
			b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => the table is full"+refused+"udp 10.0.0.1:4001 > 198.51.100.1:7000",
				"out tcp 10.0.0.1:4001 > 198.51.100.1:80 S => the table is full"+refused+"tcp 10.0.0.1:4001 > 198.51.100.1:80 S",
				"out echo 10.0.0.1:4001 > 198.51.100.1 => the table is full"+refused+"echo 10.0.0.1:4001 > 198.51.100.1",
				"out esp 10.0.0.1 > 198.51.100.1 #1 => ESP is not let through"+refused+"esp 10.0.0.1 > 198.51.100.1 #1")
			f := cut(makePacket(t, "udp 10.0.0.1:4001 > 198.51.100.1:7000"), 16)
			require.NotNil(t, b.nat.Outbound(0, f[0]).Answer)
			require.Nil(t, b.nat.Outbound(0, f[1]).Answer, "RFC 1812, Section 4.3.2.7: not about later fragments")
		}},
		{id: "REQ-8", says: "from the box's inside address", test: func(t *testing.T) {
			newBench(t, Config{Inside: addrs("10.0.0.254")[0]}).path("out esp 10.0.0.1 > 198.51.100.1 #1 => ESP is not let through; " +
				"answer error 3/13 10.0.0.254 > 10.0.0.1 about esp 10.0.0.1 > 198.51.100.1 #1")
		}},
		{id: "REQ-9", says: "a policy may forbid that", test: func(t *testing.T) {
			newBench(t, Config{Limits: Limits{Mappings: 1}, ICMP: ICMP{Silent: true}}).path(
				"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
				"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => the table is full")
		}},
		{id: "REQ-10", says: "unreachable, time exceeded, queries and parameter problem cross; redirects do not", test: func(t *testing.T) {
			// Those that cross are in the rows of REQ-1, REQ-4 and REQ-5. What a router must send, the device sends: natbox.
			b := newBench(t, Config{})
			b.path(connect)
			e := makeError(t, 5, 1, "192.0.2.1", "203.0.113.1", makePacket(t, "tcp 203.0.113.1:4000 > 198.51.100.1:80 S"))
			require.Equal(t, "an ICMP message that is neither query nor error, or an answer that nobody asked for", b.tell(b.nat.Inbound(0, e)))
		}},
		{id: "REQ-11", says: "messages that are neither query nor error are dropped", test: func(t *testing.T) {
			b := newBench(t, Config{})
			for _, typ := range []uint8{1, 2, 5, 6, 7, 9, 10, 19, 30, 31, 37, 40, 255} {
				p := makePacket(t, "echo 10.0.0.1:77 > 198.51.100.1")
				retype(p, typ)
				require.Contains(t, b.tell(b.nat.Outbound(0, p)), "neither query nor error")
			}
			b.path("out reply 10.0.0.1 > 198.51.100.1:5 => an ICMP message that is neither query nor error, or an answer that nobody asked for")
		}},
	})
}

// retype gives an ICMP message another type.
func retype(p []byte, typ uint8) {
	p[20], p[22], p[23] = typ, 0, 0
	binary.BigEndian.PutUint16(p[22:], ^ones(p[20:]))
}
