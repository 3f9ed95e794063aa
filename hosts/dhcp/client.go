package dhcp

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// ClientConfig describes a client.
type ClientConfig struct {
	MAC  MAC
	Rand io.Reader // of transaction IDs and of the spread of repeats

	// Broadcast sets the broadcast flag: the client says that it cannot receive what is
	// sent to an address that it does not have yet (RFC 2131, Section 4.1).
	Broadcast bool
}

// Event is something for the driver to do: one of the following types.
type Event interface{ event() }

// EventSend is a message to send from port 68 to port 67.
type EventSend struct {
	Source, Destination netip.Addr // 0.0.0.0 while there is no lease; 255.255.255.255 or the server
	Payload             []byte
	What                string // DISCOVER, REQUEST, RELEASE, and in which state
}

// EventBound says that there is a lease, a new one or the same for longer.
type EventBound struct{ Lease Lease }

// EventLost says that the address is to be given up: when the RELEASE has left, or else
// at once.
type EventLost struct {
	Reason   string
	Released bool
}

func (EventSend) event()  {}
func (EventBound) event() {}
func (EventLost) event()  {}

// state is one of RFC 2131, Section 4.4, figure 5.
type state uint8

const (
	stopped state = iota
	selecting
	requesting
	bound
	renewing
	rebinding
)

func (s state) String() string {
	return [...]string{"stopped", "selecting", "requesting", "bound", "renewing", "rebinding"}[s]
}

// Client is the client on one interface.
type Client struct {
	cfg    ClientConfig
	state  state
	xid    dhcpv4.TransactionID
	began  time.Time // the attempt in which it is
	sends  int       // of the message that waits for an answer
	asked  time.Time // when the latest REQUEST of this kind was sent first
	offer  Lease
	lease  Lease
	since  time.Time  // of the lease
	last   netip.Addr // that it had
	due    time.Time  // zero: nothing is due
	events []Event
}

// NewClient makes a client that does nothing yet.
func NewClient(c ClientConfig) *Client { return &Client{cfg: c} }

// Start looks for a lease.
func (c *Client) Start(now time.Time) {
	if c.state == stopped {
		c.init(now)
	}
}

// Renew asks for more time now, as at T1; without a lease it begins to look for one.
func (c *Client) Renew(now time.Time) {
	switch c.state {
	case stopped:
		c.init(now)
	case bound:
		c.enter(now, renewing)
	}
}

// Release gives the lease back (RFC 2131, Section 4.4.6) and stops.
func (c *Client) Release(now time.Time) {
	if c.leased() {
		c.newXID()
		m := message(dhcpv4.OpcodeBootRequest, c.xid, c.cfg.MAC, dhcpv4.MessageTypeRelease)
		m.ClientIPAddr = c.lease.Address.Addr().AsSlice()
		setAddrs(m, dhcpv4.OptionServerIdentifier, c.lease.Server)
		c.send(m, c.lease.Address.Addr(), c.lease.Server, "RELEASE")
		c.lose(released)
	}
	c.state, c.due = stopped, time.Time{}
}

// Lease is the present one; false when there is none.
func (c *Client) Lease() (Lease, bool) { return c.lease, c.leased() }

func (c *Client) leased() bool { return c.state >= bound }

// NextEvent takes the oldest event that has not been taken.
func (c *Client) NextEvent() (Event, bool) {
	if len(c.events) == 0 {
		return nil, false
	}
	e := c.events[0]
	c.events = c.events[1:]
	return e, true
}

// NextDeadline is when Advance is to be called.
func (c *Client) NextDeadline() (time.Time, bool) { return c.due, !c.due.IsZero() }

// Advance does what has come due by now.
func (c *Client) Advance(now time.Time) {
	if c.due.IsZero() || now.Before(c.due) {
		return
	}
	switch c.state {
	case selecting:
		c.discover(now)
	case requesting:
		const tries = 4 // RFC 2131, Section 3.1, 5.: four times, within a minute
		if c.sends >= tries {
			c.init(now)
			return
		}
		c.request(now)
	case bound:
		c.enter(now, renewing)
	case renewing, rebinding:
		switch age := now.Sub(c.since); {
		case c.lease.Endless:
			c.request(now)
		case age >= c.lease.Expires:
			c.lose("the lease has expired")
			c.init(now)
		case age >= c.lease.Rebind && c.state == renewing:
			c.enter(now, rebinding)
		default:
			c.request(now)
		}
	}
}

// init begins anew. RFC 2131, Section 4.4.1.
func (c *Client) init(now time.Time) {
	c.newXID()
	c.state, c.began, c.sends = selecting, now, 0
	c.discover(now)
}

func (c *Client) newXID() {
	if _, err := io.ReadFull(c.cfg.Rand, c.xid[:]); err != nil {
		panic("dhcp: the source of randomness failed: " + err.Error()) // it cannot: see ClientConfig
	}
}

func (c *Client) discover(now time.Time) {
	m := c.message(now, dhcpv4.MessageTypeDiscover)
	if c.last.IsValid() { // the server may give it again: RFC 2131, Section 3.5
		setAddrs(m, dhcpv4.OptionRequestedIPAddress, c.last)
	}
	c.send(m, nobody, everybody, "DISCOVER")
	c.repeat(now)
}

// enter goes to a state in which a REQUEST is repeated.
func (c *Client) enter(now time.Time, s state) {
	c.state, c.sends = s, 0
	if s != requesting { // there the exchange goes on under the ID of the DISCOVER
		c.newXID()
		c.began = now
	}
	c.asked = now
	c.request(now)
}

// request sends the REQUEST of the state, as in the table of RFC 2131, Section 4.3.6.
func (c *Client) request(now time.Time) {
	m := c.message(now, dhcpv4.MessageTypeRequest)
	what := "REQUEST (" + c.state.String() + ")"
	switch c.state {
	case requesting:
		setAddrs(m, dhcpv4.OptionRequestedIPAddress, c.offer.Address.Addr())
		setAddrs(m, dhcpv4.OptionServerIdentifier, c.offer.Server)
		c.send(m, nobody, everybody, what)
		c.repeat(now)
		return
	case renewing:
		m.ClientIPAddr = c.lease.Address.Addr().AsSlice()
		c.send(m, c.lease.Address.Addr(), c.lease.Server, what)
	case rebinding:
		m.ClientIPAddr = c.lease.Address.Addr().AsSlice()
		c.send(m, c.lease.Address.Addr(), everybody, what)
	}
	c.sends++
	// RFC 2131, Section 4.4.5: half of what is left to the next stage, but a minute at least.
	if c.due = now.Add(time.Minute); c.lease.Endless {
		return
	}
	stage := c.since.Add(c.lease.Rebind)
	if c.state == rebinding {
		stage = c.since.Add(c.lease.Expires)
	}
	c.due = now.Add(max(stage.Sub(now)/2, time.Minute))
	if stage.Before(c.due) {
		c.due = stage
	}
}

// repeat sets when a message without a lease is sent again: after 4, 8, 16, 32 and 64
// seconds, a second more or less (RFC 2131, Section 4.1).
func (c *Client) repeat(now time.Time) {
	var b [4]byte
	if _, err := io.ReadFull(c.cfg.Rand, b[:]); err != nil {
		panic("dhcp: the source of randomness failed: " + err.Error())
	}
	const spread = 2 * time.Second
	jitter := time.Duration(uint32(b[0])<<16|uint32(b[1])<<8|uint32(b[2]))*spread>>24 - spread/2
	c.due = now.Add(4*time.Second<<min(c.sends, 4) + jitter)
	c.sends++
}

// message is one from this client, with what all have in common.
func (c *Client) message(now time.Time, t dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	m := message(dhcpv4.OpcodeBootRequest, c.xid, c.cfg.MAC, t)
	m.NumSeconds = uint16(min(now.Sub(c.began)/time.Second, 0xffff))
	if c.cfg.Broadcast {
		m.SetBroadcast()
	}
	m.UpdateOption(dhcpv4.OptParameterRequestList(
		dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionNetBIOSOverTCPIPNameServer,
	))
	return m
}

func (c *Client) send(m *dhcpv4.DHCPv4, src, dst netip.Addr, what string) {
	c.events = append(c.events, EventSend{Source: src, Destination: dst, Payload: m.ToBytes(), What: what})
}

// released is the reason of a lease that the client gave back.
const released = "released"

func (c *Client) lose(reason string) {
	c.last = c.lease.Address.Addr()
	c.lease = Lease{}
	c.events = append(c.events, EventLost{Reason: reason, Released: reason == released})
}

// Receive takes a message that came to port 68. The error says why it was ignored.
func (c *Client) Receive(now time.Time, payload []byte) error {
	m, err := parse(payload, dhcpv4.OpcodeBootReply)
	switch {
	case err != nil:
		return err
	case MAC(m.ClientHWAddr) != c.cfg.MAC || m.TransactionID != c.xid:
		return fmt.Errorf("dhcp: it is for another client, or about another exchange")
	}
	t := m.MessageType()
	switch {
	case t == dhcpv4.MessageTypeOffer && c.state == selecting:
		l, err := leaseOf(m)
		if err != nil {
			return err
		}
		c.offer = l // the first one: RFC 2131, Section 4.4.1 leaves the choice to the client
		c.enter(now, requesting)
	case t == dhcpv4.MessageTypeAck && (c.state == requesting || c.state == renewing || c.state == rebinding):
		l, err := leaseOf(m)
		if err != nil {
			return err
		}
		if c.state == requesting && l.Server != c.offer.Server {
			return fmt.Errorf("dhcp: %s acknowledges what %s has offered", l.Server, c.offer.Server)
		}
		c.bind(now, l)
	case t == dhcpv4.MessageTypeNak && (c.state == requesting || c.state == renewing || c.state == rebinding):
		if c.leased() {
			c.lose("the server refuses the address")
			c.last = netip.Addr{}
		}
		c.init(now)
	default:
		return fmt.Errorf("dhcp: a %s is of no use when %s", t, c.state)
	}
	return nil
}

// bind begins a lease, which counts from when it was asked for.
func (c *Client) bind(now time.Time, l Lease) {
	c.state, c.lease, c.since, c.due = bound, l, c.asked, time.Time{}
	if !l.Endless {
		c.due = c.since.Add(l.Renew)
	}
	c.events = append(c.events, EventBound{l})
}
