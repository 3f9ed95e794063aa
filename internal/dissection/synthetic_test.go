package dissection_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
)

func short(t, v uint16) payload.Attribute        { return payload.BasicAttribute(t, v) }
func long(t uint16, v ...byte) payload.Attribute { return payload.Attribute{Type: t, Value: v} }
func str(t uint16, v string) payload.Attribute   { return payload.Attribute{Type: t, Value: []byte(v)} }

// wrongFaults are what tshark 4.0 says is wrong with a payload where nothing is. It
// reads 18 bytes for INTERNAL_IP6_NETMASK, whatever its length.
func wrongFaults(p payload.Payload) []string {
	if c, ok := p.(payload.Attributes); ok {
		for _, a := range c.Attributes {
			if a.Type == payload.ConfigIP6Netmask {
				return []string{"Message: Trying to fetch an IPv6 address with length 18", "Malformed Packet"}
			}
		}
	}
	return nil
}

// synthetic are messages of every exchange, payload and attribute of the registry.
func synthetic(t *testing.T) [][]byte {
	cert, v6 := certificate(t), netip.MustParseAddr("2001:db8::1").AsSlice()
	var ms [][]byte
	add := func(x payload.Exchange, ps ...payload.Payload) { ms = append(ms, message(x, ps...)) }
	phase1 := func(attributes ...payload.Attribute) payload.Payload {
		return payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, Transforms: []payload.Transform{{Number: 1, ID: payload.TransformKeyIKE, Attributes: attributes}}})
	}
	phase2 := func(p payload.ProtocolID, id uint8, attributes ...payload.Attribute) payload.Payload {
		return payload.NewSA(payload.Proposal{Number: 1, Protocol: p, SPI: []byte{1, 2, 3, 4}, Transforms: []payload.Transform{{Number: 1, ID: id, Attributes: attributes}}})
	}
	for _, x := range []payload.Exchange{payload.Base, payload.MainMode, payload.AuthOnly, payload.Aggressive, payload.Informational, payload.Transaction, payload.QuickMode, payload.NewGroup} {
		add(x, payload.Hash{Data: bytes.Repeat([]byte{byte(x)}, 20)})
	}
	var ciphers []payload.Payload
	for v := range uint16(9) {
		ciphers = append(ciphers, phase1(short(payload.AttrEncryption, v)))
	}
	add(payload.MainMode, ciphers...)
	add(payload.MainMode, phase1(short(payload.AttrHash, 1), short(payload.AttrHash, 6)))
	for m := range 65536 {
		if n := payload.AuthMethodName(uint16(m), nil); n != "" && (n[0] < '0' || n[0] > '9') {
			add(payload.MainMode, phase1(short(payload.AttrAuthMethod, uint16(m))))
		}
	}
	add(payload.NewGroup, phase1(
		short(payload.AttrGroup, 14), short(payload.AttrGroupType, 1), long(payload.AttrGroupPrime, 1, 2, 3, 4, 5), long(payload.AttrGenerator1, 2),
		long(payload.AttrGenerator2, 3, 4), long(payload.AttrCurveA, 0), long(payload.AttrCurveB, 1, 1, 1), long(payload.AttrGroupOrder, 9, 9),
		short(payload.AttrLifeType, 1), short(payload.AttrLifeDuration, 3600), payload.LongAttribute(payload.AttrLifeDuration, 86400),
		long(payload.AttrLifeDuration, 0, 0, 0, 1, 0, 0, 0, 0), short(payload.AttrPRF, 7), short(payload.AttrKeyLength, 256), short(payload.AttrFieldSize, 155),
		str(payload.AttrGSSIdentity, "h\x00o\x00"), long(99, 1, 2, 3), short(98, 5),
	))
	add(payload.QuickMode, phase2(payload.ProtocolESP, payload.TransformESPAES,
		short(payload.AttrSALifeType, 2), payload.LongAttribute(payload.AttrSALifeDuration, 100000), short(payload.AttrSALifeDuration, 9), short(payload.AttrSAGroup, 2),
		short(payload.AttrEncapsulation, 61444), short(payload.AttrAuth, 2), short(payload.AttrSAKeyLength, 128), short(7, 10), short(8, 1), long(9, 1, 2), short(10, 1), short(11, 1),
		long(32001, 1)))
	for id := range uint8(30) {
		add(payload.QuickMode, phase2(payload.ProtocolESP, id), phase2(payload.ProtocolAH, id, short(payload.AttrEncapsulation, uint16(id)), short(payload.AttrAuth, uint16(id))))
	}
	add(payload.QuickMode, payload.NewSA(
		payload.Proposal{Number: 1, Protocol: payload.ProtocolAH, SPI: []byte{1, 2, 3, 4}, Transforms: []payload.Transform{{Number: 1, ID: 3}, {Number: 2, ID: 2}}},
		payload.Proposal{Number: 1, Protocol: payload.ProtocolESP, SPI: []byte{5, 6, 7, 8}, Transforms: []payload.Transform{{Number: 1, ID: 3}}},
		payload.Proposal{Number: 2, Protocol: payload.ProtocolIPComp, SPI: []byte{5, 6}, Transforms: []payload.Transform{{Number: 1, ID: 2}}},
	), payload.Nonce{Data: bytes.Repeat([]byte{8}, 16)}, payload.KeyExchange{Data: bytes.Repeat([]byte{0xfe}, 256)})
	for _, id := range []payload.ID{
		{IDType: payload.IDIPv4, Data: []byte{10, 0, 0, 1}}, {IDType: payload.IDFQDN, Protocol: 17, Port: 500, Data: []byte("a.example")},
		{IDType: payload.IDUserFQDN, Data: []byte("ann@a.example")}, {IDType: payload.IDIPv4Subnet, Protocol: 6, Port: 80, Data: []byte{10, 1, 2, 0, 255, 255, 254, 0}},
		{IDType: payload.IDIPv6, Data: netip.MustParseAddr("2001:db8::1").AsSlice()},
		{IDType: payload.IDIPv6Subnet, Data: append(netip.MustParseAddr("2001:db8::").AsSlice(), netip.MustParseAddr("ffff:ffff::").AsSlice()...)},
		{IDType: payload.IDIPv4Range, Data: []byte{10, 0, 0, 1, 10, 0, 0, 9}},
		{IDType: payload.IDIPv6Range, Data: append(netip.MustParseAddr("2001:db8::1").AsSlice(), netip.MustParseAddr("2001:db8::9").AsSlice()...)},
		{IDType: payload.IDDERDN, Data: dn}, {IDType: payload.IDDERGN, Data: []byte{0x82, 1, 'a'}}, {IDType: payload.IDKeyID, Data: []byte{1, 2, 3}},
		{IDType: payload.IDList, Data: []byte{1, 0, 0, 0, 10, 0, 0, 1}}, {IDType: payload.IDIPv6CGA, Data: netip.MustParseAddr("2001:db8::1").AsSlice()},
	} {
		add(payload.MainMode, id)
	}
	for e := range payload.CertEncoding(11) {
		add(payload.MainMode, payload.Certificate{Encoding: e, Data: cert}, payload.CertificateRequest{Encoding: e, Authority: dn}, payload.CertificateRequest{Encoding: e})
	}
	add(payload.MainMode, payload.Signature{Data: bytes.Repeat([]byte{5}, 128)})
	for n := range 65536 {
		if s := payload.NotifyType(n).String(); s[0] >= 'A' && payload.NotifyType(n) != payload.NotifyResponderLifetime {
			add(payload.Informational, payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyType(n), SPI: bytes.Repeat([]byte{7}, 16), Data: []byte{0, 0, 0, 1}})
		}
	}
	add(payload.Informational, payload.Notify{DOI: 1, Protocol: payload.ProtocolESP, NotifyType: payload.NotifyResponderLifetime, SPI: []byte{1, 2, 3, 4},
		Data: payload.AppendAttributes(nil, []payload.Attribute{short(1, 1), payload.LongAttribute(2, 600), short(1, 2), short(2, 9)})})
	add(payload.Informational, payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyResponderLifetime, SPI: bytes.Repeat([]byte{7}, 16),
		Data: payload.AppendAttributes(nil, []payload.Attribute{short(11, 1), payload.LongAttribute(12, 600)})})
	add(payload.Informational, payload.Notify{DOI: 1, Protocol: payload.ProtocolESP, NotifyType: payload.NotifyNoProposalChosen})
	add(payload.Informational, payload.Delete{DOI: 1, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{{1, 2, 3, 4}, {5, 6, 7, 8}}},
		payload.Delete{DOI: 1, Protocol: payload.ProtocolISAKMP, SPISize: 16, SPIs: [][]byte{bytes.Repeat([]byte{3}, 16)}})
	for _, v := range vendors {
		add(payload.MainMode, payload.VendorID{Data: v})
	}
	add(payload.Transaction, payload.Attributes{Config: payload.ConfigReply, Identifier: 0x1234, Attributes: []payload.Attribute{
		long(1, 10, 0, 0, 1), long(2, 255, 0, 0, 0), long(3, 10, 0, 0, 2), long(4, 10, 0, 0, 3), long(5, 0, 0, 0, 60), long(6, 10, 0, 0, 4), str(7, "v 1"),
		long(10, v6...), long(13, 10, 0, 0, 0, 255, 0, 0, 0), long(14, 0, 1, 0, 2),
		long(8, v6...), long(11, v6...), long(12, v6...), long(15, append(v6, 64)...),
	}})
	add(payload.Transaction, payload.Attributes{Config: payload.ConfigRequest, Identifier: 1, Attributes: []payload.Attribute{
		short(payload.XAUTHType, 0), str(payload.XAUTHUserName, ""), str(payload.XAUTHUserPassword, "")}})
	add(payload.Transaction, payload.Attributes{Config: payload.ConfigSet, Identifier: 1, Attributes: []payload.Attribute{
		str(payload.XAUTHUserName, "ann"), str(payload.XAUTHUserPassword, "word"), str(payload.XAUTHPasscode, "1"), str(payload.XAUTHMessage, "hello"),
		str(payload.XAUTHChallenge, "ch"), str(payload.XAUTHDomain, "do"), short(payload.XAUTHStatus, 1), str(payload.XAUTHNextPIN, "2"), str(payload.XAUTHAnswer, "an"),
		str(28672, "banner"), short(28673, 1), str(28674, "example"), str(28675, "a,b"), long(28676, 10, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		short(28677, 4500), long(28678, 10, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0), short(28679, 1), long(28680, 0, 1), str(28681, "gw"), str(28682, "host"),
	}})
	add(payload.Transaction, payload.Attributes{Config: payload.ConfigAck, Identifier: 2, Attributes: []payload.Attribute{long(payload.ConfigIP6Netmask, v6...), long(payload.ConfigIP6NBNS, v6...)}})
	add(payload.MainMode, payload.NATD{Hash: bytes.Repeat([]byte{8}, 20)}, payload.NATD{Draft: true, Hash: bytes.Repeat([]byte{9}, 16)})
	add(payload.QuickMode, payload.NATOA{Addr: netip.MustParseAddr("10.0.0.1")}, payload.NATOA{Draft: true, Addr: netip.MustParseAddr("2001:db8::1")})
	add(payload.MainMode, payload.GSSToken{Data: []byte{0x60, 3, 1, 2, 3}})
	add(payload.MainMode, payload.Raw{T: 133, Data: []byte{1, 2}})
	whole := message(payload.MainMode, payload.Hash{Data: bytes.Repeat([]byte{0x55}, 20)})
	add(payload.MainMode, payload.Fragment{ID: 7, Number: 1, Data: whole[:40]})
	add(payload.MainMode, payload.Fragment{ID: 7, Number: 2, Flags: payload.LastFragment, Data: whole[40:]})
	return ms
}

// certificate is a certificate of CN=a, in DER.
func certificate(t *testing.T) []byte {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a"}, NotBefore: time.Unix(1, 0), NotAfter: time.Unix(1<<31, 0),
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}

// dn is the name CN=a in DER.
var dn = []byte{0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 'a'}

var vendors = [][]byte{{1, 2, 3}, []byte("\x1e\x2b\x51\x69\x05\x99\x1c\x7d\x7c\x96\xfc\xbf\xb5\x87\xe4\x61\x00\x00\x00\x04")}
