package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ipseclab/ipseclab/internal/tcprun"
)

// newStack builds the netstack, its interfaces and its routes. All randomness
// and all time of the stack come from the world.
func (h *Host) newStack(c Config) error {
	if len(c.Interfaces) == 0 {
		return errors.New("a host needs an interface")
	}
	h.families = familiesOf(c.Interfaces)
	network, transport := protocols(h.families)
	for _, number := range c.Protocols {
		transport = append(transport, h.serveProtocol(number))
	}
	h.stack = stack.New(stack.Options{
		NetworkProtocols:   network,
		TransportProtocols: append(transport, tcp.NewProtocolCUBIC, udp.NewProtocol, h.driver.newESP, h.driver.newAH),
		Clock:              h.world.Clock(h),
		SecureRNG:          h.rand("netstack"),
		RandSource:         h.rand("netstack timers").Source(),
		NFTables:           h.driver,
		// Nobody asks the tables that netstack would make: 8 KiB for each host.
		IPTables: new(stack.IPTables),
	})
	var err error
	if h.tcp, err = tcprun.Take(h.stack); err != nil {
		return err
	}
	h.stack.SetNFTablesConfigured(true)
	h.stack.SetTransportProtocolHandler(udp.ProtocolNumber, h.driver.takeUDP)
	// Losses show by duplicate acknowledgements and SACK, as with all stacks of
	// 2003 (RFC 2581, RFC 3517). RACK is younger (RFC 8985), and goes through all
	// that is in flight for each acknowledgement. And netstack's takes what was sent
	// at the moment of an acknowledged segment, but behind it, for lost: it compares
	// sequence numbers the wrong way round (RACK_sent_after, Section 6.2). In virtual
	// time a whole flight is sent at one moment.
	var recovery tcpip.TCPRecovery
	if err := h.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &recovery); err != nil {
		return fmt.Errorf("TCP without RACK: %s", err)
	}
	h.nics = nil
	for i, ifc := range c.Interfaces {
		n, err := newNIC(h, i, ifc)
		if err != nil {
			return err
		}
		h.nics = append(h.nics, n)
	}
	for _, r := range c.Routes {
		n := h.nicTowards(r.Via)
		if n == nil && slices.ContainsFunc(c.Interfaces, func(i Interface) bool { return i.Unnumbered }) {
			continue // it has lost the address that leads there
		}
		if n == nil {
			return fmt.Errorf("route to %s: the next hop %s is on no subnet of the host", r.To, r.Via)
		}
		h.stack.AddRoute(tcpip.Route{Destination: subnetOf(r.To), Gateway: addressOf(r.Via), NIC: n.id})
	}
	return nil
}

// nicTowards is the interface on whose subnet a is; nil when there is none.
func (h *Host) nicTowards(a netip.Addr) *nic {
	for _, n := range h.nics {
		if slices.ContainsFunc(n.prefixes, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return n
		}
	}
	return nil
}

func (h *Host) addNIC(n *nic, prefixes []netip.Prefix) error {
	if err := h.stack.CreateNIC(n.id, n); err != nil {
		return fmt.Errorf("creating interface on %s: %s", n.port.Segment().Name(), err)
	}
	for _, p := range prefixes {
		if err := h.addAddress(n, p, true); err != nil {
			return err
		}
	}
	return nil
}

func addressOf(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

func addrOf(a tcpip.Address) netip.Addr {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return addr
}

func subnetOf(p netip.Prefix) tcpip.Subnet {
	p = p.Masked()
	return tcpip.AddressWithPrefix{Address: addressOf(p.Addr()), PrefixLen: p.Bits()}.Subnet()
}
