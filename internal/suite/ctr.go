package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// Stream is AES in counter mode as ESP uses it, RFC 3686, Section 4. It has its own
// working space: nothing is allocated for a packet, and it is for one packet at a time.
type Stream struct {
	block   cipher.Block
	counter [aes.BlockSize]byte // nonce, IV, and the number of the block
	keys    [aes.BlockSize]byte
}

// NewStream makes the key stream of a counter mode cipher. The key has KeyLen bytes,
// without the nonce that key management appends.
func (c *Cipher) NewStream(key []byte) (*Stream, error) {
	if !c.Counter() {
		return nil, fmt.Errorf("suite: %s is not a counter mode cipher", c.Name)
	}
	b, err := c.newBlock(key)
	if err != nil {
		return nil, err
	}
	return &Stream{block: b}, nil
}

// XOR encrypts or decrypts src into dst, which may be the same. nonce is the four
// bytes of the SA and the eight of the packet's IV; the count of blocks begins with 1
// ("the least significant bit of the counter block set to one", Section 4).
func (s *Stream) XOR(dst, src, nonce []byte) {
	n := copy(s.counter[:], nonce)
	clear(s.counter[n:])
	s.counter[len(s.counter)-1] = 1
	s.xor(dst, src)
}

// xor goes on from the counter as it stands; its last four bytes count.
func (s *Stream) xor(dst, src []byte) {
	low := s.counter[len(s.counter)-4:]
	for n := binary.BigEndian.Uint32(low); len(src) > 0; n++ {
		binary.BigEndian.PutUint32(low, n)
		s.block.Encrypt(s.keys[:], s.counter[:])
		done := subtle.XORBytes(dst, src, s.keys[:])
		dst, src = dst[done:], src[done:]
	}
}
