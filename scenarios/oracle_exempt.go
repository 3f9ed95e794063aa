package scenarios

import (
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// sender is what the oracle knows of a host besides its policy.
type sender struct {
	local []netip.Addr
	ties  []policy.Kind
	node  spec.Node // with the settings

	networks []netip.Prefix // that it is on
	dialUp   []netip.Addr   // on connections for remote access
	young    []netip.Addr   // addresses for which its policy is not expanded yet

	names   map[string][]netip.Addr              // what DNS names stand for in its filters
	servers func(policy.ServerKind) []netip.Addr // and servers

	agreed func(ipsec.Flow) bool // with a peer, by the default response rule: see agreements
}

func (l *lab) sender(h *hosts.Host) *sender {
	s := &sender{
		local: h.Addrs(), ties: h.PolicyOptions().Ties, node: l.oracle.terms[h.Name()].node, networks: h.Prefixes(),
		agreed: func(f ipsec.Flow) bool { return l.oracle.agreements.cover(h.Name(), f) },
	}
	for _, i := range s.node.Interfaces {
		if i.Connection == spec.ConnectionsDialUp {
			s.dialUp = append(s.dialUp, h.AddrsOn(i.Segment)...)
		}
	}
	s.look(l, h.Name())
	s.unexpanded(l, h.Name())
	return s
}

// connected reports whether a rule for connections of a kind is for what the sender
// sends from an address.
func (s *sender) connected(c policy.ConnectionType, src netip.Addr) bool {
	dialUp := slices.Contains(s.dialUp, src)
	switch c {
	case policy.LANConnections:
		return !dialUp
	case policy.RemoteAccess:
		return dialUp
	}
	return true
}

// isakmp reports what is exempt whatever the settings: IKE from its ports (C064).
func isakmp(f ipsec.Flow) bool {
	return f.Proto == ipsec.ProtoUDP && (f.SrcPort == 500 || f.SrcPort == 4500)
}

// exempt reports whether a packet that leaves the host passes before all filters by
// the table of NoDefaultExempt (TechNet cc756041; C065), evaluated on its own:
// nothing is asked of package policy.
func (s *sender) exempt(f ipsec.Flow) bool {
	var kerberos, groups bool
	switch s.node.Settings().DefaultExempt() {
	case 0:
		kerberos, groups = true, true
	case 1:
		groups = true
	case 2:
		kerberos = true
	}
	const kdc = 88
	switch f.Proto {
	case ipsec.ProtoTCP, ipsec.ProtoUDP:
		kerberos = kerberos && (f.SrcPort == kdc || f.DstPort == kdc)
	default:
		kerberos = kerberos && f.Proto == ipsec.ProtoRSVP
	}
	return kerberos || groups && (f.Dst.IsMulticast() || s.broadcast(f.Dst))
}

// broadcast reports whether an address is that of all hosts on a network of the sender: RFC 919, Section 7.
func (s *sender) broadcast(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	all := a.As4()
	if all == [4]byte{255, 255, 255, 255} {
		return true
	}
	for _, n := range s.networks {
		// The last address of the network: it is in it, and the next one is not.
		if n.Bits() < 31 && n.Contains(a) && !n.Contains(a.Next()) {
			return true
		}
	}
	return false
}
