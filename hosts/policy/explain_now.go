package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Circumstances are what decides about a packet besides the policy. The zero value is a
// host at work under its policy that has no SA with anybody.
type Circumstances struct {
	FallBackAfter time.Duration // the silence that ends in a soft SA; 0: 3 seconds (C147)
	Simultaneous  bool          // it begins at once, while IKE goes on
	OnFailure     bool          // a negotiation that fails ends in one, too
	OnUnreachable bool          // and a peer that says that its port 500 is closed
	AnswersOnly   bool          // a soft SA lets nothing in but answers to what the host has sent

	// AgentStopped says that no policy agent runs: nobody negotiates. Startup is the
	// startup mode of a driver that has not been given a policy; empty: it is operational.
	AgentStopped bool
	Startup      string
	Admitted     string // why the startup mode lets the packet pass; empty: it does not, or it is not known

	SA        string // that protects the packet, or under which it is expected; in words, empty: none
	Soft      string // a soft SA with the peer, in words; empty: none
	Acquiring bool   // a negotiation for it is under way
}

// Outcome is what happens to a packet.
type Outcome struct {
	Result  string `json:"result"` // one of the Result words
	Why     string `json:"why"`
	Counter string `json:"counter,omitempty"` // the statistic that counts it, by its name in scenario files

	// Negotiation is what this host offers, or accepts, to protect the packet.
	Negotiation *Negotiation `json:"negotiation,omitempty"`
	Then        []string     `json:"then,omitempty"` // what follows, in words
}

// The words of Outcome.Result.
const (
	ResultPass      = "pass"      // in the clear
	ResultDrop      = "drop"      // whatever it comes in
	ResultProtect   = "protect"   // outbound: under an SA that is there
	ResultNegotiate = "negotiate" // outbound: it waits for an SA
	ResultDemand    = "demand"    // inbound: it comes in under an SA alone
)

// Negotiation is what this host offers where it starts, and accepts where it answers.
type Negotiation struct {
	Local     string   `json:"local"`
	Peer      string   `json:"peer"`
	MainMode  []string `json:"main_mode"` // proposals in order, as CIPHER-HASH-GROUP
	Lifetime  string   `json:"main_mode_lifetime"`
	Limit     int      `json:"quick_modes_per_main_mode,omitempty"` // 0: none; 1 is master key perfect forward secrecy
	Auth      string   `json:"authentication"`                      // the method, never the secret
	AuthRule  string   `json:"authentication_rule,omitempty"`
	Selector  string   `json:"quick_mode_selector"`
	QuickMode []string `json:"quick_mode"` // security methods in order
	PFS       bool     `json:"pfs"`
	Mode      string   `json:"mode"` // transport or tunnel
}

// outcome is what happens to a packet of which an entry decides: nil for none, and a
// nil winner for an exemption.
func (c *Compiled) outcome(d ipsec.Direction, f ipsec.Flow, e *ipsec.Policy, winner *specific, now Circumstances) Outcome {
	switch {
	case e == nil:
		return c.unmatched(d, f, now)
	case e.Action == ipsec.Bypass:
		why := "it passes in the clear"
		if winner == nil {
			why = "it passes untouched, whatever the filters say"
		}
		return Outcome{Result: ResultPass, Why: why}
	case e.Action == ipsec.Discard:
		return Outcome{Result: ResultDrop, Why: "it is dropped without a word to anybody", Counter: "policy-drops"}
	case d == ipsec.Inbound:
		return c.arrives(f, e, winner, now)
	}
	return c.leaves(f, e, winner, now)
}

// unmatched is the outcome of a packet that no filter is for.
func (c *Compiled) unmatched(d ipsec.Direction, f ipsec.Flow, now Circumstances) Outcome {
	if now.Startup != "" && now.Admitted != "" {
		return Outcome{Result: ResultPass, Why: now.Admitted}
	}
	if now.Startup != "" {
		o := Outcome{Result: ResultPass, Why: "no policy agent yet: in startup mode permit the driver filters nothing"}
		switch {
		case now.Startup == "stateful" && d == ipsec.Outbound:
			o.Why = "no policy agent yet: in startup mode stateful what the host sends passes"
		case now.Startup == "stateful":
			o = Outcome{Result: ResultDrop, Counter: "boot-drops", Why: "no policy agent yet: in startup mode stateful it is dropped, unless it answers what the host has sent, or a boot exemption or DHCP lets it in"}
		case now.Startup == "block":
			o = Outcome{Result: ResultDrop, Counter: "boot-drops", Why: "no policy agent yet: in startup mode block it is dropped, unless a boot exemption or DHCP lets it pass"}
		}
		return o
	}
	o := Outcome{Result: ResultPass, Why: "it passes untouched"}
	if c.policy == nil || !unicast(f) {
		return o
	}
	local, peer := localFirst(d, f)
	if c.responds(local, peer) && !now.AgentStopped {
		o.Negotiation = c.negotiation(local, peer, ipsec.Selector{Src: ipsec.Host(local), Dst: ipsec.Host(peer)}, c.responseQuickMode())
		o.Then = []string{"if the peer starts IKE about it, the default response rule answers, and what is agreed on becomes a filter for the two"}
	}
	return o
}

// localFirst are this host's end of a packet and the peer's.
func localFirst(d ipsec.Direction, f ipsec.Flow) (local, peer netip.Addr) {
	if d == ipsec.Inbound {
		return f.Dst, f.Src
	}
	return f.Src, f.Dst
}

func unicast(f ipsec.Flow) bool {
	return !f.Dst.IsMulticast() && f.Dst != broadcast && f.Src.IsValid()
}

// leaves is the outcome of a packet of this host that is to be protected.
func (c *Compiled) leaves(f ipsec.Flow, e *ipsec.Policy, winner *specific, now Circumstances) Outcome {
	switch {
	case !e.Peer.IsValid() && (!unicast(f) || c.toSubnet(f.Dst)):
		return Outcome{Result: ResultDrop, Why: "it is dropped: SAs are for unicast addresses alone, so that multicast and broadcast cannot be protected"}
	case now.SA != "":
		return Outcome{Result: ResultProtect, Why: now.SA + " protects it"}
	case now.Soft != "" && e.FallBack:
		return Outcome{Result: ResultPass, Why: "it passes in the clear, under " + now.Soft}
	case now.AgentStopped:
		return Outcome{Result: ResultDrop, Counter: "held-discarded", Why: "it is discarded: the policy agent does not run, and nobody negotiates"}
	}
	n := c.asks(f, e)
	o := Outcome{Result: ResultNegotiate, Negotiation: n}
	o.Why = "it waits until an SA with " + n.Peer + " is negotiated"
	if now.Acquiring {
		o.Why = "it waits for the negotiation with " + n.Peer + " that is under way"
	}
	o.Then = append(o.Then, "of what waits, only the last packet to each destination is kept (held-discarded counts the others)")
	gaps := ike.Windows2003Retransmit
	silence := fmt.Sprintf("if nobody answers, IKE gives up after %d repeats, %s after its first message, and the packet is discarded (held-discarded)", len(gaps), span(ike.Span(gaps)))
	refusal := "if the peer refuses, the packet is discarded at once (held-discarded), and the next one asks again"
	if e.FallBack {
		after := now.FallBackAfter
		if after == 0 {
			after = 3 * time.Second
		}
		if now.Simultaneous {
			o.Then = append(o.Then, "a soft SA with the peer begins at once, and the packet passes in the clear; an SA takes over when IKE has negotiated one")
			return o
		}
		silence = fmt.Sprintf("if nobody answers for %s, a soft SA with the peer begins, and the packet passes in the clear", span(after))
		if now.OnUnreachable {
			silence += ", or at once if the peer says that its port 500 is closed"
		}
		if now.OnFailure {
			refusal = fmt.Sprintf("if the peer refuses, or no main mode is up after %s, a soft SA begins as well", span(after))
		}
	}
	o.Then = append(o.Then, silence, refusal)
	return o
}

// toSubnet reports whether an address is the broadcast address of a subnet of the host.
func (c *Compiled) toSubnet(a netip.Addr) bool {
	return slices.Contains(c.broadcasts, a)
}

// asks is what this host offers for a packet that it sends.
func (c *Compiled) asks(f ipsec.Flow, e *ipsec.Policy) *Negotiation {
	local, peer, s := f.Src, f.Dst, e.Selector
	if e.Peer.IsValid() {
		local, peer = e.Local, e.Peer
	} else {
		s.Src, s.Dst = ipsec.Host(f.Src), ipsec.Host(f.Dst)
	}
	q := ike.QuickMode{Proposals: e.Proposals, PFS: e.PFS, Rule: e.Rule}
	return c.negotiation(local, peer, s, q)
}

// arrives is the outcome of a packet for this host that has to be protected.
func (c *Compiled) arrives(f ipsec.Flow, e *ipsec.Policy, winner *specific, now Circumstances) Outcome {
	o := Outcome{Result: ResultDemand, Counter: "clear-text-drops"}
	in := "under an SA"
	if winner.tunnel.IsValid() {
		in = "through the tunnel"
	}
	o.Why = "it comes in " + in + " alone: in the clear it is dropped"
	if now.SA != "" {
		o.Then = append(o.Then, now.SA+" is there for it")
	}
	group := f.Dst.IsMulticast() || f.Dst == broadcast || c.toSubnet(f.Dst)
	back := c.first(ipsec.Outbound, f.Reverse())
	switch {
	case now.Soft != "" && e.FallBack:
		o.Result, o.Counter, o.Why = ResultPass, "", "in the clear it passes, under "+now.Soft
	case e.Passthrough:
		o.Result, o.Counter, o.Why = ResultPass, "accepted-clear", "in the clear it passes, by inbound passthrough"
		switch {
		case group || back == nil || back.Action != ipsec.Protect || now.SA != "" || now.AgentStopped:
		default:
			o.Then = append(o.Then, "it has this host start IKE with its sender, so that the answer is protected")
			o.Negotiation = c.asks(f.Reverse(), back)
		}
	case e.FallBack:
		then := "in the clear it passes only under a soft SA with its sender, which begins with outbound traffic that nobody answers IKE for"
		if now.AnswersOnly {
			then += ", and only as an answer to what the host has sent under it"
		}
		o.Then = append(o.Then, then)
	}
	switch {
	case group:
		o.Then = append(o.Then, "no SA can be had for it: SAs are for unicast addresses alone")
	case now.AgentStopped:
		o.Then = append(o.Then, "no SA can be had for it: the policy agent does not run")
	case o.Negotiation == nil:
		s := ipsec.Selector{Src: ipsec.Host(f.Dst), Dst: ipsec.Host(f.Src), Proto: e.Selector.Proto, SrcPort: e.Selector.DstPort, DstPort: e.Selector.SrcPort}
		local, peer := f.Dst, f.Src
		if winner.tunnel.IsValid() {
			s = e.Selector.Reverse()
			local, peer = winner.tunnel, netip.Addr{}
			if back != nil && back.Peer.IsValid() {
				peer = back.Peer
			}
		}
		o.Negotiation = c.negotiation(local, peer, s, ike.QuickMode{Proposals: e.Proposals, PFS: e.PFS, Rule: e.Rule})
		if now.SA == "" {
			o.Then = append(o.Then, "this host starts nothing for it: the sender has to start IKE, and this host accepts the above")
		}
	}
	return o
}

// first is the entry that decides about a packet; nil when none matches.
func (c *Compiled) first(d ipsec.Direction, f ipsec.Flow) *ipsec.Policy {
	entries := c.entries(d)
	for i := range entries {
		if entries[i].Selector.Matches(&f) {
			return &entries[i]
		}
	}
	return nil
}

// negotiation describes IKE between two addresses for a selector; an invalid address is
// one that is not known from the policy.
func (c *Compiled) negotiation(local, peer netip.Addr, selector ipsec.Selector, q ike.QuickMode) *Negotiation {
	n := &Negotiation{
		Local: "the address from which the peer is reached", Peer: "anybody who has the key",
		Selector: selector.String(), PFS: q.PFS, Mode: ipsec.Transport.String(),
	}
	if local.IsValid() {
		n.Local = local.String()
	}
	if peer.IsValid() {
		n.Peer = peer.String()
	}
	for _, p := range q.Proposals {
		n.Mode = p.Mode.String()
		n.QuickMode = append(n.QuickMode, methodWords(p))
	}
	s, rule := c.authenticates(local, peer, q.Rule)
	of, auth := c.policy, []AuthMethod(nil)
	switch {
	case s != nil:
		of, auth = s.of, s.of.Rules[s.rule].Auth
	case c.policy.DefaultResponse != nil:
		auth = c.policy.DefaultResponse.Auth
	}
	for _, p := range of.MainMode.proposals() {
		words, ok := FormatMainModeMethod(p)
		if !ok {
			words = fmt.Sprintf("%s/%s/%d", p.Cipher, p.Hash, p.Group)
		}
		n.MainMode = append(n.MainMode, words)
	}
	n.Limit = of.MainMode.QuickModes
	n.Lifetime = span(cmp.Or(of.MainMode.Lifetime, DefaultMainModeLifetime))
	words := make([]string, len(auth))
	for i, a := range auth {
		words[i] = a.words()
	}
	n.Auth = strings.Join(words, ", ")
	if rule != q.Rule {
		n.AuthRule = rule
	}
	return n
}

// span is a time without its zeros: 8h for 8h0m0s.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// methodWords is a security method as netsh has it, or as the lab prints proposals.
func methodWords(p ipsec.Proposal) string {
	p.Mode = ipsec.Transport // which a method does not name
	if s, ok := FormatSecurityMethod(p); ok {
		return s
	}
	return p.String()
}

// authenticates is the filter whose rule says how main mode between two addresses
// authenticates, and the rule's name; nil where it is the default response rule.
func (c *Compiled) authenticates(local, peer netip.Addr, rule string) (*specific, string) {
	s := c.negotiating(local, peer)
	if !peer.IsValid() { // of a tunnel that ends here, and nobody says where it begins
		s = c.named(rule)
	}
	switch {
	case s != nil:
		return s, s.name
	case c.policy.DefaultResponse != nil:
		return nil, c.responseName()
	}
	return nil, ""
}

// named is a filter of a rule.
func (c *Compiled) named(rule string) *specific {
	for _, s := range c.all {
		if s.name == rule {
			return s
		}
	}
	return nil
}

// words are String, and say where a preshared key stands in.
func (a AuthMethod) words() string {
	if a.Kerberos && a.PreSharedKey != "" {
		return a.String() + " (a preshared key stands in for it)"
	}
	return a.String()
}
