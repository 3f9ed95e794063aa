package dhcp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// The UDP ports, RFC 2131, Section 4.1.
const (
	ServerPort = 67
	ClientPort = 68
)

// MAC is an Ethernet address.
type MAC = [6]byte

var (
	nobody    = netip.IPv4Unspecified()
	everybody = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// parse reads a message of the kind that a client sends, or a server: op tells.
func parse(b []byte, op dhcpv4.OpcodeType) (*dhcpv4.DHCPv4, error) {
	m, err := dhcpv4.FromBytes(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("dhcp: %w", err)
	case m.OpCode != op:
		return nil, fmt.Errorf("dhcp: a %s where a %s was to come", m.OpCode, op)
	case m.HWType != iana.HWTypeEthernet || len(m.ClientHWAddr) != 6:
		return nil, fmt.Errorf("dhcp: the client has no Ethernet address")
	}
	return m, nil
}

// message is a message with nothing but its type.
func message(op dhcpv4.OpcodeType, xid dhcpv4.TransactionID, client MAC, t dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{OpCode: op, HWType: iana.HWTypeEthernet, TransactionID: xid, ClientHWAddr: client[:], Options: dhcpv4.Options{}}
	m.UpdateOption(dhcpv4.OptMessageType(t))
	return m
}

// addrOf is an address of the header; 0.0.0.0 when there is none.
func addrOf(b []byte) netip.Addr {
	if a, ok := netip.AddrFromSlice(b); ok {
		return a.Unmap()
	}
	return nobody
}

// addrs reads an option that lists addresses (RFC 2132, Section 2). Those that no
// host can have are left out, and so is what is no list.
func addrs(m *dhcpv4.DHCPv4, code dhcpv4.OptionCode) (all []netip.Addr) {
	b := m.GetOneOption(code)
	if len(b)%4 != 0 {
		return nil
	}
	for ; len(b) > 0; b = b[4:] {
		if a := netip.AddrFrom4([4]byte(b)); unicast(a) {
			all = append(all, a)
		}
	}
	return all
}

// addr is the first address of an option; invalid when there is none.
func addr(m *dhcpv4.DHCPv4, code dhcpv4.OptionCode) (a netip.Addr) {
	if all := addrs(m, code); len(all) > 0 {
		return all[0]
	}
	return a
}

// setAddrs writes an option that lists addresses; none leaves it out.
func setAddrs(m *dhcpv4.DHCPv4, code dhcpv4.OptionCode, all ...netip.Addr) {
	var b []byte
	for _, a := range all {
		b = append(b, a.AsSlice()...)
	}
	if len(b) > 0 {
		m.UpdateOption(dhcpv4.OptGeneric(code, b))
	}
}

// forever is the lease time without end, RFC 2131, Section 3.3.
const forever = 0xffffffff

// span reads an option of whole seconds; ok is false when it is not there.
func span(m *dhcpv4.DHCPv4, code dhcpv4.OptionCode) (d time.Duration, endless, ok bool) {
	b := m.GetOneOption(code)
	if len(b) != 4 {
		return 0, false, false
	}
	seconds := binary.BigEndian.Uint32(b)
	return time.Duration(seconds) * time.Second, seconds == forever, true
}

func setSpan(m *dhcpv4.DHCPv4, code dhcpv4.OptionCode, d time.Duration) {
	m.UpdateOption(dhcpv4.OptGeneric(code, binary.BigEndian.AppendUint32(nil, uint32(d/time.Second))))
}

// maskBits is the length of the network prefix that the subnet mask names (RFC 2132,
// Section 3.3).
func maskBits(m *dhcpv4.DHCPv4) (bits int, ok bool) {
	b := m.GetOneOption(dhcpv4.OptionSubnetMask)
	if len(b) != 4 {
		return 0, false
	}
	mask := binary.BigEndian.Uint32(b)
	for bits < 32 && mask&(1<<(31-bits)) != 0 {
		bits++
	}
	return bits, bits > 0 && mask == ^uint32(0)<<(32-bits)
}

func setMask(m *dhcpv4.DHCPv4, bits int) {
	m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionSubnetMask, binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-bits))))
}

// unicast reports whether a host may have the address (RFC 1122, Section 3.2.1.3).
func unicast(a netip.Addr) bool {
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}
