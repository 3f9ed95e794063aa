package hosts_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/sim"
)

// What reaches the data plane is the same whether netstack's IP layer saw it or a
// plain datagram went straight there: a packet that this layer would refuse is not opened.
func TestProtectedPacketsStraightFromTheWire(t *testing.T) {
	const eth = header.EthernetMinimumSize
	plain := func(f []byte) []byte { return f }
	for name, tc := range map[string]struct {
		change func(frame []byte) []byte
		opened uint64
	}{
		"as it was sent":   {plain, 1},
		"with a wrong sum": {func(f []byte) []byte { f[eth+8]--; return f }, 0},
		"for somebody else": {func(f []byte) []byte {
			return resummed(f, func(ip header.IPv4) { ip.SetDestinationAddress(tcpip.AddrFrom4([4]byte{10, 0, 0, 77})) })
		}, 0},
		"longer than it is": {func(f []byte) []byte {
			return resummed(f, func(ip header.IPv4) { ip.SetTotalLength(uint16(len(ip) + 1)) })
		}, 0},
		"padded":             {func(f []byte) []byte { return append(f, make([]byte, 7)...) }, 1},
		"with an IP option":  {func(f []byte) []byte { return withNOPs(f) }, 1},
		"as a last fragment": {func(f []byte) []byte { return resummed(f, func(ip header.IPv4) { ip.SetFlagsFragmentOffset(0, 8) }) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
			b.on(b.alice, func(p *sim.Proc) {
				ping := hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: time.Second}
				r := b.alice.Ping(p, ping)
				require.Equal(t, "ok", r.Result())
				line := b.bob.Interfaces()[0]
				require.NoError(t, line.SetLink(sim.LinkConfig{Down: true}))
				b.alice.Ping(p, ping)
				lost := b.frames[len(b.frames)-1]
				require.EqualValues(t, 50, lost[eth+9], "the request, sealed, which bob did not get")
				require.NoError(t, line.SetLink(sim.LinkConfig{}))
				before := b.bob.Counters().PacketsOpened
				b.alice.Interfaces()[0].Send(tc.change(bytes.Clone(lost)), "changed")
				p.Sleep(time.Second)
				require.Equal(t, before+tc.opened, b.bob.Counters().PacketsOpened)
			})
		})
	}
}

// resummed changes the IPv4 header of a frame and makes its checksum right.
func resummed(frame []byte, change func(header.IPv4)) []byte {
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	change(ip)
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	return frame
}

// withNOPs puts a word of options that do nothing behind the IPv4 header.
func withNOPs(frame []byte) []byte {
	const end = header.EthernetMinimumSize + header.IPv4MinimumSize
	out := append(bytes.Clone(frame[:end]), 1, 1, 1, 1) // RFC 791, Section 3.1: no operation
	return resummed(append(out, frame[end:]...), func(ip header.IPv4) {
		ip[0]++
		ip.SetTotalLength(uint16(len(ip)))
	})
}
