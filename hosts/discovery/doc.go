// Package discovery finds out what a NAT does, by asking from both sides of it: the
// discovery of NAT behaviour with STUN (RFC 5780), and more of the same kind for TCP, ICMP,
// ESP, AH and IKE. It is a client and a server on plain IPv4 packets; who uses them gives time,
// randomness and a network.
//
// # Servers
//
// A server has one address and answers on two ports; two servers make the two addresses and
// ports of RFC 5780, Section 6 ("two nodes that share the role", Section 2.3). What the one
// is asked to answer from the other address it has the other send, by a Send indication
// of RFC 8656, Section 10.
//
// # Beyond RFC 5780
//
// The same Binding request that UDP and TCP carry is understood in the data of an ICMP echo
// request, behind the header of ESP or AH or of any other IP protocol, and in a Vendor ID
// payload of an ISAKMP message, so that a client learns what a NAT makes of these. It may ask
// for the answer after a while (DELAY). A client may have a server send what it gives it
// (a Send indication with PROTOCOL), and ask what has reached a server (the method Recall): RFC 5780
// has no way to test TCP from outside, since STUN lets no server open a connection. See
// extension.go for the numbers; no other server knows them.
package discovery
