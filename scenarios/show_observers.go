package scenarios

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/natbox/fair"
	"github.com/ipseclab/ipseclab/natbox/observe"
)

// observersAt are the observers of a node or a segment; "" is all.
func (l *lab) observersAt(place string) (all []result.Observer) {
	for _, name := range slices.Sorted(maps.Keys(l.watches)) {
		w := l.watches[name]
		if place == "" || place == w.Node || w.Node == "" && place == w.Segment {
			all = append(all, l.observerResult(w))
		}
	}
	return all
}

// observerResult is an observer as evidence has it.
func (l *lab) observerResult(w *watch) result.Observer {
	n := w.Notes(l.world.Now())
	r := result.Observer{Name: w.Name, Kind: w.Kind(), Node: w.Node, Segment: w.Segment, Counts: counted(n.Counts), Dropped: counted(n.Lost)}
	for _, p := range n.Ports {
		r.Services = append(r.Services, count(serviceName(p.Service), p.Count))
	}
	if q, ok := w.Instrument.(*fair.Queue); ok {
		for _, of := range n.Queues {
			r.Queues = append(r.Queues, count(q.Name(of.Number), of.Count))
		}
	}
	if w.Inspect != nil {
		r.Reading = &result.Reading{
			Read: count("read", n.Read), Unsure: count("unsure", n.Unsure), Opaque: count("opaque", n.Opaque),
			ESPNull: n.NullFlows, ESPEncrypted: n.SecretFlows, Alerts: []result.Alert{},
		}
		for _, a := range n.Alerts {
			r.Reading.Alerts = append(r.Reading.Alerts, result.Alert(a))
		}
	}
	for _, f := range n.Records {
		r.Records = append(r.Records, result.Flow{
			Protocol: ipsec.ProtoName(f.Flow.Proto), Source: f.Flow.Src.String(), Destination: f.Flow.Dst.String(),
			SourcePort: f.Flow.SrcPort, DestinationPort: f.Flow.DstPort, Packets: f.Packets, Bytes: f.Bytes,
			First: f.First, Last: f.Last, End: f.End.String(),
		})
	}
	return r
}

func counted(all []observe.Named) (out []result.Count) {
	for _, c := range all {
		out = append(out, count(c.Name, c.Count))
	}
	return out
}

func count(name string, c observe.Count) result.Count {
	return result.Count{Name: name, Packets: c.Packets, Bytes: c.Bytes}
}

// observers prints what observers noted.
func (t *labelled) observers(all []result.Observer) {
	counts := func(title string, list []result.Count) {
		for _, c := range list {
			if c.Packets > 0 {
				t.line(title+c.Name, fmt.Sprintf("%d packets, %d bytes", c.Packets, c.Bytes))
			}
		}
	}
	for _, o := range all {
		t.title(fmt.Sprintf("Observer %s (%s)", o.Name, o.Kind))
		counts("", o.Counts)
		counts("Service ", o.Services)
		counts("Dropped, ", o.Dropped)
		counts("Queue, ", o.Queues)
		if r := o.Reading; r != nil {
			counts("Payload ", []result.Count{r.Read, r.Unsure, r.Opaque})
			t.line("Flows Of ESP Without Encryption", r.ESPNull)
			t.line("Flows Of Encrypted ESP", r.ESPEncrypted)
			for _, a := range r.Alerts {
				t.line("Alerts For "+a.Pattern, a.Found)
			}
		}
		for _, f := range o.Records {
			t.WriteByte('\n')
			t.line("Protocol", f.Protocol)
			t.line("Source", flowEnd(f.Source, f.SourcePort))
			t.line("Destination", flowEnd(f.Destination, f.DestinationPort))
			t.line("Traffic", fmt.Sprintf("%d packets, %d bytes", f.Packets, f.Bytes))
			t.line("First", f.First)
			t.line("Last", f.Last)
			t.some("Ended", f.End)
		}
	}
}

// flowEnd is an address with its port, where there is one.
func flowEnd(address string, port uint16) string {
	if port == 0 {
		return address
	}
	return fmt.Sprintf("%s port %d", address, port)
}
