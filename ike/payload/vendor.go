package payload

import (
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

// knownVendors are matched by how the data starts: some vendors append a version or capabilities.
// MS-IKEE, product note 6, unless the row names another source.
var knownVendors = []struct{ prefix, name string }{
	{"1e2b516905991c7d7c96fcbfb587e461", "MS NT5 ISAKMPOAKLEY"},
	{"621b04bb09882ac1e15935fefa24aeee", "GSSAPI"},
	{"4048b7d56ebce88525e7de7f00d6c2d3", "FRAGMENTATION"},
	{"90cb80913ebb696e086381b5ec427b1f", "draft-ietf-ipsec-nat-t-ike-02\\n"},
	{"4a131c81070358455c5728f20e95452f", "RFC 3947"},
	{"26244d38eddb61b3172a36e3d0cfb819", "Vid-Initial-Contact"},
	{"72872b95fcda2eb708efe322119b4971", "NLBS_PRESENT"},
	{"e3a5966a76379fe707228231e5ce8652", "IKE CGA version 1"},
	{"fb1de3cdf341b7ea16b7e5be0855f120", "MS-Negotiation Discovery Capable"},
	{"214ca4faffa7f32d6748e5303395ae83", "MS-MamieExists"},
	{"01528bbbc00696121849ab9a1c5b2a51", "KEY_MODS"},
	{"7bb93867d76c8d80df0f40fae8fc3b19", "AUTHIP_INIT_KE_DH_GROUP"},
	{"09002689dfd6b712", "XAUTH"},                                                         // draft-ietf-ipsec-isakmp-xauth-06
	{"afcad71368a1f1c96b8696fc7757", "Dead Peer Detection"},                               // RFC 3706, Section 5.1
	{"7003cbc1097dbe9c2600ba6983bc8b35", "KAME/racoon"},                                   // ike-scan 1.9.5
	{"ad2c0dd0b9c32083ccba25b8861ec455", "A GSS-API Authentication Method for IKE"},       // seen on the wire
	{"b46d8914f3aaa3f2fedeb7c7db2943ca", "A GSS-API Authentication Method for IKE (\\n)"}, // seen on the wire
}

// Name is what the vendor ID stands for, with the number that some of them carry; "" when it is not known.
func (v VendorID) Name() string {
	h := hex.EncodeToString(v.Data)
	for _, k := range knownVendors {
		rest, ok := strings.CutPrefix(h, k.prefix)
		if !ok {
			continue
		}
		if len(rest) == 8 {
			return fmt.Sprintf("%s %d", k.name, binary.BigEndian.Uint32(v.Data[len(v.Data)-4:]))
		}
		return k.name
	}
	return ""
}
