package interop

import (
	"context"
	"os/exec"
)

// startNamespace starts an agent in namespaces of its own, with an image for its root.
func startNamespace(ctx context.Context, agent string, s *site) (machine, error) {
	s.prepare("eth")
	argv := s.agentCommand(agent, "namespace", "--root", s.rootfs)
	return s.startAgent(ctx, func() (machine, error) {
		return startProcess(exec.Command(argv[0], argv[1:]...), "agent.log", peerNamespaces)
	})
}
