package payload

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// VendorID is a Vendor ID payload, RFC 2408, Section 3.16.
type VendorID struct{ Data []byte }

// Type is TypeVendorID.
func (VendorID) Type() Type                     { return TypeVendorID }
func (v VendorID) appendBody(dst []byte) []byte { return append(dst, v.Data...) }

// Vendor IDs, by what they stand for, that the meaning of a message depends on, or what is said to a peer.
const (
	VendorMicrosoft     = "MS NT5 ISAKMPOAKLEY"
	VendorGSSAPI        = "GSSAPI"
	VendorFragmentation = "FRAGMENTATION"
	VendorXAUTH         = "XAUTH"
	VendorDPD           = "Dead Peer Detection"
	VendorCGA           = "IKE CGA version 1"
)

// knownVendors are matched by how the data starts: some vendors append a version or capabilities.
// MS-IKEE, product note 6, unless the row names another source.
var knownVendors = []struct{ prefix, name string }{
	{"1e2b516905991c7d7c96fcbfb587e461", VendorMicrosoft},
	{"621b04bb09882ac1e15935fefa24aeee", VendorGSSAPI},
	{"4048b7d56ebce88525e7de7f00d6c2d3", VendorFragmentation},
	{"4485152d18b6bbcd0be8a8469579ddcc", "draft-ietf-ipsec-nat-t-ike-00"}, // this and the next four: MD5 of the name
	{"16f6ca16e4a4066d83821a0f0aeaa862", "draft-ietf-ipsec-nat-t-ike-01"},
	{"cd60464335df21f87cfdb2fc68b6a448", "draft-ietf-ipsec-nat-t-ike-02"},
	{"90cb80913ebb696e086381b5ec427b1f", "draft-ietf-ipsec-nat-t-ike-02\\n"},
	{"7d9419a65310ca6f2c179d9215529d56", "draft-ietf-ipsec-nat-t-ike-03"},
	{"4df37928e9fc4fd1b3262170d515c662", "draft-ietf-ipsec-nat-t-ike"}, // Mac OS X; ike-scan 1.9.5
	{"4a131c81070358455c5728f20e95452f", "RFC 3947"},
	{"26244d38eddb61b3172a36e3d0cfb819", "Vid-Initial-Contact"},
	{"72872b95fcda2eb708efe322119b4971", "NLBS_PRESENT"},
	{"e3a5966a76379fe707228231e5ce8652", VendorCGA},
	{"fb1de3cdf341b7ea16b7e5be0855f120", "MS-Negotiation Discovery Capable"},
	{"214ca4faffa7f32d6748e5303395ae83", "MS-MamieExists"},
	{"01528bbbc00696121849ab9a1c5b2a51", "KEY_MODS"},
	{"7bb93867d76c8d80df0f40fae8fc3b19", "AUTHIP_INIT_KE_DH_GROUP"},
	{"09002689dfd6b712", VendorXAUTH},                                 // draft-beaulieu-ike-xauth-02; MD5 of draft-ietf-ipsra-isakmp-xauth-06.txt, cut to 8 bytes
	{"afcad71368a1f1c96b8696fc7757", VendorDPD},                       // RFC 3706, Section 5.1; the version follows
	{"7003cbc1097dbe9c2600ba6983bc8b35", "KAME/racoon"},               // this and the next: ike-scan 1.9.5
	{"12f5f28c457168a9702d9fe274cc", "Cisco Unity"},                   // the version follows
	{"1f07f70eaa6514d3b0fa96542a50", "Cisco VPN 3000"},                // the version follows
	{"f6f7efc7f5aeb8cb158cb9d094ba69e7", "Cisco VPN client"},          // likewise the rest
	{"f4ed19e0c114eb516faaac0ee37daf2807b4381f", "Check Point VPN-1"}, // 20 bytes of versions and flags follow
	{"4865617274426561745f4e6f74696679", "HeartBeat_Notify"},          // NetScreen
	{"69936922", "NetScreen"},                                         // a version of 24 bytes follows
	{"2a2bcac19b8e91b426107807e02e7249569d6fd3", "NetScreen"},         // NS-5GT with ScreenOS 5.1.0r1.0; 8 bytes follow
	{"5b362bc820f6", "SonicWALL"},
	{"404bf439522ca3f6", "SonicWALL"},
	{"da8e937880010000", "SonicWALL"},
	{"424e4553", "Nortel BNES"},                                                           // the version follows
	{"882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan"},                                    // MD5 of the name
	{"ad2c0dd0b9c32083ccba25b8861ec455", "A GSS-API Authentication Method for IKE"},       // seen on the wire
	{"b46d8914f3aaa3f2fedeb7c7db2943ca", "A GSS-API Authentication Method for IKE (\\n)"}, // seen on the wire
}

// Vendor is what the vendor ID stands for, and the bytes behind what names it; "" when it is not known.
func (v VendorID) Vendor() (name string, rest []byte) {
	h := hex.EncodeToString(v.Data)
	for _, k := range knownVendors {
		if strings.HasPrefix(h, k.prefix) {
			return k.name, v.Data[len(k.prefix)/2:]
		}
	}
	// FreeS/WAN and Openswan send these two and ten printable characters of a hash; ike-scan 1.9.5.
	if rest, ok := bytes.CutPrefix(v.Data, []byte("OE")); ok && len(rest) == 10 && !bytes.ContainsFunc(rest, unprintable) {
		return "FreeS/WAN", rest
	}
	return "", nil
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// Name is what the vendor ID stands for, with the number that some of them carry; "" when it is not known.
func (v VendorID) Name() string {
	n, rest := v.Vendor()
	if len(rest) == 4 {
		return fmt.Sprintf("%s %d", n, binary.BigEndian.Uint32(rest))
	}
	return n
}
