// Package pki is the public key infrastructure of the lab: certification
// authorities for scenarios, the certificate store of a computer, and the
// verdict on the certificates of a peer.
//
// An authority is made from a stream of random octets and issues the same
// certificates for the same stream, to the byte:
//
//	key, err := pki.GenerateKey(rand, "rsa-1024")
//	root, err := pki.NewRoot(rand, pki.Template{Subject: name, NotBefore: from, NotAfter: to}, key)
//	cert, err := root.Issue(rand, pki.Template{Subject: host, NotBefore: from, NotAfter: to}, hostKey.Public())
//
// A [Store] chooses the certificate that the computer shows for a rule
// ([Store.Select]) and judges what a peer shows ([Store.VerifyPeer]). The verdict
// is an [*Error] with a [Kind] and the code that Windows reports.
//
// Certificates of the time are signed with MD5 and SHA-1 and have keys of 1024
// bits and fewer, which crypto/x509 refuses, so parsing, issuing and verifying
// are here. Randomness comes only from the reader that the caller gives;
// signatures need none (RFC 6979). Times come from the caller.
//
// Left out: name constraints and policies (as critical extensions they are
// unknown), delta lists, indirect lists, OCSP, and fetching of anything.
package pki
