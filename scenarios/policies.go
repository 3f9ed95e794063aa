package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Validate finds the mistakes of a scenario without running it: those of
// spec.Scenario.Check, and where there are none, security methods and policies that do
// not compile for a host that is given them. The errors are *spec.Error, joined.
func Validate(s *spec.Scenario) error {
	if err := s.Check(); err != nil {
		return err
	}
	policies, err := policiesOf(s)
	if err != nil {
		return err
	}
	var mistakes []error
	try := func(path, host, name string) {
		p, ok := policies[name]
		if !ok {
			return
		}
		if _, err := policy.Compile(p, s.NodeAddrs(host), optionsOf(s, s.Nodes[host])); err != nil {
			mistakes = append(mistakes, s.Errorf(path, "policy %s on %s: %v", name, host, err))
		}
	}
	for _, host := range slices.Sorted(maps.Keys(s.Assignments)) {
		try("$.assignments."+host, host, s.Assignments[host])
	}
	for _, host := range slices.Sorted(maps.Keys(s.Nodes)) {
		if source := s.Nodes[host].Settings().PolicySource; source != nil {
			try("$.nodes."+host+".ipsec.policy-source", host, source.Policy)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(s.Persistent)) {
		try("$.persistent."+host, host, s.Persistent[host])
	}
	for i, step := range s.Steps {
		if a := step.AssignPolicy; a != nil && !a.Unassigns() {
			try(fmt.Sprintf("$.steps[%d].assign-policy", i), a.Host, a.Policy)
		}
		if a := step.StorePolicy; a != nil {
			try(fmt.Sprintf("$.steps[%d].store-policy", i), a.Host, a.Policy)
		}
	}
	asked := authorities{spec: s}
	asked.requests()
	mistakes = append(mistakes, asked.errs...)
	mistakes = append(mistakes, certificateMistakes(s)...)
	made, refused := rehearse(s, policies)
	return errors.Join(append(append(mistakes, refused...), unknownRules(s, policies, made)...)...)
}

// ValidateAll is Validate for all cells of a file, as LoadAll gives them. A
// mistake that several cells have is reported once.
func ValidateAll(all []*spec.Scenario) error { return spec.Each(all, Validate) }

// policiesOf makes the policies of a scenario out of its filter lists, filter actions and rules.
func policiesOf(s *spec.Scenario) (map[string]*policy.Policy, error) {
	var mistakes []error
	lists := map[string]policy.FilterList{}
	for _, name := range slices.Sorted(maps.Keys(s.FilterLists)) {
		list := policy.FilterList{Name: name}
		for i, f := range s.FilterLists[name] {
			filter, err := filterOf(s, f)
			if err != nil {
				mistakes = append(mistakes, s.Errorf(fmt.Sprintf("%s[%d]", spec.Child("$.filter-lists", name), i), "%v", err))
			}
			list.Filters = append(list.Filters, filter)
		}
		lists[name] = list
	}
	actions := map[string]policy.FilterAction{}
	for _, name := range slices.Sorted(maps.Keys(s.FilterActions)) {
		a := s.FilterActions[name]
		action := policy.FilterAction{Name: name, PFS: a.PFS, InPass: a.InPass, Soft: a.Soft}
		action.Kind = kindOf(a.Action)
		for i, m := range a.Methods {
			proposal, err := policy.ParseSecurityMethod(m)
			if err != nil {
				mistakes = append(mistakes, s.Errorf(fmt.Sprintf("%s.security-methods[%d]", spec.Child("$.filter-actions", name), i), "%v", err))
			}
			action.Methods = append(action.Methods, proposal)
		}
		actions[name] = action
	}
	addPredefined(lists, actions)
	mistakes = append(mistakes, remoteMistakes(s)...)
	policies := map[string]*policy.Policy{}
	for _, name := range slices.Sorted(maps.Keys(s.Policies)) {
		p := s.Policies[name]
		if p.Netsh != "" {
			found, wrong := scripted(s, name, p)
			if mistakes = append(mistakes, wrong...); found != nil {
				policies[name] = found
			}
			continue
		}
		out := &policy.Policy{Name: name}
		if p.Predefined != "" {
			out = predefinedPolicy(p.Predefined, lists, actions)
			out.Name = name
			authenticate(out, authOf(s, p.Auth))
		}
		out.Description, out.Polling = cmp.Or(p.Description, out.Description), p.PollingInterval()
		out.MainMode = policy.MainMode{Lifetime: p.MainMode.Expiry(), QuickModes: p.MainMode.QuickModes}
		for i, m := range p.MainMode.Methods {
			proposal, err := policy.ParseMainModeMethod(m)
			if err != nil {
				mistakes = append(mistakes, s.Errorf(fmt.Sprintf("%s.main-mode.security-methods[%d]", spec.Child("$.policies", name), i), "%v", err))
			}
			out.MainMode.Proposals = append(out.MainMode.Proposals, proposal)
		}
		if d := p.DefaultResponse; !p.Responds() {
			out.DefaultResponse = nil
		} else if d != nil {
			out.DefaultResponse = &policy.DefaultResponse{PFS: d.PFS, Auth: authOf(s, d.Auth)}
			if len(d.Auth) == 0 {
				out.DefaultResponse.Auth = authOf(s, p.Auth)
			}
			for i, m := range d.Methods {
				proposal, err := policy.ParseSecurityMethod(m)
				if err != nil {
					mistakes = append(mistakes, s.Errorf(fmt.Sprintf("%s.default-response.security-methods[%d]", spec.Child("$.policies", name), i), "%v", err))
				}
				out.DefaultResponse.Methods = append(out.DefaultResponse.Methods, proposal)
			}
		}
		for i, r := range p.Rules {
			rule := policy.Rule{
				Name: r.Label(), Description: r.Description, Filters: lists[r.FilterList], Action: actions[r.FilterAction],
				Auth: authOf(s, r.Auth), Connections: connectionsOf(r.Connections), Inactive: !r.IsActive(),
			}
			if r.Tunnel != "" {
				var err error
				if rule.Tunnel, err = s.Resolve(r.Tunnel); err != nil {
					mistakes = append(mistakes, s.Errorf(fmt.Sprintf("%s.rules[%d].tunnel", spec.Child("$.policies", name), i), "tunnel: %v", err))
				}
			}
			out.Rules = append(out.Rules, rule)
		}
		policies[name] = out
	}
	for _, name := range s.PredefinedInUse() {
		policies[name] = predefinedPolicy(name, lists, actions)
	}
	return policies, errors.Join(mistakes...)
}

// authOf are authentication methods as package policy has them.
func authOf(s *spec.Scenario, methods []spec.Authenticate) (all []policy.AuthMethod) {
	for _, a := range methods {
		if s.PKI != nil {
			if authority, ok := s.PKI.Authorities[a.RootCA]; ok {
				a.RootCA = authority.Subject
			}
		}
		all = append(all, policy.AuthMethod{
			PreSharedKey: a.PSK, Kerberos: a.Kerberos, RootCA: a.RootCA, CertMapping: a.CertificateMapping, ExcludeCAName: a.ExcludeCAName, By: byOf[a.By], XAuth: xauthOf(a.XAuth),
		})
	}
	return all
}

// byOf are the methods of authentication with certificates by their words.
var byOf = map[string]ike.AuthMethod{
	spec.BySignature: ike.RSASignature, spec.ByDSS: ike.DSSSignature,
	spec.ByEncryption: ike.RSAEncryption, spec.ByRevisedEncryption: ike.RevisedRSAEncryption,
}

// connectionsOf is the kind of connections that a word means; spec has checked it.
func connectionsOf(word string) policy.ConnectionType {
	switch word {
	case spec.ConnectionsLAN:
		return policy.LANConnections
	case spec.ConnectionsDialUp:
		return policy.RemoteAccess
	}
	return policy.AllConnections
}

// kindOf is the action that a word means; spec has checked it.
func kindOf(word string) policy.Kind {
	switch word {
	case spec.ActionPermit:
		return policy.Permit
	case spec.ActionBlock:
		return policy.Block
	}
	return policy.Negotiate
}

// optionsOf are what the policy compiler has to know of a node.
func optionsOf(s *spec.Scenario, n spec.Node) policy.Options {
	settings := n.Settings()
	exempt, _ := policy.NoDefaultExempt(settings.DefaultExempt()) // spec has checked it
	exempt.InboundGroups = settings.ExemptInboundGroups
	o := policy.Options{
		Exempt: exempt, BypassIPv6: settings.BypassIPv6(), Broadcasts: policy.Broadcasts(n.Prefixes()...),
		RemoteAccess: n.DialUp(), KerberosKey: s.KerberosStandIn,
		AggressiveMode: settings.AggressiveMode, AuthFirst: settings.OfferByAuthentication,
		Certificates: new(hosts.Certificates).For, // a store with nothing in it; that of a running host comes with the world
		Specificity:  policy.Specificity{WiderEndFirst: settings.WiderEndFirst(), MeCountsAsAny: settings.MeAsAny()},
		Resolve:      func(name string) []netip.Addr { return s.NameTable()[name] },
		Servers:      func(k policy.ServerKind) []netip.Addr { return serversAtStart(s, n)[k] },
	}
	remoteOf(&o, settings)
	o.Persistent = map[string]policy.Precedence{
		spec.OrderPersistent: policy.PersistentFirst, spec.OrderLast: policy.PersistentLast,
	}[settings.Precedence()]
	o.System, _ = n.Profile()
	o.FirstGeneration = settings.FirstGeneration
	for _, word := range settings.TieOrder() {
		o.Ties = append(o.Ties, kindOf(word))
	}
	return o
}

func filterOf(s *spec.Scenario, f spec.Filter) (policy.Filter, error) {
	out := policy.Filter{
		Description: f.Description, Protocol: f.ProtocolNumber(),
		SourcePort: uint16(f.SourcePort), DestinationPort: uint16(f.DestinationPort), Mirrored: f.BothWays(),
	}
	var err error
	if out.Source, err = addressOf(s, f.Source); err != nil {
		return out, fmt.Errorf("source: %w", err)
	}
	if out.Destination, err = addressOf(s, f.Destination); err != nil {
		return out, fmt.Errorf("destination: %w", err)
	}
	return out, nil
}

func addressOf(s *spec.Scenario, word string) (policy.Address, error) {
	a, err := s.FilterAddress(word)
	switch {
	case err != nil:
		return policy.Address{}, err
	case a.Me:
		return policy.Me(), nil
	case a.Any:
		return policy.Any(), nil
	case a.Name != "":
		return policy.DNSName(a.Name), nil
	case a.Servers != "":
		return policy.Servers(serversOf(a.Servers)), nil
	case a.Prefix.IsSingleIP():
		return policy.Host(a.Prefix.Addr()), nil
	}
	return policy.Subnet(a.Prefix), nil
}
