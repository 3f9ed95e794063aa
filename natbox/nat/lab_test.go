package nat

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// bench is a NAT under test, with the time. What it sends is made by gopacket; what it
// judges, checksums too, is read the naive way. Packets are written like
//
//	udp 10.0.0.1:4000 > 198.51.100.1:7000
//	tcp 10.0.0.1:4000 > 198.51.100.1:7000 SA
//	echo 10.0.0.1:77 > 198.51.100.1        the identifier stands for the port
//	reply 198.51.100.1 > 10.0.0.1:77
//	esp 10.0.0.1 > 198.51.100.1 #1234      the SPI
type bench struct {
	t   testing.TB
	nat *Table
	now time.Duration
	log []string // events, without mappings that are made
}

func newBench(t testing.TB, c Config) *bench {
	if c.Outside == nil {
		c.Outside = []netip.Addr{netip.MustParseAddr("203.0.113.1")}
	}
	n, err := New(c, rand.New(rand.NewPCG(1, 2)))
	require.NoError(t, err)
	b := &bench{t: t, nat: n}
	n.Trace = func(e Event) {
		if e.Kind != Made {
			b.log = append(b.log, strings.TrimSpace(fmt.Sprintf("%v %v %v %s", e.At, e.Kind, e.Mapping.Inside, e.Why)))
		}
	}
	return b
}

func (b *bench) wait(d time.Duration) { b.now += d }

// out sends a packet from the inside to the outside and tells what becomes of it.
func (b *bench) out(packet string) string {
	return b.tell(b.nat.Outbound(b.now, makePacket(b.t, packet)))
}

// in sends one from the outside to an address of the box.
func (b *bench) in(packet string) string {
	return b.tell(b.nat.Inbound(b.now, makePacket(b.t, packet)))
}

// hairpin sends one from the inside to an address of the box.
func (b *bench) hairpin(packet string) string {
	return b.tell(b.nat.Hairpin(b.now, makePacket(b.t, packet)))
}

// path sends a packet out or in, by the first word, and demands what is behind "=>".
func (b *bench) path(lines ...string) {
	b.t.Helper()
	for _, line := range lines {
		way, rest, _ := strings.Cut(line, " ")
		packet, want, ok := strings.Cut(rest, " => ")
		require.True(b.t, ok, line)
		var got string
		switch way {
		case "out":
			got = b.out(packet)
		case "in":
			got = b.in(packet)
		case "hairpin":
			got = b.hairpin(packet)
		case "wait":
			d, err := time.ParseDuration(packet)
			require.NoError(b.t, err)
			b.wait(d)
			got = want
		default:
			b.t.Fatal(line)
		}
		require.Equal(b.t, want, got, line)
	}
}

// tell is what a result says: the packets, or why there are none, and the answer.
func (b *bench) tell(r Result) string {
	var out []string
	for _, p := range r.Packets {
		if len(b.nat.cfg.faults()) == 0 {
			require.Empty(b.t, badChecksums(p), describe(p))
		}
		out = append(out, describe(p))
	}
	if r.Why != "" {
		out = append(out, r.Why)
	}
	if r.Own {
		out = append(out, "own")
	}
	if r.Answer != nil {
		require.Empty(b.t, badChecksums(r.Answer))
		out = append(out, "answer "+describe(r.Answer))
	}
	return strings.Join(out, "; ")
}

func (s *settings) faults() []string {
	if s.Faults == (Faults{}) {
		return nil
	}
	return []string{fmt.Sprint(s.Faults)}
}

// mappings are those that there are, as "inside > outside".
func (b *bench) mappings() []string {
	var out []string
	for _, m := range b.nat.Mappings(b.now) {
		out = append(out, fmt.Sprintf("%d %v > %v", m.Proto, m.Inside, m.Outside))
	}
	return out
}

var protoNames = map[string]layers.IPProtocol{
	"udp": layers.IPProtocolUDP, "tcp": layers.IPProtocolTCP, "echo": layers.IPProtocolICMPv4, "reply": layers.IPProtocolICMPv4,
	"esp": layers.IPProtocolESP, "ah": layers.IPProtocolAH, "gre": layers.IPProtocolGRE, "dccp": 33, "udplite": layers.IPProtocolUDPLite,
}

// makePacket makes a packet of its description.
func makePacket(t require.TestingT, s string) []byte {
	return makePayload(t, s, []byte("payload of a packet, thirty-two."))
}

func makePayload(t require.TestingT, s string, payload []byte) []byte {
	w := strings.Fields(s)
	require.GreaterOrEqual(t, len(w), 4, s)
	require.Equal(t, ">", w[2], s)
	src, sp := endpointOf(t, w[1])
	dst, dp := endpointOf(t, w[3])
	proto, ok := protoNames[w[0]]
	require.True(t, ok, s)
	ip := &layers.IPv4{Version: 4, TTL: 64, Id: 4711, Protocol: proto, SrcIP: net.IP(src.AsSlice()), DstIP: net.IP(dst.AsSlice())}
	parts := []gopacket.SerializableLayer{ip}
	note := ""
	if len(w) > 4 {
		note = w[4]
	}
	number := func() uint32 {
		n, err := strconv.ParseUint(strings.TrimPrefix(note, "#"), 16, 32)
		require.NoError(t, err, s)
		return uint32(n)
	}
	switch w[0] {
	case "udp":
		u := &layers.UDP{SrcPort: layers.UDPPort(sp), DstPort: layers.UDPPort(dp)}
		require.NoError(t, u.SetNetworkLayerForChecksum(ip))
		parts = append(parts, u)
	case "tcp":
		x := &layers.TCP{SrcPort: layers.TCPPort(sp), DstPort: layers.TCPPort(dp), Seq: 1000, Ack: 2000, Window: 8192,
			SYN: strings.Contains(note, "S"), ACK: strings.Contains(note, "A"), FIN: strings.Contains(note, "F"), RST: strings.Contains(note, "R")}
		require.NoError(t, x.SetNetworkLayerForChecksum(ip))
		parts = append(parts, x)
	case "echo":
		parts = append(parts, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: sp, Seq: 1})
	case "reply":
		parts = append(parts, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(0, 0), Id: dp, Seq: 1})
	case "esp":
		payload = append(binary.BigEndian.AppendUint32(nil, number()), payload...)
	case "ah":
		payload = append(binary.BigEndian.AppendUint32([]byte{17, 4, 0, 0}, number()), payload...)
	}
	buf := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(parts, gopacket.Payload(payload))...))
	b := buf.Bytes()
	if w[0] == "dccp" || w[0] == "udplite" { // over the pseudo header, at 6
		h := b[20:]
		h[6], h[7] = 0, 0
		pseudo := append(append([]byte{}, b[12:20]...), 0, b[9], byte(len(h)>>8), byte(len(h)))
		binary.BigEndian.PutUint16(h[6:], ^ones(pseudo, h))
	}
	return b
}

func endpointOf(t require.TestingT, s string) (netip.Addr, uint16) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), ap.Port()
	}
	a, err := netip.ParseAddr(s)
	require.NoError(t, err)
	return a, 0
}

// describe reads a packet, or the quote of one.
func describe(p []byte) string {
	h := int(p[0]&15) * 4
	addr := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(p[at : at+4])) }
	src, dst := addr(12), addr(16)
	word := binary.BigEndian.Uint16(p[6:])
	tail := ""
	if word&0x3fff != 0 {
		tail = fmt.Sprintf(" at %d", int(word&0x1fff)*8)
		if word&0x2000 != 0 {
			tail += "+"
		}
	}
	if word&0x1fff != 0 {
		return fmt.Sprintf("%d %v > %v%s", p[9], src, dst, tail)
	}
	b := p[h:]
	port := func(at int) uint16 { return binary.BigEndian.Uint16(b[at:]) }
	switch p[9] {
	case 17:
		return fmt.Sprintf("udp %v:%d > %v:%d%s", src, port(0), dst, port(2), tail)
	case 6:
		out := fmt.Sprintf("tcp %v:%d > %v:%d%s", src, port(0), dst, port(2), tail)
		if len(b) > 13 {
			out += " "
			for i, f := range "FSRPA" {
				if b[13]>>i&1 != 0 && f != 'P' {
					out += string(f)
				}
			}
		}
		return strings.TrimSpace(out)
	case 1:
		switch b[0] {
		case 8:
			return fmt.Sprintf("echo %v:%d > %v%s", src, port(4), dst, tail)
		case 0:
			return fmt.Sprintf("reply %v > %v:%d%s", src, dst, port(4), tail)
		case 3, 4, 11, 12:
			return fmt.Sprintf("error %d/%d %v > %v about %s", b[0], b[1], src, dst, describe(b[8:]))
		}
		return fmt.Sprintf("icmp %d %v > %v", b[0], src, dst)
	case 50:
		return fmt.Sprintf("esp %v > %v #%x", src, dst, binary.BigEndian.Uint32(b))
	case 51:
		return fmt.Sprintf("ah %v > %v #%x", src, dst, binary.BigEndian.Uint32(b[4:]))
	}
	return fmt.Sprintf("%d %v > %v%s", p[9], src, dst, tail)
}

// makeError makes an ICMP error about a packet, as much of which is quoted as there is.
func makeError(t require.TestingT, typ, code uint8, from, to string, quoted []byte) []byte {
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: net.ParseIP(from), DstIP: net.ParseIP(to)}
	buf := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		ip, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, code)}, gopacket.Payload(quoted)))
	return buf.Bytes()
}

// cut makes fragments of a packet, with so many octets of payload in each but the last.
func cut(p []byte, size int) (out [][]byte) {
	h := int(p[0]&15) * 4
	for at := 0; h+at < len(p); at += size {
		end := min(h+at+size, len(p))
		f := append(append([]byte{}, p[:h]...), p[h+at:end]...)
		word := uint16(at / 8)
		if end < len(p) {
			word |= 0x2000
		}
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		binary.BigEndian.PutUint16(f[6:], word)
		f[10], f[11] = 0, 0
		binary.BigEndian.PutUint16(f[10:], ^ones(f[:h]))
		out = append(out, f)
	}
	return out
}
