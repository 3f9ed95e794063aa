package ikev1

import (
	"bytes"
	"testing"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// script is a fuzzer's input, read as a program. At its end it is all zeros.
type script []byte

func (s *script) byte() byte {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b
}

// bytes takes a length and as many bytes, or what is left.
func (s *script) bytes() []byte {
	n := min(int(s.byte()), len(*s))
	b := (*s)[:n:n]
	*s = (*s)[n:]
	return b
}

// alter writes over part of b, at most to its end.
func (s *script) alter(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) > 0 {
		copy(b[int(s.byte())%len(b):], s.bytes())
	}
	return b
}

// What an authenticated peer may send: the fuzzer knows all keys of the ISAKMP
// SA, so that its messages decrypt and their hashes verify, with whatever
// inside. Nothing panics; what is kept is bounded, and given back in the end; and
// the two can still negotiate unless the fuzzer has deleted the main mode.
func FuzzAuthenticatedPeer(f *testing.F) {
	for _, seed := range peerScripts() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		s := script(program)
		p := newRogue(t, &s)
		for range 48 {
			if len(s) == 0 || p.r.sa.Dead() {
				break
			}
			p.step()
			p.wantBounded()
		}
		p.finish()
	})
}

// peerScripts are programs that reach what a fuzzer would not find soon.
func peerScripts() [][]byte {
	const clear, replay, wait = 6, 5, 7
	exchange := func(id byte) []byte { return []byte{3, 4, 9, 9, 9, id} }
	message1 := []byte{0, 0, 0, 0, 0, 3, 0, 2, 5}
	message3 := []byte{0, 0, 0, 3, 0, 0}
	victim := []byte{4} // it starts a quick mode
	inform := func(kind byte, more ...byte) []byte { return append([]byte{0, 0, 2, 8, 0, 1, kind}, more...) }
	program := func(flags byte, steps ...[]byte) []byte { return append([]byte{flags}, bytes.Join(steps, nil)...) }
	return [][]byte{
		program(0, exchange(1), message1, message3),
		program(1, exchange(1), message1, message3), // with the commit bit
		program(0, exchange(1), message1, []byte{wait, 250, wait, 250}),
		program(2, exchange(1), []byte{0, 0, 0, 0, 0, 4, 0, 2, 4, 5}, message3), // with PFS
		program(4, exchange(1), message1, message3),
		program(0, victim, []byte{0, 0, 0, 2, 0, 2, 2, 11}),                                   // the choice from its offer
		program(0, victim, []byte{0, 0, 0, 34, 0, 2, 2, 11}, []byte{0, 0, 2, 0, 0, 1, 12, 0}), // with CONNECTED
		program(0, victim, exchange(1), inform(7, 3, 0, 14, 0, 0)),                            // refused
		program(0, exchange(1), message1, exchange(2), inform(14)),                            // Deletes of the main mode, and of the pair
		program(0, exchange(1), message1, message3, exchange(2), inform(15)),
		program(0, exchange(1), inform(16)),
		program(0, exchange(1), inform(10, 1, 0, 3, 2), []byte{wait, 20}),                                                             // RESPONDER-LIFETIME
		program(0, exchange(1), []byte{0, 0, 0, 0, 16, 3, 0, 2, 5, 30, 4, 1, 2, 3, 4}),                                                // an altered offer
		program(0, exchange(1), []byte{0, 0, 0, 0, 255, 8, 1, 0, 0, 8, 1, 2, 3, 4, 11}),                                               // noise in place of payloads
		program(8, []byte{clear, byte(payload.TypeNotify), byte(payload.Informational), 0, 12, 0, 0, 0, 12, 0, 0, 0, 1, 1, 0, 0, 14}), // a refusal
		program(0, exchange(1), message1, []byte{replay, 0, 0, 0}),
		program(16, exchange(1), message1, message3, exchange(2), []byte{0, 0, 2, 8, 0, 2, 2, 15}, []byte{wait, 100}), // a Delete with a nonce
		program(16, exchange(1), message1, []byte{wait, 60, wait, 60, wait, 60}),                                      // no answer to message 2, nor to R-U-THERE
		program(16, exchange(1), inform(7, 1, 141, 40, 0, 4, 0, 0, 0, 1)),                                             // R-U-THERE without an SPI
		program(34, exchange(1), []byte{0, 0, 0, 0, 0, 4, 0, 2, 4, 5}, message3),                                      // an answer in fragments
		program(48, victim, []byte{wait, 10}),
		program(0, exchange(1), []byte{0, 9, 5, 0, 0, 1, 18, 0, 1, 7, 2, 2, 0, 6, 0}, exchange(2), []byte{0, 9, 5, 0, 0, 1, 18, 0, 3, 7, 1, 2, 4, 10, 0, 0, 9}), // mode config
		program(64, exchange(1), []byte{0, 0, 0, 0, 0, 5, 0, 2, 5, 17, 17, 0, 9, 0, 2}, []byte{1, 7}, message3, []byte{1, 9}),                                   // NAT-OA, from another port
		program(64, exchange(1), []byte{0, 0, 0, 0, 0, 6, 0, 2, 5, 17, 17, 17, 0, 9, 0, 2, 0, 1}),                                                               // and too many of them
		program(2, exchange(1), []byte{0, 9, 6, 0, 0, 1, 19, 5, 1, 2}, exchange(2), []byte{0, 9, 6, 0, 0, 1, 19, 6, 1, 2}),                                      // new groups
	}
}
