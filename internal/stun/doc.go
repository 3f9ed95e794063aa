// Package stun reads and writes the messages of STUN (RFC 8489) and of the discovery of NAT
// behaviour with it (RFC 5780): bytes in, bytes out. It has no sockets, no clock and no
// chance of its own: transaction IDs are given.
//
// # What is left out
//
// Credentials: MESSAGE-INTEGRITY and what belongs to it are kept as raw attributes. What a
// reader does not know it keeps as it was; Message.Unknown names those that RFC 8489, Section
// 6.3.1 does not let it ignore.
package stun
