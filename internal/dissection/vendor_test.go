package dissection_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// vendorIDs are known to the codec. theirs are the dissector's words, "" where it does not know it.
var vendorIDs = []struct{ id, ours, theirs string }{
	{"1e2b516905991c7d7c96fcbfb587e46100000004", "MS NT5 ISAKMPOAKLEY 4", "MS NT5 ISAKMPOAKLEY"},
	{"621b04bb09882ac1e15935fefa24aeee", "GSSAPI", "GSSAPI"},
	{"4048b7d56ebce88525e7de7f00d6c2d3", "FRAGMENTATION", "Cisco Fragmentation"},
	{"4048b7d56ebce88525e7de7f00d6c2d380000000", "FRAGMENTATION 2147483648", "Cisco Fragmentation"},
	{"4485152d18b6bbcd0be8a8469579ddcc", "draft-ietf-ipsec-nat-t-ike-00", "draft-ietf-ipsec-nat-t-ike-00"},
	{"16f6ca16e4a4066d83821a0f0aeaa862", "draft-ietf-ipsec-nat-t-ike-01", "draft-ietf-ipsec-nat-t-ike-01"},
	{"cd60464335df21f87cfdb2fc68b6a448", "draft-ietf-ipsec-nat-t-ike-02", "draft-ietf-ipsec-nat-t-ike-02"},
	{"90cb80913ebb696e086381b5ec427b1f", "draft-ietf-ipsec-nat-t-ike-02\\n", "draft-ietf-ipsec-nat-t-ike-02\\n"},
	{"7d9419a65310ca6f2c179d9215529d56", "draft-ietf-ipsec-nat-t-ike-03", "draft-ietf-ipsec-nat-t-ike-03"},
	{"4df37928e9fc4fd1b3262170d515c662", "draft-ietf-ipsec-nat-t-ike", "draft-ietf-ipsec-nat-t-ike"},
	{"4a131c81070358455c5728f20e95452f", "RFC 3947", "RFC 3947 Negotiation of NAT-Traversal in the IKE"},
	{"26244d38eddb61b3172a36e3d0cfb819", "Vid-Initial-Contact", "Microsoft Vid-Initial-Contact"},
	{"72872b95fcda2eb708efe322119b4971", "NLBS_PRESENT", ""},
	{"e3a5966a76379fe707228231e5ce8652", "IKE CGA version 1", "IKE CGA Version 1"},
	{"fb1de3cdf341b7ea16b7e5be0855f120", "MS-Negotiation Discovery Capable", "MS-Negotiation Discovery Capable"},
	{"214ca4faffa7f32d6748e5303395ae83", "MS-MamieExists", ""},
	{"01528bbbc00696121849ab9a1c5b2a5100000002", "KEY_MODS 2", ""},
	{"7bb93867d76c8d80df0f40fae8fc3b1900000002", "AUTHIP_INIT_KE_DH_GROUP 2", ""},
	{"09002689dfd6b712", "XAUTH", "XAUTH"},
	{"afcad71368a1f1c96b8696fc77570100", "Dead Peer Detection", "RFC 3706 DPD (Dead Peer Detection)"},
	{"7003cbc1097dbe9c2600ba6983bc8b35", "KAME/racoon", "KAME/racoon"},
	{"12f5f28c457168a9702d9fe274cc0100", "Cisco Unity", "CISCO-UNITY"},
	{"1f07f70eaa6514d3b0fa96542a500100", "Cisco VPN 3000", "CISCO-CONCENTRATOR"},
	{"f6f7efc7f5aeb8cb158cb9d094ba69e7", "Cisco VPN client", ""},
	{"f4ed19e0c114eb516faaac0ee37daf2807b4381f000000010000138a000000000000000018000000", "Check Point VPN-1", "CryptoPro/GOST 0.1 / Check Point R65"},
	{"4865617274426561745f4e6f74696679386b0100", "HeartBeat_Notify 946536704", "Heartbeat Notify"},
	{"699369228741c6d4ca094c93e242c9de19e7b7c60000000500000500", "NetScreen", "Netscreen-6"},
	{"5b362bc820f60001", "SonicWALL", ""},
	{"404bf439522ca3f6", "SonicWALL", "SonicWALL"},
	{"da8e937880010000", "SonicWALL", ""},
	{"424e455300000009", "Nortel BNES 9", ""},
	{"882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan", "strongSwan"},
	{"ad2c0dd0b9c32083ccba25b8861ec455", "A GSS-API Authentication Method for IKE", "A GSS-API Authentication Method for IKE"},
	{"b46d8914f3aaa3f2fedeb7c7db2943ca", "A GSS-API Authentication Method for IKE (\\n)", "A GSS-API Authentication Method for IKE"},
}

// The dissector knows vendor IDs as the codec does.
func TestVendorNamesAgree(t *testing.T) {
	var messages [][]byte
	for _, row := range vendorIDs {
		b, err := hex.DecodeString(row.id)
		require.NoError(t, err)
		v := payload.VendorID{Data: b}
		require.Equal(t, row.ours, v.Name(), row.id)
		messages = append(messages, message(payload.MainMode, v))
	}
	for i, f := range dissect(t, messages) {
		want := vendorIDs[i].theirs
		if want == "" {
			want = "Unknown Vendor ID"
		}
		require.Equal(t, want, textOf(f, "isakmp.vid_bytes: "), vendorIDs[i].ours)
	}
}
