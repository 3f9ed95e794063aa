// Package replay is the anti-replay window of RFC 4303, Section 3.4.3 and
// Appendix A, for the full sequence number of a packet: 32 bits, or the 64 bits
// that a receiver of extended sequence numbers has worked out beforehand.
//
// Check and Update are separate because the standard demands the order check,
// integrity, update: an unauthenticated packet must not move the window.
package replay

import (
	"fmt"
	"math"
)

// Sizes of a window, in packets.
const (
	MinSize     = 32 // RFC 4303, Section 3.4.3: MUST be supported
	DefaultSize = 64 // RFC 4303, Section 3.4.3: preferred and SHOULD be the default
	MaxSize     = 1 << 16
)

// Verdict is what the window says of a sequence number.
type Verdict uint8

// The verdicts; only Fresh packets may go on to the integrity check.
const (
	Fresh Verdict = iota // right of the window, or inside it and not seen
	Seen                 // inside the window and received before
	Stale                // left of the window: too old to tell
	Zero                 // 0 is never sent: the first packet of an SA carries 1 (RFC 4303, Section 3.3.3)
)

func (v Verdict) String() string {
	switch v {
	case Fresh:
		return "fresh"
	case Seen:
		return "seen before"
	case Stale:
		return "left of the window"
	case Zero:
		return "zero"
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// Window remembers which of the last Size sequence numbers were received. It is
// not safe for concurrent use.
type Window struct {
	size uint64
	top  uint64 // T: the highest number that was authenticated

	// words is a ring of bits, one per number: moving the window clears the words
	// that come into it and shifts nothing. It is longer than the window by at
	// least a word, so that a cleared word never holds a number still inside. Its
	// length is a power of two: a division would cost more than all the rest.
	words []uint64
}

const wordBits = 64

// New makes a window of size packets, between MinSize and MaxSize; 0 is DefaultSize.
func New(size int) (*Window, error) {
	if size == 0 {
		size = DefaultSize
	}
	if size < MinSize || size > MaxSize {
		return nil, fmt.Errorf("replay: a window of %d packets is outside %d to %d", size, MinSize, MaxSize)
	}
	n := 2
	for (n-1)*wordBits < size {
		n *= 2
	}
	return &Window{size: uint64(size), words: make([]uint64, n)}, nil
}

// Top is the highest sequence number that was authenticated; 0 before the first.
func (w *Window) Top() uint64 { return w.top }

// Size is the number of packets that the window covers.
func (w *Window) Size() int { return int(w.size) }

// Extend works out an extended sequence number from its lower half, which alone travels:
// the upper half is that of the window, or the one beside it, so that the number lies
// inside the window or right of it (RFC 4303, Appendix A2.2). It reports false where there
// is no such number: left of the window, and that would be below zero; or beyond 64 bits.
func (w *Window) Extend(low uint32) (seq uint64, ok bool) {
	high, top := w.top>>32, uint32(w.top)
	bottom := top - uint32(w.size) + 1 // modulo 2³²
	if uint64(top) >= w.size-1 {
		// Case A: the window lies within one run of the lower half.
		if low < bottom {
			high++
		}
	} else if low >= bottom {
		// Case B: the window reaches back into the run before.
		high--
	}
	return high<<32 | uint64(low), high <= math.MaxUint32
}

// Check judges a sequence number and changes nothing.
func (w *Window) Check(seq uint64) Verdict {
	switch {
	case seq == 0:
		return Zero
	case seq > w.top:
		return Fresh
	case w.top-seq >= w.size:
		return Stale
	case *w.word(seq)>>(seq%wordBits)&1 != 0:
		return Seen
	}
	return Fresh
}

// Update records that the packet with this number was authenticated, and moves
// the window when the number lies right of it. Numbers that Check does not call
// Fresh change nothing.
func (w *Window) Update(seq uint64) {
	if w.Check(seq) != Fresh {
		return
	}
	if seq > w.top {
		from, to := w.top/wordBits+1, seq/wordBits
		if n := uint64(len(w.words)); to >= from && to-from >= n {
			from = to - n + 1
		}
		for i := from; i <= to; i++ {
			*w.at(i) = 0
		}
		w.top = seq
	}
	*w.word(seq) |= 1 << (seq % wordBits)
}

func (w *Window) word(seq uint64) *uint64 { return w.at(seq / wordBits) }

// at is a word of the ring.
func (w *Window) at(i uint64) *uint64 { return &w.words[i&uint64(len(w.words)-1)] }
