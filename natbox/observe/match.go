package observe

import (
	"encoding/binary"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Match selects packets by what a device on the way sees of them. Zero fields select all.
type Match struct {
	Proto    uint8          // of IP
	Port     uint16         // of TCP or UDP, of either side
	Src, Dst []netip.Prefix // the address is in one of them
	Either   []netip.Prefix // one of the two addresses is
	DSCP     []uint8        // the codepoint is one of them: RFC 2474
}

// matches reports whether a packet is selected. A fragment without ports is not, where ports are asked for.
func (m *Match) matches(p *packet, f *ipsec.Flow) bool {
	return (m.Proto == 0 || m.Proto == p.proto) &&
		(m.Port == 0 || m.Port == f.SrcPort || m.Port == f.DstPort) &&
		(len(m.Src) == 0 || in(m.Src, p.src)) && (len(m.Dst) == 0 || in(m.Dst, p.dst)) &&
		(len(m.Either) == 0 || in(m.Either, p.src) || in(m.Either, p.dst)) &&
		(len(m.DSCP) == 0 || contains(m.DSCP, p.class>>2))
}

func in(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func contains(all []uint8, v uint8) bool {
	for _, x := range all {
		if x == v {
			return true
		}
	}
	return false
}

// Class is a class of traffic.
type Class struct {
	Name string
	Match
}

// DefaultClass is the name of what no class selects.
const DefaultClass = "default"

// Classes are asked in order: the first that selects a packet has it.
type Classes []Class

// Of is the place of the class of a packet; len(c) for the default class, and for what is no packet.
func (c Classes) Of(b []byte) int {
	p, ok := parse(b)
	if !ok {
		return len(c)
	}
	return c.of(&p)
}

func (c Classes) of(p *packet) int {
	f := p.flow()
	for i := range c {
		if c[i].matches(p, &f) {
			return i
		}
	}
	return len(c)
}

// Key is what tells flows apart for a queue.
type Key struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	SPI              uint32
	Proto            uint8
	Class            uint8 // type of service
}

// FlowOf names the flow of a packet: addresses, protocol and ports, and with class its type of
// service. Fragments of a datagram, which do not all have ports, are a flow of their own. False for what is
// no packet.
func FlowOf(b []byte, spi bool) (Key, bool) {
	p, ok := parse(b)
	if !ok {
		return Key{}, false
	}
	k := Key{Src: p.src, Dst: p.dst, Proto: p.proto, Class: p.class}
	if p.fragment {
		return k, true
	}
	f := p.flow()
	k.SrcPort, k.DstPort = f.SrcPort, f.DstPort
	if spi {
		switch {
		case p.proto == ipsec.ProtoESP && len(p.body) >= espHeader:
			k.SPI = spiOf(p.body)
		case p.proto == ipsec.ProtoAH && len(p.body) >= ahFixed:
			k.SPI = binary.BigEndian.Uint32(p.body[4:])
		}
	}
	return k, true
}
