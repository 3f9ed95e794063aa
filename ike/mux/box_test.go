package mux_test

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/ike"
)

// box is a NAT: what its inside hosts send goes out from its address, with a port of its own for
// each of their ports, and what comes to such a port goes in, whoever sent it. Packets between
// hosts inside do not pass it.
type box struct {
	outside netip.Addr
	next    uint16 // the next port
	hosts   []*host
	inner   map[uint16]netip.AddrPort
	outer   map[netip.AddrPort]uint16
	dropped int
}

// newBox puts a NAT before hosts.
func (n *network) newBox(outside string, hosts ...*host) *box {
	b := &box{outside: netip.MustParseAddr(outside), next: 20000, hosts: hosts, inner: map[uint16]netip.AddrPort{}, outer: map[netip.AddrPort]uint16{}}
	n.boxes = append(n.boxes, b)
	return b
}

// publish has a port of the outside address be that of a host inside.
func (b *box) publish(h *host, ports ...uint16) {
	for _, p := range ports {
		b.mapping(netip.AddrPortFrom(h.addr, p), p)
	}
}

func (b *box) mapping(inside netip.AddrPort, port uint16) {
	b.inner[port], b.outer[inside] = inside, port
}

// forget loses the mappings, as a reboot does. New ones have other ports.
func (b *box) forget() {
	clear(b.inner)
	clear(b.outer)
}

func (b *box) has(a netip.Addr) bool {
	for _, h := range b.hosts {
		if h.addr == a {
			return true
		}
	}
	return false
}

func (b *box) out(d ike.Datagram) ike.Datagram {
	if !b.has(d.Local.Addr()) || b.has(d.Remote.Addr()) {
		return d
	}
	port, ok := b.outer[d.Local]
	if !ok {
		b.next++
		port = b.next
		b.mapping(d.Local, port)
	}
	d.Local = netip.AddrPortFrom(b.outside, port)
	return d
}

func (b *box) in(d ike.Datagram) (ike.Datagram, bool) {
	if d.Remote.Addr() != b.outside {
		return d, true
	}
	inside, ok := b.inner[d.Remote.Port()]
	if !ok {
		b.dropped++
		return d, false
	}
	d.Remote = inside
	return d, true
}

// at is the outside of a port of a host.
func (b *box) at(h *host, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(b.outside, b.outer[netip.AddrPortFrom(h.addr, port)])
}
