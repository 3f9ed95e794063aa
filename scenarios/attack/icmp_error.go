package attack

import (
	"errors"
	"fmt"
)

// Types and codes of errors: RFC 792; RFC 4443, Sections 3.1 and 3.2.
const (
	destinationUnreachable  = 3
	destinationUnreachable6 = 1
	codeFragmentationNeeded = 4
	packetTooBig            = 2
)

// byFamily is one of two numbers of ICMP, by the version of IP.
func byFamily(f *Forgery, v4, v6 uint8) uint8 {
	if f.Victim.Is6() {
		return v6
	}
	return v4
}

// errNotThisIP is for messages that the other version of IP has.
var errNotThisIP = errors.New("this version of IP has no such message")

func (a *Attacker) unreachable(f *Forgery, p *Packet) error {
	return a.icmpError(f, p, ICMP{Type: byFamily(f, destinationUnreachable, destinationUnreachable6), Code: f.Code})
}

// fragmentationNeeded names the MTU as RFC 1191, Section 4 has it.
func (a *Attacker) fragmentationNeeded(f *Forgery, p *Packet) error {
	if f.Victim.Is6() {
		return errNotThisIP
	}
	p.Words += fmt.Sprintf(" with MTU %d", f.MTU)
	return a.icmpError(f, p, ICMP{Type: destinationUnreachable, Code: codeFragmentationNeeded, Rest: uint32(f.MTU)})
}

// packetTooBig names the MTU as RFC 4443, Section 3.2 has it.
func (a *Attacker) packetTooBig(f *Forgery, p *Packet) error {
	if f.Victim.Is4() {
		return errNotThisIP
	}
	p.Words += fmt.Sprintf(" with MTU %d", f.MTU)
	return a.icmpError(f, p, ICMP{Type: packetTooBig, Rest: uint32(f.MTU)})
}

// icmpError quotes the latest packet of the one who gets it.
func (a *Attacker) icmpError(f *Forgery, p *Packet, header ICMP) error {
	quoted, ok := a.heard.last.get(f.Victim)
	if f.Quote != 0 {
		quoted, ok = a.heard.kind.get(senderOf{f.Victim, f.Quote})
	}
	if !ok {
		return fmt.Errorf("he has overheard no packet of %s that it could be about", f.Victim)
	}
	p.ICMP, p.Data = &header, quoted
	p.Words += ", about a packet overheard"
	return nil
}
