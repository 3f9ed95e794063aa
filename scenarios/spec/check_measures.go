package spec

import (
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// anywhere are the expectations that fit every verb: they are about hosts, not
// about the traffic of the step.
var anywhere = []string{"counters", "ike-counters", "firewall-counters", "nat", "sas", "certificates", "observed", "events", "never"}

// measures checks the expectations that are numbers of hosts and packets.
func (c *checker) measures(path string, e *Expect) {
	if e.Overhead != nil {
		c.nothing(child(path, "overhead"), e.Overhead)
	}
	for _, host := range sorted(e.Counters) {
		at := child(path, "counters")
		c.hostKey(at, host)
		v := e.Counters[host]
		c.nothing(child(at, host), &v)
	}
	for _, host := range sorted(e.IKECounters) {
		at := child(path, "ike-counters")
		c.hostKey(at, host)
		v := e.IKECounters[host]
		c.nothing(child(at, host), &v)
	}
	for _, node := range sorted(e.NAT) {
		v := e.NAT[node]
		c.natExpect(child(path, "nat"), node, &v)
	}
	for _, node := range sorted(e.FirewallCounters) {
		at := child(path, "firewall-counters")
		c.firewallKey(at, node)
		v := e.FirewallCounters[node]
		c.nothing(child(at, node), &v)
	}
	for _, host := range sorted(e.SAs) {
		at := child(path, "sas")
		c.hostKey(at, host)
		v := e.SAs[host]
		c.nothing(child(at, host), &v)
	}
	for _, host := range sorted(e.Certificates) {
		at := child(path, "certificates")
		c.hostKey(at, host)
		v := e.Certificates[host]
		if !c.nothing(child(at, host), &v) {
			c.storeExpect(child(at, host), &v)
		}
	}
	c.observed(child(path, "observed"), e.Observed)
	c.events(child(path, "events"), e.Events)
	c.events(child(path, "never"), e.Never)
}

// hostKey checks that a key names a host.
func (c *checker) hostKey(path, name string) {
	switch at := child(path, name); {
	case c.s.Nodes[name].Router() || c.s.Nodes[name].Attacker():
		c.key(at, "%s is %s and has no IPsec", name, article(c.s.Nodes[name].Kind()))
	case !slices.Contains(c.hosts(), name) && !c.unknown("$.nodes"):
		c.key(at, "no host is called %q%s", shorten(name), Suggest(name, c.hosts()))
	}
}

func (c *checker) events(path string, events []Event) {
	key := path[strings.LastIndexByte(path, '.')+1:]
	if len(events) == 0 && c.given(path) {
		c.at(path, "%s: the list is empty: it would hold of every run", key)
	}
	kinds := trace.Kinds()
	for i := range events {
		at, e := item(path, i), &events[i]
		switch {
		case e.Kind == "":
			c.missing(at, "kind", "%s: there is no kind, such as sa.added", key)
		case !slices.Contains(kinds, e.Kind):
			c.at(child(at, "kind"), "%s: no event is of kind %q%s", key, shorten(e.Kind), Suggest(e.Kind, kinds))
		default:
			for _, name := range sorted(e.With) {
				if !trace.HasField(e.Kind, name) {
					c.key(child(child(at, "with"), name), "%s: %s has no %q%s", key, e.Kind, shorten(name), Suggest(name, trace.FieldNames(e.Kind)))
				}
			}
		}
		if e.Node != "" {
			c.defined(at, "node", e.Node, "node", "$.nodes", sorted(c.s.Nodes))
		}
	}
}

func (c *checker) countersOn(path string, v *CountersOn) {
	if v.Host == "" {
		c.missing(path, "host", "counters: there is no host")
	} else {
		c.host(path, "host", v.Host)
	}
	c.limited(path, v, "bad-spi, replayed, policy-drops or another counter", "host")
}

func (c *checker) ikeCountersOn(path string, v *IKECountersOn) {
	if v.Host == "" {
		c.missing(path, "host", "ike-counters: there is no host")
	} else {
		c.host(path, "host", v.Host)
	}
	c.limited(path, v, "negotiation-failures, invalid-cookies, key-additions or another counter of IKE", "host")
}
