package spec

import (
	"cmp"
	"slices"
	"strings"
)

// Observer looks at the packets that a router forwards, or that a segment carries, and
// changes nothing but what classify marks. Exactly one of its keys is set.
type Observer struct {
	Inspect  *Inspect  `yaml:"inspect"`
	Classify *Classify `yaml:"classify"`
	Account  *Account  `yaml:"account"`
	Probe    *Probe    `yaml:"probe"`
}

// Classify counts packets by class, as a router with quality of service treats them.
type Classify struct {
	Classes []MarkedClass `yaml:"classes" jsonschema:"required,minItems=1"` // asked in order: the first that fits has the packet; what none fits is in the class default
}

// Class selects packets by what a device on the way sees of them. What is left out fits everything.
type Class struct {
	Name        string `yaml:"name" jsonschema:"required"`
	Protocol    string `yaml:"protocol" jsonschema:"oneof_type=string;integer"` // of IP: any (default), icmp, icmpv6, tcp, udp, esp, ah or a number
	Port        int    `yaml:"port" jsonschema:"minimum=0,maximum=65535"`       // of TCP or UDP, of either side; 0: any
	Source      string `yaml:"source"`                                          // any, an address, a prefix or a node
	Destination string `yaml:"destination"`                                     // likewise
	Address     string `yaml:"address"`                                         // the source or the destination, likewise
	DSCP        string `yaml:"dscp" jsonschema:"oneof_type=string;integer"`     // ef, af11 to af43, cs0 to cs7, or a number from 0 to 63
}

// MarkedClass is a class, and what becomes of its packets.
type MarkedClass struct {
	Class `yaml:",inline"`
	Mark  string `yaml:"mark" jsonschema:"oneof_type=string;integer"` // of a router: the DSCP that its packets go on with. Left out: they keep theirs
}

// Account is flow accounting as by NetFlow: a record of each 5-tuple and direction.
type Account struct {
	Active   Duration `yaml:"active"`                                     // the record of a flow that goes on ends after this; 0: 30m
	Inactive Duration `yaml:"inactive"`                                   // a record ends when nothing came for so long; 0: 15s
	Cache    int      `yaml:"cache" jsonschema:"minimum=0,maximum=65536"` // records at one time; 0: 4096
}

// Probe counts what passes by protocol, as the protocol distribution of RMON does.
type Probe struct{}

// Inspect is an intrusion detection system: it searches the payloads of UDP and ICMP and
// the streams of TCP for patterns, in the clear, behind AH, and in ESP where it can read it.
type Inspect struct {
	Patterns map[string]Pattern `yaml:"patterns" jsonschema:"required"` // by the name that alerts have
	ESPNull  bool               `yaml:"esp-null"`                       // it looks for ESP without encryption, by the heuristics of RFC 5879. Default: ESP is ESP

	// CheckBits is how many bits of a flow of ESP must be as they are without encryption before the
	// inspector reads it: RFC 5879, Section 8 finds 32 to 64 enough, and 96 what an end node has. Default: 64.
	CheckBits int `yaml:"check-bits" jsonschema:"minimum=0,maximum=1024"`
}

// Pattern is what an inspector searches for: text or hex.
type Pattern struct {
	Text     string `yaml:"text" jsonschema:"minLength=1,maxLength=1024"`    // as it stands in the payload. The data of steps begin with the bytes 0, 1, 2 and so on to 255, so that ABCDEFGH is in them
	Hex      Word   `yaml:"hex"`                                             // in hexadecimal
	Protocol string `yaml:"protocol" jsonschema:"oneof_type=string;integer"` // any (default), icmp, icmpv6, tcp, udp
	Port     int    `yaml:"port" jsonschema:"minimum=0,maximum=65535"`       // of either side; 0: any
}

// Sought are the bytes that the pattern stands for.
func (p Pattern) Sought() []byte {
	if p.Hex == "" {
		return []byte(p.Text)
	}
	b, _ := hexBytes(p.Hex)
	return b
}

// Observed is what an observer noted during the step.
type Observed struct {
	Packets map[string]Range        `yaml:"packets"` // by kind: tcp, udp, icmp, icmpv6, ah, esp, udp-4500, other; of a classifier by class; of a probe also by service, as in tcp/445
	Share   map[string]PercentRange `yaml:"share"`   // the same as a share of all bytes that it saw

	// Of an inspector.
	Alerts   *Range           `yaml:"alerts"`   // how often it found a pattern
	Patterns map[string]Range `yaml:"patterns"` // the same for each pattern
	Read     *Range           `yaml:"read"`     // packets whose payload it could read
	Unsure   *Range           `yaml:"unsure"`   // packets of ESP of which it does not know whether they are encrypted
	Opaque   *Range           `yaml:"opaque"`   // packets that it could not read

	ESPNull      *Range `yaml:"esp-null"`      // flows of ESP that it found to be without encryption
	ESPEncrypted *Range `yaml:"esp-encrypted"` // and of those that it found to be encrypted

	// Of a queue.
	Dropped map[string]Range `yaml:"dropped"` // packets without room, by class
	Queues  *Range           `yaml:"queues"`  // how many of its queues had packets of the step, one or more for each class and flow

	// Of accounting.
	Records *Range        `yaml:"records"` // with packets of the step
	Flows   []FlowRecords `yaml:"flows"`   // those of them that fit
}

// FlowRecords are records of flow accounting: those that fit what is given of protocol, addresses and ports.
type FlowRecords struct {
	Protocol    string `yaml:"protocol" jsonschema:"oneof_type=string;integer"`                                // any (default), icmp, icmpv6, tcp, udp, esp, ah or a number
	Source      string `yaml:"source"`                                                                         // any, an address, a prefix or a node
	Destination string `yaml:"destination"`                                                                    // likewise
	FromPort    *int   `yaml:"from-port" jsonschema:"minimum=0,maximum=65535"`                                 // 0: the record has none
	ToPort      *int   `yaml:"to-port" jsonschema:"minimum=0,maximum=65535"`                                   // likewise
	Records     *Range `yaml:"records"`                                                                        // how many fit
	Packets     *Range `yaml:"packets"`                                                                        // of all that fit together
	Bytes       *Range `yaml:"bytes"`                                                                          // likewise
	End         string `yaml:"end" jsonschema:"enum=inactive,enum=active timeout,enum=closed,enum=cache full"` // why they ended. Left out: or they have not
}

// PlacedObserver is an observer of a scenario and where it stands.
type PlacedObserver struct {
	Name string
	Observer
	Queue   *Queueing // in place of an observer: a queue, which notes what goes
	Node    string    // a router; empty: a segment
	Segment string
	Path    string
}

// Observers are all observers of the scenario, by name.
func (s *Scenario) Observers() (all []PlacedObserver) {
	for _, node := range sorted(s.Nodes) {
		at := child(child("$.nodes", node), "observers")
		for _, name := range sorted(s.Nodes[node].Observers) {
			all = append(all, PlacedObserver{Name: name, Observer: s.Nodes[node].Observers[name], Node: node, Path: child(at, name)})
		}
	}
	for _, node := range sorted(s.Nodes) {
		for i, ifc := range s.Nodes[node].Interfaces {
			if q := ifc.Queueing; q != nil && q.Name != "" {
				at := child(item(child(child("$.nodes", node), "interfaces"), i), "queueing")
				all = append(all, PlacedObserver{Name: q.Name, Queue: q, Node: node, Segment: ifc.Segment, Path: at})
			}
		}
	}
	for _, segment := range sorted(s.Network.Segments) {
		at := child(child("$.network.segments", segment), "observers")
		for _, name := range sorted(s.Network.Segments[segment].Observers) {
			all = append(all, PlacedObserver{Name: name, Observer: s.Network.Segments[segment].Observers[name], Segment: segment, Path: child(at, name)})
		}
	}
	slices.SortStableFunc(all, func(a, b PlacedObserver) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Kind is the word for what an observer is: the key that it has, or queue.
func (o PlacedObserver) Kind() string {
	if o.Queue != nil {
		return "queue"
	}
	return strings.Join(present(o.Observer), " and ")
}

// trafficKinds are the kinds of packets as inspectors count them.
var trafficKinds = []string{"tcp", "udp", "icmp", "icmpv6", "ah", "esp", "udp-4500", "other"}

// Counts are the names of what an observer counts.
func (o PlacedObserver) Counts() (names []string) {
	switch {
	case o.Queue != nil:
		for _, class := range o.Queue.Classes {
			names = append(names, class.Name)
		}
	case o.Classify != nil:
		for _, class := range o.Classify.Classes {
			names = append(names, class.Name)
		}
	default:
		return trafficKinds
	}
	return append(names, DefaultClass)
}

// DefaultClass is what classes call what none of them fits.
const DefaultClass = "default"

// observers checks all observers of the scenario.
func (c *checker) observers() {
	first := map[string]PlacedObserver{}
	for _, o := range c.s.Observers() {
		switch {
		case !validName.MatchString(o.Name):
			c.key(o.Path, "%q is no name: use %s, at most 63", shorten(o.Name), nameForm)
		case first[o.Name].Path != "":
			c.key(o.Path, "there is another observer called %s, of %s: expectations go by the name", o.Name, first[o.Name].place())
		case o.Node != "" && !c.s.Nodes[o.Node].Router():
			c.key(o.Path, "observers: %s is %s, and only routers and segments have observers", o.Node, article(c.s.Nodes[o.Node].Kind()))
		}
		if first[o.Name] = o; o.Queue != nil { // checked with its interface
			continue
		}
		if kinds := present(o.Observer); len(kinds) > 1 {
			c.at(o.Path, "an observer is of one kind, and this one is %s: make %d of it", strings.Join(kinds, " and "), len(kinds))
			continue
		}
		if c.empty(o.Path, &o.Observer, "the observer has no kind") {
			continue
		}
		if o.Inspect != nil {
			c.inspect(child(o.Path, "inspect"), o.Inspect)
		}
		if o.Classify != nil {
			c.classify(o, child(o.Path, "classify"), o.Classify)
		}
		if o.Account != nil {
			at := child(o.Path, "account")
			c.span(at, "active", o.Account.Active)
			c.span(at, "inactive", o.Account.Inactive)
			c.between(at, "cache", o.Account.Cache, 0, 65536)
		}
	}
}

func (o PlacedObserver) place() string {
	if o.Node != "" {
		return o.Node
	}
	return "segment " + o.Segment
}

func (c *checker) inspect(path string, v *Inspect) {
	c.between(path, "check-bits", v.CheckBits, 0, 1024)
	if v.CheckBits != 0 && !v.ESPNull {
		c.at(child(path, "check-bits"), "check-bits: the inspector does not look for ESP without encryption: it needs esp-null: true")
	}
	if len(v.Patterns) == 0 {
		c.missing(path, "patterns", "inspect: there are no patterns to search for")
	}
	for _, name := range sorted(v.Patterns) {
		at, p := child(child(path, "patterns"), name), v.Patterns[name]
		if !validName.MatchString(name) {
			c.key(at, "%q is no name: use %s, at most 63", shorten(name), nameForm)
		}
		switch b, err := hexBytes(p.Hex); {
		case p.Text != "" && p.Hex != "":
			c.at(at, "a pattern is text or hex, and this one is both")
		case p.Text == "" && p.Hex == "":
			c.missing(at, "text", "the pattern %s is empty: give it text or hex", name)
		case p.Hex != "" && err != nil:
			c.at(child(at, "hex"), "hex: %s", err)
		case max(len(p.Text), len(b)) > maxPattern:
			c.at(at, "the pattern %s has %d bytes: at most %d are searched for", name, max(len(p.Text), len(b)), maxPattern)
		}
		protocol, ok := c.protocol(at, p.Protocol)
		if p.Port != 0 {
			c.port(at, "port", p.Port)
			if ok && protocol != 0 && !hasPorts(protocol) {
				c.at(child(at, "port"), "port: ports need protocol: tcp or udp, and this is %s", p.Protocol)
			}
		}
	}
}

// maxPattern is how long a pattern may be, in bytes.
const maxPattern = 1024

// observed checks expectations about observers.
func (c *checker) observed(path string, want map[string]Observed) {
	known := map[string]PlacedObserver{}
	for _, o := range c.s.Observers() {
		known[o.Name] = o
	}
	for _, name := range sorted(want) {
		at := child(path, name)
		o, ok := known[name]
		if !ok {
			if !c.unknown("$.nodes") {
				c.key(at, "no observer is called %q%s", shorten(name), Suggest(name, sorted(known)))
			}
			continue
		}
		v := want[name]
		c.observation(at, name, o, &v)
	}
}

// observation checks what is expected of one observer.
func (c *checker) observation(path, name string, o PlacedObserver, v *Observed) {
	if c.nothing(path, v) {
		return
	}
	fits := map[string][]string{
		"classify": {"packets", "share"},
		"account":  {"packets", "share", "records", "flows"},
		"probe":    {"packets", "share"},
		"queue":    {"packets", "share", "dropped", "queues"},
		"inspect":  {"packets", "share", "alerts", "patterns", "read", "unsure", "opaque", "esp-null", "esp-encrypted"},
	}[o.Kind()]
	for _, key := range present(v) {
		if len(fits) > 0 && !slices.Contains(fits, key) {
			c.key(child(path, key), "%s: %s does not note it: %s has %s", key, name, o.Kind(), strings.Join(fits, ", "))
		}
	}
	names := func(key string, given, known []string) {
		for _, g := range given {
			if !slices.Contains(known, g) && !(o.Probe != nil && validService(g)) {
				c.key(child(child(path, key), g), "%s: %s counts nothing as %q%s", key, name, shorten(g), Suggest(g, known))
			}
		}
	}
	names("packets", sorted(v.Packets), o.Counts())
	names("share", sorted(v.Share), o.Counts())
	if o.Queue != nil {
		names("dropped", sorted(v.Dropped), o.Counts())
	}
	for i := range v.Flows {
		c.flowRecords(item(child(path, "flows"), i), &v.Flows[i])
	}
	if o.Inspect != nil {
		names("patterns", sorted(v.Patterns), sorted(o.Inspect.Patterns))
	}
}

// PatternNames are the names of the patterns, sorted.
func (v Inspect) PatternNames() []string { return sorted(v.Patterns) }

// ObservedBy limits what one observer notes.
type ObservedBy struct {
	Observer string `yaml:"observer" jsonschema:"required"`
	Observed `yaml:",inline"`
}

// observedBy checks an invariant about an observer.
func (c *checker) observedBy(path string, v *ObservedBy) {
	if v.Observer == "" {
		c.missing(path, "observer", "observed: there is no observer")
		return
	}
	all := c.s.Observers()
	i := slices.IndexFunc(all, func(o PlacedObserver) bool { return o.Name == v.Observer })
	if i < 0 {
		names := make([]string, len(all))
		for i, o := range all {
			names[i] = o.Name
		}
		c.defined(path, "observer", v.Observer, "observer", "$.nodes", names)
		return
	}
	if c.limited(path, v, "packets, share, alerts or another of what it notes", "observer"); len(present(v.Observed)) == 0 {
		return
	}
	c.observation(path, v.Observer, all[i], &v.Observed)
}
