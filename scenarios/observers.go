package scenarios

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/natbox/observe"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// watch is an observer of a scenario at its place.
type watch struct {
	spec.PlacedObserver
	observe.Instrument
}

// Observe implements natbox.Observer.
func (w *watch) Observe(now time.Duration, c natbox.Crossing) { w.Instrument.Observe(now, c.Packet) }

// watchersOf makes the observers of a router.
func (l *lab) watchersOf(router string) (all []natbox.Observer, err error) {
	for _, o := range l.spec.Observers() {
		if o.Node != router || o.Queue != nil {
			continue
		}
		w, err := l.newWatch(o)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

func (l *lab) newWatch(o spec.PlacedObserver) (*watch, error) {
	record := func(b trace.Body) { l.world.Record(o.Node, b) }
	w := &watch{PlacedObserver: o}
	var err error
	switch {
	case o.Inspect != nil:
		c := observe.InspectorConfig{Name: o.Name, ESPNull: o.Inspect.ESPNull, CheckBits: o.Inspect.CheckBits, Record: record}
		for _, name := range o.Inspect.PatternNames() {
			p := o.Inspect.Patterns[name]
			proto, _ := spec.ProtocolNumber(p.Protocol)
			c.Patterns = append(c.Patterns, observe.Pattern{Name: name, Bytes: p.Sought(), Proto: proto, Port: uint16(p.Port)})
		}
		w.Instrument, err = observe.NewInspector(c)
	case o.Classify != nil:
		var classes observe.Classes
		for _, class := range o.Classify.Classes {
			classes = append(classes, l.classOf(class.Class))
		}
		w.Instrument = observe.NewClassifier(classes)
	case o.Account != nil:
		w.Instrument = observe.NewAccounting(observe.AccountingConfig{
			Name: o.Name, Active: o.Account.Active.Span(), Inactive: o.Account.Inactive.Span(), Cache: o.Account.Cache, Record: record,
		})
	case o.Probe != nil:
		w.Instrument = observe.NewProbe()
	}
	if err != nil {
		return nil, err
	}
	l.watches[o.Name] = w
	return w, nil
}

// classOf is a class of a scenario.
func (l *lab) classOf(c spec.Class) observe.Class {
	class := observe.Class{Name: c.Name}
	class.Proto, _ = spec.FirewallProtocol(c.Protocol)
	class.Port = uint16(c.Port)
	class.Src, class.Dst, class.Either = l.spec.ClassAddresses(c)
	if v, given, _ := spec.ParseDSCP(c.DSCP); given {
		class.DSCP = []uint8{v}
	}
	return class
}

// watchSegments shows the observers of segments what passes there. A frame that was lost on
// its sender's way has not.
func (l *lab) watchSegments() error {
	bySegment := map[string][]*watch{}
	for _, o := range l.spec.Observers() {
		if o.Node != "" {
			continue
		}
		w, err := l.newWatch(o)
		if err != nil {
			return err
		}
		bySegment[o.Segment] = append(bySegment[o.Segment], w)
	}
	if len(bySegment) == 0 {
		return nil
	}
	var decoder packetDecoder
	l.world.Tap(func(f sim.Frame) {
		all := bySegment[f.Segment]
		if len(all) == 0 || f.Lost != "" {
			return
		}
		if packet, _, ok := decoder.inside(f); ok {
			for _, w := range all {
				w.Instrument.Observe(f.At, packet)
			}
		}
	})
	return nil
}

// noted are the notes of an observer before and after a step.
type noted struct{ before, after observe.Notes }

// noted takes the notes of the observers that a step's expectations name: for the
// first time, or for the second.
func (s *stepRun) noted(before map[string]noted) map[string]noted {
	if s.spec.Expect == nil {
		return nil
	}
	all := map[string]noted{}
	for _, name := range slices.Sorted(maps.Keys(s.spec.Expect.Observed)) {
		now := s.lab.watches[name].Notes(s.lab.world.Now())
		if before == nil {
			all[name] = noted{before: now}
		} else {
			all[name] = noted{before[name].before, now}
		}
	}
	return all
}

// observed judges what an observer noted.
func (j *judgement) observed(field, name string, want spec.Observed, seen noted) {
	got := seen.after.Since(seen.before)
	count := func(key, words string, want *spec.Range, got uint64) {
		if want != nil {
			j.count(field+"."+key, name+": "+words, want, int64(got))
		}
	}
	counts, all := countsOf(got), got.Total()
	for _, kind := range slices.Sorted(maps.Keys(want.Packets)) {
		w := want.Packets[kind]
		count("packets."+kind, kind+" packets", &w, counts[kind].Packets)
	}
	for _, kind := range slices.Sorted(maps.Keys(want.Share)) {
		w, bytes := want.Share[kind], counts[kind].Bytes
		share := int64(bytes) * million / max(int64(all.Bytes), 1)
		j.add(w.Contains(share), field+".share."+kind, name+": share of "+kind, w.String(),
			fmt.Sprintf("%s, %d of %d bytes", spec.PercentRange{Min: share, Max: share}, bytes, all.Bytes), "")
	}
	var alerts uint64
	for _, a := range got.Alerts {
		alerts += a.Found
		if w, ok := want.Patterns[a.Pattern]; ok {
			count("patterns."+a.Pattern, "alerts for "+a.Pattern, &w, a.Found)
		}
	}
	count("alerts", "alerts", want.Alerts, alerts)
	count("read", "packets that it could read", want.Read, got.Read.Packets)
	count("unsure", "packets of which it is unsure", want.Unsure, got.Unsure.Packets)
	count("opaque", "packets that it could not read", want.Opaque, got.Opaque.Packets)
	count("esp-null", "flows of ESP found to be without encryption", want.ESPNull, got.NullFlows)
	count("esp-encrypted", "flows of ESP found to be encrypted", want.ESPEncrypted, got.SecretFlows)
	for _, l := range got.Lost {
		if w, ok := want.Dropped[l.Name]; ok {
			count("dropped."+l.Name, l.Name+" packets dropped", &w, l.Packets)
		}
	}
	count("queues", "queues in use", want.Queues, uint64(len(got.Queues)))
	count("records", "records of flows", want.Records, uint64(len(got.Records)))
	for i := range want.Flows {
		j.records(fmt.Sprintf("%s.flows[%d]", field, i), name, &want.Flows[i], got.Records)
	}
}

// countsOf are all counts of an observer by their names in scenarios.
func countsOf(n observe.Notes) map[string]observe.Count {
	all := map[string]observe.Count{}
	for _, c := range n.Counts {
		all[c.Name] = c.Count
	}
	for _, p := range n.Ports {
		all[serviceName(p.Service)] = p.Count
	}
	return all
}

func serviceName(s observe.Service) string {
	return fmt.Sprintf("%s/%d", ipsec.ProtoName(s.Proto), s.Port)
}

// records judges those records of accounting that fit.
func (j *judgement) records(field, name string, want *spec.FlowRecords, all []observe.Record) {
	proto, _ := spec.FirewallProtocol(want.Protocol)
	source, _ := j.in().spec.FirewallAddresses(want.Source)
	destination, _ := j.in().spec.FirewallAddresses(want.Destination)
	var sum observe.Count
	n := 0
	for i := range all {
		r := &all[i]
		within := func(prefixes []netip.Prefix, a netip.Addr) bool {
			return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
		}
		if proto != ipsec.ProtoAny && proto != r.Flow.Proto || !within(source, r.Flow.Src) || !within(destination, r.Flow.Dst) ||
			want.FromPort != nil && *want.FromPort != int(r.Flow.SrcPort) || want.ToPort != nil && *want.ToPort != int(r.Flow.DstPort) ||
			want.End != "" && want.End != r.End.String() {
			continue
		}
		n++
		sum.Packets, sum.Bytes = sum.Packets+r.Packets, sum.Bytes+r.Bytes
	}
	which := fmt.Sprintf("%s: records of %s", name, want.Words())
	if want.Records != nil {
		j.count(field+".records", which, want.Records, int64(n))
	}
	if want.Packets != nil {
		j.count(field+".packets", which+", packets", want.Packets, int64(sum.Packets))
	}
	if want.Bytes != nil {
		j.count(field+".bytes", which+", bytes", want.Bytes, int64(sum.Bytes))
	}
}
