package policy

import (
	"net/netip"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// DefaultResponse is the default response rule of a policy: it answers a peer that
// starts IKE about traffic for which the policy has no filter, and never starts by
// itself. Its filter list, "<Dynamic>", is empty until then; what is agreed on becomes
// a filter for that peer (TechNet cc987611; MS-GPIPSEC 2.2.1.4, standard negotiation
// policy). An administrator can change its methods and authentication, and can
// deactivate it, and no more.
type DefaultResponse struct {
	Methods []ipsec.Proposal // in order of preference; none: DefaultResponseMethods
	PFS     bool
	Auth    []AuthMethod // none: Kerberos
}

// DefaultResponseName is what verdicts call the rule, behind the policy's name.
const DefaultResponseName = "default response"

// DefaultResponseMethods are accepted by a default response rule without methods of
// its own. Those of Windows are unconfirmed; the lab's choice is encryption with
// integrity first, then integrity alone, with the two integrity algorithms and without DES.
func DefaultResponseMethods() []ipsec.Proposal { return parsed(defaultResponseMethods) }

var defaultResponseMethods = []string{"ESP[3DES,SHA1]", "ESP[3DES,MD5]", "ESP[None,SHA1]", "AH[SHA1]", "AH[MD5]"}

// parsed reads methods that are written in this package.
func parsed(methods []string) (all []ipsec.Proposal) {
	for _, m := range methods {
		p, err := ParseSecurityMethod(m)
		if err != nil {
			panic(err) // a slip in this package, which its tests find
		}
		all = append(all, p)
	}
	return all
}

// methods are what the rule accepts.
func (d *DefaultResponse) methods() []ipsec.Proposal {
	if len(d.Methods) == 0 {
		return DefaultResponseMethods()
	}
	return d.Methods
}

// responseName is how an SPD entry of the default response rule is called.
func (c *Compiled) responseName() string { return c.policy.Name + "/" + DefaultResponseName }

// responds reports whether the default response rule may answer for addresses.
func (c *Compiled) responds(local, remote netip.Addr) bool {
	return c.policy != nil && c.policy.DefaultResponse != nil && local.IsValid() && remote.IsValid()
}

// IsResponse reports whether a rule, named as in an SPD entry or an SA, is the
// default response rule of this policy.
func (c *Compiled) IsResponse(rule string) bool {
	return c.policy != nil && c.policy.DefaultResponse != nil && rule == c.responseName()
}

// responseQuickMode is what the default response rule accepts.
func (c *Compiled) responseQuickMode() ike.QuickMode {
	d := c.policy.DefaultResponse
	return ike.QuickMode{Proposals: d.methods(), PFS: d.PFS, Rule: c.responseName()}
}

// Response is a dynamic filter of the default response rule.
type Response struct {
	Number   int            // from 1; of those in force no two have the same
	Outbound ipsec.Selector // what was agreed on with a peer, as this host sends it
}

// WithResponse is the same policy with dynamic filters of its default response rule.
// They are searched after all filters of the policy: the rule is for traffic for which
// there is no other (a lab rule as to their place). Without a default response rule it
// is c itself.
func (c *Compiled) WithResponse(dynamic []Response) *Compiled {
	if c.policy == nil || c.policy.DefaultResponse == nil || len(dynamic) == 0 {
		return c
	}
	with := *c
	with.Outbound, with.Inbound = clip(c.Outbound), clip(c.Inbound)
	with.plumbed = map[ipsec.Direction][]*specific{
		ipsec.Outbound: clip(c.plumbed[ipsec.Outbound]), ipsec.Inbound: clip(c.plumbed[ipsec.Inbound]),
	}
	d := c.policy.DefaultResponse
	for _, r := range dynamic {
		s := &specific{
			selector: r.Outbound, written: r.Outbound, kind: Negotiate, name: c.responseName(), rule: dynamicRule, seq: len(c.all) + r.Number,
			generic: Filter{Description: "<Dynamic>", Source: Me(), Destination: Any(), Mirrored: true},
		}
		e := ipsec.Policy{
			ID: c.ResponseID(r), Rule: s.name, Direction: ipsec.Outbound, Selector: r.Outbound, Action: ipsec.Protect,
			Proposals: d.methods(), PFS: d.PFS,
		}
		with.Outbound, with.plumbed[ipsec.Outbound] = append(with.Outbound, e), append(with.plumbed[ipsec.Outbound], s)
		back := *s
		back.selector = r.Outbound.Reverse()
		e.Direction, e.Selector = ipsec.Inbound, back.selector
		with.Inbound, with.plumbed[ipsec.Inbound] = append(with.Inbound, e), append(with.plumbed[ipsec.Inbound], &back)
	}
	return &with
}

// ResponseID is the ID of the SPD entries of a dynamic filter.
func (c *Compiled) ResponseID(r Response) int { return dynamicIDs + r.Number }

// dynamicIDs is more than any other entry has, and the same whenever a policy is
// expanded again.
const dynamicIDs = 1 << 30

// clip is a slice that grows into memory of its own.
func clip[T any](s []T) []T { return s[:len(s):len(s)] }

// dynamicRule is the place of the default response rule in Policy.Rules, in which it does not stand.
const dynamicRule = -1
