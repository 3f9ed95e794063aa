package esp

import (
	"encoding/binary"
	"io"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// minSPI is the lowest SPI that is not reserved, RFC 4303, Section 2.1.
const minSPI = 256

type spiKey struct {
	protocol ipsec.Protocol
	spi      uint32
}

// AllocateSPI reserves an inbound SPI that no SA and no other reservation has,
// until an SA with it is added or ReleaseSPI gives it back. It is at least 256;
// 0, which is never valid, means that Config.Rand failed.
func (p *Pipeline) AllocateSPI(proto ipsec.Protocol) uint32 {
	var b [4]byte
	if _, err := io.ReadFull(p.cfg.Rand, b[:]); err != nil {
		return 0
	}
	spi := max(binary.BigEndian.Uint32(b[:]), minSPI)
	for p.taken(proto, spi) {
		if spi++; spi < minSPI {
			spi = minSPI
		}
	}
	p.reserved[spiKey{proto, spi}] = struct{}{}
	return spi
}

func (p *Pipeline) taken(proto ipsec.Protocol, spi uint32) bool {
	_, reserved := p.reserved[spiKey{proto, spi}]
	_, used := p.sad.byID[identity{direction: ipsec.Inbound, protocol: proto, spi: spi}]
	return reserved || used
}

// ReleaseSPI gives back a reservation of which no SA came. Others are left alone.
func (p *Pipeline) ReleaseSPI(proto ipsec.Protocol, spi uint32) {
	delete(p.reserved, spiKey{proto, spi})
}
