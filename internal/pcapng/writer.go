package pcapng

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Writer writes one section, little-endian, each block with one Write. It is
// not safe for concurrent use. After a failed Write every method returns that
// error: the file ends in the middle of a block.
type Writer struct {
	w      io.Writer
	buf    []byte
	ifaces int
	err    error
}

// NewWriter writes the section header to w. It does not buffer.
func NewWriter(w io.Writer) (*Writer, error) {
	pw := &Writer{w: w}
	b := pw.begin(blockSection)
	b = binary.LittleEndian.AppendUint32(b, byteOrderMagic)
	b = binary.LittleEndian.AppendUint16(b, 1)              // major version
	b = binary.LittleEndian.AppendUint16(b, 0)              // minor version
	b = binary.LittleEndian.AppendUint64(b, math.MaxUint64) // section length: not given
	b = appendOption(b, optUserAppl, "ipseclab")
	b = appendOption(b, optEnd, "")
	if err := pw.end(b); err != nil {
		return nil, err
	}
	return pw, nil
}

// AddInterface describes an interface, whose packets carry times in nanoseconds, and returns its number for WritePacket. An interface is added
// before its first packet, at any point of the file.
func (w *Writer) AddInterface(name string, link LinkType) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(name) > math.MaxUint16 {
		return 0, fmt.Errorf("pcapng: interface name of %d bytes is longer than %d", len(name), math.MaxUint16)
	}
	b := w.begin(blockInterface)
	b = binary.LittleEndian.AppendUint16(b, uint16(link))
	b = binary.LittleEndian.AppendUint16(b, 0) // reserved
	b = binary.LittleEndian.AppendUint32(b, MaxPacket)
	b = appendOption(b, optIfName, name)
	b = appendOption(b, optTSResol, string([]byte{nanosecond}))
	b = appendOption(b, optEnd, "")
	if err := w.end(b); err != nil {
		return 0, err
	}
	w.ifaces++
	return w.ifaces - 1, nil
}

// WritePacket writes an enhanced packet block; an empty comment writes none.
// The time must lie in the years that 64 bits of nanoseconds reach, 1970 to
// 2554. A packet that is refused leaves the file as it was.
func (w *Writer) WritePacket(iface int, at time.Time, data []byte, comment string) error {
	switch {
	case w.err != nil:
		return w.err
	case iface < 0 || iface >= w.ifaces:
		return fmt.Errorf("pcapng: packet for interface %d, but the file has %d", iface, w.ifaces)
	case len(data) > MaxPacket:
		return fmt.Errorf("pcapng: packet of %d bytes is longer than %d", len(data), MaxPacket)
	case len(comment) > math.MaxUint16:
		return fmt.Errorf("pcapng: comment of %d bytes is longer than %d", len(comment), math.MaxUint16)
	}
	sec, nsec := at.Unix(), uint64(at.Nanosecond())
	if sec < 0 || uint64(sec) > (math.MaxUint64-nsec)/1e9 {
		return fmt.Errorf("pcapng: time %s is outside 1970 to 2554", at.UTC().Format(time.RFC3339))
	}
	ticks := uint64(sec)*1e9 + nsec
	b := w.begin(blockEnhanced)
	b = binary.LittleEndian.AppendUint32(b, uint32(iface))
	b = binary.LittleEndian.AppendUint32(b, uint32(ticks>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(ticks))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) // captured
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) // on the wire
	b = append(b, data...)
	b = append(b, make([]byte, pad(len(data)))...)
	if comment != "" {
		b = appendOption(b, optComment, comment)
		b = appendOption(b, optEnd, "")
	}
	return w.end(b)
}

// begin starts a block with room for its length.
func (w *Writer) begin(typ uint32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(w.buf[:0], typ), 0)
}

// end fills in both lengths and writes the block.
func (w *Writer) end(b []byte) error {
	n := uint32(len(b) + 4)
	b = binary.LittleEndian.AppendUint32(b, n)
	binary.LittleEndian.PutUint32(b[4:], n)
	w.buf = b
	if _, err := w.w.Write(b); err != nil {
		w.err = fmt.Errorf("pcapng: %w", err)
	}
	return w.err
}

func appendOption(b []byte, code uint16, value string) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	return append(b, make([]byte, pad(len(value)))...)
}
