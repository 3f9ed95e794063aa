package interop

import (
	"context"
	"os/exec"
)

// startNamespace starts an agent in namespaces of its own, with an image for its root.
func startNamespace(ctx context.Context, agent string, s *site) (machine, error) {
	s.prepare("eth")
	control, err := listen("unix", s.line())
	if err != nil {
		return nil, err
	}
	defer control.close()
	if err := s.listen(s.allWires()); err != nil {
		return nil, err
	}
	argv := s.agentCommand(agent, "namespace", "--root", s.rootfs)
	p, err := startProcess(exec.Command(argv[0], argv[1:]...), nil, "agent.log", peerNamespaces)
	if err != nil {
		return nil, err
	}
	s.acceptOffers(p.ended())
	line, err := control.accept(ctx, p.ended())
	if err != nil {
		return p, err
	}
	p.io = line
	return p, nil
}
