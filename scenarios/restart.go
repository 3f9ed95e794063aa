package scenarios

import (
	"fmt"

	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// restart stops a host and starts it again.
func (s *stepRun) restart(p *sim.Proc, v *spec.RestartHost) {
	s.got = append(s.got, fmt.Sprintf("%s is off for %s", v.Host, v.Boots()))
	s.broken = s.lab.hosts[v.Host].Restart(p, v.Boots(), v.Graceful)
}
