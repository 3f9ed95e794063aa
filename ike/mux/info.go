package mux

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
)

// MainModeInfo is a main mode as a table shows it.
type MainModeInfo struct {
	Local, Remote netip.Addr
	Cookies       ike.Cookies
	Initiator     bool
	Established   bool
	Chosen        ike.MainModeProposal // the zero value until message 2
	Method        ike.AuthMethod       // 0: not agreed on yet
	PeerID        string               // the identity that the peer has proved; "" until it has
	Since         time.Time            // established; zero until it is
	Expires       time.Time            // likewise
	QuickModes    int                  // started under it, by either side
	User          string               // that XAUTH has admitted, here or at the peer; "" without
	Assigned      *ike.Assignment      // by mode config; nil: nothing
	Gave          bool                 // Assigned, to the peer

	LocalEnd, RemoteEnd netip.AddrPort   // with their ports
	Dialect             ike.NATDialect   // of NAT traversal, agreed on; 0: none
	NAT                 ike.NATPlacement // as far as this side has found
}

// Statistics are the engine's counts so far. What its driver counts, of sockets and
// SAs, is 0 in them.
func (m *Mux) Statistics() ike.Statistics {
	s := m.env.Statistics
	s.AcquireHeapSize, s.ActiveAcquire = m.waits, m.waits
	for _, e := range m.sas {
		s.ISADBListSize++
		s.ConnectionListSize += e.sa.Exchanges()
		s.ActiveAcquire += e.sa.Requests()
	}
	return s
}

// MainModes are the main modes that are up or under way, oldest first.
func (m *Mux) MainModes() []MainModeInfo {
	var infos []MainModeInfo
	for _, e := range m.sas {
		if e.sa.Refused() || e.sa.Gone() {
			continue
		}
		assigned, gave := e.sa.Assigned()
		infos = append(infos, MainModeInfo{
			User: e.sa.User(), Assigned: assigned, Gave: gave,
			LocalEnd: e.sa.Local(), RemoteEnd: e.sa.Remote(), Dialect: e.sa.Dialect(), NAT: e.sa.Placement(),
			Local: e.sa.Local().Addr(), Remote: e.sa.Remote().Addr(), Cookies: e.cookies, Initiator: e.sa.Initiator(),
			Established: e.sa.Established(), Chosen: e.sa.Chosen(), Method: e.sa.Method(), PeerID: e.sa.PeerID(), Since: e.sa.Since(), Expires: e.sa.Expires(), QuickModes: e.sa.QuickModes(),
		})
	}
	return infos
}
