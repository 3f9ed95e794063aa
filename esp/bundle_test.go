package esp

import (
	"bytes"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// AH outside, ESP inside, each with a number of its own (RFC 2401, Section 4.3).
func TestBundle(t *testing.T) {
	for _, transforms := range protections {
		t.Run(named(transforms), func(t *testing.T) {
			a, b := joined(t, Config{}, ipsec.Lifetime{}, transforms...)
			for n := range 70 {
				clear := flagged(ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, n), 0x94, 4, 0, 0), dontFragment)
				kept := bytes.Clone(clear)
				d := a.Outbound(start, clear, 0)
				require.Equal(t, Protected, d.Outcome, d.Why)
				require.EqualValues(t, 51, d.Packet[9])
				outer, protocols := uint32(0x1000+len(transforms)-1), "AH"
				require.Equal(t, Layer{ipsec.AH, outer, uint64(n + 1)}, d.Layer)
				if len(transforms) == 2 {
					protocols = "AH+ESP"
					require.Equal(t, Layer{ipsec.ESP, 0x1000, uint64(n + 1)}, d.Inner)
					require.EqualValues(t, 50, d.Packet[24], "AH says that ESP follows")
				}
				require.Equal(t, protocols, d.Protocols())
				sealed := bytes.Clone(d.Packet)
				o := b.InboundProtected(start, d.Packet)
				require.Equal(t, Opened, o.Outcome, o.Why)
				require.Equal(t, kept, o.Packet)
				require.Equal(t, kept, clear, "the packet is only read")
				require.Equal(t, sealed, d.Packet, "the packet is only read")
				require.Equal(t, []Layer{d.Layer, d.Inner}, []Layer{o.Layer, o.Inner})
				require.Equal(t, d.Why, o.Why)
			}
			for _, s := range b.SAs()[:len(transforms)] {
				require.EqualValues(t, 70, s.Packets)
				require.EqualValues(t, 70, s.Sequence)
			}
			require.EqualValues(t, 70, b.Counters().PacketsOpened)
			require.Zero(t, b.Counters().Rekeys, "a bundle is no rekey of itself")
			require.Equal(t, len(transforms)*2, b.Counters().ActiveSAs)
		})
	}
}

func TestBundleSaysWhatItDoes(t *testing.T) {
	a, b := joined(t, Config{}, ipsec.Lifetime{Duration: time.Hour}, bothDESSHA1...)
	added := traced[trace.SAAdded](a)
	require.Len(t, added, 4)
	require.Equal(t, []uint32{0, 0x2000, 0, 0x1000}, []uint32{added[0].Inner, added[1].Inner, added[2].Inner, added[3].Inner})
	require.Equal(t, "AH", added[3].Protocol)
	require.Empty(t, added[3].Cipher)
	d := carry(t, a, b, start, toBob(1, 2))
	require.Equal(t, "AH[hmac-sha1-96], SPI 0x00001001 around ESP[3des-cbc,hmac-sha1-96], SPI 0x00001000", d.Why)
	require.Equal(t, "AH SPI 0x00001001 sequence 1, ESP SPI 0x00001000 sequence 1", d.Layers())
	big := a.Outbound(start, flagged(ip(alice, bob, 99, make([]byte, 1480)), dontFragment), 1500)
	require.Equal(t, "DF is set, and with ESP[3des-cbc,hmac-sha1-96]+AH[hmac-sha1-96] only 1442 bytes fit the path MTU of 1500", big.Why)
}

// The policy that negotiated a bundle demands all of it.
func TestIncompleteBundle(t *testing.T) {
	a, b := joined(t, Config{}, ipsec.Lifetime{}, bothDESSHA1...)
	whole := a.Outbound(start, toBob(1, 2), 0).Packet
	espAlone := ip(alice, bob, ipsec.ProtoESP, whole[44:])

	d := b.InboundProtected(start, espAlone)
	require.Equal(t, Dropped, d.Outcome)
	require.Equal(t, "its SA protects only inside AH, and the AH is missing", d.Why)
	require.Equal(t, "p/secure", d.Rule)
	require.Equal(t, Layer{ipsec.ESP, 0x1000, 1}, d.Layer)
	require.EqualValues(t, 1, b.Counters().WrongSA)

	// Sealed with the AH of the bundle, and yet not what was agreed on.
	sealAH := func(sa *sa, proto uint8, content []byte) []byte {
		clear, _ := parsed(ip(alice, bob, proto, content))
		alone := *sa
		alone.inner, alone.heads = nil, sa.layout.head
		p := make([]byte, alone.protectedSize(clear))
		alone.seal(p, clear)
		sa.sequence = alone.sequence
		return p
	}
	ah := a.sad.list[3]
	require.Equal(t, ipsec.AH, ah.Protocol)
	otherSPI := bytes.Clone(espAlone[20:])
	otherSPI[3] ^= 1
	for why, p := range map[string][]byte{
		"its SA protects only ESP, and inside is something else":   sealAH(ah, ipsec.ProtoUDP, udp(1, 2, 4)),
		"inside AH is a packet of an SA that is not of its bundle": sealAH(ah, ipsec.ProtoESP, otherSPI),
		"ESP packet is too short or not aligned for its SA":        sealAH(ah, ipsec.ProtoESP, make([]byte, 7)),
	} {
		d := b.InboundProtected(start, p)
		require.Equal(t, Dropped, d.Outcome)
		require.Equal(t, why, d.Why)
		require.Equal(t, ipsec.AH, d.Protocol)
	}
	require.Equal(t, Opened, b.InboundProtected(start, whole).Outcome, "and none of it harmed the bundle")
	require.EqualValues(t, 1, b.SAs()[0].Packets, "ESP")
	require.EqualValues(t, 4, b.SAs()[1].Packets, "AH was authentic each time, and counts")
}

// AH that was agreed on alone does not carry ESP.
func TestESPInsideAHAlone(t *testing.T) {
	a, b := joined(t, Config{TrustSPI: true}, ipsec.Lifetime{}, ahSHA1)
	for _, proto := range []uint8{ipsec.ProtoESP, ipsec.ProtoAH} {
		d := carry(t, a, b, start, ip(alice, bob, proto, make([]byte, 40)))
		require.Equal(t, Dropped, d.Outcome)
		require.Equal(t, "inside AH is a packet of an SA that is not of its bundle", d.Why)
	}
}

// The integrity of ESP counts although AH is right, and each window is its own.
func TestESPInsideABundleIsChecked(t *testing.T) {
	a, b := joined(t, Config{}, ipsec.Lifetime{}, bothDESSHA1...)
	ah := a.sad.list[3]
	var sealed [][]byte
	for range 2 {
		d, _ := parsed(toBob(1, 2))
		p := make([]byte, ah.protectedSize(d))
		ah.seal(p, d)
		sealed = append(sealed, p)
	}
	resign := func(p []byte, number byte) []byte {
		p = bytes.Clone(p)
		p[31] = number
		d, _ := parsed(p)
		ah.ah.seal(d, ah.SPI, uint64(number), ipsec.ProtoESP)
		return p
	}
	bad := bytes.Clone(sealed[0])
	bad[len(bad)-1] ^= 1
	require.Equal(t, badICV, defect(b.InboundProtected(start, resign(bad, 3)).Why), "ESP is forged")
	require.Equal(t, Opened, b.InboundProtected(start, sealed[0]).Outcome)
	require.Equal(t, replayedSeq, defect(b.InboundProtected(start, resign(sealed[0], 4)).Why), "ESP is replayed in a new AH")
	require.Equal(t, Opened, b.InboundProtected(start, sealed[1]).Outcome)
}

// What Add refuses of bundles; it is all or none.
func TestAddRefusesBundles(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(esp, ah *ipsec.SAParams)
		want   string
	}{
		{"other addresses", func(esp, ah *ipsec.SAParams) { ah.Dst = carol }, "the outbound AH SA 0x00001001: the ESP SA 0x00001000 inside it is not added with it"},
		{"other direction", func(esp, ah *ipsec.SAParams) { ah.Direction = ipsec.Inbound }, "is not added with it"},
		{"other mode", func(esp, ah *ipsec.SAParams) { ah.Mode = ipsec.Tunnel }, "mode, selector and policy are not those of the ESP SA 0x00001000 inside"},
		{"other selector", func(esp, ah *ipsec.SAParams) { ah.Selector.Proto = 17 }, "mode, selector and policy"},
		{"other policy", func(esp, ah *ipsec.SAParams) { ah.PolicyID = 2 }, "mode, selector and policy"},
		{"ESP without integrity, left alone", func(esp, ah *ipsec.SAParams) {
			esp.Transform.Auth, esp.AuthKey, ah.Inner = "", nil, 0
		}, "the outbound ESP SA 0x00001000: unsupported: 3des-cbc without integrity outside AH"},
	} {
		n := newNode(t, Config{})
		out, _ := bundled(bothDESSHA1, ipsec.Transport, alice, bob, 0x1000, 0x2000)
		c.change(&out[0], &out[1])
		require.ErrorContains(t, n.Add(start, out...), c.want, c.name)
		require.Empty(t, n.SAs(), c.name)
	}
	n := newNode(t, Config{})
	out, _ := bundled(bothDESSHA1, ipsec.Transport, alice, bob, 0x1000, 0x2000)
	second := out[1]
	second.SPI = 0x1002
	require.ErrorContains(t, n.Add(start, out[0], out[1], second), "0x00001002: the ESP SA 0x00001000 is inside another AH SA")
	require.NoError(t, n.Add(start, out[0]), "ESP may come alone")
	require.ErrorContains(t, n.Add(start, out[1]), "is not added with it", "and is then no part of a bundle")
}

// A bundle ends as a whole, whichever of its SAs is removed.
func TestBundleEndsTogether(t *testing.T) {
	for _, proto := range []ipsec.Protocol{ipsec.ESP, ipsec.AH} {
		spi := map[ipsec.Protocol]uint32{ipsec.ESP: 0x1000, ipsec.AH: 0x1001}[proto]
		for _, remove := range []func(n *node) bool{
			func(n *node) bool { return n.Remove(start, ipsec.Outbound, proto, spi, "gone") },
			func(n *node) bool { return n.RemoveSA(start, ipsec.Outbound, proto, bob, spi, "gone") },
		} {
			a, _ := joined(t, Config{}, ipsec.Lifetime{}, bothDESSHA1...)
			a.trace = nil
			require.True(t, remove(a))
			removed := traced[trace.SARemoved](a)
			require.Equal(t, []trace.SARemoved{
				{Direction: "outbound", Protocol: "AH", SPI: 0x1001, Dst: "10.0.0.2", Reason: "gone"},
				{Direction: "outbound", Protocol: "ESP", SPI: 0x1000, Dst: "10.0.0.2", Reason: "gone"},
			}, removed)
			require.Len(t, a.SAs(), 2)
			require.Equal(t, Held, a.Outbound(start, toBob(1, 2), 0).Outcome)
		}
	}
	a, _ := joined(t, Config{}, ipsec.Lifetime{}, bothDESSHA1...)
	require.Len(t, a.RemoveAll(start, "all"), 4)
	require.EqualValues(t, 4, a.Counters().KeyDeletions)
}

// One successor for a bundle, asked for with its outermost SA; the hard end takes
// all, with an event each so that the peer is told.
func TestLifetimeOfABundle(t *testing.T) {
	a, b := joined(t, Config{}, ipsec.Lifetime{Duration: time.Hour}, bothDESSHA1...)
	require.Equal(t, Opened, carry(t, a, b, start, toBob(1, 2)).Outcome)
	a.Advance(start.Add(59 * time.Minute))
	events := a.events()
	require.Len(t, events, 1)
	soft := events[0].(EventSoft)
	require.Equal(t, []any{ipsec.AH, uint32(0x1001), uint32(0x2001)}, []any{soft.SA.Protocol, soft.SA.SPI, soft.SA.PeerSPI})

	join(t, families["IPv4"], a, b, 0x3000, 0x4000, ipsec.Lifetime{Duration: time.Hour}, start.Add(59*time.Minute), bothDESSHA1)
	require.EqualValues(t, 1, a.Counters().Rekeys, "a bundle counts once")
	require.EqualValues(t, 0x3001, a.Outbound(start.Add(59*time.Minute), toBob(1, 2), 0).SPI)
	replaced := 0
	for _, s := range a.SAs() {
		if s.Replaced {
			replaced++
		}
	}
	require.Equal(t, 2, replaced, "both halves of the old bundle")

	b.Advance(start.Add(time.Hour))
	var hard []ipsec.Protocol
	for _, e := range b.events() {
		if e, ok := e.(EventHard); ok && e.SA.Direction == ipsec.Inbound {
			hard = append(hard, e.SA.Protocol)
		}
	}
	require.Equal(t, []ipsec.Protocol{ipsec.AH, ipsec.ESP}, hard)
	require.Len(t, b.SAs(), 4)
}

// AH counts the whole datagram, ESP what it encrypts: the first to reach its
// kilobytes ends the bundle (RFC 4301, Section 4.4.2.1).
func TestKilobytesOfABundle(t *testing.T) {
	a, b := joined(t, Config{}, ipsec.Lifetime{Kilobytes: 1}, bothDESSHA1...)
	d := carry(t, a, b, start, ip(alice, bob, 99, make([]byte, 494)))
	require.Equal(t, Opened, d.Outcome)
	require.EqualValues(t, 496, b.SAs()[0].Bytes, "494 + 2 = 62·8")
	require.EqualValues(t, 496+8+8+12+24+20, b.SAs()[1].Bytes)
	require.Empty(t, a.events())
	require.Equal(t, Opened, carry(t, a, b, start, ip(alice, bob, 99, make([]byte, 494))).Outcome)
	require.Empty(t, b.SAs(), "1136 bytes of AH are over 1024, and the inbound bundle ended, and with it the other")
	require.Len(t, a.SAs(), 2, "the outbound bundle ended here, and the other opens what was sent before")
	require.Equal(t, Held, a.Outbound(start, toBob(1, 2), 0).Outcome)
}

// The sequence number of neither SA wraps: the bundle ends first.
func TestSequenceNumbersOfABundleEnd(t *testing.T) {
	for _, inner := range []bool{false, true} {
		a, _ := joined(t, Config{}, ipsec.Lifetime{}, bothDESSHA1...)
		s := a.sad.list[3]
		if inner {
			s = s.inner
		}
		s.sequence = math.MaxUint32 - 1
		d := a.Outbound(start, toBob(1, 2), 0)
		require.Equal(t, Protected, d.Outcome)
		require.Len(t, a.SAs(), 2, "the outbound bundle ended with its last number")
		require.Equal(t, Held, a.Outbound(start, toBob(1, 2), 0).Outcome)
	}
}

// A bundle that the peer asked for serves an entry that accepts exactly it.
func TestBundleServesEntry(t *testing.T) {
	for _, c := range []struct {
		accepts []ipsec.Transform
		serves  bool
	}{
		{bothDESSHA1, true},
		{[]ipsec.Transform{tripleDES}, false},
		{[]ipsec.Transform{ahSHA1}, false},
		{[]ipsec.Transform{ahSHA1, tripleDES}, false},
		{[]ipsec.Transform{espNull, ahSHA1}, false},
		{nil, false},
	} {
		n := newNode(t, Config{})
		e := negotiate(1, ipsec.Outbound, ipsec.Selector{})
		e.Proposals = []ipsec.Proposal{{Transforms: c.accepts, Mode: ipsec.Transport}}
		n.SetPolicy([]ipsec.Policy{e}, nil)
		out, _ := bundled(bothDESSHA1, ipsec.Transport, alice, bob, 0x1000, 0x2000)
		out[0].PolicyID, out[1].PolicyID = 0, 0
		require.NoError(t, n.Add(start, out...))
		require.Equal(t, c.serves, n.Outbound(start, toBob(1, 2), 0).Outcome == Protected, "%v", c.accepts)
	}
}

// A packet of somebody else's address does not open under TrustSPI either: the
// addresses are what AH is about.
func TestAHCoversAddresses(t *testing.T) {
	a, b := joined(t, Config{TrustSPI: true}, ipsec.Lifetime{}, ahSHA1)
	p := bytes.Clone(a.Outbound(start, toBob(1, 2), 0).Packet)
	dave := netip.MustParseAddr("10.0.0.4").As4()
	copy(p[12:16], dave[:])
	finishIPv4(p, p, 20, ipsec.ProtoAH)
	require.Equal(t, "not authentic: the integrity check failed", b.InboundProtected(start, p).Why)
}
