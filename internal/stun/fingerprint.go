package stun

import (
	"encoding/binary"
	"hash/crc32"
)

// fingerprint is the value of FINGERPRINT for a message up to that attribute, whatever
// length stands in its header: RFC 8489, Section 14.7.
func fingerprint(before []byte) []byte {
	header := [4]byte(before)
	binary.BigEndian.PutUint16(header[2:], uint16(len(before)-headerLen+8))
	sum := crc32.Update(crc32.ChecksumIEEE(header[:]), crc32.IEEETable, before[4:])
	return binary.BigEndian.AppendUint32(nil, sum^0x5354554e)
}
