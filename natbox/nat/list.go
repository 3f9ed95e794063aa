package nat

// links are a record's neighbours in a list.
type links struct{ next, prev uint32 }

// list is a doubly linked list of records of one arena, through the links that at finds.
type list struct{ head, tail, n uint32 }

type linker func(uint32) *links

func (l *list) push(at linker, i uint32) {
	own := at(i)
	own.next, own.prev = 0, l.tail
	if l.tail == 0 {
		l.head = i
	} else {
		at(l.tail).next = i
	}
	l.tail = i
	l.n++
}

func (l *list) remove(at linker, i uint32) {
	own := at(i)
	if own.prev == 0 {
		l.head = own.next
	} else {
		at(own.prev).next = own.next
	}
	if own.next == 0 {
		l.tail = own.prev
	} else {
		at(own.next).prev = own.prev
	}
	own.next, own.prev = 0, 0
	l.n--
}

// last moves a record to the end.
func (l *list) last(at linker, i uint32) {
	if l.tail != i {
		l.remove(at, i)
		l.push(at, i)
	}
}
