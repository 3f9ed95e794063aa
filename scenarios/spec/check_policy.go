package spec

import "strings"

// The most quick modes that a main mode may be limited to.
const maxQuickModes = 1_000_000

func (c *checker) policies() {
	s := c.s
	c.titles("$.filter-lists", sorted(s.FilterLists))
	for _, name := range sorted(s.FilterLists) {
		path := child("$.filter-lists", name)
		if len(s.FilterLists[name]) == 0 {
			c.at(path, "filter list %s has no filters", name)
		}
		for i := 0; i < len(s.FilterLists[name]) && !c.full(); i++ {
			c.filter(item(path, i), s.FilterLists[name][i])
		}
	}
	c.titles("$.filter-actions", sorted(s.FilterActions))
	for _, name := range sorted(s.FilterActions) {
		c.filterAction(child("$.filter-actions", name), name, s.FilterActions[name])
	}
	c.titles("$.policies", sorted(s.Policies))
	for _, name := range sorted(s.Policies) {
		c.policy(child("$.policies", name), name, s.Policies[name])
	}
	for _, host := range sorted(s.Assignments) {
		path := child("$.assignments", host)
		if _, ok := s.Nodes[host]; !ok {
			if !c.unknown("$.nodes") {
				c.key(path, "assignments: no host is called %q%s", shorten(host), Suggest(host, c.hosts()))
			}
		} else if n := s.Nodes[host]; !n.Host() {
			c.key(path, "assignments: %s is %s and has no IPsec policy", host, article(n.Kind()))
		}
		c.noPolicy(path, "assignments", host)
		if s.Assignments[host] == "" {
			c.at(path, "assignments: %s has no policy: leave it out", host)
			continue
		}
		c.assigned("$.assignments", host, s.Assignments[host])
	}
	c.persistent()
}

// hosts are the names of all nodes that are not routers.
func (c *checker) hosts() (names []string) {
	for _, name := range sorted(c.s.Nodes) {
		if c.s.Nodes[name].Host() {
			names = append(names, name)
		}
	}
	return names
}

func (c *checker) filter(path string, f Filter) {
	for _, end := range []struct{ key, word string }{{"source", f.Source}, {"destination", f.Destination}} {
		if end.word == "" {
			c.missing(path, end.key, "a filter has no %s: me, any, an address, a prefix or a node", end.key)
		} else if _, err := c.s.FilterAddress(end.word); err != nil && !c.unknown("$.nodes") {
			c.at(child(path, end.key), "%s: %s", end.key, err)
		}
	}
	if f.Source == "me" && f.Destination == "me" {
		c.at(child(path, "destination"), "destination: source and destination are both me: such packets never leave the host")
	}
	protocol, ok := c.protocol(path, f.Protocol)
	for _, end := range []struct {
		key  string
		port int
	}{{"source-port", f.SourcePort}, {"destination-port", f.DestinationPort}} {
		if end.port == 0 {
			continue
		}
		c.port(path, end.key, end.port)
		if ok && !hasPorts(protocol) {
			c.at(child(path, end.key), "%s: ports need protocol: tcp or udp, and this filter's is %s", end.key, or(f.Protocol, "any"))
		}
	}
}

// protocol checks the word of a protocol.
func (c *checker) protocol(path, word string) (n uint8, ok bool) {
	if n, ok = ProtocolNumber(word); !ok {
		c.at(child(path, "protocol"), "protocol: want any, icmp, icmpv6, tcp, udp or a number from 1 to 255, got %q%s",
			shorten(word), Suggest(word, []string{"any", "icmp", "icmpv6", "tcp", "udp"}))
	}
	return n, ok && !c.unknown(child(path, "protocol"))
}

func (c *checker) filterAction(path, name string, a FilterAction) {
	switch a.Action {
	case ActionNegotiate:
		if len(a.Methods) == 0 {
			c.missing(path, "security-methods", "filter action %s negotiates without security-methods: give it at least one, such as ESP[3DES,SHA1]", name)
		}
	case ActionPermit, ActionBlock:
		if len(a.Methods) > 0 {
			c.key(child(path, "security-methods"), "security-methods: action %s needs none: only negotiate does", a.Action)
		}
		if a.PFS {
			c.key(child(path, "pfs"), "pfs: action %s makes no keys: only negotiate does", a.Action)
		}
		if a.InPass {
			c.key(child(path, "inpass"), "inpass: action %s asks for no security: only negotiate does", a.Action)
		}
		if a.Soft {
			c.key(child(path, "soft"), "soft: action %s asks for no security: only negotiate does", a.Action)
		}
	case "":
		c.missing(path, "action", "filter action %s has no action: permit, block or negotiate", name)
	default:
		c.at(child(path, "action"), "action: want permit, block or negotiate, got %q%s",
			shorten(a.Action), Suggest(a.Action, []string{ActionPermit, ActionBlock, ActionNegotiate}))
	}
}

func (c *checker) policy(path, name string, p Policy) {
	if name == PolicyNone {
		c.key(path, "a policy cannot be called %s: assign-policy uses the word", name)
	}
	if p.Netsh != "" {
		c.scripted(path, name, p)
		return
	}
	if p.From != "" {
		c.key(child(path, "policy"), "policy: it says which policy of a script is meant, and there is no netsh: SCRIPT")
	}
	c.span(path, "polling", p.Polling)
	c.predefined(path, name, p)
	if d := p.DefaultResponse; d != nil && (len(d.Auth) > 0 || len(p.Auth) == 0) {
		c.authentication(child(path, "default-response"), "the default response rule", d.Auth, p.Responds())
	}
	main := child(path, "main-mode")
	c.span(main, "lifetime", p.MainMode.Lifetime)
	c.between(main, "quick-modes", p.MainMode.QuickModes, 0, maxQuickModes)
	labels := map[string]bool{}
	for _, label := range predefinedPolicies[p.Predefined] {
		labels[label] = true
	}
	for i, r := range p.Rules {
		if c.full() {
			return
		}
		path := item(child(path, "rules"), i)
		switch label := r.Label(); {
		case r.Name != "" && !validTitle.MatchString(r.Name):
			c.at(child(path, "name"), "name: %q is no name: use %s", shorten(r.Name), titleForm)
		case label != "" && labels[label] && r.Name == "":
			c.at(path, "policy %s has two rules for filter list %s: give this one a name", name, label)
		case label != "" && labels[label]:
			c.at(child(path, "name"), "name: policy %s has another rule called %q", name, label)
		}
		labels[r.Label()] = true
		c.rule(path, r)
	}
}

func (c *checker) rule(path string, r Rule) {
	if r.FilterList == "" {
		c.missing(path, "filter-list", "a rule has no filter-list")
	} else {
		c.defined(path, "filter-list", r.FilterList, "filter list", "$.filter-lists", c.s.filterListNames())
	}
	if r.FilterAction == "" {
		c.missing(path, "filter-action", "a rule has no filter-action")
	} else {
		c.defined(path, "filter-action", r.FilterAction, "filter action", "$.filter-actions", c.s.filterActionNames())
	}
	if r.Tunnel != "" {
		if _, err := c.s.Resolve(r.Tunnel); err != nil && !c.unknown("$.nodes") {
			c.at(child(path, "tunnel"), "tunnel: %s", err)
		}
	}
	switch r.Connections {
	case "", ConnectionsAll, ConnectionsLAN, ConnectionsDialUp:
	default:
		c.at(child(path, "connections"), "connections: want all, lan or dialup, got %q%s",
			shorten(r.Connections), Suggest(r.Connections, []string{ConnectionsAll, ConnectionsLAN, ConnectionsDialUp}))
	}
	negotiates := c.s.actionOf(r.FilterAction) == ActionNegotiate && r.IsActive()
	c.authentication(path, "rule "+r.Label(), r.Auth, negotiates)
}

// authentication checks the methods of a rule, which it needs if it negotiates; who
// names it.
func (c *checker) authentication(path, who string, methods []Authenticate, negotiates bool) {
	const hint = "give it psk: SECRET or root-ca: NAME, or the scenario kerberos-stand-in: SECRET"
	if negotiates && len(methods) == 0 && c.s.KerberosStandIn == "" {
		c.missing(path, "authentication", "%s negotiates without authentication, which is Kerberos, and there is no domain: %s", who, hint)
	}
	for i, a := range methods {
		path := item(child(path, "authentication"), i)
		set := 0
		for _, is := range []bool{a.PSK != "", a.Kerberos, a.RootCA != ""} {
			if is {
				set++
			}
		}
		switch {
		case set == 0:
			c.missing(path, "psk", "authentication: a method has neither psk nor kerberos nor root-ca")
		case set > 1:
			c.at(path, "authentication: a method is one of psk, kerberos and root-ca, not several")
		case a.RootCA == "" && (a.CertificateMapping || a.ExcludeCAName || a.By != ""):
			c.at(path, "authentication: certificate-mapping, exclude-ca-name and by go with root-ca")
		case a.RootCA != "" && !strings.Contains(a.RootCA, "=") && negotiates: // else it is a distinguished name
			c.authority(child(path, "root-ca"), "root-ca", a.RootCA)
		case negotiates && a.Kerberos && c.s.KerberosStandIn == "":
			c.at(path, "authentication: %s authenticates by Kerberos, and there is no domain: %s", who, hint)
		}
		c.word(path, "by", a.By, methodsBy...)
		if a.XAuth != nil {
			if a.Kerberos {
				c.at(child(path, "xauth"), "xauth: it goes with psk or root-ca")
			}
			c.xauth(child(path, "xauth"), a.XAuth)
		}
	}
}
