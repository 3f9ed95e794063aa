package scenarios

import "net/netip"

// datagramKey names a datagram by what all its fragments share: RFC 791, Section
// 2.3; RFC 8200, Section 4.5, without the protocol.
type datagramKey struct {
	src, dst netip.Addr
	proto    uint8
	id       uint32
}

func (p decoded) key() datagramKey {
	k := datagramKey{p.flow.Src, p.flow.Dst, p.flow.Proto, p.id}
	if p.flow.Src.Is6() {
		k.proto = 0
	}
	return k
}

// recentDatagrams bounds the datagrams in flight of whose first fragments, which say
// what the others do not, something is remembered.
const recentDatagrams = 1024
