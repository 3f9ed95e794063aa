package ike_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// lines are fields as text, deeper ones indented.
func lines(fs []trace.Field, indent string) string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(strings.TrimRight(indent+f.Name+": "+f.Value, " ") + "\n" + lines(f.Fields, indent+"  "))
	}
	return b.String()
}

// described is what the trace says of payloads after they came over the wire.
func described(t *testing.T, ps ...payload.Payload) string {
	t.Helper()
	chain, _, err := payload.Parse(payload.First(ps), payload.Append(nil, ps...))
	require.NoError(t, err)
	return lines(ike.Describe(chain), "")
}

func TestDescribe(t *testing.T) {
	notify := func(n payload.NotifyType, data ...byte) payload.Notify {
		return payload.Notify{DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: n, Data: data}
	}
	const head = "\n  DOI: IPSEC\n  Protocol-ID: PROTO_ISAKMP\n"
	for _, row := range []struct {
		p    payload.Payload
		want string
	}{
		{payload.Attributes{Config: payload.ConfigReply, Identifier: 7, Attributes: []payload.Attribute{
			{Type: payload.ConfigIP4Address, Value: []byte{10, 9, 0, 1}}, {Type: payload.XAUTHUserName, Value: []byte("ann")},
			payload.BasicAttribute(payload.XAUTHStatus, 0), {Type: 28672, Value: []byte("hello")}, {Type: 9999},
		}}, "Attributes: ISAKMP_CFG_REPLY\n  Identifier: 7\n  INTERNAL_IP4_ADDRESS: 10.9.0.1\n  XAUTH-USER-NAME: \"ann\"\n  XAUTH-STATUS: FAIL\n" +
			"  UNITY_BANNER: \"hello\"\n  attribute 9999:\n"},
		{payload.Fragment{ID: 3, Number: 2, Flags: 1, Data: []byte{0xab}}, "Fragment: 2 of message 3, the last\n  Flags: 0x1\n  Fragment Data: ab\n"},
		{payload.NATD{Hash: []byte{1, 2}}, "NAT-D: 0102\n"},
		{payload.NATOA{Draft: true, Addr: netip.MustParseAddr("10.0.0.1")}, "NAT-OA (draft): 10.0.0.1\n"},
		{payload.GSSToken{Data: []byte{0x60}}, "GSS-API Token: 60\n"},
		{payload.Raw{T: 133, Data: []byte{1}}, "payload type 133: 01\n"},
		{payload.Signature{Data: []byte{5}}, "Signature: 05\n"},
		{payload.Certificate{Encoding: payload.CertX509Signature, Data: []byte{0x30}}, "Certificate: X.509 Certificate - Signature\n  Certificate Data: 30\n"},
		{payload.CertificateRequest{Encoding: payload.CertCRL}, "Certificate Request: Certificate Revocation List (CRL)\n  Certificate Authority: any authority\n"},
		{notify(payload.NotifyRUThere, 0, 0, 1, 0), "Notification: R-U-THERE" + head + "  Sequence Number: 256\n"},
		{notify(payload.NotifyReplayStatus, 0, 0, 0, 1), "Notification: REPLAY-STATUS" + head + "  Replay Detection: enabled\n"},
		{notify(payload.NotifyMSStatus, 0, 0, 0x35, 0xe9), "Notification: NOTIFY_STATUS" + head + "  Windows Error Code: 13801 (ERROR_IPSEC_IKE_AUTH_FAIL)\n"},
		{notify(payload.NotifyMSStatus, 0, 0, 0, 5), "Notification: NOTIFY_STATUS" + head + "  Windows Error Code: 5\n"},
		{notify(payload.NotifyMSDoSCookie, 1, 2, 3, 4), "Notification: NOTIFY_DOS_COOKIE" + head + "  Notification Data: 01020304\n"},
		{notify(payload.NotifyMSExchangeInfo, 0, 0, 0, 7), "Notification: EXCHANGE_INFO" + head + "  Exchange Info: ND_BOUNDARY+GUARANTEE_ENCRYPTION+0x4\n"},
		{notify(payload.NotifyMSExchangeInfo, 0, 0, 0, 0), "Notification: EXCHANGE_INFO" + head + "  Exchange Info: 0x0\n"},
		{notify(payload.NotifyLoadBalance, 9), "Notification: UNITY-LOAD-BALANCE" + head + "  Notification Data: 09\n"},
		{notify(payload.NotifyRUThere, 1, 2), "Notification: R-U-THERE" + head + "  Notification Data: 0102\n"},
	} {
		require.Equal(t, row.want, described(t, row.p))
	}
}

// What 65001 means in an offer depends on who makes it.
func TestDescribeAuthMethodOfTheSender(t *testing.T) {
	offer := payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, Transforms: []payload.Transform{{
		Number: 1, ID: payload.TransformKeyIKE, Attributes: []payload.Attribute{payload.BasicAttribute(payload.AttrAuthMethod, payload.AuthGSSAPI)},
	}}})
	gss := payload.VendorID{Data: []byte("\x62\x1b\x04\xbb\x09\x88\x2a\xc1\xe1\x59\x35\xfe\xfa\x24\xae\xee")}
	xauth := payload.VendorID{Data: []byte("\x09\x00\x26\x89\xdf\xd6\xb7\x12")}
	require.Contains(t, described(t, offer, gss), "Authentication Method: GSS-API\n")
	require.Contains(t, described(t, offer, xauth), "Authentication Method: XAUTHInitPreShared\n")
	require.Contains(t, described(t, offer), "Authentication Method: GSS-API or XAUTHInitPreShared\n")
}
