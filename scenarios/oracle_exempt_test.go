package scenarios

import (
	"fmt"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// The oracle has its own idea of what NoDefaultExempt lets pass: with each value a
// host with a policy that blocks everything sends frames of each kind.
func TestWireOracleKnowsExemptions(t *testing.T) {
	udp := func(src, dst layers.UDPPort) gopacket.SerializableLayer {
		return &layers.UDP{SrcPort: src, DstPort: dst, Length: 8}
	}
	tcp := func(src, dst layers.TCPPort) gopacket.SerializableLayer {
		return &layers.TCP{SrcPort: src, DstPort: dst, DataOffset: 5}
	}
	const kerberos, groups = 1, 2 // bits of the values that let a frame pass
	frames := []struct {
		name  string
		to    string
		proto layers.IPProtocol
		upper gopacket.SerializableLayer
		kind  int
	}{
		{"to a KDC", "10.1.0.10", layers.IPProtocolUDP, udp(1025, 88), kerberos},
		{"from port 88", "10.1.0.10", layers.IPProtocolTCP, tcp(88, 445), kerberos},
		{"RSVP", "10.1.0.10", 46, gopacket.Payload("PATH"), kerberos},
		{"multicast", "224.0.0.251", layers.IPProtocolUDP, udp(5353, 5353), groups},
		{"limited broadcast", "255.255.255.255", layers.IPProtocolUDP, udp(68, 67), groups},
		{"broadcast of the subnet", "10.1.0.255", layers.IPProtocolUDP, udp(137, 137), groups},
		{"broadcast of another subnet", "10.9.0.255", layers.IPProtocolUDP, udp(137, 137), 0},
		{"port 89", "10.1.0.10", layers.IPProtocolUDP, udp(89, 89), 0},
		{"SCTP with a port 88", "10.1.0.10", layers.IPProtocolSCTP, gopacket.Payload{0, 88, 0, 88, 0, 0, 0, 0}, 0},
	}
	for value, passes := range []int{kerberos | groups, groups, kerberos, 0} {
		s, err := spec.ParseFS(Catalogue(), "h2h_server_to_server.yaml")
		require.NoError(t, err)
		s.FilterLists["everything"] = []spec.Filter{{Source: "any", Destination: "any"}}
		s.FilterActions["block"] = spec.FilterAction{Action: spec.ActionBlock}
		s.Policies["block"] = spec.Policy{Rules: []spec.Rule{{Name: "all", FilterList: "everything", FilterAction: "block"}}}
		s.Assignments = map[string]string{"solaris": "block"}
		node := s.Nodes["solaris"]
		node.IPsec = &spec.IPsec{NoDefaultExempt: &value}
		s.Nodes["solaris"] = node
		l, err := build(s, Options{}, nil, nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, l.close()) }()
		exempt := 0
		for _, f := range frames {
			b := gopacket.NewSerializeBuffer()
			require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true},
				&layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6), EthernetType: layers.EthernetTypeIPv4},
				&layers.IPv4{Version: 4, TTL: 64, Protocol: f.proto, SrcIP: net.IP{10, 1, 0, 20}, DstIP: net.ParseIP(f.to).To4()}, f.upper))
			before := len(l.oracle.violations)
			l.hosts["solaris"].Interfaces()[0].Send(b.Bytes(), "")
			if f.kind&passes != 0 {
				exempt++
				require.Len(t, l.oracle.violations, before, "NoDefaultExempt %d: %s", value, f.name)
			} else {
				require.Len(t, l.oracle.violations, before+1, "NoDefaultExempt %d: %s", value, f.name)
			}
		}
		if words := fmt.Sprintf("%d of them pass before all filters, as the hosts' setting no-default-exempt says", exempt); exempt > 0 {
			l.oracle.violations = nil
			require.Contains(t, l.oracle.check().Got, words)
		}
	}
}
