package observe

import "slices"

// Bounds of what an inspector keeps of TCP.
const (
	maxStreams  = 4096     // one direction of a connection each; the one that was longest silent gives way
	maxAhead    = 64 << 10 // bytes of a stream that wait for what is missing before them
	maxSegments = 128      // in which these came
	maxWaiting  = 8 << 20  // bytes of all streams that wait
)

// stream is one direction of a TCP connection, put in order. RFC 9293, Section 3.4.
//
// Of data that came twice the first counts. What does not come is given up when too
// much waits behind it: who looks on cannot ask for it again.
type stream struct {
	next    uint32 // the sequence number that continues it
	begun   bool
	syn     bool   // it was seen from its first byte,
	isn     uint32 // which has the number behind this one
	tail    []byte // the end of what was read, for patterns that go on behind it
	waiting []segment
	ahead   int  // bytes that wait
	total   *int // of all streams
	skipped uint64
}

type segment struct {
	seq  uint32
	data []byte
}

// add takes a segment, and calls read with what it continues the stream with, in order.
func (s *stream) add(seq uint32, syn bool, data []byte, read func([]byte)) {
	if syn { // it stands before the first byte: RFC 9293, Section 3.4
		if !s.syn || s.isn != seq { // else it is a repetition
			s.forget()
			s.next, s.begun, s.syn, s.isn, s.tail = seq+1, true, true, seq, s.tail[:0]
		}
		seq++
	}
	if len(data) == 0 {
		return
	}
	if !s.begun { // the inspector came later than the connection
		s.next, s.begun = seq, true
	}
	if ahead := int32(seq - s.next); ahead > 0 {
		s.keep(seq, data)
	} else {
		s.take(seq, data, read)
	}
	for len(s.waiting) > 0 {
		w := s.waiting[0]
		if int32(w.seq-s.next) > 0 {
			if s.ahead <= maxAhead && len(s.waiting) <= maxSegments && *s.total <= maxWaiting {
				return
			}
			s.skipped += uint64(w.seq - s.next)
			s.next, s.tail = w.seq, s.tail[:0]
		}
		s.count(-len(w.data))
		s.waiting = slices.Delete(s.waiting, 0, 1)
		s.take(w.seq, w.data, read)
	}
}

// take reads what is new of a segment that begins no later than the stream goes on.
func (s *stream) take(seq uint32, data []byte, read func([]byte)) {
	old := int(s.next - seq)
	if old >= len(data) {
		return
	}
	s.next += uint32(len(data) - old)
	read(data[old:])
}

// keep has a segment wait, in the order of the numbers; one that is there already is not replaced.
func (s *stream) keep(seq uint32, data []byte) {
	at, found := slices.BinarySearchFunc(s.waiting, seq, func(w segment, seq uint32) int { return int(int32(w.seq - seq)) })
	if found && len(s.waiting[at].data) >= len(data) {
		return
	}
	s.waiting = slices.Insert(s.waiting, at, segment{seq, slices.Clone(data)})
	s.count(len(data))
}

func (s *stream) count(n int) { s.ahead, *s.total = s.ahead+n, *s.total+n }

// forget lets go of what waits.
func (s *stream) forget() {
	s.count(-s.ahead)
	s.waiting = nil
}

// remember keeps the last n bytes of what was read.
func (s *stream) remember(read []byte, n int) {
	s.tail = append(s.tail, read[max(len(read)-n, 0):]...)
	if over := len(s.tail) - n; over > 0 {
		s.tail = slices.Delete(s.tail, 0, over)
	}
}
