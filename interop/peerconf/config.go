// Package peerconf makes the configuration of a real peer of the policy that a virtual host
// would have: a neutral [Config], which the packages of the daemons write in their own words.
//
//	config, err := peerconf.Build(peerconf.Host{Policy: p, Options: o, Addresses: addrs})
//	…
//	tree, err := swan.Build(config, swan.Native)
//
// What a daemon cannot be told is an *[Unsupported] error, with what and why: a configuration
// that means something else than the policy is never made.
package peerconf

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// Unsupported says what of a policy a peer cannot be told, and why. It is an outcome of its
// own: neither the policy nor the peer is at fault.
type Unsupported struct {
	What string // of the policy or the settings
	Why  string
}

func (e *Unsupported) Error() string { return "unsupported: " + e.What + ": " + e.Why }

// unsupported makes such an error.
func unsupported(what, why string, args ...any) error {
	return &Unsupported{What: what, Why: fmt.Sprintf(why, args...)}
}

// Config is what a peer is to do, in no daemon's words.
type Config struct {
	Addresses   []netip.Addr // of the peer
	Connections []Connection
	Shunts      []Shunt // what passes in the clear or is dropped; see Order
	Secrets     []Secret
	Credentials Credentials
	Settings    Settings

	// Ignored are settings of the scenario that are about virtual hosts alone.
	Ignored []string
}

// Connection is phase 1 with some peers, and what is protected under it.
type Connection struct {
	Name       string
	Local      netip.Addr   // invalid: any address of the peer
	Remote     netip.Prefix // zero: anybody; of full length: one address
	IPv6       bool         // the family of both
	Version    int          // 1, or 2 for those who want to be refused
	Proposals  []ike.MainModeProposal
	Auth       Auth
	Aggressive bool
	Lifetime   time.Duration
	Children   []Child
}

// Anybody reports whether the connection is for whoever comes.
func (c *Connection) Anybody() bool { return c.Remote == netip.Prefix{} }

// Auth is how both sides of a connection prove who they are.
type Auth struct {
	Method   ike.AuthMethod // PreSharedKey or RSASignature
	Secret   []byte         // of PreSharedKey
	Identity ike.Identity   // what the peer calls itself; zero: its address
	Roots    []*pki.Certificate
	// Silent has the certificate requests name no authority.
	Silent bool
}

// Selector is one end of what a child protects.
type Selector struct {
	// Prefix is the addresses; zero: those of one family, see Child.IPv6.
	Prefix netip.Prefix
	// Endpoint has them be the address at this end of the connection, whatever it is.
	Endpoint bool
	Port     uint16 // 0: any
}

// Start is what happens with a child when it is loaded.
type Start uint8

// The choices.
const (
	Answer Start = iota // the peer answers, and starts when told
	Trap                // packets start it
)

// Child is a pair of SAs and the packets that it is for.
type Child struct {
	Name          string
	Order         int // its place in the search: the lower one decides where several hold a packet
	Local, Remote Selector
	Proto         uint8 // ipsec.ProtoAny: any
	IPv6          bool
	Mode          ipsec.Mode
	Proposals     []ipsec.Proposal // of one protocol each, with one lifetime
	PFSGroup      uint16           // IANA number; 0: none
	Lifetime      ipsec.Lifetime
	Start         Start
}

// Protocol is the security protocol of the child's proposals.
func (c *Child) Protocol() ipsec.Protocol { return c.Proposals[0].Transforms[0].Protocol }

// Shunt is what passes or is dropped without an SA.
type Shunt struct {
	Name          string
	Order         int
	Local, Remote Selector
	Proto         uint8
	ICMPType      uint8 // with ICMP of either family: 0 is any
	IPv6          bool
	Drop          bool
}

// Secret is a preshared key and whose it is.
type Secret struct {
	Name  string
	Value []byte
	Peers []netip.Prefix // with whom it is used; none: with everybody
}

// Credentials are certificates and keys.
type Credentials struct {
	Own           []pki.Own
	Roots         []*pki.Certificate
	Intermediates []*pki.Certificate
	Lists         []*pki.RevocationList
	Strict        bool // no peer without a list that its certificate is not on
}

// Find is the child that packets of a flow, outbound, belong to.
func (c *Config) Find(f ipsec.Flow) (connection, child string, ok bool) {
	best := 0
	for _, conn := range c.Connections {
		for _, ch := range conn.Children {
			if s := ch.Selector(&conn); s.Matches(&f) && (!ok || ch.Order < best) && remoteHolds(&conn, &ch, f.Dst) {
				connection, child, ok, best = conn.Name, ch.Name, true, ch.Order
			}
		}
	}
	return connection, child, ok
}

func remoteHolds(c *Connection, ch *Child, dst netip.Addr) bool {
	return ch.Mode == ipsec.Tunnel || c.Anybody() || c.Remote.Contains(dst)
}

// Selector is what the child protects, as the peer sends it.
func (c *Child) Selector(conn *Connection) ipsec.Selector {
	s := ipsec.Selector{Src: c.Local.prefix(c.IPv6), Dst: c.Remote.prefix(c.IPv6), Proto: c.Proto, SrcPort: c.Local.Port, DstPort: c.Remote.Port}
	if c.Local.Endpoint && conn.Local.IsValid() {
		s.Src = ipsec.Host(conn.Local)
	}
	if c.Remote.Endpoint && !conn.Anybody() {
		s.Dst = conn.Remote
	}
	return s
}

// Selector is what the shunt is for, outbound.
func (s *Shunt) Selector() ipsec.Selector {
	sel := ipsec.Selector{Src: s.Local.prefix(s.IPv6), Dst: s.Remote.prefix(s.IPv6), Proto: s.Proto, SrcPort: s.Local.Port, DstPort: s.Remote.Port}
	if s.ICMPType != 0 {
		sel.ICMP = ipsec.ICMPTypes{First: s.ICMPType, Last: s.ICMPType}
	}
	return sel
}

// Addresses are those of a selector; where it leaves them open, all of the family.
func (s Selector) Addresses(v6 bool) netip.Prefix { return s.prefix(v6) }

func (s Selector) prefix(v6 bool) netip.Prefix {
	if s.Prefix.IsValid() {
		return s.Prefix
	}
	if v6 {
		return all6
	}
	return all4
}

var (
	all4 = netip.MustParsePrefix("0.0.0.0/0")
	all6 = netip.MustParsePrefix("::/0")
)
