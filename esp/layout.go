package esp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// Fixed parts of ESP and AH in bytes, RFC 4303, Section 2, and RFC 4302, Section 2.
const (
	espHeader  = 8  // SPI and sequence number
	espTrailer = 2  // pad length and next header
	ahHeader   = 12 // next header, payload length, reserved, SPI and sequence number

	// Where the number stands, which packets of the first generation have not, or longer.
	espNumberAt = 4
	ahNumberAt  = 8
)

// layout is where the bytes that a security protocol adds go: all that the
// length of a protected packet depends on.
type layout struct {
	numbers
	front   int // header up to the IV, or the ICV where there is none
	iv      int // of ESP, and of the ICV of AH
	head    int // in front of the content: header and IV, or the whole AH
	trailer int // behind the content and its padding
	align   int // what content, padding and trailer are a multiple of; a power of two
	icvLen  int // behind all
}

// layoutOf is the layout that a transform gives packets towards an address, with
// its algorithms: c is nil for AH, a for what has no integrity algorithm of its own.
// ESP without integrity is for the inside of AH only; see newSA.
func layoutOf(t ipsec.Transform, towards netip.Addr) (l layout, c *suite.Cipher, a *suite.Auth, err error) {
	c, a = suite.CipherNamed(t.Cipher), suite.AuthNamed(t.Auth)
	none := layout{}
	switch {
	case t.Protocol != ipsec.ESP && t.Protocol != ipsec.AH:
		return none, nil, nil, fmt.Errorf("unsupported protocol %v", t.Protocol)
	case t.Auth != "" && a == nil:
		return none, nil, nil, fmt.Errorf("unsupported integrity algorithm %q", t.Auth)
	case t.Protocol == ipsec.AH && t.Cipher != "":
		return none, nil, nil, fmt.Errorf("AH encrypts nothing and takes no %q", t.Cipher)
	case t.Protocol == ipsec.AH && a == nil:
		return none, nil, nil, errors.New("AH needs an integrity algorithm")
	case t.Protocol == ipsec.AH:
		// RFC 4302, Section 2.6: a multiple of 4 bytes in IPv4 and of 8 in IPv6.
		l = layout{numbers: numbers{ahNumberAt, a.Numbering, t.ESN}, front: ahNumberAt + a.Numbering.Len(), iv: a.IVLen, align: 1}
		l.head = l.front + l.iv + a.ICVLen
		if !towards.Is4() {
			l.head = (l.head + 7) &^ 7
		}
		return l, nil, a, l.check()
	case c == nil:
		return none, nil, nil, fmt.Errorf("unsupported cipher %q", t.Cipher)
	case c.AEAD() && a != nil:
		return none, nil, nil, fmt.Errorf("%s authenticates by itself and takes no %q", c.Name, t.Auth)
	case a != nil && !a.ForESP():
		return none, nil, nil, fmt.Errorf("%s is for AH alone", a.Name)
	case a != nil && c.Numbering != suite.Sequence: // RFC 1827 has integrity in AH
		return none, nil, nil, fmt.Errorf("ESP with %s takes no integrity algorithm", c.Name)
	case !c.AEAD() && !c.CBC() && a == nil: // RFC 4303, Section 3.2: not both may be NULL; RFC 3686, Section 7: counter mode
		return none, nil, nil, fmt.Errorf("ESP with %s needs an integrity algorithm", c.Name)
	}
	l = layout{numbers: numbers{espNumberAt, c.Numbering, t.ESN}, front: espNumberAt + c.Numbering.Len(), iv: c.IVLen,
		trailer: espTrailer, align: c.Align, icvLen: c.ICVLen}
	l.head = l.front + l.iv
	if a != nil {
		l.icvLen = a.ICVLen
	}
	return l, c, a, l.check()
}

// ciphered is the length of the content with its padding and trailer: what ESP
// encrypts (RFC 4303, Section 2.4).
func (l layout) ciphered(content int) int {
	return (content + l.trailer + l.align - 1) &^ (l.align - 1)
}

// size is the length of the protected content.
func (l layout) size(content int) int { return l.head + l.ciphered(content) + l.icvLen }

// room is the longest content that has at most n bytes when protected; negative
// when even an empty one has more.
func (l layout) room(n int) int {
	n -= l.head + l.icvLen
	if n < 0 {
		return -1
	}
	return n&^(l.align-1) - l.trailer
}

// InnerMTU is the length of the largest datagram of a flow, with an IP header
// without options or extension headers, that fits the path MTU whichever of the policy's proposals
// peers agree on, and encapsulated in UDP as long as there is an SA with the peer that is. It
// is pathMTU itself for a flow that is not protected.
func (p *Pipeline) InnerMTU(f ipsec.Flow, pathMTU int) int {
	e := p.out.lookup(&f)
	if e == nil || e.Action != ipsec.Protect {
		return pathMTU
	}
	least, pathMTU := pathMTU, p.cfg.pathMTU(e, pathMTU)
	if pathMTU == 0 {
		return least // nobody knows the way to the far end
	}
	outer, header := f.Dst, headerOf(f.Dst)
	if e.Peer.IsValid() {
		outer = e.Peer
	}
	around := headerOf(outer) + p.sad.wrapped.longest(outer)
	for _, proposal := range e.Proposals {
		if room, ok := proposalRoom(proposal, pathMTU-around, outer); ok {
			if proposal.Mode != ipsec.Tunnel {
				room = header + max(0, room)
			}
			least = min(least, max(header, room))
		}
	}
	return least
}

// proposalRoom is the longest content that has at most n bytes under all
// transforms of a proposal, sent to an address; false when one of them is not built.
func proposalRoom(p ipsec.Proposal, n int, towards netip.Addr) (int, bool) {
	for _, t := range slices.Backward(p.Transforms) { // innermost first
		l, _, _, err := layoutOf(t, towards)
		if err != nil {
			return 0, false
		}
		n = l.room(n)
	}
	return n, len(p.Transforms) > 0
}
