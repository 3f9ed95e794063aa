package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Question asks what the policies of two nodes do with a packet and its answer.
type Question struct {
	From, To string // nodes or addresses; To may be a multicast group or a broadcast address
	Protocol string // any word of a filter's protocol
	Port     int    // of the server, with TCP and UDP
	FromPort int    // of the client; 0: an ephemeral one

	// Direction is DirectionOut or DirectionIn for where packets leave or where they
	// arrive alone; empty: both.
	Direction string
}

// The words of Question.Direction.
const (
	DirectionOut = "out"
	DirectionIn  = "in"
)

// Explanation is the answer, one view for each place where a filter decides.
type Explanation struct {
	Scenario string         `json:"scenario"`
	At       *time.Duration `json:"at_ns,omitempty"` // virtual time of a running world; nil: nothing was run
	NAT      []string       `json:"nat,omitempty"`   // what NAT boxes do on the way, in words
	Views    []View         `json:"views"`
}

// View is the decision of one node about one packet.
type View struct {
	Node   string `json:"node"`
	Policy string `json:"policy"`         // in force; "" for none; behind it "+ NAME" of a persistent one
	Peer   string `json:"peer,omitempty"` // image of a real peer: the view is that of a host of the lab in its place
	policy.Explanation
}

// ephemeralPort stands for any client port that no filter names: the first of
// the dynamic ports of Windows Server 2003.
const ephemeralPort = 1025

// Explain answers a question from the scenario file alone, for the policies that hosts
// begin with; nothing is run.
func Explain(s *spec.Scenario, q Question) (*Explanation, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	policies, err := policiesOf(s)
	if err != nil {
		return nil, err
	}
	return q.ask(directory{spec: s}, func(name string, d ipsec.Direction, f ipsec.Flow) (View, error) {
		v := View{Node: name, Policy: inForce(s.Assignments[name], s.Persistent[name]), Peer: s.Nodes[name].Image}
		compiled, err := policy.CompileBoth(policies[s.Persistent[name]], policies[s.Assignments[name]], s.NodeAddrs(name), optionsOf(s, s.Nodes[name]))
		if err != nil {
			return v, fmt.Errorf("scenarios: explain: node %s: %w", name, err)
		}
		v.Explanation = compiled.Explain(d, f, fallBackOf(s.Nodes[name].Settings()).Circumstances())
		return v, nil
	})
}

// ErrBroken is what is wrong with the lab itself, and not with what it is asked.
var ErrBroken = errors.New("the lab broke")

// ExplainAt runs a scenario to a virtual time after its start, and answers a question
// with the policies, SAs and soft SAs of that moment; after the last step the world goes
// on. Nothing is judged and no evidence written. An error means that scenario, question or
// time is wrong, that ctx ended, or, as ErrBroken, that the lab broke.
func ExplainAt(ctx context.Context, s *spec.Scenario, q Question, at time.Duration) (*Explanation, error) {
	if at <= 0 || at > longest {
		return nil, fmt.Errorf("scenarios: explain: %v is no time of a run: want more than 0, and at most 100 years", spec.Duration(at))
	}
	if err := Validate(s); err != nil {
		return nil, err
	}
	if len(s.Peers()) > 0 {
		return nil, fmt.Errorf("scenarios: explain: %s", unrepeated(s))
	}
	l, err := build(s, Options{}, nil, nil)
	if err != nil {
		return nil, err
	}
	var x *Explanation
	var wrong error
	if err = l.runTo(ctx, at); err == nil {
		x, wrong = q.ask(directory{s, l}, func(name string, d ipsec.Direction, f ipsec.Flow) (View, error) {
			h := l.hosts[name]
			local := ""
			if p := h.Policy(); p != nil {
				local = p.Name
			}
			_, persistent := h.PolicySource()
			return View{Node: name, Policy: inForce(local, persistent), Explanation: h.Explain(d, f)}, nil
		})
	}
	switch err = errors.Join(err, l.close()); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("scenarios: %s: %w: %w", s.Name, ErrBroken, err)
	case wrong != nil:
		return nil, wrong
	}
	x.At = &at
	return x, nil
}

// ask has each place answer in which a filter decides.
func (q Question) ask(d directory, answer func(name string, d ipsec.Direction, f ipsec.Flow) (View, error)) (*Explanation, error) {
	f, err := q.flow(d)
	if err != nil {
		return nil, err
	}
	s := d.spec
	x, written := &Explanation{Scenario: s.Name}, sourcesOf(s, d.storedPolicies())
	word, far, words := d.beyond(q, f)
	x.NAT = words
	for _, p := range passages(d, q, f, word, far) {
		name, ok := d.nodeOf(q.From, p.word)
		if !ok || !s.Nodes[name].Host() {
			continue // nobody there has an IPsec policy
		}
		if q.Direction == DirectionOut && p.d != ipsec.Outbound || q.Direction == DirectionIn && p.d != ipsec.Inbound {
			continue
		}
		v, err := answer(name, p.d, p.f)
		if err != nil {
			return nil, err
		}
		written.fill(name, v.Matches)
		written.fill(name, v.Elsewhere)
		x.Views = append(x.Views, v)
	}
	if x.Views == nil {
		return nil, q.nobody()
	}
	return x, nil
}

// nobody says why no host answers.
func (q Question) nobody() error {
	switch q.Direction {
	case DirectionOut:
		return fmt.Errorf("scenarios: explain: no packet of the two leaves a host of the scenario")
	case DirectionIn:
		return fmt.Errorf("scenarios: explain: no packet of the two arrives at a host of the scenario")
	}
	return fmt.Errorf("scenarios: explain: neither %s nor %s is a host of the scenario", q.From, q.To)
}

// flow is the packet that is asked about; the error says what is wrong with the question.
func (q Question) flow(d directory) (f ipsec.Flow, err error) {
	proto, ok := spec.ProtocolNumber(q.Protocol)
	if !ok {
		return f, fmt.Errorf("scenarios: explain: %q is no protocol: any, icmp, icmpv6, tcp, udp or a number from 1 to 255", q.Protocol)
	}
	if (q.Port != 0 || q.FromPort != 0) && !ipsec.HasPorts(proto) {
		return f, fmt.Errorf("scenarios: explain: a port needs protocol tcp or udp (--proto), not %s", ipsec.ProtoName(proto))
	}
	if q.Port < 0 || q.Port > 65535 || q.FromPort < 0 || q.FromPort > 65535 {
		return f, fmt.Errorf("scenarios: explain: a port is a number from 1 to 65535")
	}
	if ipsec.HasPorts(proto) && q.Port == 0 {
		return f, fmt.Errorf("scenarios: explain: protocol %s needs the port of the server (--port)", ipsec.ProtoName(proto))
	}
	if q.Direction != "" && q.Direction != DirectionOut && q.Direction != DirectionIn {
		return f, fmt.Errorf("scenarios: explain: %q is no direction: %s or %s", q.Direction, DirectionOut, DirectionIn)
	}
	src, dst, err := d.ends(q.From, q.To)
	if err != nil {
		return f, err
	}
	f = ipsec.Flow{Src: src, Dst: dst, Proto: proto, DstPort: uint16(q.Port), SrcPort: uint16(q.FromPort)}
	if f.SrcPort == 0 && ipsec.HasPorts(proto) {
		f.SrcPort = ephemeralPort
	}
	return f, nil
}

// inForce names the policies that a host works by.
func inForce(local, persistent string) string {
	if local != "" && persistent != "" {
		return local + " + " + persistent
	}
	return local + persistent
}

// passage is a packet where a filter may decide about it.
type passage struct {
	word string // whose filter: a node or an address
	d    ipsec.Direction
	f    ipsec.Flow
}

// passages are where a packet and its answer meet filters. What is sent to many is
// answered by nobody; it meets those of all hosts beside the sender. far is the packet where it
// arrives, and to whose that is.
func passages(d directory, q Question, f ipsec.Flow, to string, far ipsec.Flow) []passage {
	s := d.spec
	from, _ := d.nodeOf(q.From, q.From)
	limited := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if f.Dst != limited && !f.Dst.IsMulticast() && !slices.Contains(policy.Broadcasts(s.Nodes[from].Prefixes()...), f.Dst) {
		return []passage{
			{q.From, ipsec.Outbound, f}, {to, ipsec.Inbound, far},
			{to, ipsec.Outbound, far.Reverse()}, {q.From, ipsec.Inbound, f.Reverse()},
		}
	}
	all := []passage{{q.From, ipsec.Outbound, f}}
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		beside := slices.ContainsFunc(s.Nodes[name].Interfaces, func(i spec.Interface) bool {
			return slices.ContainsFunc(s.Nodes[from].Interfaces, func(mine spec.Interface) bool { return mine.Segment == i.Segment })
		})
		if _, err := d.source(name, f.Dst); beside && name != from && err == nil { // else it is not of its family
			all = append(all, passage{name, ipsec.Inbound, f})
		}
	}
	return all
}

// String is the answer for people.
func (x *Explanation) String() string {
	var b strings.Builder
	if x.At != nil {
		fmt.Fprintf(&b, "at %s of virtual time\n\n", spec.Duration(*x.At))
	}
	for _, words := range x.NAT {
		fmt.Fprintf(&b, "NAT: %s\n", words)
	}
	if x.NAT != nil {
		b.WriteByte('\n')
	}
	for i, v := range x.Views {
		if i > 0 {
			b.WriteByte('\n')
		}
		assigned := "policy " + v.Policy
		if v.Policy == "" {
			assigned = "no policy"
		}
		if v.Peer != "" {
			assigned += "; a real peer, " + v.Peer + ", whose daemon goes its own way: this is what a host of the lab would do"
		}
		fmt.Fprintf(&b, "%s (%s)\n%s", v.Node, assigned, v.Explanation)
	}
	return b.String()
}
