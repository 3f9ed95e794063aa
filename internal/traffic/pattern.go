package traffic

import (
	"bytes"
	"encoding/binary"
)

// at is a byte of the sequence.
func at(i int64) byte { return byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*57 }

// Pattern is n bytes of test data from an offset of the sequence.
func Pattern(offset int64, n int) []byte {
	b := make([]byte, n)
	Fill(b, offset)
	return b
}

// Fill writes test data from an offset of the sequence over b, eight bytes at a time where the offset allows:
// within 256 bytes only the last eight bits of the offset change.
func Fill(b []byte, offset int64) {
	const each, ascending = 0x0101010101010101, 0x0706050403020100
	for len(b) > 0 {
		if offset&7 != 0 || len(b) < 8 {
			b[0] = at(offset)
			b, offset = b[1:], offset+1
			continue
		}
		rest := byte(offset>>8)*31 ^ byte(offset>>16)*57
		for n := min(len(b)/8, int(256-offset&255)/8); n > 0; n-- {
			binary.LittleEndian.PutUint64(b, (uint64(byte(offset))*each+ascending)^uint64(rest)*each)
			b, offset = b[8:], offset+8
		}
	}
}

// Matches reports whether b is the test data at an offset.
func Matches(b []byte, offset int64) bool {
	var want [1024]byte
	for len(b) > 0 {
		n := min(len(b), len(want))
		Fill(want[:n], offset)
		if !bytes.Equal(b[:n], want[:n]) {
			return false
		}
		b, offset = b[n:], offset+int64(n)
	}
	return true
}

// Shows reports whether test data stand in b as applications send them:
// 31 bytes of the sequence in a row, which always hold 16 that begin where the
// offset is a multiple of 16. Those differ from the first of them by 1, 2, 3 and
// so on up to 15 in an exclusive or; other data hardly ever do.
func Shows(b []byte) bool {
	for ; len(b) >= 16; b = b[1:] {
		n := 1
		for n < 16 && b[n] == b[0]^byte(n) {
			n++
		}
		if n == 16 {
			return true
		}
	}
	return false
}
