package scenarios

import (
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// between reports whether a negotiation is one of those between phase 1 and the first quick mode.
func between(exchange string) bool {
	return exchange == "extended authentication" || exchange == "mode config" || exchange == "new group mode"
}

// xauthOf is the extended authentication of a method.
func xauthOf(x *spec.XAuth) *ike.XAuth {
	if x == nil {
		return nil
	}
	out := &ike.XAuth{
		Asks: len(x.Users) > 0, Attempts: x.Attempts, Message: x.Message, Passcode: x.Passcode, User: ike.User{Name: x.User, Password: x.Password},
	}
	for _, name := range slices.Sorted(maps.Keys(x.Users)) {
		out.Users = append(out.Users, ike.User{Name: name, Password: x.Users[name]})
	}
	return out
}

// identityOf is what a host calls itself where a preshared key proves it; spec has checked the form.
func identityOf(word string) ike.Identity {
	form, name, _ := spec.CutIdentity(word)
	return ike.Identity{
		Type: map[string]ike.IDType{spec.IdentityKeyID: payload.IDKeyID, spec.IdentityFQDN: payload.IDFQDN, spec.IdentityUserFQDN: payload.IDUserFQDN}[form],
		Data: []byte(name),
	}
}

// modeConfigOf is what a host takes or gives by mode config; spec has checked the addresses.
func modeConfigOf(m *spec.ModeConfig) *ike.ModeConfig {
	if m == nil {
		return nil
	}
	out := &ike.ModeConfig{Push: m.Push, Version: m.Version}
	if g := m.Give; g != nil {
		addr := func(s string) netip.Addr { a, _ := netip.ParseAddr(s); return a }
		out.Gives = &ike.Configuration{First: addr(g.From), Last: addr(g.To), Netmask: g.Netmask, Banner: g.Banner, Expiry: g.Expiry.Span()}
		for _, s := range g.DNS {
			out.Gives.DNS = append(out.Gives.DNS, addr(s))
		}
		for _, s := range g.WINS {
			out.Gives.NBNS = append(out.Gives.NBNS, addr(s))
		}
		for _, s := range g.Networks {
			p, _ := netip.ParsePrefix(s)
			out.Gives.Networks = append(out.Gives.Networks, p)
		}
	}
	return out
}

// newGroupsOf is the new group mode of a host. The error is about the group that it proposes.
func newGroupsOf(g *spec.NewGroupMode) (out ike.NewGroups, err error) {
	if g == nil {
		return out, nil
	}
	out = ike.NewGroups{Accept: g.Accept, MinBits: g.MinBits, MaxBits: g.MaxBits}
	if p := g.Propose; p != nil {
		prime, ok := new(big.Int).SetString(strings.Join(strings.Fields(p.Prime), ""), 16)
		if !ok {
			return out, fmt.Errorf("prime: want a number in hexadecimal")
		}
		generator := int64(p.Generator)
		if generator == 0 {
			generator = 2
		}
		out.Propose, err = ike.NewPrivateGroup(uint16(p.Number), prime, big.NewInt(generator))
	}
	return out, err
}

// remoteOf adds to options what remote access needs.
func remoteOf(o *policy.Options, settings spec.IPsec) {
	o.Identity, o.ModeConfig = identityOf(settings.Identity), modeConfigOf(settings.ModeConfig)
}

// remoteMistakes are about what hosts and rules have of remote access.
func remoteMistakes(s *spec.Scenario) (mistakes []error) {
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		at, settings := spec.Child("$.nodes", name)+".ipsec", s.Nodes[name].Settings()
		if groups, err := newGroupsOf(settings.NewGroupMode); err != nil {
			mistakes = append(mistakes, s.Errorf(at+".new-group-mode.propose", "new-group-mode: %v", err))
		} else if err := groups.Check(); err != nil {
			mistakes = append(mistakes, s.Errorf(at+".new-group-mode", "%v", err))
		}
		if c := modeConfigOf(settings.ModeConfig); c != nil {
			if err := c.Check(); err != nil {
				mistakes = append(mistakes, s.Errorf(at+".mode-config", "%v", err))
			}
		}
	}
	asks := func(path string, methods []spec.Authenticate) {
		for i, a := range methods {
			if a.XAuth == nil {
				continue
			}
			if err := xauthOf(a.XAuth).Check(); err != nil {
				mistakes = append(mistakes, s.Errorf(fmt.Sprintf("%s.authentication[%d].xauth", path, i), "%v", err))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Policies)) {
		path, p := spec.Child("$.policies", name), s.Policies[name]
		asks(path, p.Auth)
		if p.DefaultResponse != nil {
			asks(path+".default-response", p.DefaultResponse.Auth)
		}
		for i, r := range p.Rules {
			asks(fmt.Sprintf("%s.rules[%d]", path, i), r.Auth)
		}
	}
	return mistakes
}
