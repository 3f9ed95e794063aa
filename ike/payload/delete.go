package payload

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// Delete is a Delete payload, RFC 2408, Section 3.15: the sender has removed
// these SAs. For an ISAKMP SA the SPI is both cookies.
type Delete struct {
	DOI      uint32
	Protocol ProtocolID
	SPISize  uint8
	SPIs     [][]byte // each of SPISize bytes
}

// Type is TypeDelete.
func (Delete) Type() Type { return TypeDelete }

func (d Delete) appendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, d.DOI)
	dst = append(dst, byte(d.Protocol), d.SPISize)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(d.SPIs)))
	for _, spi := range d.SPIs {
		dst = append(dst, spi...)
	}
	return dst
}

func parseDelete(b []byte) (Delete, error) {
	s := cryptobyte.String(b)
	var d Delete
	var count uint16
	if !s.ReadUint32(&d.DOI) || !s.ReadUint8((*uint8)(&d.Protocol)) || !s.ReadUint8(&d.SPISize) || !s.ReadUint16(&count) {
		return Delete{}, errorf(NotifyPayloadMalformed, "delete cut short")
	}
	// Checked before anything is made for the SPIs: an SPI size of 0 would let 12 bytes ask for 65,535 of them.
	if d.SPISize == 0 || len(s) != int(count)*int(d.SPISize) {
		return Delete{}, errorf(NotifyPayloadMalformed, "delete of %d SPIs of %d bytes has %d bytes of them", count, d.SPISize, len(s))
	}
	for range count {
		var spi []byte
		s.ReadBytes(&spi, int(d.SPISize))
		d.SPIs = append(d.SPIs, spi)
	}
	return d, nil
}
