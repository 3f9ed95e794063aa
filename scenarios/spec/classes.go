package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// dscpWords are codepoints with names: RFC 2474, Section 4.2.2.2 and RFC 2597, Section 6, RFC 3246.
var dscpWords = func() map[string]uint8 {
	words := map[string]uint8{"ef": 46}
	for class := range uint8(8) {
		words[fmt.Sprintf("cs%d", class)] = class << 3
	}
	for class := uint8(1); class <= 4; class++ {
		for drop := uint8(1); drop <= 3; drop++ {
			words[fmt.Sprintf("af%d%d", class, drop)] = class<<3 | drop<<1
		}
	}
	return words
}()

// ParseDSCP reads a codepoint by its name or number; "" is none.
func ParseDSCP(text string) (v uint8, given bool, err error) {
	if text == "" {
		return 0, false, nil
	}
	if v, ok := dscpWords[text]; ok {
		return v, true, nil
	}
	n, err := strconv.ParseUint(text, 10, 6)
	if err != nil {
		return 0, false, fmt.Errorf("want ef, af11 to af43, cs0 to cs7 or a number from 0 to 63, got %q%s", shorten(text), Suggest(text, sorted(dscpWords)))
	}
	return uint8(n), true, nil
}

// Marked is the codepoint of what a step sends.
type Marked struct {
	DSCP string `yaml:"dscp" jsonschema:"oneof_type=string;integer"` // of what from sends: ef, af11 to af43, cs0 to cs7 or a number; default: 0
}

// Codepoint is the DSCP of what is sent.
func (m Marked) Codepoint() uint8 {
	v, _, _ := ParseDSCP(m.DSCP)
	return v
}

// validService reports whether a word names a service of TCP or UDP: tcp/445.
func validService(word string) bool {
	_, _, ok := ParseService(word)
	return ok
}

// ParseService reads a service of TCP or UDP: tcp/445.
func ParseService(word string) (protocol uint8, port uint16, ok bool) {
	name, number, _ := strings.Cut(word, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	switch protocol, _ = ProtocolNumber(name); {
	case err != nil || n == 0 || name != "tcp" && name != "udp":
		return 0, 0, false
	}
	return protocol, uint16(n), true
}

// Addresses are the prefixes of the class by source, destination and either of them.
func (s *Scenario) classAddresses(c Class) (words [3]string, prefixes [3][]netip.Prefix, errs [3]error) {
	words = [3]string{c.Source, c.Destination, c.Address}
	for i, w := range words {
		prefixes[i], errs[i] = s.FirewallAddresses(w)
	}
	return words, prefixes, errs
}

// ClassAddresses are the prefixes that a class has for the source, the destination and either of
// them; none is any.
func (s *Scenario) ClassAddresses(c Class) (source, destination, either []netip.Prefix) {
	_, p, _ := s.classAddresses(c)
	return p[0], p[1], p[2]
}

// class checks one class of a list; seen are the names of those before it.
func (c *checker) class(path string, v *Class, seen map[string]bool) {
	switch {
	case v.Name == "":
		c.missing(path, "name", "a class has no name")
	case !validName.MatchString(v.Name):
		c.at(child(path, "name"), "%q is no name: use %s, at most 63", shorten(v.Name), nameForm)
	case v.Name == DefaultClass:
		c.at(child(path, "name"), "name: default is the class of what no class fits")
	case seen[v.Name]:
		c.at(child(path, "name"), "name: there is another class called %s", v.Name)
	}
	seen[v.Name] = true
	protocol, ok := FirewallProtocol(v.Protocol)
	if !ok {
		known := []string{"any", "icmp", "icmpv6", "tcp", "udp", "esp", "ah"}
		c.at(child(path, "protocol"), "protocol: want %s or a number from 1 to 255, got %q%s", strings.Join(known, ", "), shorten(v.Protocol), Suggest(v.Protocol, known))
	}
	if v.Port != 0 {
		c.port(path, "port", v.Port)
		if ok && protocol != 0 && !hasPorts(protocol) {
			c.at(child(path, "port"), "port: ports need protocol: tcp or udp, and this is %s", v.Protocol)
		}
	}
	_, _, errs := c.s.classAddresses(*v)
	for i, key := range []string{"source", "destination", "address"} {
		if errs[i] != nil {
			c.at(child(path, key), "%s: %s", key, errs[i])
		}
	}
	c.dscp(path, "dscp", v.DSCP)
}

func (c *checker) dscp(path, key, text string) {
	if _, _, err := ParseDSCP(text); err != nil {
		c.at(child(path, key), "%s: %s", key, err)
	}
}

func (c *checker) classify(o PlacedObserver, path string, v *Classify) {
	if len(v.Classes) == 0 {
		c.missing(path, "classes", "classify: there are no classes")
	}
	seen := map[string]bool{}
	for i := range v.Classes {
		at := item(child(path, "classes"), i)
		c.class(at, &v.Classes[i].Class, seen)
		c.dscp(at, "mark", v.Classes[i].Mark)
		if v.Classes[i].Mark != "" && o.Node == "" {
			c.at(child(at, "mark"), "mark: who looks at a segment changes nothing: only a router marks")
		}
	}
}

// flowRecords checks an expectation about records of accounting.
func (c *checker) flowRecords(path string, v *FlowRecords) {
	if _, ok := FirewallProtocol(v.Protocol); !ok {
		c.at(child(path, "protocol"), "protocol: want any, icmp, icmpv6, tcp, udp, esp, ah or a number from 1 to 255, got %q", shorten(v.Protocol))
	}
	for i, word := range []string{v.Source, v.Destination} {
		if _, err := c.s.FirewallAddresses(word); err != nil {
			key := []string{"source", "destination"}[i]
			c.at(child(path, key), "%s: %s", key, err)
		}
	}
	for i, port := range []*int{v.FromPort, v.ToPort} {
		if port != nil {
			c.between(path, []string{"from-port", "to-port"}[i], *port, 0, 65535)
		}
	}
	if words := []string{"inactive", "active timeout", "closed", "cache full"}; v.End != "" && !slices.Contains(words, v.End) {
		c.at(child(path, "end"), "end: want %s, got %q", strings.Join(words, ", "), shorten(v.End))
	}
	if v.Records == nil && v.Packets == nil && v.Bytes == nil {
		c.missing(path, "records", "flows: nothing is demanded of these records: give them records, packets or bytes")
	}
}

// Words say which records are meant.
func (v *FlowRecords) Words() string {
	end := func(address string, port *int) string {
		if port == nil {
			return or(address, anyWord)
		}
		return fmt.Sprintf("%s port %d", or(address, anyWord), *port)
	}
	words := fmt.Sprintf("%s %s > %s", or(v.Protocol, anyWord), end(v.Source, v.FromPort), end(v.Destination, v.ToPort))
	if v.End != "" {
		words += ", ended: " + v.End
	}
	return words
}
