package scenarios

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// announce sends to whoever listens, and waits until the last datagram has had
// time to arrive.
func (s *stepRun) announce(p *sim.Proc) {
	l, v := s.lab, s.spec.Announce
	to, err := netip.ParseAddr(v.To)
	if err != nil {
		s.broken = err
		return
	}
	before := l.datagrams(uint16(v.Port))
	err = l.hosts[v.From].Announce(p, hosts.Announcement{
		To: netip.AddrPortFrom(to, uint16(v.Port)), Count: v.Datagrams(), Size: v.PayloadBytes(), Interval: v.Gap(),
	})
	words := fmt.Sprintf("%d sent", v.Datagrams())
	if err != nil {
		words = err.Error()
	}
	s.got = append(s.got, words)
	p.Sleep(v.Gap())
	s.heard = l.datagrams(uint16(v.Port))
	for _, host := range slices.Sorted(maps.Keys(before)) {
		s.heard[host] -= before[host]
	}
}

// datagrams are how many have reached the applications that listen on a port, by host.
func (l *lab) datagrams(port uint16) map[string]int {
	all := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(l.hosts)) {
		if listener := l.hosts[name].Listener(ipsec.ProtoUDP, port); listener != nil {
			all[name] = listener.Seen().Datagrams
		}
	}
	return all
}

// heardBy judges how many datagrams of an announcement each host has heard.
func (j *judgement) heardBy(want map[string]spec.Range) {
	for _, host := range slices.Sorted(maps.Keys(want)) {
		w := want[host]
		j.count("heard."+host, "datagrams heard by "+host, &w, int64(j.step.heard[host]))
	}
}
