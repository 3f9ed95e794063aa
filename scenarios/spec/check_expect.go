package spec

import (
	"reflect"
	"slices"
	"strings"
)

// fitting are the expectations that a verb can meet, and the results it can have.
var fitting = map[string]struct{ keys, results []string }{
	"ping": {
		[]string{"result", "received", "lost", "loss", "silence", "latency", "wire", "sa", "rule", "ike", "overhead"},
		[]string{ResultOK, ResultTimeout, ResultUnreachable, ResultError}, // ICMP has no ports that could refuse
	},
	"connect": {
		[]string{"result", "latency", "wire", "sa", "rule", "application", "ike", "overhead"},
		[]string{ResultOK, ResultTimeout, ResultRefused, ResultUnreachable, ResultError},
	},
	"transfer": { // nothing answers, so that there is no latency
		[]string{"result", "wire", "sa", "rule", "application", "ike", "throughput", "overhead"},
		[]string{ResultOK, ResultTimeout, ResultRefused, ResultUnreachable, ResultError},
	},
	"udp": {
		[]string{"result", "received", "lost", "loss", "silence", "latency", "wire", "sa", "rule", "application", "ike", "overhead"},
		[]string{ResultOK, ResultTimeout, ResultRefused, ResultUnreachable, ResultError}, // refused: ICMP port unreachable
	},
	"enrol": {
		[]string{"result", "latency", "wire", "sa", "rule", "application", "ike", "overhead"},
		[]string{ResultOK, ResultTimeout, ResultRefused, ResultUnreachable, ResultError}, // refused: by the authority, or by a computer where nobody listens
	},
	"fetch-list": {
		[]string{"result", "latency", "wire", "sa", "rule", "application", "ike", "overhead"},
		[]string{ResultOK, ResultTimeout, ResultRefused, ResultUnreachable, ResultError},
	},
	"raw":      {[]string{"wire", "sa", "rule", "application", "ike", "overhead"}, nil}, // nobody answers
	"scan":     {[]string{"ports", "wire", "ike", "overhead"}, nil},                     // each port answers for itself
	"discover": {[]string{"discovered"}, nil},                                           // each finding stands for itself
	"announce": {[]string{"heard", "wire", "rule", "ike"}, nil},                         // nobody answers, and no one listener is meant
	"run":      {[]string{"output", "exit"}, nil},
}

// present are the YAML keys of a struct's fields that are not zero.
func present(v any) (keys []string) {
	r := reflect.Indirect(reflect.ValueOf(v))
	s := shapeOf(r.Type())
	for _, key := range s.keys {
		if !r.FieldByIndex(s.fields[key].Index).IsZero() {
			keys = append(keys, key)
		}
	}
	return keys
}

// nothing reports a mapping that holds none of its keys.
func (c *checker) nothing(path string, v any) bool { return c.empty(path, v, "nothing is expected") }

// empty reports a mapping that holds none of its keys, saying so.
func (c *checker) empty(path string, v any, saying string) bool {
	if len(present(v)) > 0 {
		return false
	}
	keys := keysOf(reflect.Indirect(reflect.ValueOf(v)).Type())
	for _, k := range keys {
		if c.flawed[path] || c.unknown(child(path, k)) || c.given(child(path, k)) {
			return false
		}
	}
	c.at(path, "%s: %s: it may have %s", path[strings.LastIndexByte(path, '.')+1:], saying, strings.Join(keys, ", "))
	return true
}

func (c *checker) expect(path string, s *Step) {
	e, verb := s.Expect, s.Verb()
	if c.nothing(path, e) || verb == "" {
		return
	}
	fits, traffic := fitting[verb]
	for _, key := range present(e) {
		switch {
		case slices.Contains(anywhere, key), key == "application" && s.answersTo(c.s) != "":
		case !traffic:
			c.key(child(path, key), "%s: %s sends nothing that could be judged: put it beside a step that does, or use an invariant", key, verb)
		case !slices.Contains(fits.keys, key):
			c.key(child(path, key), "%s: it does not fit %s, which may have %s", key, verb, strings.Join(fits.keys, ", "))
		}
	}
	c.measures(path, e)
	c.output(path, e)
	if as := s.answersTo(c.s); e.App != nil && as != "" {
		c.application(child(path, "application"), as, e.App)
	}
	if !traffic || verb == "run" {
		return
	}
	if e.Result != "" && len(fits.results) > 0 && !slices.Contains(fits.results, e.Result) {
		c.at(child(path, "result"), "result: %s ends with %s, not %q%s", verb, strings.Join(fits.results, ", "), shorten(e.Result), Suggest(e.Result, fits.results))
	}
	if e.Wire != nil {
		c.wire(child(path, "wire"), e.Wire)
	}
	if s.Scan != nil && e.Ports != nil {
		c.ports(child(path, "ports"), s.Scan, e.Ports)
	}
	if s.Discover != nil && e.Discovered != nil {
		c.discovered(child(path, "discovered"), e.Discovered)
	}
	if s.Announce != nil && e.Heard != nil {
		c.heard(child(path, "heard"), s)
	}
	from, to, _ := s.Ends()
	far, _ := c.s.NodeOf(from, to)
	router := c.s.Nodes[far].Router()
	if e.SA != nil {
		c.sa(child(path, "sa"), e.SA)
		if router {
			c.key(child(path, "sa"), "sa: %s is a router and has no IPsec", far)
		}
	}
	if e.Rule != nil && !c.nothing(child(path, "rule"), e.Rule) {
		c.ruleName(child(path, "rule"), "from", e.Rule.From)
		c.ruleName(child(path, "rule"), "to", e.Rule.To)
		if s.Announce != nil && e.Rule.To != "" {
			c.at(child(child(path, "rule"), "to"), "to: it may be heard by many: say what is expected of the sender's rule")
		}
		if router && e.Rule.To != "" {
			c.at(child(child(path, "rule"), "to"), "to: %s is a router and has no rules", far)
		}
	}
	if e.App != nil && slices.Contains(fits.keys, "application") {
		c.application(child(path, "application"), verb, e.App)
	}
	if e.IKE != nil {
		c.nothing(child(path, "ike"), e.IKE)
	}
}

var protections = []string{WireESP, WireAH, WireBoth, WireUDP, WireClear, WireMixed, WireNothing}

func (c *checker) protection(path, word string) {
	if word != "" && !slices.Contains(protections, word) {
		c.at(child(path, "protection"), "protection: want %s, got %q%s", strings.Join(protections, ", "), shorten(word), Suggest(word, protections))
	}
}

func (c *checker) wire(path string, w *Wire) {
	c.nothing(path, w)
	c.protection(path, w.Protection)
	if known := []string{DataReadable, DataHidden}; w.Data != "" && !slices.Contains(known, w.Data) {
		c.at(child(path, "data"), "data: want %s, got %q%s", strings.Join(known, " or "), shorten(w.Data), Suggest(w.Data, known))
	}
}

// maxSALifetime is what a positive number of the 32 bits that life durations
// are usually sent in holds, RFC 2407, Section 4.5.
const maxSALifetime = 1<<31 - 1

func (c *checker) sa(path string, sa *SA) {
	if c.nothing(path, sa) {
		return
	}
	if known := protections[:4]; sa.Protocol != "" && !slices.Contains(known, sa.Protocol) {
		c.at(child(path, "protocol"), "protocol: want %s, got %q%s", strings.Join(known, ", "), shorten(sa.Protocol), Suggest(sa.Protocol, known))
	}
	named := func(algorithm string) bool { return algorithm != "" && algorithm != AlgorithmNone }
	if sa.Protocol == WireAH && (named(sa.Cipher) || named(sa.Auth)) {
		c.at(path, "sa: AH has no cipher, and its integrity is ah-auth")
	}
	if (sa.Protocol == WireESP || sa.Protocol == WireUDP) && named(sa.AHAuth) {
		c.at(child(path, "ah-auth"), "ah-auth: ESP alone has none: its integrity is auth")
	}
	if modes := []string{"transport", "tunnel"}; sa.Mode != "" && !slices.Contains(modes, sa.Mode) {
		c.at(child(path, "mode"), "mode: want %s, got %q%s", strings.Join(modes, " or "), shorten(sa.Mode), Suggest(sa.Mode, modes))
	}
	c.between(path, "seconds", sa.Seconds, 0, maxSALifetime)
	c.between(path, "kilobytes", sa.Kilobytes, 0, maxSALifetime)
	if sa.PFSGroup != nil {
		c.between(path, "pfs-group", *sa.PFSGroup, 0, 65535)
	}
	c.span(path, "max-age", sa.Age)
}

// exemptions are what verdicts call traffic that passes before all filters, behind "exempt: ".
var exemptions = []string{"isakmp", "kerberos", "rsvp", "multicast", "broadcast", "neighbour discovery", "ipv6"}

// bootVerdicts are what verdicts call a decision of the startup mode, behind "boot: ".
var bootVerdicts = []string{BootPermit, BootBlock, BootStateful, "exempt", "dhcp"}

// ruleName checks the name of a rule as verdicts give it.
func (c *checker) ruleName(path, key, name string) {
	if name == "" || name == "no match" {
		return
	}
	at := child(path, key)
	if exemption, ok := strings.CutPrefix(name, "exempt: "); ok {
		if !slices.Contains(exemptions, exemption) {
			c.at(at, "%s: nothing is exempt as %q%s", key, shorten(exemption), Suggest(exemption, exemptions))
		}
		return
	}
	if mode, ok := strings.CutPrefix(name, "boot: "); ok {
		if !slices.Contains(bootVerdicts, mode) {
			c.at(at, "%s: a driver that starts decides nothing as %q%s", key, shorten(mode), Suggest(mode, bootVerdicts))
		}
		return
	}
	policy, label, ok := strings.Cut(name, "/")
	if !ok {
		c.at(at, `%s: want "policy/rule", "no match" or an exemption such as "exempt: isakmp", got %q`, key, shorten(name))
		return
	}
	if c.s.runsNetsh() {
		return // any policy may have any rule: scenarios.Validate finds out
	}
	if !c.defined(path, key, policy, "policy", "$.policies", c.s.policyNames()) {
		return
	}
	if c.s.fromScript(policy) {
		return // its rules stand in a script, which scenarios.Validate reads
	}
	labels := c.s.labels(policy)
	if !slices.Contains(labels, label) && !c.unknown(child("$.policies", policy)) {
		c.at(at, "%s: policy %s has no rule called %q%s", key, policy, shorten(label), Suggest(label, labels))
	}
}

func (c *checker) application(path, verb string, a *App) {
	if c.nothing(path, a) {
		return
	}
	for _, key := range present(a) {
		datagrams, connections := key == "datagrams", key == "syns" || key == "connections"
		switch {
		case verb == "udp" && connections:
			c.key(child(path, key), "%s: UDP has none: use datagrams", key)
		case verb == "raw" && connections:
			c.key(child(path, key), "%s: protocols without ports have none: use datagrams", key)
		case verb != "udp" && verb != "raw" && datagrams:
			c.key(child(path, key), "datagrams: TCP has none: use syns or connections")
		}
	}
}
