package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// million is what a share of a spec.PercentRange is a part of.
const million = 1_000_000

// loss judges how many requests of a step nobody answered.
func (j *judgement) loss(count *spec.Range, share *spec.PercentRange) {
	r := j.step.report
	lost := int64(r.Sent - r.Received)
	if count != nil {
		j.count("lost", "requests without an answer", count, lost)
	}
	if share != nil {
		got := lost * million / max(int64(r.Sent), 1)
		j.add(share.Contains(got), "loss", "share of requests without an answer", share.String(),
			fmt.Sprintf("%s, %d of %d", spec.PercentRange{Min: got, Max: got}, lost, r.Sent), "")
	}
}

// throughput judges how fast a transfer was in virtual time.
func (j *judgement) throughput(want *spec.Range) {
	s := j.step
	took := s.end.at - s.begin.at
	if s.report.Err != nil || took <= 0 {
		j.add(false, "throughput", "bytes per second", want.String(), "the transfer did not end well", "")
		return
	}
	seconds := took.Seconds()
	j.count("throughput", "bytes per second", want, int64(float64(s.spec.Transfer.Bytes.Bytes())/seconds))
}

// overhead judges what IPsec added to each packet between the two nodes: the
// length of the packet inside is the sender's word, the length outside is read
// off the wire.
func (j *judgement) overhead(want *spec.Overhead) {
	l, s := j.in(), j.step
	from, to := s.ends()
	frames := l.wire.seen[s.begin.frames:s.end.frames]
	n := 0
	var least, most, inside, sum int64
	for _, e := range l.log.Events()[s.begin.events:s.end.events] {
		inner, ok := e.Body.(trace.Inner)
		if !ok {
			continue
		}
		i, ok := slices.BinarySearchFunc(frames, inner.Frame, func(s sighting, number int) int { return s.number - number })
		if !ok || !frames[i].protected() || frames[i].fragment || !l.wire.between(&frames[i], from, to) {
			continue
		}
		added := int64(frames[i].length - inner.Length)
		if n == 0 || added < least {
			least = added
		}
		if n == 0 || added > most {
			most = added
		}
		inside, sum = inside+int64(inner.Length), sum+added
		n++
	}
	const unseen = "no protected packet of the step was seen whole on the wire, with the packet inside it in the trace"
	for _, c := range []struct {
		field, name string
		want        *spec.Range
		got         int64
	}{
		{"least", "bytes added at least", want.Least, least},
		{"most", "bytes added at most", want.Most, most},
	} {
		switch {
		case c.want == nil:
		case n == 0:
			j.add(false, "overhead."+c.field, c.name, c.want.String(), "nothing", unseen)
		default:
			j.add(c.want.Contains(c.got), "overhead."+c.field, c.name, c.want.String(), fmt.Sprintf("%d, of %d packets", c.got, n), "")
		}
	}
	if share := want.Share; share != nil && n == 0 {
		j.add(false, "overhead.share", "share of bytes added", share.String(), "nothing", unseen)
	} else if share != nil {
		got := sum * million / inside
		j.add(share.Contains(got), "overhead.share", "share of bytes added", share.String(),
			fmt.Sprintf("%s, %d to %d bytes in %d packets", spec.PercentRange{Min: got, Max: got}, sum, inside, n), "")
	}
}

// gauges are the statistics that count what there is, not what happened.
var gauges = []string{
	"ActiveSAs", "OffloadedSAs", "PendingKeyOperations", "ActiveTunnels",
	"ActiveAcquire", "ActiveReceive", "AcquireHeapSize", "ReceiveHeapSize", "ISADBListSize", "ConnectionListSize",
	"States",
}

// counters judges how far statistics of a host moved: want is a spec.Counters with
// two esp.Counters, a spec.IKECounters with two ike.Statistics, or a
// spec.FirewallCounters with two hosts.FirewallCounters, whose fields have the same names.
func (j *judgement) counters(field, host string, want, before, after any) {
	if j.inside(field, "statistics", "as expected", host) {
		return
	}
	wanted, was, is := reflect.ValueOf(want), reflect.ValueOf(before), reflect.ValueOf(after)
	for i := range wanted.NumField() {
		bounds := wanted.Field(i).Interface().(*spec.Range)
		if bounds == nil {
			continue
		}
		f := wanted.Type().Field(i)
		number := func(v reflect.Value) int64 {
			if v = v.FieldByName(f.Name); v.CanInt() {
				return v.Int()
			}
			return int64(v.Uint())
		}
		got := number(is)
		if !slices.Contains(gauges, f.Name) {
			got -= number(was)
		}
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		j.count(field+"."+key, fmt.Sprintf("%s at %s", key, host), bounds, got)
	}
}

// statistics are the counters of a host, which begin anew when it is restarted.
type statistics struct {
	driver   esp.Counters
	ike      ike.Statistics
	restarts int
	starts   int // of the policy agent, with which those of IKE begin anew
}

// since are the counters from which later ones have moved.
func (s statistics) since(later statistics) statistics {
	switch {
	case s.restarts != later.restarts:
		return statistics{}
	case s.starts != later.starts:
		s.ike = ike.Statistics{}
	}
	return s
}

func statisticsOf(h *hosts.Host) statistics {
	return statistics{h.Counters(), h.IKEStatistics(), h.Restarts(), h.AgentStarts()}
}

// statistics are the counters of the hosts that a step's expectations name.
func (s *stepRun) statistics() map[string]statistics {
	if s.spec.Expect == nil || len(s.spec.Expect.Counters)+len(s.spec.Expect.IKECounters) == 0 {
		return nil
	}
	now := map[string]statistics{}
	for _, host := range slices.Concat(slices.Sorted(maps.Keys(s.spec.Expect.Counters)), slices.Sorted(maps.Keys(s.spec.Expect.IKECounters))) {
		if h := s.lab.hosts[host]; h != nil { // a real peer shows none
			now[host] = statisticsOf(h)
		}
	}
	return now
}

// saCounts judges how many SAs hosts had during the step.
func (j *judgement) saCounts(want map[string]spec.SACount) {
	s := j.step
	events := j.in().log.Events()
	for _, host := range slices.Sorted(maps.Keys(want)) {
		now := 0
		count := func(events []trace.Event, each func()) {
			for _, e := range events {
				if e.Node != host {
					continue
				}
				switch e.Body.(type) {
				case trace.SAAdded:
					now++
				case trace.SARemoved:
					now--
				default:
					continue
				}
				each()
			}
		}
		count(events[:s.begin.events], func() {})
		most, fewest := now, now
		count(events[s.begin.events:s.end.events], func() { most, fewest = max(most, now), min(fewest, now) })
		w := want[host]
		for _, c := range []struct {
			field, name string
			want        *spec.Range
			got         int
		}{
			{"most", "SAs at one time", w.Most, most},
			{"fewest", "SAs at the fewest", w.Fewest, fewest},
			{"at-end", "SAs at the end", w.AtEnd, now},
		} {
			if c.want != nil {
				j.count("sas."+host+"."+c.field, c.name+" on "+host, c.want, int64(c.got))
			}
		}
	}
}

// eventsInOrder judges whether events came in the order of the list: each is
// the first that fits behind the one before it.
func (j *judgement) eventsInOrder(want []spec.Event, begin, end window) {
	field := "events"
	events := j.in().log.Events()[begin.events:end.events]
	var first, last time.Duration
	for i := range want {
		at := slices.IndexFunc(events, func(e trace.Event) bool { return fits(&want[i], e) })
		if at < 0 {
			got := fmt.Sprintf("%d of %d", i, len(want))
			reason := fmt.Sprintf("the trace has no %s", words(&want[i]))
			if i > 0 {
				reason += fmt.Sprintf(" after %s, which came at %s", words(&want[i-1]), last)
			}
			j.add(false, fmt.Sprintf("%s[%d]", field, i), "events in order", fmt.Sprint(len(want)), got, reason)
			return
		}
		if last = events[at].At; i == 0 {
			first = last
		}
		events = events[at+1:]
	}
	j.add(true, field, "events in order", fmt.Sprint(len(want)), fmt.Sprintf("%d, from %s to %s", len(want), first, last), "")
}

// noEvents judges that nothing of the list came.
func (j *judgement) noEvents(unwanted []spec.Event, begin, end window) {
	events := j.in().log.Events()[begin.events:end.events]
	for i := range unwanted {
		at := slices.IndexFunc(events, func(e trace.Event) bool { return fits(&unwanted[i], e) })
		got, reason := "none", ""
		if at >= 0 {
			got = fmt.Sprintf("one at %s", events[at].At)
			reason = fmt.Sprintf("the trace has a %s at %s", words(&unwanted[i]), events[at].At)
		}
		j.add(at < 0, fmt.Sprintf("never[%d]", i), "never", words(&unwanted[i]), got, reason)
	}
}

// fits reports whether an event is one that is wanted.
func fits(want *spec.Event, e trace.Event) bool {
	if e.Body.Kind() != want.Kind || want.Node != "" && want.Node != e.Node {
		return false
	}
	if len(want.With) == 0 && want.Contains == "" {
		return true
	}
	fields := trace.Fields(e.Body)
	for _, name := range slices.Sorted(maps.Keys(want.With)) {
		if got, ok := trace.FieldAt(fields, name); !ok || text(got) != string(want.With[name]) {
			return false
		}
	}
	return want.Contains == "" || holds(fields, want.Contains)
}

// text is a plain value of an event as a scenario writes it; empty for a list or a mapping.
func text(v any) string {
	switch v.(type) {
	case nil, []any, map[string]any:
		return ""
	}
	return fmt.Sprint(v)
}

// holds reports whether some text below v contains the phrase.
func holds(v any, phrase string) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return holds(e, phrase) })
	case map[string]any:
		return slices.ContainsFunc(slices.Sorted(maps.Keys(v)), func(name string) bool { return holds(v[name], phrase) })
	}
	return strings.Contains(text(v), phrase)
}

// words describe a wanted event.
func words(e *spec.Event) string {
	var b strings.Builder
	b.WriteString(e.Kind)
	if e.Node != "" {
		b.WriteString(" on " + e.Node)
	}
	for _, name := range slices.Sorted(maps.Keys(e.With)) {
		fmt.Fprintf(&b, ", %s %s", name, cmp.Or(string(e.With[name]), `""`))
	}
	if e.Contains != "" {
		fmt.Fprintf(&b, ", containing %q", e.Contains)
	}
	return b.String()
}
