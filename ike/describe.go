package ike

import (
	"fmt"
	"math"
	"strings"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Describe is a chain of payloads as a reader of the trace sees it, in the words of the RFCs.
func Describe(chain []payload.Item) []trace.Field {
	var fs []trace.Field
	vendors := payload.All[payload.VendorID](chain)
	for _, item := range chain {
		fs = append(fs, describe(item.Payload, vendors))
	}
	return fs
}

// describe names a payload of a sender with these vendor IDs, where they are in the same message.
func describe(p payload.Payload, vendors []payload.VendorID) trace.Field {
	f := trace.Field{Name: p.Type().String()}
	switch p := p.(type) {
	case *payload.SA:
		f.Fields = []trace.Field{{Name: "DOI", Value: doi(p.DOI)}, {Name: "Situation", Value: "SIT_IDENTITY_ONLY"}}
		for _, prop := range p.Proposals {
			f.Fields = append(f.Fields, describeProposal(prop, vendors))
		}
	case payload.KeyExchange:
		f.Value = hex(p.Data)
	case payload.Nonce:
		f.Value = hex(p.Data)
	case payload.Hash:
		f.Value = hex(p.Data)
	case payload.ID:
		f.Value = DescribeID(p)
		f.Fields = []trace.Field{{Name: "ID Type", Value: p.IDType.String()}, {Name: "Protocol ID", Value: fmt.Sprint(p.Protocol)},
			{Name: "Port", Value: fmt.Sprint(p.Port)}}
	case payload.Certificate:
		f.Value = p.Encoding.String()
		f.Fields = certificateFields(p)
	case payload.CertificateRequest:
		f.Value = p.Encoding.String()
		f.Fields = []trace.Field{{Name: "Certificate Authority", Value: DescribeAuthority(p.Authority)}}
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
	case payload.Attributes:
		f.Value = p.Config.String()
		f.Fields = []trace.Field{{Name: "Identifier", Value: fmt.Sprint(p.Identifier)}}
		for _, a := range p.Attributes {
			name, value := payload.ConfigAttributeName(a)
			f.Fields = append(f.Fields, trace.Field{Name: name, Value: value})
		}
	case payload.NATD:
		f.Value = hex(p.Hash)
	case payload.NATOA:
		f.Value = p.Addr.String()
	case payload.GSSToken:
		f.Value = hex(p.Data)
	case payload.Fragment:
		f.Value = fmt.Sprintf("%d of message %d", p.Number, p.ID)
		if p.Last() {
			f.Value += ", the last"
		}
		f.Fields = []trace.Field{{Name: "Flags", Value: fmt.Sprintf("%#x", p.Flags)}, {Name: "Fragment Data", Value: hex(p.Data)}}
	case payload.Raw:
		f.Value = hex(p.Data)
	}
	return f
}

func describeProposal(p payload.Proposal, vendors []payload.VendorID) trace.Field {
	f := trace.Field{Name: fmt.Sprintf("Proposal %d", p.Number), Fields: []trace.Field{{Name: "Protocol-ID", Value: p.Protocol.String()}}}
	if len(p.SPI) > 0 {
		f.Fields = append(f.Fields, trace.Field{Name: "SPI", Value: hex(p.SPI)})
	}
	for _, t := range p.Transforms {
		f.Fields = append(f.Fields, trace.Field{
			Name: fmt.Sprintf("Transform %d", t.Number), Value: payload.TransformName(p.Protocol, t.ID), Fields: describeAttributes(p.Protocol, t.Attributes, vendors),
		})
	}
	return f
}

func describeAttributes(p payload.ProtocolID, as []payload.Attribute, vendors []payload.VendorID) []trace.Field {
	var fs []trace.Field
	for _, a := range as {
		name, value := payload.AttributeName(p, a)
		if m, ok := a.Uint(); ok && p == payload.ProtocolISAKMP && a.Type == payload.AttrAuthMethod && m <= math.MaxUint16 {
			value = payload.AuthMethodName(uint16(m), vendors)
		}
		fs = append(fs, trace.Field{Name: name, Value: value})
	}
	return fs
}

func describeNotify(n payload.Notify) []trace.Field {
	fs := []trace.Field{{Name: "DOI", Value: doi(n.DOI)}, {Name: "Protocol-ID", Value: n.Protocol.String()}}
	if len(n.SPI) > 0 {
		fs = append(fs, trace.Field{Name: "SPI", Value: hex(n.SPI)})
	}
	return append(fs, describeNotifyData(n)...)
}

func describeNotifyData(n payload.Notify) []trace.Field {
	if n.NotifyType == payload.NotifyResponderLifetime {
		if as, err := payload.ParseAttributes(n.Data); err == nil {
			return describeAttributes(n.Protocol, as, nil)
		}
	}
	if v, ok := n.Number(); ok {
		switch n.NotifyType {
		case payload.NotifyRUThere, payload.NotifyRUThereAck:
			return []trace.Field{{Name: "Sequence Number", Value: fmt.Sprint(v)}}
		case payload.NotifyReplayStatus:
			return []trace.Field{{Name: "Replay Detection", Value: nameOr(v, map[uint32]string{0: "disabled", 1: "enabled"})}}
		case payload.NotifyMSStatus:
			return []trace.Field{{Name: "Windows Error Code", Value: codeName(v)}}
		case payload.NotifyMSExchangeInfo:
			return []trace.Field{{Name: "Exchange Info", Value: exchangeInfo(v)}}
		}
	}
	if len(n.Data) > 0 {
		return []trace.Field{{Name: "Notification Data", Value: hex(n.Data)}}
	}
	return nil
}

func nameOr(v uint32, names map[uint32]string) string {
	if n, ok := names[v]; ok {
		return n
	}
	return fmt.Sprint(v)
}

// exchangeInfo names the flags of EXCHANGE_INFO, MS-IKEE, 2.2.6.
func exchangeInfo(flags uint32) string {
	var names []string
	for _, f := range []struct {
		bit  uint32
		name string
	}{{payload.ExchangeInfoBoundary, "ND_BOUNDARY"}, {payload.ExchangeInfoGuaranteeEncryption, "GUARANTEE_ENCRYPTION"}} {
		if flags&f.bit != 0 {
			names = append(names, f.name)
			flags &^= f.bit
		}
	}
	if flags != 0 || names == nil {
		names = append(names, fmt.Sprintf("%#x", flags))
	}
	return strings.Join(names, "+")
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
