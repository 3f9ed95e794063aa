package spec

import (
	"slices"
	"strings"
)

// subjectNames are the YAML keys of what an invariant can be about.
var subjectNames = []string{"wire", "ike", "answers", "sas", "counters", "ike-counters", "firewall-counters", "nat", "observed", "events", "never"}

func (c *checker) invariant(path string, v *Invariant) {
	subjects := slices.DeleteFunc(present(v), func(key string) bool { return key == "title" })
	if len(subjects) > 1 {
		c.at(path, "an invariant has one subject, and this one has %s: make %d of it", strings.Join(subjects, " and "), len(subjects))
		return
	}
	switch {
	case v.Wire != nil:
		c.wireBetween(child(path, "wire"), v.Wire)
	case v.IKE != nil:
		path := child(path, "ike")
		c.pair(path, v.IKE.Between)
		c.limited(path, v.IKE, "main-modes, quick-modes, failed, retransmits, reason, messages or key-exchanges", "between")
	case v.Loss != nil:
		path := child(path, "answers")
		c.pair(path, v.Loss.Between)
		c.limited(path, v.Loss, "lost", "between")
	case v.SAs != nil:
		c.sasOn(child(path, "sas"), v.SAs)
	case v.Counters != nil:
		c.countersOn(child(path, "counters"), v.Counters)
	case v.IKECounters != nil:
		c.ikeCountersOn(child(path, "ike-counters"), v.IKECounters)
	case v.FirewallCounters != nil:
		c.firewallCountersOn(child(path, "firewall-counters"), v.FirewallCounters)
	case v.Observed != nil:
		c.observedBy(child(path, "observed"), v.Observed)
	case v.NAT != nil:
		c.natOn(child(path, "nat"), v.NAT)
	case v.Events != nil:
		c.events(child(path, "events"), v.Events)
	case v.Never != nil:
		c.events(child(path, "never"), v.Never)
	default:
		for _, key := range subjectNames {
			if c.unknown(child(path, key)) {
				return
			}
		}
		c.missing(path, "wire", "an invariant needs a subject: wire, ike, answers, sas, counters, ike-counters, firewall-counters, nat, observed, events or never")
	}
}

// pair checks the two hosts after between.
func (c *checker) pair(path string, names []string) {
	at := child(path, "between")
	switch {
	case len(names) == 0 && !c.given(at):
		c.missing(path, "between", "%s: there is no between: two hosts, as in [alice, bob]", path[strings.LastIndexByte(path, '.')+1:])
		return
	case len(names) != 2:
		c.at(at, "between: want two hosts, as in [alice, bob], got %d", len(names))
	case names[0] == names[1]:
		c.at(at, "between: both are %s", shorten(names[0]))
	}
	for i, name := range names {
		switch at := item(at, i); {
		case c.s.Nodes[name].Router() || c.s.Nodes[name].Attacker():
			c.at(at, "between: %s is %s: it begins and ends nothing", name, article(c.s.Nodes[name].Kind()))
		case !slices.Contains(c.hosts(), name) && !c.unknown("$.nodes"):
			c.at(at, "between: no host is called %q%s", shorten(name), Suggest(name, c.hosts()))
		}
	}
}

// limited checks that something besides the subject's own keys is set.
func (c *checker) limited(path string, v any, want string, own ...string) {
	if slices.ContainsFunc(present(v), func(key string) bool { return !slices.Contains(own, key) }) {
		return
	}
	key := strings.Fields(strings.ReplaceAll(want, ",", ""))[0]
	c.missing(path, key, "%s: nothing is demanded: give it %s", path[strings.LastIndexByte(path, '.')+1:], want)
}

func (c *checker) wireBetween(path string, w *WireBetween) {
	c.pair(path, w.Between)
	c.protection(path, w.Protection)
	protocol, ok := c.protocol(path, w.Protocol)
	if w.Port != 0 {
		c.port(path, "port", w.Port)
		if ok && !hasPorts(protocol) {
			c.at(child(path, "port"), "port: ports need protocol: tcp or udp, and this is %s", or(w.Protocol, "any"))
		}
	}
	c.limited(path, w, "protection or frames", "between", "protocol", "port")
}

func (c *checker) sasOn(path string, s *SAsOn) {
	if s.Host == "" {
		c.missing(path, "host", "sas: there is no host")
	} else {
		c.host(path, "host", s.Host)
	}
	c.span(path, "max-age", s.MaxAge)
	c.limited(path, s, "at-end, simultaneous or max-age", "host")
}
