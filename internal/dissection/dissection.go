// Package dissection puts an ISAKMP message that the codec has decoded, and what
// tshark says of the same message, into one form, so that tests can hold the two
// against each other field by field.
//
// The form is a list of lines, one for each field, named as Wireshark 4.0 names
// it and indented by its depth. Ours are written from the decoded values, never
// from the bytes received. The dissector's come from PDML:
//
//	tshark -r capture -Y isakmp -T pdml -J isakmp
//
// What Wireshark 4.0 leaves out, or has wrong, and what holds the codec to it:
//
//   - It has no field for the data of a fragment: they are taken from the payload's
//     bytes, and from the message that it puts together (Frame.Whole).
//   - GSS-API tokens, AuthIP payloads, GSS identities and the data of Microsoft's
//     notifications are bytes to it. They are compared as bytes.
//   - Authentication methods 65001 and 65005 are XAUTH's to it, and ESP transforms
//     after AES-CBC and AH transforms after SHA2-512 have no names. Numbers are
//     compared, the names come from the documents cited in package payload.
//   - It takes the data of every certificate payload for X.509, whatever the
//     encoding, and takes names in DER apart without keeping their bytes. These are
//     compared as bytes, and openssl reads them.
//   - It reads 18 bytes for INTERNAL_IP6_NETMASK, whatever its length, and says that the packet is malformed.
//   - A message that was cut without its header (MS-IKEE, 3.3.5.3) it takes for one
//     with a header. Only the fragments of such a message can be compared.
package dissection

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// fragmentData is a name of our own: the dissector has no field for what a fragment carries.
const fragmentData = "data"

type writer struct {
	lines []string
	texts []string
	depth int
}

func (w *writer) put(name, value string) {
	w.texts = append(w.texts, "")
	w.lines = append(w.lines, strings.TrimRight(strings.Repeat("  ", w.depth)+name+": "+value, " "))
}

func (w *writer) number(name string, v uint64) { w.put(name, strconv.FormatUint(v, 10)) }
func (w *writer) octets(name string, b []byte) { w.put(name, hex.EncodeToString(b)) }
func (w *writer) within(f func())              { w.depth++; f(); w.depth-- }

// Lines are the fields of a message with the header h and decoded payloads. padding
// is what follows the last of them in an encrypted message.
func Lines(h payload.Header, ps []payload.Payload, padding []byte) []string {
	w := &writer{}
	w.octets("isakmp.ispi", h.CookieI[:])
	w.octets("isakmp.rspi", h.CookieR[:])
	w.number("isakmp.nextpayload", uint64(h.Next))
	w.put("isakmp.version", fmt.Sprintf("0x%02x", h.Version))
	w.number("isakmp.exchangetype", uint64(h.Exchange))
	w.put("isakmp.flags", fmt.Sprintf("0x%02x", uint8(h.Flags)))
	w.put("isakmp.messageid", fmt.Sprintf("0x%08x", h.MessageID))
	w.number("isakmp.length", uint64(h.Length))
	for i, p := range ps {
		next := payload.TypeNone
		if i+1 < len(ps) {
			next = ps[i+1].Type()
		}
		w.payload(p.Type(), next, len(payload.Body(p)), func() { w.body(p) })
	}
	if len(padding) > 0 {
		w.octets("isakmp.extradata", padding)
	}
	return w.lines
}

// payload writes a generic header, RFC 2408, Section 3.2, and what is below it.
func (w *writer) payload(t, next payload.Type, size int, body func()) {
	w.number("payload", uint64(t))
	w.within(func() {
		w.number("isakmp.nextpayload", uint64(next))
		w.put("isakmp.reserved", "00")
		w.number("isakmp.payloadlength", uint64(4+size))
		body()
	})
}

func (w *writer) body(p payload.Payload) {
	switch p := p.(type) {
	case *payload.SA:
		w.sa(p)
	case payload.KeyExchange:
		w.octets("isakmp.key_exchange.data", p.Data)
	case payload.Nonce:
		w.octets("isakmp.nonce", p.Data)
	case payload.Hash:
		w.octets("isakmp.hash", p.Data)
	case payload.Signature:
		w.octets("isakmp.sig", p.Data)
	case payload.ID:
		w.id(p)
	case payload.Certificate:
		w.number("isakmp.cert.encoding", uint64(p.Encoding))
		w.octets("isakmp.cert.data", p.Data)
	case payload.CertificateRequest:
		w.number("isakmp.certreq.type", uint64(p.Encoding))
		if len(p.Authority) > 0 {
			w.octets("isakmp.ike.certreq.authority", p.Authority)
		}
	case payload.Notify:
		w.notify(p)
	case payload.Delete:
		w.number("isakmp.delete.doi", uint64(p.DOI))
		w.number("isakmp.delete.protoid", uint64(p.Protocol))
		w.number("isakmp.spisize", uint64(p.SPISize))
		w.number("isakmp.spinum", uint64(len(p.SPIs)))
		for _, spi := range p.SPIs {
			w.octets("isakmp.delete.spi", spi)
		}
	case payload.VendorID:
		w.octets("isakmp.vid_bytes", p.Data)
		if version, ok := strings.CutPrefix(p.Name(), "MS NT5 ISAKMPOAKLEY "); ok {
			w.put("isakmp.vid.ms_nt5_isakmpoakley", version)
		}
	case payload.Attributes:
		w.number("isakmp.cfg.type", uint64(p.Config))
		w.put("isakmp.reserved", "00")
		w.number("isakmp.cfg.identifier", uint64(p.Identifier))
		for _, a := range p.Attributes {
			w.attribute("isakmp.cfg.attr", a)
		}
	case payload.NATD:
		w.octets("isakmp.ike.nat_hash", p.Hash)
	case payload.NATOA:
		w.number("isakmp.id.type", uint64(p.IDType()))
		name := "isakmp.ike.nat_original_address_ipv4"
		if p.IDType() == payload.IDIPv6 {
			name = "isakmp.ike.nat_original_address_ipv6"
		}
		w.put(name, p.Addr.String())
	case payload.Fragment:
		w.put("isakmp.frag.packetid", fmt.Sprintf("0x%04x", p.ID))
		w.number("isakmp.frag.seq", uint64(p.Number))
		w.number("isakmp.frag.last", uint64(p.Flags))
		w.octets(fragmentData, p.Data)
	case payload.GSSToken:
		w.octets("isakmp.datapayload", p.Data)
	case payload.Raw:
		w.octets("isakmp.datapayload", p.Data)
	}
}

func (w *writer) sa(sa *payload.SA) {
	w.number("isakmp.sa.doi", uint64(sa.DOI))
	w.put("isakmp.sa.situation", fmt.Sprintf("%08x", sa.Situation))
	for i, p := range sa.Proposals {
		w.proposal(p, i+1 < len(sa.Proposals))
	}
}

func (w *writer) proposal(p payload.Proposal, more bool) {
	size := 4 + len(p.SPI)
	for _, t := range p.Transforms {
		size += transformLen(t)
	}
	w.payload(payload.TypeProposal, following(more, payload.TypeProposal), size, func() {
		w.number("isakmp.prop.number", uint64(p.Number))
		w.number("isakmp.prop.protoid", uint64(p.Protocol))
		w.number("isakmp.spisize", uint64(len(p.SPI)))
		w.number("isakmp.prop.transforms", uint64(len(p.Transforms)))
		if len(p.SPI) > 0 {
			w.octets("isakmp.spi", p.SPI)
		}
		for i, t := range p.Transforms {
			w.transform(p.Protocol, t, i+1 < len(p.Transforms))
		}
	})
}

// transformLen is the length of a transform with its generic header.
func transformLen(t payload.Transform) int {
	return 8 + len(payload.AppendAttributes(nil, t.Attributes))
}

func (w *writer) transform(p payload.ProtocolID, t payload.Transform, more bool) {
	w.payload(payload.TypeTransform, following(more, payload.TypeTransform), transformLen(t)-4, func() {
		w.number("isakmp.trans.number", uint64(t.Number))
		w.number("isakmp.trans.id", uint64(t.ID))
		w.put("isakmp.reserved", "0000")
		class := "isakmp.ipsec.attr"
		if p == payload.ProtocolISAKMP {
			class = "isakmp.ike.attr"
		}
		for _, a := range t.Attributes {
			w.attribute(class, a)
		}
	})
}

func following(more bool, t payload.Type) payload.Type {
	if more {
		return t
	}
	return payload.TypeNone
}

func (w *writer) attribute(class string, a payload.Attribute) {
	w.put(class, "")
	w.within(func() {
		w.put(class+".format", map[bool]string{true: "1", false: "0"}[a.Basic])
		w.number(class+".type", uint64(a.Type))
		if !a.Basic {
			w.number(class+".length", uint64(len(a.Value)))
		}
		if len(a.Value) > 0 {
			w.octets(class+".value", a.Value)
		}
		if len(a.Value) > 0 {
			w.value(class, a)
		}
	})
}

func (w *writer) id(id payload.ID) {
	w.number("isakmp.id.type", uint64(id.IDType))
	w.number("isakmp.id.protoid", uint64(id.Protocol))
	w.number("isakmp.id.port", uint64(id.Port))
	w.octets("isakmp.id.data", id.Data)
	w.within(func() {
		fields, half := idFields[id.IDType], len(id.Data)
		if len(fields) == 2 {
			half /= 2
		}
		for i, name := range fields {
			part := id.Data[:half]
			if i == 1 {
				part = id.Data[half:]
			}
			w.put("isakmp.id.data."+name, idText(id.IDType, part))
		}
	})
}

func (w *writer) notify(n payload.Notify) {
	w.number("isakmp.notify.doi", uint64(n.DOI))
	w.number("isakmp.notify.protoid", uint64(n.Protocol))
	w.number("isakmp.spisize", uint64(len(n.SPI)))
	w.number("isakmp.notify.msgtype", uint64(n.NotifyType))
	if len(n.SPI) > 0 {
		w.octets("isakmp.spi", n.SPI)
	}
	w.octets("isakmp.notify.data", n.Data)
	switch v, ok := n.Number(); n.NotifyType {
	case payload.NotifyResponderLifetime:
		class := "isakmp.notify.data.resp_lifetime.ipsec.attr"
		if n.Protocol == payload.ProtocolISAKMP {
			class = "isakmp.notify.data.resp_lifetime.ike.attr"
		}
		as, err := payload.ParseAttributes(n.Data)
		if err != nil {
			return
		}
		w.within(func() {
			for _, a := range as {
				w.attribute(class, a)
			}
		})
	case payload.NotifyRUThere:
		if ok {
			w.number("isakmp.notify.data.dpd.are_you_there", uint64(v))
		}
	case payload.NotifyRUThereAck:
		if ok {
			w.number("isakmp.notify.data.dpd.are_you_there_ack", uint64(v))
		}
	case payload.NotifyLoadBalance:
		if a, ok := netip.AddrFromSlice(n.Data); ok {
			w.put("isakmp.notify.data.unity.load_balance", a.String())
		}
	}
}
