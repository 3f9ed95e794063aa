package esp

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Bytes are counted under what protected them, and by mode: those of a bundle under both
// protocols. The payload of the inner datagram counts, whatever is put around it.
func TestBytesByProtectionAndMode(t *testing.T) {
	for _, transforms := range everyProtection() {
		for _, mode := range []ipsec.Mode{ipsec.Transport, ipsec.Tunnel} {
			t.Run(named(transforms)+" "+mode.String(), func(t *testing.T) {
				a, b := joined(t, Config{}, ipsec.Lifetime{}, transforms...)
				src, dst := alice, bob
				if mode == ipsec.Tunnel {
					a, b = gateways(t, Config{}, transforms...)
					src, dst = inA, inB
				}
				var esp, ah bool
				for _, tr := range transforms {
					esp, ah = esp || tr.Protocol == ipsec.ESP, ah || tr.Protocol == ipsec.AH
				}
				var payload uint64
				for n := range 3 {
					clear := ip(src, dst, ipsec.ProtoUDP, udp(1, 2, 100*n), 0, 4, 0, 0)
					d := a.Outbound(start, clear, 0)
					require.Equal(t, Protected, d.Outcome, d.Why)
					o := b.InboundProtected(start, d.Packet)
					require.Equal(t, Opened, o.Outcome, o.Why)
					payload += uint64(8 + 100*n)
				}
				when := func(is bool) uint64 {
					if is {
						return payload
					}
					return 0
				}
				sent, got := a.Counters(), b.Counters()
				require.Equal(t, []uint64{payload, when(esp), when(ah), when(mode == ipsec.Transport), when(mode == ipsec.Tunnel)},
					[]uint64{sent.BytesProtected, sent.ConfidentialBytesSent, sent.AuthenticatedBytesSent, sent.TransportBytesSent, sent.TunnelBytesSent})
				require.Equal(t, []uint64{payload, when(esp), when(ah), when(mode == ipsec.Transport), when(mode == ipsec.Tunnel)},
					[]uint64{got.BytesOpened, got.ConfidentialBytesReceived, got.AuthenticatedBytesReceived, got.TransportBytesReceived, got.TunnelBytesReceived})
				require.Zero(t, sent.ConfidentialBytesReceived+sent.AuthenticatedBytesReceived+got.ConfidentialBytesSent+got.TunnelBytesSent)
				require.EqualValues(t, 3, got.ReplayDetection)
				tunnels := 0
				if mode == ipsec.Tunnel {
					tunnels = 1
				}
				require.Equal(t, tunnels, got.ActiveTunnels, "a bundle is one tunnel")
			})
		}
	}
}

// What is told of discarded packets: the cause and the source, each time; and what is not.
func TestDiscarded(t *testing.T) {
	type discard struct {
		cause Cause
		from  netip.Addr
	}
	var told []discard
	c := Config{Discarded: func(c Cause, from netip.Addr) { told = append(told, discard{c, from}) }}
	transform := []ipsec.Transform{tripleDES}
	a, b := joined(t, c, ipsec.Lifetime{}, transform...)
	expect := func(what string, want ...Cause) {
		t.Helper()
		var got []Cause
		for _, d := range told {
			require.Equal(t, alice, d.from, what)
			got = append(got, d.cause)
		}
		require.Equal(t, want, got, what)
		told = nil
	}
	sealed := func() []byte {
		d := a.Outbound(start, ip(alice, bob, ipsec.ProtoUDP, udp(1, 2, 20), 0, 4, 0, 0), 0)
		require.Equal(t, Protected, d.Outcome, d.Why)
		return d.Packet
	}
	first := sealed()
	b.InboundProtected(start, first)
	expect("it is opened")
	b.InboundProtected(start, first)
	b.InboundProtected(start, first)
	expect("a replay, twice", Replay, Replay)
	altered := sealed()
	altered[len(altered)-1] ^= 1
	b.InboundProtected(start, altered)
	expect("altered", BadHash)
	unknown := sealed()
	unknown[24] ^= 0x80 // behind a header with an option
	b.InboundProtected(start, unknown)
	expect("an SPI that is not there", BadSPI)
	b.InboundProtected(start, sealed()[:30])
	expect("cut short", BadSyntax)

	b.SetPolicy(nil, []ipsec.Policy{negotiate(1, ipsec.Inbound, ipsec.Selector{})})
	b.InboundClear(start, ipsec.Flow{Src: alice, Dst: bob, Proto: ipsec.ProtoUDP, SrcPort: 1, DstPort: 2})
	expect("in the clear", ClearText)
	b.SetPolicy(nil, []ipsec.Policy{{ID: 1, Rule: "block", Direction: ipsec.Inbound, Action: ipsec.Discard}})
	b.InboundClear(start, ipsec.Flow{Src: alice, Dst: bob, Proto: ipsec.ProtoUDP, SrcPort: 1, DstPort: 2})
	expect("a block filter is no discarded packet")
}

// The end of a pair is told once, with its bundle; that of half a pair, which never
// became one, is not.
func TestEnded(t *testing.T) {
	var ended [][]ipsec.SAParams
	var reasons []string
	c := Config{Ended: func(in []ipsec.SAParams, reason string) { ended, reasons = append(ended, in), append(reasons, reason) }}
	for _, transforms := range everyProtection() {
		t.Run(named(transforms), func(t *testing.T) {
			ended, reasons = nil, nil
			_, in := bundled(transforms, ipsec.Transport, alice, bob, 0x1000, 0x2000)
			n := newNode(t, c)
			require.NoError(t, n.Add(start, in...))
			n.RemoveAll(start, "quick mode failed")
			require.Empty(t, ended, "there was no pair")

			a, _ := joined(t, c, ipsec.Lifetime{}, transforms...)
			a.RemoveAll(start, "policy changed")
			require.Len(t, ended, 1)
			require.Len(t, ended[0], len(transforms))
			require.Equal(t, []string{"policy changed"}, reasons)
			require.Equal(t, ipsec.Inbound, ended[0][0].Direction)
		})
	}
}
