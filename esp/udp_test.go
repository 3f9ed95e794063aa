package esp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/needs"
)

// In these tests Alice is behind a NAT, which gives her port 4500 another number on its outside.
var (
	natt4500 = ipsec.Encapsulation{Src: 4500, Dst: 4500}
	nonIKE   = ipsec.Encapsulation{Src: 500, Dst: 500, NonIKE: true}
	forms    = map[string]ipsec.Encapsulation{"port 4500": natt4500, "port 500, drafts 00 and 01": nonIKE}
)

// wrap gives SAs an encapsulation.
func wrap(e ipsec.Encapsulation, sas ...[]ipsec.SAParams) {
	for _, list := range sas {
		for i := range list {
			list[i].UDP = e
		}
	}
}

// encapsulated are Alice and Bob with an SA from her to him in UDP.
func encapsulated(t testing.TB, c Config, e ends, mode ipsec.Mode, tr ipsec.Transform, form ipsec.Encapsulation) (a, b *node) {
	t.Helper()
	out, in := bundled([]ipsec.Transform{tr}, mode, e.a, e.b, 0x5000, 0x6000)
	wrap(form, out, in)
	in[0].OriginalSrc, in[0].OriginalDst = e.a, e.b // so that checksums stay what they are
	return tunnelled(t, c, out, in)
}

// RFC 3948, Sections 2.1, 3.2 and 3.4: between the IP header and what would stand there
// without encapsulation is a UDP header, over IPv4 with a checksum of zero. The drafts
// 00 and 01 have eight zero octets behind it.
func TestEncapsulation(t *testing.T) {
	for name, form := range forms {
		for family, e := range families {
			for _, mode := range []ipsec.Mode{ipsec.Transport, ipsec.Tunnel} {
				what := name + " " + family + " " + mode.String()
				plain, _ := encapsulated(t, Config{}, e, mode, tripleDES, ipsec.Encapsulation{})
				a, b := encapsulated(t, Config{}, e, mode, tripleDES, form)
				clear := e.packet(ipsec.ProtoTCP, udp(1000, 2000, 50))
				d := a.Outbound(start, clear, 0)
				require.Equal(t, Protected, d.Outcome, d.Why)
				require.True(t, d.UDP)
				require.Equal(t, "UDP, ESP SPI 0x00005000 sequence 1", d.Layers())
				bare := plain.Outbound(start, clear, 0).Packet
				h := headerOf(e.a)
				size := 8
				if form.NonIKE {
					size = 16
				}
				require.Equal(t, bare[h:], d.Packet[h+size:], "%s: ESP is what it is without", what)
				require.Equal(t, make([]byte, size-8), d.Packet[h+8:h+size], what)
				header := d.Packet[h : h+8]
				require.Equal(t, []uint16{form.Src, form.Dst, uint16(len(d.Packet) - h)}, []uint16{
					binary.BigEndian.Uint16(header), binary.BigEndian.Uint16(header[2:]), binary.BigEndian.Uint16(header[4:]),
				}, what)
				sum := binary.BigEndian.Uint16(header[6:])
				if e.a.Is4() {
					require.Equal(t, uint8(17), d.Packet[9])
					require.Zero(t, checksum(d.Packet[:20]), "%s: the IPv4 header is right", what)
					require.Zero(t, sum, what)
				} else {
					require.Equal(t, uint8(17), d.Packet[6])
					require.True(t, udpSumRight(d.Packet[h:], e), "%s: a checksum that IPv6 demands", what)
				}

				o := b.InboundProtected(start, d.Packet)
				require.Equal(t, Opened, o.Outcome, o.Why)
				require.True(t, o.UDP)
				require.Equal(t, clear, o.Packet, what)
				require.Empty(t, b.events(), "%s: it came from where it should", what)
				require.Equal(t, "replayed: the sequence number was received before", b.InboundProtected(start, d.Packet).Why)
			}
		}
	}
}

// udpSumRight adds up a UDP datagram over IPv6 with its pseudo-header: RFC 8200, Section 8.1.
func udpSumRight(datagram []byte, e ends) bool {
	pseudo := append(e.a.AsSlice(), e.b.AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(datagram)))
	pseudo = append(pseudo, 0, 0, 0, 17)
	pseudo = append(pseudo, datagram...)
	if len(pseudo)%2 == 1 {
		pseudo = append(pseudo, 0)
	}
	return checksum(pseudo) == 0 && binary.BigEndian.Uint16(datagram[6:]) != 0
}

// The same by scapy, which knows the form of port 4500 (nat_t_header) over IPv4: it seals the same bytes
// and opens ours.
func TestEncapsulationAgainstScapy(t *testing.T) {
	python := needs.Tool(t, "scapy")
	var run scapyRun
	for _, tr := range suites {
		out, in := bundled([]ipsec.Transform{tr}, ipsec.Transport, alice, bob, 0x5000, 0x6000)
		wrap(ipsec.Encapsulation{Src: 4500, Dst: 61234}, out, in)
		run.roundTrips(t, "in UDP "+tr.String(), families["IPv4"], out, in, []int{0, 7, 100})
		for i := range out {
			out[i].Mode, in[i].Mode = ipsec.Tunnel, ipsec.Tunnel
		}
		run.roundTrips(t, "in UDP, tunnel "+tr.String(), families["IPv4"], out, in, []int{7})
	}
	run.check(t, python)
}

// The UDP checksum of an arriving packet is whatever a NAT has made of it: RFC 3948, Section 2.1.
func TestOuterChecksumIsOfNoInterest(t *testing.T) {
	for family, e := range families {
		for _, sum := range []uint16{0, 1, 0xffff} {
			a, b := encapsulated(t, Config{}, e, ipsec.Transport, tripleDES, natt4500)
			p := a.Outbound(start, e.packet(ipsec.ProtoTCP, udp(1, 2, 30)), 0).Packet
			binary.BigEndian.PutUint16(p[headerOf(e.a)+6:], sum)
			require.Equal(t, Opened, b.InboundProtected(start, p).Outcome, family)
		}
	}
}

// What comes in another form than was agreed on is refused, unless the host is told to take it.
func TestAnotherForm(t *testing.T) {
	rewrapped := func(p []byte, form ipsec.Encapsulation, size int) []byte {
		esp := p[20+size:]
		if !form.On() {
			return ip(alice, bob, ipsec.ProtoESP, esp)
		}
		h := binary.BigEndian.AppendUint16(nil, form.Src)
		h = binary.BigEndian.AppendUint16(h, form.Dst)
		h = binary.BigEndian.AppendUint16(h, uint16(encapsulation(form)+len(esp)))
		h = append(h, make([]byte, encapsulation(form)-6)...)
		return ip(alice, bob, ipsec.ProtoUDP, append(h, esp...))
	}
	none := ipsec.Encapsulation{}
	for _, c := range []struct {
		agreed, sent ipsec.Encapsulation
		why          string
	}{
		{none, natt4500, "it came in UDP, and its SA has no encapsulation"},
		{none, nonIKE, "it came in UDP, and its SA has no encapsulation"},
		{natt4500, none, "its SA has encapsulation in UDP, and it came without"},
		{nonIKE, none, "its SA has encapsulation in UDP, and it came without"},
		{natt4500, nonIKE, "it came in UDP in another form, or to another port, than that of its SA"},
		{natt4500, ipsec.Encapsulation{Src: 4500, Dst: 4501}, "it came in UDP in another form, or to another port, than that of its SA"},
	} {
		for _, lenient := range []bool{false, true} {
			a, b := encapsulated(t, Config{AnyForm: lenient}, families["IPv4"], ipsec.Transport, tripleDES, c.agreed)
			clear := ip(alice, bob, ipsec.ProtoTCP, udp(1, 2, 30))
			p := rewrapped(a.Outbound(start, clear, 0).Packet, c.sent, encapsulation(c.agreed))
			_, twin := encapsulated(t, Config{AnyForm: lenient}, families["IPv4"], ipsec.Transport, tripleDES, c.agreed)
			for _, d := range []Decision{b.InboundProtected(start, p), twin.InboundInPlace(start, bytes.Clone(p))} {
				if !lenient {
					require.Equal(t, Dropped, d.Outcome)
					require.Equal(t, c.why, d.Why)
					continue
				}
				require.Equal(t, Opened, d.Outcome, d.Why)
				require.Equal(t, clear, d.Packet)
			}
		}
	}
}

// Without a whole header of UDP, with a length that is wrong, or with IKE inside, nothing opens.
func TestMalformedEncapsulation(t *testing.T) {
	a, b := encapsulated(t, Config{}, families["IPv4"], ipsec.Transport, tripleDES, natt4500)
	sealed := a.Outbound(start, ip(alice, bob, ipsec.ProtoTCP, udp(1, 2, 30)), 0).Packet
	changed := func(change func(u []byte) []byte) []byte {
		return ip(alice, bob, ipsec.ProtoUDP, change(bytes.Clone(sealed[20:])))
	}
	length := func(n int) func([]byte) []byte {
		return func(u []byte) []byte { binary.BigEndian.PutUint16(u[4:], uint16(n)); return u }
	}
	for name, c := range map[string]struct {
		packet []byte
		why    string
	}{
		"seven octets":     {changed(func(u []byte) []byte { return u[:7] }), "the UDP datagram is shorter than its header says"},
		"a length of 7":    {changed(length(7)), "the UDP datagram is shorter than its header says"},
		"too long":         {changed(length(len(sealed) - 20 + 1)), "the UDP datagram is shorter than its header says"},
		"a keep-alive":     {changed(func(u []byte) []byte { u[8] = 0xff; return length(9)(u[:9]) }), "neither an ESP nor an AH datagram"},
		"IKE":              {changed(func(u []byte) []byte { clear(u[8:12]); return u }), "neither an ESP nor an AH datagram"},
		"SPI and no more":  {changed(func(u []byte) []byte { return length(12)(u[:12]) }), "ESP packet is too short or not aligned for its SA"},
		"the end left out": {changed(length(len(sealed) - 20 - 8)), "not authentic: the integrity check failed"},
	} {
		d := b.InboundProtected(start, c.packet)
		require.Equal(t, Dropped, d.Outcome, name)
		require.Equal(t, c.why, d.Why, name)
	}
	// What stands behind the datagram of UDP is none of it.
	d := b.InboundProtected(start, changed(func(u []byte) []byte { return append(u, 1, 2, 3) }))
	require.Equal(t, Opened, d.Outcome, d.Why)
}

// AH has no encapsulation, and a bundle has AH outside.
func TestNoEncapsulationOfAH(t *testing.T) {
	for _, transforms := range [][]ipsec.Transform{{ahSHA1}, bothDESSHA1} {
		for wrapped := range transforms {
			out, _ := bundled(transforms, ipsec.Transport, alice, bob, 0x5000, 0x6000)
			out[wrapped].UDP = natt4500
			err := newNode(t, Config{}).Add(start, out...)
			require.ErrorContains(t, err, "unsupported: AH does not pass a NAT, and there is no encapsulation of it in UDP (RFC 3948, Section 1)")
		}
	}
	out, _ := params(tripleDES, alice, bob, 0x5000, 0x6000)
	out.UDP = ipsec.Encapsulation{Dst: 4500}
	require.ErrorContains(t, newNode(t, Config{}).Add(start, out), "its encapsulation in UDP has no source port")
}

// The largest packet that fits a path, and one octet more: RFC 4301, Section 8.2.1.
func TestEncapsulationAndPathMTU(t *testing.T) {
	for name, form := range forms {
		for _, mode := range []ipsec.Mode{ipsec.Transport, ipsec.Tunnel} {
			a, _ := encapsulated(t, Config{}, families["IPv4"], mode, tripleDES, form)
			e := negotiate(1, ipsec.Outbound, ipsec.Selector{})
			e.Proposals[0].Mode = mode
			if mode == ipsec.Tunnel {
				e.Peer = bob
			}
			a.SetPolicy([]ipsec.Policy{e}, nil)
			const path = 1400
			big := a.Outbound(start, flagged(ip(alice, bob, ipsec.ProtoTCP, udp(1, 2, 1380)), dontFragment), path)
			require.Equal(t, TooBig, big.Outcome, name)
			for _, more := range []int{0, 1} {
				d := a.Outbound(start, flagged(ip(alice, bob, ipsec.ProtoTCP, udp(1, 2, big.MTU-28+more)), dontFragment), path)
				if more == 1 {
					require.Equal(t, TooBig, d.Outcome, name)
					continue
				}
				require.Equal(t, Protected, d.Outcome, d.Why)
				require.LessOrEqual(t, len(d.Packet), path)
				require.Greater(t, len(d.Packet), path-8)
			}
			require.Equal(t, big.MTU, a.InnerMTU(ipsec.Flow{Src: alice, Dst: bob, Proto: ipsec.ProtoTCP}, path), "what TCP is told from the start")
			a.RemoveAll(start, "test")
			require.Greater(t, a.InnerMTU(ipsec.Flow{Src: alice, Dst: bob, Proto: ipsec.ProtoTCP}, path), big.MTU, "nobody knows of a NAT")
		}
	}
}

// Two computers behind one NAT may choose the same SPI: their outbound SAs differ by port.
func TestSameSPIBehindOneNAT(t *testing.T) {
	n := newNode(t, Config{})
	one, _ := params(tripleDES, alice, bob, 0x5000, 0x6000)
	two := one
	two.PeerSPI = 0x6001
	one.UDP, two.UDP = ipsec.Encapsulation{Src: 4500, Dst: 1111}, ipsec.Encapsulation{Src: 4500, Dst: 2222}
	require.NoError(t, n.Add(start, one, two))
	require.ErrorContains(t, n.Add(start, two), "there is one already")
	require.False(t, n.RemoveSA(start, ipsec.Outbound, ipsec.ESP, bob, 0x5000, "test"), "which of the two?")
	require.True(t, n.RemoveSAAt(start, ipsec.Outbound, ipsec.ESP, netip.AddrPortFrom(bob, 1111), 0x5000, "test"))
	left := n.SAs()
	require.Len(t, left, 1)
	require.Equal(t, uint16(2222), left[0].UDP.Dst)
	require.False(t, left[0].Replaced)
}
