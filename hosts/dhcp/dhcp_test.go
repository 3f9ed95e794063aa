package dhcp

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"
)

var epoch = time.Unix(0, 0).UTC()

func serverConfig() ServerConfig {
	return ServerConfig{
		Address: netip.MustParsePrefix("10.0.0.1/24"), First: netip.MustParseAddr("10.0.0.100"), Last: netip.MustParseAddr("10.0.0.102"),
		Lease: time.Hour, Router: netip.MustParseAddr("10.0.0.254"),
		DNS: []netip.Addr{netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("10.0.1.53")}, WINS: []netip.Addr{netip.MustParseAddr("10.0.0.42")},
	}
}

func newServer(t testing.TB) *Server {
	t.Helper()
	s, err := NewServer(serverConfig())
	require.NoError(t, err)
	return s
}

func newClient(last byte) *Client {
	return NewClient(ClientConfig{MAC: MAC{2, 0, 0, 0, 0, last}, Rand: rand.NewChaCha8([32]byte{last})})
}

// link carries the messages between a client and servers, and notes them.
type link struct {
	t       testing.TB
	now     time.Time
	client  *Client
	servers []*Server
	deaf    bool // the servers hear nothing
	log     []string
	lost    []string
	bound   []Lease
}

func (l *link) say(at time.Time, what string) {
	l.log = append(l.log, at.Sub(epoch).Truncate(time.Second).String()+" "+what)
}

// pump carries out all events.
func (l *link) pump() {
	for e, ok := l.client.NextEvent(); ok; e, ok = l.client.NextEvent() {
		switch e := e.(type) {
		case EventSend:
			l.say(l.now, e.What+" "+e.Source.String()+">"+e.Destination.String())
			for _, s := range l.servers {
				if l.deaf {
					continue
				}
				r, ok, err := s.Receive(l.now, e.Payload)
				require.NoError(l.t, err)
				if ok {
					l.say(l.now, r.What+" >"+r.To.String())
					l.client.Receive(l.now, r.Payload)
				}
			}
		case EventBound:
			l.bound = append(l.bound, e.Lease)
		case EventLost:
			l.lost = append(l.lost, e.Reason)
		}
	}
}

// until lets time pass.
func (l *link) until(at time.Duration) {
	for {
		due, ok := l.client.NextDeadline()
		if !ok || due.After(epoch.Add(at)) {
			break
		}
		require.False(l.t, due.Before(l.now), "time does not run back")
		l.now = due
		l.client.Advance(l.now)
		l.pump()
	}
	l.now = epoch.Add(at)
}

func newLink(t testing.TB, servers ...*Server) *link {
	l := &link{t: t, now: epoch, client: newClient(1), servers: servers}
	l.client.Start(epoch)
	l.pump()
	return l
}

// RFC 2131, Section 3.1 and 4.4.5: the exchange, renewal at half of the lease.
func TestLease(t *testing.T) {
	l := newLink(t, newServer(t))
	require.Equal(t, []string{
		"0s DISCOVER 0.0.0.0>255.255.255.255", "0s OFFER of 10.0.0.100 >10.0.0.100",
		"0s REQUEST (requesting) 0.0.0.0>255.255.255.255", "0s ACK of 10.0.0.100 >10.0.0.100",
	}, l.log)
	c := serverConfig()
	require.Equal(t, []Lease{{
		Address: netip.MustParsePrefix("10.0.0.100/24"), Server: c.Address.Addr(), Routers: []netip.Addr{c.Router}, DNS: c.DNS, WINS: c.WINS,
		Renew: 30 * time.Minute, Rebind: 52*time.Minute + 30*time.Second, Expires: time.Hour,
	}}, l.bound)
	l.log = nil
	l.until(61 * time.Minute)
	require.Equal(t, []string{
		"30m0s REQUEST (renewing) 10.0.0.100>10.0.0.1", "30m0s ACK of 10.0.0.100 >10.0.0.100",
		"1h0m0s REQUEST (renewing) 10.0.0.100>10.0.0.1", "1h0m0s ACK of 10.0.0.100 >10.0.0.100",
	}, l.log)
	require.Len(t, l.bound, 3)
	require.True(t, l.bound[0].Same(l.bound[2]))
	require.Empty(t, l.lost)
}

// Nobody answers: renewal to the server from T1, to all from T2, each time after half of
// what is left and a minute at least; then the address is given up, and it looks for another.
func TestLeaseExpires(t *testing.T) {
	l := newLink(t, newServer(t))
	l.deaf, l.log = true, nil
	l.until(60*time.Minute + time.Second)
	require.Equal(t, strings.Fields(`30m0s 41m15s 46m52s 49m41s 51m5s 52m5s 52m30s 56m15s 58m7s 59m7s 1h0m0s`), firstWords(l.log))
	require.Equal(t, 6, count(l.log, "REQUEST (renewing) 10.0.0.100>10.0.0.1"))
	require.Equal(t, 4, count(l.log, "REQUEST (rebinding) 10.0.0.100>255.255.255.255"))
	require.Equal(t, []string{"the lease has expired"}, l.lost)
	_, leased := l.client.Lease()
	require.False(t, leased)
	// It asks for the same address, and gets it when somebody hears.
	l.deaf = false
	l.until(2 * time.Hour)
	require.Equal(t, "10.0.0.100/24", l.bound[len(l.bound)-1].Address.String())
}

func firstWords(lines []string) (words []string) {
	for _, line := range lines {
		words = append(words, strings.Fields(line)[0])
	}
	return words
}

func count(lines []string, what string) (n int) {
	for _, line := range lines {
		if strings.HasSuffix(line, what) {
			n++
		}
	}
	return n
}

// RFC 2131, Section 4.1: DISCOVER goes out after 4, 8, 16, 32 and then each 64 seconds, a second more or less.
func TestDiscoverIsRepeated(t *testing.T) {
	l := newLink(t)
	l.until(10 * time.Minute)
	var gaps []float64
	last := time.Duration(0)
	for i, line := range l.log {
		at, err := time.ParseDuration(strings.Fields(line)[0])
		require.NoError(t, err)
		if i > 0 {
			gaps = append(gaps, (at - last).Seconds())
		}
		last = at
	}
	require.InDeltaSlice(t, []float64{4, 8, 16, 32, 64, 64, 64, 64, 64, 64, 64, 64}[:len(gaps)], gaps, 2)
	require.Greater(t, len(gaps), 9)
}

// A REQUEST that nobody answers is given up after four, and DISCOVER goes out anew.
func TestRequestIsGivenUp(t *testing.T) {
	s := newServer(t)
	l := newLink(t)
	l.client.NextEvent()
	l.client.init(l.now)
	e, _ := l.client.NextEvent()
	offer, ok, err := s.Receive(l.now, e.(EventSend).Payload)
	require.True(t, ok)
	require.NoError(t, err)
	l.log = nil
	require.NoError(t, l.client.Receive(l.now, offer.Payload))
	l.pump()
	l.until(2 * time.Minute)
	require.Equal(t, 4, count(l.log, "REQUEST (requesting) 0.0.0.0>255.255.255.255"))
	require.Contains(t, l.log[4], "DISCOVER")
}

// The client keeps to the server whose offer came first, and the other one frees what it has offered.
func TestTwoServers(t *testing.T) {
	other := serverConfig()
	other.Address, other.First, other.Last = netip.MustParsePrefix("10.0.0.2/24"), netip.MustParseAddr("10.0.0.200"), netip.MustParseAddr("10.0.0.200")
	second, err := NewServer(other)
	require.NoError(t, err)
	l := newLink(t, newServer(t), second)
	require.Equal(t, "10.0.0.100/24", l.bound[0].Address.String())
	require.Len(t, l.bound, 1)
	_, free := second.choose(l.now, MAC{9}, netip.Addr{})
	require.True(t, free, "its only address is free again")
}

// Clients get different addresses, and the one that they had before; a pool ends.
func TestPool(t *testing.T) {
	s := newServer(t)
	get := func(client byte, at time.Duration) string {
		l := &link{t: t, now: epoch.Add(at), client: newClient(client)}
		l.client.Start(l.now)
		e, _ := l.client.NextEvent()
		offer, ok, _ := s.Receive(l.now, e.(EventSend).Payload)
		if !ok {
			return "none"
		}
		require.NoError(t, l.client.Receive(l.now, offer.Payload))
		e, _ = l.client.NextEvent()
		ack, ok, _ := s.Receive(l.now, e.(EventSend).Payload)
		require.True(t, ok)
		require.NoError(t, l.client.Receive(l.now, ack.Payload))
		lease, ok := l.client.Lease()
		require.True(t, ok)
		return lease.Address.Addr().String()
	}
	require.Equal(t, "10.0.0.100", get(1, 0))
	require.Equal(t, "10.0.0.101", get(2, 0))
	require.Equal(t, "10.0.0.100", get(1, time.Minute))
	require.Equal(t, "10.0.0.102", get(3, 0))
	require.Equal(t, "none", get(4, 0))
	require.Equal(t, "10.0.0.101", get(4, time.Hour), "that of the second client is over, the first has its for longer")
	require.Equal(t, "10.0.0.102", get(2, time.Hour+30*time.Second), "its own has gone to another, and that of the third is over")
}

// What a client releases is free at once.
func TestRelease(t *testing.T) {
	s := newServer(t)
	l := newLink(t, s)
	l.log = nil
	l.client.Release(l.now)
	l.pump()
	require.Equal(t, []string{"0s RELEASE 10.0.0.100>10.0.0.1"}, l.log)
	require.Equal(t, []string{"released"}, l.lost)
	require.True(t, s.free(l.now, netip.MustParseAddr("10.0.0.100"), MAC{9}))
	_, due := l.client.NextDeadline()
	require.False(t, due, "it stops")
	l.client.Renew(l.now)
	l.pump()
	require.Len(t, l.bound, 2)
}

// A server that has given the address to another says NAK, and the client begins anew.
func TestNak(t *testing.T) {
	s := newServer(t)
	l := newLink(t, s)
	s.given[netip.MustParseAddr("10.0.0.100")] = binding{MAC{9}, epoch.Add(10 * time.Hour)}
	delete(s.of, l.client.cfg.MAC)
	l.log = nil
	l.until(31 * time.Minute)
	require.Equal(t, []string{"the server refuses the address"}, l.lost)
	require.Equal(t, "10.0.0.101/24", l.bound[1].Address.String())
	require.Contains(t, l.log, "30m0s NAK >255.255.255.255")
}

// RFC 2131, Section 4.1: where the broadcast flag is set the server answers to all.
func TestBroadcastFlag(t *testing.T) {
	s := newServer(t)
	c := NewClient(ClientConfig{MAC: MAC{2, 0, 0, 0, 0, 1}, Rand: rand.NewChaCha8([32]byte{}), Broadcast: true})
	c.Start(epoch)
	e, _ := c.NextEvent()
	r, ok, err := s.Receive(epoch, e.(EventSend).Payload)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, everybody, r.To)
	require.False(t, r.Unresolved)
}

// What cannot be a lease is ignored, and the next offer is taken.
func TestOffersThatCannotBe(t *testing.T) {
	s := newServer(t)
	for name, spoil := range map[string]func(m *dhcpv4.DHCPv4){
		"no mask": func(m *dhcpv4.DHCPv4) { m.DeleteOption(dhcpv4.OptionSubnetMask) },
		"a mask with holes": func(m *dhcpv4.DHCPv4) {
			m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionSubnetMask, []byte{255, 0, 255, 0}))
		},
		"no lease time":        func(m *dhcpv4.DHCPv4) { m.DeleteOption(dhcpv4.OptionIPAddressLeaseTime) },
		"a lease of no time":   func(m *dhcpv4.DHCPv4) { setSpan(m, dhcpv4.OptionIPAddressLeaseTime, 0) },
		"no server":            func(m *dhcpv4.DHCPv4) { m.DeleteOption(dhcpv4.OptionServerIdentifier) },
		"a multicast address":  func(m *dhcpv4.DHCPv4) { m.YourIPAddr = []byte{224, 0, 0, 1} },
		"no address":           func(m *dhcpv4.DHCPv4) { m.YourIPAddr = nil },
		"for another client":   func(m *dhcpv4.DHCPv4) { m.ClientHWAddr = []byte{2, 0, 0, 0, 0, 9} },
		"of another exchange":  func(m *dhcpv4.DHCPv4) { m.TransactionID[0]++ },
		"a request":            func(m *dhcpv4.DHCPv4) { m.OpCode = dhcpv4.OpcodeBootRequest },
		"of no Ethernet":       func(m *dhcpv4.DHCPv4) { m.ClientHWAddr = []byte{1} },
		"an acknowledgement":   func(m *dhcpv4.DHCPv4) { m.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeAck)) },
		"without message type": func(m *dhcpv4.DHCPv4) { m.DeleteOption(dhcpv4.OptionDHCPMessageType) },
	} {
		c := newClient(1)
		c.Start(epoch)
		e, _ := c.NextEvent()
		r, _, err := s.Receive(epoch, e.(EventSend).Payload)
		require.NoError(t, err)
		m, err := dhcpv4.FromBytes(r.Payload)
		require.NoError(t, err)
		spoil(m)
		require.Error(t, c.Receive(epoch, m.ToBytes()), name)
		require.NoError(t, c.Receive(epoch, r.Payload), name)
	}
}

func TestServersThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*ServerConfig){
		"a server needs an IPv4 address":     func(c *ServerConfig) { c.Address = netip.Prefix{} },
		"is no range of IPv4 addresses":      func(c *ServerConfig) { c.First, c.Last = c.Last, c.First },
		"is not within the server's network": func(c *ServerConfig) { c.Last = netip.MustParseAddr("10.0.1.1") },
		"a lease of 0s":                      func(c *ServerConfig) { c.Lease = 0 },
		"more than 65536 addresses": func(c *ServerConfig) {
			c.Address, c.Last = netip.MustParsePrefix("10.0.0.1/8"), netip.MustParseAddr("10.9.0.1")
		},
		"10.0.0.100 to 224.0.0.1 is no range": func(c *ServerConfig) { c.Last = netip.MustParseAddr("224.0.0.1") },
	} {
		c := serverConfig()
		change(&c)
		_, err := NewServer(c)
		require.ErrorContains(t, err, want)
	}
}

// An endless lease is never renewed by itself.
func TestEndlessLease(t *testing.T) {
	s := newServer(t)
	c := newClient(1)
	c.Start(epoch)
	e, _ := c.NextEvent()
	r, _, _ := s.Receive(epoch, e.(EventSend).Payload)
	require.NoError(t, c.Receive(epoch, r.Payload))
	e, _ = c.NextEvent()
	r, _, _ = s.Receive(epoch, e.(EventSend).Payload)
	m, err := dhcpv4.FromBytes(r.Payload)
	require.NoError(t, err)
	m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionIPAddressLeaseTime, []byte{255, 255, 255, 255}))
	require.NoError(t, c.Receive(epoch, m.ToBytes()))
	_, due := c.NextDeadline()
	require.False(t, due)
	c.Renew(epoch.Add(time.Hour)) // asked by hand, and nobody answers
	for range 5 {
		at, due := c.NextDeadline()
		require.True(t, due)
		c.Advance(at)
	}
	_, leased := c.Lease()
	require.True(t, leased)
}

// The first message by RFC 2131, figure 1, byte by byte: operation, hardware type and length, transaction ID,
// client's hardware address, magic cookie (RFC 2132, Section 2), options 53, 50 and 55.
func TestMessageOnTheWire(t *testing.T) {
	c := newClient(7)
	c.last = netip.MustParseAddr("10.0.0.9")
	c.Start(epoch)
	e, _ := c.NextEvent()
	b := e.(EventSend).Payload
	require.Equal(t, "01010600", hex.EncodeToString(b[:4]))
	require.Equal(t, c.xid[:], b[4:8])
	require.Equal(t, strings.Repeat("00", 20), hex.EncodeToString(b[8:28]), "no time has gone, no flag is set, and it has no address")
	require.Equal(t, "020000000007"+strings.Repeat("00", 10), hex.EncodeToString(b[28:44]))
	require.Equal(t, "63825363"+"32040a000009"+"350101"+"37040103062c"+"ff", hex.EncodeToString(b[236:236+4+6+3+6+1]))
	require.Len(t, b, 300)
}
