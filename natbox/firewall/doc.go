// Package firewall decides which packets pass: by rules in their order, and, where it
// keeps state, by what has passed before. It is a pure engine on whole IPv4 and IPv6
// packets and their fragments: the time is an argument, and nothing is sent. A device of
// package natbox asks it about what crosses, a host about what comes in and goes out.
//
// # Rules
//
// The first rule that matches decides, and Config.Default where none does. Fragments
// are treated as classic access lists treat them: see Rule.matches.
//
// # State
//
// With Config.State, a packet that belongs to something that was let through passes
// without a look at the rules: the other direction of a TCP connection, of datagrams
// of UDP, of an echo, of ESP and AH between two addresses, and ICMP errors about any of
// these. The rules decide what may begin; without a matching one, whatever the inside
// begins may, and nothing that the outside does.
//
// # Inspection
//
// A firewall with Config.Inspect lets nothing through that it cannot read, of the
// traffic that it is to look into: ESP, by itself or in UDP.
//
// # What is left out
//
// Sequence numbers and windows of TCP are not followed, options of IP not looked at. A
// fragment that comes before the first one of its datagram does not wait for it: a
// firewall with state drops it.
package firewall
