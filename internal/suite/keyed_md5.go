package suite

import (
	"crypto/md5"
	"encoding/binary"
	"hash"
)

// keyedMD5 is the digest of "key, keyfill, datagram, key, MD5fill", RFC 1828, Section
// 2. The key is filled up as MD5 fills messages, to a multiple of 512 bits.
type keyedMD5 struct {
	md5         hash.Hash
	key, filled []byte
}

func newKeyedMD5(key []byte) (MAC, error) {
	filled := append(append([]byte(nil), key...), 0x80)
	for len(filled)%md5.BlockSize != md5.BlockSize-8 {
		filled = append(filled, 0)
	}
	filled = binary.LittleEndian.AppendUint64(filled, uint64(len(key))*8)
	k := &keyedMD5{md5: md5.New(), key: filled[:len(key)], filled: filled}
	k.Reset()
	return k, nil
}

func (k *keyedMD5) Reset() {
	k.md5.Reset()
	k.md5.Write(k.filled)
}

func (k *keyedMD5) Write(p []byte) (int, error) { return k.md5.Write(p) }

// Sum ends the message.
func (k *keyedMD5) Sum(b []byte) []byte {
	k.md5.Write(k.key)
	return k.md5.Sum(b)
}
