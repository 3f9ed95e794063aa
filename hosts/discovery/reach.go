package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/stun"
)

// reach is what gets to the inside without having been sent to.
func (c *Client) reach() {
	c.stranger()
	c.published()
}

// stranger has the second server send a datagram to a port of the outside address that no
// mapping has. An outside address that leads to one inside host whatever the port, as that of
// basic NAT does (RFC 2663, Section 4.1.1), lets it in. Other boxes may say by ICMP that
// they have no use for it (RFC 5508, REQ-9).
func (c *Client) stranger() {
	const silent = "silent"
	outside, ok := c.outside(0)
	if !ok {
		c.unknown(KeyOneToOne, unreachable)
		c.unknown(silent, unreachable)
		return
	}
	s := c.udp(0)
	from, to := c.server(1, Primary), netip.AddrPortFrom(outside, s.port)
	m := c.transaction()
	_, ok = c.receiveAfter(func() {
		c.inject(1, outside, protoUDP, udpSegment(from, to, m.Append(nil)))
	}, func(in incoming) bool {
		payload, _, ok := in.udp()
		got, err := stun.Parse(payload)
		return ok && err == nil && got.ID == m.ID && got.Class == stun.Request && in.to() == s.local()
	})
	c.saw(KeyOneToOne, yesNo(ok), "a datagram from %v to port %d of %v, from which nothing was sent, arrives: %v", from, s.port, outside, ok)
	if ok {
		c.unknown(silent, "what nobody has asked for reaches the inside")
		return
	}
	told := slices.ContainsFunc(c.recall(1, outside), func(s sighting) bool {
		p, _, _, _ := parseStart(s.bytes)
		icmp, isICMP := p.icmp()
		if !isICMP {
			return false
		}
		q, isError := quoted(icmp)
		return isError && q.proto == protoUDP && q.from() == from && q.to() == to
	})
	c.saw(silent, yesNo(!told), "%v is told that a datagram of its had no use: %v", from, told)
}

// published asks TCP ports of the outside address from outside.
func (c *Client) published() {
	if len(c.config.Publish) == 0 {
		c.unknown(KeyPublished, "no ports were named")
		return
	}
	outside, ok := c.outside(0)
	if !ok {
		c.unknown(KeyPublished, unreachable)
		return
	}
	src := c.server(1, Silent)
	var open []string
	for _, port := range c.config.Publish {
		to := netip.AddrPortFrom(outside, port)
		syn := segment{seq: c.random32(), flags: header.TCPFlagSyn}
		c.inject(1, outside, protoTCP, tcpSegment(src, to, syn))
		c.sleep(time.Second)
		for _, s := range c.recall(1, outside) {
			p, _, _, _ := parseStart(s.bytes)
			h, isTCP := p.tcp()
			if isTCP && p.from() == to && flagged(h, header.TCPFlagSyn|header.TCPFlagAck) && h.AckNumber() == syn.seq+1 {
				open = append(open, fmt.Sprintf("tcp %d", port))
				c.inject(1, outside, protoTCP, tcpSegment(src, to, segment{seq: syn.seq + 1, flags: header.TCPFlagRst}))
				break
			}
		}
	}
	if open == nil {
		open = []string{"none"}
	}
	c.saw(KeyPublished, strings.Join(open, ", "), "of TCP ports %v of %v", c.config.Publish, outside)
}
