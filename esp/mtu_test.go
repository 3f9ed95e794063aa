package esp

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func transformOf(cipher, auth string) ipsec.Transform {
	return ipsec.Transform{Protocol: ipsec.ESP, Cipher: cipher, Auth: auth}
}

// What ESP adds to a payload of L bytes, L = 0 to 1400: 8 + IV +
// padding + 2 + ICV (RFC 4303, Section 2).
func TestOverhead(t *testing.T) {
	for _, c := range []struct {
		tr       ipsec.Transform
		min, max int
		even     []int // what occurs when L is even
	}{
		{transformOf("null", "hmac-md5-96"), 22, 25, []int{22, 24}},
		{transformOf("null", "hmac-sha1-96"), 22, 25, []int{22, 24}},
		{transformOf("des-cbc", "hmac-md5-96"), 30, 37, []int{30, 32, 34, 36}},
		{transformOf("des-cbc", "hmac-sha1-96"), 30, 37, []int{30, 32, 34, 36}},
		{transformOf("3des-cbc", "hmac-md5-96"), 30, 37, []int{30, 32, 34, 36}},
		{transformOf("3des-cbc", "hmac-sha1-96"), 30, 37, []int{30, 32, 34, 36}},
		{transformOf("aes128-cbc", "hmac-sha512-256"), 58, 73, nil},
		{transformOf("aes128-cbc", "hmac-sha1-96"), 38, 53, nil},
		{transformOf("aes192-cbc", "hmac-sha1-96"), 38, 53, nil},
		{transformOf("aes256-cbc", "hmac-sha1-96"), 38, 53, nil},
		{transformOf("aes128-cbc", "hmac-sha256-128"), 42, 57, nil},
		{transformOf("aes256-cbc", "hmac-sha256-128"), 42, 57, nil},
		{transformOf("aes128-gcm16", ""), 34, 37, []int{34, 36}},
		{transformOf("aes192-gcm16", ""), 34, 37, []int{34, 36}},
		{transformOf("aes256-gcm16", ""), 34, 37, []int{34, 36}},
		{transformOf("aes128-gcm12", ""), 30, 33, []int{30, 32}},
		{transformOf("aes128-gcm8", ""), 26, 29, []int{26, 28}},
		{transformOf("aes128-ccm16", ""), 34, 37, []int{34, 36}},
		{transformOf("aes128-ccm12", ""), 30, 33, []int{30, 32}},
		{transformOf("aes128-ccm8", ""), 26, 29, []int{26, 28}},
		{transformOf("aes128-gmac", ""), 34, 37, []int{34, 36}},
		{transformOf("chacha20-poly1305", ""), 34, 37, []int{34, 36}},
		{transformOf("aes128-ctr", "hmac-sha1-96"), 30, 33, []int{30, 32}},
		{transformOf("aes128-cbc", "aes-xcbc-96"), 38, 53, nil},
		{ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16", ESN: true}, 34, 37, []int{34, 36}}, // the upper half does not travel
		{transformOf("des-iv64", ""), 14, 21, []int{14, 16, 18, 20}},
		{transformOf("des-iv32", ""), 10, 17, []int{10, 12, 14, 16}},
	} {
		t.Run(c.tr.String(), func(t *testing.T) {
			a, _ := secured(t, Config{}, c.tr, ipsec.Lifetime{})
			lowest, highest, even := overheads(t, a)
			require.Equal(t, c.min, lowest)
			require.Equal(t, c.max, highest)
			if c.even != nil {
				want := map[int]bool{}
				for _, o := range c.even {
					want[o] = true
				}
				require.Equal(t, want, even)
			}
		})
	}
}

// overheads sends payloads of 0 to 1400 bytes and sees what is added: the least,
// the most, and all that occur for even lengths.
func overheads(t *testing.T, a *node) (lowest, highest int, even map[int]bool) {
	a.cfg.Trace = nil
	lowest, even = 9999, map[int]bool{}
	for n := 0; n <= 1400; n++ {
		d := a.Outbound(start, ip(alice, bob, 99, make([]byte, n)), 0)
		require.Equal(t, Protected, d.Outcome)
		over := len(d.Packet) - 20 - n
		lowest, highest = min(lowest, over), max(highest, over)
		if n%2 == 0 {
			even[over] = true
		}
	}
	return lowest, highest, even
}

// AH with a 96-bit ICV always adds the 24 bytes of claim C094, and what it is
// around adds its own; a tunnel adds 20 to an inner datagram of 20 + L.
func TestOverheadOfAH(t *testing.T) {
	for _, c := range []struct {
		transforms []ipsec.Transform
		min, max   int
	}{
		{[]ipsec.Transform{{Protocol: ipsec.AH, Auth: "hmac-md5-96"}}, 24, 24},
		{[]ipsec.Transform{ahSHA1}, 24, 24},
		{[]ipsec.Transform{{Protocol: ipsec.AH, Auth: "hmac-sha256-128"}}, 28, 28},
		{[]ipsec.Transform{{Protocol: ipsec.AH, Auth: "hmac-sha512-256"}}, 44, 44},
		{[]ipsec.Transform{{Protocol: ipsec.AH, Auth: "aes-xcbc-96"}}, 24, 24},
		{[]ipsec.Transform{{Protocol: ipsec.AH, Auth: "aes128-gmac"}}, 36, 36},
		{[]ipsec.Transform{{Protocol: ipsec.AH, Auth: "keyed-md5"}}, 24, 24},
		{[]ipsec.Transform{{Protocol: ipsec.AH, Auth: "hmac-md5-replay"}}, 32, 32},
		{bothDESSHA1, 24 + 30, 24 + 37},
		{[]ipsec.Transform{desAlone, ahSHA1}, 24 + 18, 24 + 25},
		{[]ipsec.Transform{espNull, ahSHA1}, 24 + 22, 24 + 25},
	} {
		a, _ := joined(t, Config{}, ipsec.Lifetime{}, c.transforms...)
		lowest, highest, _ := overheads(t, a)
		require.Equal(t, []int{c.min, c.max}, []int{lowest, highest}, named(c.transforms))

		tunnel, _ := tunnelled(t, Config{}, firstOf(bundled(c.transforms, ipsec.Tunnel, alice, bob, 0x1000, 0x2000)), nil)
		lowest, highest, _ = overheads(t, tunnel)
		require.Equal(t, []int{c.min + 20, c.max + 20}, []int{lowest, highest}, "tunnel, %s", named(c.transforms))
	}
}

func firstOf(out, _ []ipsec.SAParams) []ipsec.SAParams { return out }

// The documents' "22 to 36 bytes" for ESP (claim C095) is the least of ESP without
// encryption to the most of 3DES, for even payload lengths only: 37 is for odd ones.
func TestOverheadRangeOfTheDocuments(t *testing.T) {
	occur := map[int]bool{}
	for _, cipher := range []string{"null", "des-cbc", "3des-cbc"} {
		for _, auth := range []string{"hmac-md5-96", "hmac-sha1-96"} {
			a, _ := secured(t, Config{}, transformOf(cipher, auth), ipsec.Lifetime{})
			_, _, even := overheads(t, a)
			for o := range even {
				occur[o] = true
			}
		}
	}
	require.Equal(t, map[int]bool{22: true, 24: true, 30: true, 32: true, 34: true, 36: true}, occur)
}

// The one length that the source documents' "22 to 36" forgets: L ≡ 7 mod 8.
func TestHighestOverheadOfTripleDES(t *testing.T) {
	a, _ := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	for n := range 64 {
		d := a.Outbound(start, ip(alice, bob, 99, make([]byte, n)), 0)
		require.Equal(t, n%8 == 7, len(d.Packet)-20-n == 37, "L = %d", n)
	}
}

// TooBig names the largest datagram that fits: with it the packet fits, with one
// byte more it does not. Every suite, path MTU and header length.
func TestTooBig(t *testing.T) {
	for _, transforms := range everyProtection() {
		t.Run(named(transforms), func(t *testing.T) {
			a, _ := joined(t, Config{}, ipsec.Lifetime{}, transforms...)
			a.cfg.Trace = nil
			for _, opts := range [][]byte{nil, make([]byte, 40)} {
				for pathMTU := 200; pathMTU <= 1500; pathMTU += 7 {
					packet := func(n int) []byte {
						return flagged(ip(alice, bob, 99, make([]byte, n-20-len(opts)), opts...), dontFragment)
					}
					sent := a.SAs()
					d := a.Outbound(start, packet(pathMTU), pathMTU)
					require.Equal(t, TooBig, d.Outcome)
					require.Nil(t, d.Packet)
					require.Equal(t, sent, a.SAs(), "a packet that is not sent uses up nothing")

					fits := a.Outbound(start, packet(d.MTU), pathMTU)
					require.Equal(t, Protected, fits.Outcome, "%d of %d", d.MTU, pathMTU)
					require.LessOrEqual(t, len(fits.Packet), pathMTU)
					again := a.Outbound(start, packet(d.MTU+1), pathMTU)
					require.Equal(t, TooBig, again.Outcome, "%d of %d", d.MTU+1, pathMTU)
					require.Equal(t, d.MTU, again.MTU)
				}
			}
		})
	}
}

func TestWhenNothingIsTooBig(t *testing.T) {
	a, _ := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	big := ip(alice, bob, 99, make([]byte, 1480))
	require.Equal(t, Protected, a.Outbound(start, big, 1500).Outcome, "without DF the result is fragmented")
	require.Equal(t, Protected, a.Outbound(start, flagged(big, dontFragment), 0).Outcome, "the path MTU is not known")
	d := a.Outbound(start, flagged(big, dontFragment), 1500)
	require.Equal(t, TooBig, d.Outcome)
	require.Equal(t, 1466, d.MTU, "20 + 1446; 1446 + 2 = 181·8; 20 + 8 + 8 + 1448 + 12 = 1496")
	require.Equal(t, "DF is set, and with ESP[3des-cbc,hmac-sha1-96] only 1466 bytes fit the path MTU of 1500", d.Why)
	d = a.Outbound(start, flagged(big, dontFragment), 55)
	require.Equal(t, Dropped, d.Outcome)
	require.Equal(t, "a path MTU of 55 bytes leaves no room for a protected packet", d.Why)
}

// The largest datagram that can be protected, and one byte more.
func TestLargestDatagram(t *testing.T) {
	for _, tr := range everyProtection() {
		a, b := joined(t, Config{}, ipsec.Lifetime{}, tr...)
		n, ok := proposalRoom(ipsec.Proposal{Transforms: tr}, 65535-20, bob)
		require.True(t, ok)
		packet := ip(alice, bob, 99, make([]byte, n))
		d := a.Outbound(start, packet, 1500)
		require.Equal(t, Protected, d.Outcome, "%s: %d", named(tr), n)
		require.LessOrEqual(t, len(d.Packet), 65535)
		o := b.InboundProtected(start, d.Packet)
		require.Equal(t, Opened, o.Outcome, o.Why)
		require.Equal(t, packet, o.Packet)

		for _, n := range []int{n + 1, 65515} {
			d = a.Outbound(start, ip(alice, bob, 99, make([]byte, n)), 1500)
			require.Equal(t, Dropped, d.Outcome, fmt.Sprint(n))
			require.Equal(t, "the protected datagram would exceed 65535 bytes", d.Why)
		}
		require.EqualValues(t, 1, a.SAs()[len(tr)].Sequence, "a packet that is not sent uses up no number")
	}
}
