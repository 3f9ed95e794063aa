package spec

// maxQueue is the most frames that a scenario may let wait.
const maxQueue = 1_000_000

// link checks the settings of a link.
func (c *checker) link(path string, l *Link) {
	if l.Latency != nil {
		c.span(path, "latency", *l.Latency)
	}
	if l.Loss != nil {
		c.probability(path, "loss", *l.Loss)
	}
	if l.MTU != nil {
		c.between(path, "mtu", *l.MTU, minMTU, maxMTU)
	}
	c.impairments(path, &l.Impairments, true)
}

// impairments checks those of a link, or of a segment.
func (c *checker) impairments(path string, i *Impairments, link bool) {
	if i.Rate != nil && (*i.Rate < 0 || *i.Rate > maxRate) {
		c.at(child(path, "rate"), "rate: %d bits per second is not from 0bit to %s", *i.Rate, Rate(maxRate))
	}
	if q := i.Queue; q != nil {
		path := child(path, "queue")
		c.empty(path, q, "nothing is bounded")
		c.between(path, "frames", q.Frames, 0, maxQueue)
		if q.Bytes < 0 || q.Bytes > maxTransfer {
			c.at(child(path, "bytes"), "bytes: %d is not from 0 to %s", q.Bytes, Size(maxTransfer))
		}
	}
	if i.Jitter != nil {
		c.span(path, "jitter", *i.Jitter)
	}
	for _, p := range []struct {
		key string
		p   *float64
	}{{"duplicate", i.Duplicate}, {"corrupt", i.Corrupt}} {
		if p.p != nil {
			c.probability(path, p.key, *p.p)
		}
	}
	if r := i.Reorder; r != nil {
		path := child(path, "reorder")
		c.probability(path, "probability", r.Probability)
		if r.Probability == 0 && c.s.src != nil && !c.given(child(path, "probability")) {
			c.missing(path, "probability", "reorder: there is no probability: say how many frames are held back, from 0 to 1")
		}
		c.span(path, "delay", r.Delay)
		if r.Probability > 0 && r.Delay == 0 {
			c.missing(path, "delay", "reorder: there is no delay: say how long frames are held back")
		}
	}
	for n := 0; n < len(i.Blackholes) && !c.full(); n++ {
		c.blackhole(item(child(path, "blackholes"), n), &i.Blackholes[n], link)
	}
}

func (c *checker) blackhole(path string, b *Blackhole, link bool) {
	c.frameSelection(path, &b.FrameSelection)
	if c.direction(path, b.Direction) && b.Direction != "" && !link {
		c.key(child(path, "direction"), "direction: a segment has none: set the blackhole on the link of an interface, or name a source")
	}
}

// direction checks the way of a link.
func (c *checker) direction(path, word string) bool {
	ok := word == "" || word == DirectionUp || word == DirectionDown
	if !ok {
		c.at(child(path, "direction"), "direction: want up or down, got %q%s", shorten(word), Suggest(word, []string{DirectionUp, DirectionDown}))
	}
	return ok
}

// ordinals checks a range of numbers that count from 1.
func (c *checker) ordinals(path, key string, r *Range) {
	if r != nil && r.Max < 1 {
		c.at(child(path, key), "%s: %s selects nothing: frames count from 1", key, r)
	}
}

// frameFilter checks a filter of frames.
func (c *checker) frameFilter(path string, f *FrameFilter) {
	n, ok := frameProtocol(f.Protocol)
	if !ok {
		known := []string{"any", "icmp", "icmpv6", "tcp", "udp", "esp", "ah", ProtocolARP}
		c.at(child(path, "protocol"), "protocol: want any, icmp, icmpv6, tcp, udp, esp, ah, arp or a number from 1 to 255, got %q%s", shorten(f.Protocol), Suggest(f.Protocol, known))
	}
	for _, end := range []struct{ key, word string }{{"source", f.Source}, {"destination", f.Destination}} {
		switch {
		case end.word == "":
		case f.Protocol == ProtocolARP:
			c.key(child(path, end.key), "%s: ARP frames have no IP header", end.key)
		case end.word == "me":
			c.at(child(path, end.key), "%s: nobody is me here: name a node", end.key)
		default:
			if _, err := c.s.FilterAddress(end.word); err != nil && !c.unknown("$.nodes") {
				c.at(child(path, end.key), "%s: %s", end.key, err)
			}
		}
	}
	if f.Fragments && f.Protocol == ProtocolARP {
		c.key(child(path, "fragments"), "fragments: ARP frames have no IP header")
	}
	for _, p := range []struct {
		key  string
		port int
	}{{"port", f.Port}, {"source-port", f.SourcePort}, {"destination-port", f.DestinationPort}} {
		if p.port == 0 {
			continue
		}
		c.port(path, p.key, p.port)
		if ok && (f.Protocol == ProtocolARP || n != 0 && !hasPorts(n)) {
			c.at(child(path, p.key), "%s: ports need protocol: tcp or udp, and this filter's is %s", p.key, f.Protocol)
		}
	}
}
