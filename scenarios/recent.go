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

// recent remembers what the first fragments of the latest datagrams said, which
// the others do not. Its zero value is ready.
type recent[V any] struct {
	byKey map[datagramKey]V
	order []datagramKey // ring, the oldest at next
	next  int
}

// recentDatagrams bounds the datagrams in flight that are remembered.
const recentDatagrams = 1024

func (r *recent[V]) put(k datagramKey, v V) {
	if r.byKey == nil {
		r.byKey = map[datagramKey]V{}
	}
	if _, known := r.byKey[k]; !known {
		if len(r.order) < recentDatagrams {
			r.order = append(r.order, k)
		} else {
			delete(r.byKey, r.order[r.next])
			r.order[r.next] = k
			r.next = (r.next + 1) % recentDatagrams
		}
	}
	r.byKey[k] = v
}

func (r *recent[V]) get(k datagramKey) (V, bool) {
	v, ok := r.byKey[k]
	return v, ok
}
