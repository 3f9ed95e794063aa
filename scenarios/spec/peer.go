package spec

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// TypePeer is the type of a node that is a real peer: a daemon in a machine of its own.
const TypePeer = "peer"

// The words of Node.Driver.
const (
	DriverAuto      = "auto"
	DriverUML       = "uml"
	DriverContainer = "container"
	DriverNamespace = "namespace"
)

var peerDrivers = []string{DriverAuto, DriverUML, DriverContainer, DriverNamespace}

// Run runs a shell command in a real peer.
type Run struct {
	On      string   `yaml:"on" jsonschema:"required"`      // a node with type: peer
	Command string   `yaml:"command" jsonschema:"required"` // for its shell, as root
	Timeout Duration `yaml:"timeout"`                       // the command is killed then; 0: 30s
}

// Patience is how long the command may take.
func (r Run) Patience() time.Duration { return or(r.Timeout.Span(), 30*time.Second) }

// Real reports whether the node is a real peer.
func (n Node) Real() bool { return n.Kind() == TypePeer }

// Peers are the names of the nodes that are real peers.
func (s *Scenario) Peers() (names []string) {
	for _, name := range sorted(s.Nodes) {
		if s.Nodes[name].Real() {
			names = append(names, name)
		}
	}
	return names
}

// Replacement is the real peer that takes the place of a host.
type Replacement struct {
	Image  string
	Driver string // "": auto
}

// WithPeers is the scenario with real peers in the place of hosts, by their names. What a
// host has of its own kind, its operating system and its firewall, it loses; policy,
// certificates, interfaces and applications stay.
func (s *Scenario) WithPeers(peers map[string]Replacement) (*Scenario, error) {
	out := *s
	out.Nodes = maps.Clone(s.Nodes)
	for _, name := range sorted(peers) {
		n, ok := s.Nodes[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: no node is called %q%s", s.Name, shorten(name), Suggest(name, sorted(s.Nodes)))
		case !n.Host():
			return nil, fmt.Errorf("%s: %s is %s: a real peer takes the place of a host", s.Name, name, article(n.Kind()))
		}
		n.Type, n.Image, n.Driver = TypePeer, peers[name].Image, peers[name].Driver
		n.OS, n.HostFirewall = "", nil
		out.Nodes[name] = n
	}
	return &out, out.Check()
}

var validImage = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// setting is a key of a node, and whether it is there.
type setting struct {
	key string
	set bool
}

// peer checks what real peers alone have, and what they have not.
func (c *checker) peer(at, name string, n Node) {
	if !n.Real() {
		for _, v := range []setting{{"image", n.Image != ""}, {"driver", n.Driver != ""}, {"files", n.Files != nil}} {
			if v.set {
				c.key(child(at, v.key), "%s: %s is %s: only a node with type: peer has it", v.key, name, article(n.Kind()))
			}
		}
		return
	}
	switch {
	case n.Image == "":
		c.missing(at, "image", "%s is a real peer, and has no image: ipseclab interop images lists them", name)
	case !validImage.MatchString(n.Image):
		c.at(child(at, "image"), "image: %q is no name of an image: ipseclab interop images lists them", shorten(n.Image))
	}
	if n.Driver != "" && !slices.Contains(peerDrivers, n.Driver) {
		c.at(child(at, "driver"), "driver: want %s, got %q%s", strings.Join(peerDrivers, ", "), shorten(n.Driver), Suggest(n.Driver, peerDrivers))
	}
	for _, p := range sorted(n.Files) {
		if !path.IsAbs(p) || path.Clean(p) != p {
			c.key(child(child(at, "files"), p), "files: want an absolute path in the peer, got %q", shorten(p))
		}
	}
	for _, v := range []setting{{"os", n.OS != ""}, {"host-firewall", n.HostFirewall != nil}, {"servers", len(n.Servers.DNS)+len(n.Servers.WINS)+len(n.Servers.DHCP) > 0}} {
		if v.set {
			c.key(child(at, v.key), "%s: %s is a real peer: its image says what it is", v.key, name)
		}
	}
	for i, ifc := range n.Interfaces {
		where := item(child(at, "interfaces"), i)
		if g, ok := c.s.Network.Segments[ifc.Segment]; ok && g.PointToPoint() {
			c.at(child(where, "segment"), "segment: unsupported: %s is a real peer, which has Ethernet interfaces, and %s is a point-to-point link", name, ifc.Segment)
		}
		if ifc.DHCP() || ifc.Unnumbered() {
			c.at(child(where, "address"), "address: unsupported: %s is a real peer, which has fixed addresses", name)
		}
	}
	for i, v := range n.Serves {
		if v.DHCP != nil || v.STUN != nil || v.SCEP != nil || v.Policies != nil || v.Lists != nil || v.Group != "" {
			c.at(item(child(at, "serves"), i), "unsupported: %s is a real peer, whose applications answer requests and datagrams: tcp, udp or protocol", name)
		}
	}
}

// run checks a command for a peer.
func (c *checker) run(at string, r *Run) {
	if n, ok := c.s.Nodes[r.On]; ok && !n.Real() && !c.unknown(child(at, "on")) {
		c.at(child(at, "on"), "on: %s is %s, and commands run in real peers: it needs type: peer", r.On, article(n.Kind()))
	} else if c.defined(at, "on", r.On, "peer", "$.nodes", c.s.Peers()) && r.Command == "" {
		c.missing(at, "command", "run: there is no command")
	}
	c.span(at, "timeout", r.Timeout)
}

// output checks what is expected of what a command prints.
func (c *checker) output(at string, e *Expect) {
	for i, word := range e.Output {
		if _, err := regexp.Compile(word); err != nil {
			c.at(item(child(at, "output"), i), "output: %q is no regular expression: %v", shorten(word), err)
		}
	}
	if e.Exit != nil && (*e.Exit < 0 || *e.Exit > 255) {
		c.at(child(at, "exit"), "exit: %d is not from 0 to 255", *e.Exit)
	}
}

// BeyondPeers says what the scenario asks of its real peers that only virtual hosts can do; "": nothing.
func (s *Scenario) BeyondPeers() string {
	real := func(name string) bool { return s.Nodes[name].Real() }
	for i, step := range s.Steps {
		for _, v := range []struct{ verb, host string }{
			{"raw", hostOf(step.Raw, func(v *Raw) string { return v.From })},
			{"announce", hostOf(step.Announce, func(v *Announce) string { return v.From })},
			{"scan", hostOf(step.Scan, func(v *Scan) string { return v.From })},
			{"discover", hostOf(step.Discover, func(v *Discover) string { return v.From })},
			{"discover", hostOf(step.Discover, func(v *Discover) string { return v.Second })},
			{"enrol", hostOf(step.Enrol, func(v *Enrol) string { return v.From })},
			{"fetch-list", hostOf(step.FetchList, func(v *FetchList) string { return v.From })},
			{"set-host-firewall", hostOf(step.SetHostFirewall, func(v *SetHostFirewall) string { return v.Host })},
			{"policy-agent", hostOf(step.PolicyAgent, func(v *PolicyAgent) string { return v.Host })},
			{"store-policy", hostOf(step.StorePolicy, func(v *StorePolicy) string { return v.Host })},
			{"netsh", hostOf(step.Netsh, func(v *Netsh) string { return v.Host })},
			{"set-address", hostOf(step.SetAddress, func(v *SetAddress) string { return v.Node })},
			{"ipconfig", hostOf(step.IPConfig, func(v *IPConfig) string { return v.Node })},
			{"set-servers", hostOf(step.SetServers, func(v *SetServers) string { return v.Node })},
		} {
			if real(v.host) {
				return fmt.Sprintf("step %d: %s is for virtual hosts, and %s is a real peer", i+1, v.verb, v.host)
			}
		}
		if a := step.AssignPolicy; a != nil && real(a.Host) && a.Location != "" {
			return fmt.Sprintf("step %d: %s is a real peer, and has no stores of policies", i+1, a.Host)
		}
	}
	for _, name := range sorted(s.Persistent) {
		if real(name) {
			return fmt.Sprintf("%s is a real peer, and has no persistent policy", name)
		}
	}
	return ""
}

// hostOf is the host of a verb, "" where the step has another one.
func hostOf[V any](v *V, host func(*V) string) string {
	if v == nil {
		return ""
	}
	return host(v)
}

// firstLine is the first line of a command, for the words of a step.
func firstLine(command string) string {
	line, more, _ := strings.Cut(strings.TrimSpace(command), "\n")
	if more != "" {
		line += " …"
	}
	return shorten(line)
}
