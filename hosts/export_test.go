package hosts

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/sim"
)

// AddSAs puts SAs into the data plane by hand.
func (h *Host) AddSAs(sas ...ipsec.SAParams) error {
	return h.driver.esp.Add(h.world.Time(), sas...)
}

// Discard has the driver log a packet with a bad SPI.
func (h *Host) Discard(from netip.Addr) { h.driver.log.discarded(esp.BadSPI, from) }

// Connect opens a TCP connection and leaves it open.
func (h *Host) Connect(p *sim.Proc, to netip.AddrPort) error {
	s, err := h.newSocket(tcp.ProtocolNumber, familyOf(to.Addr()))
	if err != nil {
		return err
	}
	k := &tcpSocket{s}
	k.onReady(p.Wake)
	return k.connect(p, to, p.Now()+time.Minute)
}

// Retry is how long an agent waits for a source that has failed n times before.
var Retry = retry
