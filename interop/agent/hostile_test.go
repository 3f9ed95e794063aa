//go:build linux

package main

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/traffic"
	"github.com/ipseclab/ipseclab/interop/control"
)

// frame is one from 10.9.0.9 to the first peer of setup, or to another address.
func frame(t *testing.T, to string, protocol layers.IPProtocol, above ...gopacket.SerializableLayer) []byte {
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: protocol, SrcIP: net.IPv4(10, 9, 0, 9), DstIP: net.ParseIP(to)}
	mac := net.HardwareAddr{2, 0, 0, 0, 9, 1}
	if to == "10.9.0.255" {
		mac = net.HardwareAddr{255, 255, 255, 255, 255, 255}
	}
	for _, l := range above {
		if u, ok := l.(*layers.UDP); ok {
			require.NoError(t, u.SetNetworkLayerForChecksum(ip))
		}
	}
	all := append([]gopacket.SerializableLayer{
		&layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 9, 9}, DstMAC: mac, EthernetType: layers.EthernetTypeIPv4}, ip,
	}, above...)
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return b.Bytes()
}

// What comes from the wire is counted, and answered when it was sent to the peer alone.
func TestFromTheWire(t *testing.T) {
	p := inNamespace(t, 1)
	ctx := t.Context()
	require.NoError(t, p.Setup(ctx, setup(1, false)))
	for _, s := range []control.Serve{{Protocol: 17, Port: 7}, {Protocol: 253}} {
		require.NoError(t, p.Serve(ctx, s))
	}
	asked := make(chan netip.Addr, 100) // whose MAC address the peer wants to know: whom it wants to answer
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := p.wires[0].Read(b)
			if err != nil {
				return
			}
			got := gopacket.NewPacket(b[:n], layers.LayerTypeEthernet, gopacket.Default)
			if arp, ok := got.Layer(layers.LayerTypeARP).(*layers.ARP); ok && arp.Operation == layers.ARPRequest {
				to, _ := netip.AddrFromSlice(arp.DstProtAddress)
				select {
				case asked <- to:
				default:
				}
			}
		}
	}()
	send := func(f []byte) {
		t.Helper()
		_, err := p.wires[0].Write(f)
		require.NoError(t, err)
	}
	seen := func(s control.Serve, want control.Seen) {
		t.Helper()
		require.Eventually(t, func() bool {
			got, err := p.Seen(ctx, s)
			require.NoError(t, err)
			return *got == want
		}, 5*time.Second, 10*time.Millisecond)
	}
	send(frame(t, "10.9.0.1", 253, gopacket.Payload("seven b")))
	seen(control.Serve{Protocol: 253}, control.Seen{Datagrams: 1, Bytes: 7})
	send(frame(t, "10.9.0.255", layers.IPProtocolUDP, &layers.UDP{SrcPort: 9, DstPort: 7}, gopacket.Payload("to all")))
	seen(control.Serve{Protocol: 17, Port: 7}, control.Seen{Datagrams: 1, Bytes: 6})
	select {
	case who := <-asked:
		t.Fatalf("the peer answers %s", who)
	case <-time.After(100 * time.Millisecond):
	}
	send(frame(t, "10.9.0.1", layers.IPProtocolUDP, &layers.UDP{SrcPort: 9, DstPort: 7}, gopacket.Payload("alone")))
	seen(control.Serve{Protocol: 17, Port: 7}, control.Seen{Datagrams: 2, Bytes: 11})
	select {
	case who := <-asked:
		require.Equal(t, "10.9.0.9", who.String())
	case <-time.After(5 * time.Second):
		t.Fatal("the peer does not answer")
	}
}

// A request whose data have changed on the way is counted, and has no answer.
func TestCorruptRequest(t *testing.T) {
	p := inNamespace(t, 0)
	ctx := t.Context()
	require.NoError(t, p.Setup(ctx, &control.Setup{}))
	require.NoError(t, p.Serve(ctx, control.Serve{Protocol: 6, Port: 80}))
	ask := func(request []byte) []byte {
		c, err := p.Dial(ctx, "tcp", "127.0.0.1:80")
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Write(request)
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Second)))
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		return b
	}
	good := append(traffic.AppendRequest(nil, 2000, 10), traffic.Pattern(0, 2000)...)
	require.Equal(t, traffic.Pattern(0, 10), ask(good))
	bad := bytes.Clone(good)
	bad[1500] ^= 1
	require.Empty(t, ask(bad))
	seen, err := p.Seen(ctx, control.Serve{Protocol: 6, Port: 80})
	require.NoError(t, err)
	require.Equal(t, &control.Seen{Connections: 2, Bytes: 4000, Corrupt: 1}, seen)
	require.Empty(t, ask(traffic.AppendRequest(nil, 0, -1)), "a length that is none")
}
