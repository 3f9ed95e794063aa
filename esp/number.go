package esp

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/ipseclab/ipseclab/esp/replay"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// numbers is how the packets of an SA are numbered.
type numbers struct {
	at       int // where in the header
	kind     suite.Numbering
	extended bool // RFC 4303, Section 2.2.1
}

func (n numbers) check() error {
	if n.extended && n.kind != suite.Sequence {
		return errors.New("extended sequence numbers are for transforms with a sequence number")
	}
	return nil
}

// last is the highest number of an SA: none may come twice while anti-replay is on,
// which it always is here (RFC 4303, Section 3.3.3). Without numbers it is how many
// packets a key should be for at most (RFC 1829, Section 2).
func (n numbers) last() uint64 {
	if n.extended || n.kind == suite.Counter64 {
		return math.MaxUint64
	}
	return math.MaxUint32
}

// put writes the number of a packet into its header.
func (n numbers) put(header []byte, seq uint64) {
	switch n.kind {
	case suite.Sequence:
		binary.BigEndian.PutUint32(header[n.at:], uint32(seq))
	case suite.Counter64:
		binary.BigEndian.PutUint64(header[n.at:], seq)
	}
}

// read is the number of a packet that arrived, of which an extended one has to be worked
// out. It reports false for one that cannot have been sent, or is much too old, and where
// the header ends before it.
func (n numbers) read(header []byte, w *replay.Window) (seq uint64, ok bool) {
	if len(header) < n.at+n.kind.Len() {
		return 0, false
	}
	switch n.kind {
	case suite.Unnumbered:
		return 0, true
	case suite.Counter64:
		return binary.BigEndian.Uint64(header[n.at:]), true
	}
	low := binary.BigEndian.Uint32(header[n.at:])
	if n.extended {
		return w.Extend(low)
	}
	return uint64(low), true
}

// shown is the number as decisions have it: 0 where the packet has none.
func (n numbers) shown(seq uint64) uint64 {
	if n.kind == suite.Unnumbered {
		return 0
	}
	return seq
}
