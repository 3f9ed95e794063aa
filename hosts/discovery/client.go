package discovery

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Place is a computer on the inside, from which the client asks. What it receives for
// the client (Client.Wants) it keeps for it.
type Place interface {
	Addr() netip.Addr         // its IPv4 address, as it knows it
	Send(packet []byte) error // an IPv4 datagram or fragment
	Receive() (packet []byte, ok bool)
}

// Clock is the time of a client.
type Clock interface {
	Now() time.Duration
	// Wait returns when a place has received something, or at a time. An error ends the discovery.
	Wait(until time.Duration) error
}

// Config describes a discovery.
type Config struct {
	Places  []Place // one, or two: what one inside host does to another is seen only with two
	Servers [2]netip.Addr
	Clock   Clock
	Rand    io.Reader     // of transaction IDs and of the ports from which the client asks
	Tests   []string      // which of TestNames are made; nil: all
	Publish []uint16      // ports at the outside addresses that are asked from outside
	Longest time.Duration // that it waits for something to run out; 0: DefaultLongest
	Found   func(Finding) // is told of each finding; nil: nobody is
}

// DefaultLongest is above what connections of TCP have on the boxes that are known.
const DefaultLongest = 10 * 24 * time.Hour

// Client asks.
type Client struct {
	config  Config
	base    uint16
	used    map[uint16]bool // ports, and identifiers of ICMP, of the client's
	next    int             // of the ports to be used
	ids     uint16
	inbox   []incoming
	pieces  []assembly // of each place
	err     error
	report  Report
	reached bool          // a server has answered over UDP
	zero    bool          // checksums of UDP are left out, since the box breaks them
	rtt     time.Duration // to the servers and back

	faults, faultDetails []string // of the box
}

// incoming is a packet that has arrived at a place.
type incoming struct {
	packet
	place int
	at    time.Duration
}

const maxInbox = 1024

// NewClient makes a client.
func NewClient(c Config) (*Client, error) {
	switch {
	case len(c.Places) < 1 || len(c.Places) > 2:
		return nil, fmt.Errorf("discovery: client: it is on %d computers, want 1 or 2", len(c.Places))
	case !c.Servers[0].Is4() || !c.Servers[1].Is4() || c.Servers[0] == c.Servers[1]:
		return nil, fmt.Errorf("discovery: client: want two servers with IPv4 addresses of their own, got %v and %v", c.Servers[0], c.Servers[1])
	case c.Clock == nil || c.Rand == nil:
		return nil, fmt.Errorf("discovery: client: it needs a clock and randomness")
	}
	for _, name := range c.Tests {
		if !slices.Contains(TestNames(), name) {
			return nil, fmt.Errorf("discovery: client: there is no test %q", name)
		}
	}
	if c.Longest == 0 {
		c.Longest = DefaultLongest
	}
	client := &Client{config: c, used: map[uint16]bool{}, pieces: make([]assembly, len(c.Places)), rtt: 100 * time.Millisecond}
	// RFC 5780, Section 4.1: ports that have not been used, and that nobody chose for this computer.
	client.base = 32768 + 2*(client.random16()%4096)
	return client, nil
}

func (c *Client) random16() uint16 {
	var b [2]byte
	c.read(b[:])
	return binary.BigEndian.Uint16(b[:])
}

func (c *Client) random32() uint32 {
	var b [4]byte
	c.read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

func (c *Client) read(b []byte) {
	if _, err := io.ReadFull(c.config.Rand, b); err != nil && c.err == nil {
		c.err = fmt.Errorf("discovery: client: randomness: %w", err)
	}
}

// port is one that has not been used, even and with an odd one behind it that has not either.
func (c *Client) port() uint16 {
	for {
		p := c.base + uint16(c.next*14)
		if p < c.base || p >= 65500 {
			p = 1200 + uint16(c.next*14)%30000&^1
		}
		c.next++
		if !c.used[p] && !c.used[p+1] {
			c.use(p)
			return p
		}
	}
}

func (c *Client) use(p uint16) { c.used[p] = true }

// Wants reports whether a packet that reached a place is for the client rather than for
// the computer itself: what comes from a server, or for one of its ports.
func (c *Client) Wants(b []byte) bool {
	p, offset, _, ok := parse(b)
	switch {
	case !ok:
		return false
	case slices.Contains(c.config.Servers[:], p.src):
		return true
	case offset != 0:
		return false
	}
	switch p.proto {
	case protoUDP, protoTCP:
		_, dst := p.ports()
		return c.used[dst]
	case protoICMP:
		m, ok := p.icmp()
		if !ok {
			return false
		}
		if q, isError := quoted(m); isError {
			src, _ := q.ports()
			return c.used[src] || slices.Contains(c.config.Servers[:], q.dst)
		}
		return c.used[m.Ident()]
	}
	return false
}

// quoted is the packet that an ICMP error is about.
func quoted(m header.ICMPv4) (packet, bool) {
	switch m.Type() {
	case header.ICMPv4DstUnreachable, header.ICMPv4TimeExceeded, header.ICMPv4ParamProblem, header.ICMPv4SrcQuench:
		p, _, _, ok := parseStart(m[header.ICMPv4MinimumSize:])
		return p, ok
	}
	return packet{}, false
}

func (c *Client) now() time.Duration { return c.config.Clock.Now() }

// sleep waits, whatever arrives.
func (c *Client) sleep(d time.Duration) {
	for until := c.now() + d; c.now() < until && c.err == nil; {
		c.wait(until)
	}
}

func (c *Client) wait(until time.Duration) {
	if err := c.config.Clock.Wait(until); err != nil && c.err == nil {
		c.err = err
	}
	for i, place := range c.config.Places {
		for b, ok := place.Receive(); ok; b, ok = place.Receive() {
			if p, whole := c.pieces[i].add(b); whole {
				if len(c.inbox) == maxInbox {
					c.inbox = slices.Delete(c.inbox, 0, 1)
				}
				c.inbox = append(c.inbox, incoming{p, i, c.now()})
			}
		}
	}
}

// receive waits for a packet and takes it out of those that have arrived.
func (c *Client) receive(until time.Duration, want func(incoming) bool) (incoming, bool) {
	for c.err == nil {
		if i := slices.IndexFunc(c.inbox, want); i >= 0 {
			in := c.inbox[i]
			c.inbox = slices.Delete(c.inbox, i, i+1)
			return in, true
		}
		if c.now() >= until {
			break
		}
		c.wait(until)
	}
	return incoming{}, false
}

// forget drops what has arrived.
func (c *Client) forget() {
	c.wait(c.now())
	c.inbox = c.inbox[:0]
}

// send puts a payload into a datagram from a place, in fragments if it must be.
func (c *Client) send(place int, to netip.Addr, proto uint8, payload []byte) {
	from := c.config.Places[place].Addr()
	c.ids++
	if len(payload)+header.IPv4MinimumSize <= mtu {
		c.put(place, ipv4(from, to, proto, c.ids, payload))
		return
	}
	for _, b := range fragmented(from, to, proto, c.ids, payload) {
		c.put(place, b)
	}
}

func (c *Client) put(place int, b []byte) {
	if err := c.config.Places[place].Send(b); err != nil && c.err == nil {
		c.err = fmt.Errorf("discovery: client: sending from %s: %w", c.config.Places[place].Addr(), err)
	}
}

// second is the place of an inside host that is another than the first, if there is one.
func (c *Client) second() int { return len(c.config.Places) - 1 }

// two reports whether there is a second inside host.
func (c *Client) two() bool { return len(c.config.Places) == 2 }
