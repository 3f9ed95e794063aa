package scenarios

import (
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// beyond is a packet as it arrives at its far end, behind NAT boxes on its way, and whose
// that end is: q.To, or the server that a box there has published. words say what the boxes do.
// Without a box on the way it is the packet as it was sent.
func (d directory) beyond(q Question, f ipsec.Flow) (word string, far ipsec.Flow, words []string) {
	s := d.spec
	word, far = q.To, f
	from, ok := d.nodeOf(q.From, q.From)
	to, known := s.HoldingFrom(from, f.Dst)
	if !ok || !known || !f.Src.Is4() {
		return word, far, nil
	}
	boxes, ok := s.Realms().Way(s.Nodes[from].Segments(), to.Segment)
	if !ok {
		return word, far, []string{fmt.Sprintf("%s means nothing where %s is: NAT boxes hide it", f.Dst, from)}
	}
	for _, box := range boxes {
		outside := s.Nodes[box].OutsideAddrs()
		for _, o := range s.Nodes[box].NAT.OneToOne {
			inside, err := s.NATAddress(box, o.Inside)
			a, err2 := netip.ParseAddr(o.Outside)
			if err == nil && err2 == nil && inside == far.Src {
				outside = []netip.Addr{a}
			}
		}
		if len(outside) == 0 {
			return word, far, nil
		}
		words = append(words, fmt.Sprintf("%s makes %s of %s; the port may become another one", box, outside[0], far.Src))
		far.Src = outside[0]
	}
	server, there, ok := s.Published(to.Node, far.Dst, far.Proto, int(far.DstPort))
	if a, err := s.NATAddress(to.Node, server); ok && err == nil {
		words = append(words, fmt.Sprintf("%s sends what is for %s to %s", to.Node, netip.AddrPortFrom(far.Dst, far.DstPort), netip.AddrPortFrom(a, uint16(there))))
		word, far.Dst, far.DstPort = server, a, uint16(there)
	}
	return word, far, words
}
