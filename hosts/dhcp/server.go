package dhcp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// ServerConfig describes a server.
type ServerConfig struct {
	Address     netip.Prefix // of the server, with the length of the subnet that it serves
	First, Last netip.Addr   // the addresses that it gives
	Lease       time.Duration
	Router      netip.Addr // invalid: none
	DNS, WINS   []netip.Addr
}

// maxPool bounds the addresses of a server.
const maxPool = 1 << 16

// check says what is wrong with a configuration.
func (c ServerConfig) check() error {
	switch {
	case !c.Address.IsValid() || !c.Address.Addr().Is4():
		return errors.New("dhcp: a server needs an IPv4 address")
	case !c.First.Is4() || !c.Last.Is4() || !unicast(c.First) || !unicast(c.Last) || c.Last.Less(c.First):
		return fmt.Errorf("dhcp: %s to %s is no range of IPv4 addresses", c.First, c.Last)
	case !c.Address.Contains(c.First) || !c.Address.Contains(c.Last):
		return fmt.Errorf("dhcp: %s to %s is not within the server's network %s", c.First, c.Last, c.Address.Masked())
	case number(c.Last)-number(c.First) >= maxPool:
		return fmt.Errorf("dhcp: more than %d addresses", maxPool)
	case c.Lease < time.Second || c.Lease/time.Second >= forever:
		return fmt.Errorf("dhcp: a lease of %s: it is one second at least, and less than 2^32", c.Lease)
	}
	return nil
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// offered is how long an address waits for the REQUEST after its OFFER.
const offered = time.Minute

// binding is whose an address is, and until when.
type binding struct {
	client  MAC
	expires time.Time
}

// Server gives addresses to clients on its own network. What it has given it knows
// as long as it lives, as from a disk: RFC 2131, Section 2.2.
type Server struct {
	cfg   ServerConfig
	given map[netip.Addr]binding
	of    map[MAC]netip.Addr // each client's, also when its lease is over and nobody else has it
}

// NewServer makes a server with all its addresses free.
func NewServer(c ServerConfig) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Server{cfg: c, given: map[netip.Addr]binding{}, of: map[MAC]netip.Addr{}}, nil
}

// Reply is a message from port 67 to port 68 of the client.
type Reply struct {
	// To is 255.255.255.255, or the client's address. Unresolved says that the client
	// does not have it yet and cannot be asked for by ARP: the message goes to MAC.
	To         netip.Addr
	Unresolved bool
	MAC        MAC
	Payload    []byte
	What       string // OFFER, ACK or NAK, and about what
}

// Receive takes a message that came to port 67. ok is false when there is nothing to
// answer; the error says why a message was ignored.
func (s *Server) Receive(now time.Time, payload []byte) (r Reply, ok bool, err error) {
	m, err := parse(payload, dhcpv4.OpcodeBootRequest)
	if err != nil {
		return r, false, err
	}
	if addrOf(m.GatewayIPAddr) != nobody {
		return r, false, errors.New("dhcp: unsupported: it came by a relay agent")
	}
	client := MAC(m.ClientHWAddr)
	switch t := m.MessageType(); t {
	case dhcpv4.MessageTypeDiscover:
		a, free := s.choose(now, client, addr(m, dhcpv4.OptionRequestedIPAddress))
		if !free {
			return r, false, errors.New("dhcp: no address is free")
		}
		s.give(a, client, now.Add(offered))
		return s.reply(m, dhcpv4.MessageTypeOffer, a), true, nil
	case dhcpv4.MessageTypeRequest:
		return s.requested(now, m, client)
	case dhcpv4.MessageTypeRelease:
		s.end(now, addrOf(m.ClientIPAddr), client)
		return r, false, nil
	case dhcpv4.MessageTypeDecline:
		// Somebody else uses it: RFC 2131, Section 4.3.3.
		if a := addr(m, dhcpv4.OptionRequestedIPAddress); s.of[client] == a && a.IsValid() {
			s.given[a] = binding{MAC{}, now.Add(s.cfg.Lease)}
			delete(s.of, client)
		}
		return r, false, nil
	case dhcpv4.MessageTypeInform: // RFC 2131, Section 4.3.5
		if a := addrOf(m.ClientIPAddr); s.cfg.Address.Contains(a) {
			return s.reply(m, dhcpv4.MessageTypeAck, netip.Addr{}), true, nil
		}
		return r, false, errors.New("dhcp: the client that informs is not on the network")
	default:
		return r, false, fmt.Errorf("dhcp: a %s is not for a server", t)
	}
}

// requested answers a REQUEST by what it has: RFC 2131, Section 4.3.2.
func (s *Server) requested(now time.Time, m *dhcpv4.DHCPv4, client MAC) (r Reply, ok bool, err error) {
	chosen, want := addr(m, dhcpv4.OptionServerIdentifier), addr(m, dhcpv4.OptionRequestedIPAddress)
	if chosen.IsValid() && chosen != s.cfg.Address.Addr() { // another server's offer was taken
		s.end(now, s.of[client], client)
		return r, false, nil
	}
	if ci := addrOf(m.ClientIPAddr); ci != nobody {
		want = ci // renewing or rebinding
	}
	switch {
	case !want.IsValid():
		return r, false, errors.New("dhcp: it asks for no address")
	case s.pooled(want) && s.free(now, want, client):
		s.give(want, client, now.Add(s.cfg.Lease))
		return s.reply(m, dhcpv4.MessageTypeAck, want), true, nil
	case chosen.IsValid() || s.pooled(want) || !s.cfg.Address.Contains(want):
		return s.reply(m, dhcpv4.MessageTypeNak, want), true, nil
	}
	return r, false, errors.New("dhcp: it asks for an address that another server may have given")
}

// choose finds an address for a client: the one that it had, the one that it asks for,
// or the lowest that is free (RFC 2131, Section 4.3.1).
func (s *Server) choose(now time.Time, client MAC, wish netip.Addr) (netip.Addr, bool) {
	for _, a := range []netip.Addr{s.of[client], wish} {
		if a.IsValid() && s.pooled(a) && s.free(now, a, client) {
			return a, true
		}
	}
	for a := s.cfg.First; !s.cfg.Last.Less(a); a = a.Next() {
		if s.pooled(a) && s.free(now, a, client) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// pooled reports whether the server may give the address.
func (s *Server) pooled(a netip.Addr) bool {
	return !a.Less(s.cfg.First) && !s.cfg.Last.Less(a) && a != s.cfg.Address.Addr() && a != s.cfg.Router
}

// free reports whether the client may have the address.
func (s *Server) free(now time.Time, a netip.Addr, client MAC) bool {
	b, taken := s.given[a]
	return !taken || b.client == client || !now.Before(b.expires)
}

func (s *Server) give(a netip.Addr, client MAC, until time.Time) {
	if old, ok := s.given[a]; ok && old.client != client && s.of[old.client] == a {
		delete(s.of, old.client)
	}
	if had := s.of[client]; had != a && s.given[had].client == client {
		delete(s.given, had)
	}
	s.given[a] = binding{client, until}
	s.of[client] = a
}

// end frees an address, if the client has it. It is remembered as the client's.
func (s *Server) end(now time.Time, a netip.Addr, client MAC) {
	if b, ok := s.given[a]; ok && b.client == client {
		s.given[a] = binding{client, now}
	}
}

// reply makes a message to the client; a is the address that it is about, and
// without one it is about none.
func (s *Server) reply(to *dhcpv4.DHCPv4, t dhcpv4.MessageType, a netip.Addr) Reply {
	m := message(dhcpv4.OpcodeBootReply, to.TransactionID, MAC(to.ClientHWAddr), t)
	m.Flags = to.Flags
	setAddrs(m, dhcpv4.OptionServerIdentifier, s.cfg.Address.Addr())
	r := Reply{To: everybody, MAC: MAC(to.ClientHWAddr), What: t.String()}
	if t == dhcpv4.MessageTypeNak { // RFC 2131, Section 4.3.2: to all, since the client's address may be wrong
		r.Payload = m.ToBytes()
		return r
	}
	m.ClientIPAddr = to.ClientIPAddr
	setMask(m, s.cfg.Address.Bits())
	if s.cfg.Router.IsValid() {
		setAddrs(m, dhcpv4.OptionRouter, s.cfg.Router)
	}
	setAddrs(m, dhcpv4.OptionDomainNameServer, s.cfg.DNS...)
	setAddrs(m, dhcpv4.OptionNetBIOSOverTCPIPNameServer, s.cfg.WINS...)
	if len(s.cfg.WINS) > 0 { // RFC 2132, Section 8.7: a node that asks servers before it calls out
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionNetBIOSOverTCPIPNodeType, []byte{8}))
	}
	if a.IsValid() {
		m.YourIPAddr = a.AsSlice()
		setSpan(m, dhcpv4.OptionIPAddressLeaseTime, s.cfg.Lease)
		setSpan(m, dhcpv4.OptionRenewTimeValue, s.cfg.Lease/2)
		setSpan(m, dhcpv4.OptionRebindingTimeValue, s.cfg.Lease*7/8)
		r.What += " of " + a.String()
	}
	// RFC 2131, Section 4.1: to the address that the client has, or as its flag says.
	switch ci := addrOf(to.ClientIPAddr); {
	case ci != nobody:
		r.To = ci
	case !to.IsBroadcast() && a.IsValid():
		r.To, r.Unresolved = a, true
	}
	r.Payload = m.ToBytes()
	return r
}
