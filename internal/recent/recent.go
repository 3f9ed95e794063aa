// Package recent remembers what was said lately, and of no more than was asked for:
// what fragments of a datagram have to be told of each other while they are on their
// way.
package recent

// Map keeps the values of the latest keys. A key that is put again keeps its place.
// The zero value remembers nothing.
type Map[K comparable, V any] struct {
	byKey map[K]V
	order []K // ring, the oldest at next
	next  int
	limit int
}

// New makes a map that remembers limit keys.
func New[K comparable, V any](limit int) Map[K, V] { return Map[K, V]{limit: limit} }

// Put remembers v, and forgets the oldest key when there are too many.
func (m *Map[K, V]) Put(k K, v V) {
	if m.limit == 0 {
		return
	}
	if m.byKey == nil {
		m.byKey = map[K]V{}
	}
	if _, known := m.byKey[k]; !known {
		if len(m.order) < m.limit {
			m.order = append(m.order, k)
		} else {
			delete(m.byKey, m.order[m.next])
			m.order[m.next] = k
			m.next = (m.next + 1) % m.limit
		}
	}
	m.byKey[k] = v
}

// Get is the value of a key that is remembered.
func (m *Map[K, V]) Get(k K) (V, bool) {
	v, ok := m.byKey[k]
	return v, ok
}
