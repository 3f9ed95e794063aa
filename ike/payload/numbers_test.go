package payload_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// Vendor IDs are the MD5 of a text, made here and not copied: of the drafts that Windows Server
// 2003 speaks (claim C008) it is the one with a newline behind its name. XAUTH has 8 bytes of it.
func TestVendorIDsAreHashes(t *testing.T) {
	for text, want := range map[string]string{
		"MS NT5 ISAKMPOAKLEY":                       payload.VendorMicrosoft,
		"GSSAPI":                                    payload.VendorGSSAPI,
		"FRAGMENTATION":                             payload.VendorFragmentation,
		"IKE CGA version 1":                         payload.VendorCGA,
		"draft-ietf-ipsec-nat-t-ike-00":             "draft-ietf-ipsec-nat-t-ike-00",
		"draft-ietf-ipsec-nat-t-ike-01":             "draft-ietf-ipsec-nat-t-ike-01",
		"draft-ietf-ipsec-nat-t-ike-02":             "draft-ietf-ipsec-nat-t-ike-02",
		"draft-ietf-ipsec-nat-t-ike-02\n":           `draft-ietf-ipsec-nat-t-ike-02\n`,
		"draft-ietf-ipsec-nat-t-ike-03":             "draft-ietf-ipsec-nat-t-ike-03",
		"draft-ietf-ipsec-nat-t-ike":                "draft-ietf-ipsec-nat-t-ike",
		"RFC 3947":                                  "RFC 3947",
		"Vid-Initial-Contact":                       "Vid-Initial-Contact",
		"NLBS_PRESENT":                              "NLBS_PRESENT",
		"MS-Negotiation Discovery Capable":          "MS-Negotiation Discovery Capable",
		"MS-MamieExists":                            "MS-MamieExists",
		"KAME/racoon":                               "KAME/racoon",
		"strongSwan":                                "strongSwan",
		"A GSS-API Authentication Method for IKE":   "A GSS-API Authentication Method for IKE",
		"A GSS-API Authentication Method for IKE\n": `A GSS-API Authentication Method for IKE (\n)`,
	} {
		sum := md5.Sum([]byte(text))
		name, rest := payload.VendorID{Data: sum[:]}.Vendor()
		require.Equal(t, want, name, "%q", text)
		require.Empty(t, rest)
	}
	sum := md5.Sum([]byte("draft-ietf-ipsra-isakmp-xauth-06.txt"))
	require.Equal(t, payload.VendorXAUTH, payload.VendorID{Data: sum[:8]}.Name())
}

// NAT traversal has numbers of its own in the drafts, which Windows Server 2003 speaks, and in
// RFC 3947 (claim C008). The bytes are written out here.
func TestNumbersOfNATTraversal(t *testing.T) {
	hash, address := make([]byte, 4), netip.MustParseAddr("10.0.0.1")
	for _, row := range []struct {
		draft     bool
		natd, oa  payload.Type
		wire      string
		transport uint16
		tunnel    uint16
	}{
		{true, 130, 131, "83000008" + "00000000" + "0000000c" + "01000000" + "0a000001", 61444, 61443},
		{false, 20, 21, "15000008" + "00000000" + "0000000c" + "01000000" + "0a000001", 4, 3},
	} {
		ps := []payload.Payload{payload.NATD{Draft: row.draft, Hash: hash}, payload.NATOA{Draft: row.draft, Addr: address}}
		require.Equal(t, row.natd, payload.First(ps))
		require.Equal(t, row.wire, hex.EncodeToString(payload.Append(nil, ps...)))
		chain, padding, err := payload.Parse(row.natd, unhex(t, row.wire))
		require.NoError(t, err)
		require.Empty(t, padding)
		require.Equal(t, ps, []payload.Payload{chain[0].Payload, chain[1].Payload})
		require.Equal(t, row.oa, chain[1].Payload.Type())
		suffix := map[bool]string{true: " (draft)"}[row.draft]
		for value, mode := range map[uint16]string{row.transport: "Transport", row.tunnel: "Tunnel"} {
			_, text := payload.AttributeName(payload.ProtocolESP, payload.BasicAttribute(4, value))
			require.Equal(t, "UDP-Encapsulated-"+mode+suffix, text)
		}
	}
}

// The numbers of the private range that Windows has, and what is not in version 1 of IKE:
// payload type 133 is of AuthIP, which comes after Windows Server 2003, and means nothing here.
func TestPrivatePayloads(t *testing.T) {
	body := []byte{0, 5, 1, 0, 7}
	for of, want := range map[payload.Type]payload.Payload{
		129: payload.GSSToken{Data: body},
		132: payload.Fragment{ID: 5, Number: 1, Data: []byte{7}},
		133: payload.Raw{T: 133, Data: body},
	} {
		chain, _, err := payload.Parse(of, append([]byte{0, 0, 0, 9}, body...))
		require.NoError(t, err)
		require.Equal(t, want, chain[0].Payload)
	}
}

// Notify types, RFC 2408, Section 3.14.1; RFC 2407, Section 4.6.3; RFC 3706, Section 5.3; MS-IKEE, 2.2.6.
func TestNotifyNumbers(t *testing.T) {
	errors := []string{
		"INVALID-PAYLOAD-TYPE", "DOI-NOT-SUPPORTED", "SITUATION-NOT-SUPPORTED", "INVALID-COOKIE", "INVALID-MAJOR-VERSION",
		"INVALID-MINOR-VERSION", "INVALID-EXCHANGE-TYPE", "INVALID-FLAGS", "INVALID-MESSAGE-ID", "INVALID-PROTOCOL-ID",
		"INVALID-SPI", "INVALID-TRANSFORM-ID", "ATTRIBUTES-NOT-SUPPORTED", "NO-PROPOSAL-CHOSEN", "BAD-PROPOSAL-SYNTAX",
		"PAYLOAD-MALFORMED", "INVALID-KEY-INFORMATION", "INVALID-ID-INFORMATION", "INVALID-CERT-ENCODING", "INVALID-CERTIFICATE",
		"CERT-TYPE-UNSUPPORTED", "INVALID-CERT-AUTHORITY", "INVALID-HASH-INFORMATION", "AUTHENTICATION-FAILED", "INVALID-SIGNATURE",
		"ADDRESS-NOTIFICATION", "NOTIFY-SA-LIFETIME", "CERTIFICATE-UNAVAILABLE", "UNSUPPORTED-EXCHANGE-TYPE", "UNEQUAL-PAYLOAD-LENGTHS",
	}
	for i, name := range errors {
		n := payload.NotifyType(i + 1)
		require.Equal(t, name, n.String(), "%d", i+1)
		require.True(t, n.Error())
	}
	require.Equal(t, "31", payload.NotifyType(31).String())
	for n, name := range map[payload.NotifyType]string{
		16384: "CONNECTED", 24576: "RESPONDER-LIFETIME", 24577: "REPLAY-STATUS", 24578: "INITIAL-CONTACT",
		36136: "R-U-THERE", 36137: "R-U-THERE-ACK", 0x9c43: "NOTIFY_STATUS", 0x9c44: "NOTIFY_DOS_COOKIE", 0x9c45: "EXCHANGE_INFO",
	} {
		require.Equal(t, name, n.String())
		require.False(t, n.Error())
	}
}

// An algorithm has one number as a transform of AH and another one in the attribute: MD5 is 2 and 1, RFC 2407, Sections 4.4.3 and 4.5.
func TestAHIsNumberedApart(t *testing.T) {
	for _, row := range []struct {
		transform uint8
		attribute uint16
		names     string
	}{
		{2, 1, "AH_MD5 HMAC-MD5"}, {3, 2, "AH_SHA HMAC-SHA"}, {4, 3, "AH_DES DES-MAC"}, {5, 5, "AH_SHA2-256 HMAC-SHA2-256"},
		{6, 6, "AH_SHA2-384 HMAC-SHA2-384"}, {7, 7, "AH_SHA2-512 HMAC-SHA2-512"}, {8, 8, "AH_RIPEMD HMAC-RIPEMD"},
		{9, 9, "AH_AES-XCBC-MAC AES-XCBC-MAC"}, {11, 11, "AH_AES-128-GMAC AES-128-GMAC"}, {13, 13, "AH_AES-256-GMAC AES-256-GMAC"},
	} {
		_, value := payload.AttributeName(payload.ProtocolAH, payload.BasicAttribute(5, row.attribute))
		require.Equal(t, row.names, fmt.Sprint(payload.TransformName(payload.ProtocolAH, row.transform), " ", value))
	}
}
