package mux_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// windowsNAT is NAT traversal as Windows Server 2003 has it.
var windowsNAT = ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATDraft02Newline}, Originals: ike.OriginalsIfBehind}

// newBehind is a client behind a NAT and a server before it.
func newBehind(t testing.TB, nat ike.NATTraversal) (n *network, client, server *host, b *box) {
	n = newNetwork(t)
	client, server = n.add("client", "192.168.1.2", 1), n.add("server", "203.0.113.9", 2)
	b = n.newBox("198.51.100.1", client)
	for _, h := range n.hosts {
		h.config.NAT = nat
		h.reboot()
	}
	return n, client, server, b
}

func oneSA(t testing.TB, m map[said]ipsec.SAParams) (sa ipsec.SAParams) {
	t.Helper()
	require.Len(t, m, 1)
	for _, sa = range m {
	}
	return sa
}

// One client behind a NAT and a server: the dialect of Windows, with all that changes on the wire.
func TestOneNAT(t *testing.T) {
	n, client, server, b := newBehind(t, windowsNAT)
	client.request(server)
	n.run(time.Second)

	var ports []uint16
	for _, d := range n.sent {
		ports = append(ports, d.Local.Port())
	}
	require.Equal(t, []uint16{500, 500, 500, 500, 4500, 4500, 4500, 4500, 4500}, ports, "message 5 and all that follows are on port 4500")

	y := b.at(client, 4500).Port()
	out, in := oneSA(t, client.out), oneSA(t, server.in)
	require.Equal(t, ipsec.Encapsulation{Src: 4500, Dst: 4500}, out.UDP)
	require.Equal(t, ipsec.Encapsulation{Src: y, Dst: 4500}, in.UDP)
	require.Equal(t, ipsec.Encapsulation{Src: 4500, Dst: y}, oneSA(t, server.out).UDP)
	require.Equal(t, ipsec.Encapsulation{Src: 4500, Dst: 4500}, oneSA(t, client.in).UDP)

	require.Equal(t, out.SPI, in.SPI)
	require.Equal(t, out.CipherKey, in.CipherKey)
	require.Equal(t, ipsec.Selector{Src: ipsec.Host(b.outside), Dst: ipsec.Host(server.addr)}, in.Selector, "the server sees the NAT's address")
	require.Equal(t, ipsec.Selector{Src: ipsec.Host(client.addr), Dst: ipsec.Host(server.addr)}, out.Selector)
	require.Equal(t, []netip.Addr{client.addr, server.addr}, []netip.Addr{in.OriginalSrc, in.OriginalDst}, "the addresses under the client's checksums")
	require.Equal(t, []netip.Addr{server.addr, {}}, []netip.Addr{oneSA(t, client.in).OriginalSrc, oneSA(t, client.in).OriginalDst}, "Windows tells its address alone, and only behind a NAT")
}
