package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// invariants judges what must hold over the whole run, the wire oracle's verdict first.
func (l *lab) invariants(steps []*stepRun) []result.Check {
	checks := []result.Check{l.oracle.check()}
	if l.idle || slices.ContainsFunc(steps, func(s *stepRun) bool { return !s.ended || s.beyondPeers() }) {
		return checks // the others are about all that the steps do
	}
	var begin window
	end := l.moment()
	for i, v := range l.spec.Invariants {
		j := &judgement{lab: l, path: fmt.Sprintf("$.invariants[%d]", i)}
		switch {
		case v.Wire != nil:
			j.path += ".wire"
			j.wireBetween(v.Wire, begin, end)
		case v.IKE != nil:
			j.path += ".ike"
			a, b := l.pair(v.IKE.Between)
			j.ike(&v.IKE.IKE, "", l.negotiations(begin, end, a, b))
		case v.Loss != nil:
			j.path += ".answers"
			j.count("lost", "requests without an answer", v.Loss.Lost, l.lost(steps, v.Loss.Between))
		case v.SAs != nil:
			j.path += ".sas"
			j.sas(v.SAs)
		case v.Counters != nil:
			host := v.Counters.Host
			j.counters("counters", host, v.Counters.Counters, esp.Counters{}, l.driverCounters(host))
		case v.IKECounters != nil:
			host := v.IKECounters.Host
			j.counters("ike-counters", host, v.IKECounters.IKECounters, ike.Statistics{}, l.ikeCounters(host))
		case v.FirewallCounters != nil:
			node := v.FirewallCounters.Node
			j.counters("firewall-counters", node, v.FirewallCounters.FirewallCounters, hosts.FirewallCounters{}, l.firewallCounters(node))
		case v.Observed != nil:
			w := l.watches[v.Observed.Observer]
			j.observed("observed", v.Observed.Observer, v.Observed.Observed, noted{after: w.Notes(l.world.Now())})
		case v.NAT != nil:
			j.nat("nat", v.NAT.Node, &v.NAT.NATExpect, natState{}, l.natState(v.NAT.Node))
		case v.Events != nil:
			j.eventsInOrder(v.Events, begin, end)
		case v.Never != nil:
			j.noEvents(v.Never, begin, end)
		}
		for _, c := range j.checks {
			c.Name = cmp.Or(v.Title, subject(v)) + ": " + c.Name
			checks = append(checks, c)
		}
	}
	return checks
}

// subject names what an untitled invariant is about.
func subject(v spec.Invariant) string {
	switch {
	case v.Wire != nil:
		return fmt.Sprintf("%s and %s", v.Wire.Between[0], v.Wire.Between[1])
	case v.IKE != nil:
		return fmt.Sprintf("%s and %s", v.IKE.Between[0], v.IKE.Between[1])
	case v.Loss != nil:
		return fmt.Sprintf("%s and %s", v.Loss.Between[0], v.Loss.Between[1])
	case v.Counters != nil:
		return v.Counters.Host
	case v.IKECounters != nil:
		return v.IKECounters.Host
	case v.FirewallCounters != nil:
		return v.FirewallCounters.Node
	case v.Observed != nil:
		return v.Observed.Observer
	case v.NAT != nil:
		return v.NAT.Node
	case v.Events != nil, v.Never != nil:
		return "the run"
	}
	return v.SAs.Host
}

func (l *lab) pair(between []string) (a, b party) {
	return l.partyOf("", between[0], 0, l.world.Now()), l.partyOf("", between[1], 0, l.world.Now())
}

func (j *judgement) wireBetween(want *spec.WireBetween, begin, end window) {
	a, b := j.lab.pair(want.Between)
	proto, _ := spec.ProtocolNumber(want.Protocol)
	t := j.lab.wire.tally(begin, end, a, b, proto, uint16(want.Port))
	if want.Protection != "" {
		j.add(t.protection() == want.Protection, "protection", "protection on the wire", want.Protection, t.protection(), t.complaint(want.Protection))
	}
	if want.Frames != nil {
		j.count("frames", "frames on the wire", want.Frames, int64(t.frames))
	}
}

// lost counts requests of the ping and udp steps between two nodes that were not answered.
func (l *lab) lost(steps []*stepRun, between []string) (n int64) {
	for _, s := range steps {
		if s.report == nil || s.spec.Ping == nil && s.spec.UDP == nil {
			continue
		}
		from, to := s.ends()
		if slices.Contains(between, from.name) && slices.Contains(between, to.name) {
			n += int64(s.report.Sent - s.report.Received)
		}
	}
	return n
}

// addedSA is an SA of the trace with the time at which it was added.
type addedSA struct {
	trace.SAAdded
	at time.Duration
}

func (j *judgement) sas(want *spec.SAsOn) {
	now, most := 0, 0
	var oldest time.Duration
	for _, sa := range j.lab.sas() {
		if sa.Node != want.Host {
			continue
		}
		end := j.lab.world.Now()
		if sa.Removed != nil {
			end = *sa.Removed
		}
		oldest = max(oldest, end-sa.Added)
	}
	for _, e := range j.lab.log.Events() {
		if e.Node != want.Host {
			continue
		}
		switch e.Body.(type) {
		case trace.SAAdded:
			now++
			most = max(most, now)
		case trace.SARemoved:
			now--
		}
	}
	if want.AtEnd != nil {
		j.count("at-end", "SAs at the end", want.AtEnd, int64(now))
	}
	if want.Simultaneous != nil {
		j.count("simultaneous", "SAs at one time", want.Simultaneous, int64(most))
	}
	if want.MaxAge != 0 {
		j.add(oldest <= want.MaxAge.Span(), "max-age", "the longest life of an SA", "<= "+want.MaxAge.String(), oldest.String(), "")
	}
}

// driverCounters are the statistics of a host's driver; those of a real peer nobody asks for.
func (l *lab) driverCounters(host string) esp.Counters {
	if h := l.hosts[host]; h != nil {
		return h.Counters()
	}
	return esp.Counters{}
}

// ikeCounters are the statistics of a host's IKE, likewise.
func (l *lab) ikeCounters(host string) ike.Statistics {
	if h := l.hosts[host]; h != nil {
		return h.IKEStatistics()
	}
	return ike.Statistics{}
}
