package scenarios

import (
	"time"

	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/natbox/fair"
	"github.com/ipseclab/ipseclab/natbox/observe"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// queuesOf makes the queues of a router, by segment.
func (l *lab) queuesOf(name string, n spec.Node) (all map[string]natbox.Queue, err error) {
	for _, ifc := range n.Interfaces {
		q := ifc.Queueing
		if q == nil {
			continue
		}
		c := fair.Config{Rate: int64(q.Rate), Queues: q.Queues, Threshold: q.Threshold, Limit: q.Limit}
		switch q.By() {
		case spec.FlowsAddresses:
			c.Flows = fair.Addresses
		case spec.FlowsSPI:
			c.Flows = fair.SPI
		case spec.FlowsDSCP:
			c.Flows = fair.DSCP
		case spec.FlowsNone:
			c.Flows = fair.One
		}
		for _, class := range q.Classes {
			c.Classes = append(c.Classes, fair.Class{Class: l.classOf(class.Class), Weight: class.Weight})
		}
		queue, err := fair.New(c)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = map[string]natbox.Queue{}
		}
		all[ifc.Segment] = queue
		if q.Name != "" {
			l.watches[q.Name] = &watch{Instrument: queue, PlacedObserver: spec.PlacedObserver{Name: q.Name, Queue: q, Node: name, Segment: ifc.Segment}}
		}
	}
	return all, nil
}

// marker sets the codepoints that a classifier names.
type marker struct {
	classes observe.Classes
	dscp    map[int]uint8 // by the place of the class
}

// Mark implements natbox.Marker.
func (m *marker) Mark(_ time.Duration, c natbox.Crossing) (uint8, bool) {
	v, ok := m.dscp[m.classes.Of(c.Packet)]
	return v, ok
}

// markersOf are the classifiers of a router that mark.
func (l *lab) markersOf(router string) (all []natbox.Marker) {
	for _, o := range l.spec.Observers() {
		if o.Node != router || o.Classify == nil {
			continue
		}
		m := &marker{dscp: map[int]uint8{}}
		for i, class := range o.Classify.Classes {
			m.classes = append(m.classes, l.classOf(class.Class))
			if v, given, _ := spec.ParseDSCP(class.Mark); given {
				m.dscp[i] = v
			}
		}
		if len(m.dscp) > 0 {
			all = append(all, m)
		}
	}
	return all
}
