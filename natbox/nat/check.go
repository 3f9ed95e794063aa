package nat

import (
	"errors"
	"fmt"
)

// Check says what is wrong with a configuration, and what to do.
func (c Config) Check() error {
	if len(c.Outside) == 0 {
		return errors.New("nat: no outside address: name at least one")
	}
	for _, a := range c.Outside {
		if !a.Is4() {
			return fmt.Errorf("nat: outside address %v is not an IPv4 address: only those are translated", a)
		}
	}
	return c.unsupported()
}

// unsupported names what a configuration asks for that is not there.
func (c Config) unsupported() error {
	for _, x := range []struct {
		name  string
		asked bool
	}{
		{"Ports.Range, Parity, First, Last or Reserved", c.Ports.Range != 0 || c.Ports.Parity || c.Ports.First != 0 || c.Ports.Last != 0 || c.Ports.Reserved != nil},
		{"Ports.Collision AnotherRandom, Share or Overload", c.Ports.Collision != Another && c.Ports.Collision != Refuse},
		{"Ports.Assignment Contiguous", c.Ports.Assignment == Contiguous},
		{"Blocks", c.Blocks.Size != 0},
		{"Static or Forwards", len(c.Static)+len(c.Forwards) > 0},
		{"RewriteID", c.RewriteID},
		{"ESP, AH or Other", c.ESP != Portless{} || c.AH != Portless{} || c.Other != Portless{}},
		{"IKE", c.IKE != 0 || c.IKEPorts != nil},
		{"TCPRules", c.TCPRules != TCPRules{}},
		{"Change", c.Change != 0},
		{"Faults", c.Faults != Faults{}},
		{"ICMP", c.ICMP != ICMP{}},
	} {
		if x.asked {
			return fmt.Errorf("nat: %s: not supported yet; leave it out", x.name)
		}
	}
	return nil
}
