// Package payload is the codec of ISAKMP messages, RFC 2408, with the values of
// the IPsec DOI (RFC 2407) and of IKE (RFC 2409).
//
// A message is a Header and a chain of payloads:
//
//	h, err := payload.ParseHeader(b)
//	chain, padding, err := payload.Parse(h.Next, b[payload.HeaderLen:])
//
// Each Item of a chain holds the decoded payload and its bytes as received,
// because hashes cover those. A payload type that the package does not decode
// stays Raw and encodes to the same bytes again. Writing appends to the
// caller's slice:
//
//	b = h.Append(b)
//	b = payload.Append(b, sa, payload.VendorID{...})
//
// Encryption, and what a payload means in an exchange, belong to the engines.
// Errors of this package are of type *Error and say which notification a peer
// deserves for its message.
package payload
