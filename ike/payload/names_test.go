package payload_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
)

func TestVendorNames(t *testing.T) {
	for wire, want := range map[string]string{
		"1e2b516905991c7d7c96fcbfb587e46100000004": "MS NT5 ISAKMPOAKLEY 4",
		"4048b7d56ebce88525e7de7f00d6c2d3":         "FRAGMENTATION",
		"4048b7d56ebce88525e7de7f00d6c2d380000000": "FRAGMENTATION 2147483648",
		"90cb80913ebb696e086381b5ec427b1f":         "draft-ietf-ipsec-nat-t-ike-02\\n",
		"26244d38eddb61b3172a36e3d0cfb819":         "Vid-Initial-Contact",
		"afcad71368a1f1c96b8696fc77570100":         "Dead Peer Detection",
		"09002689dfd6b712":                         "XAUTH",
		"12f5f28c457168a9702d9fe274cc0100":         "Cisco Unity",
		"1f07f70eaa6514d3b0fa96542a500100":         "Cisco VPN 3000",
		"4f4568434a404c425d58407e":                 "FreeS/WAN",
		"4f4568434a404c425d584000":                 "",
		"424e455300000009":                         "Nortel BNES 9",
		"f4ed19e0c114eb516faaac0ee37daf2807b4381f000000010000138a000000000000000018000000": "Check Point VPN-1",
		"0102": "",
		"":     "",
	} {
		require.Equal(t, want, payload.VendorID{Data: unhex(t, wire)}.Name(), wire)
	}
}

func TestNames(t *testing.T) {
	name, value := payload.AttributeName(payload.ProtocolISAKMP, payload.BasicAttribute(payload.AttrEncryption, 5))
	require.Equal(t, "Encryption Algorithm: 3DES-CBC", name+": "+value)
	name, value = payload.AttributeName(payload.ProtocolESP, payload.BasicAttribute(payload.AttrSALifeType, 1))
	require.Equal(t, "SA Life Type: seconds", name+": "+value, "the same number means another class in phase 2")
	name, value = payload.AttributeName(payload.ProtocolESP, payload.LongAttribute(payload.AttrSALifeDuration, 100000))
	require.Equal(t, "SA Life Duration: 100000", name+": "+value)
	name, value = payload.AttributeName(payload.ProtocolISAKMP, payload.Attribute{Type: 99, Value: bytes.Repeat([]byte{1}, 9)})
	require.Equal(t, "attribute 99: 010101010101010101", name+": "+value)
	require.Equal(t, "NO-PROPOSAL-CHOSEN", payload.NotifyNoProposalChosen.String())
	require.Equal(t, "12345", payload.NotifyType(12345).String())
	require.Equal(t, "encryption+commit", (payload.Encrypted | payload.Commit).String())
	require.Equal(t, "none", payload.Flags(0).String())
	require.Equal(t, "quick mode", payload.QuickMode.String())
	require.Equal(t, "exchange 77", payload.Exchange(77).String())
	require.Equal(t, "payload type 133", payload.Type(133).String())
	require.Equal(t, "transaction", payload.Transaction.String())
	name, value = payload.AttributeName(payload.ProtocolISAKMP, payload.Attribute{Type: payload.AttrGSSIdentity, Value: []byte("h\x00o\x00")})
	require.Equal(t, `GSS Identity Name: "ho"`, name+": "+value)
	name, value = payload.AttributeName(payload.ProtocolISAKMP, payload.Attribute{Type: payload.AttrGSSIdentity, Value: []byte("odd")})
	require.Equal(t, "GSS Identity Name: 6f6464", name+": "+value)
	name, value = payload.ConfigAttributeName(payload.Attribute{Type: payload.ConfigIP4Address, Value: []byte{10, 0, 0, 9}})
	require.Equal(t, "INTERNAL_IP4_ADDRESS: 10.0.0.9", name+": "+value)
	name, value = payload.ConfigAttributeName(payload.BasicAttribute(payload.XAUTHStatus, 1))
	require.Equal(t, "XAUTH-STATUS: OK", name+": "+value)
	name, value = payload.ConfigAttributeName(payload.Attribute{Type: payload.XAUTHUserName, Value: []byte("u\xff")})
	require.Equal(t, "XAUTH-USER-NAME: 75ff", name+": "+value, "no text")
	for _, class := range []uint16{payload.XAUTHUserPassword, payload.XAUTHPasscode, payload.XAUTHNextPIN, payload.XAUTHAnswer} {
		_, value = payload.ConfigAttributeName(payload.Attribute{Type: class, Value: []byte("open sesame")})
		require.Equal(t, "not shown", value, class)
		_, value = payload.ConfigAttributeName(payload.BasicAttribute(class, 1234))
		require.Equal(t, "not shown", value, class)
		_, value = payload.ConfigAttributeName(payload.Attribute{Type: class})
		require.Equal(t, `""`, value, "a question for one")
	}
	require.Equal(t, "ESP_AES-GCM_16", payload.TransformName(payload.ProtocolESP, 20))
	require.Equal(t, "AH_SHA", payload.TransformName(payload.ProtocolAH, 3))
	require.Equal(t, "KEY_IKE", payload.TransformName(payload.ProtocolISAKMP, 1))
	_, ok := payload.Attribute{}.Uint()
	require.False(t, ok)
}

// The numbers that two documents took have the meaning of the one that the sender speaks.
func TestAuthMethodNames(t *testing.T) {
	var (
		gss   = payload.VendorID{Data: unhex(t, "621b04bb09882ac1e15935fefa24aeee")}
		xauth = payload.VendorID{Data: unhex(t, "09002689dfd6b712")}
		cga   = payload.VendorID{Data: unhex(t, "e3a5966a76379fe707228231e5ce8652")}
		other = payload.VendorID{Data: []byte("other")}
	)
	for _, row := range []struct {
		method  uint16
		vendors []payload.VendorID
		want    string
	}{
		{payload.AuthPSK, nil, "pre-shared key"},
		{65001, nil, "GSS-API or XAUTHInitPreShared"},
		{65001, []payload.VendorID{other, gss}, "GSS-API"},
		{65001, []payload.VendorID{xauth, other}, "XAUTHInitPreShared"},
		{65001, []payload.VendorID{xauth, gss}, "GSS-API or XAUTHInitPreShared"},
		{65001, []payload.VendorID{cga}, "GSS-API or XAUTHInitPreShared"},
		{65005, []payload.VendorID{gss, cga}, "CGA"},
		{65005, []payload.VendorID{xauth}, "XAUTHInitRSA"},
		{65005, []payload.VendorID{xauth, cga}, "XAUTHInitRSA or CGA"},
		{65002, []payload.VendorID{gss}, "XAUTHRespPreShared"},
		{64221, nil, "HybridInitRSA"},
		{6, nil, "6"},
	} {
		require.Equal(t, row.want, payload.AuthMethodName(row.method, row.vendors), "%d", row.method)
	}
}
