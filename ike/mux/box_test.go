package mux_test

import (
	"net/netip"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
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
	static  map[uint16]netip.AddrPort
	dropped int

	renumbered bool
}

// addresses are those that the box may have outside.
func (b *box) addresses() []netip.Addr {
	return []netip.Addr{b.outside, b.outside.Next(), b.outside.Prev()}
}

// seen is the address by which one host knows another.
func (n *network) seen(other, by *host) netip.Addr {
	for _, b := range n.boxes {
		if b.has(other.addr) && !b.has(by.addr) {
			return b.outside
		}
	}
	return other.addr
}

// reaches reports whether what is sent to an end comes to a host.
func (n *network) reaches(to netip.AddrPort, h *host) bool {
	for _, b := range n.boxes {
		if b.has(h.addr) {
			return to.Addr() == b.outside && b.inner[to.Port()].Addr() == h.addr
		}
	}
	return to.Addr() == h.addr
}

// newBox puts a NAT before hosts.
func (n *network) newBox(outside string, hosts ...*host) *box {
	b := &box{outside: netip.MustParseAddr(outside), next: 20000, hosts: hosts, inner: map[uint16]netip.AddrPort{}, outer: map[netip.AddrPort]uint16{}, static: map[uint16]netip.AddrPort{}}
	n.boxes = append(n.boxes, b)
	return b
}

// publish has a port of the outside address be that of a host inside.
func (b *box) publish(h *host, ports ...uint16) {
	for _, p := range ports {
		b.static[p] = netip.AddrPortFrom(h.addr, p)
		b.mapping(b.static[p], p)
	}
}

func (b *box) mapping(inside netip.AddrPort, port uint16) {
	b.inner[port], b.outer[inside] = inside, port
}

// forget loses the mappings, as a reboot does. New ones have other ports.
func (b *box) forget() {
	clear(b.inner)
	clear(b.outer)
	for port, inside := range b.static {
		b.mapping(inside, port)
	}
}

// renumber gives the box another address outside, or the first one again. No mapping outlives that.
func (b *box) renumber() {
	b.forget()
	if b.outside = b.outside.Next(); b.renumbered {
		b.outside = b.outside.Prev().Prev()
	}
	b.renumbered = !b.renumbered
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

// route is two ends of keep-alives.
type route struct{ local, remote netip.AddrPort }

// keptAlive notes keep-alives that begin or end.
func (h *host) keptAlive(e ike.EventKeepAlive) {
	r := route{e.Local, e.Remote}
	require.NotEqual(h.n.t, e.Interval > 0, h.alive[r], "%s begins and ends keep-alives to %v in turns", h.name, e.Remote)
	if e.Interval > 0 {
		h.alive[r] = true
	} else {
		delete(h.alive, r)
	}
}

// moved has SAs go along with a peer.
func (h *host) moved(e ike.EventMoved) {
	for _, spi := range e.SPIs {
		id := said{ipsec.ESP, spi}
		for _, in := range []map[said]ipsec.SAParams{h.in, h.early} {
			sa, ok := in[id]
			if !ok {
				continue
			}
			require.Equal(h.n.t, e.From, netip.AddrPortFrom(sa.Src, sa.UDP.Src), "%s moves %v from where it was", h.name, id)
			moveEnd(&sa.Src, &sa.UDP.Src, &sa.Selector.Src, sa.Mode, e.To)
			in[id] = sa
			out, ok := h.out[said{ipsec.ESP, sa.PeerSPI}]
			if ok && out.PeerSPI == spi {
				moveEnd(&out.Dst, &out.UDP.Dst, &out.Selector.Dst, out.Mode, e.To)
				h.out[idOf(out)] = out
			}
		}
	}
}

func moveEnd(a *netip.Addr, port *uint16, s *netip.Prefix, m ipsec.Mode, to netip.AddrPort) {
	if m == ipsec.Transport && *s == ipsec.Host(*a) {
		*s = ipsec.Host(to.Addr())
	}
	*a, *port = to.Addr(), to.Port()
}

// translated reports whether there are NATs.
func (n *network) translated() bool { return len(n.boxes) > 0 }

// wantAcrossNAT expects two halves of one SA, each as its side sees it.
func (n *network) wantAcrossNAT(sentence string, h, other *host, out, in ipsec.SAParams) {
	n.t.Helper()
	require.Equal(n.t, h.addr, out.Src, sentence)
	require.Equal(n.t, other.addr, in.Dst, sentence)
	require.Equal(n.t, out.UDP.On(), in.UDP.On(), sentence)
	require.Equal(n.t, out.UDP.NonIKE, in.UDP.NonIKE, sentence)
	if out.Mode == ipsec.Transport {
		require.Equal(n.t, ipsec.Selector{Src: ipsec.Host(out.Src), Dst: ipsec.Host(out.Dst)}, out.Selector, sentence)
		require.Equal(n.t, ipsec.Selector{Src: ipsec.Host(in.Src), Dst: ipsec.Host(in.Dst)}, in.Selector, sentence)
	} else {
		require.Equal(n.t, in.Selector, out.Selector, sentence)
	}
}
