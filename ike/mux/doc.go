// Package mux is the key exchange engine of one host: every ISAKMP SA behind
// its UDP ports 500 and 4500. It finds the SA of a datagram by the cookies, starts main
// modes for requests and lets several requests wait on one, bounds what
// strangers can make it keep, and remembers which pairs of IPsec SAs it
// negotiated with whom, so that Deletes and INITIAL-CONTACT can be acted on.
//
// # What is kept, and of whom
//
// All that the engine keeps is bounded, and a bound that is reached gives up the
// oldest rather than turn the newest away, so that nobody is kept out for good:
//
//   - Main modes that peers have opened with message 1: ike.Config.MaxHalfOpen, and
//     ike.Config.MaxHalfOpenPerSource of one address. Offers that were refused count.
//   - Main modes whose peers have sent back our cookie, as many again.
//   - With ike.Config.DoSProtection nothing at all is kept of message 1, until it
//     comes back with a cookie.
//   - Main modes of a computer that has proved who it is: 64, and 512 of all of one address. Its pairs of IPsec SAs:
//     4096, and 16384 of an address.
//   - Requests of this host that wait: 16384; here the newest fails.
//   - Notifications in the clear: bursts of 10 to one address and 100 to all, and then
//     10 and 100 in a second.
//
// # What is sent to whom proves nothing
//
// An answer in the clear to a stray message has up to twice its bytes (56, to a bare
// header of 28), a cookie of the denial of service protection always fewer. Message 2
// has the proposal that was chosen of message 1 and our vendor IDs. A responder repeats it,
// as ike-scan measured of each system in its table, which is what makes a spoofed message
// 1 pay: with the seven sendings of Windows, six times the bytes of a message 1 of Windows, and
// eleven times those of one without vendor IDs. Those measurements are
// of message 2, of Windows and of others; MS-IKEE, 3.1.5 says the opposite of Windows,
// and ike.Config.SilentResponder acts on it: then the answer is one. A test has the
// factors of all profiles.
//
// # One address, several computers
//
// What a peer says about its SAs with us is about those of the same identity and address
// (a Delete), and of the same port (INITIAL-CONTACT): others may share its address, behind
// a translator of addresses. A computer that goes by two identities, say by one with a
// key and by another with a certificate, is two computers here: each deletes its own.
//
// Where NAT traversal has found the peer behind a NAT, so is all else: a successor of a pair
// (ike.Request.Replaces) is negotiated with the computer that has it, under a main mode with it,
// or a new one that begins where it was heard last; a dead peer takes nothing of its neighbours
// with it; INITIAL-CONTACT goes by the identity. A request that replaces nothing does not say which computer
// it is for, and goes to the one that has proved who it is last. Before it has proved that, a
// peer is its address: the bounds of unfinished main modes are of all that share it.
//
// # Peers that move
//
// A NAT may give a peer another port or address at any time. It is followed to where a message
// has come from that it alone can have made and that nobody can have kept for later, or a packet of ESP (Moved),
// by the side that is behind no NAT itself: all main modes and pairs of the computer with the same
// end of this host go along, and the host is told once, by ike.EventMoved.
//
// See package ike for how a driver uses an engine. Calls are not safe for
// concurrent use.
package mux
