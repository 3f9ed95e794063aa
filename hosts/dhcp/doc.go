// Package dhcp is the client and the server of DHCP for IPv4 (RFC 2131, options of RFC
// 2132) as engines on plain bytes: without sockets, clocks and randomness of their own.
// The messages are read and written by github.com/insomniacslk/dhcp.
//
// A driver starts a client, hands it the messages that arrive on UDP port 68 and the
// time, and carries out its events: messages to send, a lease that was got or lost.
// A server answers one message at a time. How a message travels is the driver's
// concern: a client without an address sends from 0.0.0.0, and what goes to one cannot
// be resolved by ARP (RFC 2131, Section 4.1).
//
// Left out: relay agents, DHCPINFORM of clients, and the check of an offered address by
// ARP with DHCPDECLINE. A client does not wait before its first message (RFC 2131,
// Section 4.4.1 wants one to ten seconds, against many that start at one time).
package dhcp
