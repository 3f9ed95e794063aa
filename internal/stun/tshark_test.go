package stun

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/internal/pcapng"
)

// tshark reads the same of a message as this package has written. Of RESPONSE-PORT it
// reads the padding, and so nothing that could be compared.
func TestTshark(t *testing.T) {
	tshark := needs.Tool(t, "tshark")
	request := Message{Method: Binding, Class: Request, ID: sampleID}
	request.AddChange(true, true)
	refusal := request.Reply(Failure)
	refusal.AddError(400, "Bad Request")
	pass := Message{Method: Send, Class: Indication, ID: sampleID}
	pass.AddAddr(XORPeerAddress, netip.MustParseAddrPort("203.0.113.7:61000"))
	pass.Add(Data, request.Append(nil))

	name := filepath.Join(t.TempDir(), "stun.pcapng")
	file, err := os.Create(name)
	require.NoError(t, err)
	w, err := pcapng.NewWriter(file)
	require.NoError(t, err)
	on, err := w.AddInterface("stun", pcapng.LinkRaw)
	require.NoError(t, err)
	all := behaviour()
	all.Attributes = slices.DeleteFunc(all.Attributes, func(a Attribute) bool { return a.Type == ResponsePort })
	for i, m := range []Message{all, request, refusal, pass} {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: []byte{192, 0, 2, 1}, DstIP: []byte{198, 51, 100, 10}}
		udp := &layers.UDP{SrcPort: 32853, DstPort: Port}
		require.NoError(t, udp.SetNetworkLayerForChecksum(ip))
		frame := gopacket.NewSerializeBuffer()
		require.NoError(t, gopacket.SerializeLayers(frame, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			ip, udp, gopacket.Payload(fingerprinted(m))))
		require.NoError(t, w.WritePacket(on, time.Unix(int64(i), 0), frame.Bytes(), ""))
	}
	require.NoError(t, file.Close())
	args := []string{"-n", "-r", name, "-T", "fields", "-E", "separator=|"}
	for _, f := range []string{
		"stun.type.class", "stun.type.method", "stun.att.type", "stun.att.ipv4", "stun.att.port", "stun.att.ipv4-xord",
		"stun.att.change-ip", "stun.att.change-port", "stun.att.error.class", "stun.att.error", "stun.att.crc32.status",
	} {
		args = append(args, "-e", f)
	}
	out, err := exec.Command(tshark, args...).Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Equal(t, []string{
		"0x0010|0x0001|0x0001,0x0020,0x802b,0x802c,0x0003,0x0026,0x8028|192.0.2.1,192.0.2.1,198.51.100.10,198.51.100.20|" +
			"32853,32853,3478,3479|e112a643|1|0|||1",
		"0x0000|0x0001|0x0003,0x8028||||1|1|||1",
		"0x0011|0x0001|0x0009,0x8028||||||4|0|1",
		"0x0001|0x0006|0x0012,0x0013,0x8028|203.0.113.7|61000|ea12d545|||||1",
	}, lines)
}
