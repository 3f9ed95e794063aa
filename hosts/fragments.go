package hosts

import (
	"bytes"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// fragmentGate applies clear-text policy to fragments, which netstack's input
// hook sees before reassembly. The first fragment carries the ports and is
// judged as the datagram; the others follow its verdict, and those that overtake
// it wait for it: the stateful fragment checking of RFC 4301, Section 7.4.
type fragmentGate struct {
	byKey map[noteKey]*gateEntry
	order []noteKey // oldest first
}

type gateEntry struct {
	seen    time.Duration
	decided bool
	pass    bool
	waiting [][]byte
	bytes   int // that wait
}

const (
	gateTime    = 30 * time.Second // the reassembly time of netstack, too
	gateEntries = 256
	gateBytes   = 96 << 10 // of one datagram: more than the longest has in fragments of 68 bytes
)

// check reports whether a fragment may go on to reassembly now. Fragments of a
// protected datagram go on: the SPI decides, after reassembly.
func (g *fragmentGate) check(d *driver, n *nic, in datagram) bool {
	packet := in.bytes
	g.expire(d.host.world.Now())
	k := keyOf(packet)
	e := g.byKey[k]
	if e == nil {
		e = g.open(k, d.host.world.Now())
	}
	if in.first {
		e.decided, e.pass = true, in.protected() || !d.tiny(in) && d.admit(in)
		for _, p := range e.waiting {
			if e.pass {
				d.inject(n, p)
			}
		}
		e.waiting, e.bytes = nil, 0
		return e.pass
	}
	if e.decided {
		return e.pass
	}
	if e.bytes += len(packet); e.bytes > gateBytes {
		d.dropped("ipsec inbound", packet, "too many fragments before the first of their datagram")
		return false
	}
	e.waiting = append(e.waiting, bytes.Clone(packet))
	return false
}

// tiny reports a first fragment that ends within its TCP header, and so hides
// the flags from whoever looks at single fragments, as the log of connection
// requests does. Nobody sends one but to evade a filter: RFC 1858, Section 3 and
// RFC 7112, Section 5.
func (d *driver) tiny(in datagram) bool {
	if _, whole := in.tcp(); in.proto != ipsec.ProtoTCP || whole {
		return false
	}
	d.dropped("ipsec inbound", in.bytes, "a first fragment without a whole TCP header")
	return true
}

func (g *fragmentGate) open(k noteKey, now time.Duration) *gateEntry {
	if g.byKey == nil {
		g.byKey = map[noteKey]*gateEntry{}
	}
	if len(g.order) == gateEntries {
		delete(g.byKey, g.order[0])
		g.order = g.order[1:]
	}
	e := &gateEntry{seen: now}
	g.byKey[k] = e
	g.order = append(g.order, k)
	return e
}

func (g *fragmentGate) expire(now time.Duration) {
	for len(g.order) > 0 && now-g.byKey[g.order[0]].seen > gateTime {
		delete(g.byKey, g.order[0])
		g.order = g.order[1:]
	}
}
