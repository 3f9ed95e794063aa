package traffic

import (
	"bytes"
	"encoding/binary"
)

// DatagramHeader is how many bytes of a datagram hold its number.
const DatagramHeader = 4

// Datagrams are those that a client sends to have them echoed.
type Datagrams struct {
	Count int
	Size  int // bytes of payload of the first; at least DatagramHeader
	Grow  int // bytes that each is longer than the one before
}

// Payload is a datagram: its number, counted from 0, and test data.
func (d Datagrams) Payload(i int) []byte {
	b := Pattern(int64(i), max(d.Size+i*d.Grow, DatagramHeader))
	binary.BigEndian.PutUint32(b, uint32(i))
	return b
}

// Echo is the number of the datagram of which b is the echo. One that has changed is none.
func (d Datagrams) Echo(b []byte) (i int, ok bool) {
	if len(b) < DatagramHeader {
		return 0, false
	}
	n := binary.BigEndian.Uint32(b)
	if int64(n) >= int64(d.Count) || !bytes.Equal(b, d.Payload(int(n))) {
		return 0, false
	}
	return int(n), true
}
