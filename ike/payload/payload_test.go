package payload_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// examples are one of each payload, in the form that a chain has after parsing.
func examples() []payload.Payload {
	return []payload.Payload{
		payload.NewSA(payload.Proposal{
			Number: 1, Protocol: payload.ProtocolISAKMP, SPI: []byte{}, Transforms: []payload.Transform{
				{Number: 1, ID: 1, Attributes: []payload.Attribute{
					payload.BasicAttribute(payload.AttrEncryption, payload.EncryptionAES), payload.BasicAttribute(payload.AttrKeyLength, 256),
					payload.BasicAttribute(payload.AttrLifeType, payload.LifeSeconds), payload.LongAttribute(payload.AttrLifeDuration, 28800),
				}},
				{Number: 2, ID: 1},
			},
		}),
		payload.NewSA(
			payload.Proposal{Number: 1, Protocol: payload.ProtocolAH, SPI: []byte{1, 2, 3, 4}, Transforms: []payload.Transform{{Number: 1, ID: payload.TransformAHSHA}}},
			payload.Proposal{Number: 1, Protocol: payload.ProtocolESP, SPI: []byte{5, 6, 7, 8}, Transforms: []payload.Transform{{Number: 1, ID: payload.TransformESP3DES}}},
			payload.Proposal{Number: 2, Protocol: payload.ProtocolESP, SPI: []byte{5, 6, 7, 8}, Transforms: []payload.Transform{{Number: 1, ID: payload.TransformESPNull}}},
		),
		payload.KeyExchange{Data: bytes.Repeat([]byte{7}, 128)},
		payload.Nonce{Data: bytes.Repeat([]byte{9}, 20)},
		payload.ID{IDType: payload.IDIPv4, Data: []byte{10, 0, 0, 1}},
		payload.ID{IDType: payload.IDFQDN, Protocol: 17, Port: 500, Data: []byte("a.example")},
		payload.SelectorID(netip.MustParsePrefix("10.1.2.0/23"), 6, 1433),
		payload.SelectorID(netip.MustParsePrefix("2001:db8::/32"), 0, 0),
		payload.Hash{Data: bytes.Repeat([]byte{3}, 20)},
		payload.Notify{DOI: 1, Protocol: payload.ProtocolESP, NotifyType: payload.NotifyNoProposalChosen, SPI: []byte{1, 2, 3, 4}, Data: []byte{}},
		payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyInitialContact, SPI: bytes.Repeat([]byte{5}, 16), Data: []byte{1}},
		payload.Delete{DOI: 1, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{{1, 2, 3, 4}, {5, 6, 7, 8}}},
		payload.VendorID{Data: []byte("unknown vendor")},
		payload.Certificate{Encoding: payload.CertX509Signature, Data: []byte{1, 2, 3}},
		payload.CertificateRequest{Encoding: payload.CertX509Signature, Authority: []byte{}},
		payload.Signature{Data: bytes.Repeat([]byte{7}, 128)},
		payload.Attributes{Config: payload.ConfigRequest, Identifier: 0x1234, Attributes: []payload.Attribute{
			{Type: payload.XAUTHUserName, Value: []byte{}}, payload.BasicAttribute(payload.XAUTHType, 0),
			{Type: payload.ConfigIP4Address, Value: []byte{10, 0, 0, 9}},
		}},
		payload.NATD{Hash: bytes.Repeat([]byte{8}, 20)},
		payload.NATD{Draft: true, Hash: bytes.Repeat([]byte{8}, 16)},
		payload.NATOA{Addr: netip.MustParseAddr("10.0.0.1")},
		payload.NATOA{Draft: true, Addr: netip.MustParseAddr("2001:db8::1")},
		payload.GSSToken{Data: []byte{0x60, 1, 2}},
		payload.Fragment{ID: 7, Number: 2, Flags: payload.LastFragment, Data: []byte("part")},
		payload.Raw{T: unknownType, Data: []byte{}},
	}
}

// build is a message of the payloads in the clear.
func build(ps ...payload.Payload) []byte {
	h := payload.Header{
		CookieI: payload.Cookie{1, 2, 3}, CookieR: payload.Cookie{4, 5, 6}, Next: payload.First(ps), Version: payload.Version1,
		Exchange: payload.MainMode, Flags: payload.Commit, MessageID: 0xcafebabe,
	}
	b := payload.Append(h.Append(nil), ps...)
	payload.SetLength(b)
	return b
}

func TestRoundTrip(t *testing.T) {
	all := examples()
	b := build(all...)
	h, err := payload.ParseHeader(b)
	require.NoError(t, err)
	require.Equal(t, uint32(len(b)), h.Length)
	require.Equal(t, b[:payload.HeaderLen], h.Append(nil))
	chain, rest, err := payload.Parse(h.Next, b[payload.HeaderLen:])
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Len(t, chain, len(all))
	for i, item := range chain {
		require.Equal(t, all[i], item.Payload)
		require.True(t, bytes.Equal(payload.Body(all[i]), item.Body()))
	}
	var again []payload.Payload
	for _, item := range chain {
		again = append(again, item.Payload)
	}
	require.Equal(t, b, build(again...))
}

// Every proper prefix of every message fails: as a whole message by its length,
// and as a chain by its content.
func TestPrefixes(t *testing.T) {
	for _, p := range examples() {
		b := build(p)
		for n := range b {
			_, err := payload.ParseHeader(b[:n])
			require.Error(t, err, "%T: header of %d bytes", p, n)
		}
		body := b[payload.HeaderLen:]
		for n := range body {
			_, _, err := payload.Parse(p.Type(), body[:n])
			require.Error(t, err, "%T: %d bytes", p, n)
			var e *payload.Error
			require.ErrorAs(t, err, &e)
			require.NotZero(t, e.Notify)
		}
	}
}

// The SA payload of the worked example in ikev1, byte by byte.
func TestSAOnTheWire(t *testing.T) {
	b := unhex(t, "00000038 00000001 00000001 0000002c 01010001 00000024 01010000 80010005 80020002 80040002 80030001 800b0001 000c0004 00007080")
	chain, rest, err := payload.Parse(payload.TypeSA, b)
	require.NoError(t, err)
	require.Empty(t, rest)
	want := payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, SPI: []byte{}, Transforms: []payload.Transform{{
		Number: 1, ID: payload.TransformKeyIKE, Attributes: []payload.Attribute{
			payload.BasicAttribute(payload.AttrEncryption, payload.Encryption3DES), payload.BasicAttribute(payload.AttrHash, payload.HashSHA1),
			payload.BasicAttribute(payload.AttrGroup, 2), payload.BasicAttribute(payload.AttrAuthMethod, payload.AuthPSK),
			payload.BasicAttribute(payload.AttrLifeType, payload.LifeSeconds), payload.LongAttribute(payload.AttrLifeDuration, 28800),
		},
	}}})
	require.Equal(t, want, chain[0].Payload)
	require.Equal(t, b, payload.Append(nil, want))
}

func TestMalformed(t *testing.T) {
	for _, row := range []struct {
		name  string
		first payload.Type
		bytes string
		want  payload.NotifyType
		text  string
	}{
		{"reserved byte", payload.TypeNonce, "0001000c 0102030405060708", payload.NotifyPayloadMalformed, "reserved field is 0x1"},
		{"length below the header's own", payload.TypeHash, "00000003", payload.NotifyPayloadMalformed, "length 3"},
		{"length 0", payload.TypeHash, "00000000 00000000", payload.NotifyPayloadMalformed, "length 0"},
		{"length beyond the end", payload.TypeHash, "00000006 00", payload.NotifyPayloadMalformed, "length 6, 5 bytes left"},
		{"a successor that is missing", payload.TypeHash, "0a000005 00", payload.NotifyPayloadMalformed, "Nonce payload: no room"},
		{"proposal outside an SA", payload.TypeProposal, "00000008 01010000", payload.NotifyInvalidPayloadType, "Proposal payload outside"},
		{"nonce too short", payload.TypeNonce, "0000000b 01020304050607", payload.NotifyPayloadMalformed, "nonce of 7 bytes"},
		{"another DOI", payload.TypeSA, "0000000c 00000000 00000001", payload.NotifyDOINotSupported, "DOI 0"},
		{"another situation", payload.TypeSA, "0000000c 00000001 00000004", payload.NotifySituationNotSupported, "situation 0x4"},
		{"no proposals", payload.TypeSA, "0000000c 00000001 00000001", payload.NotifyBadProposalSyntax, "without a proposal"},
		{"proposal without transforms", payload.TypeSA, "00000014 00000001 00000001 00000008 01010000", payload.NotifyBadProposalSyntax, "has no transform"},
		{"proposal followed by something else", payload.TypeSA, "0000001c 00000001 00000001 05000010 01010001 00000008 01010000", payload.NotifyBadProposalSyntax, "Proposal followed by Identification"},
		{"bytes after the last proposal", payload.TypeSA, "0000001e 00000001 00000001 00000010 01010001 00000008 01010000 0000", payload.NotifyBadProposalSyntax, "2 bytes after the last proposal"},
		{"fewer transforms than counted", payload.TypeSA, "0000001c 00000001 00000001 00000010 01010002 00000008 01010000", payload.NotifyBadProposalSyntax, "counts 2 transforms"},
		{"more transforms than counted", payload.TypeSA, "0000001c 00000001 00000001 00000010 01010001 03000008 01010000", payload.NotifyBadProposalSyntax, "counts 1 transforms"},
		{"bytes after the last transform", payload.TypeSA, "0000001e 00000001 00000001 00000012 01010001 00000008 01010000 0000", payload.NotifyBadProposalSyntax, "after the last transform"},
		{"SPI beyond the proposal", payload.TypeSA, "00000014 00000001 00000001 00000008 01030401", payload.NotifyBadProposalSyntax, "proposal cut short"},
		{"reserved field of a transform", payload.TypeSA, "0000001c 00000001 00000001 00000010 01010001 00000008 01010001", payload.NotifyPayloadMalformed, "transform 1: reserved"},
		{"attribute beyond the transform", payload.TypeSA, "00000020 00000001 00000001 00000014 01010001 0000000c 01010000 000c0004", payload.NotifyPayloadMalformed, "data attribute cut short"},
		{"IPv4 address of five bytes", payload.TypeID, "0000000d 01000000 0a00000100", payload.NotifyInvalidIDInformation, "ID_IPV4_ADDR with 5 bytes"},
		{"SPI beyond the notification", payload.TypeNotify, "0000000c 00000001 03040001", payload.NotifyPayloadMalformed, "notification cut short"},
		{"65,535 SPIs of no bytes", payload.TypeDelete, "0000000c 00000001 0300ffff", payload.NotifyPayloadMalformed, "delete of 65535 SPIs"},
		{"more SPIs than bytes", payload.TypeDelete, "00000010 00000001 03040002 01020304", payload.NotifyPayloadMalformed, "delete of 2 SPIs"},
		{"fewer SPIs than bytes", payload.TypeDelete, "00000011 00000001 03040001 0102030405", payload.NotifyPayloadMalformed, "delete of 1 SPIs"},
		{"SPI of an ISAKMP SA too long", payload.TypeSA, "0000002d 00000001 00000001 00000021 01011101 0102030405060708090a0b0c0d0e0f1011 00000008 01010000", payload.NotifyInvalidSPI, "SPI of 17 bytes"},
		{"attributes without an identifier", payload.TypeAttributes, "00000006 0100", payload.NotifyPayloadMalformed, "attributes cut short"},
		{"reserved field of attributes", payload.TypeAttributes, "00000008 01010000", payload.NotifyPayloadMalformed, "attributes: reserved"},
		{"attribute beyond the attributes", payload.TypeAttributes, "0000000c 01000000 40890001", payload.NotifyPayloadMalformed, "data attribute cut short"},
		{"address of no family", payload.TypeNATOA, "0000000d 01000000 0a00000100", payload.NotifyPayloadMalformed, "NAT-OA: ID_IPV4_ADDR with 5 bytes"},
		{"IPv4 address named IPv6", payload.TypeNATOADraft, "0000000c 05000000 0a000001", payload.NotifyPayloadMalformed, "NAT-OA: ID_IPV6_ADDR with 4 bytes"},
		{"subnet as original address", payload.TypeNATOA, "00000010 04000000 0a000000ff000000", payload.NotifyPayloadMalformed, "NAT-OA: ID_IPV4_ADDR_SUBNET with 8 bytes"},
		{"reserved field of NAT-OA", payload.TypeNATOA, "0000000c 01000001 0a000001", payload.NotifyPayloadMalformed, "NAT-OA: reserved"},
		{"NAT-OA of three bytes", payload.TypeNATOA, "00000007 010000", payload.NotifyPayloadMalformed, "NAT-OA cut short"},
		{"fragment 0", payload.TypeFragment, "00000008 00070001", payload.NotifyPayloadMalformed, "fragment with the number 0"},
		{"fragment without flags", payload.TypeFragment, "00000007 000701", payload.NotifyPayloadMalformed, "fragment cut short"},
		{"very many payloads", payload.TypeHash, strings.Repeat("08000004", 129), payload.NotifyPayloadMalformed, "more than 128 payloads"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := payload.Parse(row.first, unhex(t, row.bytes))
			var e *payload.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, row.want.String(), e.Notify.String())
			require.ErrorContains(t, err, row.text)
		})
	}
	b := build(examples()...)
	_, err := payload.ParseHeader(append(b, 0))
	require.ErrorContains(t, err, "header counts")
}

// What follows the last payload is padding, and its content does not matter.
func TestPadding(t *testing.T) {
	chain, padding, err := payload.Parse(payload.TypeHash, []byte{0, 0, 0, 5, 1, 0xff, 2})
	require.NoError(t, err)
	require.Len(t, chain, 1)
	require.Equal(t, []byte{0xff, 2}, padding)
}

func TestIdentities(t *testing.T) {
	for _, row := range []struct {
		prefix string
		proto  uint8
		port   uint16
		wire   string
		text   string
	}{
		{"10.0.0.1/32", 0, 0, "01000000 0a000001", "10.0.0.1"},
		{"10.0.0.1/32", 6, 1433, "01060599 0a000001", "10.0.0.1 tcp port 1433"},
		{"10.1.2.0/23", 17, 0, "04110000 0a010200 fffffe00", "10.1.2.0/255.255.254.0 udp"},
		{"0.0.0.0/0", 0, 0, "04000000 00000000 00000000", "0.0.0.0/0.0.0.0"},
		{"2001:db8::1/128", 0, 0, "05000000 20010db8000000000000000000000001", "2001:db8::1"},
		{"2001:db8::/32", 0, 0, "06000000 20010db8000000000000000000000000 ffffffff000000000000000000000000", "2001:db8::/ffff:ffff::"},
	} {
		p := netip.MustParsePrefix(row.prefix)
		id := payload.SelectorID(p, row.proto, row.port)
		require.Equal(t, unhex(t, row.wire), payload.Body(id))
		require.Equal(t, row.text, id.String())
		back, err := id.Prefix()
		require.NoError(t, err)
		require.Equal(t, p, back)
	}
	for name, id := range map[string]payload.ID{
		"a mask with a hole": {IDType: payload.IDIPv4Subnet, Data: unhex(t, "0a000000ff00ff00")},
		"a range":            {IDType: payload.IDIPv4Range, Data: unhex(t, "0a0000000a0000ff")},
		"a name":             {IDType: payload.IDFQDN, Data: []byte("a.example")},
	} {
		_, err := id.Prefix()
		require.ErrorContains(t, err, "is not an address or a subnet", name)
	}
	require.Equal(t, `"a.example"`, payload.ID{IDType: payload.IDFQDN, Data: []byte("a.example")}.String())
	require.Equal(t, "ID_KEY_ID 0102", payload.ID{IDType: payload.IDKeyID, Data: []byte{1, 2}}.String())
}

// An SPI of an ISAKMP proposal may have up to 16 bytes, which say nothing (RFC 2408, Section 3.5).
func TestSPIOfAnISAKMPProposal(t *testing.T) {
	for size := range 17 {
		sa := payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, SPI: make([]byte, size), Transforms: []payload.Transform{{Number: 1, ID: 1}}})
		chain, _, err := payload.Parse(payload.TypeSA, payload.Append(nil, sa))
		require.NoError(t, err)
		require.Equal(t, sa, chain[0].Payload)
	}
}

// touch calls what reads a payload further.
func touch(p payload.Payload) {
	switch p := p.(type) {
	case payload.VendorID:
		_ = p.Name()
		_ = payload.AuthMethodName(payload.AuthGSSAPI, []payload.VendorID{p})
	case payload.Notify:
		_, _ = p.Number()
		_ = p.NotifyType.String()
	case payload.Attributes:
		for _, a := range p.Attributes {
			_, _ = payload.ConfigAttributeName(a)
		}
	case *payload.SA:
		for _, prop := range p.Proposals {
			for _, t := range prop.Transforms {
				_ = payload.TransformName(prop.Protocol, t.ID)
				for _, a := range t.Attributes {
					_, _ = payload.AttributeName(prop.Protocol, a)
				}
			}
		}
	}
}

// Whatever parses encodes to the same bytes again, and never panics.
func FuzzParse(f *testing.F) {
	for _, p := range examples() {
		f.Add(uint8(p.Type()), payload.Append(nil, p))
	}
	f.Add(uint8(payload.TypeSA), payload.Append(nil, examples()...))
	f.Fuzz(func(t *testing.T, first uint8, b []byte) {
		chain, padding, err := payload.Parse(payload.Type(first), b)
		if err != nil {
			require.Nil(t, chain)
			return
		}
		var ps []payload.Payload
		for _, item := range chain {
			ps = append(ps, item.Payload)
			_ = item.Payload.Type().String()
			if id, ok := item.Payload.(payload.ID); ok {
				_ = id.String()
				_, _ = id.Prefix()
			}
			touch(item.Payload)
		}
		again := append(payload.Append(nil, ps...), padding...)
		require.Equal(t, len(b), len(again))
		require.True(t, bytes.Equal(b, again))
	})
}
