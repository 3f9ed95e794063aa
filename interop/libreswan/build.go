package libreswan

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Files are a configuration as libreswan takes it.
type Files struct {
	Conf        string            // /etc/ipsec.conf
	Secrets     string            // /etc/ipsec.secrets
	Credentials map[string][]byte // certificates and keys, by names without a folder; see Import
	Connections []string          // to be added, in order; nothing else adds them
	OnDemand    []string          // those of them that packets start
}

// Config says where things are in the peer.
type Config struct {
	Log string // the file that pluto logs to
}

// Build writes a peer's configuration. Errors are of type *peerconf.Unsupported.
func Build(c *peerconf.Config, at Config) (*Files, error) {
	b := &builder{config: c, files: &Files{Credentials: map[string][]byte{}}}
	if err := b.refused(); err != nil {
		return nil, err
	}
	b.line("config setup")
	b.set("ikev1-policy", "accept")
	b.set("uniqueids", "no")
	if at.Log != "" {
		b.set("logfile", at.Log)
	}
	if k := c.Settings.KeepAlive; k > 0 {
		b.set("keep-alive", fmt.Sprint(int64(k/time.Second)))
	}
	if c.Credentials.Strict {
		b.set("crl-strict", "yes")
	}
	for i := range c.Connections {
		conn := &c.Connections[i]
		for j := range conn.Children {
			if err := b.children(conn, &conn.Children[j]); err != nil {
				return nil, err
			}
		}
	}
	for i := range c.Shunts {
		if err := b.shunt(&c.Shunts[i]); err != nil {
			return nil, err
		}
	}
	if err := b.secrets(); err != nil {
		return nil, err
	}
	if err := b.credentials(); err != nil {
		return nil, err
	}
	b.files.Conf = b.conf.String()
	return b.files, nil
}

// refused finds settings that ipsec.conf has no place for.
func (b *builder) refused() error {
	s := &b.config.Settings
	switch {
	case s.Inactivity > 0:
		return &peerconf.Unsupported{What: "SAs that end when nothing uses them", Why: "libreswan has no such timer"}
	case s.FragmentSize > 0:
		return &peerconf.Unsupported{What: "a size for IKE fragments", Why: "that of libreswan is fixed"}
	}
	for i, g := range s.Retransmit {
		if i > 0 && g != 2*s.Retransmit[i-1] {
			return &peerconf.Unsupported{What: fmt.Sprintf("retransmissions after %v", s.Retransmit), Why: "libreswan doubles each gap"}
		}
	}
	return nil
}

type builder struct {
	config *peerconf.Config
	files  *Files
	conf   strings.Builder
}

func (b *builder) line(s string) { b.conf.WriteString(s + "\n") }

func (b *builder) set(key, value string) { b.line("\t" + key + "=" + value) }

// conn begins a connection of libreswan, which is a child of ours.
func (b *builder) conn(name string) {
	b.line("")
	b.line("conn " + name)
	b.files.Connections = append(b.files.Connections, name)
}

// children are one connection for each address of the peer that a child may have on this side.
func (b *builder) children(conn *peerconf.Connection, c *peerconf.Child) error {
	if conn.Local.IsValid() {
		return b.child(conn, c, c.Name, conn.Local)
	}
	n := 0
	for _, a := range b.config.Addresses {
		if a.Is6() != c.IPv6 || conn.Remote.IsValid() && conn.Remote.Addr().Is6() != a.Is6() {
			continue
		}
		name := c.Name
		if n++; n > 1 {
			name = fmt.Sprintf("%s-at-%d", name, n)
		}
		if err := b.child(conn, c, name, a); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) child(conn *peerconf.Connection, c *peerconf.Child, name string, local netip.Addr) error {
	switch {
	case c.Start == peerconf.Trap && !conn.Remote.IsSingleIP():
		return &peerconf.Unsupported{What: "rule " + c.Name + ", which starts towards whoever it is", Why: "libreswan starts connections to peers that it names"}
	case conn.Version != 1 && conn.Version != 2:
		return &peerconf.Unsupported{What: fmt.Sprintf("IKE version %d", conn.Version), Why: "libreswan has 1 and 2"}
	}
	if slices.Contains(b.files.Connections, name) { // a child that another connection has, too
		name = conn.Name + "-" + name
	}
	b.conn(name)
	b.set("left", local.String())
	b.set("right", remote(conn.Remote))
	b.set("ikev2", map[int]string{1: "no", 2: "insist"}[conn.Version])
	if err := b.auth(conn); err != nil {
		return err
	}
	var proposals []string
	for _, p := range conn.Proposals {
		w, err := ikeProposal(p)
		if err != nil {
			return err
		}
		proposals = append(proposals, w)
	}
	b.set("ike", strings.Join(proposals, ","))
	yes := map[bool]string{false: "no", true: "yes"}
	b.set("aggressive", yes[conn.Aggressive])
	b.set("type", c.Mode.String())
	words, err := childProposals(c)
	if err != nil {
		return err
	}
	protocol := strings.ToLower(c.Protocol().String())
	b.set("phase2", protocol)
	b.set("phase2alg", words)
	b.set("pfs", yes[c.PFSGroup != 0])
	if c.Mode == ipsec.Tunnel {
		b.set("leftsubnet", c.Local.Addresses(c.IPv6).String())
		b.set("rightsubnet", c.Remote.Addresses(c.IPv6).String())
	}
	b.protocolAndPorts(c.Proto, c.Local.Port, c.Remote.Port)
	b.lifetimes(conn, c)
	b.settings(c.Start == peerconf.Trap)
	b.set("priority", fmt.Sprint(c.Order))
	b.auto(name, c.Start == peerconf.Trap)
	return nil
}

// auto leaves it to Start to add a connection: pluto would do it at a time of its own.
func (b *builder) auto(name string, onDemand bool) {
	b.set("auto", "ignore")
	if onDemand {
		b.files.OnDemand = append(b.files.OnDemand, name)
	}
}

func remote(p netip.Prefix) string {
	if !p.IsValid() || !p.IsSingleIP() {
		return "%any"
	}
	return p.Addr().String()
}

func (b *builder) protocolAndPorts(proto uint8, left, right uint16) {
	if proto == ipsec.ProtoAny {
		return
	}
	b.set("leftprotoport", fmt.Sprintf("%d/%d", proto, left)) // port 0 is any
	b.set("rightprotoport", fmt.Sprintf("%d/%d", proto, right))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int64((d+time.Second-1)/time.Second)) }

func (b *builder) lifetimes(conn *peerconf.Connection, c *peerconf.Child) {
	s := &b.config.Settings
	b.set("ikelifetime", seconds(conn.Lifetime))
	b.set("salifetime", seconds(c.Lifetime.Duration))
	if kb := c.Lifetime.Kilobytes; kb > 0 {
		b.set("ipsec-max-bytes", fmt.Sprint(kb*1024))
	}
	// One margin is for both.
	b.set("rekeymargin", seconds(min(s.MarginOf(conn.Lifetime), s.MarginOf(c.Lifetime.Duration))))
	b.set("rekeyfuzz", "0%")
}

func (b *builder) settings(onDemand bool) {
	s := &b.config.Settings
	switch s.Fragmentation {
	case peerconf.FragmentsOn:
		b.set("fragmentation", "yes")
	case peerconf.FragmentsOff:
		b.set("fragmentation", "no")
	}
	if s.Encapsulate {
		b.set("encapsulation", "yes")
	}
	if s.DPD != nil {
		b.set("dpddelay", seconds(s.DPD.Idle))
		b.set("dpdtimeout", seconds(s.DPD.Timeout))
		action := "clear"
		if onDemand {
			action = "hold" // clear takes what packets start the connection by away as well
		}
		b.set("dpdaction", action)
	}
	if s.KeepAlive < 0 {
		b.set("nat-keepalive", "no")
	}
	if s.ReplayWindow > 0 {
		b.set("replay-window", fmt.Sprint(s.ReplayWindow))
	}
	if s.NoMainModeRekey {
		b.set("rekey", "no")
	}
	if len(s.Retransmit) > 0 {
		b.set("retransmit-interval", fmt.Sprint(s.Retransmit[0].Milliseconds()))
		var all time.Duration
		for _, g := range s.Retransmit {
			all += g
		}
		b.set("retransmit-timeout", seconds(all))
	}
}

func (b *builder) auth(conn *peerconf.Connection) error {
	a := &conn.Auth
	id, err := identity(a.Identity)
	if err != nil {
		return err
	}
	if a.Method == ike.PreSharedKey {
		b.set("authby", "secret")
		if id != "" {
			b.set("leftid", id)
		}
		return nil
	}
	if len(a.Roots) != 1 {
		return &peerconf.Unsupported{What: fmt.Sprintf("a rule with %d authorities", len(a.Roots)), Why: "a connection of libreswan has one"}
	}
	if len(b.config.Credentials.Own) == 0 {
		return &peerconf.Unsupported{What: "a rule with certificates and a peer that has none", Why: "libreswan does not load such a connection"}
	}
	b.set("authby", "rsasig")
	b.set("leftcert", ownName(0))
	b.set("leftsendcert", "always")
	b.set("sendca", "issuer")
	if a.Identity.Type == payload.IDDERDN {
		id = "%fromcert"
	}
	if id != "" {
		b.set("leftid", id)
	}
	b.set("rightid", "%fromcert")
	b.set("rightca", `"`+nameText(a.Roots[0].Subject)+`"`)
	return nil
}

// nameText is a distinguished name with the most general part first, as libreswan makes DER of it.
func nameText(n pki.Name) string {
	var parts []string
	for _, rdn := range n {
		parts = append(parts, pki.Name{rdn}.String())
	}
	return strings.Join(parts, ", ")
}

// identity writes one with its type: ipsec.conf(5), leftid=.
func identity(id ike.Identity) (string, error) {
	switch id.Type {
	case 0, payload.IDDERDN:
		return "", nil
	case payload.IDFQDN:
		return "@" + string(id.Data), nil
	case payload.IDUserFQDN:
		return string(id.Data), nil
	case payload.IDKeyID:
		return "@#0x" + hex.EncodeToString(id.Data), nil
	case payload.IDIPv4, payload.IDIPv6:
		if a, ok := netip.AddrFromSlice(id.Data); ok {
			return a.String(), nil
		}
	}
	return "", &peerconf.Unsupported{What: fmt.Sprintf("an identity of type %v", id.Type), Why: "ipsec.conf has no form for it"}
}

// shunt is a connection that nobody authenticates.
func (b *builder) shunt(s *peerconf.Shunt) error {
	if s.ICMPType != 0 {
		return nil // pluto has neighbour discovery pass by itself
	}
	b.conn(s.Name)
	b.set("authby", "never")
	kind := "passthrough"
	if s.Drop {
		kind = "drop"
	}
	b.set("type", kind)
	// The ends are of no account: a shunt is for its subnets.
	left, right := "127.0.0.1", "127.0.0.2"
	if s.IPv6 {
		left, right = "::1", "::2"
	}
	b.set("left", left)
	b.set("right", right)
	b.set("leftupdown", "%disabled") // it would route the other subnet to where this end is said to be
	b.set("leftsubnet", s.Local.Addresses(s.IPv6).String())
	b.set("rightsubnet", s.Remote.Addresses(s.IPv6).String())
	b.protocolAndPorts(s.Proto, s.Local.Port, s.Remote.Port)
	b.set("priority", fmt.Sprint(s.Order))
	b.auto(s.Name, true)
	return nil
}

// secrets are those of the connections, by the addresses or names of both sides.
func (b *builder) secrets() error {
	var out strings.Builder
	for _, s := range b.config.Secrets {
		who := []string{"%any"}
		for i, p := range s.Peers {
			if !p.IsSingleIP() {
				return &peerconf.Unsupported{What: fmt.Sprintf("a preshared key for the peers at %v and another for others", p), Why: "ipsec.secrets knows single addresses, and %any"}
			}
			if i == 0 {
				who = nil
			}
			who = append(who, p.Addr().String())
		}
		for _, w := range who {
			fmt.Fprintf(&out, "%%any %s : PSK 0x%s\n", w, hex.EncodeToString(s.Value))
		}
	}
	b.files.Secrets = out.String()
	return nil
}

func ownName(i int) string { return fmt.Sprintf("own-%d", i+1) }

// Password is that of the files with keys: they have to have one, and it is no secret.
const Password = "ipseclab"

// credentials are files that Import knows.
func (b *builder) credentials() error {
	c := &b.config.Credentials
	for i, own := range c.Own {
		b.files.Credentials[ownName(i)+".der"] = own.Certificate.Raw
		if own.Key == nil {
			continue
		}
		p12, err := pki.MarshalPKCS12(rand.Reader, own, nil, Password)
		if err != nil {
			return fmt.Errorf("libreswan: the key of %v: %w", own.Certificate.Subject, err)
		}
		b.files.Credentials[ownName(i)+".p12"] = p12
	}
	for i, root := range c.Roots {
		b.files.Credentials[fmt.Sprintf("root-%d.der", i+1)] = root.Raw
	}
	for i, ca := range c.Intermediates {
		b.files.Credentials[fmt.Sprintf("authority-%d.der", i+1)] = ca.Raw
	}
	for i, list := range c.Lists {
		b.files.Credentials[fmt.Sprintf("list-%d.der", i+1)] = list.Raw
	}
	return nil
}
