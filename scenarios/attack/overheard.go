package attack

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/ipv6"
	"github.com/ipseclab/ipseclab/sim"
)

// overheard is what an attacker remembers of the conversations that he can read.
type overheard struct {
	tcp  latest[[2]netip.AddrPort, segment]
	ike  latest[[2]netip.Addr, cookies] // both directions alike
	main latest[netip.Addr, []byte]     // first messages of main mode, by who got them
	spis latest[[2]netip.Addr, uint32]  // of ESP, by source and destination
	last latest[netip.Addr, []byte]     // the latest packet of a sender, as an ICMP error quotes it
	kind latest[senderOf, []byte]       // likewise of one protocol
}

// senderOf is somebody's packets of one protocol of IP.
type senderOf struct {
	addr  netip.Addr
	proto uint8
}

// segment is what the latest TCP segment of one direction says about the next one.
type segment struct{ next, ack uint32 }

// cookies name a main mode, RFC 2408, Section 3.1.
type cookies [16]byte

func newOverheard() overheard { return overheard{} }

// quoted is how much of a packet is kept, for ICMP errors to quote: the header of
// IPv4 and 8 bytes, RFC 792, or as much as fits the least MTU of IPv6 behind the
// header and that of ICMPv6, RFC 4443, Section 2.4(c).
func (v *view) quoted(f []byte) []byte {
	end := v.upper + 8
	if v.v6 {
		end = v.ip + ipv6.MinMTU - ipv6.HeaderLen - 8
	}
	return f[v.ip:min(v.end, end)]
}

func (o *overheard) note(m sim.Medium, f []byte) {
	v, ok := read(m, f)
	if !ok || v.fragment {
		return
	}
	src, dst := v.ends(f)
	packet := bytes.Clone(v.quoted(f))
	o.last.put(src, packet)
	o.kind.put(senderOf{src, f[v.number]}, packet)
	switch {
	case v.esp != 0:
		o.spis.put([2]netip.Addr{src, dst}, binary.BigEndian.Uint32(f[v.esp:]))
	case v.proto == ipsec.ProtoTCP:
		t := f[v.transport:v.transportEnd]
		key := [2]netip.AddrPort{
			netip.AddrPortFrom(src, binary.BigEndian.Uint16(t)), netip.AddrPortFrom(dst, binary.BigEndian.Uint16(t[2:])),
		}
		const fin, syn = 0x01, 0x02
		next := binary.BigEndian.Uint32(t[4:]) + uint32(v.transportEnd-v.data)
		if t[13]&(syn|fin) != 0 { // each takes a sequence number, RFC 9293, Section 3.4
			next++
		}
		o.tcp.put(key, segment{next, binary.BigEndian.Uint32(t[8:])})
	case v.message != 0 && v.transportEnd-v.message >= 28:
		m := f[v.message:v.transportEnd]
		o.ike.put(pairOf(src, dst), cookies(m[:16]))
		if h, err := payload.ParseHeader(m); err == nil && h.Exchange == payload.MainMode && h.CookieR == [8]byte{} {
			o.main.put(dst, bytes.Clone(m))
		}
	}
}

// pairOf is two addresses in one order.
func pairOf(a, b netip.Addr) [2]netip.Addr {
	if b.Less(a) {
		a, b = b, a
	}
	return [2]netip.Addr{a, b}
}

// conversation is the latest segment from one address to a port, from the given
// port or any (0), and its source port.
func (o *overheard) conversation(from netip.Addr, fromPort uint16, to netip.AddrPort) (port uint16, s segment, ok bool) {
	for _, k := range o.tcp.newest() {
		if k[0].Addr() == from && (fromPort == 0 || k[0].Port() == fromPort) && k[1] == to {
			s, ok = o.tcp.get(k)
			return k[0].Port(), s, ok
		}
	}
	return fromPort, s, false
}

// latest is a bounded memory: it forgets what is oldest. Its zero value is ready.
type latest[K comparable, V any] struct {
	values map[K]V
	order  []K // the oldest first
}

// memory is how many keys are remembered.
const memory = 256

func (l *latest[K, V]) put(k K, v V) {
	if l.values == nil {
		l.values = map[K]V{}
	}
	if n := len(l.order); n == 0 || l.order[n-1] != k {
		l.order = append(without(l.order, k), k)
	}
	l.values[k] = v
	if len(l.order) > memory {
		delete(l.values, l.order[0])
		l.order = l.order[1:]
	}
}

func without[K comparable](order []K, k K) []K {
	for i, o := range order {
		if o == k {
			return append(order[:i], order[i+1:]...)
		}
	}
	return order
}

func (l *latest[K, V]) get(k K) (V, bool) {
	v, ok := l.values[k]
	return v, ok
}

// newest are the keys, the latest one first.
func (l *latest[K, V]) newest() []K {
	out := make([]K, 0, len(l.order))
	for i := len(l.order) - 1; i >= 0; i-- {
		out = append(out, l.order[i])
	}
	return out
}
