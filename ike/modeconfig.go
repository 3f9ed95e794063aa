package ike

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// ModeConfig is what one side of a main mode gives the other to work with inside its
// network: an address and more, draft-dukes-ike-mode-cfg-02.
type ModeConfig struct {
	// Gives is what we give to peers; nil: we take.
	Gives *Configuration
	// Push has the side that gives do so of its own accord (ISAKMP_CFG_SET), and the other
	// one wait for it. Else the side that takes asks (ISAKMP_CFG_REQUEST).
	Push bool
	// Version is the APPLICATION_VERSION that we say to a peer that wants to know; "": none.
	Version string
}

// Configuration is what a gateway has for its peers.
type Configuration struct {
	First, Last netip.Addr // of the addresses that it gives, both included
	Netmask     int        // bits of the netmask that goes with them; 0: none is given
	DNS, NBNS   []netip.Addr
	Networks    []netip.Prefix // behind the gateway, for INTERNAL_IP4_SUBNET and Unity's split include
	Banner      string         // Unity's, shown to the user; ""
	Expiry      time.Duration  // INTERNAL_ADDRESS_EXPIRY; 0: as long as the main mode
}

// Assignment is what a peer has been given.
type Assignment struct {
	Address   netip.Addr
	Netmask   int // bits; 0: not given
	DNS, NBNS []netip.Addr
	Networks  []netip.Prefix
	Banner    string
	Expiry    time.Duration
	Version   string // APPLICATION_VERSION of the side that gave
}

// String is the assignment for a person.
func (a Assignment) String() string {
	s := a.Address.String()
	if a.Netmask > 0 {
		s += fmt.Sprintf("/%d", a.Netmask)
	}
	for _, part := range []struct {
		name string
		list []string
	}{{"DNS", texts(a.DNS)}, {"NBNS", texts(a.NBNS)}, {"networks", texts(a.Networks)}} {
		if len(part.list) > 0 {
			s += ", " + part.name + " " + strings.Join(part.list, " ")
		}
	}
	if a.Expiry > 0 {
		s += ", for " + a.Expiry.String()
	}
	return s
}

func texts[T fmt.Stringer](all []T) (list []string) {
	for _, v := range all {
		list = append(list, v.String())
	}
	return list
}

// Bounds of what is given and taken.
const (
	maxPool     = 1 << 16 // addresses of one pool
	maxServers  = 8       // of a kind
	maxNetworks = 64
)

// Check reports what is out of range.
func (m *ModeConfig) Check() error {
	g := m.Gives
	switch {
	case len(m.Version) > maxUserText:
		return fmt.Errorf("mode config with a version of more than %d bytes", maxUserText)
	case g == nil:
		return nil
	case !g.First.Is4() || !g.Last.Is4() || g.Last.Less(g.First):
		return fmt.Errorf("mode config gives the addresses %v to %v, must be IPv4 and in order", g.First, g.Last)
	case g.Size() > maxPool:
		return fmt.Errorf("mode config gives %d addresses, must be %d at most", g.Size(), maxPool)
	case g.Netmask < 0 || g.Netmask > 32:
		return fmt.Errorf("mode config with a netmask of %d bits, must be 0 to 32", g.Netmask)
	case len(g.DNS) > maxServers || len(g.NBNS) > maxServers || len(g.Networks) > maxNetworks:
		return fmt.Errorf("mode config with more than %d servers of a kind or %d networks", maxServers, maxNetworks)
	case slices.ContainsFunc(append(slices.Clone(g.DNS), g.NBNS...), func(a netip.Addr) bool { return !a.Is4() }):
		return fmt.Errorf("mode config with a server that has no IPv4 address")
	case slices.ContainsFunc(g.Networks, func(p netip.Prefix) bool { return !p.IsValid() || !p.Addr().Is4() }):
		return fmt.Errorf("mode config with a network that is not IPv4")
	case len(g.Banner) > 1024:
		return fmt.Errorf("mode config with a banner of more than 1024 bytes")
	case g.Expiry < 0:
		return fmt.Errorf("mode config with an expiry of %v, must not be negative", g.Expiry)
	}
	return nil
}

// Size is how many addresses there are to be given.
func (c *Configuration) Size() int { return int(number(c.Last)) - int(number(c.First)) + 1 }

// Address is the nth of them, from 0.
func (c *Configuration) Address(n int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, number(c.First)+uint32(n))))
}

func number(a netip.Addr) uint32 { b := a.As4(); return binary.BigEndian.Uint32(b[:]) }

// Assignment is what comes with an address.
func (c *Configuration) Assignment(a netip.Addr, version string) Assignment {
	return Assignment{
		Address: a, Netmask: c.Netmask, DNS: c.DNS, NBNS: c.NBNS, Networks: c.Networks, Banner: c.Banner, Expiry: c.Expiry, Version: version,
	}
}

// wanted are what a side that takes asks for, in this order.
var wanted = []uint16{
	payload.ConfigIP4Address, payload.ConfigIP4Netmask, payload.ConfigIP4DNS, payload.ConfigIP4NBNS, payload.ConfigAddressExpiry,
	payload.ConfigVersion, payload.ConfigIP4Subnet, payload.UnityBanner, payload.UnitySplitInclude,
}

// WantedAttributes are those of a request: empty values ask for whatever there is.
func WantedAttributes() (as []payload.Attribute) {
	for _, t := range wanted {
		as = append(as, payload.Attribute{Type: t})
	}
	return as
}

// Attributes are the assignment as the attributes of a message: of the types asked for, or
// with nil all of them. Those that there is nothing to say about are left out.
func (a Assignment) Attributes(asked []payload.Attribute) (as []payload.Attribute) {
	for _, t := range wanted {
		if asked != nil && !slices.ContainsFunc(asked, func(o payload.Attribute) bool { return o.Type == t }) {
			continue
		}
		for _, v := range a.values(t) {
			as = append(as, payload.Attribute{Type: t, Value: v})
		}
	}
	return as
}

func (a Assignment) values(t uint16) (all [][]byte) {
	addresses := func(of []netip.Addr) {
		for _, s := range of {
			all = append(all, s.AsSlice())
		}
	}
	text := func(s string) {
		if s != "" {
			all = append(all, []byte(s))
		}
	}
	switch t {
	case payload.ConfigIP4Address:
		if a.Address.IsValid() {
			all = append(all, a.Address.AsSlice())
		}
	case payload.ConfigIP4Netmask:
		if a.Address.IsValid() && a.Netmask > 0 {
			all = append(all, mask(a.Netmask))
		}
	case payload.ConfigIP4DNS:
		addresses(a.DNS)
	case payload.ConfigIP4NBNS:
		addresses(a.NBNS)
	case payload.ConfigAddressExpiry:
		if a.Expiry > 0 {
			all = append(all, binary.BigEndian.AppendUint32(nil, seconds(a.Expiry)))
		}
	case payload.ConfigVersion:
		text(a.Version)
	case payload.ConfigIP4Subnet:
		for _, n := range a.Networks {
			all = append(all, append(n.Masked().Addr().AsSlice(), mask(n.Bits())...))
		}
	case payload.UnityBanner:
		text(a.Banner)
	case payload.UnitySplitInclude:
		var v []byte // all of them in one attribute: address, mask, and six bytes for a protocol and ports
		for _, n := range a.Networks {
			v = append(append(append(v, n.Masked().Addr().AsSlice()...), mask(n.Bits())...), make([]byte, 6)...)
		}
		if v != nil {
			all = append(all, v)
		}
	}
	return all
}

func mask(bits int) []byte {
	return binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-bits))
}

func maskBits(b []byte) (int, bool) {
	v := binary.BigEndian.Uint32(b)
	for bits := 0; bits <= 32; bits++ {
		if v == ^uint32(0)<<(32-bits) {
			return bits, true
		}
	}
	return 0, false
}

// ReadAssignment reads what a peer gives. Attributes that it does not know are passed
// over, and so are those whose value is empty. The error is an *Error.
func ReadAssignment(as []payload.Attribute) (a Assignment, err error) {
	for _, at := range as {
		if len(at.Value) == 0 {
			continue
		}
		if err := a.read(at); err != nil {
			name, value := payload.ConfigAttributeName(at)
			return a, Errorf(CodeInnerAddress, payload.NotifyAttributesNotSupported, "mode config has %s %s: %v", name, value, err)
		}
	}
	return a, nil
}

func (a *Assignment) read(at payload.Attribute) error {
	address := func() (netip.Addr, error) {
		if len(at.Value) != 4 {
			return netip.Addr{}, fmt.Errorf("it has %d bytes, must have 4", len(at.Value))
		}
		return netip.AddrFrom4([4]byte(at.Value)), nil
	}
	server := func(list *[]netip.Addr) error {
		s, err := address()
		if err == nil && len(*list) < maxServers {
			*list = append(*list, s)
		}
		return err
	}
	var err error
	switch at.Type {
	case payload.ConfigIP4Address:
		if a.Address.IsValid() {
			return nil // the first one of several serves
		}
		a.Address, err = address()
	case payload.ConfigIP4Netmask:
		if _, err = address(); err == nil {
			var ok bool
			if a.Netmask, ok = maskBits(at.Value); !ok {
				err = fmt.Errorf("it is no netmask")
			}
		}
	case payload.ConfigIP4DNS:
		err = server(&a.DNS)
	case payload.ConfigIP4NBNS:
		err = server(&a.NBNS)
	case payload.ConfigAddressExpiry:
		v, ok := at.Uint()
		if !ok || v > 1<<32-1 {
			return fmt.Errorf("it is no number of seconds")
		}
		a.Expiry = time.Duration(v) * time.Second
	case payload.ConfigVersion:
		a.Version = short(at.Value)
	case payload.UnityBanner:
		a.Banner = short(at.Value)
	case payload.ConfigIP4Subnet:
		if len(at.Value) != 8 {
			return fmt.Errorf("it has %d bytes, must have 8", len(at.Value))
		}
		err = a.network(at.Value)
	case payload.UnitySplitInclude:
		const entry = 14
		if len(at.Value)%entry != 0 {
			return fmt.Errorf("it has %d bytes, must be a multiple of %d", len(at.Value), entry)
		}
		for v := at.Value; len(v) > 0 && err == nil; v = v[entry:] {
			err = a.network(v[:8])
		}
	}
	return err
}

// network takes an address and its mask.
func (a *Assignment) network(b []byte) error {
	bits, ok := maskBits(b[4:])
	if !ok {
		return fmt.Errorf("%x is no netmask", b[4:])
	}
	p := netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), bits).Masked()
	if len(a.Networks) < maxNetworks && !slices.Contains(a.Networks, p) {
		a.Networks = append(a.Networks, p)
	}
	return nil
}

// short is a text of a peer, cut to what is kept of one.
func short(b []byte) string { return strings.ToValidUTF8(string(b[:min(len(b), 1024)]), "\uFFFD") }
