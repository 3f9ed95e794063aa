package payload_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/ike/payload"
)

func bytesOf(least, most int) *rapid.Generator[[]byte] {
	return rapid.SliceOfN(rapid.Byte(), least, most)
}

func attribute(t *rapid.T) payload.Attribute {
	a := payload.Attribute{Type: rapid.Uint16Range(0, 0x7fff).Draw(t, "attribute"), Basic: rapid.Bool().Draw(t, "basic")}
	if a.Basic {
		a.Value = bytesOf(2, 2).Draw(t, "value")
	} else {
		a.Value = bytesOf(0, 300).Draw(t, "value")
	}
	return a
}

func transform(t *rapid.T) payload.Transform {
	x := payload.Transform{Number: rapid.Byte().Draw(t, "number"), ID: rapid.Byte().Draw(t, "id")}
	for range rapid.IntRange(0, 6).Draw(t, "attributes") {
		x.Attributes = append(x.Attributes, attribute(t))
	}
	return x
}

func proposal(t *rapid.T) payload.Proposal {
	p := payload.Proposal{
		Number:   rapid.Byte().Draw(t, "number"),
		Protocol: payload.ProtocolID(rapid.Byte().Draw(t, "protocol")),
		SPI:      bytesOf(0, 16).Draw(t, "spi"),
	}
	for range rapid.IntRange(1, 5).Draw(t, "transforms") {
		p.Transforms = append(p.Transforms, transform(t))
	}
	return p
}

const unknownType payload.Type = 133 // of AuthIP, MS-AIPS, 2.2.3.2.2

// isUnknown reports whether payloads of the type stay Raw.
func isUnknown(b byte) bool {
	switch t := payload.Type(b); t {
	case payload.TypeNATD, payload.TypeNATOA, payload.TypeGSSToken, payload.TypeNATDDraft, payload.TypeNATOADraft, payload.TypeFragment:
		return false
	default:
		return t > payload.TypeAttributes
	}
}

// anyPayload draws what a sender may write: everything that the fields of a payload can hold.
func anyPayload(t *rapid.T) payload.Payload {
	switch rapid.SampledFrom([]payload.Type{
		payload.TypeSA, payload.TypeKE, payload.TypeNonce, payload.TypeID, payload.TypeHash, payload.TypeNotify,
		payload.TypeDelete, payload.TypeVendorID, payload.TypeCert, payload.TypeCertReq, payload.TypeSignature, payload.TypeAttributes,
		payload.TypeNATD, payload.TypeNATOA, payload.TypeGSSToken, payload.TypeFragment, unknownType,
	}).Draw(t, "type") {
	case payload.TypeSA:
		sa := payload.NewSA()
		for range rapid.IntRange(1, 4).Draw(t, "proposals") {
			sa.Proposals = append(sa.Proposals, proposal(t))
		}
		return sa
	case payload.TypeKE:
		return payload.KeyExchange{Data: bytesOf(0, 1024).Draw(t, "public value")}
	case payload.TypeNonce:
		return payload.Nonce{Data: bytesOf(8, 256).Draw(t, "nonce")} // RFC 2409, Section 5
	case payload.TypeID:
		return payload.ID{
			IDType:   payload.IDFQDN, // of any length; the addresses are in TestSelectorID
			Protocol: rapid.Byte().Draw(t, "protocol"), Port: rapid.Uint16().Draw(t, "port"),
			Data: bytesOf(0, 64).Draw(t, "name"),
		}
	case payload.TypeHash:
		return payload.Hash{Data: bytesOf(0, 64).Draw(t, "hash")}
	case payload.TypeNotify:
		return payload.Notify{
			DOI: rapid.Uint32().Draw(t, "doi"), Protocol: payload.ProtocolID(rapid.Byte().Draw(t, "protocol")),
			NotifyType: payload.NotifyType(rapid.Uint16().Draw(t, "notify")),
			SPI:        bytesOf(0, 255).Draw(t, "spi"), Data: bytesOf(0, 300).Draw(t, "data"),
		}
	case payload.TypeDelete:
		d := payload.Delete{
			DOI: rapid.Uint32().Draw(t, "doi"), Protocol: payload.ProtocolID(rapid.Byte().Draw(t, "protocol")),
			SPISize: rapid.Uint8Range(1, 16).Draw(t, "size"),
		}
		for range rapid.IntRange(1, 5).Draw(t, "spis") {
			d.SPIs = append(d.SPIs, bytesOf(int(d.SPISize), int(d.SPISize)).Draw(t, "spi"))
		}
		return d
	case payload.TypeVendorID:
		return payload.VendorID{Data: bytesOf(0, 64).Draw(t, "vendor")}
	case payload.TypeCert:
		return payload.Certificate{Encoding: payload.CertEncoding(rapid.Byte().Draw(t, "encoding")), Data: bytesOf(0, 300).Draw(t, "certificate")}
	case payload.TypeCertReq:
		return payload.CertificateRequest{Encoding: payload.CertEncoding(rapid.Byte().Draw(t, "encoding")), Authority: bytesOf(0, 100).Draw(t, "authority")}
	case payload.TypeSignature:
		return payload.Signature{Data: bytesOf(0, 512).Draw(t, "signature")}
	case payload.TypeAttributes:
		a := payload.Attributes{Config: payload.ConfigType(rapid.Byte().Draw(t, "config")), Identifier: rapid.Uint16().Draw(t, "identifier")}
		for range rapid.IntRange(0, 6).Draw(t, "attributes") {
			a.Attributes = append(a.Attributes, attribute(t))
		}
		return a
	case payload.TypeNATD:
		return payload.NATD{Draft: rapid.Bool().Draw(t, "draft"), Hash: bytesOf(0, 64).Draw(t, "hash")}
	case payload.TypeNATOA:
		length := rapid.SampledFrom([]int{4, 16}).Draw(t, "bytes")
		a, _ := netip.AddrFromSlice(bytesOf(length, length).Draw(t, "address"))
		return payload.NATOA{Draft: rapid.Bool().Draw(t, "draft"), Addr: a}
	case payload.TypeGSSToken:
		return payload.GSSToken{Data: bytesOf(0, 1024).Draw(t, "token")}
	case payload.TypeFragment:
		return payload.Fragment{
			ID: rapid.Uint16().Draw(t, "id"), Number: rapid.Uint8Min(1).Draw(t, "number"), Flags: rapid.Byte().Draw(t, "flags"),
			Data: bytesOf(0, 600).Draw(t, "data"),
		}
	}
	return payload.Raw{T: payload.Type(rapid.Byte().Filter(isUnknown).Draw(t, "other type")), Data: bytesOf(0, 64).Draw(t, "data")}
}

// Whatever is written is read back the same, with or without cipher padding
// behind it, and written again to the same bytes.
func TestAnyChainRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []payload.Payload
		for range rapid.IntRange(1, 8).Draw(t, "payloads") {
			want = append(want, anyPayload(t))
		}
		b := payload.Append(nil, want...)
		padding := bytesOf(0, 15).Draw(t, "padding")
		chain, rest, err := payload.Parse(payload.First(want), append(b[:len(b):len(b)], padding...))
		require.NoError(t, err)
		require.Equal(t, string(padding), string(rest))
		require.Len(t, chain, len(want))
		var again []payload.Payload
		for i, item := range chain {
			require.Equal(t, want[i], item.Payload)
			again = append(again, item.Payload)
		}
		require.Equal(t, b, payload.Append(nil, again...))
	})
}

// A parser that accepts altered bytes has understood them: what it read is
// written to the same bytes.
func TestAlteredChainIsRefusedOrUnderstood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPayload(t)
		b := payload.Append(nil, p)
		for range rapid.IntRange(1, 4).Draw(t, "alterations") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		chain, rest, err := payload.Parse(p.Type(), b)
		if err != nil {
			var e *payload.Error
			require.ErrorAs(t, err, &e)
			require.NotZero(t, e.Notify, "a refusal names the notification that tells the peer")
			return
		}
		var again []payload.Payload
		for _, item := range chain {
			again = append(again, item.Payload)
		}
		require.Equal(t, b, append(payload.Append(nil, again...), rest...))
	})
}

func TestAnyHeaderRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.Make[payload.Header]().Draw(t, "header")
		h.Version = payload.Version1
		body := bytesOf(0, 200).Draw(t, "body")
		b := append(h.Append(nil), body...)
		payload.SetLength(b)
		h.Length = uint32(len(b))
		got, err := payload.ParseHeader(b)
		require.NoError(t, err)
		require.Equal(t, h, got)
	})
}

// Quick mode's identities name any prefix of either family, and only that one.
func TestSelectorID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.SampledFrom([]int{4, 16}).Draw(t, "bytes")
		a, _ := netip.AddrFromSlice(bytesOf(length, length).Draw(t, "address"))
		p := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
		id := payload.SelectorID(p, rapid.Byte().Draw(t, "protocol"), rapid.Uint16().Draw(t, "port"))
		chain, _, err := payload.Parse(payload.TypeID, payload.Append(nil, id))
		require.NoError(t, err)
		got, err := chain[0].Payload.(payload.ID).Prefix()
		require.NoError(t, err)
		require.Equal(t, p, got)
	})
}

// A number may come in two bytes or in up to eight (RFC 2409, Appendix A: "variable").
func TestAttributeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint32().Draw(t, "number")
		long, ok := payload.LongAttribute(12, v).Uint()
		require.True(t, ok)
		require.EqualValues(t, v, long)
		basic, ok := payload.BasicAttribute(12, uint16(v)).Uint()
		require.True(t, ok)
		require.EqualValues(t, uint16(v), basic)
	})
	_, ok := payload.Attribute{Value: make([]byte, 9)}.Uint()
	require.False(t, ok)
}
