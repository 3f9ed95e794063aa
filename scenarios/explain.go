package scenarios

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Question asks what the policies of two nodes, as first assigned, do with a
// packet and its answer.
type Question struct {
	From, To string // nodes or addresses; To may be a multicast group or a broadcast address
	Protocol string // any word of a filter's protocol
	Port     int    // of the server, with TCP and UDP
	FromPort int    // of the client; 0: an ephemeral one
}

// Explanation is the answer, one view for each place where a filter decides.
type Explanation struct {
	Views []View `json:"views"`
}

// View is the decision of one node about one packet.
type View struct {
	Node        string             `json:"node"`
	Policy      string             `json:"policy"` // assigned; "" for none; behind it "+ NAME" of a persistent one
	Packet      string             `json:"packet"`
	Explanation policy.Explanation `json:"explanation"`
}

// ephemeralPort stands for any client port that no filter names: the first of
// the dynamic ports of Windows Server 2003.
const ephemeralPort = 1025

// Explain answers a question from the scenario file alone; nothing is run.
func Explain(s *spec.Scenario, q Question) (*Explanation, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	policies, err := policiesOf(s)
	if err != nil {
		return nil, err
	}
	proto, ok := spec.ProtocolNumber(q.Protocol)
	if !ok {
		return nil, fmt.Errorf("scenarios: explain: %q is no protocol: any, icmp, icmpv6, tcp, udp or a number from 1 to 255", q.Protocol)
	}
	if (q.Port != 0 || q.FromPort != 0) && !ipsec.HasPorts(proto) {
		return nil, fmt.Errorf("scenarios: explain: a port needs protocol tcp or udp, not %s", ipsec.ProtoName(proto))
	}
	if q.Port < 0 || q.Port > 65535 || q.FromPort < 0 || q.FromPort > 65535 {
		return nil, fmt.Errorf("scenarios: explain: a port is a number from 1 to 65535")
	}
	if ipsec.HasPorts(proto) && q.Port == 0 {
		return nil, fmt.Errorf("scenarios: explain: protocol %s needs the port of the server", ipsec.ProtoName(proto))
	}
	if _, err := s.Resolve(q.From); err != nil {
		return nil, fmt.Errorf("scenarios: explain: from: %w", err)
	}
	dst, err := s.Destination(q.From, q.To)
	if err != nil {
		return nil, fmt.Errorf("scenarios: explain: to: %w", err)
	}
	src, err := s.Source(q.From, dst)
	if err != nil {
		return nil, fmt.Errorf("scenarios: explain: from: %w", err)
	}
	f := ipsec.Flow{Src: src, Dst: dst, Proto: proto, DstPort: uint16(q.Port), SrcPort: uint16(q.FromPort)}
	if f.SrcPort == 0 && ipsec.HasPorts(proto) {
		f.SrcPort = ephemeralPort
	}
	x := &Explanation{}
	for _, v := range passages(s, q, f) {
		name, ok := s.NodeOf(v.word)
		if !ok || !s.Nodes[name].Host() {
			continue // nobody there has an IPsec policy
		}
		compiled, err := policy.CompileBoth(policies[s.Persistent[name]], policies[s.Assignments[name]], s.NodeAddrs(name), optionsOf(s, s.Nodes[name]))
		if err != nil {
			return nil, fmt.Errorf("scenarios: explain: node %s: %w", name, err)
		}
		x.Views = append(x.Views, View{
			Node: name, Policy: inForce(s, name), Packet: v.f.String(), Explanation: compiled.Explain(v.d, v.f),
		})
	}
	if x.Views == nil {
		return nil, fmt.Errorf("scenarios: explain: neither %s nor %s is a host of the scenario", q.From, q.To)
	}
	return x, nil
}

// inForce names the policies that a host starts with.
func inForce(s *spec.Scenario, host string) string {
	local, persistent := s.Assignments[host], s.Persistent[host]
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
// answered by nobody; it meets those of all hosts beside the sender.
func passages(s *spec.Scenario, q Question, f ipsec.Flow) []passage {
	from, _ := s.NodeOf(q.From)
	limited := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if f.Dst != limited && !f.Dst.IsMulticast() && !slices.Contains(policy.Broadcasts(s.Nodes[from].Prefixes()...), f.Dst) {
		return []passage{
			{q.From, ipsec.Outbound, f}, {q.To, ipsec.Inbound, f},
			{q.To, ipsec.Outbound, f.Reverse()}, {q.From, ipsec.Inbound, f.Reverse()},
		}
	}
	all := []passage{{q.From, ipsec.Outbound, f}}
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		beside := slices.ContainsFunc(s.Nodes[name].Interfaces, func(i spec.Interface) bool {
			return slices.ContainsFunc(s.Nodes[from].Interfaces, func(mine spec.Interface) bool { return mine.Segment == i.Segment })
		})
		if _, err := s.Source(name, f.Dst); beside && name != from && err == nil { // else it is not of its family
			all = append(all, passage{name, ipsec.Inbound, f})
		}
	}
	return all
}

// String is the answer for people.
func (x *Explanation) String() string {
	var b strings.Builder
	for i, v := range x.Views {
		if i > 0 {
			b.WriteByte('\n')
		}
		assigned := "policy " + v.Policy
		if v.Policy == "" {
			assigned = "no policy"
		}
		fmt.Fprintf(&b, "%s (%s)\n%s", v.Node, assigned, v.Explanation)
	}
	return b.String()
}
