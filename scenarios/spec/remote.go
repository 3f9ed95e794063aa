package spec

import (
	"net/netip"
	"strings"
)

// XAuth is extended authentication (XAUTH, draft-beaulieu-ike-xauth-02) after the proof of
// a method: the side with users asks the other one for a user's name and password. Windows
// has none.
type XAuth struct {
	User     string `yaml:"user" jsonschema:"minLength=1,maxLength=253"` // of the side that is asked
	Password string `yaml:"password" jsonschema:"minLength=1,maxLength=253"`

	Users    map[string]string `yaml:"users"`                                       // of the side that asks: passwords by user
	Attempts int               `yaml:"attempts" jsonschema:"minimum=0,maximum=100"` // how often it asks under one main mode; 0: 3
	Message  string            `yaml:"message" jsonschema:"maxLength=253"`          // shown to the user with the question
	Passcode bool              `yaml:"passcode"`                                    // it asks for a passcode instead of a password
}

// ModeConfig has a host take an inner address from its peers, or give them some, between
// phase 1 and the first quick mode (draft-dukes-ike-mode-cfg-02). The address is in the trace
// and in what show prints; that traffic uses it is unsupported until there are gateways.
type ModeConfig struct {
	Give    *InnerAddresses `yaml:"give"`    // to peers; left out: the host takes one
	Push    bool            `yaml:"push"`    // the side that gives does so unasked, and the other one waits; default: it is asked
	Version string          `yaml:"version"` // the APPLICATION_VERSION that the host says
}

// InnerAddresses are what a host gives to its peers by mode config.
type InnerAddresses struct {
	From     string   `yaml:"from" jsonschema:"required"`                // the first address
	To       string   `yaml:"to" jsonschema:"required"`                  // the last one
	Netmask  int      `yaml:"netmask" jsonschema:"minimum=0,maximum=32"` // in bits; 0: none is given
	DNS      []string `yaml:"dns"`                                       // name servers
	WINS     []string `yaml:"wins"`                                      // NetBIOS name servers
	Networks []string `yaml:"networks"`                                  // behind the host: subnets, and Unity's split include
	Banner   string   `yaml:"banner"`                                    // Unity's, for the user
	Expiry   Duration `yaml:"expiry"`                                    // of the address; 0: with the main mode
}

// NewGroupMode is new group mode (RFC 2409, Section 5.6): the two sides of a main mode agree
// on a Diffie–Hellman group of their own, which is that of perfect forward secrecy from then
// on. Windows has none.
type NewGroupMode struct {
	Accept  bool          `yaml:"accept"`                                       // takes groups of peers
	MinBits int           `yaml:"min-bits" jsonschema:"minimum=0,maximum=4096"` // of those; 0: 1024
	MaxBits int           `yaml:"max-bits" jsonschema:"minimum=0,maximum=4096"` // 0: 2048
	Propose *PrivateGroup `yaml:"propose"`                                      // as the initiator of a main mode
}

// PrivateGroup is a MODP group without a number that everybody knows. The prime must be a
// safe one: (p-1)/2 is prime too.
type PrivateGroup struct {
	Number    int    `yaml:"number" jsonschema:"required,minimum=32768,maximum=65535"`
	Prime     string `yaml:"prime" jsonschema:"required"`      // in hexadecimal; spaces do not count
	Generator int    `yaml:"generator" jsonschema:"minimum=0"` // 0: 2
}

// Forms of an identity of phase 1.
const (
	IdentityKeyID    = "key-id:"
	IdentityFQDN     = "fqdn:"
	IdentityUserFQDN = "user-fqdn:"
)

// IdentityForms are the forms of ike-identity.
var IdentityForms = []string{IdentityKeyID, IdentityFQDN, IdentityUserFQDN}

// CutIdentity is the form of an identity, and the name in it.
func CutIdentity(word string) (form, name string, ok bool) {
	for _, f := range IdentityForms {
		if name, ok := strings.CutPrefix(word, f); ok && name != "" {
			return f, name, true
		}
	}
	return "", "", false
}

// remote checks the settings of a node that remote access needs.
func (c *checker) remote(path, name string, n Node) {
	s := n.IPsec
	if p, ok := n.Profile(); ok && p.IPsec {
		for _, x := range []struct {
			key          string
			named, knows bool
		}{{"mode-config", s.ModeConfig != nil, p.ModeConfig}, {"new-group-mode", s.NewGroupMode != nil, p.NewGroupMode}} {
			if x.named && !x.knows {
				c.key(child(path, x.key), "%s: %s is %s (os: %s), which has none", x.key, name, p.Title, n.OS)
			}
		}
	}
	if _, _, ok := CutIdentity(s.Identity); s.Identity != "" && (!ok || len(s.Identity) > 255) {
		c.at(child(path, "ike-identity"), "ike-identity: want key-id:GROUP, fqdn:NAME or user-fqdn:USER@NAME, got %q", shorten(s.Identity))
	}
	if m := s.ModeConfig; m != nil && m.Give != nil {
		c.give(child(child(path, "mode-config"), "give"), m.Give)
	}
	if g := s.NewGroupMode; g != nil {
		at := child(path, "new-group-mode")
		c.between(at, "min-bits", g.MinBits, 0, 4096)
		c.between(at, "max-bits", g.MaxBits, 0, 4096)
		if g.Propose != nil {
			c.between(child(at, "propose"), "number", g.Propose.Number, 32768, 65535)
		}
	}
}

// maxPool bounds how many addresses one host gives.
const maxPool = 1 << 16

func (c *checker) give(path string, g *InnerAddresses) {
	from, to := c.ipv4(path, "from", g.From), c.ipv4(path, "to", g.To)
	if from.IsValid() && to.IsValid() {
		a, b := from.As4(), to.As4()
		n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		n -= int(a[0])<<24 | int(a[1])<<16 | int(a[2])<<8 | int(a[3])
		if n < 0 || n >= maxPool {
			c.at(child(path, "to"), "to: from %s to %s are not 1 to %d addresses", from, to, maxPool)
		}
	}
	c.between(path, "netmask", g.Netmask, 0, 32)
	for i, s := range g.DNS {
		c.ipv4(child(path, "dns"), i, s)
	}
	for i, s := range g.WINS {
		c.ipv4(child(path, "wins"), i, s)
	}
	for i, s := range g.Networks {
		if p, err := netip.ParsePrefix(s); err != nil || !p.Addr().Is4() {
			c.at(item(child(path, "networks"), i), "networks: want a subnet of IPv4, got %q", shorten(s))
		}
	}
	c.span(path, "expiry", g.Expiry)
}

// ipv4 reads an address, under a key or in a list.
func (c *checker) ipv4(path string, at any, word string) netip.Addr {
	a, err := netip.ParseAddr(word)
	if err == nil && a.Is4() {
		return a
	}
	switch at := at.(type) {
	case string:
		c.at(child(path, at), "%s: want an IPv4 address, got %q", at, shorten(word))
	case int:
		c.at(item(path, at), "want an IPv4 address, got %q", shorten(word))
	}
	return netip.Addr{}
}

// xauth checks the extended authentication of a method.
func (c *checker) xauth(path string, x *XAuth) {
	asks, asked := len(x.Users) > 0, x.User != "" || x.Password != ""
	switch {
	case asks == asked:
		c.at(path, "xauth: the side that asks has users, the other one user and password")
	case asked && (x.User == "" || x.Password == ""):
		c.at(path, "xauth: a user needs a password, and a password a user")
	case asked && (x.Attempts != 0 || x.Message != "" || x.Passcode):
		c.at(path, "xauth: attempts, message and passcode are of the side with users")
	}
	for _, name := range sorted(x.Users) {
		if x.Users[name] == "" {
			c.at(child(child(path, "users"), name), "xauth: user %s has no password", shorten(name))
		}
	}
	c.between(path, "attempts", x.Attempts, 0, 100)
}
