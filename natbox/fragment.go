package natbox

import "encoding/binary"

// fragment cuts a packet into fragments of at most mtu bytes, each behind room
// for the Ethernet header: RFC 791, Section 3.2. The first keeps all options, the
// others those whose copied flag is set. A fragment cut again keeps its place in
// the datagram, and its last piece keeps its "more fragments". nil when a header
// and one unit of data do not fit.
func fragment(p packet, mtu int) (frames [][]byte) {
	first := p[:p.headerLen()]
	later := laterHeader(p)
	offset, header := p.offset(), first
	for data := p.payload(); len(data) > 0; header = later {
		room := (mtu - len(header)) &^ (fragmentUnit - 1)
		if room <= 0 {
			return nil
		}
		// The last piece need not be a multiple of the unit: it may fill the link.
		n, more := room, true
		if len(data) <= mtu-len(header) {
			n, more = len(data), p.more()
		}
		frame := make([]byte, etherHeader+len(header)+n)
		f := packet(frame[etherHeader:])
		copy(f[copy(f, header):], data[:n])
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		flags := uint16(offset / fragmentUnit)
		if more {
			flags |= flagMF
		}
		binary.BigEndian.PutUint16(f[6:], flags)
		f.setChecksum()
		frames = append(frames, frame)
		data, offset = data[n:], offset+n
	}
	return frames
}

// laterHeader is the header of the fragments after the first: with the copied
// options alone, padded to 32 bits.
func laterHeader(p packet) packet {
	h := append(packet(nil), p[:ipv4Header]...)
	eachOption(p.options(), func(option []byte) {
		if option[0]&optionCopied != 0 {
			h = append(h, option...)
		}
	})
	for len(h)%4 != 0 {
		h = append(h, optionEnd)
	}
	h[0] = 4<<4 | byte(len(h)/4)
	return h
}
