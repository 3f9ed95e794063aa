package hosts

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/http1"
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

// HTTPStatus sends octets on a connection, in two parts, and gives the status of the answer.
func HTTPStatus(p *sim.Proc, h *Host, to netip.AddrPort, request string) (int, error) {
	s, err := h.newSocket(tcp.ProtocolNumber, familyOf(to.Addr()))
	if err != nil {
		return 0, err
	}
	c := &tcpSocket{s}
	defer c.close()
	c.onReady(p.Wake)
	deadline := p.Now() + time.Minute
	if err := c.connect(p, to, deadline); err != nil {
		return 0, err
	}
	for _, part := range []string{request[:3], request[3:]} {
		if err := c.write(p, []byte(part), deadline); err != nil {
			return 0, err
		}
		p.Sleep(time.Second)
	}
	var answer *http1.Response
	err = c.readMessage(p, deadline, func(b []byte, end bool) error {
		answer, err = http1.ParseResponse(b, end)
		return err
	})
	if err != nil {
		return 0, err
	}
	c.finish(p)
	return answer.Status, nil
}
