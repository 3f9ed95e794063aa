package spec

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Bounds of what a step may ask for, so that a slip of the pen cannot run for a day.
const (
	maxCount    = 1_000_000
	maxInFlight = 10_000
	maxDatagram = 65507    // bytes of ICMP or UDP payload in the largest IP packet, RFC 791 and RFC 768
	maxMessage  = 16 << 20 // bytes of a request or response
	maxTransfer = 4 << 30  // bytes
)

func (c *checker) steps() {
	if len(c.s.Steps) == 0 {
		c.missing("$", "steps", "the scenario has no steps: nothing happens in it")
	}
	var end time.Duration
	for i := 0; i < len(c.s.Steps) && !c.full(); i++ {
		path, s, mistakes := item("$.steps", i), &c.s.Steps[i], len(c.errs)
		if c.step(path, s); len(c.errs) > mistakes || end > maxDuration {
			continue
		}
		if end = s.after(end); end > maxDuration {
			c.at(path, "the steps up to this one take longer than %s together", formatDuration(maxDuration))
		}
	}
}

// after is when, at the earliest, the step after this one begins if this one begins no sooner than now.
func (s *Step) after(now time.Duration) time.Duration {
	now = max(now, s.At.Span())
	switch {
	case s.Background:
		return now
	case s.Ping != nil:
		return now + time.Duration(max(s.Ping.Count-1, 0))*s.Ping.Gap()
	case s.Raw != nil:
		return now + time.Duration(s.Raw.Datagrams())*s.Raw.Gap()
	case s.Announce != nil:
		return now + time.Duration(max(s.Announce.Count-1, 0))*s.Announce.Gap()
	case s.UDP != nil:
		return now + time.Duration(max(s.UDP.Count-1, 0))*s.UDP.Gap()
	case s.RestartHost != nil:
		return now + s.RestartHost.Boots()
	}
	if r := s.repeat(); r != nil {
		return now + time.Duration(max(r.Count-1, 0))*r.Gap() + r.Watching()
	}
	return now + s.Wait.Span()
}

func (c *checker) step(path string, s *Step) {
	c.span(path, "at", s.At)
	c.span(path, "wait", s.Wait)
	if s.Pairs != nil {
		c.at(child(path, "pairs"), "pairs: they are for files: make a step for each two hosts")
	}
	switch set := s.verbs(); {
	case len(set) > 1:
		c.at(path, "a step has one verb, and this one has %s: make %d steps of it", strings.Join(set, " and "), len(set))
	case len(set) == 0 && c.given(child(path, "wait")):
		c.at(child(path, "wait"), "wait: no time to wait: give it more than 0s")
	case len(set) == 0 && !c.unread(path):
		c.at(path, "a step needs a verb: %s or %s", strings.Join(verbNames[:len(verbNames)-1], ", "), verbNames[len(verbNames)-1])
	}
	switch {
	case s.Ping != nil:
		c.ping(child(path, "ping"), s.Ping)
	case s.Connect != nil:
		c.connect(child(path, "connect"), s.Connect)
	case s.Transfer != nil:
		c.transfer(child(path, "transfer"), s.Transfer)
	case s.UDP != nil:
		c.udp(child(path, "udp"), s.UDP)
	case s.Raw != nil:
		c.raw(child(path, "raw"), s.Raw)
	case s.Announce != nil:
		c.announce(child(path, "announce"), s.Announce)
	case s.Scan != nil:
		c.scan(child(path, "scan"), s.Scan)
	case s.Discover != nil:
		c.discover(child(path, "discover"), s.Discover)
	case s.Enrol != nil:
		c.enrol(child(path, "enrol"), s.Enrol)
	case s.FetchList != nil:
		c.fetchList(child(path, "fetch-list"), s.FetchList)
	case s.Netsh != nil:
		c.netsh(child(path, "netsh"), s.Netsh)
	case s.SetLink != nil:
		c.setLink(child(path, "set-link"), s.SetLink)
	case s.NAT != nil:
		c.natStep(child(path, "nat"), s.NAT)
	case s.SetFirewall != nil:
		c.setFirewall(child(path, "set-firewall"), s.SetFirewall)
	case s.SetHostFirewall != nil:
		c.setHostFirewall(child(path, "set-host-firewall"), s.SetHostFirewall)
	case s.AssignPolicy != nil:
		c.assignPolicy(child(path, "assign-policy"), s.AssignPolicy)
	case s.RestartHost != nil:
		c.restartHost(child(path, "restart-host"), s.RestartHost)
	case s.PolicyAgent != nil:
		c.policyAgent(child(path, "policy-agent"), s.PolicyAgent)
	case s.StorePolicy != nil:
		c.storePolicy(child(path, "store-policy"), s.StorePolicy)
	case s.SetAddress != nil:
		c.setAddress(child(path, "set-address"), s.SetAddress)
	case s.IPConfig != nil:
		c.ipconfig(child(path, "ipconfig"), s.IPConfig)
	case s.SetServers != nil:
		c.setServers(child(path, "set-servers"), s.SetServers)
	case s.SetName != nil:
		c.setName(child(path, "set-name"), s.SetName)
	case s.Run != nil:
		c.run(child(path, "run"), s.Run)
	default:
		c.attack(path, s)
	}
	if s.Expect != nil {
		c.expect(child(path, "expect"), s)
	}
}

// given reports whether the file has something at exactly this path.
func (c *checker) given(path string) bool {
	return c.s.src != nil && c.s.src.keys[path] != (position{})
}

// unread reports whether the step has a verb that could not be read.
func (c *checker) unread(path string) bool {
	if c.flawed[path] {
		return true
	}
	for _, verb := range verbNames {
		if c.unknown(child(path, verb)) {
			return true
		}
	}
	return false
}

// ends checks from and to of a verb that sends traffic. Applications run on
// hosts only, but a router answers to ping, and a NAT box may have published a server.
func (c *checker) ends(path, from, to string, router bool) {
	verb := path[strings.LastIndexByte(path, '.')+1:]
	if from == "" {
		c.missing(path, "from", "%s: there is no from: the host that begins", verb)
	} else {
		c.host(path, "from", from)
	}
	if to == "" {
		c.missing(path, "to", "%s: there is no to: a node or an address", verb)
		return
	}
	if c.unknown("$.nodes") || c.unknown(child(path, "to")) {
		return
	}
	if c.s.Nodes[to].Attacker() {
		c.at(child(path, "to"), "to: %s is an attacker, and answers nothing", to)
		return
	}
	if c.s.knowsName(to) {
		return
	}
	a, err := c.s.Destination(from, to)
	if err != nil {
		if _, ok := c.s.Nodes[to]; !ok || len(c.s.NodeAddrs(to)) > 0 { // else it is reported with the node
			c.at(child(path, "to"), "to: %s", err)
		}
		return
	}
	target, ok := c.s.NodeOf(from, to)
	switch {
	case !ok && c.s.Later(a):
	case !ok:
		c.at(child(path, "to"), "to: no node has the address %s%s", a, Suggest(to, c.known()))
	case target == from:
		c.at(child(path, "to"), "to: from and to are both %s: nothing would reach the network", from)
	case c.s.Nodes[target].Router() && c.s.Nodes[target].NAT == nil && !router:
		c.at(child(path, "to"), "to: %s is a router, and routers have no applications", target)
	}
}

// host checks that a word names a host.
func (c *checker) host(path, key, word string) bool {
	if n, ok := c.s.Nodes[word]; ok && (n.Router() || n.Attacker()) {
		c.at(child(path, key), "%s: %s is %s, not a host", key, word, article(n.Kind()))
		return false
	}
	if a, err := netip.ParseAddr(word); err == nil {
		if name, ok := c.s.NodeAt(a); ok {
			c.at(child(path, key), "%s: want a host by its name: %s is %s", key, a, name)
			return false
		}
	}
	return c.defined(path, key, word, "host", "$.nodes", c.hosts())
}

// repeated checks count, interval, size and timeout of ping and udp.
func (c *checker) repeated(path string, count int, interval time.Duration, size int, timeout Duration) {
	c.between(path, "count", count, 0, maxCount)
	c.between(path, "size", size, 0, maxDatagram)
	c.span(path, "interval", Duration(interval))
	c.span(path, "timeout", timeout)
	if count > 1 && interval > maxDuration/time.Duration(count) {
		c.at(child(path, "count"), "count: %d times %s is longer than %s", count, formatDuration(interval), formatDuration(maxDuration))
	}
}

func (c *checker) ping(path string, p *Ping) {
	c.ends(path, p.From, p.To, true)
	c.repeated(path, p.Count, p.Gap(), p.Size, p.Timeout)
	c.between(path, "ttl", p.TTL, 0, 255)
}

func (c *checker) connect(path string, p *Connect) {
	c.ends(path, p.From, p.To, false)
	c.destinationPort(path, p.Port)
	if p.FromPort != 0 {
		c.port(path, "from-port", p.FromPort)
	}
	c.between(path, "request", p.Request, 0, maxMessage)
	c.between(path, "response", p.Response, 0, maxMessage)
	c.dscp(path, "dscp", p.DSCP)
	c.span(path, "timeout", p.Timeout)
}

// destinationPort checks a port that must be there. That a node listens on it is not asked: being refused is a test too.
func (c *checker) destinationPort(path string, port int) {
	if port == 0 && !c.given(child(path, "port")) {
		c.missing(path, "port", "%s: there is no port", path[strings.LastIndexByte(path, '.')+1:])
		return
	}
	c.port(path, "port", port)
}

func (c *checker) transfer(path string, t *Transfer) {
	c.ends(path, t.From, t.To, false)
	c.destinationPort(path, t.Port)
	switch {
	case t.Bytes == 0 && !c.given(child(path, "bytes")):
		c.missing(path, "bytes", "transfer: there are no bytes: say how many")
	case t.Bytes < 1 || t.Bytes > maxTransfer:
		c.at(child(path, "bytes"), "bytes: %s is not from 1 to %s", t.Bytes, Size(maxTransfer))
	}
	c.dscp(path, "dscp", t.DSCP)
	c.span(path, "timeout", t.Timeout)
}

func (c *checker) udp(path string, u *UDP) {
	c.ends(path, u.From, u.To, false)
	c.destinationPort(path, u.Port)
	if u.FromPort != 0 {
		c.port(path, "from-port", u.FromPort)
	}
	c.repeated(path, u.Count, u.Gap(), u.Size, u.Timeout)
	c.between(path, "in-flight", u.InFlight, 0, maxInFlight)
	c.dscp(path, "dscp", u.DSCP)
	c.between(path, "grow", u.Grow, 0, maxDatagram)
	count := min(max(u.Count, 1), maxCount)
	if last := u.PayloadBytes() + (count-1)*u.Grow; u.Grow > 0 && u.Grow <= maxDatagram && last > maxDatagram {
		c.at(child(path, "grow"), "grow: the last of %d datagrams would have %d bytes, and a datagram has at most %d", count, last, maxDatagram)
	}
}

func (c *checker) setLink(path string, l *SetLink) {
	node, ok := c.s.Nodes[l.Node]
	switch {
	case l.Node == "":
		c.missing(path, "node", "set-link: there is no node")
	case !ok:
		c.defined(path, "node", l.Node, "node", "$.nodes", sorted(c.s.Nodes))
	case l.Segment == "" && len(node.Interfaces) > 1:
		c.missing(path, "segment", "set-link: %s has %d interfaces: say which segment is meant", l.Node, len(node.Interfaces))
	case l.Segment != "":
		var joined []string
		for _, i := range node.Interfaces {
			joined = append(joined, i.Segment)
		}
		if c.defined(path, "segment", l.Segment, "segment", "$.network", sorted(c.s.Network.Segments)) &&
			!slices.Contains(joined, l.Segment) {
			c.at(child(path, "segment"), "segment: %s has no interface on %s, only on %s", l.Node, l.Segment, strings.Join(joined, ", "))
		}
	}
	if len(present(&l.Link)) == 0 {
		c.missing(path, "latency", "set-link: nothing changes: give it one of %s", strings.Join(keysOf(reflect.TypeFor[Link]()), ", "))
	}
	c.link(path, &l.Link)
	for _, i := range node.Interfaces {
		if i.Segment == c.s.LinkSegment(l) && i.six() {
			c.linkMTU6(path, &l.Link)
		}
	}
}

func (c *checker) assignPolicy(path string, a *AssignPolicy) {
	if a.Host == "" {
		c.missing(path, "host", "assign-policy: there is no host")
	} else {
		c.host(path, "host", a.Host)
	}
	c.word(path, "location", a.Location, LocationLocal, LocationPersistent)
	if a.Place() == LocationPersistent {
		c.noPersistent(child(path, "location"), a.Host)
	}
	if !a.Unassigns() {
		c.noPolicy(child(path, "host"), "assign-policy", a.Host)
		c.assigned(path, "policy", a.Policy, PolicyNone)
	}
}
