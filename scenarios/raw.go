package scenarios

import (
	"fmt"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/sim"
)

// raw sends datagrams of a protocol without ports, and waits until the last one has
// had time to arrive.
func (s *stepRun) raw(p *sim.Proc) {
	l, v := s.lab, s.spec.Raw
	h := l.hosts[v.From]
	to, err := h.Lookup(v.To)
	if err != nil {
		s.broken = err
		return
	}
	err = h.SendRaw(p, hosts.RawDatagrams{
		To: to, Protocol: uint8(v.Protocol), Count: v.Datagrams(), Size: v.PayloadBytes(), Interval: v.Gap(), Options: v.HeaderOptions(),
	})
	words := fmt.Sprintf("%d sent", v.Datagrams())
	if err != nil {
		words = err.Error()
	}
	s.got = append(s.got, words)
	p.Sleep(v.Gap())
}
