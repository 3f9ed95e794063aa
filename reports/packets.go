package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// How many packets of a capture the report lists.
const (
	firstPackets = 500
	lastPackets  = 100
)

// packetRow is one frame of the capture.
type packetRow struct {
	Number   int
	At       string
	Segment  string
	Sender   string
	Summary  string
	Class    string
	Comment  string
	Inner    string // what is inside a protected frame
	Violates string // what the wire oracle says about it
}

// packetTable is the capture as a table.
type packetTable struct {
	Total   int
	First   []packetRow
	Omitted int // between First and Last
	Last    []packetRow
	Counts  []classCount
}

// classCount is how many frames of one kind a capture holds.
type classCount struct {
	Class string
	N     int
	Bytes int // of IP packets
}

// dataFrame is a frame of data traffic on its sender's own segment, for the ladder.
type dataFrame struct {
	at       time.Duration
	from, to string // IP addresses
	node     string // the sender; "": whoever has the address
	class    string
	length   int // bytes of the IP packet
}

// wire is what the capture tells, decoded once.
type wire struct {
	table packetTable
	data  []dataFrame
}

// readWire decodes the capture of the evidence. Every frame is counted; only
// the listed ones keep their text.
func readWire(ev *evidence) wire {
	var w wire
	names, owners := nodesByMAC(ev), ownersOf(ev)
	inner := innerPackets(ev.events)
	kind := classifier{map[uint32]string{}, map[fragmentKey]string{}, map[fragmentKey]string{}}
	violations := map[int]string{}
	attackers := map[int]string{} // who sent a frame in another's name
	for _, e := range ev.events {
		switch v := e.Body.(type) {
		case trace.Violation:
			violations[v.Frame] = fmt.Sprintf("%s must be protected by %s: %s", v.Packet, v.Rule, v.Why)
		case trace.Attack:
			attackers[v.Frame] = e.Node
		}
	}
	w.table.Total = len(ev.packets)
	w.table.Counts = []classCount{{Class: classESP}, {Class: classAH}, {Class: classIKE}, {Class: classAlive}, {Class: classClear}, {Class: classARP}, {Class: classND}, {Class: classOther}}
	for i, p := range ev.packets {
		d := decodeFrame(p.Data, p.Link)
		kind.fragments(&d)
		sender := names[d.mac]
		if p.Link == pcapng.LinkRaw { // no MAC address: the interface is called node:segment
			sender, _, _ = strings.Cut(p.Interface, ":")
		}
		if by := attackers[p.Number]; by != "" {
			sender = by
		}
		for k := range w.table.Counts {
			if c := &w.table.Counts[k]; c.Class == d.class {
				c.N++
				c.Bytes += d.length
			}
		}
		hidden, found := inner.of(p.Number, d)
		at := p.At.Sub(ev.Start)
		if f, ok := kind.frame(d, hidden, found, slices.Contains(owners[d.src], sender)); ok {
			f.at, f.node = at, sender
			w.data = append(w.data, f)
		}
		fromEnd := len(ev.packets) - i
		if i >= firstPackets && fromEnd > lastPackets {
			w.table.Omitted++
			continue
		}
		row := packetRow{
			Number: p.Number, At: clock(at), Segment: p.Interface, Sender: sender,
			Summary: d.summary, Class: d.class, Comment: p.Comment, Violates: violations[p.Number],
		}
		if sender == "" {
			row.Sender = d.mac
		}
		if found {
			row.Inner = innerSummary(hidden)
		}
		if i < firstPackets {
			w.table.First = append(w.table.First, row)
		} else {
			w.table.Last = append(w.table.Last, row)
		}
	}
	return w
}

// classifier says what kind of data traffic frames are. An ESP frame is of the
// kind of the packet inside; where the trace has none, of that of the last one
// of its SA, and a later fragment is of the kind of the first.
type classifier struct {
	sa       map[uint32]string
	fragment map[fragmentKey]string
	udp      map[fragmentKey]string // classes of datagrams in fragments that only the UDP header tells
}

type fragmentKey struct {
	src, dst string
	id       uint32
}

// fragments gives a later fragment of UDP the class of the first.
func (c *classifier) fragments(d *decoded) {
	key := fragmentKey{d.src, d.dst, d.id}
	switch {
	case d.proto != "udp":
	case d.later && c.udp[key] != "":
		d.class = c.udp[key]
	case d.later:
	case d.class != classClear:
		c.udp[key] = d.class
	default:
		delete(c.udp, key)
	}
}

// frame is the data traffic that a frame is; false for IKE, address resolution and copies that a router forwards.
func (c *classifier) frame(d decoded, hidden trace.Inner, found, own bool) (dataFrame, bool) {
	f := dataFrame{from: d.src, to: d.dst, length: d.length}
	if d.src == "" || !own {
		return f, false
	}
	switch d.class {
	case classClear:
		f.class = "clear " + d.proto
	case classESP, classAH:
		key := fragmentKey{d.src, d.dst, d.id}
		inside := c.sa[d.spi]
		if found {
			inside = decodeInner(hidden.Data).proto
			c.sa[d.spi] = inside
		}
		if d.later {
			inside = c.fragment[key]
		} else {
			c.fragment[key] = inside
		}
		f.class = d.class
		if inside != "" {
			f.class += " (" + inside + ")"
		}
	default:
		return f, false
	}
	return f, true
}

// innerIndex finds the packet inside a protected frame by the frame's number, and
// by SPI and sequence number for the copies that routers forward.
type innerIndex struct {
	number   map[int]trace.Inner
	sequence map[[2]uint32]trace.Inner
}

func innerPackets(events []trace.Event) innerIndex {
	x := innerIndex{map[int]trace.Inner{}, map[[2]uint32]trace.Inner{}}
	for _, e := range events {
		if in, ok := e.Body.(trace.Inner); ok {
			x.number[in.Frame] = in
			x.sequence[[2]uint32{in.SPI, uint32(in.Sequence)}] = in
		}
	}
	return x
}

func (x innerIndex) of(number int, d decoded) (trace.Inner, bool) {
	if in, ok := x.number[number]; ok {
		return in, true
	}
	if d.class != classESP || d.later {
		return trace.Inner{}, false
	}
	in, ok := x.sequence[[2]uint32{d.spi, d.sequence}]
	return in, ok
}

// innerSummary decodes an inner packet; what the trace says stands where that fails.
func innerSummary(in trace.Inner) string {
	if d := decodeInner(in.Data); d.src != "" {
		return d.summary
	}
	return fmt.Sprintf("%s, %d bytes", in.Packet, in.Length)
}

func nodesByMAC(ev *evidence) map[string]string {
	m := map[string]string{}
	for _, n := range ev.Nodes {
		for _, i := range n.Interfaces {
			m[i.MAC] = n.Name
		}
	}
	return m
}

// ownersOf are the nodes that have an address, without its prefix length: several where it
// means another one on each side of a NAT box.
func ownersOf(ev *evidence) map[string][]string {
	m := map[string][]string{}
	for _, n := range ev.Nodes {
		for _, i := range n.Interfaces {
			for _, a := range append([]string{i.Address}, i.Also...) {
				if a != "" { // an attacker has none
					m[bare(a)] = append(m[bare(a)], n.Name)
				}
			}
		}
	}
	return m
}

// nodesByAddress maps addresses to nodes, of several to the first.
func nodesByAddress(ev *evidence) map[string]string {
	m := map[string]string{}
	for a, nodes := range ownersOf(ev) {
		m[a] = nodes[0]
	}
	return m
}
