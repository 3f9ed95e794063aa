// Package scep is the Simple Certificate Enrolment Protocol: RFC 8894, which wrote
// down in 2020 what draft-nourse-scep had been since 2000, and what Cisco IOS and the
// add-on Cepsetup of Windows certification authorities spoke (claim C217).
//
// A message is a certification request, an answer or a question, in a PKCS #7
// envelope for who gets it, in a PKCS #7 signature of who sends it ([Message]). A
// [Requester] makes those of a device and judges the answers, a [Server] answers for an
// authority. Neither knows HTTP: they take octets and give octets, with [Operation] the
// name that a URL has for what is asked.
//
// Randomness comes from the readers that the caller gives, times too.
//
// Without capabilities that a server announces, messages are as the first devices had
// them: single DES, MD5, in the URL of a GET (RFC 8894, Section 3.5.2). Left out:
// GetNextCACert, since authorities of the lab have no successor, and encodings of
// indefinite length.
package scep
