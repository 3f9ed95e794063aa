package netsh

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// Config is what set config has put into the registry. nil is what has not been set.
// What the numbers of the first four may be is unconfirmed, so that any is taken, but
// no interval of no length.
type Config struct {
	Diagnostics    *int // ipsecdiagnostics
	IKELogging     *int // ikelogging
	StrongCRLCheck *int // strongcrlcheck: 0 no check, 1 fails for certificates that are revoked, 2 on any problem
	LogInterval    *int // ipsecloginterval: seconds (unconfirmed)
	Exempt         *int // ipsecexempt: NoDefaultExempt, 0 to 3 (C065, C066)

	BootMode       BootMode
	BootExemptions []BootExemption // nil: not set; empty: none
}

// BootMode is what the driver does until the policy agent runs (TechNet cc783039).
type BootMode uint8

// The modes of set config bootmode.
const (
	BootModeUnset BootMode = iota
	BootStateful           // outbound passes, and answers to it
	BootBlock              // nothing passes but exemptions and DHCP
	BootPermit             // all passes
)

// String is the word of netsh.
func (m BootMode) String() string {
	switch m {
	case BootModeUnset:
		return "unset"
	case BootStateful:
		return "stateful"
	case BootBlock:
		return "block"
	case BootPermit:
		return "permit"
	}
	return fmt.Sprintf("bootmode(%d)", uint8(m))
}

// BootExemption is traffic that passes while the mode is block or stateful. The form in
// which netsh takes it, protocol:source port:destination port:direction, is unconfirmed.
type BootExemption struct {
	Protocol                    uint8
	SourcePort, DestinationPort uint16
	Inbound                     bool
}

// String is the form that netsh takes.
func (e BootExemption) String() string {
	direction := "outbound"
	if e.Inbound {
		direction = "inbound"
	}
	return fmt.Sprintf("%s:%d:%d:%s", protocolWord(e.Protocol), e.SourcePort, e.DestinationPort, direction)
}

// properties are those of set config, in the order of the documentation.
var properties = []string{"ipsecdiagnostics", "ikelogging", "strongcrlcheck", "ipsecloginterval", "ipsecexempt", "bootmode", "bootexemptions"}

// number is where the value of a property that is a number is kept.
func (c *Config) number(property string) **int {
	switch property {
	case "ipsecdiagnostics":
		return &c.Diagnostics
	case "ikelogging":
		return &c.IKELogging
	case "strongcrlcheck":
		return &c.StrongCRLCheck
	case "ipsecloginterval":
		return &c.LogInterval
	case "ipsecexempt":
		return &c.Exempt
	}
	return nil
}

// setConfig changes the registry. It says of what the lab does not act on that it does not.
func setConfig(s *session, a *args) error {
	c := &s.store.Config
	property := a.word("property", "", properties...)
	if a.err != nil {
		return a.err
	}
	switch property {
	case "bootmode":
		mode := a.word("value", "", "stateful", "block", "permit")
		if a.err != nil {
			return a.err
		}
		c.BootMode = map[string]BootMode{"stateful": BootStateful, "block": BootBlock, "permit": BootPermit}[mode]
		a.note("the driver takes it at the next start of the computer")
		return nil
	case "bootexemptions":
		exemptions, err := a.bootExemptions()
		if err != nil {
			return err
		}
		c.BootExemptions = exemptions
		a.note("the driver takes it at the next start of the computer")
		return nil
	}
	low, high := 0, 1<<31-1
	switch property {
	case "ipsecexempt":
		high = 3
	case "strongcrlcheck":
		high = 2
	case "ipsecloginterval":
		low = 1
	}
	n := a.number("value", low, high)
	if a.err != nil {
		return a.err
	}
	*c.number(property) = &n
	switch property {
	case "ipsecexempt":
		a.note("the driver takes it at its next start (TechNet cc756041)")
	case "ipsecloginterval":
		a.note("the driver takes it, in seconds, at its next start; that both are so is unconfirmed")
	default:
		a.note("%s is kept and has no effect: the lab has none of what it controls", property)
	}
	return nil
}

func (a *args) bootExemptions() ([]BootExemption, error) {
	text := a.text("value")
	all := []BootExemption{}
	if strings.EqualFold(text, "none") {
		return all, nil
	}
	for _, word := range strings.Fields(text) {
		parts := strings.Split(word, ":")
		n := len(parts)
		if n != 2 && n != 4 {
			return nil, a.refuse("value", "value: %q is none of protocol:direction and protocol:srcport:dstport:direction", word)
		}
		var e BootExemption
		protocol, ok := protocolNumbers[strings.ToLower(parts[0])]
		if p, err := strconv.ParseUint(parts[0], 10, 8); err == nil {
			protocol, ok = uint8(p), true
		}
		if !ok || protocol == 0 {
			return nil, a.refuse("value", "value: %q: %q is no protocol", word, parts[0])
		}
		e.Protocol = protocol
		direction, _ := match(parts[n-1], []string{"inbound", "outbound"})
		if direction == "" {
			return nil, a.refuse("value", "value: %q: %q is neither inbound nor outbound", word, parts[n-1])
		}
		e.Inbound = direction == "inbound"
		if n == 4 {
			for i, port := range []*uint16{&e.SourcePort, &e.DestinationPort} {
				p, err := strconv.ParseUint(parts[1+i], 10, 16)
				if err != nil {
					return nil, a.refuse("value", "value: %q: %q is no port from 0 to 65535", word, parts[1+i])
				}
				*port = uint16(p)
			}
		}
		if (e.SourcePort != 0 || e.DestinationPort != 0) && e.Protocol != protocolNumbers["tcp"] && e.Protocol != protocolNumbers["udp"] {
			return nil, a.refuse("value", "value: %q: a port needs tcp or udp", word)
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return nil, a.refuse("value", "value is empty: write none for no exemptions")
	}
	return all, nil
}

// protocolWord is netsh's word for a protocol.
func protocolWord(p uint8) string {
	for _, word := range []string{"any", "icmp", "tcp", "udp", "raw"} {
		if protocolNumbers[word] == p {
			return strings.ToUpper(word)
		}
	}
	return strconv.Itoa(int(p))
}

// Exemptions are those of a host with this configuration; ok is false where it has the
// default of its system.
func (c *Config) Exemptions() (e policy.Exemptions, ok bool) {
	if c.Exempt == nil {
		return e, false
	}
	e, err := policy.NoDefaultExempt(*c.Exempt)
	return e, err == nil
}
