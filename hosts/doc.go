// Package hosts builds virtual computers: a gVisor netstack on the world's
// clock, applications on it, and an IPsec stack of its own that joins the policy
// agent (hosts/policy), the filter driver and data plane (esp) and IKE (ike/mux).
//
// # The IPsec boundary
//
// Outbound, the driver sees every datagram in netstack's postrouting hook,
// whole and before fragmentation; what policy wants protected it steals,
// protects and writes again, so that fragmentation comes after IPsec (RFC 4301,
// Section 7.1). Inbound, ESP is a transport protocol of the stack, so that it is
// called after reassembly; a whole datagram is taken before the stack has seen it.
// What was inside enters the stack as an event of its own. Clear packets are judged in the input hook, before
// reassembly: a fragment without ports waits for the verdict on the first
// fragment of its datagram (fragments.go).
//
// UDP port 4500 has no socket: ESP in UDP that is whole is taken like other ESP, and the
// rest from netstack's handler for ports without one (natt.go).
//
// Nothing re-enters the stack or calls an application inline: callbacks under
// netstack's locks only schedule events.
//
// # Policy agent and store
//
// The driver is there as long as the host is up; the policy agent, a service, starts
// with it or later (Boot), and can be stopped. It reads the host's store of policies
// (Store): the persistent one and the local one, or what a Source on another computer
// gave. Between the two the driver filters by its startup mode (esp.Startup).
//
// # What is left out
//
// A host does not forward: routers are package natbox, and a tunnel serves the
// addresses of its ends alone. Traffic of a host to its own address does not exist on
// a wire and is unsupported.
package hosts
