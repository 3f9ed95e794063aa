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
	Expires       time.Time            // zero until established
	QuickModes    int                  // started under it, by either side
}

// MainModes are the main modes that are up or under way, oldest first.
func (m *Mux) MainModes() []MainModeInfo {
	var infos []MainModeInfo
	for _, e := range m.sas {
		if e.sa.Refused() || e.sa.Gone() {
			continue
		}
		infos = append(infos, MainModeInfo{
			Local: e.sa.Local().Addr(), Remote: e.sa.Remote().Addr(), Cookies: e.cookies, Initiator: e.sa.Initiator(),
			Established: e.sa.Established(), Chosen: e.sa.Chosen(), Expires: e.sa.Expires(), QuickModes: e.sa.QuickModes(),
		})
	}
	return infos
}
