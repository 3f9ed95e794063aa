package swan

import (
	"context"
	"net/netip"
	"time"

	"github.com/strongswan/govici/vici"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// SA is an IKE SA as charon lists it. Times are from now: those that are over are negative, and
// those that charon does not give are 0.
type SA struct {
	Connection string
	ID         uint32
	Version    int
	State      string // ESTABLISHED, CONNECTING, REKEYING, DELETING …
	Initiator  bool
	// The cookies, as numbers.
	InitiatorCookie, ResponderCookie uint64

	Local, Remote     netip.AddrPort
	LocalID, RemoteID string

	NATLocal, NATRemote, NATFake, NATAny bool

	// Algorithms in the words of package suite; "" and 0: charon did not say, or one that we do not have.
	Cipher, Hash string
	Group        uint16
	Words        []string // what charon called them

	Established, RekeyIn, ReauthIn time.Duration

	Children []ChildSA
}

// ChildSA is a pair of IPsec SAs as charon lists it.
type ChildSA struct {
	Name     string // of the child
	ID       uint32
	ReqID    uint32
	State    string // INSTALLED, REKEYED, DELETED …
	Mode     string // TUNNEL or TRANSPORT
	Protocol ipsec.Protocol
	Encap    bool // ESP in UDP
	In, Out  uint32

	Cipher, Auth string // in the words of package suite
	Group        uint16 // of perfect forward secrecy; 0: none
	ESN          bool
	Words        []string // what charon called them

	BytesIn, BytesOut, PacketsIn, PacketsOut uint64
	RekeyIn, LifeLeft, Installed             time.Duration

	LocalTS, RemoteTS []string
}

// ListSAs lists what charon has.
func (c *Client) ListSAs(ctx context.Context) (all []SA, err error) {
	events, err := c.events(ctx, "list-sas", "list-sa", nil)
	for _, e := range events {
		all = append(all, sas(e)...)
	}
	return all, err
}

// sas reads an event that has IKE SAs by the names of their connections.
func sas(m *vici.Message) (all []SA) {
	for name, f := range (fields{m}).sections() {
		s := SA{
			Connection: name, ID: uint32(f.number("uniqueid")), Version: int(f.number("version")), State: f.text("state"), Initiator: f.yes("initiator"),
			InitiatorCookie: f.hex("initiator-spi", 64), ResponderCookie: f.hex("responder-spi", 64),
			Local: endpoint(f, "local"), Remote: endpoint(f, "remote"), LocalID: f.text("local-id"), RemoteID: f.text("remote-id"),
			NATLocal: f.yes("nat-local"), NATRemote: f.yes("nat-remote"), NATFake: f.yes("nat-fake"), NATAny: f.yes("nat-any"),
			Words:       words(f, "encr-alg", "integ-alg", "prf-alg", "dh-group"),
			Established: f.time("established"), RekeyIn: f.time("rekey-time"), ReauthIn: f.time("reauth-time"),
		}
		s.Cipher = suiteOf(encryptions, f, "encr")
		s.Hash = suiteOf(hashes, f, "integ")
		if s.Hash == "" { // charon 5.9 lists the PRF alone where the integrity algorithm says nothing more
			s.Hash = hashOfPRF[f.text("prf-alg")]
		}
		s.Group = groupNamed(f.text("dh-group"))
		for key, child := range f.section("child-sas").sections() {
			s.Children = append(s.Children, childSA(key, child))
		}
		all = append(all, s)
	}
	return all
}

var hashOfPRF = map[string]string{
	"PRF_HMAC_MD5": "md5", "PRF_HMAC_SHA1": "sha1", "PRF_HMAC_SHA2_256": "sha256", "PRF_HMAC_SHA2_384": "sha384", "PRF_HMAC_SHA2_512": "sha512",
}

func childSA(key string, f fields) ChildSA {
	c := ChildSA{
		Name: f.text("name"), ID: uint32(f.number("uniqueid")), ReqID: uint32(f.number("reqid")), State: f.text("state"), Mode: f.text("mode"),
		Encap: f.yes("encap"), In: uint32(f.hex("spi-in", 32)), Out: uint32(f.hex("spi-out", 32)),
		Cipher: suiteOf(encryptions, f, "encr"), Auth: suiteOf(integrities, f, "integ"), Group: groupNamed(f.text("dh-group")), ESN: f.text("esn") == "1",
		Words:   words(f, "encr-alg", "integ-alg", "dh-group"),
		BytesIn: f.number("bytes-in"), BytesOut: f.number("bytes-out"), PacketsIn: f.number("packets-in"), PacketsOut: f.number("packets-out"),
		RekeyIn: f.time("rekey-time"), LifeLeft: f.time("life-time"), Installed: f.time("install-time"),
		LocalTS: f.list("local-ts"), RemoteTS: f.list("remote-ts"),
	}
	if c.Name == "" {
		c.Name = key
	}
	switch f.text("protocol") {
	case "ESP":
		c.Protocol = ipsec.ESP
	case "AH":
		c.Protocol = ipsec.AH
	}
	return c
}

// endpoint is an address with its port, local or remote.
func endpoint(f fields, side string) netip.AddrPort {
	a, err := netip.ParseAddr(f.text(side + "-host"))
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, uint16(f.number(side+"-port")))
}

func suiteOf(table []Algorithm, f fields, kind string) string {
	a, _ := byName(table, f.text(kind+"-alg"), int(f.number(kind+"-keysize")))
	return a.Suite
}

func groupNamed(name string) uint16 {
	for _, g := range groups {
		if g.Name == name {
			return g.Number
		}
	}
	return 0
}

// words are the values of some keys, with the size of a key behind.
func words(f fields, keys ...string) (all []string) {
	for _, k := range keys {
		w := f.text(k)
		if size := f.text(k[:len(k)-len("-alg")] + "-keysize"); w != "" && size != "" && k != "dh-group" {
			w += "-" + size
		}
		if w != "" {
			all = append(all, w)
		}
	}
	return all
}

// Loaded is a connection as charon lists it.
type Loaded struct {
	Name          string
	Version       string // IKEv1, IKEv2 or IKEv1/2
	Local, Remote []string
	Children      map[string]LoadedChild
}

// LoadedChild is a child of one.
type LoadedChild struct {
	Mode              string
	LocalTS, RemoteTS []string
}

// Connections lists the connections that charon has loaded.
func (c *Client) Connections(ctx context.Context) (all []Loaded, err error) {
	events, err := c.events(ctx, "list-conns", "list-conn", nil)
	for _, e := range events {
		for name, f := range (fields{e}).sections() {
			l := Loaded{Name: name, Version: f.text("version"), Local: f.list("local_addrs"), Remote: f.list("remote_addrs"), Children: map[string]LoadedChild{}}
			for child, g := range f.section("children").sections() {
				l.Children[child] = LoadedChild{Mode: g.text("mode"), LocalTS: g.list("local-ts"), RemoteTS: g.list("remote-ts")}
			}
			all = append(all, l)
		}
	}
	return all, err
}
