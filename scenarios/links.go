package scenarios

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// segmentConfig is a segment of the file for the simulator.
func (l *lab) segmentConfig(g spec.Segment) sim.SegmentConfig {
	link := sim.LinkConfig{}
	l.impair(&link, &g.Impairments)
	medium := sim.Ethernet
	if g.PointToPoint() {
		medium = sim.PointToPoint
	}
	return sim.SegmentConfig{
		Medium: medium, Latency: g.Delay(), MTU: g.PacketSize(), Loss: g.Loss,
		Rate: link.Rate, Queue: link.Queue, Impairments: link.Impairments,
	}
}

// setLinks sets the links of a node as they are from the start.
func (l *lab) setLinks(node string) error {
	for i, ifc := range l.spec.Nodes[node].Interfaces {
		if ifc.Link == nil {
			continue
		}
		if _, err := l.setLink(node, ifc.Segment, ifc.Link); err != nil {
			return l.spec.Errorf(fmt.Sprintf("$.nodes.%s.interfaces[%d].link", node, i), "%v", err)
		}
	}
	return nil
}

// setLink changes what is given of the link between a node and a segment, and says
// what it is now.
func (l *lab) setLink(node, segment string, c *spec.Link) (now string, err error) {
	port := l.port(node, segment)
	link := port.Link()
	if c.Latency != nil {
		link.Latency = c.Latency.Span()
	}
	if c.Loss != nil {
		link.Loss = *c.Loss
	}
	if c.MTU != nil {
		link.MTU = *c.MTU
	}
	if c.Down != nil {
		link.Down = *c.Down
	}
	l.impair(&link, &c.Impairments)
	return linkWords(port.Name(), link), port.SetLink(link)
}

// port is where a node joins a segment.
func (l *lab) port(node, segment string) *sim.Port {
	for _, p := range l.segments[segment].Ports() {
		if p.Node() == node {
			return p
		}
	}
	return nil
}

func linkWords(name string, c sim.LinkConfig) string {
	if c.Down {
		return fmt.Sprintf("link %s: down", name)
	}
	words := []string{fmt.Sprintf("link %s: %s added latency, loss %g", name, c.Latency, c.Loss)}
	if c.Rate > 0 {
		words = append(words, spec.Rate(c.Rate).String())
	}
	if more := c.Impairments.String(); more != "" {
		words = append(words, more)
	}
	return strings.Join(words, ", ")
}

// impair sets what is given of the impairments.
func (l *lab) impair(c *sim.LinkConfig, i *spec.Impairments) {
	if i.Rate != nil {
		c.Rate = i.Rate.BitsPerSecond()
	}
	if i.Queue != nil {
		c.Queue = sim.Queue{Frames: i.Queue.Frames, Bytes: int(i.Queue.Bytes)}
	}
	if i.Jitter != nil {
		c.Impairments.Jitter = i.Jitter.Span()
	}
	if i.Duplicate != nil {
		c.Impairments.Duplicate = *i.Duplicate
	}
	if i.Corrupt != nil {
		c.Impairments.Corrupt = *i.Corrupt
	}
	if i.Reorder != nil {
		c.Impairments.Reorder, c.Impairments.ReorderBy = i.Reorder.Probability, i.Reorder.Delay.Span()
	}
	if i.Blackholes == nil {
		return
	}
	c.Impairments.Blackholes = nil
	for _, b := range i.Blackholes {
		c.Impairments.Blackholes = append(c.Impairments.Blackholes, l.selection(&b.FrameSelection, b.Direction))
	}
}

// ordinals are the bounds of a range that counts from 1; a last of 0 is none.
func ordinals(r *spec.Range) (first, last int) {
	first = int(max(r.Min, 1))
	if r.Max < math.MaxInt {
		last = int(r.Max)
	}
	return first, last
}

const etherTypeARP = 0x0806

// filter is a filter of the file for the simulator; spec has checked it.
func (l *lab) filter(f *spec.FrameFilter) sim.Filter {
	out := sim.Filter{
		Protocol: f.ProtocolNumber(), Source: l.frameAddress(f.Source), Destination: l.frameAddress(f.Destination),
		Port: uint16(f.Port), SourcePort: uint16(f.SourcePort), DestinationPort: uint16(f.DestinationPort),
	}
	out.Fragments = f.Fragments
	if f.Protocol == spec.ProtocolARP {
		out.EtherType = etherTypeARP
	}
	return out
}

func (l *lab) frameAddress(word string) netip.Prefix {
	if word == "" {
		return netip.Prefix{}
	}
	a, _ := l.spec.FilterAddress(word)
	return a.Prefix
}
