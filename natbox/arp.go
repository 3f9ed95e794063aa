package natbox

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/sim"
)

// ARP for IPv4 on Ethernet, RFC 826.
const (
	arpLen     = 28
	arpRequest = 1
	arpReply   = 2
)

// outgoing is a packet on its way out: behind room for the Ethernet header, and
// where it came in. The router's own packets have no in.
type outgoing struct {
	frame   []byte
	in      *iface
	comment string
}

func (o outgoing) packet() packet { return packet(o.frame[etherHeader:]) }

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
		i.r.drop(queueFull, n.queue[0].packet())
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
	i.r.counters.ARPRequests++
	i.sendARP(broadcastMAC, arpRequest, mac{}, n.addr)
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

// unreachable reports a packet whose next hop cannot be reached. RFC 1812, Section 5.2.7.1.
func (i *iface) unreachable(o outgoing, why reason) {
	i.r.drop(why, o.packet())
	if o.in != nil {
		i.r.icmpError(icmpUnreachable, codeHost, 0, o.packet())
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

// receiveARP is the packet reception of RFC 826.
func (i *iface) receiveARP(b []byte) {
	if len(b) < arpLen || [6]byte(b) != [6]byte{0, 1, etherTypeIPv4 >> 8, etherTypeIPv4 & 0xff, 6, 4} {
		i.r.dropBytes(malformedARP, b)
		return
	}
	op := binary.BigEndian.Uint16(b[6:])
	from, sender, target := mac(b[8:14]), netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	probe := op == arpRequest && sender.IsUnspecified() // RFC 5227, Section 2.1.1: answered, never noted
	switch {
	case op != arpRequest && op != arpReply || from.group() || from == mac{}:
		i.r.dropBytes(malformedARP, b)
		return
	case sender == i.addr:
		i.r.dropBytes(addressConflict, b)
		return
	case !probe && (!i.prefix.Contains(sender) || broadcastOf(i.prefix, sender)):
		i.r.dropBytes(foreignARP, b)
		return
	}
	n := i.neighbours[sender]
	if n == nil && target == i.addr && !probe {
		n = i.addNeighbour(sender)
	}
	if n != nil {
		i.learn(n, from)
	}
	if target == i.addr && op == arpRequest {
		i.r.counters.ARPReplies++
		i.sendARP(from, arpReply, from, sender)
	}
}

func (i *iface) sendARP(to mac, op uint16, targetMAC mac, target netip.Addr) {
	from := i.port.MAC()
	frame := make([]byte, etherHeader, etherHeader+arpLen)
	frame = append(frame, 0, 1, etherTypeIPv4>>8, etherTypeIPv4&0xff, 6, 4)
	frame = binary.BigEndian.AppendUint16(frame, op)
	frame = append(append(frame, from[:]...), i.addr.AsSlice()...)
	frame = append(append(frame, targetMAC[:]...), target.AsSlice()...)
	i.sendEther(to, etherTypeARP, frame, "")
}
