// Package traffic is what the lab's applications say to one another: the test
// data, the request of the TCP application, numbered datagrams, and how requests
// and answers are counted. Virtual hosts and real peers speak it alike, each over
// sockets of their own.
//
// The test data are one endless sequence, so that a byte in the wrong place is
// found at the far end, and on the wire by who looks for it. Its period is 2^24.
package traffic
