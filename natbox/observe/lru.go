package observe

import "container/list"

// lru keeps a value for each of a limited number of keys. The one that was not asked
// for the longest gives way.
type lru[K comparable, V any] struct {
	limit int
	byKey map[K]*list.Element
	order *list.List // of *entry[K, V], the latest first
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) lru[K, V] {
	return lru[K, V]{limit: limit, byKey: map[K]*list.Element{}, order: list.New()}
}

// get finds the value of a key, a new one if there is none. gone is the one that had to give way.
func (l *lru[K, V]) get(k K) (v, gone *V) {
	if e, ok := l.byKey[k]; ok {
		l.order.MoveToFront(e)
		return &e.Value.(*entry[K, V]).value, nil
	}
	if len(l.byKey) == l.limit {
		gone = l.drop(l.order.Back().Value.(*entry[K, V]).key)
	}
	e := &entry[K, V]{key: k}
	l.byKey[k] = l.order.PushFront(e)
	return &e.value, gone
}

// oldest is the value that was not asked for the longest; nil if there is none.
func (l *lru[K, V]) oldest() *V {
	e := l.order.Back()
	if e == nil {
		return nil
	}
	return &e.Value.(*entry[K, V]).value
}

// each goes through all values, the latest first.
func (l *lru[K, V]) each(f func(*V)) {
	for e := l.order.Front(); e != nil; e = e.Next() {
		f(&e.Value.(*entry[K, V]).value)
	}
}

// drop forgets a key; nil if it was not there.
func (l *lru[K, V]) drop(k K) *V {
	e, ok := l.byKey[k]
	if !ok {
		return nil
	}
	delete(l.byKey, k)
	return &l.order.Remove(e).(*entry[K, V]).value
}
