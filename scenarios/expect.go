package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// judge compares a finished step with its expectations.
func (s *stepRun) judge() []result.Check {
	e := s.spec.Expect
	if e == nil {
		return nil
	}
	j := &judgement{step: s, path: s.path() + ".expect"}
	if e.Result != "" {
		j.equal("result", "result", e.Result, s.report.Result())
	}
	if e.Received != nil {
		j.count("received", "answers received", e.Received, int64(s.report.Received))
	}
	if e.Lost != nil || e.Loss != nil {
		j.loss(e.Lost, e.Loss)
	}
	if e.Silence != nil {
		got := s.report.Silence
		j.add(e.Silence.Contains(got), "silence", "the longest time without an answer", e.Silence.String(), got.String(), "")
	}
	if e.Latency != nil {
		j.latency(e.Latency)
	}
	if e.Wire != nil {
		j.wire(e.Wire)
		j.opened(e.Wire)
	}
	if e.SA != nil {
		j.sa(e.SA)
	}
	if e.Rule != nil {
		j.rule(e.Rule)
	}
	if e.App != nil {
		j.application(e.App)
	}
	if e.IKE != nil && !j.unheard() {
		from, to := s.ends()
		j.ike(e.IKE, ".ike", s.lab.negotiations(s.begin, s.end, from, to))
	}
	j.heardBy(e.Heard)
	if e.Ports != nil {
		j.ports(e.Ports)
	}
	if e.Discovered != nil {
		j.discovered(e.Discovered)
	}
	if e.Throughput != nil {
		j.throughput(e.Throughput)
	}
	if e.Overhead != nil {
		j.overhead(e.Overhead)
	}
	for _, host := range slices.Sorted(maps.Keys(e.Counters)) {
		j.counters("counters."+host, host, e.Counters[host], s.before[host].since(s.after[host]).driver, s.after[host].driver)
	}
	for _, host := range slices.Sorted(maps.Keys(e.IKECounters)) {
		j.counters("ike-counters."+host, host, e.IKECounters[host], s.before[host].since(s.after[host]).ike, s.after[host].ike)
	}
	for _, node := range slices.Sorted(maps.Keys(e.NAT)) {
		want := e.NAT[node]
		j.nat("nat."+node, node, &want, s.nats[node], s.natsAfter[node])
	}
	for _, node := range slices.Sorted(maps.Keys(e.FirewallCounters)) {
		j.counters("firewall-counters."+node, node, e.FirewallCounters[node], s.walls[node], s.wallsAfter[node])
	}
	for _, name := range slices.Sorted(maps.Keys(e.Observed)) {
		j.observed("observed."+name, name, e.Observed[name], s.notes[name])
	}
	j.printed(e)
	j.saCounts(e.SAs)
	for _, host := range slices.Sorted(maps.Keys(e.Certificates)) {
		j.certificates(host, e.Certificates[host], s.stored[host])
	}
	if e.Events != nil {
		j.eventsInOrder(e.Events, s.begin, s.end)
	}
	j.noEvents(e.Never, s.begin, s.end)
	return j.checks
}

// judgement collects the checks of one step or invariant.
type judgement struct {
	step   *stepRun
	lab    *lab
	path   string // of the expectations in the file
	checks []result.Check
}

func (j *judgement) in() *lab {
	if j.lab != nil {
		return j.lab
	}
	return j.step.lab
}

func (j *judgement) add(ok bool, field, name, want, got, reason string) {
	c := result.Check{
		Name: name + ": " + want, Outcome: result.Passed, Want: want, Got: got, Line: j.in().spec.Line(j.path + "." + field),
	}
	if !ok {
		c.Outcome = result.Failed
		c.Reason = cmp.Or(reason, fmt.Sprintf("want %s, got %s", want, got))
	}
	j.checks = append(j.checks, c)
}

func (j *judgement) equal(field, name, want, got string) {
	j.add(want == got, field, name, want, got, "")
}

func (j *judgement) count(field, name string, want *spec.Range, got int64) {
	j.add(want.Contains(got), field, name, want.String(), fmt.Sprint(got), "")
}

func (j *judgement) latency(want *spec.DurationRange) {
	r := j.step.report
	if len(r.Latency) == 0 {
		j.add(false, "latency", "latency", want.String(), "no answer", "")
		return
	}
	j.add(want.Contains(r.Latency[0]), "latency", "latency", want.String(), r.Latency[0].String(), "")
}

// wire judges what was seen of the step's traffic, IKE aside.
func (j *judgement) wire(want *spec.Wire) {
	s := j.step
	from, to := s.ends()
	proto, port := s.protocol()
	t := s.lab.wire.tally(s.begin, s.end, from, to, proto, port)
	if want.Protection != "" {
		j.add(t.protection() == want.Protection, "wire.protection", "protection on the wire", want.Protection, t.protection(), t.complaint(want.Protection))
	}
	if want.Data != "" {
		j.equal("wire.data", "applications' data on the wire", want.Data, t.data())
	}
	if want.Frames != nil {
		j.count("wire.frames", "frames on the wire", want.Frames, int64(t.frames))
	}
	if want.Bytes != nil {
		j.count("wire.bytes", "bytes on the wire", want.Bytes, t.bytes)
	}
	if want.Fragments != nil {
		j.count("wire.fragments", "fragments on the wire", want.Fragments, int64(t.fragments))
	}
}

// tally sums up what the observer saw between two nodes.
type tally struct {
	seen              map[string]int // frames on any segment, by their protection
	firstClear        int            // number of the first clear frame
	readable          bool           // an application's data stand in one of them
	frames, fragments int            // on the last segment of their way
	bytes             int64          // of the IP packets in them
	spis              []uint32       // from the first node to the second, of the outer SAs
	newest            *sighting      // the first frame under the last of these
}

// tally looks at the frames between the two nodes: protected ones, and clear
// ones of the protocol and server port (0: any).
func (o *observer) tally(begin, end window, a, b party, proto uint8, port uint16) tally {
	t := tally{seen: map[string]int{}}
	for i := range o.seen[begin.frames:end.frames] {
		s := &o.seen[begin.frames+i]
		if s.keying() || s.attacker {
			continue
		}
		there, back := o.way(s, a, b)
		if !there && !back {
			continue
		}
		if !s.protected() {
			if proto != ipsec.ProtoAny && s.proto != proto ||
				port != 0 && !s.hidden() && s.srcPort != port && s.dstPort != port {
				continue
			}
			if t.firstClear == 0 {
				t.firstClear = s.number
			}
		} else if s.first && there && !slices.Contains(t.spis, s.spi) {
			t.spis, t.newest = append(t.spis, s.spi), s
		}
		t.seen[s.protection()]++
		t.readable = t.readable || s.readable
		if s.arrives(a, b, there) {
			t.frames++
			t.bytes += int64(s.length)
			if s.fragment {
				t.fragments++
			}
		}
	}
	return t
}

// hidden reports a non-first fragment whose ports nobody has seen.
func (s *sighting) hidden() bool { return !s.first && s.srcPort == 0 && s.dstPort == 0 }

func (t tally) protection() string {
	switch kinds := slices.Sorted(maps.Keys(t.seen)); len(kinds) {
	case 0:
		return spec.WireNothing
	case 1:
		return kinds[0]
	}
	return spec.WireMixed
}

func (t tally) data() string {
	switch {
	case t.readable:
		return spec.DataReadable
	case len(t.seen) > 0:
		return spec.DataHidden
	}
	return spec.WireNothing
}

func (t tally) complaint(want string) string {
	var saw []string
	for _, kind := range slices.Sorted(maps.Keys(t.seen)) {
		saw = append(saw, fmt.Sprintf("%d %s", t.seen[kind], kind))
	}
	text := fmt.Sprintf("want %s, frames seen, on all segments together: %s", want, cmp.Or(strings.Join(saw, ", "), "none"))
	if t.firstClear > 0 {
		text += fmt.Sprintf(", the first clear one is frame %d", t.firstClear)
	}
	return text
}

// application judges what the listener at the far end saw.
func (j *judgement) application(want *spec.App) {
	s := j.step
	if s.listener == nil && s.far == nil {
		j.add(false, "application", "application", "a listener at the far end", "none", "no application listens at the far end: see the node's serves")
		return
	}
	for _, c := range []struct {
		field, name string
		want        *spec.Range
		got         int64
	}{
		{"syns", "connection requests that reached the application", want.SYNs, int64(s.seen.SYNs)},
		{"connections", "connections accepted", want.Connections, int64(s.seen.Connections)},
		{"datagrams", "datagrams received", want.Datagrams, int64(s.seen.Datagrams)},
		{"bytes", "bytes received", want.Bytes, s.seen.Bytes},
	} {
		switch {
		case c.want == nil:
		case c.field == "syns" && s.far != nil:
			j.unknown("application.syns", c.name, c.want.String(), s.far.peer.name+" is a real peer, and its applications see no connection requests")
		default:
			j.count("application."+c.field, c.name, c.want, c.got)
		}
	}
	if s.seen.Corrupt > 0 {
		j.add(false, "application", "application data", "intact", fmt.Sprintf("%d corrupt requests", s.seen.Corrupt), "")
	}
}

// talks counts what two nodes did in IKE during a window: datagrams from the
// wire, outcomes from the engines of both sides.
type talks struct {
	mainModes, quickModes, failed int
	messages, retransmits         int
	keyExchanges                  int // messages with a KE payload
	reasons                       []string
}

func (l *lab) negotiations(begin, end window, a, b party) talks {
	var t talks
	for _, e := range l.log.Events()[begin.events:end.events] {
		if m, ok := e.Body.(trace.IKEMessage); ok && (e.Node == a.name && b.named(m.Remote) || e.Node == b.name && a.named(m.Remote)) {
			isKE := func(f trace.Field) bool { return f.Name == "Key Exchange" }
			if m.Sent && m.Retransmit == 0 && slices.ContainsFunc(m.Payloads, isKE) {
				t.keyExchanges++
			}
		}
		n, ok := e.Body.(trace.Negotiation)
		if !ok || !(e.Node == a.name && b.named(n.Remote) || e.Node == b.name && a.named(n.Remote)) {
			continue
		}
		switch {
		case n.State == "failed":
			if !between(n.Exchange) { // else the main mode that it is part of fails too
				t.failed++
			}
			t.reasons = append(t.reasons, n.Reason)
		case n.State != "established" || n.Role != "initiator" && !l.realAmong(a, b):
		case n.Exchange == "quick mode":
			t.quickModes++
		case !between(n.Exchange): // main mode, or aggressive mode in its place
			t.mainModes++
		}
	}
	type sent struct {
		node    string
		payload uint64
	}
	before := map[sent]bool{}
	for i := range l.wire.seen[begin.frames:end.frames] {
		s := &l.wire.seen[begin.frames+i]
		if !s.isIKE() || !s.first || !l.wire.between(s, a, b) || s.node != a.name && s.node != b.name {
			continue
		}
		t.messages++
		k := sent{s.node, s.payload}
		if before[k] {
			t.retransmits++
		}
		before[k] = true
	}
	return t
}

// named reports whether an address, with or without a port, is the party's.
func (p party) named(endpoint string) bool {
	if a, err := netip.ParseAddrPort(endpoint); err == nil {
		return p.called(a.Addr())
	}
	a, err := netip.ParseAddr(endpoint)
	return err == nil && p.called(a)
}

// called reports whether others may know the party by an address.
func (p party) called(a netip.Addr) bool { return p.has(a) || slices.Contains(p.hiding, a) }

func (j *judgement) ike(want *spec.IKE, field string, t talks) {
	field = strings.TrimPrefix(field, ".")
	if field != "" {
		field += "."
	}
	for _, c := range []struct {
		field, name string
		want        *spec.Range
		got         int
	}{
		{"main-modes", "main modes established", want.MainModes, t.mainModes},
		{"quick-modes", "quick modes established", want.QuickModes, t.quickModes},
		{"failed", "negotiations failed", want.Failed, t.failed},
		{"messages", "IKE messages on the wire", want.Messages, t.messages},
		{"retransmits", "IKE messages repeated on the wire", want.Retransmits, t.retransmits},
		{"key-exchanges", "messages with a KE payload", want.KeyExchanges, t.keyExchanges},
	} {
		if c.want != nil {
			j.count(field+c.field, c.name, c.want, int64(c.got))
		}
	}
	if want.Reason != "" {
		ok := slices.ContainsFunc(t.reasons, func(r string) bool { return strings.Contains(r, want.Reason) })
		got := "no failure"
		if len(t.reasons) > 0 {
			got = strings.Join(slices.Compact(t.reasons), "; ")
		}
		j.add(ok, field+"reason", "reason of a failure", want.Reason, got, "")
	}
}

// age is how long ago, at a moment, something happened.
func (w window) age(t time.Duration) time.Duration { return w.at - t }
