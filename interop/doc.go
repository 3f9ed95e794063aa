// Package interop makes real peers for scenarios: IKE daemons in machines of their own,
// on segments of the simulated network.
//
//	driver, err := interop.New(interop.Options{Store: store})
//	defer driver.Close()
//	result, err := scenarios.Run(ctx, s, scenarios.Options{Peers: driver, …})
//
// A peer is a machine with an agent in it (package control says how the lab talks to that), and a daemon. There are
// three kinds of machines, all with the root filesystems of package images:
//
//   - user-mode Linux, a kernel of its own with ESP, AH and transport mode, in a container without any rights, or
//     without Docker as a plain process;
//   - a container on this machine's kernel;
//   - namespaces of this machine's kernel, without Docker.
//
// Where this machine's kernel has no ESP, the daemon protects the packets itself, which not every daemon can.
//
// Frames go over a SOCK_SEQPACKET socket, or through the descriptor of a TAP that the agent has made inside; nothing
// of this machine's network is touched. A peer has no way out of its machine but to its segments.
//
// What a driver, an image or a daemon cannot do is an error that wraps scenarios.ErrUnsupported. A peer that hangs is
// killed with the context of what waits for it. Machines do not outlive the lab; what a lab that was killed has left is
// cleared away by the next one.
package interop
