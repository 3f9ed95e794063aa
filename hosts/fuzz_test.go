package hosts_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// FuzzFrames sends frames of a stranger to a host that demands protection of
// everybody. Whatever they are, no application sees anything of them, nothing
// leaves in the clear but what makes no sense otherwise, and time goes on.
func FuzzFrames(f *testing.F) {
	for _, v6 := range []bool{false, true} {
		for _, seed := range strangers(v6) {
			f.Add(v6, seed)
		}
	}
	f.Fuzz(func(t *testing.T, v6 bool, program []byte) { framesOfAStranger(t, v6, program) })
}

// What a stranger puts into fragments of UDP port 4500 is read as ESP, with or
// without octets behind the datagram.
func TestESPInFragmentsOfAStranger(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		all := strangers(v6)
		var why []string
		for _, e := range framesOfAStranger(t, v6, all[len(all)-1]).log.Events() {
			if d, ok := e.Body.(trace.PacketDropped); ok {
				why = append(why, d.Reason)
			}
		}
		require.Equal(t, []string{"no SA has this SPI"}, why, "IPv6: %v", v6)
	}
}

func framesOfAStranger(t *testing.T, v6 bool, program []byte) *bench {
	everybody := require3DES(bobAddr, "secret")
	everybody.Rules[0].Filters.Filters[0].Destination = policy.Any()
	alice, bob := netip.PrefixFrom(aliceAddr, 24), netip.PrefixFrom(bobAddr, 24)
	if v6 {
		alice, bob = netip.PrefixFrom(alice6, 64), netip.PrefixFrom(bob6, 64)
	}
	// The dialects of both forms of ESP in UDP, on ports 4500 and 500.
	b := newBenchNAT(t, alice, bob, nil, everybody, ike.NATTraversal{}, ike.NATTraversal{
		Dialects: []ike.NATDialect{ike.NATRFC3947, ike.NATDraft00}, Responder: ike.AssumeBoth,
	})
	echo, err := b.bob.ServeUDP(7)
	require.NoError(t, err)
	web, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	stranger, to := sim.MACFor("stranger", "lan"), sim.MACFor("bob", "lan")
	port, err := b.segment.Attach(sim.PortConfig{Node: "stranger", MAC: stranger, Receive: func([]byte) {}})
	require.NoError(t, err)
	b.on(b.alice, func(p *sim.Proc) {
		for n := 0; n < 16 && len(program) > 0; n++ {
			size := min(int(program[0])*8, len(program)-1, 1502)
			frame := append(append(bytes.Clone(to[:]), stranger[:]...), program[1:1+size]...)
			program = program[1+size:]
			port.Send(mended(frame), "")
			p.Sleep(time.Duration(n%3) * time.Second)
		}
		p.Sleep(2 * time.Minute)
	})
	require.Zero(t, echo.Seen())
	require.Zero(t, web.Seen())
	for i, frame := range b.frames {
		if bytes.Equal(frame[6:12], to[:]) {
			require.True(t, exempt(frame), "frame %d leaves in the clear: %x", i+1, frame)
		}
	}
	return b
}

// strangers are programs of one or two frames that a host looks into: each begins
// with a byte that counts its length in eights.
func strangers(v6 bool) [][]byte {
	frame := func(packet []byte) []byte {
		kind := []byte{8, 0}
		if v6 {
			kind = []byte{0x86, 0xdd}
		}
		b := append(kind, packet...)
		b = append(b, make([]byte, -len(b)&7)...)
		return append([]byte{byte(len(b) / 8)}, b...)
	}
	ip := func(proto byte, payload ...byte) []byte {
		if v6 {
			h := make([]byte, ipv6.HeaderLen)
			h[0], h[6], h[7] = 0x60, proto, 64
			copy(h[8:], alice6.AsSlice())
			copy(h[24:], bob6.AsSlice())
			return append(h, payload...)
		}
		h := make([]byte, 20)
		h[0], h[8], h[9] = 0x45, 64, proto
		copy(h[12:], aliceAddr.AsSlice())
		copy(h[16:], bobAddr.AsSlice())
		return append(h, payload...)
	}
	udp := func(port byte) []byte { return []byte{0, port, 0, port, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8} }
	in := func(port uint16, payload ...byte) []byte {
		b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, port), port)
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
		return append(append(b, 0, 0), payload...)
	}
	message, esp := make([]byte, 28), []byte{0, 0, 16, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8}
	long := bytes.Repeat(esp, 4)
	quoted := ip(ipsec.ProtoESP, 0, 0, 16, 1, 0, 0, 0, 1)
	icmp, tooBig := ipsec.ProtoICMP, []byte{3, 4, 0, 0, 0, 0, 2, 100}
	if v6 {
		icmp, tooBig = ipsec.ProtoICMPv6, []byte{2, 0, 0, 0, 0, 0, 5, 0}
	}
	all := [][]byte{
		frame(ip(ipsec.ProtoUDP, udp(7)...)), frame(ip(ipsec.ProtoUDP, in(500, message...)...)),
		frame(ip(ipsec.ProtoTCP, 0, 99, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 16, 0, 0, 0, 0, 0)),
		frame(ip(ipsec.ProtoESP, esp...)), frame(ip(ipsec.ProtoAH, 50, 4, 0, 0, 0, 0, 16, 1, 0, 0, 0, 1, 0, 0, 0, 0)),
		frame(ip(icmp, append(tooBig, quoted...)...)), frame(ip(icmp, 8, 0, 0, 0, 0, 1, 0, 1)), frame(ip(4, quoted...)),
		frame(ip(ipsec.ProtoUDP, in(4500, esp...)...)), frame(ip(ipsec.ProtoUDP, in(4500, append(make([]byte, 4), message...)...)...)), frame(ip(ipsec.ProtoUDP, in(4500, 0xff)...)),
		frame(ip(ipsec.ProtoUDP, in(500, append(make([]byte, 8), long...)...)...)), frame(ip(icmp, append(tooBig, ip(ipsec.ProtoUDP, in(4500, esp...)...)...)...)),
	}
	pieces := func(upper []byte) (first, last []byte) {
		half := len(upper) / 2 &^ 7
		if v6 {
			header := func(offset uint16) []byte {
				return append(binary.BigEndian.AppendUint16([]byte{ipsec.ProtoUDP, 0}, offset), 0, 0, 0, 7)
			}
			return ip(ipv6.Fragment, append(header(1), upper[:half]...)...), ip(ipv6.Fragment, append(header(uint16(half)), upper[half:]...)...)
		}
		first, last = ip(ipsec.ProtoUDP, upper[:half]...), ip(ipsec.ProtoUDP, upper[half:]...)
		first[6], last[7] = 0x20, byte(half/8)
		return first, last
	}
	if v6 {
		all = append(all, frame(ip(ipv6.HopByHop, append([]byte{17, 0, 1, 4, 0, 0, 0, 0}, udp(7)...)...)), frame(ip(icmp, 128, 0, 0, 0, 0, 1, 0, 1)))
	}
	first, last := pieces(udp(7))
	all = append(all, append(frame(first), frame(last)...))
	head, tail := pieces(in(4500, long...))
	return append(all, append(frame(head), frame(tail)...))
}

// mended gives a frame the lengths and checksums without which it would not be
// looked into. Of a fragment, the checksum of the whole is not known.
func mended(frame []byte) []byte {
	switch {
	case len(frame) >= 34 && frame[12] == 8 && frame[13] == 0:
		ip := header.IPv4(frame[14:])
		if n := int(ip.HeaderLength()); n >= header.IPv4MinimumSize && n <= len(ip) {
			fragment := ip.More() || ip.FragmentOffset() > 0
			if ip.More() {
				ip = ip[:n+(len(ip)-n)&^7]
				frame = frame[:14+len(ip)]
			}
			ip.SetTotalLength(uint16(len(ip)))
			ip.SetChecksum(0)
			ip.SetChecksum(^ip.CalculateChecksum())
			if !fragment {
				mend(ip[n:], tcpip.TransportProtocolNumber(ip.Protocol()), ip.SourceAddress(), ip.DestinationAddress())
			}
		}
	case len(frame) >= 54 && frame[12] == 0x86 && frame[13] == 0xdd:
		ip := header.IPv6(frame[14:])
		if len(frame) >= 62 && ip.NextHeader() == ipv6.Fragment && ip[43]&1 != 0 {
			ip = ip[:ipv6.HeaderLen+(len(ip)-ipv6.HeaderLen)&^7]
			frame = frame[:14+len(ip)]
		}
		ip.SetPayloadLength(uint16(len(ip) - ipv6.HeaderLen))
		mend(ip[ipv6.HeaderLen:], tcpip.TransportProtocolNumber(ip.NextHeader()), ip.SourceAddress(), ip.DestinationAddress())
	}
	return frame
}

// mend sets the checksum of an upper layer, and the length of UDP.
func mend(b []byte, proto tcpip.TransportProtocolNumber, src, dst tcpip.Address) {
	at, known := map[tcpip.TransportProtocolNumber]int{
		header.UDPProtocolNumber: 6, header.TCPProtocolNumber: 16, header.ICMPv4ProtocolNumber: 2, header.ICMPv6ProtocolNumber: 2,
	}[proto]
	if !known || len(b) < at+2 {
		return
	}
	pseudo := header.PseudoHeaderChecksum(proto, src, dst, uint16(len(b)))
	if proto == header.ICMPv4ProtocolNumber {
		pseudo = 0
	}
	if proto == header.UDPProtocolNumber {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	}
	b[at], b[at+1] = 0, 0
	binary.BigEndian.PutUint16(b[at:], ^checksum.Checksum(b, pseudo))
}

// exempt reports what a host sends in the clear whatever its policy: ARP,
// neighbour discovery and multicast listener reports, and IKE; and ESP, of course.
func exempt(frame []byte) bool {
	ike := func(udp []byte) bool {
		return len(udp) >= 8 && (binary.BigEndian.Uint16(udp) == 500 || binary.BigEndian.Uint16(udp) == natt.Port)
	}
	switch layers.EthernetType(binary.BigEndian.Uint16(frame[12:])) {
	case layers.EthernetTypeARP:
		return true
	case layers.EthernetTypeIPv4:
		ip := frame[14:]
		return ip[9] == ipsec.ProtoESP || ip[9] == ipsec.ProtoUDP && ike(ip[4*(ip[0]&15):])
	case layers.EthernetTypeIPv6:
		p, err := ipv6.Parse(frame[14:])
		if err != nil {
			return false
		}
		switch inside := p.Bytes[p.At:]; p.Proto {
		case ipsec.ProtoESP:
			return true
		case ipsec.ProtoUDP:
			return ike(inside)
		case ipsec.ProtoICMPv6:
			return len(inside) > 0 && (inside[0] >= 130 && inside[0] <= 136 || inside[0] == 143)
		}
	}
	return false
}
