package payload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/crypto/cryptobyte"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// IDType is an identification type, RFC 2407, Section 4.6.2.1.
type IDType uint8

// Identification types of RFC 2407, Section 4.6.2.1.
const (
	IDIPv4       IDType = 1
	IDFQDN       IDType = 2
	IDUserFQDN   IDType = 3
	IDIPv4Subnet IDType = 4
	IDIPv6       IDType = 5
	IDIPv6Subnet IDType = 6
	IDIPv4Range  IDType = 7
	IDIPv6Range  IDType = 8
	IDDERDN      IDType = 9
	IDDERGN      IDType = 10
	IDKeyID      IDType = 11
	IDList       IDType = 12   // RFC 3554, Section 3
	IDIPv6CGA    IDType = 0xfa // MS-IKEE, 2.2.5
)

var idNames = map[IDType]string{
	IDIPv4: "ID_IPV4_ADDR", IDFQDN: "ID_FQDN", IDUserFQDN: "ID_USER_FQDN", IDIPv4Subnet: "ID_IPV4_ADDR_SUBNET",
	IDIPv6: "ID_IPV6_ADDR", IDIPv6Subnet: "ID_IPV6_ADDR_SUBNET", IDIPv4Range: "ID_IPV4_ADDR_RANGE",
	IDIPv6Range: "ID_IPV6_ADDR_RANGE", IDDERDN: "ID_DER_ASN1_DN", IDDERGN: "ID_DER_ASN1_GN", IDKeyID: "ID_KEY_ID",
	IDList: "ID_LIST", IDIPv6CGA: "ID_IPV6_CGA",
}

func (t IDType) String() string { return name(idNames, t) }

// ID is an Identification payload, RFC 2407, Section 4.6.2.
type ID struct {
	IDType   IDType
	Protocol uint8  // IP protocol, 0 for any
	Port     uint16 // 0 for any
	Data     []byte
}

// Type is TypeID.
func (ID) Type() Type { return TypeID }

func (id ID) appendBody(dst []byte) []byte {
	dst = append(dst, byte(id.IDType), id.Protocol)
	dst = binary.BigEndian.AppendUint16(dst, id.Port)
	return append(dst, id.Data...)
}

// ParseID reads the body of an Identification payload, which an exchange may have encrypted by itself.
func ParseID(b []byte) (ID, error) {
	s := cryptobyte.String(b)
	var id ID
	if !s.ReadUint8((*uint8)(&id.IDType)) || !s.ReadUint8(&id.Protocol) || !s.ReadUint16(&id.Port) {
		return ID{}, errorf(NotifyPayloadMalformed, "identification cut short")
	}
	id.Data = s
	want, fixed := map[IDType]int{IDIPv4: 4, IDIPv4Subnet: 8, IDIPv4Range: 8, IDIPv6: 16, IDIPv6Subnet: 32, IDIPv6Range: 32}[id.IDType]
	if fixed && len(id.Data) != want {
		return ID{}, errorf(NotifyInvalidIDInformation, "%v with %d bytes, not %d", id.IDType, len(id.Data), want)
	}
	return id, nil
}

// SelectorID is the identification of the addresses in p with a protocol and a
// port, as quick mode names its traffic. p is valid.
func SelectorID(p netip.Prefix, proto uint8, port uint16) ID {
	id := ID{IDType: IDIPv4, Protocol: proto, Port: port, Data: p.Addr().AsSlice()}
	if p.Addr().Is6() {
		id.IDType = IDIPv6
	}
	if p.IsSingleIP() {
		return id
	}
	id.Data = p.Masked().Addr().AsSlice()
	id.IDType += IDIPv4Subnet - IDIPv4
	if p.Addr().Is6() {
		id.IDType = IDIPv6Subnet
	}
	mask := make([]byte, len(id.Data))
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	id.Data = append(id.Data, mask...)
	return id
}

// Prefix is the set of addresses that an address or subnet identification names.
func (id ID) Prefix() (netip.Prefix, error) {
	switch id.IDType {
	case IDIPv4, IDIPv6:
		if a, ok := netip.AddrFromSlice(id.Data); ok {
			return ipsec.Host(a), nil
		}
	case IDIPv4Subnet, IDIPv6Subnet:
		half := len(id.Data) / 2
		a, ok := netip.AddrFromSlice(id.Data[:half])
		bits, contiguous := maskBits(id.Data[half:])
		if ok && contiguous {
			return netip.PrefixFrom(a, bits).Masked(), nil
		}
	}
	return netip.Prefix{}, errorf(NotifyInvalidIDInformation, "%v is not an address or a subnet", id)
}

func maskBits(mask []byte) (bits int, ok bool) {
	for bits < 8*len(mask) && mask[bits/8]&(0x80>>(bits%8)) != 0 {
		bits++
	}
	for i := bits; i < 8*len(mask); i++ {
		if mask[i/8]&(0x80>>(i%8)) != 0 {
			return 0, false
		}
	}
	return bits, true
}

func (id ID) String() string {
	var b strings.Builder
	switch id.IDType {
	case IDIPv4, IDIPv6, IDIPv4Subnet, IDIPv6Subnet:
		half := len(id.Data)
		if id.IDType == IDIPv4Subnet || id.IDType == IDIPv6Subnet {
			half /= 2
		}
		a, _ := netip.AddrFromSlice(id.Data[:half])
		b.WriteString(a.String())
		if m, ok := netip.AddrFromSlice(id.Data[half:]); ok {
			b.WriteString("/" + m.String())
		}
	case IDFQDN, IDUserFQDN:
		fmt.Fprintf(&b, "%q", id.Data)
	case IDKeyID:
		if printable(id.Data) {
			fmt.Fprintf(&b, "%v %q", id.IDType, id.Data) // the name of a group, as clients of Cisco have it
			break
		}
		fallthrough
	default:
		fmt.Fprintf(&b, "%v %x", id.IDType, id.Data)
	}
	if id.Protocol != 0 {
		b.WriteString(" " + ipsec.ProtoName(id.Protocol))
	}
	if id.Port != 0 {
		fmt.Fprintf(&b, " port %d", id.Port)
	}
	return b.String()
}

func printable(b []byte) bool {
	return len(b) > 0 && !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' })
}
