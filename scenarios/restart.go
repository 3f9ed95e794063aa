package scenarios

import (
	"context"
	"fmt"

	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// restart stops a host and starts it again.
func (s *stepRun) restart(p *sim.Proc, v *spec.RestartHost) {
	if r := s.lab.peerNamed(v.Host); r != nil {
		s.got = append(s.got, fmt.Sprintf("the daemon of %s is off for %s", v.Host, v.Boots()))
		s.lab.outside(p, func(ctx context.Context) { s.broken = r.peer.Restart(ctx, v.Boots(), v.Graceful) })
		return
	}
	s.got = append(s.got, fmt.Sprintf("%s is off for %s", v.Host, v.Boots()))
	s.broken = s.lab.hosts[v.Host].Restart(p, v.Boots(), v.Graceful)
}
