package natbox

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/sim"
)

// datagram is an IP packet on its way through the router: a packet or a packet6.
type datagram interface {
	src() netip.Addr
	dst() netip.Addr
	hops() uint8 // how many it may still make: TTL or hop limit
	String() string
}

// outgoing is a packet on its way out: its frame, behind room for the Ethernet
// header, and where it came in. The router's own packets have no in.
type outgoing struct {
	datagram
	frame   []byte
	in      *iface
	comment string
	sent    packet // by a NAT box: as it was before it was translated, or its beginning
}

// neighbour is an address on the segment. While it is being resolved its timer
// runs and packets wait; once it is resolved they go out, until it has aged.
type neighbour struct {
	addr    netip.Addr
	mac     mac
	expires time.Duration // resolved until then
	timer   *sim.Timer    // being resolved; nil otherwise
	tries   int
	queue   []outgoing
}

// output hands a packet to a neighbour, at once or when its address is resolved.
func (i *iface) output(next netip.Addr, o outgoing) {
	if i.line() {
		i.emit(mac{}, o)
		return
	}
	n := i.neighbours[next]
	if n == nil {
		if n = i.addNeighbour(next); n == nil {
			i.unreachable(o, neighboursFull)
			return
		}
	}
	if n.timer == nil && i.r.w.Now() < n.expires {
		i.emit(n.mac, o)
		return
	}
	if len(n.queue) == i.r.settings.ARPQueue {
		i.r.drop(queueFull, n.queue[0].datagram)
		n.queue = slices.Delete(n.queue, 0, 1)
	}
	n.queue = append(n.queue, o)
	if n.timer == nil {
		n.tries = 0
		i.ask(n)
	}
}

// addNeighbour makes room in a full table by forgetting the resolved neighbour
// that is closest to its age; nil when all are being resolved.
func (i *iface) addNeighbour(a netip.Addr) *neighbour {
	if len(i.neighbours) >= i.r.settings.Neighbours {
		var oldest *neighbour
		for _, n := range i.neighbours {
			if n.timer == nil && (oldest == nil || n.expires < oldest.expires || n.expires == oldest.expires && n.addr.Less(oldest.addr)) {
				oldest = n
			}
		}
		if oldest == nil {
			return nil
		}
		delete(i.neighbours, oldest.addr)
	}
	n := &neighbour{addr: a}
	i.neighbours[a] = n
	return n
}

// ask sends a request and waits for the answer.
func (i *iface) ask(n *neighbour) {
	n.tries++
	if n.addr.Is4() {
		i.r.counters.ARPRequests++
		i.sendARP(broadcastMAC, arpRequest, i.source(n.addr), mac{}, n.addr)
	} else {
		i.r.counters.Solicitations++
		i.solicit(n.addr)
	}
	n.timer = i.r.w.After(nil, i.r.settings.ARPInterval, func() { i.unanswered(n) })
}

func (i *iface) unanswered(n *neighbour) {
	if n.tries < i.r.settings.ARPTries {
		i.ask(n)
		return
	}
	delete(i.neighbours, n.addr)
	for _, o := range n.queue {
		i.unreachable(o, noNeighbour)
	}
}

// unreachable reports a packet whose next hop cannot be reached. RFC 1812, Section
// 5.2.7.1 and RFC 4861, Section 7.2.2.
func (i *iface) unreachable(o outgoing, why reason) {
	i.r.drop(why, o.datagram)
	if o.in != nil {
		i.r.report(hostUnreachable, o.asSent())
	}
}

// learn notes the address of a neighbour and sends what waited for it.
func (i *iface) learn(n *neighbour, m mac) {
	n.mac, n.expires = m, i.r.w.Now()+i.r.settings.ARPAge
	if n.timer == nil {
		return
	}
	n.timer.Stop()
	n.timer = nil
	queue := n.queue
	n.queue = nil
	for _, o := range queue {
		i.emit(m, o)
	}
}
