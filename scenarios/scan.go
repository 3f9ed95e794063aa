package scenarios

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// scan tries the ports of a host.
func (s *stepRun) scan(p *sim.Proc) {
	v := s.spec.Scan
	h := s.lab.hosts[v.From]
	var to netip.Addr
	if to, s.broken = h.Lookup(v.To); s.broken != nil {
		return
	}
	found, err := h.Scan(p, hosts.Scan{
		To: to, UDP: v.Transport() == ipsec.ProtoName(ipsec.ProtoUDP), First: uint16(v.Ports.Min), Last: uint16(v.Ports.Max),
		InFlight: v.Together(), Timeout: v.Patience(),
	})
	s.scanned, s.broken = &found, err
	s.got = append(s.got, fmt.Sprintf("open: %s; %d refused, %d silent", portList(found.Open), len(found.Refused), len(found.Silent)))
}

// ports judges what a scan found.
func (j *judgement) ports(want *spec.Ports) {
	found := j.step.scanned
	if want.Open != nil {
		open := make([]uint16, len(want.Open))
		for i, port := range want.Open {
			open[i] = uint16(port)
		}
		slices.Sort(open)
		j.equal("ports.open", "open ports", portList(open), portList(found.Open))
	}
	if want.Refused != nil {
		j.count("ports.refused", "refused ports", want.Refused, int64(len(found.Refused)))
	}
	if want.Silent != nil {
		j.count("ports.silent", "silent ports", want.Silent, int64(len(found.Silent)))
	}
}

// portList is ports in words.
func portList(ports []uint16) string {
	if len(ports) == 0 {
		return "none"
	}
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = fmt.Sprint(p)
	}
	return strings.Join(words, ", ")
}
