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
	Src, Dst         netip.Addr // of one family
	SrcPort, DstPort uint16     // neither: 500
	Message          []byte
}

// onNATPort reports a datagram of port 4500, in which the non-ESP marker stands before the
// message (RFC 3948, Section 2.2).
func (d Datagram) onNATPort() bool {
	return d.SrcPort != isakmp && d.DstPort != isakmp && (d.SrcPort == natt || d.DstPort == natt)
}

// The ports of IKE.
const isakmp, natt = 500, 4500

// WriteCapture writes a capture with a frame for each datagram, in their order.
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
	udp := &layers.UDP{SrcPort: layers.UDPPort(d.SrcPort), DstPort: layers.UDPPort(d.DstPort)}
	if d.SrcPort == 0 && d.DstPort == 0 {
		udp.SrcPort, udp.DstPort = isakmp, isakmp
	}
	message := d.Message
	if d.onNATPort() {
		message = append(make([]byte, 4), message...)
	}
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
	return gopacket.SerializeLayers(frame, options, ip, udp, gopacket.Payload(message))
}

// Arguments are what tshark is to be called with, to write of a capture what ReadPDML reads.
func Arguments(capture string) []string {
	return []string{"-r", capture, "-Y", "isakmp", "-T", "pdml", "-J", "isakmp"}
}
