package dissection

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/ipseclab/ipseclab/internal/pcapng"
)

// Datagram is an ISAKMP message on its way.
type Datagram struct {
	Src, Dst netip.Addr // of one family
	Message  []byte
}

// WriteCapture writes a capture with a frame for each datagram, in their order: UDP
// from port 500 to port 500.
func WriteCapture(w io.Writer, ds []Datagram) error {
	pw, err := pcapng.NewWriter(w)
	if err != nil {
		return err
	}
	iface, err := pw.AddInterface("isakmp", pcapng.LinkRaw)
	if err != nil {
		return err
	}
	frame := gopacket.NewSerializeBuffer()
	for i, d := range ds {
		if err := serialize(frame, d); err != nil {
			return fmt.Errorf("dissection: writing message %d: %w", i+1, err)
		}
		if err := pw.WritePacket(iface, time.Unix(int64(i), 0), frame.Bytes(), ""); err != nil {
			return err
		}
	}
	return nil
}

func serialize(frame gopacket.SerializeBuffer, d Datagram) error {
	udp := &layers.UDP{SrcPort: 500, DstPort: 500}
	var ip interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	} = &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: d.Src.AsSlice(), DstIP: d.Dst.AsSlice()}
	if d.Src.Is6() {
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: d.Src.AsSlice(), DstIP: d.Dst.AsSlice()}
	}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		return err
	}
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	return gopacket.SerializeLayers(frame, options, ip, udp, gopacket.Payload(d.Message))
}

// Arguments are what tshark is to be called with, to write of a capture what ReadPDML reads.
func Arguments(capture string) []string {
	return []string{"-r", capture, "-Y", "isakmp", "-T", "pdml", "-J", "isakmp"}
}
