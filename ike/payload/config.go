package payload

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// ConfigType is what the attributes of a configuration message are for,
// draft-dukes-ike-mode-cfg-02, Section 3.2.
type ConfigType uint8

// Configuration message types, draft-dukes-ike-mode-cfg-02, Section 3.2.
const (
	ConfigRequest ConfigType = 1
	ConfigReply   ConfigType = 2
	ConfigSet     ConfigType = 3
	ConfigAck     ConfigType = 4
)

var configTypeNames = map[ConfigType]string{
	ConfigRequest: "ISAKMP_CFG_REQUEST", ConfigReply: "ISAKMP_CFG_REPLY", ConfigSet: "ISAKMP_CFG_SET", ConfigAck: "ISAKMP_CFG_ACK",
}

func (c ConfigType) String() string { return name(configTypeNames, c) }

// Attributes is an Attributes payload of mode config and XAUTH,
// draft-dukes-ike-mode-cfg-02, Section 3.2.
type Attributes struct {
	Config     ConfigType
	Identifier uint16 // of one configuration transaction
	Attributes []Attribute
}

// Type is TypeAttributes.
func (Attributes) Type() Type { return TypeAttributes }

func (a Attributes) appendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, byte(a.Config), 0), a.Identifier)
	return AppendAttributes(dst, a.Attributes)
}

func parseConfig(b []byte) (Attributes, error) {
	s := cryptobyte.String(b)
	var a Attributes
	var reserved uint8
	if !s.ReadUint8((*uint8)(&a.Config)) || !s.ReadUint8(&reserved) || !s.ReadUint16(&a.Identifier) {
		return Attributes{}, errorf(NotifyPayloadMalformed, "attributes cut short")
	}
	if reserved != 0 {
		return Attributes{}, errorf(NotifyPayloadMalformed, "attributes: reserved field is %#x", reserved)
	}
	var err error
	a.Attributes, err = ParseAttributes(s)
	return a, err
}

// Configuration attributes, draft-dukes-ike-mode-cfg-02, Section 3.3; those of
// XAUTH from draft-beaulieu-ike-xauth-02, Section 3.1.
const (
	ConfigIP4Address    uint16 = 1
	ConfigIP4Netmask    uint16 = 2
	ConfigIP4DNS        uint16 = 3
	ConfigIP4NBNS       uint16 = 4
	ConfigAddressExpiry uint16 = 5
	ConfigIP4DHCP       uint16 = 6
	ConfigVersion       uint16 = 7
	ConfigIP6Address    uint16 = 8
	ConfigIP6Netmask    uint16 = 9
	ConfigIP6DNS        uint16 = 10
	ConfigIP6NBNS       uint16 = 11
	ConfigIP6DHCP       uint16 = 12
	ConfigIP4Subnet     uint16 = 13
	ConfigSupported     uint16 = 14
	ConfigIP6Subnet     uint16 = 15
	XAUTHType           uint16 = 16520
	XAUTHUserName       uint16 = 16521
	XAUTHUserPassword   uint16 = 16522
	XAUTHPasscode       uint16 = 16523
	XAUTHMessage        uint16 = 16524
	XAUTHChallenge      uint16 = 16525
	XAUTHDomain         uint16 = 16526
	XAUTHStatus         uint16 = 16527
	XAUTHNextPIN        uint16 = 16528
	XAUTHAnswer         uint16 = 16529
	UnityBanner         uint16 = 28672 // this and the next: Cisco's
	UnitySplitInclude   uint16 = 28676
)

// Values of XAUTH-TYPE and XAUTH-STATUS, draft-beaulieu-ike-xauth-02, Section 3.1.
const (
	XAUTHGeneric uint16 = 0
	XAUTHFail    uint16 = 0
	XAUTHOK      uint16 = 1
)

// configClasses name the attributes, with those of Cisco's Unity as the dissector of Wireshark has them.
var configClasses = classTable{
	ConfigIP4Address: {name: "INTERNAL_IP4_ADDRESS", form: address}, ConfigIP4Netmask: {name: "INTERNAL_IP4_NETMASK", form: address},
	ConfigIP4DNS: {name: "INTERNAL_IP4_DNS", form: address}, ConfigIP4NBNS: {name: "INTERNAL_IP4_NBNS", form: address},
	ConfigAddressExpiry: {name: "INTERNAL_ADDRESS_EXPIRY"}, ConfigIP4DHCP: {name: "INTERNAL_IP4_DHCP", form: address},
	ConfigVersion: {name: "APPLICATION_VERSION", form: text}, ConfigIP6Address: {name: "INTERNAL_IP6_ADDRESS", form: address},
	ConfigIP6Netmask: {name: "INTERNAL_IP6_NETMASK", form: address}, ConfigIP6DNS: {name: "INTERNAL_IP6_DNS", form: address},
	ConfigIP6NBNS: {name: "INTERNAL_IP6_NBNS", form: address}, ConfigIP6DHCP: {name: "INTERNAL_IP6_DHCP", form: address},
	ConfigIP4Subnet: {name: "INTERNAL_IP4_SUBNET", form: octets}, ConfigSupported: {name: "SUPPORTED_ATTRIBUTES", form: octets},
	ConfigIP6Subnet: {name: "INTERNAL_IP6_SUBNET", form: octets},
	XAUTHType:       {name: "XAUTH-TYPE", values: map[uint16]string{0: "Generic", 1: "RADIUS-CHAP", 2: "OTP", 3: "S/KEY"}},
	XAUTHUserName:   {name: "XAUTH-USER-NAME", form: text}, XAUTHUserPassword: {name: "XAUTH-USER-PASSWORD", form: secret},
	XAUTHPasscode: {name: "XAUTH-PASSCODE", form: secret}, XAUTHMessage: {name: "XAUTH-MESSAGE", form: text},
	XAUTHChallenge: {name: "XAUTH-CHALLENGE", form: octets}, XAUTHDomain: {name: "XAUTH-DOMAIN", form: text},
	XAUTHStatus:  {name: "XAUTH-STATUS", values: map[uint16]string{0: "FAIL", 1: "OK"}},
	XAUTHNextPIN: {name: "XAUTH-NEXT-PIN", form: secret}, XAUTHAnswer: {name: "XAUTH-ANSWER", form: secret},
	UnityBanner: {name: "UNITY_BANNER", form: text}, 28673: {name: "UNITY_SAVE_PASSWD"}, 28674: {name: "UNITY_DEF_DOMAIN", form: text},
	28675: {name: "UNITY_SPLIT_DOMAIN", form: text}, UnitySplitInclude: {name: "UNITY_SPLIT_INCLUDE", form: octets},
	28677: {name: "UNITY_NATT_PORT"}, 28678: {name: "UNITY_SPLIT_EXCLUDE", form: octets}, 28679: {name: "UNITY_PFS"},
	28680: {name: "UNITY_FW_TYPE", form: octets}, 28681: {name: "UNITY_BACKUP_SERVERS", form: text}, 28682: {name: "UNITY_DDNS_HOSTNAME", form: text},
}

// ConfigAttributeName is the name of an attribute of mode config or XAUTH, and of its
// value. A request asks with an empty value. What a user proves itself with is not shown.
func ConfigAttributeName(a Attribute) (attribute, value string) { return configClasses.named(a) }
