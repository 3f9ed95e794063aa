package pcapng

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// errShort is any block or option that ends before its fields do.
var errShort = errors.New("block is too short for its fields")

// Read returns all packets of a capture in file order. On an error it also
// returns the packets that stand before the damage. The memory it takes is
// bounded by a small multiple of the bytes that r delivers, whatever lengths
// they claim.
func Read(r io.Reader) ([]Packet, error) {
	d := decoder{r: bufio.NewReader(r)}
	for n := 1; ; n++ {
		err := d.block()
		switch {
		case err == io.EOF && n > 1:
			return d.packets, nil
		case err == io.EOF:
			return nil, errors.New("pcapng: empty file")
		case err != nil:
			return d.packets, fmt.Errorf("pcapng: block %d: %w", n, err)
		}
	}
}

// decoder is the state of reading: the current section and what came of it.
type decoder struct {
	r       *bufio.Reader
	order   binary.ByteOrder // nil before the first section header
	ifaces  []iface
	body    bytes.Buffer
	packets []Packet
}

// iface is what an interface description says about its packets.
type iface struct {
	name    string
	link    LinkType
	snapLen uint32
	units   uint64 // time units in a second
	offset  int64  // seconds to add
}

// block reads one block; io.EOF means that the file ended before it.
func (d *decoder) block() error {
	var head [12]byte
	if n, err := io.ReadFull(d.r, head[:8]); err != nil {
		if n == 0 && err == io.EOF {
			return io.EOF
		}
		return unexpected(err)
	}
	at := 8
	if binary.LittleEndian.Uint32(head[:]) == blockSection { // the same in both orders
		if _, err := io.ReadFull(d.r, head[8:]); err != nil {
			return unexpected(err)
		}
		at = 12
		if err := d.section(head[8:]); err != nil {
			return err
		}
	}
	if d.order == nil {
		return errors.New("no section header: not a pcapng file")
	}
	typ, length := d.order.Uint32(head[:]), d.order.Uint32(head[4:])
	if length < uint32(at)+4 || length%4 != 0 {
		return fmt.Errorf("impossible block length %d", length)
	}
	n := int64(length) - int64(at) - 4
	if err := d.read(typ, n); err != nil {
		return err
	}
	var tail [4]byte
	if _, err := io.ReadFull(d.r, tail[:]); err != nil {
		return unexpected(err)
	}
	if end := d.order.Uint32(tail[:]); end != length {
		return fmt.Errorf("block length is %d at its start and %d at its end", length, end)
	}
	return d.decode(typ, d.body.Bytes())
}

// read fills body with the n bytes of a block that decode wants, and skips others.
func (d *decoder) read(typ uint32, n int64) error {
	d.body.Reset()
	var to io.Writer = io.Discard
	switch typ {
	case blockSection, blockInterface, blockPacket, blockSimple, blockEnhanced:
		if n > maxBlock {
			return fmt.Errorf("block of %d bytes is longer than %d", n, maxBlock)
		}
		to = &d.body // grows as bytes arrive, not by the length claimed
	}
	if _, err := io.CopyN(to, d.r, n); err != nil {
		return unexpected(err)
	}
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// section starts a section by its byte order. Section 4.1.
func (d *decoder) section(magic []byte) error {
	switch {
	case binary.LittleEndian.Uint32(magic) == byteOrderMagic:
		d.order = binary.LittleEndian
	case binary.BigEndian.Uint32(magic) == byteOrderMagic:
		d.order = binary.BigEndian
	default:
		return fmt.Errorf("byte-order magic %x: not a pcapng file", magic)
	}
	d.ifaces = nil
	return nil
}

func (d *decoder) decode(typ uint32, b []byte) error {
	switch typ {
	case blockSection:
		if len(b) < 12 {
			return errShort
		}
		if major := d.order.Uint16(b); major != 1 {
			return fmt.Errorf("unsupported: pcapng version %d.%d", major, d.order.Uint16(b[2:]))
		}
		return d.options(b[12:], func(uint16, []byte) error { return nil })
	case blockInterface:
		return d.iface(b)
	case blockEnhanced, blockPacket:
		if len(b) < 20 {
			return errShort
		}
		id := d.order.Uint32(b)
		if typ == blockPacket {
			id = uint32(d.order.Uint16(b))
		}
		if uint64(id) >= uint64(len(d.ifaces)) {
			return fmt.Errorf("packet of interface %d, but the section has %d", id, len(d.ifaces))
		}
		ticks := uint64(d.order.Uint32(b[4:]))<<32 | uint64(d.order.Uint32(b[8:]))
		at, err := d.ifaces[id].time(ticks)
		if err != nil {
			return err
		}
		return d.packet(&d.ifaces[id], at, d.order.Uint32(b[12:]), b[20:])
	case blockSimple:
		if len(b) < 4 {
			return errShort
		}
		if len(d.ifaces) == 0 {
			return errors.New("simple packet, but the section has no interface")
		}
		f := &d.ifaces[0]
		n := d.order.Uint32(b)
		if f.snapLen > 0 {
			n = min(n, f.snapLen)
		}
		return d.packet(f, time.Time{}, n, b[4:])
	}
	return nil
}

// packet appends the packet of n bytes at the start of b and the options behind it.
func (d *decoder) packet(f *iface, at time.Time, n uint32, b []byte) error {
	if n > MaxPacket {
		return fmt.Errorf("packet of %d bytes is longer than %d", n, MaxPacket)
	}
	end := int(n) + pad(int(n))
	if end > len(b) {
		return errShort
	}
	p := Packet{Number: len(d.packets) + 1, Interface: f.name, At: at, Link: f.link, Data: bytes.Clone(b[:n])}
	var comment []byte
	err := d.options(b[end:], func(code uint16, v []byte) error {
		if code == optComment {
			if len(comment) > 0 {
				comment = append(comment, '\n')
			}
			comment = append(comment, v...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.Comment = string(comment)
	d.packets = append(d.packets, p)
	return nil
}

// iface reads an interface description. Section 4.2.
func (d *decoder) iface(b []byte) error {
	if len(b) < 8 {
		return errShort
	}
	f := iface{link: LinkType(d.order.Uint16(b)), snapLen: d.order.Uint32(b[4:]), units: 1e6}
	err := d.options(b[8:], func(code uint16, v []byte) error {
		switch code {
		case optIfName:
			f.name = string(v)
		case optTSResol:
			if len(v) < 1 {
				return errShort
			}
			return f.resolution(v[0])
		case optTSOffset:
			if len(v) < 8 {
				return errShort
			}
			f.offset = int64(d.order.Uint64(v))
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.ifaces = append(d.ifaces, f)
	return nil
}

// resolution sets units: a power of ten, or of two when the high bit is set.
func (f *iface) resolution(r byte) error {
	if n := r & 0x7f; r&0x80 != 0 {
		if n > 63 {
			return fmt.Errorf("unsupported: time resolution of 2^-%d s", n)
		}
		f.units = 1 << n
	} else {
		if n > 19 {
			return fmt.Errorf("unsupported: time resolution of 10^-%d s", n)
		}
		for f.units = 1; n > 0; n-- {
			f.units *= 10
		}
	}
	return nil
}

// lastSecond ends the year 9999, after which RFC 3339 cannot write a time.
const lastSecond = 253402300799

// time makes ticks a time: seconds and the fraction scaled to nanoseconds.
func (f *iface) time(ticks uint64) (time.Time, error) {
	sec, frac := ticks/f.units, ticks%f.units
	hi, lo := bits.Mul64(frac, 1e9)
	nsec, _ := bits.Div64(hi, lo, f.units) // frac < units, so it fits
	if sec > lastSecond || f.offset > lastSecond || f.offset < -lastSecond ||
		int64(sec)+f.offset > lastSecond || int64(sec)+f.offset < 0 {
		return time.Time{}, fmt.Errorf("time of %d units of 1/%d s plus %d s is outside the years 1970 to 9999", ticks, f.units, f.offset)
	}
	return time.Unix(int64(sec)+f.offset, int64(nsec)).UTC(), nil
}

// options calls f with each option of a list. Section 3.5.
func (d *decoder) options(b []byte, f func(code uint16, value []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return errShort
		}
		code, n := d.order.Uint16(b), int(d.order.Uint16(b[2:]))
		if code == optEnd {
			return nil
		}
		end := 4 + n + pad(n)
		if end > len(b) {
			return errShort
		}
		if err := f(code, b[4:4+n]); err != nil {
			return err
		}
		b = b[end:]
	}
	return nil
}
