package esp

import (
	"container/list"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// talk is one conversation with a computer behind a NAT.
type talk struct {
	peer       netip.AddrPort // where its packets come from
	real, seen conversation   // as it is on the wire, and as the host's stack sees it
	used       time.Time
}

// talks are those used last, the latest in front.
type talks struct {
	bySeen map[conversation]*list.Element
	byReal map[realTalk]*list.Element
	order  list.List
	port   uint16 // given out last
}

// realTalk names a conversation of one computer.
type realTalk struct {
	peer netip.AddrPort
	real conversation
}

func newTalks() talks {
	return talks{bySeen: map[conversation]*list.Element{}, byReal: map[realTalk]*list.Element{}}
}

// Ports that translated conversations get: the dynamic ones of RFC 6335, Section 6.
const firstPort, lastPort = 49152, 65535

// arrived is the conversation of a packet from a computer. ends counts the SAs by far end: a computer
// without any has no conversations. nil: it looks like that of another computer, and there is no
// way to have it look otherwise.
func (t *talks) arrived(now time.Time, c Conflicts, real conversation, peer netip.AddrPort, ends map[netip.AddrPort]int) *talk {
	t.expire(now, c)
	if e := t.byReal[realTalk{peer, real}]; e != nil {
		return t.use(now, e)
	}
	e := t.bySeen[real]
	switch {
	case e == nil:
	case c.Strategy == ConflictTrack || ends[e.Value.(*talk).peer] == 0:
		t.forget(e)
	case real.peerPort == 0:
		return nil
	default:
		seen, ok := t.free(real)
		if !ok {
			return nil
		}
		return t.begin(now, c, real, seen, peer)
	}
	return t.begin(now, c, real, real, peer)
}

// known is a conversation of a computer that has begun; nil: there is none.
func (t *talks) known(real conversation, peer netip.AddrPort) *talk {
	if e := t.byReal[realTalk{peer, real}]; e != nil {
		return e.Value.(*talk)
	}
	return nil
}

// free is a conversation that nobody has, but for the port of the peer the same.
func (t *talks) free(c conversation) (conversation, bool) {
	for range lastPort - firstPort + 1 {
		if t.port++; t.port < firstPort {
			t.port = firstPort
		}
		c.peerPort = t.port
		if t.bySeen[c] == nil {
			return c, true
		}
	}
	return c, false
}

// find is the conversation that looks so.
func (t *talks) find(now time.Time, c Conflicts, seen conversation) *talk {
	t.expire(now, c)
	if e := t.bySeen[seen]; e != nil {
		return t.use(now, e)
	}
	return nil
}

func (t *talks) begin(now time.Time, c Conflicts, real, seen conversation, peer netip.AddrPort) *talk {
	if e := t.bySeen[seen]; e != nil {
		t.forget(e)
	}
	if e := t.byReal[realTalk{peer, real}]; e != nil {
		t.forget(e)
	}
	for t.order.Len() >= c.most() {
		t.forget(t.order.Back())
	}
	e := t.order.PushFront(&talk{peer: peer, real: real, seen: seen, used: now})
	t.bySeen[seen], t.byReal[realTalk{peer, real}] = e, e
	return e.Value.(*talk)
}

func (t *talks) use(now time.Time, e *list.Element) *talk {
	t.order.MoveToFront(e)
	e.Value.(*talk).used = now
	return e.Value.(*talk)
}

func (t *talks) expire(now time.Time, c Conflicts) {
	for e := t.order.Back(); e != nil && now.Sub(e.Value.(*talk).used) >= c.idle(); e = t.order.Back() {
		t.forget(e)
	}
}

func (t *talks) forget(e *list.Element) {
	k := t.order.Remove(e).(*talk)
	delete(t.bySeen, k.seen)
	delete(t.byReal, realTalk{k.peer, k.real})
}

// move has the conversations with one far end be with another. In transport mode the address
// is a part of what they look like, so that those of another address are gone.
func (t *talks) move(from, to netip.AddrPort) {
	for e := t.order.Front(); e != nil; {
		k, next := e.Value.(*talk), e.Next()
		switch taken := t.byReal[realTalk{to, k.real}] != nil; {
		case k.peer != from:
		case taken || k.real.peer == from.Addr() && from.Addr() != to.Addr():
			t.forget(e)
		default:
			delete(t.byReal, realTalk{from, k.real})
			k.peer = to
			t.byReal[realTalk{to, k.real}] = e
		}
		e = next
	}
}

// conversation is the one of a packet, and where the port of the peer stands in it; in echoes
// of ICMP that is their identifier, and an error of ICMP is of the conversation of the packet that it
// quotes, whose addresses are as they were on the far side of the NAT. false: a fragment that does not show it, or nothing that can be told apart.
func (d *datagram) conversation(dir ipsec.Direction, f *ipsec.Flow) (c conversation, at int, ok bool) {
	if f.Fragment {
		return c, 0, false
	}
	c = conversation{local: f.Dst, peer: f.Src, proto: f.Proto}
	if dir == ipsec.Outbound {
		c.local, c.peer = f.Src, f.Dst
	}
	ports := func(proto uint8, at int, fromPeer bool) (conversation, int, bool) {
		src, dst := portAt(d.b, at), portAt(d.b, at+2)
		c.proto = proto
		if fromPeer {
			c.peerPort, c.localPort = src, dst
			return c, at, true
		}
		c.peerPort, c.localPort = dst, src
		return c, at + 2, true
	}
	if ipsec.HasPorts(f.Proto) {
		return ports(f.Proto, d.upperAt, dir == ipsec.Inbound)
	}
	echo, fails := icmpKind(f)
	switch {
	case echo && len(d.b) >= d.upperAt+6:
		c.peerPort = portAt(d.b, d.upperAt+4)
		return c, d.upperAt + 4, true
	case fails:
		proto, at, ok := quotedPorts(d.b, d.upperAt+8)
		if !ok {
			return c, 0, false
		}
		return ports(proto, at, dir == ipsec.Outbound) // it has gone the other way
	}
	return c, 0, true
}

func portAt(b []byte, at int) uint16 { return uint16(b[at])<<8 | uint16(b[at+1]) }

// icmpKind tells echoes, and errors, which quote: RFC 792; RFC 4443, Section 2.1.
func icmpKind(f *ipsec.Flow) (echo, fails bool) {
	switch f.Proto {
	case ipsec.ProtoICMP:
		return f.ICMPType == 0 || f.ICMPType == 8, f.ICMPType == 3 || f.ICMPType == 4 || f.ICMPType == 11 || f.ICMPType == 12
	case ipsec.ProtoICMPv6:
		return f.ICMPType == 128 || f.ICMPType == 129, f.ICMPType < 128
	}
	return false, false
}

// quotedPorts is where the ports are in a packet that stands at a place, and its protocol; false: it shows none.
// Extension headers are not gone through.
func quotedPorts(b []byte, at int) (proto uint8, ports int, ok bool) {
	if at >= len(b) {
		return 0, 0, false
	}
	q := b[at:]
	size, nextAt := ipv6Header, 6
	if q[0]>>4 == 4 {
		size, nextAt = int(q[0]&15)*4, 9
	}
	if size < minHeader || len(q) < size+4 || q[0]>>4 == 4 && portAt(q, 6)&0x1fff != 0 {
		return 0, 0, false
	}
	return q[nextAt], at + size, ipsec.HasPorts(q[nextAt])
}

// setPort writes a port, or identifier, and keeps the checksum right that covers it. The one
// in a quoted packet stays what it was.
func (d *datagram) setPort(at int, port uint16) {
	old := portAt(d.b, at)
	d.b[at], d.b[at+1] = byte(port>>8), byte(port)
	sumAt := d.upperAt + 2 // of ICMP
	switch d.upper {
	case ipsec.ProtoTCP:
		sumAt = d.upperAt + 16
	case ipsec.ProtoUDP:
		sumAt = d.upperAt + 6
	}
	if sumAt+2 > len(d.b) {
		return
	}
	sum := portAt(d.b, sumAt)
	if sum == 0 && d.upper == ipsec.ProtoUDP {
		return
	}
	sum = ^fold(uint64(^sum) + uint64(^old) + uint64(port)) // RFC 1624, equation 3
	if sum == 0 && d.upper == ipsec.ProtoUDP {
		sum = 0xffff
	}
	d.b[sumAt], d.b[sumAt+1] = byte(sum>>8), byte(sum)
}
