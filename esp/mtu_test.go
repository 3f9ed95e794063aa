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
		{transformOf("3des-cbc", "hmac-sha1-96"), 30, 37, []int{30, 32, 34, 36}},
		{transformOf("aes128-cbc", "hmac-sha1-96"), 38, 53, nil},
		{transformOf("aes192-cbc", "hmac-sha1-96"), 38, 53, nil},
		{transformOf("aes256-cbc", "hmac-sha1-96"), 38, 53, nil},
		{transformOf("aes128-cbc", "hmac-sha256-128"), 42, 57, nil},
		{transformOf("aes256-cbc", "hmac-sha256-128"), 42, 57, nil},
		{transformOf("aes128-gcm16", ""), 34, 37, []int{34, 36}},
		{transformOf("aes192-gcm16", ""), 34, 37, []int{34, 36}},
		{transformOf("aes256-gcm16", ""), 34, 37, []int{34, 36}},
	} {
		t.Run(c.tr.String(), func(t *testing.T) {
			a, _ := secured(t, Config{}, c.tr, ipsec.Lifetime{})
			a.cfg.Trace = nil
			lowest, highest, even := 9999, 0, map[int]bool{}
			for n := 0; n <= 1400; n++ {
				d := a.Outbound(start, ip(alice, bob, 99, make([]byte, n)), 0)
				require.Equal(t, Protected, d.Outcome)
				over := len(d.Packet) - 20 - n
				lowest, highest = min(lowest, over), max(highest, over)
				if n%2 == 0 {
					even[over] = true
				}
			}
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
	for _, tr := range suites {
		t.Run(tr.String(), func(t *testing.T) {
			a, _ := secured(t, Config{}, tr, ipsec.Lifetime{})
			a.cfg.Trace = nil
			for _, opts := range [][]byte{nil, make([]byte, 40)} {
				for pathMTU := 200; pathMTU <= 1500; pathMTU += 7 {
					packet := func(n int) []byte {
						return flagged(ip(alice, bob, 99, make([]byte, n-20-len(opts)), opts...), dontFragment)
					}
					sent := a.SAs()[1]
					d := a.Outbound(start, packet(pathMTU), pathMTU)
					require.Equal(t, TooBig, d.Outcome)
					require.Nil(t, d.Packet)
					require.Equal(t, sent, a.SAs()[1], "a packet that is not sent uses up nothing")

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
	for _, tr := range suites {
		a, b := secured(t, Config{}, tr, ipsec.Lifetime{})
		s := a.sad.list[1]
		n := s.transform.room(65535 - 20)
		packet := ip(alice, bob, 99, make([]byte, n))
		d := a.Outbound(start, packet, 1500)
		require.Equal(t, Protected, d.Outcome, "%v: %d", tr, n)
		require.LessOrEqual(t, len(d.Packet), 65535)
		o := b.InboundProtected(start, d.Packet)
		require.Equal(t, Opened, o.Outcome, o.Why)
		require.Equal(t, packet, o.Packet)

		for _, n := range []int{n + 1, 65515} {
			d = a.Outbound(start, ip(alice, bob, 99, make([]byte, n)), 1500)
			require.Equal(t, Dropped, d.Outcome, fmt.Sprint(n))
			require.Equal(t, "the protected datagram would exceed 65535 bytes", d.Why)
		}
		require.EqualValues(t, 1, a.SAs()[1].Sequence, "a packet that is not sent uses up no number")
	}
}
