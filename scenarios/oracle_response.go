package scenarios

import (
	"net/netip"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// agreements are the outbound SAs that live by the default response rules of hosts,
// with their selectors as the trace prints them. What is agreed on is under encryption,
// so that the wire does not show it.
type agreements map[outboundSPI]string

func (a agreements) event(e trace.Event) {
	switch b := e.Body.(type) {
	case trace.SAAdded:
		if b.Direction == ipsec.Outbound.String() && strings.HasSuffix(b.Rule, "/"+policy.DefaultResponseName) {
			a[outboundSPI{e.Node, b.Dst, b.Protocol, b.SPI}] = b.Selector
		}
	case trace.SARemoved:
		if b.Direction == ipsec.Outbound.String() {
			delete(a, outboundSPI{e.Node, b.Dst, b.Protocol, b.SPI})
		}
	}
}

// cover reports whether a packet is one of those agreed on: one of the ways in which
// the selector between its two ends can be written is there.
func (a agreements) cover(host string, f ipsec.Flow) bool {
	if len(a) == 0 {
		return false
	}
	end := func(addr netip.Addr) netip.Prefix { return netip.PrefixFrom(addr, addr.BitLen()) }
	ways := map[string]bool{}
	for _, proto := range []uint8{ipsec.ProtoAny, f.Proto} {
		for _, from := range []uint16{0, f.SrcPort} {
			for _, to := range []uint16{0, f.DstPort} {
				s := ipsec.Selector{Src: end(f.Src), Dst: end(f.Dst), Proto: proto, SrcPort: from, DstPort: to}
				ways[s.String()] = true
			}
		}
	}
	for sa, selector := range a {
		if sa.node == host && ways[selector] {
			return true
		}
	}
	return false
}
