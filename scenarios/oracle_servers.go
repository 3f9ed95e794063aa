package scenarios

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// known is what the names and the servers in the filters of a host stood for at one
// moment. Names stay what they were when the policy was put in force (TechNet
// cc756984). Servers are those of the moment, unless the host's setting
// static-servers says otherwise: which it is told to use it is asked, as it is asked
// for its addresses.
type known struct {
	names   map[string][]netip.Addr
	servers map[policy.ServerKind][]netip.Addr
}

func (k *known) note(l *lab, host string) {
	k.names = maps.Clone(l.names)
	k.noteServers(l, host)
}

func (k *known) noteServers(l *lab, host string) {
	k.servers = map[policy.ServerKind][]netip.Addr{}
	if h := l.hosts[host]; h != nil {
		for _, kind := range policy.ServerKinds {
			k.servers[kind] = h.Servers(kind)
		}
	}
}

// look gives the sender what its filters stand for.
func (s *sender) look(l *lab, host string) {
	t := l.oracle.terms[host]
	s.names, s.servers = t.known.names, l.hosts[host].Servers
	if s.node.Settings().StaticServers || t.left != never {
		s.servers = func(k policy.ServerKind) []netip.Addr { return t.known.servers[k] }
	}
}

// among reports whether an address is one of those that the end of a filter stands for,
// which names no address itself.
func (s *sender) among(w policy.Address, a netip.Addr) bool {
	if w.Name() != "" {
		return slices.Contains(s.names[w.Name()], a)
	}
	return slices.Contains(s.servers(w.ServerKind()), a)
}
