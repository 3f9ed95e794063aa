package discovery

import (
	"slices"
	"strings"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
)

// keyFaults is the setting that holds the mistakes of a box, all in one.
const keyFaults = "faults"

// Its words.
const (
	faultUDP   = "no-udp-checksum"
	faultTCP   = "no-tcp-checksum"
	faultCarry = "lost-carry"
	faultZero  = "zero-filled"
	faultQuote = "stale-quote"
)

// fault notes a mistake of the box.
func (c *Client) fault(word, detail string) {
	if !slices.Contains(c.faults, word) {
		c.faults = append(c.faults, word)
		c.faultDetails = append(c.faultDetails, detail)
	}
	slices.Sort(c.faults)
	c.tellFaults()
}

func (c *Client) tellFaults() {
	if len(c.faults) == 0 {
		c.saw(keyFaults, "none", "checksums are right")
		return
	}
	c.saw(keyFaults, strings.Join(c.faults, ", "), "%s", strings.Join(c.faultDetails, "; "))
}

// checksums sends datagrams whose checksums are easily got wrong: none at all, and, of
// many contents, those at which a carry runs over when an address is put in the place of another.
func (c *Client) checksums() {
	switch {
	case !c.reached:
		c.unknown(keyFaults, unreachable)
		return
	case c.zero:
		c.fault(faultUDP, "datagrams with a checksum do not arrive, those without do")
	default:
		if !c.unsummed() {
			c.fault(faultZero, "datagrams without a checksum do not arrive")
		}
		if lost := c.carries(); lost > 0 {
			c.fault(faultCarry, "of 256 contents of a datagram some never arrive or come back with a wrong checksum")
		}
	}
	t := c.tcpPort(0)
	if _, ok := t.connect(c.server(0, Primary)); !ok {
		s := tcpSegment(t.at(), c.server(0, Silent), segment{seq: c.random32(), flags: header.TCPFlagSyn})
		c.send(0, c.config.Servers[0], protoTCP, s)
		if p, ok := c.sighted(c.config.Servers[0], header.TCP(s).SequenceNumber()); ok && p.from() != t.at() && header.TCP(p.payload).Checksum() == header.TCP(s).Checksum() {
			c.fault(faultTCP, "a segment arrives with its ports or addresses altered and its checksum as it was")
		}
	}
	c.tellFaults()
}

// unsummed reports whether a datagram without a checksum is answered.
func (c *Client) unsummed() bool {
	s := c.udp(0)
	m := c.transaction()
	b := udpSegment(s.local(), c.server(0, Primary), m.Append(nil))
	header.UDP(b).SetChecksum(0)
	for range tries {
		c.send(0, c.config.Servers[0], protoUDP, b)
		if _, ok := s.answer(m, c.now()+firstRTO); ok {
			return true
		}
	}
	return false
}

// carries counts the contents, of a few hundred, that do not get through as they are.
func (c *Client) carries() (lost int) {
	const contents = 256
	s := c.udp(0)
	for i := range contents {
		m := c.transaction(func(m *stun.Message) { m.Add(filler, []byte{byte(i), byte(i)}) })
		ok := false
		for range tries {
			s.send(c.server(0, Primary), m.Append(nil))
			if r, answered := s.answer(m, c.now()+firstRTO); answered {
				ok = r.sum
				break
			}
		}
		if !ok {
			lost++
		}
		if lost > 2 {
			break
		}
	}
	return lost
}
