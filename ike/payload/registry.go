package payload

import "fmt"

// ProtocolID is a security protocol identifier, RFC 2407, Section 4.4.1.
type ProtocolID uint8

// Security protocol identifiers, RFC 2407, Section 4.4.1.
const (
	ProtocolISAKMP ProtocolID = 1
	ProtocolAH     ProtocolID = 2
	ProtocolESP    ProtocolID = 3
	ProtocolIPComp ProtocolID = 4
)

var protocolNames = map[ProtocolID]string{
	ProtocolISAKMP: "PROTO_ISAKMP", ProtocolAH: "PROTO_IPSEC_AH", ProtocolESP: "PROTO_IPSEC_ESP", ProtocolIPComp: "PROTO_IPCOMP",
}

func (p ProtocolID) String() string { return name(protocolNames, p) }

// Transform identifiers, RFC 2407, Section 4.4; ESP ones extended by the RFC named on the row.
const (
	TransformKeyIKE uint8 = 1 // of ISAKMP

	TransformESPDESIV64 uint8 = 1 // RFC 1829 with an IV of 64 bits
	TransformESPDES     uint8 = 2
	TransformESP3DES    uint8 = 3
	TransformESPDESIV32 uint8 = 9 // RFC 1829 with an IV of 32 bits
	TransformESPNull    uint8 = 11
	TransformESPAES     uint8 = 12 // RFC 3602, Section 5.2
	TransformESPCTR     uint8 = 13 // RFC 3686, Section 5.3
	TransformESPCCM8    uint8 = 14 // RFC 4309, Section 7.3
	TransformESPCCM12   uint8 = 15
	TransformESPCCM16   uint8 = 16
	TransformESPGCM8    uint8 = 18 // RFC 4106, Section 8.3
	TransformESPGCM12   uint8 = 19
	TransformESPGCM16   uint8 = 20
	TransformESPGMAC    uint8 = 23 // RFC 4543, Section 9

	TransformAHMD5     uint8 = 2
	TransformAHSHA     uint8 = 3
	TransformAHSHA256  uint8 = 5  // RFC 4868
	TransformAHSHA384  uint8 = 6  // RFC 4868
	TransformAHSHA512  uint8 = 7  // RFC 4868
	TransformAHXCBC    uint8 = 9  // RFC 3566, Section 6
	TransformAHGMAC128 uint8 = 11 // RFC 4543, Section 9
	TransformAHGMAC192 uint8 = 12
	TransformAHGMAC256 uint8 = 13
)

var espNames = map[uint8]string{
	1: "ESP_DES_IV64", 2: "ESP_DES", 3: "ESP_3DES", 4: "ESP_RC5", 5: "ESP_IDEA", 6: "ESP_CAST", 7: "ESP_BLOWFISH", 8: "ESP_3IDEA",
	9: "ESP_DES_IV32", 10: "ESP_RC4", 11: "ESP_NULL", 12: "ESP_AES-CBC", 13: "ESP_AES-CTR", 14: "ESP_AES-CCM_8", 15: "ESP_AES-CCM_12",
	16: "ESP_AES-CCM_16", 18: "ESP_AES-GCM_8", 19: "ESP_AES-GCM_12", 20: "ESP_AES-GCM_16", 22: "ESP_CAMELLIA", 23: "ESP_NULL_AUTH_AES-GMAC",
}

var ahNames = map[uint8]string{
	2: "AH_MD5", 3: "AH_SHA", 4: "AH_DES", 5: "AH_SHA2-256", 6: "AH_SHA2-384", 7: "AH_SHA2-512", 8: "AH_RIPEMD", 9: "AH_AES-XCBC-MAC",
	11: "AH_AES-128-GMAC", 12: "AH_AES-192-GMAC", 13: "AH_AES-256-GMAC",
}

// TransformName is the registered name of a transform under a protocol, or its number.
func TransformName(p ProtocolID, id uint8) string {
	switch p {
	case ProtocolISAKMP:
		return name(map[uint8]string{TransformKeyIKE: "KEY_IKE"}, id)
	case ProtocolAH:
		return name(ahNames, id)
	case ProtocolESP:
		return name(espNames, id)
	}
	return fmt.Sprint(id)
}

// Attribute classes of phase 1, RFC 2409, Appendix A.
const (
	AttrEncryption   uint16 = 1
	AttrHash         uint16 = 2
	AttrAuthMethod   uint16 = 3
	AttrGroup        uint16 = 4
	AttrGroupType    uint16 = 5
	AttrGroupPrime   uint16 = 6 // or irreducible polynomial; 6 to 10 and 16 are for new group mode
	AttrGenerator1   uint16 = 7
	AttrGenerator2   uint16 = 8
	AttrCurveA       uint16 = 9
	AttrCurveB       uint16 = 10
	AttrLifeType     uint16 = 11
	AttrLifeDuration uint16 = 12
	AttrPRF          uint16 = 13
	AttrKeyLength    uint16 = 14
	AttrFieldSize    uint16 = 15
	AttrGroupOrder   uint16 = 16
	AttrGSSIdentity  uint16 = 16384 // draft-ietf-ipsec-isakmp-gss-auth-07: UTF-16LE
)

// Values of the phase 1 classes, RFC 2409, Appendix A; those of AES from RFC 3602, of SHA-2 from RFC 4868.
const (
	EncryptionDES  uint16 = 1
	Encryption3DES uint16 = 5
	EncryptionAES  uint16 = 7
	HashMD5        uint16 = 1
	HashSHA1       uint16 = 2
	HashSHA256     uint16 = 4
	HashSHA384     uint16 = 5
	HashSHA512     uint16 = 6
	GroupMODP      uint16 = 1
)

// Attribute classes of the IPsec DOI, RFC 2407, Section 4.5.
const (
	AttrSALifeType     uint16 = 1
	AttrSALifeDuration uint16 = 2
	AttrSAGroup        uint16 = 3
	AttrEncapsulation  uint16 = 4
	AttrAuth           uint16 = 5
	AttrSAKeyLength    uint16 = 6
	AttrSAESN          uint16 = 11 // RFC 4304
)

// Values of the IPsec DOI classes, RFC 2407, Section 4.5; SHA-2 from RFC 4868.
// An authentication algorithm has another number here than as an AH transform.
// The values of Life Type are the same in phase 1.
const (
	LifeSeconds   uint16 = 1
	LifeKilobytes uint16 = 2

	// Those for transport mode follow them.
	EncapsulationTunnel         uint16 = 1
	EncapsulationUDPTunnel      uint16 = 3     // RFC 3947, Section 5.1
	EncapsulationUDPTunnelDraft uint16 = 61443 // draft-ietf-ipsec-nat-t-ike-00 to -03

	AuthHMACMD5    uint16 = 1
	AuthHMACSHA1   uint16 = 2
	AuthKPDK       uint16 = 4
	AuthHMACSHA256 uint16 = 5
	AuthHMACSHA384 uint16 = 6
	AuthHMACSHA512 uint16 = 7
	AuthXCBC       uint16 = 9  // RFC 3566, Section 6
	AuthGMAC128    uint16 = 11 // RFC 4543, Section 9
	AuthGMAC192    uint16 = 12
	AuthGMAC256    uint16 = 13
	ESN64          uint16 = 1 // RFC 4304
)

var groupNames = map[uint16]string{
	1: "default 768-bit MODP group", 2: "alternate 1024-bit MODP group", 3: "EC2N group on GP[2^155]", 4: "EC2N group on GP[2^185]",
	5: "1536-bit MODP group", 14: "2048-bit MODP group", 15: "3072-bit MODP group", 16: "4096-bit MODP group", 17: "6144-bit MODP group",
	18: "8192-bit MODP group", 19: "256-bit random ECP group", 20: "384-bit random ECP group", 21: "521-bit random ECP group",
}

var lifeNames = map[uint16]string{LifeSeconds: "seconds", LifeKilobytes: "kilobytes"}

var phase1Classes = classTable{
	AttrEncryption: {name: "Encryption Algorithm", values: map[uint16]string{1: "DES-CBC", 2: "IDEA-CBC", 3: "Blowfish-CBC", 4: "RC5-R16-B64-CBC",
		5: "3DES-CBC", 6: "CAST-CBC", 7: "AES-CBC", 8: "CAMELLIA-CBC"}},
	AttrHash:         {name: "Hash Algorithm", values: map[uint16]string{1: "MD5", 2: "SHA", 3: "Tiger", 4: "SHA2-256", 5: "SHA2-384", 6: "SHA2-512"}},
	AttrAuthMethod:   {name: "Authentication Method", values: authNames},
	AttrGroup:        {name: "Group Description", values: groupNames},
	AttrGroupType:    {name: "Group Type", values: map[uint16]string{1: "MODP", 2: "ECP", 3: "EC2N"}},
	AttrGroupPrime:   {name: "Group Prime/Irreducible Polynomial", form: octets},
	AttrGenerator1:   {name: "Group Generator One", form: octets},
	AttrGenerator2:   {name: "Group Generator Two", form: octets},
	AttrCurveA:       {name: "Group Curve A", form: octets},
	AttrCurveB:       {name: "Group Curve B", form: octets},
	AttrLifeType:     {name: "Life Type", values: lifeNames},
	AttrLifeDuration: {name: "Life Duration"},
	AttrPRF:          {name: "PRF"},
	AttrKeyLength:    {name: "Key Length"},
	AttrFieldSize:    {name: "Field Size"},
	AttrGroupOrder:   {name: "Group Order", form: octets},
	AttrGSSIdentity:  {name: "GSS Identity Name", form: utf16LE},
}

var phase2Classes = classTable{
	AttrSALifeType:     {name: "SA Life Type", values: lifeNames},
	AttrSALifeDuration: {name: "SA Life Duration"},
	AttrSAGroup:        {name: "Group Description", values: groupNames},
	AttrEncapsulation: {name: "Encapsulation Mode", values: map[uint16]string{1: "Tunnel", 2: "Transport", 3: "UDP-Encapsulated-Tunnel",
		4: "UDP-Encapsulated-Transport", 61440: "Check Point UDP encapsulation", 61443: "UDP-Encapsulated-Tunnel (draft)", 61444: "UDP-Encapsulated-Transport (draft)"}},
	AttrAuth: {name: "Authentication Algorithm", values: map[uint16]string{1: "HMAC-MD5", 2: "HMAC-SHA", 3: "DES-MAC", 4: "KPDK", 5: "HMAC-SHA2-256",
		6: "HMAC-SHA2-384", 7: "HMAC-SHA2-512", 8: "HMAC-RIPEMD", 9: "AES-XCBC-MAC", 11: "AES-128-GMAC",
		12: "AES-192-GMAC", 13: "AES-256-GMAC"}},
	AttrSAKeyLength: {name: "Key Length"},
	7:               {name: "Key Rounds"},
	8:               {name: "Compress Dictionary Size"},
	9:               {name: "Compress Private Algorithm"},
	10:              {name: "ECN Tunnel", values: map[uint16]string{1: "Allowed", 2: "Forbidden"}},
	AttrSAESN:       {name: "Extended (64-bit) Sequence Number", values: map[uint16]string{1: "64-bit"}},
}
