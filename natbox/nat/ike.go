package nat

import (
	"encoding/binary"
	"slices"
	"time"
)

// cookie is a negotiation of IKE that an inside host began, by the initiator's cookie: RFC
// 2408, Section 3.1. Its source port stays as it is, so that many hosts have the same outside endpoint.
type cookie struct {
	expires                  time.Duration
	made                     time.Duration
	value                    uint64
	inAddr, outAddr, remAddr uint32
	port                     uint16 // of the inside host and of the box
	remPort                  uint16
	host                     uint32
	time                     links
}

func (c *cookie) key() key { return cookieKey(c.value, c.remAddr) }

// cookieKey has the value in place of the addresses, and the remote address in place of the ports.
func cookieKey(v uint64, rem uint32) key {
	return key{uint32(v >> 32), uint32(v), uint16(rem >> 16), uint16(rem), udp}
}

// keepsPort says whether the box leaves a source port alone because of IKE.
func (c *settings) keepsPort(f flow) bool {
	return (c.IKE == IKEKeepPort || c.IKE == IKEOneHost) && f.proto == udp && slices.Contains(c.IKEPorts, f.inPort)
}

// cookieOf is the initiator's cookie of a message in UDP, b.
func (c *settings) cookieOf(b []byte, port uint16) (uint64, bool) {
	if c.IKE != IKECookies || len(b) < 16 || !slices.Contains(c.IKEPorts, port) {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[8:]), true
}

// outboundCookie translates IKE from the inside. false: it is not the box's affair.
func (t *Table) outboundCookie(p ipv4, f flow) (reason, bool) {
	v, ok := t.cfg.cookieOf(p.payload(), f.inPort)
	if _, server := t.forwardOf(f); !ok || server || t.isFiltered(f.inAddr) {
		return none, false
	}
	k := cookieKey(v, f.remAddr)
	h := k.hash(&t.seed)
	i := t.cookieIndex.find(h, k)
	if i != 0 && t.cookies.at(i).inAddr != f.inAddr {
		t.endCookie(i, Replaced, t.now)
		i = 0
	}
	if i == 0 {
		if t.cookies.live() >= t.cfg.Limits.Mappings {
			if t.cfg.Limits.Eviction == EvictNone {
				return tableFull, true
			}
			t.endCookie(t.cookieTimes.head, Evicted, t.now)
		}
		hi, host := t.hostOf(f.inAddr)
		host.others++
		out := t.pools[t.poolFor(host)].addr
		var c *cookie
		i, c = t.cookies.take()
		*c = cookie{host: hi, value: v, inAddr: f.inAddr, outAddr: out, remAddr: f.remAddr, port: f.inPort, remPort: f.remPort, made: t.now}
		t.cookieIndex.add(h, i)
		t.cookieTimes.push(t.links.cookieTime, i)
		t.counters.Made++
		t.tellCookie(Made, c, t.now)
	}
	c := t.cookies.at(i)
	t.keepCookie(i, c)
	t.rewrite(p, c.outAddr, c.port, f.remAddr, f.remPort)
	return none, true
}

// inboundCookie translates IKE from the outside. false: no inside host has sent its cookie.
func (t *Table) inboundCookie(p ipv4, f flow) bool {
	v, ok := t.cfg.cookieOf(p.payload(), f.inPort)
	if !ok {
		return false
	}
	k := cookieKey(v, f.remAddr)
	i := t.cookieIndex.find(k.hash(&t.seed), k)
	if i == 0 || t.cookies.at(i).outAddr != f.inAddr {
		return false
	}
	c := t.cookies.at(i)
	if c.inAddr == t.sender { // it is for a server that is published, and not an answer of one
		return false
	}
	if t.cfg.Refresh != RefreshOutbound {
		t.keepCookie(i, c)
	}
	t.rewrite(p, f.remAddr, f.remPort, c.inAddr, c.port)
	return true
}

func (t *Table) keepCookie(i uint32, c *cookie) {
	t.cookieTimes.last(t.links.cookieTime, i)
	c.expires = t.now + t.cfg.timeout[udpReplied]
	t.until(c.expires)
}

func (t *Table) endCookie(i uint32, why Kind, at time.Duration) {
	c := t.cookies.at(i)
	t.tellCookie(why, c, at)
	t.cookieIndex.remove(c.key().hash(&t.seed), i)
	t.cookieTimes.remove(t.links.cookieTime, i)
	host := t.hosts.at(c.host)
	host.others--
	t.leave(c.host, host)
	t.cookies.give(i)
	t.counters.ended(why)
}

// cookieIn is what a quoted message of IKE was before it left. A quote of eight octets has no cookie, and is lost.
func (t *Table) cookieIn(q quote, to *endpoints) bool {
	sp, dp := quotedPorts(q)
	v, ok := t.cfg.cookieOf(q.payload(), sp)
	if !ok {
		return false
	}
	k := cookieKey(v, q.dst())
	i := t.cookieIndex.find(k.hash(&t.seed), k)
	if i == 0 || t.cookies.at(i).outAddr != q.src() {
		return false
	}
	*to = endpoints{t.cookies.at(i).inAddr, q.dst(), true, sp, dp}
	return true
}

// cookieOut is what one was before it came in.
func (t *Table) cookieOut(q quote, to *endpoints) bool {
	sp, dp := quotedPorts(q)
	v, ok := t.cfg.cookieOf(q.payload(), dp)
	if !ok {
		return false
	}
	k := cookieKey(v, q.src())
	i := t.cookieIndex.find(k.hash(&t.seed), k)
	if i == 0 || t.cookies.at(i).inAddr != q.dst() {
		return false
	}
	*to = endpoints{q.src(), t.cookies.at(i).outAddr, true, sp, dp}
	return true
}
