package observe

import (
	"cmp"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Probe counts what passes by protocol, as the protocol distribution of RMON does (RFC 4502,
// Section 3.1): by protocol of IP, and of TCP and UDP by the port of the service.
type Probe struct {
	kinds kinds
	ports map[Service]*Count
}

// Service is a port of TCP or UDP.
type Service struct {
	Proto uint8
	Port  uint16
}

// maxServices bounds the ports that a probe counts; what comes later counts with its protocol alone.
const maxServices = 1024

// NewProbe makes one.
func NewProbe() *Probe { return &Probe{ports: map[Service]*Count{}} }

// Observe implements Instrument. Which of two ports is the service's no packet says; the lower one
// is taken for it, a choice of the lab.
func (p *Probe) Observe(_ time.Duration, b []byte) {
	k, ok := parse(b)
	if !ok {
		return
	}
	f := k.flow()
	p.kinds[kindOf(&f)].add(k.length)
	if !ipsec.HasPorts(k.proto) || f.SrcPort == 0 && f.DstPort == 0 {
		return
	}
	s := Service{k.proto, min(f.SrcPort, f.DstPort)}
	c := p.ports[s]
	if c == nil {
		if len(p.ports) == maxServices {
			return
		}
		c = new(Count)
		p.ports[s] = c
	}
	c.add(k.length)
}

// Notes implements Instrument.
func (p *Probe) Notes(time.Duration) (n Notes) {
	n.Counts = p.kinds.named()
	for s, c := range p.ports {
		n.Ports = append(n.Ports, PortCount{s, *c})
	}
	slices.SortFunc(n.Ports, func(a, b PortCount) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
	})
	return n
}
