package discovery

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// tcpLifetime is how long connections last without a segment: RFC 5382, REQ-5.
func (c *Client) tcpLifetime() {
	keys := []string{"tcp-established-timeout", "tcp-opening-timeout", "tcp-closing-timeout"}
	if _, _, ok := c.tcpPort(0).seenAt(c.server(0, Primary)); !ok {
		for _, key := range keys {
			c.unknown(key, noTCP)
		}
		return
	}
	c.timed(keys[0], func(silence time.Duration) bool {
		k, _, ok := c.tcpPort(0).seenAt(c.server(0, Primary))
		if !ok {
			return false
		}
		_, ok = k.ask(c.now()+silence+patience, after(silence))
		return ok
	}, "between a request and its answer")
	c.timed(keys[1], func(silence time.Duration) bool {
		t := c.tcpPort(0)
		out, seq, ok := t.knock(c.server(0, Silent))
		if !ok {
			return false
		}
		c.sleep(silence)
		return t.arrives(0, Silent, out, segment{seq: 1, ack: seq + 1, flags: header.TCPFlagSyn | header.TCPFlagAck})
	}, "after a SYN without an answer")
	c.timed(keys[2], func(silence time.Duration) bool {
		k, mapped, ok := c.tcpPort(0).seenAt(c.server(0, Primary))
		if !ok {
			return false
		}
		k.send(segment{flags: header.TCPFlagFin})
		h, ok := k.receive(k.to, c.now()+patience, func(h header.TCP) bool { return flagged(h, header.TCPFlagFin) })
		if !ok {
			return false
		}
		k.seq, k.ack = k.seq+1, h.SequenceNumber()+1
		k.send(segment{})
		c.sleep(silence)
		return k.arrives(0, Primary, mapped, segment{seq: k.ack, ack: k.seq, flags: header.TCPFlagAck})
	}, "after FIN both ways")
}
