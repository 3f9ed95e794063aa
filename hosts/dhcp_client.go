package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/hosts/dhcp"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// DHCP has an interface get its address by DHCP.
type DHCP struct {
	Broadcast bool // see dhcp.ClientConfig
}

// dhcpClient is the program that gets the address of one interface. What it sends to
// its server goes through the stack; what it sends to all, and what arrives for an
// address that it does not have yet, by the driver's own way. All of it passes the
// IPsec boundary.
type dhcpClient struct {
	host   *Host
	boot   int // of the host, to which it belongs
	nic    *nic
	engine *dhcp.Client
	lease  dhcp.Lease // the zero one while there is none
	timer  *sim.Timer
}

var broadcast4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// startDHCP begins to look for the addresses of the interfaces that have none of their own.
func (h *Host) startDHCP() error {
	h.dhcp = nil
	for i, c := range h.config.Interfaces {
		if c.DHCP == nil {
			continue
		}
		n := h.nics[i]
		if n.medium != sim.Ethernet {
			return errors.New("unsupported: DHCP on a point-to-point line")
		}
		client := &dhcpClient{host: h, boot: h.boots, nic: n, engine: dhcp.NewClient(dhcp.ClientConfig{
			MAC: n.port.MAC(), Rand: h.rand("dhcp " + n.port.Segment().Name()), Broadcast: c.DHCP.Broadcast,
		})}
		n.dhcp = client
		h.dhcp = append(h.dhcp, client)
	}
	if len(h.dhcp) == 0 {
		return nil
	}
	// What arrives for an address that is there, or under an SA.
	s, err := h.bindUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), dhcp.ClientPort))
	if err != nil {
		return fmt.Errorf("DHCP client: %w", err)
	}
	s.fragment()
	h.dhcpSocket = s
	s.onReady(h.readDHCP)
	h.soon(func() {
		for _, c := range h.dhcp {
			if !c.gone() {
				c.engine.Start(h.world.Time())
				c.pump()
			}
		}
	})
	return nil
}

func (c *dhcpClient) gone() bool { return c.boot != c.host.boots }

// readDHCP takes what came to the socket. Whose it is the engines tell.
func (h *Host) readDHCP() {
	for {
		payload, _, ok, err := h.dhcpSocket.receive()
		if err != nil {
			continue
		}
		if !ok {
			return
		}
		for _, c := range h.dhcp {
			c.receive(payload)
		}
	}
}

func (c *dhcpClient) receive(payload []byte) {
	if err := c.engine.Receive(c.host.world.Time(), payload); err != nil {
		c.record("ignored", err.Error())
	}
	c.pump()
}

// takeDHCP takes a packet from the wire that is for a client without its address;
// false for all others.
func (n *nic) takeDHCP(packet []byte) bool {
	if n.dhcp == nil {
		return false
	}
	payload, taken := n.host.driver.receiveDirect(n, packet, dhcp.ClientPort)
	if payload != nil {
		n.dhcp.receive(payload)
	}
	return taken
}

// pump carries out what the engine wants done.
func (c *dhcpClient) pump() {
	for e, ok := c.engine.NextEvent(); ok; e, ok = c.engine.NextEvent() {
		switch e := e.(type) {
		case dhcp.EventSend:
			c.send(e)
		case dhcp.EventBound:
			c.bound(e.Lease)
		case dhcp.EventLost:
			c.lost(e)
		}
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if due, ok := c.engine.NextDeadline(); ok {
		c.timer = c.host.after(max(0, due.Sub(c.host.world.Time())), func() {
			c.timer = nil
			c.engine.Advance(c.host.world.Time())
			c.pump()
		})
	}
}

func (c *dhcpClient) send(e dhcp.EventSend) {
	c.record("sends "+e.What, fmt.Sprintf("%s > %s", e.Source, e.Destination))
	to := netip.AddrPortFrom(e.Destination, dhcp.ServerPort)
	if e.Destination == broadcast4 {
		c.host.driver.sendDirect(c.nic, header.EthernetBroadcastAddress, udp4(netip.AddrPortFrom(e.Source, dhcp.ClientPort), to, e.Payload))
		return
	}
	if err := c.host.dhcpSocket.send(to, e.Payload); err != nil {
		c.record("send failed", err.Error())
	}
}

// bound carries out a lease. A renewed one that says the same changes nothing.
func (c *dhcpClient) bound(l dhcp.Lease) {
	c.record("bound", l.String())
	if c.lease.Same(l) {
		c.lease = l
		return
	}
	c.lease = l
	c.configure("DHCP", append(c.others(), l.Address))
}

// others are the addresses of the interface that are not of DHCP: those of IPv6.
func (c *dhcpClient) others() []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(c.nic.prefixes), func(p netip.Prefix) bool { return p.Addr().Is4() })
}

// farewell is how long a released address stays, so that the RELEASE can leave: its
// server may have to be found by ARP first.
const farewell = 100 * time.Millisecond

func (c *dhcpClient) lost(e dhcp.EventLost) {
	c.record("lost", e.Reason)
	c.lease = dhcp.Lease{}
	giveUp := func() {
		if !c.lease.Address.IsValid() {
			c.configure("DHCP: "+e.Reason, c.others())
		}
	}
	if e.Released {
		c.host.after(farewell, giveUp)
		return
	}
	giveUp()
}

// configure makes the host what the lease says, and expands the policy once.
func (c *dhcpClient) configure(reason string, prefixes []netip.Prefix) {
	if err := c.host.renumber(c.nic, prefixes, reason); err != nil {
		c.record("not configured", err.Error())
		return
	}
	c.host.routeByDHCP()
	c.host.agent.expandSoon(reason)
}

// routeByDHCP makes the first router of the leases the default gateway, unless the
// host has one of its own.
func (h *Host) routeByDHCP() {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if slices.ContainsFunc(h.config.Routes, func(r Route) bool { return r.To == all }) {
		return
	}
	h.removeDefault(all)
	h.leased = nil
	for _, c := range h.dhcp {
		for _, via := range c.lease.Routers {
			if n := h.nicTowards(via); n == c.nic && h.leased == nil {
				h.leased = []Route{{To: all, Via: via}}
				h.stack.AddRoute(tcpip.Route{Destination: subnetOf(all), Gateway: addressOf(via), NIC: n.id})
			}
		}
	}
}

// ReleaseDHCP gives back the leases of the host, as ipconfig /release does.
func (h *Host) ReleaseDHCP() error { return h.withDHCP((*dhcpClient).release) }

// RenewDHCP asks for more time, or for an address where there is none, as ipconfig /renew does.
func (h *Host) RenewDHCP() error { return h.withDHCP((*dhcpClient).renew) }

func (c *dhcpClient) release() { c.engine.Release(c.host.world.Time()) }
func (c *dhcpClient) renew()   { c.engine.Renew(c.host.world.Time()) }

func (h *Host) withDHCP(act func(*dhcpClient)) error {
	if h.off {
		return fmt.Errorf("hosts: %s: DHCP: %w", h.name, ErrOff)
	}
	if len(h.dhcp) == 0 {
		return fmt.Errorf("hosts: %s: no interface has its address by DHCP", h.name)
	}
	for _, c := range h.dhcp {
		act(c)
		c.pump()
	}
	return nil
}

func (c *dhcpClient) record(event, detail string) {
	c.host.record(trace.Application{App: "dhcp client", Event: event, Detail: detail})
}
