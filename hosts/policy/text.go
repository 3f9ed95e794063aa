package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// MaxText bounds the text of a policy.
const MaxText = 1 << 20

// Text writes a policy as JSON that ParseText reads: a form of the lab's own, for
// policies that go from one host to another. Keys stand in it as they are (C104).
func (p *Policy) Text() ([]byte, error) { return json.Marshal(p) }

// ParseText reads what Text has written. That the policy makes sense is for Compile to say.
func ParseText(text []byte) (*Policy, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("policy: a text of %d bytes: the most is %d", len(text), MaxText)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var p *Policy
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("policy: reading a policy: %w", err)
	}
	if _, err := d.Token(); err != io.EOF || p == nil {
		return nil, errors.New("policy: reading a policy: it is not one JSON object")
	}
	return p, nil
}

// What stands in front of an address that could be taken for another.
const (
	textName    = "name:"
	textServers = "servers:"
)

// MarshalText implements encoding.TextMarshaler.
func (a Address) MarshalText() ([]byte, error) {
	switch a.kind {
	case 0:
		return nil, nil // Compile refuses it
	case addressName:
		return []byte(textName + a.name), nil
	case addressServers:
		return []byte(textServers + a.servers.String()), nil
	}
	return []byte(a.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	name, named := strings.CutPrefix(s, textName)
	word, servers := strings.CutPrefix(s, textServers)
	switch {
	case s == "":
		*a = Address{}
	case s == Me().String():
		*a = Me()
	case s == Any().String():
		*a = Any()
	case named:
		*a = DNSName(name)
	case servers:
		i := slices.IndexFunc(ServerKinds, func(k ServerKind) bool { return k.String() == word })
		if i < 0 {
			return fmt.Errorf("policy: %q is no kind of servers", word)
		}
		*a = Servers(ServerKinds[i])
	default:
		if addr, err := netip.ParseAddr(s); err == nil {
			*a = Host(addr)
			return nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return fmt.Errorf("policy: %q is no address of a filter", s)
		}
		*a = Subnet(p)
	}
	return nil
}
