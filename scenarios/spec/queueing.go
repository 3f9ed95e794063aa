package spec

import "slices"

// Queueing is how packets of a router wait for the link of an interface.
type Queueing struct {
	Name      string       `yaml:"name"`                                                                           // by which expectations know it; left out: they do not
	Rate      Rate         `yaml:"rate" jsonschema:"required"`                                                     // of the link
	Flows     string       `yaml:"flows" jsonschema:"enum=five-tuple,enum=addresses,enum=spi,enum=dscp,enum=none"` // what has a turn of its own: five-tuple (default): addresses, protocol, ports and type of service; addresses; spi: as five-tuple, with the SPI of ESP and AH; dscp: the codepoint alone; none: all wait in one line
	Queues    int          `yaml:"queues" jsonschema:"minimum=0,maximum=4096"`                                     // for flows, which are hashed to them; 0: 256
	Threshold int          `yaml:"threshold" jsonschema:"minimum=0,maximum=65536"`                                 // packets of one queue, from which on it takes none until it is down to a quarter; 0: 64, and with flows: none the limit
	Limit     int          `yaml:"limit" jsonschema:"minimum=0,maximum=65536"`                                     // packets together; 0: 1000
	Classes   []QueueClass `yaml:"classes"`                                                                        // asked in order; what none fits is told apart by flows
}

// QueueClass is a class of traffic with a queue of its own.
type QueueClass struct {
	Class  `yaml:",inline"`
	Weight int `yaml:"weight" jsonschema:"required,minimum=1,maximum=1000"` // a flow without a class has 1, and 1 more for each step of its IP precedence
}

// What tells flows apart in a queue.
const (
	FlowsFiveTuple = "five-tuple"
	FlowsAddresses = "addresses"
	FlowsSPI       = "spi"
	FlowsDSCP      = "dscp"
	FlowsNone      = "none"
)

// By is what tells flows apart.
func (q Queueing) By() string { return or(q.Flows, FlowsFiveTuple) }

// queueing checks how packets wait at an interface.
func (c *checker) queueing(path, node string, n Node, i Interface) {
	q := i.Queueing
	if q == nil {
		return
	}
	path = child(path, "queueing")
	if !n.Router() {
		c.key(path, "queueing: %s is %s, and only routers have it: a link has a queue of its own", node, article(n.Kind()))
		return
	}
	switch {
	case q.Rate == 0:
		c.missing(path, "rate", "queueing: there is no rate: how fast the link takes packets, such as 256kbit")
	case i.Link != nil && i.Link.Rate != nil && *i.Link.Rate != 0 && *i.Link.Rate < q.Rate:
		c.at(child(path, "rate"), "rate: the link itself has %s, so that packets wait there: give the link none", *i.Link.Rate)
	}
	if words := []string{FlowsFiveTuple, FlowsAddresses, FlowsSPI, FlowsDSCP, FlowsNone}; q.Flows != "" && !slices.Contains(words, q.Flows) {
		c.at(child(path, "flows"), "flows: want five-tuple, addresses, spi, dscp or none, got %q%s", shorten(q.Flows), Suggest(q.Flows, words))
	}
	c.between(path, "queues", q.Queues, 0, 4096)
	c.between(path, "threshold", q.Threshold, 0, 65536)
	c.between(path, "limit", q.Limit, 0, 65536)
	seen := map[string]bool{}
	for k := range q.Classes {
		at := item(child(path, "classes"), k)
		c.class(at, &q.Classes[k].Class, seen)
		switch w := q.Classes[k].Weight; {
		case w == 0:
			c.missing(at, "weight", "a class of a queue has no weight")
		default:
			c.between(at, "weight", w, 1, 1000)
		}
	}
}
