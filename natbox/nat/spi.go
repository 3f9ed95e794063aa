package nat

import (
	"encoding/binary"
	"time"
)

// spi is an SA of an inside host with a peer, by the number of its outbound packets, and
// its counterpart in the other direction once that is known. See Portless.
type spi struct {
	expires                  time.Duration
	made                     time.Duration
	inAddr, outAddr, remAddr uint32
	out, in                  uint32
	host                     uint32
	peer                     uint32 // that it waits at; 0: in is known
	proto                    uint8
	time, ofPeer             links
}

// peer is a remote address whose inside hosts wait to know its numbers.
type peer struct {
	outAddr, remAddr uint32
	proto            uint8
	waiting          list
}

func (s *spi) outside() key { return spiKey(s.outAddr, s.remAddr, s.out, s.proto) }
func (s *spi) inside() key  { return spiKey(s.outAddr, s.remAddr, s.in, s.proto) }
func (p *peer) key() key    { return key{a: p.outAddr, b: p.remAddr, proto: p.proto} }

func spiKey(out, rem, n uint32, proto uint8) key {
	return key{out, rem, uint16(n >> 16), uint16(n), proto}
}

// numberOf is the SPI of a packet: RFC 4303, Section 2.1; RFC 4302, Section 2.4.
func numberOf(proto uint8, b []byte) (uint32, bool) {
	at := 0
	if proto == ah {
		at = 4
	}
	if len(b) < at+4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[at:]), true
}

// outboundSPI translates a packet from the inside, and learns its number.
func (t *Table) outboundSPI(p ipv4) reason {
	n, ok := numberOf(p.proto(), p.payload())
	if !ok {
		return malformed
	}
	hi, h := t.hostOf(p.src())
	out := t.pools[t.poolFor(h)].addr
	t.leave(hi, h)
	k := spiKey(out, p.dst(), n, p.proto())
	i := t.spiOut.find(k.hash(&t.seed), k)
	if i != 0 && t.spis.at(i).inAddr != p.src() {
		// The peer chose the number, so that this is another peer's mistake or the inside host's new address.
		t.endSPI(i, Replaced, t.now)
		i = 0
	}
	if i == 0 {
		var why reason
		if i, why = t.newSPI(p, out, n); why != none {
			return why
		}
	}
	s := t.spis.at(i)
	if s.peer == 0 {
		t.keepSPI(i, s)
	}
	t.rewriteAll(p, s.outAddr, s.remAddr)
	return none
}

// newSPI notes an SA, which waits for its counterpart.
func (t *Table) newSPI(p ipv4, out, n uint32) (uint32, reason) {
	at := peer{outAddr: out, remAddr: p.dst(), proto: p.proto()}
	k := at.key()
	h := k.hash(&t.seed)
	pi := t.peerIndex.find(h, k)
	if t.cfg.portless(p.proto()).Serial && pi != 0 {
		if first := t.peers.at(pi).waiting.head; t.spis.at(first).inAddr != p.src() {
			return 0, otherWaits
		}
	}
	if t.spis.live() >= t.cfg.Limits.Mappings {
		if t.cfg.Limits.Eviction == EvictNone {
			return 0, tableFull
		}
		if oldest := t.spiTimes.head; oldest != 0 {
			t.endSPI(oldest, Evicted, t.now)
		} else {
			t.endSPI(t.spiWaits.head, Evicted, t.now)
		}
		pi = t.peerIndex.find(h, k)
	}
	if pi == 0 {
		var r *peer
		pi, r = t.peers.take()
		*r = at
		t.peerIndex.add(h, pi)
	}
	hi, host := t.hostOf(p.src())
	host.others++
	host.pool = int32(t.poolOf[out])
	i, s := t.spis.take()
	*s = spi{host: hi, inAddr: p.src(), outAddr: out, remAddr: p.dst(), out: n, proto: p.proto(), peer: pi, made: t.now}
	s.expires = t.now + t.cfg.spiWait
	t.until(s.expires)
	t.spiOut.add(s.outside().hash(&t.seed), i)
	t.peers.at(pi).waiting.push(t.links.spiPeer, i)
	t.spiWaits.push(t.links.spiTime, i)
	t.counters.Made++
	t.tellSPI(Made, s, t.now)
	return i, none
}

// inboundSPI translates a packet from the outside. One with a number that nobody has is
// for whoever waits the longest.
func (t *Table) inboundSPI(p ipv4) reason {
	n, ok := numberOf(p.proto(), p.payload())
	if !ok {
		return malformed
	}
	k := spiKey(p.dst(), p.src(), n, p.proto())
	h := k.hash(&t.seed)
	i := t.spiIn.find(h, k)
	if i == 0 {
		at := key{a: p.dst(), b: p.src(), proto: p.proto()}
		pi := t.peerIndex.find(at.hash(&t.seed), at)
		if pi == 0 {
			return nobodyWaits
		}
		i = t.peers.at(pi).waiting.head
		s := t.spis.at(i)
		t.unwait(i, s)
		s.in = n
		t.spiIn.add(h, i)
		t.spiTimes.push(t.links.spiTime, i)
		t.tellSPI(Bound, s, t.now)
	}
	s := t.spis.at(i)
	t.keepSPI(i, s)
	t.rewriteAll(p, s.remAddr, s.inAddr)
	return none
}

func (t *Table) keepSPI(i uint32, s *spi) {
	t.spiTimes.last(t.links.spiTime, i)
	s.expires = t.now + t.cfg.timeout[ipsecFlow]
	t.until(s.expires)
}

// unwait takes an SA from those that wait.
func (t *Table) unwait(i uint32, s *spi) {
	p := t.peers.at(s.peer)
	p.waiting.remove(t.links.spiPeer, i)
	if p.waiting.n == 0 {
		t.peerIndex.remove(p.key().hash(&t.seed), s.peer)
		t.peers.give(s.peer)
	}
	s.peer = 0
	t.spiWaits.remove(t.links.spiTime, i)
}

func (t *Table) endSPI(i uint32, why Kind, at time.Duration) {
	s := t.spis.at(i)
	t.tellSPI(why, s, at)
	t.spiOut.remove(s.outside().hash(&t.seed), i)
	if s.peer != 0 {
		t.unwait(i, s)
	} else {
		t.spiIn.remove(s.inside().hash(&t.seed), i)
		t.spiTimes.remove(t.links.spiTime, i)
	}
	host := t.hosts.at(s.host)
	host.others--
	t.leave(s.host, host)
	t.spis.give(i)
	t.counters.ended(why)
}

// quotedSPI is what a quoted packet was before it left, or before it came in.
func (t *Table) quotedSPI(q quote, left bool) (to endpoints, ok bool) {
	n, ok := numberOf(q.proto(), q.payload())
	if !ok {
		return to, false
	}
	if left {
		k := spiKey(q.src(), q.dst(), n, q.proto())
		i := t.spiOut.find(k.hash(&t.seed), k)
		if i == 0 {
			return to, false
		}
		return endpoints{src: t.spis.at(i).inAddr, dst: q.dst()}, true
	}
	for _, o := range t.pools { // the quote does not say by which address it came
		k := spiKey(o.addr, q.src(), n, q.proto())
		if i := t.spiIn.find(k.hash(&t.seed), k); i != 0 && t.spis.at(i).inAddr == q.dst() {
			return endpoints{src: q.src(), dst: o.addr}, true
		}
	}
	return to, false
}
