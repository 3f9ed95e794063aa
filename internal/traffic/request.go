package traffic

import "encoding/binary"

// RequestHeader is how many bytes begin a request of the TCP application. The server
// compares every byte of the data that follow, answers, and closes.
const RequestHeader = 16

// AppendRequest appends the header of a request: how many bytes of test data follow
// and how many the answer shall have, both 64 bits, big-endian.
func AppendRequest(b []byte, request, answer int64) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(request))
	return binary.BigEndian.AppendUint64(b, uint64(answer))
}

// ParseRequest reads a header of RequestHeader bytes.
func ParseRequest(b []byte) (request, answer uint64) {
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
}
