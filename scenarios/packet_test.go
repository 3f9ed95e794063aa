package scenarios

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/sim"
)

// FuzzDecode: no frame makes the lab's observers panic, and what they read of a
// packet is what the data plane reads of it with code of its own.
func FuzzDecode(f *testing.F) {
	v4 := []byte{0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 244, 1, 244, 0, 12, 0, 0, 1, 2, 3, 4}
	v6 := append([]byte{0x60, 0, 0, 0, 0, 16, 0, 64}, make([]byte, 48)...)
	v6[40], v6[48] = 17, 1
	for _, packet := range [][]byte{v4, v6, v4[:20], v6[:40]} {
		f.Add(packet, true)
		ethernet := append(make([]byte, 12), 8, 0)
		if packet[0]>>4 == 6 {
			ethernet[12], ethernet[13] = 0x86, 0xdd
		}
		f.Add(append(ethernet, packet...), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, line bool) {
		frame := sim.Frame{Data: data}
		packet := data
		if line {
			frame.Medium = sim.PointToPoint
		} else if len(data) < 14 {
			return
		} else {
			packet = data[14:]
		}
		var d packetDecoder
		d.resolves(frame)
		p, ok := d.decode(frame)
		flow, err := esp.FlowOf(packet)
		if !ok || err != nil {
			return // either may be the stricter
		}
		require.Equal(t, flow.Src, p.flow.Src)
		require.Equal(t, flow.Dst, p.flow.Dst)
		require.Equal(t, flow.Fragment, p.flow.Fragment)
		if !flow.Fragment {
			require.Equal(t, flow.Proto, p.flow.Proto)
			require.Equal(t, netip.AddrPortFrom(flow.Src, flow.SrcPort), netip.AddrPortFrom(p.flow.Src, p.flow.SrcPort))
			require.Equal(t, flow.DstPort, p.flow.DstPort)
		}
	})
}
