package spec

import (
	"slices"
	"strings"
	"time"
)

// Scan tries ports of a host one by one, as a port scanner does: with TCP a connection
// request for each, with UDP a datagram.
type Scan struct {
	From     string   `yaml:"from" jsonschema:"required"`
	To       string   `yaml:"to" jsonschema:"required"`
	Protocol string   `yaml:"protocol" jsonschema:"enum=tcp,enum=udp"`       // tcp (default) or udp
	Ports    Range    `yaml:"ports" jsonschema:"required"`                   // from 1..65535
	InFlight int      `yaml:"in-flight" jsonschema:"minimum=0,maximum=1000"` // ports that wait for their answers at one time; 0: 64
	Timeout  Duration `yaml:"timeout"`                                       // for each port; 0: 900ms, before TCP asks a second time
}

// Ports is what a scan found. The answer on the wire decides: SYN-ACK, or a datagram, is
// an open port; a reset, or ICMP port unreachable, is a refused one; nothing is a silent one.
type Ports struct {
	Open    []int  `yaml:"open" jsonschema:"uniqueItems=true"` // these and no others; [] is none
	Refused *Range `yaml:"refused"`                            // how many said that nobody listens
	Silent  *Range `yaml:"silent"`                             // how many said nothing
}

// Transport is tcp or udp.
func (s Scan) Transport() string { return or(s.Protocol, "tcp") }

// Together is how many ports wait for their answers at one time.
func (s Scan) Together() int { return or(s.InFlight, 64) }

// Patience is how long a port may take to answer.
func (s Scan) Patience() time.Duration { return or(s.Timeout.Span(), 900*time.Millisecond) }

func (c *checker) scan(path string, s *Scan) {
	c.ends(path, s.From, s.To, false)
	switch p := s.Ports; {
	case p == (Range{}) && !c.given(child(path, "ports")):
		c.missing(path, "ports", "scan: there are no ports: such as 1..1024")
	case p.Min < 1 || p.Max > 65535 || p.Min > p.Max:
		c.at(child(path, "ports"), "ports: %s is no range of ports from 1 to 65535", p)
	}
	if s.Protocol != "" && !slices.Contains([]string{"tcp", "udp"}, s.Protocol) {
		c.at(child(path, "protocol"), "protocol: want tcp or udp, got %q%s", shorten(s.Protocol), Suggest(s.Protocol, []string{"tcp", "udp"}))
	}
	c.between(path, "in-flight", s.InFlight, 0, 1000)
	c.span(path, "timeout", s.Timeout)
}

// ports checks what is expected of a scan.
func (c *checker) ports(path string, s *Scan, want *Ports) {
	if want.Open == nil && c.nothing(path, want) {
		return
	}
	for i, port := range want.Open {
		if int64(port) < s.Ports.Min || int64(port) > s.Ports.Max {
			c.at(item(child(path, "open"), i), "open: the scan does not try port %d", port)
		}
		if slices.Contains(want.Open[:i], port) {
			c.at(item(child(path, "open"), i), "open: %d is there twice", port)
		}
	}
}

// scanWords say what a scan does.
func (s Scan) words() string {
	return strings.ToUpper(s.Transport()) + " ports " + s.Ports.String()
}
