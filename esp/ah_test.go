package esp

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Known AH packets under HMAC-SHA1-96, key 00 … 13, SPI 11223344, number 1: made
// by hand with Python's hmac and, to the same bytes, with scapy. The second has a
// router alert, which counts, and a record route, which does not.
func TestAHPackets(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"DF and TOS", "4510002412344000401114830a0000010a000002 06a506a50010cd6c4142434445464748",
			`4510003c12344000403314490a0000010a000002 110400001122334400000001 01129153fc19a7de615225b8
			 06a506a50010cd6c4142434445464748`},
		{"options", "4800002c000100004011c4b20a0000010a000002 940400000707040000000000 00010002000cf93578797a21",
			`48000044000100004033c4780a0000010a000002 940400000707040000000000 110400001122334400000001 bf84719a6cf3f0fb21005d5e
			 00010002000cf93578797a21`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, rx := params(ahSHA1, alice, bob, 0x11223344, 0x1000)
			out.AuthKey = unhex(t, "000102030405060708090a0b0c0d0e0f10111213")
			rx.AuthKey = out.AuthKey
			a, b := tunnelled(t, Config{}, []ipsec.SAParams{out}, []ipsec.SAParams{rx})
			d := a.Outbound(start, unhex(t, c.in), 0)
			require.Equal(t, Protected, d.Outcome, d.Why)
			require.Equal(t, unhex(t, c.want), d.Packet)
			require.Equal(t, "AH", d.Protocols())
			require.Equal(t, "AH SPI 0x11223344 sequence 1", d.Layers())
			o := b.InboundProtected(start, d.Packet)
			require.Equal(t, Opened, o.Outcome, o.Why)
			require.Equal(t, unhex(t, c.in), o.Packet)
		})
	}
}

// Routers may change what RFC 4302, Appendix A1 calls mutable, and nothing else:
// a packet with TOS, DF, TTL, checksum or a mutable option changed is opened, one
// with any other byte changed is not.
func TestAHCoversWhatDoesNotChange(t *testing.T) {
	// Router alert, record route, NOP, end of list, two bytes of padding.
	options := []byte{0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0}
	mutable := map[int]bool{1: true, 6: true, 8: true, 10: true, 11: true, 24: true}
	for i := 26; i <= 30; i++ {
		mutable[i] = true // the record route; only its length is needed, to tell the options apart
	}
	for _, transforms := range protections {
		t.Run(named(transforms), func(t *testing.T) {
			a, b := joined(t, Config{}, ipsec.Lifetime{}, transforms...)
			clear := ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30), options...)
			fresh := func() []byte { return a.Outbound(start, clear, 0).Packet }
			sealed := fresh()
			for i := range sealed {
				bad := bytes.Clone(sealed)
				bad[i] ^= 0x80
				o := b.InboundProtected(start, bad)
				if !mutable[i] {
					require.NotEqual(t, Opened, o.Outcome, "byte %d", i)
					require.Empty(t, o.Packet, "byte %d", i)
					continue
				}
				require.Equal(t, Opened, o.Outcome, "byte %d: %s", i, o.Why)
				require.Equal(t, clear[36:], o.Packet[36:])
				sealed = fresh()
			}
			df := flagged(sealed, dontFragment)
			require.Equal(t, Opened, b.InboundProtected(start, df).Outcome, "a router set DF")
			require.EqualValues(t, len(mutable)+1, b.Counters().PacketsOpened)
		})
	}
}

// RFC 4302, Section 3.4.3: the window is asked first and moved last.
func TestAHReplay(t *testing.T) {
	a, b := joined(t, Config{Window: 32}, ipsec.Lifetime{}, ahSHA1)
	var sent [][]byte
	for range 40 {
		sent = append(sent, a.Outbound(start, toBob(1, 2), 0).Packet)
	}
	why := func(n int) string { return b.InboundProtected(start, sent[n-1]).Why }
	opened := func(n int) { require.Equal(t, Opened, b.InboundProtected(start, sent[n-1]).Outcome, n) }
	opened(2)
	require.Equal(t, "replayed: the sequence number was received before", why(2))
	forged := bytes.Clone(sent[39])
	forged[len(forged)-1] ^= 1
	d := b.InboundProtected(start, forged)
	require.Equal(t, "not authentic: the integrity check failed", d.Why)
	require.Equal(t, Layer{ipsec.AH, 0x1000, 40}, d.Layer)
	opened(1)
	opened(40)
	opened(9)
	require.Equal(t, "replayed: the sequence number lies left of the anti-replay window", why(8))
	zero := bytes.Clone(sent[30])
	clear(zero[28:32])
	require.Equal(t, "replayed: sequence number 0 is never sent", b.InboundProtected(start, zero).Why)
	require.EqualValues(t, 3, b.Counters().Replayed)
	require.EqualValues(t, 1, b.Counters().NotAuthenticated)
}

func TestMalformedAH(t *testing.T) {
	a, b := joined(t, Config{}, ipsec.Lifetime{}, ahSHA1)
	sealed := a.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30), 1, 1, 1, 1), 0).Packet
	change := func(at int, v ...byte) []byte {
		p := bytes.Clone(sealed)
		copy(p[at:], v)
		return p
	}
	for why, packets := range map[string][][]byte{
		"AH is not as long as its SA makes it": {
			change(25, 3), change(25, 5), change(25, 255), ip(alice, bob, 51, sealed[24:47]), ip(alice, bob, 51, sealed[24:36]), ip(alice, bob, 51, nil),
		},
		"IP options are malformed: AH cannot tell which of them may change": {
			change(20, 7, 0), change(20, 7, 1), change(20, 7, 5), change(23, 7),
		},
		"a fragment reached IPsec: it opens whole datagrams only": {flagged(sealed, moreFragments), flagged(sealed, 5)},
	} {
		for i, p := range packets {
			require.Equal(t, why, b.InboundProtected(start, p).Why, "%d", i)
		}
	}
	require.Zero(t, b.SAs()[0].Packets)
	require.Equal(t, Opened, b.InboundProtected(start, sealed).Outcome)

	bad := ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30), 7, 40, 4, 0)
	d := a.Outbound(start, bad, 0)
	require.Equal(t, Dropped, d.Outcome)
	require.Equal(t, "IP options are malformed: AH cannot tell which of them may change", d.Why)
	require.Nil(t, d.Packet)
	require.EqualValues(t, 1, a.SAs()[1].Sequence, "a packet that is not sent uses up no number")
}

// Every proper prefix of a packet, with a total length that agrees, is dropped.
func TestTruncatedAH(t *testing.T) {
	for _, transforms := range protections {
		a, b := joined(t, Config{}, ipsec.Lifetime{}, transforms...)
		d := a.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30)), 0)
		for n := range len(d.Packet) {
			cut := bytes.Clone(d.Packet[:n])
			require.Equal(t, Dropped, b.InboundProtected(start, cut).Outcome, "%s: first %d bytes", named(transforms), n)
			if n >= 20 {
				finishIPv4(cut, cut, 20, ipsec.ProtoAH)
				require.Equal(t, Dropped, b.InboundProtected(start, cut).Outcome, "%s: datagram of %d bytes", named(transforms), n)
			}
		}
	}
}

// The ICV of a packet under a source route is for the last address of the route,
// where the destination field will have it (RFC 4302, Section 3.3.3.1.1.2).
func TestAHUnderASourceRoute(t *testing.T) {
	hop, final := bob.As4(), carol.As4()
	for _, kind := range []byte{0x83, 0x89} {
		route := append([]byte{kind, 7, 4}, append(final[:], 0)...)
		out, in := params(ahSHA1, alice, bob, 0x1000, 0x2000)
		in.Dst, in.Selector = carol, between(alice, carol)
		a, b := tunnelled(t, Config{}, []ipsec.SAParams{out}, []ipsec.SAParams{in})
		d := a.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 30), route...), 0)
		require.Equal(t, Protected, d.Outcome, d.Why)

		// What Bob, the hop, makes of it: RFC 791, Section 3.1.
		p := bytes.Clone(d.Packet)
		copy(p[16:20], final[:])
		copy(p[23:27], hop[:])
		p[22] = 8
		p[8]--
		finishIPv4(p, p, 28, ipsec.ProtoAH)
		o := b.InboundProtected(start, p)
		require.Equal(t, Opened, o.Outcome, o.Why)
	}
}

// AH adds nothing to the end, so that an odd length stays odd, and hides nothing.
func TestAHIsInTheClear(t *testing.T) {
	a, _ := joined(t, Config{}, ipsec.Lifetime{}, ahSHA1)
	for n := range 20 {
		clear := ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, n))
		d := a.Outbound(start, clear, 0)
		require.Equal(t, clear[20:], d.Packet[44:])
		require.EqualValues(t, len(d.Packet), binary.BigEndian.Uint16(d.Packet[2:]))
		require.Zero(t, checksum(d.Packet[:20]))
	}
}
