package observe

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Bounds of what an inspector keeps of ESP. RFC 5879, Section 4 leaves it to local policy what
// becomes of packets while it is unsure: they go on, and wait here to be read.
const (
	maxESPFlows = 4096
	maxHeld     = 16      // packets of a flow
	maxHeldAll  = 4 << 20 // bytes of all flows
)

// espWatch is a flow of ESP and what waits of it.
type espWatch struct {
	espFlow
	held   []heldPacket
	unsure Count // that came while it was not decided, held or not
}

type heldPacket struct {
	src, dst netip.Addr
	class    uint8
	seen     Count
	esp      []byte
}

// formOn is how ESP and IKE share a UDP port: port 4500, and port 500 with the drafts 00 and
// 01. RFC 5879, Section 7 asks for either port, since a NAT may have changed the other one.
func formOn(f *ipsec.Flow) natt.Form {
	switch {
	case f.SrcPort == natt.Port || f.DstPort == natt.Port:
		return natt.NonESP
	case f.SrcPort == 500 || f.DstPort == 500:
		return natt.NonIKE
	}
	return natt.Plain
}

// readESP reads a packet of ESP, from its SPI on, if it can. RFC 5879, Appendix A.1.
func (n *Inspector) readESP(now time.Duration, p *packet, key espKey, esp []byte, under string, depth int) reading {
	if !n.c.ESPNull || len(esp) < espHeader {
		return opaque
	}
	key.spi = spiOf(esp)
	w, gone := n.esp.get(key)
	if gone != nil {
		n.letGo(gone)
	}
	if w.state != espNull && w.state != espEncrypted {
		w.learn(p.src, p.dst, esp, cmp.Or(n.c.CheckBits, DefaultCheckBits))
		switch w.state {
		case espUnsure:
			w.unsure = w.unsure.plus(p.seen)
			if len(w.held) < maxHeld && n.held+len(esp) <= maxHeldAll {
				n.held += len(esp)
				w.held = append(w.held, heldPacket{p.src, p.dst, p.class, p.seen, slices.Clone(esp)})
			}
			return unsure
		case espNull:
			n.notes.NullFlows++
		case espEncrypted:
			n.notes.SecretFlows++
		}
		n.recordESP(key, w)
		held := w.held
		for _, h := range held {
			if w.state == espNull {
				q := packet{src: h.src, dst: h.dst, class: h.class, seen: h.seen}
				switch n.within(now, w, &q, h.esp, under, depth) {
				case read:
					w.unsure, n.notes.Unsure = w.unsure.sub(h.seen), n.notes.Unsure.sub(h.seen)
					n.notes.Read = n.notes.Read.plus(h.seen)
				case unsure: // of another flow inside, which counts it now
					w.unsure = w.unsure.sub(h.seen)
				}
			}
		}
		n.letGo(w)
	}
	if w.state == espEncrypted {
		return opaque
	}
	return n.within(now, w, p, esp, under, depth)
}

// letGo ends the waiting of what was not read: it will not be.
func (n *Inspector) letGo(w *espWatch) {
	for _, h := range w.held {
		n.held -= len(h.esp)
	}
	n.notes.Unsure = n.notes.Unsure.sub(w.unsure)
	n.notes.Opaque = n.notes.Opaque.plus(w.unsure)
	w.held, w.unsure = nil, Count{}
}

// within reads what is inside ESP without encryption.
func (n *Inspector) within(now time.Duration, w *espWatch, p *packet, esp []byte, under string, depth int) reading {
	next, body, ok := w.open(now, p.src, p.dst, esp)
	if !ok {
		return opaque
	}
	inner := p.within(next, body)
	return n.inspect(now, &inner, join(under, "esp-null"), depth+1)
}

func (n *Inspector) recordESP(k espKey, w *espWatch) {
	if n.c.Record == nil {
		return
	}
	f := ipsec.Flow{Src: k.src, Dst: k.dst, Proto: ipsec.ProtoESP}
	flow := f.String()
	if k.srcPort|k.dstPort != 0 {
		flow = fmt.Sprintf("esp in udp %s > %s", netip.AddrPortFrom(k.src, k.srcPort), netip.AddrPortFrom(k.dst, k.dstPort))
	}
	e := trace.ObserverESP{Observer: n.c.Name, Flow: flow, SPI: k.spi, Verdict: "encrypted", Packets: w.seen}
	if w.state == espNull {
		e.Verdict, e.ICV, e.IV = "null", w.icv, w.ivLen
	}
	n.c.Record(e)
}
