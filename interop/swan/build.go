package swan

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Kind is what protects the packets under a charon.
type Kind uint8

// The kinds.
const (
	Native      Kind = iota // the kernel's XFRM, by kernel-netlink
	LibIPsec                // kernel-libipsec as of 5.9: ESP in UDP alone, in tunnel mode
	LibIPsecRaw             // kernel-libipsec as of 6.0 with raw_esp: plain ESP too, in tunnel mode
)

func (k Kind) String() string {
	return [...]string{"native", "libipsec", "libipsec-raw"}[min(k, LibIPsecRaw)]
}

// Userspace reports whether charon itself protects the packets. Then nothing is trapped: children
// are initiated.
func (k Kind) Userspace() bool { return k != Native }

// Configuration is what a charon is told.
type Configuration struct {
	Connections *Section // named connections, as load-conn takes each of its sections
	secrets     []peerconf.Secret
	files       []File
	keys        []File

	// What Check looks for.
	kind           Kind
	ikeProposals   []ike.MainModeProposal
	childProposals []childProposal
}

// Build writes a peer's configuration for a charon of a kind. Errors are of type *peerconf.Unsupported.
func Build(c *peerconf.Config, k Kind) (*Configuration, error) {
	priorities, err := priorities(c, k)
	if err != nil {
		return nil, err
	}
	out := &Configuration{Connections: &Section{Name: "connections"}, secrets: c.Secrets, kind: k}
	if err := out.credentials(&c.Credentials); err != nil {
		return nil, err
	}
	for i := range c.Connections {
		if err := out.connection(c, &c.Connections[i], k); err != nil {
			return nil, err
		}
	}
	out.shunts(c, k, priorities)
	return out, nil
}

// credentials are the files of certificates and keys.
func (o *Configuration) credentials(c *peerconf.Credentials) error {
	for i, own := range c.Own {
		o.files = append(o.files, File{"x509", fmt.Sprintf("own-%d.der", i+1), own.Certificate.Raw})
		if own.Key == nil {
			continue
		}
		if a := own.Key.Algorithm(); a != pki.RSA {
			return &peerconf.Unsupported{What: "a certificate with a key of " + a, Why: "IKEv1 signs with RSA here"}
		}
		der, err := pki.MarshalPrivateKey(own.Key)
		if err != nil {
			return fmt.Errorf("swan: the key of %v: %w", own.Certificate.Subject, err)
		}
		o.keys = append(o.keys, File{"private", fmt.Sprintf("own-%d.der", i+1), der})
	}
	for i, root := range c.Roots {
		o.files = append(o.files, File{"x509ca", fmt.Sprintf("root-%d.der", i+1), root.Raw})
	}
	for i, ca := range c.Intermediates {
		o.files = append(o.files, File{"x509ca", fmt.Sprintf("authority-%d.der", i+1), ca.Raw})
	}
	for i, list := range c.Lists {
		o.files = append(o.files, File{"x509crl", fmt.Sprintf("list-%d.der", i+1), list.Raw})
	}
	return nil
}

func (o *Configuration) connection(c *peerconf.Config, conn *peerconf.Connection, k Kind) error {
	s := o.Connections.section(conn.Name)
	s.set("version", "%d", conn.Version)
	if conn.Local.IsValid() {
		s.list("local_addrs", conn.Local.String())
	}
	s.list("remote_addrs", remote(conn))
	proposals := List{Key: "proposals"}
	for _, p := range conn.Proposals {
		word, err := IKEProposal(p)
		if err != nil {
			return err
		}
		proposals.Each = append(proposals.Each, word)
	}
	s.Items = append(s.Items, proposals)
	o.ikeProposals = append(o.ikeProposals, conn.Proposals...)
	set := &c.Settings
	yes(s, "aggressive", conn.Aggressive)
	yes(s, "encap", set.Encapsulate || k == LibIPsec)
	if set.Fragmentation != peerconf.FragmentsDefault {
		yes(s, "fragmentation", set.Fragmentation == peerconf.FragmentsOn)
	}
	if d := set.DPD; d != nil {
		s.set("dpd_delay", "%s", seconds(d.Idle))
		s.set("dpd_timeout", "%s", seconds(d.Timeout))
	}
	// charon offers what both together make, and starts over when the first is up.
	margin := set.MarginOf(conn.Lifetime)
	if set.NoMainModeRekey {
		margin = conn.Lifetime
	}
	s.set("rekey_time", "%s", seconds(conn.Lifetime-margin))
	s.set("over_time", "%s", seconds(margin))
	s.set("rand_time", "0s")
	o.auth(c, s, conn)
	children := s.section("children")
	for i := range conn.Children {
		if err := o.child(children, set, conn, &conn.Children[i], k); err != nil {
			return err
		}
	}
	return nil
}

// remote are the addresses of peers, as remote_addrs has them.
func remote(c *peerconf.Connection) string {
	switch p := c.Remote; {
	case !p.IsValid() && c.IPv6:
		return "%any6" // %any is the one of IPv4 where charon needs an address
	case !p.IsValid():
		return "%any"
	case p.IsSingleIP():
		return p.Addr().String()
	default:
		return p.String()
	}
}

func yes(s *Section, key string, is bool) {
	if is {
		s.set(key, "yes")
	} else {
		s.set(key, "no")
	}
}

// seconds is a time as strongSwan has it, in whole seconds.
func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int64((d+time.Second-1)/time.Second)) }

func (o *Configuration) auth(c *peerconf.Config, s *Section, conn *peerconf.Connection) {
	a := &conn.Auth
	if a.Method == ike.PreSharedKey {
		local := s.section("local")
		local.set("auth", "psk")
		if id := identity(a.Identity); id != "" {
			local.set("id", "%s", id)
		}
		s.section("remote").set("auth", "psk")
		return
	}
	if a.Silent {
		s.set("send_certreq", "no")
	}
	s.set("send_cert", "always")
	local := s.section("local")
	local.set("auth", "pubkey")
	if id := identity(a.Identity); id != "" {
		local.set("id", "%s", id)
	}
	certs := Files{Key: "certs"}
	for _, f := range o.files {
		if f.Directory == "x509" {
			certs.Each = append(certs.Each, f)
		}
	}
	if len(certs.Each) > 0 {
		local.Items = append(local.Items, certs)
	}
	remote := s.section("remote")
	remote.set("auth", "pubkey")
	cacerts := Files{Key: "cacerts"}
	for _, root := range a.Roots {
		i := slices.IndexFunc(o.files, func(f File) bool { return f.Directory == "x509ca" && string(f.Data) == string(root.Raw) })
		if i >= 0 {
			cacerts.Each = append(cacerts.Each, o.files[i])
		}
	}
	remote.Items = append(remote.Items, cacerts)
	if c.Credentials.Strict {
		remote.set("revocation", "strict")
	}
}

// identity writes an identity with its type, so that charon does not guess; "" is the address.
func identity(id ike.Identity) string {
	kind := map[ike.IDType]string{payload.IDFQDN: "fqdn", payload.IDUserFQDN: "userfqdn", payload.IDDERDN: "asn1dn", payload.IDKeyID: "keyid",
		payload.IDIPv4: "ipv4", payload.IDIPv6: "ipv6"}[id.Type]
	switch {
	case kind == "":
		return ""
	case (kind == "fqdn" || kind == "userfqdn") && printable(id.Data):
		return kind + ":" + string(id.Data)
	}
	return kind + ":#" + hex.EncodeToString(id.Data)
}

// printable reports whether a value reads the same wherever it is written.
func printable(b []byte) bool {
	if len(b) == 0 || b[0] == '#' {
		return false
	}
	return !slices.ContainsFunc(b, func(c byte) bool { return c <= ' ' || c >= 0x7f || strings.IndexByte(`"\,;#{}=`, c) >= 0 })
}

func (o *Configuration) child(children *Section, set *peerconf.Settings, conn *peerconf.Connection, c *peerconf.Child, k Kind) error {
	if k.Userspace() {
		switch {
		case c.Mode != ipsec.Tunnel:
			return &peerconf.Unsupported{What: "transport mode", Why: "kernel-libipsec has tunnel mode alone: take a driver with the kernel's IPsec"}
		case c.Protocol() == ipsec.AH:
			return &peerconf.Unsupported{What: "AH", Why: "kernel-libipsec has ESP alone: take a driver with the kernel's IPsec"}
		}
	}
	s := children.section(c.Name)
	proposals := List{Key: strings.ToLower(c.Protocol().String()) + "_proposals"}
	for _, p := range c.Proposals {
		t := p.Transforms[0]
		if t.ESN && k.Userspace() {
			return &peerconf.Unsupported{What: "extended sequence numbers", Why: "kernel-libipsec has none: take a driver with the kernel's IPsec"}
		}
		word, err := ChildProposal(t, c.PFSGroup)
		if err != nil {
			return err
		}
		proposals.Each = append(proposals.Each, word)
		o.childProposals = append(o.childProposals, childProposal{t, c.PFSGroup})
	}
	s.Items = append(s.Items, proposals)
	s.list("local_ts", selector(c.Local, c.Proto, 0, c.IPv6))
	s.list("remote_ts", selector(c.Remote, c.Proto, 0, c.IPv6))
	s.set("mode", "%v", c.Mode)
	margin := set.MarginOf(c.Lifetime.Duration)
	s.set("rekey_time", "%s", seconds(c.Lifetime.Duration-margin))
	s.set("life_time", "%s", seconds(c.Lifetime.Duration))
	s.set("rand_time", "0s")
	if kb := c.Lifetime.Kilobytes; kb > 0 {
		s.set("rekey_bytes", "%d", kb*1024-kb*1024/10)
		s.set("life_bytes", "%d", kb*1024)
		s.set("rand_bytes", "0")
	}
	if set.Inactivity > 0 {
		s.set("inactivity", "%s", seconds(set.Inactivity))
	}
	if set.ReplayWindow > 0 {
		s.set("replay_window", "%d", set.ReplayWindow)
	}
	start := "none"
	if c.Start == peerconf.Trap && !k.Userspace() {
		start = "trap"
	}
	s.set("start_action", "%s", start)
	return nil
}

// selector writes one end of a traffic selector: 10.0.0.0/24[6/80].
func selector(s peerconf.Selector, proto, icmpType uint8, v6 bool) string {
	text := "dynamic"
	if !s.Endpoint {
		text = s.Addresses(v6).String()
	}
	switch {
	case icmpType != 0:
		// The type is the upper byte of what stands for a port (RFC 4301, Section 4.4.1.1); code 0 is any to the kernel.
		return text + fmt.Sprintf("[%d/%d]", proto, uint16(icmpType)<<8)
	case s.Port != 0:
		return text + fmt.Sprintf("[%d/%d]", proto, s.Port)
	case proto != ipsec.ProtoAny:
		return text + fmt.Sprintf("[%d]", proto)
	}
	return text
}

// shunts are what passes or is dropped, in a connection that is with nobody.
func (o *Configuration) shunts(c *peerconf.Config, k Kind, priorities map[string]uint32) {
	if len(c.Shunts) == 0 || k.Userspace() {
		return
	}
	s := o.Connections.section("shunts")
	s.set("version", "1")
	s.list("remote_addrs", "127.0.0.1")
	children := s.section("children")
	for i := range c.Shunts {
		sh := &c.Shunts[i]
		child := children.section(sh.Name)
		child.list("local_ts", selector(sh.Local, sh.Proto, sh.ICMPType, sh.IPv6))
		child.list("remote_ts", selector(sh.Remote, sh.Proto, sh.ICMPType, sh.IPv6))
		mode := "pass"
		if sh.Drop {
			mode = "drop"
		}
		child.set("mode", "%s", mode)
		if p := priorities[sh.Name]; p != 0 {
			child.set("priority", "%d", p)
		}
		child.set("start_action", "trap")
	}
}
