// Package nat is network address translation as a pure table: IPv4 packets as bytes go in
// with the time, translated packets come out, and nothing starts, waits or reads a clock.
//
// The terms are those of RFC 2663 and RFC 4787. A mapping joins an inside endpoint with an
// outside one; a session is what one remote endpoint and a mapping have to do with each
// other. What is translated, how outside ports are assigned, who may answer and when things
// end is data: see [Config], whose zero value does what RFC 4787, 5382, 5508 and 7857 ask
// for. What breaks those documents is there as well, because boxes that do are in use.
//
// The table translates in the caller's bytes. TTL, DF, routing, ARP and the validity of
// headers are the device's business; so are IPv6 packets. It remembers no more than
// [Limits] allow.
package nat
