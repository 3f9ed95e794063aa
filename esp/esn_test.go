package esp

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/esp/replay"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// esnSuites are one transform of each way to cover the half that does not travel.
var esnSuites = []ipsec.Transform{
	{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96", ESN: true},
	{Protocol: ipsec.ESP, Cipher: "aes128-ctr", Auth: "aes-xcbc-96", ESN: true},
	{Protocol: ipsec.ESP, Cipher: "aes128-gcm16", ESN: true},
	{Protocol: ipsec.ESP, Cipher: "aes128-ccm8", ESN: true},
	{Protocol: ipsec.ESP, Cipher: "aes128-gmac", ESN: true},
	{Protocol: ipsec.ESP, Cipher: "chacha20-poly1305", ESN: true},
	{Protocol: ipsec.AH, Auth: "hmac-sha1-96", ESN: true},
	{Protocol: ipsec.AH, Auth: "aes128-gmac", ESN: true},
}

// An SA goes on across 2³² in either direction, with the window of the receiver before,
// across and behind it: packets out of order are taken, those taken before and those left
// of the window are not. Without extended numbers the SA ends there.
func TestESNAcrossTheWrap(t *testing.T) {
	const first = 1<<32 - 200
	for _, tr := range esnSuites {
		for _, window := range []int{32, 64, 100} {
			a, b := joined(t, Config{FirstSequence: first, Window: window}, ipsec.Lifetime{}, tr)
			for _, pair := range [][2]*node{{a, b}, {b, a}} {
				from, to := pair[0], pair[1]
				packet := toBob(1, 2)
				if from == b {
					packet = ip(bob, alice, ipsec.ProtoUDP, udp(2, 1, 4))
				}
				var sent [][]byte
				for n := uint64(first); n < 1<<32+200; n++ {
					d := from.Outbound(start, packet, 0)
					require.Equal(t, Protected, d.Outcome, d.Why)
					require.Equal(t, n, d.Sequence)
					sent = append(sent, d.Packet)
				}
				at := func(n uint64) Decision { return to.InboundProtected(start, sent[n-first]) }
				opened := func(n uint64) {
					o := at(n)
					require.Equal(t, Opened, o.Outcome, "%v, window %d, number 2³²%+d: %s", tr, window, int64(n)-1<<32, o.Why)
					require.Equal(t, n, o.Sequence)
				}
				const wrap = uint64(1 << 32)
				w := uint64(window)
				for n := uint64(first); n < wrap-3; n++ { // before it
					opened(n)
				}
				opened(wrap + 2) // the window reaches across it
				opened(wrap - 1)
				opened(wrap)
				opened(wrap - 3)
				require.Equal(t, "replayed: the sequence number was received before", at(wrap-1).Why)
				require.Equal(t, "replayed: the sequence number was received before", at(wrap+2).Why)
				opened(wrap + 1)
				opened(wrap - 2)
				opened(wrap + w) // its left edge stands behind it
				opened(wrap + 3)
				// What lies left of the window is taken for a number 2³² later, whose integrity check fails.
				require.Equal(t, "not authentic: the integrity check failed", at(wrap-1).Why)
				require.Equal(t, "not authentic: the integrity check failed", at(first).Why)
				opened(wrap + 199)
			}
		}
	}
}

// Without them the last number is 2³²−1, and the packet behind it asks for another SA.
func TestNoWrapWithoutESN(t *testing.T) {
	a, b := joined(t, Config{FirstSequence: math.MaxUint32 - 1}, ipsec.Lifetime{}, tripleDES)
	for range 2 {
		require.Equal(t, Opened, carry(t, a, b, start, toBob(1, 2)).Outcome)
	}
	require.Equal(t, Held, a.Outbound(start, toBob(1, 2), 0).Outcome)
}

// The successor is asked for ahead of the end, by a tenth of the numbers that there are.
func TestSoftLimitOfNumbers(t *testing.T) {
	a, b := joined(t, Config{FirstSequence: math.MaxUint32 - 99}, ipsec.Lifetime{}, tripleDES)
	asked := 0
	for n := range 100 {
		carry(t, a, b, start, toBob(1, 2))
		for _, e := range what(a.events()) {
			if e == "soft outbound" && asked == 0 {
				asked = n + 1
			}
		}
	}
	require.Equal(t, 90, asked)
}

// The upper half is part of what is authenticated: the same packet under another one is not.
func TestESNIsAuthenticated(t *testing.T) {
	for _, tr := range esnSuites {
		a, b := joined(t, Config{}, ipsec.Lifetime{}, tr)
		d := a.Outbound(start, toBob(1, 2), 0)
		for _, s := range b.sad.list {
			if s.Direction == ipsec.Inbound {
				window, err := replay.New(64)
				require.NoError(t, err)
				window.Update(1<<32 + 500) // so that 1 is taken for 2·2³²+1
				s.window = window
			}
		}
		o := b.InboundProtected(start, d.Packet)
		require.Equal(t, "not authentic: the integrity check failed", o.Why, "%v", tr)
		require.EqualValues(t, 2<<32+1, o.Sequence)
	}
}

// One side with extended numbers and the other without understand each other's packets
// not at all: the proposal has to agree.
func TestESNOnOneSide(t *testing.T) {
	for _, tr := range esnSuites {
		out, in := params(tr, alice, bob, 0x1000, 1)
		in.Transform.ESN = false
		a, b := tunnelled(t, Config{}, []ipsec.SAParams{out}, []ipsec.SAParams{in})
		require.Equal(t, "not authentic: the integrity check failed", b.InboundProtected(start, a.Outbound(start, toBob(1, 2), 0).Packet).Why, "%v", tr)
	}
}

func TestFirstSequenceIsOf32Bits(t *testing.T) {
	_, err := New(Config{Rand: &counting{}, FirstSequence: 1 << 32})
	require.EqualError(t, err, "esp: Config.FirstSequence has more than 32 bits: 4294967296")
}
