package esp

import (
	"fmt"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// Fixed parts of an ESP packet in bytes, RFC 4303, Section 2.
const (
	espHeader  = 8 // SPI and sequence number
	espTrailer = 2 // pad length and next header
)

// layout is where the bytes of an ESP packet go: all that its length depends on.
type layout struct{ ivLen, align, icvLen int }

// layoutOf is the layout that a transform gives its packets, with its algorithms;
// a is nil for an AEAD cipher.
func layoutOf(t ipsec.Transform) (l layout, c *suite.Cipher, a *suite.Auth, err error) {
	c, a = suite.CipherNamed(t.Cipher), suite.AuthNamed(t.Auth)
	switch {
	case c == nil:
		return layout{}, nil, nil, fmt.Errorf("unsupported cipher %q", t.Cipher)
	case c.AEAD() && t.Auth != "":
		return layout{}, nil, nil, fmt.Errorf("%s authenticates by itself and takes no %q", c.Name, t.Auth)
	case c.AEAD():
		return layout{c.IVLen, c.Align, c.ICVLen}, c, nil, nil
	case t.Auth == "":
		return layout{}, nil, nil, fmt.Errorf("unsupported: %s without integrity", c.Name)
	case a == nil:
		return layout{}, nil, nil, fmt.Errorf("unsupported integrity algorithm %q", t.Auth)
	}
	return layout{c.IVLen, c.Align, a.ICVLen}, c, a, nil
}

// head is what stands before the encrypted part.
func (l layout) head() int { return espHeader + l.ivLen }

// ciphered is the length of the encrypted part for a payload: with padding to
// the alignment, pad length and next header (RFC 4303, Section 2.4).
func (l layout) ciphered(payload int) int {
	return (payload + espTrailer + l.align - 1) / l.align * l.align
}

// size is the length of the ESP packet for a payload.
func (l layout) size(payload int) int { return l.head() + l.ciphered(payload) + l.icvLen }

// room is the longest payload whose ESP packet has at most n bytes; negative
// when even an empty one has more.
func (l layout) room(n int) int {
	n -= l.head() + l.icvLen
	if n < 0 {
		return -1
	}
	return n/l.align*l.align - espTrailer
}

// InnerMTU is the length of the largest datagram of a flow, with an IP header
// without options, that fits the path MTU whichever of the policy's proposals
// peers agree on. It is pathMTU itself for a flow that is not protected.
func (p *Pipeline) InnerMTU(f ipsec.Flow, pathMTU int) int {
	e := p.out.lookup(f)
	if e == nil || e.Action != ipsec.Protect {
		return pathMTU
	}
	least := pathMTU
	for _, proposal := range e.Proposals {
		for _, t := range proposal.Transforms {
			if l, _, _, err := layoutOf(t); err == nil {
				least = min(least, minHeader+max(0, l.room(pathMTU-minHeader)))
			}
		}
	}
	return least
}
