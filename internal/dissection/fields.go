package dissection

import (
	"encoding/hex"
	"net/netip"
	"strconv"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// field is how the dissector shows the value of an attribute.
type field struct {
	name string
	form func(payload.Attribute) string
}

func asNumber(a payload.Attribute) string {
	v, _ := a.Uint()
	return strconv.FormatUint(v, 10)
}

func asOctets(a payload.Attribute) string { return hex.EncodeToString(a.Value) }
func asText(a payload.Attribute) string   { return string(a.Value) }

func asAddress(a payload.Attribute) string {
	ip, _ := netip.AddrFromSlice(a.Value)
	return ip.String()
}

// valueFields are the dissector's names for the values of attributes, by the name of their class.
var valueFields = map[string]map[uint16]field{
	"isakmp.ike.attr": {
		payload.AttrEncryption: {"encryption_algorithm", asNumber}, payload.AttrHash: {"hash_algorithm", asNumber},
		payload.AttrAuthMethod: {"authentication_method", asNumber}, payload.AttrGroup: {"group_description", asNumber},
		payload.AttrGroupType: {"group_type", asNumber}, payload.AttrGroupPrime: {"group_prime", asOctets},
		payload.AttrGenerator1: {"group_generator_one", asOctets}, payload.AttrGenerator2: {"group_generator_two", asOctets},
		payload.AttrCurveA: {"group_curve_a", asOctets}, payload.AttrCurveB: {"group_curve_b", asOctets},
		payload.AttrLifeType: {"life_type", asNumber}, payload.AttrLifeDuration: {"life_duration", asNumber},
		payload.AttrPRF: {"prf", asOctets}, payload.AttrKeyLength: {"key_length", asNumber}, payload.AttrFieldSize: {"field_size", asOctets},
		payload.AttrGroupOrder: {"group_order", asOctets},
	},
	"isakmp.notify.data.resp_lifetime.ike.attr": {
		payload.AttrLifeType: {"life_type", asNumber}, payload.AttrLifeDuration: {"life_duration", asNumber},
	},
	"isakmp.notify.data.resp_lifetime.ipsec.attr": {
		payload.AttrSALifeType: {"life_type", asNumber}, payload.AttrSALifeDuration: {"life_duration", asNumber},
	},
	"isakmp.ipsec.attr": {
		payload.AttrSALifeType: {"life_type", asNumber}, payload.AttrSALifeDuration: {"life_duration", asNumber},
		payload.AttrSAGroup: {"group_description", asNumber}, payload.AttrEncapsulation: {"encap_mode", asNumber},
		payload.AttrAuth: {"auth_algorithm", asNumber}, payload.AttrSAKeyLength: {"key_length", asNumber},
		7: {"key_rounds", asNumber}, 8: {"cmpr_dict_size", asNumber}, 9: {"cmpr_algorithm", asOctets},
		10: {"ecn_tunnel", asNumber}, 11: {"ext_seq_nbr", asNumber},
	},
	"isakmp.cfg.attr": {
		payload.ConfigIP4Address: {"internal_ip4_address", asAddress}, payload.ConfigIP4Netmask: {"internal_ip4_netmask", asAddress},
		payload.ConfigIP4DNS: {"internal_ip4_dns", asAddress}, payload.ConfigIP4NBNS: {"internal_ip4_nbns", asAddress},
		payload.ConfigAddressExpiry: {"internal_address_expiry", asNumber}, payload.ConfigIP4DHCP: {"internal_ip4_dhcp", asAddress},
		payload.ConfigVersion: {"application_version", asText}, payload.ConfigIP6DNS: {"internal_ip6_dns", asAddress},
		payload.ConfigIP6Netmask: {"internal_ip6_netmask", asAddress}, payload.ConfigIP6NBNS: {"internal_ip6_nbns", asAddress},
		payload.ConfigIP6DHCP: {"internal_ip6_dhcp", asAddress},
		payload.XAUTHType:     {"xauth.type", asNumber}, payload.XAUTHUserName: {"xauth.user_name", asText},
		payload.XAUTHUserPassword: {"xauth.user_password", asText}, payload.XAUTHPasscode: {"xauth.passcode", asText},
		payload.XAUTHMessage: {"xauth.message", asText}, payload.XAUTHChallenge: {"xauth.challenge", asText},
		payload.XAUTHDomain: {"xauth.domain", asText}, payload.XAUTHStatus: {"xauth.status", asNumber},
		payload.XAUTHNextPIN: {"xauth.next_pin", asText}, payload.XAUTHAnswer: {"xauth.answer", asText},
		28672: {"unity.banner", asText}, 28674: {"unity.def_domain", asText},
	},
}

// value writes the fields into which the dissector takes the value of an attribute, if any.
func (w *writer) value(class string, a payload.Attribute) {
	switch f, ok := valueFields[class][a.Type]; {
	case class == "isakmp.cfg.attr" && a.Type == payload.ConfigIP4Subnet && len(a.Value) == 8:
		w.put(class+".internal_ip4_subnet_ip", asAddress(payload.Attribute{Value: a.Value[:4]}))
		w.put(class+".internal_ip4_subnet_netmask", asAddress(payload.Attribute{Value: a.Value[4:]}))
	case class == "isakmp.cfg.attr" && a.Type == payload.ConfigIP6Subnet && len(a.Value) == 17:
		w.put(class+".internal_ip6_subnet_ip", asAddress(payload.Attribute{Value: a.Value[:16]}))
		w.number(class+".internal_ip6_subnet_prefix", uint64(a.Value[16]))
	case class == "isakmp.cfg.attr" && a.Type == payload.ConfigSupported:
		for b := a.Value; len(b) >= 2; b = b[2:] {
			w.number(class+".supported_attributes", uint64(b[0])<<8|uint64(b[1]))
		}
	case f.name == "life_duration" && len(a.Value) > 4:
		w.put(class+".life_duration64", asNumber(a))
	case ok:
		w.put(class+"."+f.name, f.form(a))
	}
}

// idFields are the dissector's names for what is in an identification.
var idFields = map[payload.IDType][]string{
	payload.IDIPv4: {"ipv4_addr"}, payload.IDFQDN: {"fqdn"}, payload.IDUserFQDN: {"user_fqdn"}, payload.IDIPv4Subnet: {"ipv4_addr", "ipv4_subnet"},
	payload.IDIPv6: {"ipv6_addr"}, payload.IDIPv6Subnet: {"ipv6_addr", "ipv6_subnet"}, payload.IDIPv4Range: {"ipv4_range_start", "ipv4_range_end"},
	payload.IDIPv6Range: {"ipv6_range_start", "ipv6_range_end"}, payload.IDKeyID: {"key_id"},
}

func idText(t payload.IDType, part []byte) string {
	switch t {
	case payload.IDFQDN, payload.IDUserFQDN:
		return string(part)
	case payload.IDKeyID:
		return hex.EncodeToString(part)
	}
	return asAddress(payload.Attribute{Value: part})
}
