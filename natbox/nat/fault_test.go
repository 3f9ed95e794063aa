package nat

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// checksumAt is the transport checksum of a packet.
func checksumAt(p []byte, at int) uint16 { return binary.BigEndian.Uint16(p[20+at:]) }

func TestUDPChecksums(t *testing.T) {
	b := newBench(t, Config{})
	t.Run("none stays none", func(t *testing.T) {
		p := makePacket(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000")
		p[26], p[27] = 0, 0
		require.Zero(t, checksumAt(b.nat.Outbound(0, p).Packets[0], 6))
		p = makePacket(t, "udp 198.51.100.1:7000 > 203.0.113.1:4000")
		p[26], p[27] = 0, 0
		require.Zero(t, checksumAt(b.nat.Inbound(0, p).Packets[0], 6))
	})
	t.Run("a sum of zero is sent as ones", func(t *testing.T) {
		// A payload is looked for that makes it so.
		for i := range 0x10000 {
			payload := binary.BigEndian.AppendUint16(nil, uint16(i))
			left := makePayload(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000", payload)
			if sumUp(left); checksumAt(left, 6) != 0xffff {
				continue
			}
			r := b.nat.Outbound(0, makePayload(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000", payload))
			require.Equal(t, uint16(0xffff), checksumAt(r.Packets[0], 6))
			return
		}
		t.Fatal("no payload does")
	})
}

func TestFaults(t *testing.T) {
	out := func(b *bench, packet string) []string {
		return badChecksums(b.nat.Outbound(0, makePacket(t, packet)).Packets[0])
	}
	const udpPacket, tcpPacket = "udp 10.0.0.1:4000 > 198.51.100.1:7000", "tcp 10.0.0.1:4000 > 198.51.100.1:80 S"
	t.Run("no adjustment", func(t *testing.T) {
		b := newBench(t, Config{Faults: Faults{NoUDPChecksum: true}})
		require.Equal(t, []string{"udp"}, out(b, udpPacket))
		require.Empty(t, out(b, tcpPacket))
		b = newBench(t, Config{Faults: Faults{NoTCPChecksum: true}})
		require.Equal(t, []string{"tcp"}, out(b, tcpPacket))
		require.Empty(t, out(b, udpPacket))
	})
	t.Run("an absent checksum is adjusted", func(t *testing.T) {
		b := newBench(t, Config{Faults: Faults{ZeroFilled: true}})
		p := makePacket(t, udpPacket)
		p[26], p[27] = 0, 0
		require.Equal(t, []string{"udp"}, badChecksums(b.nat.Outbound(0, p).Packets[0]))
		require.Empty(t, out(b, udpPacket))
	})
	t.Run("the carry is lost", func(t *testing.T) {
		b := newBench(t, Config{Faults: Faults{LostCarry: true}})
		good, bad := 0, 0
		for i := range 2000 {
			if len(out(b, fmt.Sprintf("udp 10.0.0.1:4000 > 198.%d.%d.1:7000", i/250*30, i%250))) == 0 {
				good++
			} else {
				bad++
			}
		}
		require.NotZero(t, good, "some are right by chance")
		require.Greater(t, bad, good/10)
	})
	t.Run("a quote with stale checksums", func(t *testing.T) {
		b := newBench(t, Config{Faults: Faults{StaleQuote: true}})
		b.path("out " + udpPacket + " => udp 203.0.113.1:4000 > 198.51.100.1:7000")
		r := b.nat.Inbound(0, makeError(t, 3, 3, "198.51.100.1", "203.0.113.1", makePacket(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000")))
		require.Equal(t, []string{"header in the quote", "udp in the quote"}, badChecksums(r.Packets[0]))
		back, ok := b.nat.Undo(0, makePacket(t, "udp 203.0.113.1:4000 > 198.51.100.1:7000"))
		require.True(t, ok)
		require.Equal(t, makePacket(t, udpPacket), back)
	})
}

// Each adjustment is the sum computed anew, whatever changes.
func TestChange(t *testing.T) {
	carry := []byte{0, 0} // a carry of a carry
	change(0x1ffff).to(carry)
	require.Equal(t, []byte{0xff, 0xfe}, carry)
	for i := uint32(1); i < 200000; i++ {
		b := binary.BigEndian.AppendUint64(nil, uint64(i)*0x9e3779b97f4a7c15)
		sum := binary.BigEndian.AppendUint16(nil, ^ones(b))
		old, now := binary.BigEndian.Uint16(b[2:]), uint16(i*40503)
		binary.BigEndian.PutUint16(b[2:], now)
		change(0).word(old, now).to(sum)
		require.Equal(t, uint16(0xffff), ones(b, sum), "%x", b)
	}
}
