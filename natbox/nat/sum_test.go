package nat

import (
	"encoding/binary"
	"fmt"
)

// ones is the ones' complement sum of RFC 1071, the naive way.
func ones(parts ...[]byte) uint16 {
	sum := 0
	for _, b := range parts {
		for i := 0; i < len(b); i += 2 {
			word := int(b[i]) << 8
			if i+1 < len(b) {
				word |= int(b[i+1])
			}
			sum += word
			if sum > 0xffff {
				sum -= 0xffff
			}
		}
	}
	return uint16(sum)
}

// badChecksums names the checksums of a packet that are wrong, those of a quoted packet
// included as far as it is whole. Fragments are judged by their header alone.
func badChecksums(p []byte) (bad []string) {
	h := int(p[0]&15) * 4
	if ones(p[:h]) != 0xffff {
		bad = append(bad, "header")
	}
	if binary.BigEndian.Uint16(p[6:])&0x3fff != 0 {
		return bad
	}
	n := int(binary.BigEndian.Uint16(p[2:]))
	if n > len(p) { // a quote that is cut
		return bad
	}
	b := p[h:n]
	pseudo := append(append([]byte{}, p[12:20]...), 0, p[9], byte(len(b)>>8), byte(len(b)))
	switch p[9] {
	case 6:
		if len(b) >= 20 && ones(pseudo, b) != 0xffff {
			bad = append(bad, "tcp")
		}
	case 17:
		if len(b) >= 8 && b[6]|b[7] != 0 && ones(pseudo, b) != 0xffff {
			bad = append(bad, "udp")
		}
	case 1:
		if len(b) < 8 {
			return bad
		}
		if ones(b) != 0xffff {
			bad = append(bad, "icmp")
		}
		switch b[0] {
		case 3, 4, 5, 11, 12:
			if q := b[8:]; len(q) >= 20 && q[0]>>4 == 4 && int(q[0]&15)*4 >= 20 && int(q[0]&15)*4 <= len(q) {
				for _, w := range badChecksums(q) {
					bad = append(bad, fmt.Sprintf("%s in the quote", w))
				}
			}
		}
	}
	return bad
}
