package observe_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox/observe"
)

type noise struct{ *rand.ChaCha8 }

func newNoise(seed byte) noise { return noise{rand.NewChaCha8([32]byte{seed})} }

func (n noise) bytes(count int) []byte {
	b := make([]byte, count)
	n.Read(b)
	return b
}

// sealer is the sending half of a host with one SA.
func sealer(t testing.TB, tr ipsec.Transform, mode ipsec.Mode, src, dst netip.Addr, spi uint32) func(packet []byte) []byte {
	t.Helper()
	n := newNoise(byte(spi))
	p, err := esp.New(esp.Config{Rand: n})
	require.NoError(t, err)
	sel := ipsec.Selector{Src: ipsec.Host(src), Dst: ipsec.Host(dst)}
	entry := ipsec.Policy{ID: 1, Rule: "p/r", Direction: ipsec.Outbound, Selector: sel, Action: ipsec.Protect}
	sa := ipsec.SAParams{
		Direction: ipsec.Outbound, Protocol: ipsec.ESP, SPI: spi, PeerSPI: spi + 1, Src: src, Dst: dst,
		Mode: mode, Transform: tr, Selector: sel, PolicyID: 1, Rule: "p/r",
	}
	if mode == ipsec.Tunnel {
		if src.Is4() {
			sa.Src, sa.Dst = netip.MustParseAddr("10.7.0.1"), netip.MustParseAddr("10.7.0.2")
		} else {
			sa.Src, sa.Dst = netip.MustParseAddr("2001:db8:7::1"), netip.MustParseAddr("2001:db8:7::2")
		}
		entry.Peer = sa.Dst
	}
	if c := suite.CipherNamed(tr.Cipher); c != nil {
		sa.CipherKey = n.bytes(c.KeyLen + c.SaltLen)
	}
	if a := suite.AuthNamed(tr.Auth); a != nil {
		sa.AuthKey = n.bytes(a.KeyLen + a.SaltLen)
	}
	p.SetPolicy([]ipsec.Policy{entry}, nil)
	start := time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)
	require.NoError(t, p.Add(start, sa))
	return func(packet []byte) []byte {
		d := p.Outbound(start, packet, 0)
		require.Equal(t, esp.Protected, d.Outcome, d.Why)
		return d.Packet
	}
}

// traffic is what goes one way between two hosts, and has the secret in it once.
func traffic(t testing.TB, f family) map[string][][]byte {
	syn, ack := tcp(40000, 445, 7777, "S"), tcp(40000, 445, 7778, "A")
	syn.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}}}
	ack.Ack = 99
	mid := tcp(40000, 445, 7778+16, "A") // the inspector comes later than the connection
	mid.Ack = 99
	return map[string][][]byte{
		"a connection":           {f.tcp(t, syn, ""), f.tcp(t, ack, ""), f.tcp(t, ack, "the secret word.")},
		"a connection, later on": {f.tcp(t, ack, "the secret word."), f.tcp(t, mid, "and more"), f.tcp(t, mid, "and more")},
		"datagrams":              {f.udp(t, 5000, 53, "secret"), f.udp(t, 5000, 53, "and more"), f.udp(t, 5000, 53, "x")},
		"echoes":                 {f.echo(t, 1, "secret"), f.echo(t, 2, "secre"), f.echo(t, 3, "secre")},
	}
}

// Without encryption an inspector finds the length of the check value within three
// packets, and then what was in the first of them, for all suites and both modes.
func TestFindsESPWithoutEncryption(t *testing.T) {
	type suiteOf struct {
		ipsec.Transform
		icv, iv int
	}
	var suites []suiteOf
	for auth, icv := range map[string]int{
		"hmac-md5-96": 12, "hmac-sha1-96": 12, "aes-xcbc-96": 12, "hmac-sha256-128": 16, "hmac-sha384-192": 24, "hmac-sha512-256": 32,
	} {
		suites = append(suites, suiteOf{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null", Auth: auth}, icv, 0})
	}
	for _, gmac := range []string{"aes128-gmac", "aes192-gmac", "aes256-gmac"} {
		suites = append(suites, suiteOf{ipsec.Transform{Protocol: ipsec.ESP, Cipher: gmac}, 16, 8})
	}
	for _, s := range suites {
		for _, f := range families {
			for _, mode := range []ipsec.Mode{ipsec.Transport, ipsec.Tunnel} {
				for name, packets := range traffic(t, f) {
					for _, inUDP := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s/%s/%s/%s/in UDP %v", s.Transform, f, mode, name, inUDP), func(t *testing.T) {
							a, b := f.addrs()
							seal := sealer(t, s.Transform, mode, a, b, 0x4711)
							d := newDesk(t, observe.InspectorConfig{Patterns: secret(), ESPNull: true})
							for _, p := range packets {
								sealed := seal(p)
								if inUDP {
									sealed = f.udp(t, 61000, natt.Port, string(espOf(sealed)))
								}
								d.Observe(0, sealed)
							}
							require.Equal(t, uint64(1), d.found())
							n := d.Notes(0)
							require.Equal(t, []uint64{3, 0, 0, 1, 0}, []uint64{n.Read.Packets, n.Unsure.Packets, n.Opaque.Packets, n.NullFlows, n.SecretFlows})
							require.Len(t, d.recorded, 2)
							e := d.recorded[0].(trace.ObserverESP)
							require.Equal(t, []any{"null", s.icv, s.iv, uint32(0x4711)}, []any{e.Verdict, e.ICV, e.IV, e.SPI})
							under := map[bool]string{true: "udp+"}[inUDP] + "esp-null" + map[ipsec.Mode]string{ipsec.Tunnel: "+tunnel"}[mode]
							require.Equal(t, under, d.recorded[1].(trace.ObserverAlert).Under)
						})
					}
				}
			}
		}
	}
}

// espOf is what stands behind the IP header.
func espOf(packet []byte) []byte {
	if packet[0]>>4 == 6 {
		return packet[40:]
	}
	return packet[20:]
}

// Encryption stays encryption, for each cipher.
func TestTakesNoEncryptionForNone(t *testing.T) {
	for _, cipher := range []string{"des-cbc", "3des-cbc", "aes128-cbc", "aes256-ctr", "aes128-gcm16", "aes128-ccm8", "chacha20-poly1305"} {
		tr := ipsec.Transform{Protocol: ipsec.ESP, Cipher: cipher, Auth: "hmac-sha1-96"}
		if suite.CipherNamed(cipher).AEAD() {
			tr.Auth = ""
		}
		for _, f := range families {
			a, b := f.addrs()
			d := newDesk(t, observe.InspectorConfig{Patterns: secret(), ESPNull: true})
			packets := traffic(t, f)
			for spi := range uint32(50) {
				seal := sealer(t, tr, ipsec.Transport, a, b, 0x1000+spi)
				for range 2 {
					for _, name := range []string{"a connection", "datagrams", "echoes"} {
						for _, p := range packets[name] {
							d.Observe(0, seal(p))
						}
					}
				}
			}
			n := d.Notes(0)
			require.Equal(t, []uint64{0, 0, 50 * 18, 0, 50, 0},
				[]uint64{n.Read.Packets, n.Unsure.Packets, n.Opaque.Packets, n.NullFlows, n.SecretFlows, d.found()}, "%s %s", cipher, f)
		}
	}
}

// What the heuristics make of noise, flow by flow: RFC 5879, Section 8.2 gives 3.1 % as
// the upper bound of packets whose padding looks right somewhere. None of the flows is read.
func TestHeuristicsOnNoise(t *testing.T) {
	const flows = 300_000
	n := newNoise(1)
	d := newDesk(t, observe.InspectorConfig{Patterns: secret(), ESPNull: true})
	unsure := 0
	for spi := range uint32(flows) {
		for i := range 20 {
			size := 8 + 4*(6+int(n.Uint64()%350))
			p := noisyESP(spi+256, n, size)
			d.Observe(0, p)
			if d.Notes(0).Unsure.Packets == 0 {
				break // decided
			}
			if i == 0 {
				unsure++
			}
		}
	}
	notes := d.Notes(0)
	require.Zero(t, notes.NullFlows)
	require.Zero(t, notes.Read.Packets)
	require.Equal(t, uint64(flows), notes.SecretFlows)
	require.Less(t, float64(unsure)/flows, 0.031)
	t.Logf("of %d flows of noise %d (%.2f %%) were unsure at their first packet, and none was taken for ESP without encryption", flows, unsure, 100*float64(unsure)/flows)
}

// noisyESP is a packet of ESP with size bytes, all of them noise but its SPI.
func noisyESP(spi uint32, n noise, size int) []byte {
	p := make([]byte, 20+size)
	n.Read(p[20:])
	p[0], p[8], p[9] = 0x45, 64, 50
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	copy(p[12:], []byte{10, 0, 0, 1, 10, 0, 9, 9})
	binary.BigEndian.PutUint32(p[20:], spi)
	return p
}

// A protocol that the heuristics do not know makes them sure by the padding and its number
// alone, after a while: RFC 5879, Section 8.2.
func TestUnknownProtocolInESP(t *testing.T) {
	a, b := families[0].addrs()
	tr := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}
	seal := sealer(t, tr, ipsec.Transport, a, b, 0x4711)
	d := newDesk(t, observe.InspectorConfig{Patterns: secret(), ESPNull: true})
	for i := range 6 {
		d.Observe(0, seal(families[0].packet(t, 253, payload("12345678901234"[:4+2*i]))))
	}
	n := d.Notes(0)
	require.Equal(t, []uint64{1, 6, 0}, []uint64{n.NullFlows, n.Read.Packets, n.Unsure.Packets})
}

// When another SA takes over the SPI, and its packets make no sense, the flow is looked at anew:
// RFC 5879, Section 6.
func TestSPIOfAnotherSA(t *testing.T) {
	a, b := families[0].addrs()
	d := newDesk(t, observe.InspectorConfig{Patterns: secret(), ESPNull: true})
	null := sealer(t, ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}, ipsec.Transport, a, b, 0x4711)
	for i := range 5 {
		d.Observe(time.Duration(i)*time.Second, null(families[0].udp(t, 5000, 53, "datagram")))
	}
	require.Equal(t, uint64(5), d.Notes(0).Read.Packets)
	secretly := sealer(t, ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-cbc", Auth: "hmac-sha1-96"}, ipsec.Transport, a, b, 0x4711)
	for i := range 20 {
		d.Observe(time.Minute+time.Duration(i)*time.Millisecond, secretly(families[0].udp(t, 5000, 53, "datagram")))
	}
	n := d.Notes(0)
	require.Equal(t, []uint64{5, 20, 1, 1}, []uint64{n.Read.Packets, n.Opaque.Packets, n.NullFlows, n.SecretFlows})
}

// Without its heuristics an inspector reads no ESP at all.
func TestWithoutHeuristics(t *testing.T) {
	a, b := families[0].addrs()
	seal := sealer(t, ipsec.Transform{Protocol: ipsec.ESP, Cipher: "null", Auth: "hmac-sha1-96"}, ipsec.Transport, a, b, 0x4711)
	d := newDesk(t, observe.InspectorConfig{Patterns: secret()})
	for range 5 {
		d.Observe(0, seal(families[0].udp(t, 5000, 53, "secret")))
	}
	n := d.Notes(0)
	require.Equal(t, []uint64{0, 5, 0, 0}, []uint64{n.Read.Packets, n.Opaque.Packets, n.NullFlows, d.found()})
}
