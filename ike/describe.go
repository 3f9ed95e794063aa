package ike

import (
	"fmt"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Describe is a chain of payloads as a reader of the trace sees it, in the words of the RFCs.
func Describe(chain []payload.Item) []trace.Field {
	var fs []trace.Field
	for _, item := range chain {
		fs = append(fs, describe(item.Payload))
	}
	return fs
}

func describe(p payload.Payload) trace.Field {
	f := trace.Field{Name: p.Type().String()}
	switch p := p.(type) {
	case *payload.SA:
		f.Fields = []trace.Field{{Name: "DOI", Value: doi(p.DOI)}, {Name: "Situation", Value: "SIT_IDENTITY_ONLY"}}
		for _, prop := range p.Proposals {
			f.Fields = append(f.Fields, describeProposal(prop))
		}
	case payload.KeyExchange:
		f.Value = hex(p.Data)
	case payload.Nonce:
		f.Value = hex(p.Data)
	case payload.Hash:
		f.Value = hex(p.Data)
	case payload.ID:
		f.Value = p.String()
		f.Fields = []trace.Field{{Name: "ID Type", Value: p.IDType.String()}, {Name: "Protocol ID", Value: fmt.Sprint(p.Protocol)},
			{Name: "Port", Value: fmt.Sprint(p.Port)}}
	case payload.Certificate:
		f.Value = p.Encoding.String()
		f.Fields = []trace.Field{{Name: "Certificate Data", Value: hex(p.Data)}}
	case payload.CertificateRequest:
		f.Value = p.Encoding.String()
		f.Fields = []trace.Field{{Name: "Certificate Authority", Value: hex(p.Authority)}}
	case payload.Signature:
		f.Value = hex(p.Data)
	case payload.Notify:
		f.Value = p.NotifyType.String()
		f.Fields = describeNotify(p)
	case payload.Delete:
		f.Fields = []trace.Field{{Name: "DOI", Value: doi(p.DOI)}, {Name: "Protocol-ID", Value: p.Protocol.String()}}
		for _, spi := range p.SPIs {
			f.Fields = append(f.Fields, trace.Field{Name: "SPI", Value: hex(spi)})
		}
	case payload.VendorID:
		if f.Value = p.Name(); f.Value == "" {
			f.Value = "unknown"
		}
		f.Fields = []trace.Field{{Name: "Vendor ID", Value: hex(p.Data)}}
	case payload.Raw:
		f.Value = hex(p.Data)
	}
	return f
}

func describeProposal(p payload.Proposal) trace.Field {
	f := trace.Field{Name: fmt.Sprintf("Proposal %d", p.Number), Fields: []trace.Field{{Name: "Protocol-ID", Value: p.Protocol.String()}}}
	if len(p.SPI) > 0 {
		f.Fields = append(f.Fields, trace.Field{Name: "SPI", Value: hex(p.SPI)})
	}
	for _, t := range p.Transforms {
		f.Fields = append(f.Fields, trace.Field{
			Name: fmt.Sprintf("Transform %d", t.Number), Value: payload.TransformName(p.Protocol, t.ID), Fields: describeAttributes(p.Protocol, t.Attributes),
		})
	}
	return f
}

func describeAttributes(p payload.ProtocolID, as []payload.Attribute) []trace.Field {
	var fs []trace.Field
	for _, a := range as {
		name, value := payload.AttributeName(p, a)
		fs = append(fs, trace.Field{Name: name, Value: value})
	}
	return fs
}

func describeNotify(n payload.Notify) []trace.Field {
	fs := []trace.Field{{Name: "DOI", Value: doi(n.DOI)}, {Name: "Protocol-ID", Value: n.Protocol.String()}}
	if len(n.SPI) > 0 {
		fs = append(fs, trace.Field{Name: "SPI", Value: hex(n.SPI)})
	}
	if n.NotifyType == payload.NotifyResponderLifetime {
		if as, err := payload.ParseAttributes(n.Data); err == nil {
			return append(fs, describeAttributes(n.Protocol, as)...)
		}
	}
	if len(n.Data) > 0 {
		fs = append(fs, trace.Field{Name: "Notification Data", Value: hex(n.Data)})
	}
	return fs
}

func doi(d uint32) string {
	if d == payload.DOIIPsec {
		return "IPSEC"
	}
	return fmt.Sprint(d)
}

// hex prints bytes; a long value is cut, since the whole of it is in the capture.
func hex(b []byte) string {
	const most = 512
	if len(b) > most {
		return fmt.Sprintf("%x… (%d bytes)", b[:most], len(b))
	}
	return fmt.Sprintf("%x", b)
}
