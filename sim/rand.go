package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand" // for the type Source64 alone: nothing here draws from its globals
	randv2 "math/rand/v2"
	"sync"
)

// Stream is a named stream of random numbers, safe for concurrent use. Its values
// depend on its name, the world's seed and name, and on nothing else: neither on
// other streams nor on the version of Go.
type Stream struct {
	mu   sync.Mutex
	src  *randv2.ChaCha8
	rest []byte  // of word, not read yet
	word [8]byte // the last one drawn by Read
}

// Rand is the stream of that name, at its start. The name is a path such as
// ("host", "a", "ike"). Asking twice gives the same numbers twice.
//
// A stream is ChaCha8 (C2SP chacha8rand) keyed by SHA-256 of the seed as 8 bytes,
// then the world's name and the parts of the path, each behind its length as 8
// bytes; numbers are big-endian.
func (w *World) Rand(path ...string) *Stream {
	return NewStream(w.cfg.Seed, append([]string{w.cfg.Name}, path...)...)
}

// NewStream is the stream of that name in every world with the seed, whose name is the
// first part of those that World.Rand gives.
func NewStream(seed uint64, path ...string) *Stream {
	b := binary.BigEndian.AppendUint64(nil, seed)
	for _, part := range path {
		b = appendPart(b, part)
	}
	return &Stream{src: randv2.NewChaCha8(sha256.Sum256(b))}
}

func appendPart(b []byte, part string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
}

// Read fills p and never fails. It gives the numbers' bytes, the lowest first; a
// number of which it has given a part is not used for anything but the next Read.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		if len(s.rest) == 0 {
			binary.LittleEndian.PutUint64(s.word[:], s.src.Uint64())
			s.rest = s.word[:]
		}
		k := copy(p, s.rest)
		p, s.rest = p[k:], s.rest[k:]
	}
	return n, nil
}

// Uint64 is uniform over all 64-bit numbers.
func (s *Stream) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.src.Uint64()
}

// Float64 is uniform over the multiples of 2^-53 in [0, 1).
func (s *Stream) Float64() float64 { return float64(s.Uint64()>>11) / (1 << 53) }

// IntN is uniform over [0, n). It panics unless n is positive.
func (s *Stream) IntN(n int) int {
	if n <= 0 {
		panic("sim: IntN of a number that is not positive")
	}
	// D. Lemire, "Fast Random Integer Generation in an Interval" (2019), Algorithm 5.
	hi, lo := bits.Mul64(s.Uint64(), uint64(n))
	for low := -uint64(n) % uint64(n); lo < low; {
		hi, lo = bits.Mul64(s.Uint64(), uint64(n))
	}
	return int(hi)
}

// Source adapts the stream to math/rand, for gVisor's stack.Options.RandSource.
// Numbers drawn from either come from the one stream. Its Seed does nothing: the
// world's seed has decided.
func (s *Stream) Source() rand.Source64 { return source{s} }

type source struct{ s *Stream }

func (s source) Uint64() uint64 { return s.s.Uint64() }
func (s source) Int63() int64   { return int64(s.s.Uint64() >> 1) }
func (s source) Seed(int64)     {}
