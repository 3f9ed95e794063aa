package mux_test

import (
	"math/rand/v2"
	"testing"
)

// FuzzLivePair has the fuzzer choose all that a random schedule draws: the
// policies, what the hosts do when, what becomes of each datagram, and what an
// attacker does with it. The same must come of it as of a random schedule.
func FuzzLivePair(f *testing.F) {
	for seed := range byte(32) {
		program := make([]byte, 400)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(program)
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 4000 {
			return
		}
		newRun(t, rand.New(&drawn{program: program, then: rand.NewPCG(0, uint64(len(program)))}), 0, false).check("", tally{})
	})
}

// drawn is a source that gives the bytes of a program, and random numbers after its end.
type drawn struct {
	program []byte
	then    rand.Source
}

// Uint64 repeats one byte, so that a byte makes one choice whichever bits of the number it is made with.
func (d *drawn) Uint64() uint64 {
	if len(d.program) == 0 {
		return d.then.Uint64()
	}
	b := d.program[0]
	d.program = d.program[1:]
	return uint64(b) * 0x0101010101010101
}
