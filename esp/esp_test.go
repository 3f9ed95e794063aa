package esp

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// What comes out at the other end is what went in, byte for byte, for every suite,
// payload length and header length; on the way only the promised fields changed.
func TestRoundTrip(t *testing.T) {
	options := []byte{0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0} // router alert, record route, end
	for _, tr := range suites {
		t.Run(tr.String(), func(t *testing.T) {
			a, b := secured(t, Config{}, tr, ipsec.Lifetime{})
			var seq uint64
			for n := range 70 {
				for _, opts := range [][]byte{nil, options} {
					for _, df := range []uint16{0, dontFragment} {
						seq++
						in := flagged(ip(alice, bob, ipsec.ProtoUDP, udp(1000, 2000, n), opts...), df)
						kept := bytes.Clone(in)
						d := a.Outbound(start, in, 0)
						require.Equal(t, Protected, d.Outcome, d.Why)
						require.Equal(t, kept, in, "the packet is only read")
						requireHeader(t, in, d.Packet)
						require.EqualValues(t, 0x1000, d.SPI)
						require.Equal(t, seq, d.Sequence)
						h := len(in) - 8 - n
						require.EqualValues(t, 0x1000, binary.BigEndian.Uint32(d.Packet[h:]))
						require.EqualValues(t, seq, binary.BigEndian.Uint32(d.Packet[h+4:]))
						require.Equal(t, !secret(tr), bytes.Contains(d.Packet, in[h:]), "NULL and GMAC hide nothing, and the others all")

						o := b.InboundProtected(start, d.Packet)
						require.Equal(t, Opened, o.Outcome, o.Why)
						require.Equal(t, kept, o.Packet)
						require.Equal(t, d.SPI, o.SPI)
						require.Equal(t, seq, o.Sequence)
						require.Equal(t, "sa", o.Action)
						require.Equal(t, "p/secure", o.Rule)
					}
				}
			}
		})
	}
}

// requireHeader checks the IPv4 header of a protected packet: protocol 50, its own
// length and checksum, everything else as it was.
func requireHeader(t *testing.T, in, out []byte) {
	t.Helper()
	h := int(in[0]&15) * 4
	require.EqualValues(t, 50, out[9])
	require.EqualValues(t, len(out), binary.BigEndian.Uint16(out[2:]))
	require.Zero(t, checksum(out[:h]), "the checksum over a valid header is zero")
	same := bytes.Clone(out[:h])
	copy(same[2:4], in[2:4])
	same[9] = in[9]
	copy(same[10:12], in[10:12])
	require.Equal(t, in[:h], same)
}

// An Ethernet frame's padding behind the datagram is not protected and does no harm.
func TestBytesBehindTheDatagram(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	in := ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 3))
	d := a.Outbound(start, append(bytes.Clone(in), 0, 0, 0, 0), 0)
	o := b.InboundProtected(start, append(d.Packet, 1, 2, 3))
	require.Equal(t, Opened, o.Outcome, o.Why)
	require.Equal(t, in, o.Packet)
}

// Every single changed byte of a packet is noticed, and none moves the window.
func TestTampering(t *testing.T) {
	for _, tr := range suites {
		t.Run(tr.String(), func(t *testing.T) {
			a, b := secured(t, Config{}, tr, ipsec.Lifetime{})
			d := a.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30)), 0)
			for i := 20; i < len(d.Packet); i++ {
				bad := bytes.Clone(d.Packet)
				bad[i] ^= 0x80
				o := b.InboundProtected(start, bad)
				require.Equal(t, Dropped, o.Outcome, "byte %d", i)
				require.Empty(t, o.Packet)
			}
			require.Zero(t, b.SAs()[0].Sequence, "no forged number moved the window")
			c := b.Counters()
			require.EqualValues(t, 4, c.BadSPI, "the four bytes of the SPI")
			require.EqualValues(t, len(d.Packet)-24, c.NotAuthenticated)
			o := b.InboundProtected(start, d.Packet)
			require.Equal(t, Opened, o.Outcome, o.Why)
		})
	}
}

// Every proper prefix of a packet, with a total length that agrees, is dropped.
func TestTruncation(t *testing.T) {
	for _, tr := range suites {
		a, b := secured(t, Config{}, tr, ipsec.Lifetime{})
		d := a.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30)), 0)
		for n := range len(d.Packet) {
			cut := bytes.Clone(d.Packet[:n])
			require.Equal(t, Dropped, b.InboundProtected(start, cut).Outcome, "%v: first %d bytes", tr, n)
			if n >= 20 {
				finishIPv4(cut, cut, 20, ipsec.ProtoESP)
				require.Equal(t, Dropped, b.InboundProtected(start, cut).Outcome, "%v: datagram of %d bytes", tr, n)
			}
		}
	}
}

// RFC 4303, Section 3.4.3: the window is asked first, moved last, and only by
// authentic packets.
func TestReplay(t *testing.T) {
	a, b := secured(t, Config{Window: 32}, tripleDES, ipsec.Lifetime{})
	var sent [][]byte
	for range 40 {
		sent = append(sent, a.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30)), 0).Packet)
	}
	number := func(n int) []byte { return sent[n-1] } // as it stands in the packet

	want := func(n int, o Outcome, why string) {
		t.Helper()
		d := b.InboundProtected(start, number(n))
		require.Equal(t, o, d.Outcome, d.Why)
		if o == Dropped {
			require.Equal(t, why, d.Why)
		}
		require.EqualValues(t, n, d.Sequence)
	}
	want(2, Opened, "")
	want(2, Dropped, "replayed: the sequence number was received before")
	want(1, Opened, "")

	forged := bytes.Clone(number(40))
	forged[len(forged)-1] ^= 1
	require.Equal(t, "not authentic: the integrity check failed", b.InboundProtected(start, forged).Why)
	want(3, Opened, "") // still inside: the forgery moved nothing

	want(40, Opened, "")
	want(9, Opened, "") // the left edge, T−W+1
	want(8, Dropped, "replayed: the sequence number lies left of the anti-replay window")
	want(40, Dropped, "replayed: the sequence number was received before")

	zero := bytes.Clone(number(39))
	clear(zero[24:28])
	require.Equal(t, "replayed: sequence number 0 is never sent", b.InboundProtected(start, zero).Why)

	c := b.Counters()
	require.EqualValues(t, 4, c.Replayed)
	require.EqualValues(t, 1, c.NotAuthenticated)
	require.EqualValues(t, 5, c.PacketsOpened)
}

// What an authentic peer may send and is still not a packet.
func TestAuthenticButUnusable(t *testing.T) {
	for _, c := range []struct {
		name, why string
		plain     []byte // 16 bytes: fits every alignment
	}{
		{"padding that is not 1, 2, 3 …", "padding is not 1, 2, 3 …", append(udp(1, 2, 4), 9, 2, 2, ipsec.ProtoUDP)},
		{"more padding than packet", "padding is not 1, 2, 3 …", append(udp(1, 2, 6), 15, ipsec.ProtoUDP)},
		{"a dummy packet", "dummy packet (next header 59)", append(udp(1, 2, 6), 0, protoNoNext)},
		{"UDP that ends before its ports", "inside: packet ends before its ports", []byte{1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, ipsec.ProtoUDP}},
	} {
		for _, tr := range suites {
			a, b := secured(t, Config{}, tr, ipsec.Lifetime{})
			s := a.sad.list[1]
			require.Len(t, c.plain, 16, c.name)

			esp := make([]byte, s.esp.head+len(c.plain)+s.esp.icvLen)
			binary.BigEndian.PutUint32(esp, s.SPI)
			binary.BigEndian.PutUint32(esp[4:], 1)
			copy(esp[s.esp.head:], c.plain)
			s.esp.encrypt(esp, s.esp.head+len(c.plain), 1)

			arriving := ip(alice, bob, ipsec.ProtoESP, esp)
			d := b.InboundProtected(start, arriving)
			require.Equal(t, Dropped, d.Outcome, "%s: %v", c.name, tr)
			require.Equal(t, c.why, d.Why, "%s: %v", c.name, tr)
			require.EqualValues(t, 1, b.SAs()[0].Sequence, "%s: it was authentic, so the window moved", c.name)
			failures := 1
			if c.plain[15] == protoNoNext { // "discard such packets, without indicating an error", RFC 4303, Section 2.6
				failures = 0
			}
			require.EqualValues(t, failures, b.Counters().NotDecrypted, "%s: %v", c.name, tr)
		}
	}
}

// Opening must leave the arriving packet alone: it is the capture's, too.
func TestInputIsOnlyRead(t *testing.T) {
	for _, tr := range suites {
		a, b := secured(t, Config{}, tr, ipsec.Lifetime{})
		d := a.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30)), 0)
		kept := bytes.Clone(d.Packet)
		require.Equal(t, Opened, b.InboundProtected(start, d.Packet).Outcome)
		require.Equal(t, kept, d.Packet)
	}
}
