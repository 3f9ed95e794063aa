package attack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Forgery is a message in the name of somebody, for which the attacker uses what
// he has overheard.
type Forgery struct {
	Segment  string
	To       string     // the node there that gets the frame
	As       netip.Addr // whose name; of the family of Victim
	Victim   netip.Addr // who gets it
	FromPort uint16     // 0: that of the conversation overheard, or one of his own
	Port     uint16
	Size     int    // of data, with UDP and ping
	MTU      uint16 // with fragmentation-needed and packet-too-big
	Code     uint8  // with unreachable
	Quote    uint8  // the protocol of the packet that an ICMP error quotes; 0: any
	Notify   uint16 // with ike-notify: the type
}

// messages make the packets that can be forged.
var messages = map[string]func(*Attacker, *Forgery, *Packet) error{
	"udp":                  (*Attacker).datagram,
	"ping":                 (*Attacker).echo,
	"tcp-syn":              (*Attacker).tcpSYN,
	"tcp-ack":              (*Attacker).tcpACK,
	"tcp-reset":            (*Attacker).tcpReset,
	"unreachable":          (*Attacker).unreachable,
	"fragmentation-needed": (*Attacker).fragmentationNeeded,
	"packet-too-big":       (*Attacker).packetTooBig,
	"ike-notify":           (*Attacker).ikeNotify,
	"ike-delete":           (*Attacker).ikeDelete,
	"ike-main-mode":        (*Attacker).ikeMainMode,
}

// Spoof forges a message, named by one of the words of Messages.
func (a *Attacker) Spoof(message string, f Forgery) error {
	build := messages[message]
	if build == nil {
		return fmt.Errorf("attack: nobody can forge %q", message)
	}
	p := Packet{Segment: f.Segment, To: f.To, Src: f.As, Dst: f.Victim, ID: a.number16(), Words: message}
	if err := build(a, &f, &p); err != nil {
		return fmt.Errorf("attack: %s cannot forge %s: %w", a.name, message, err)
	}
	p.Words += fmt.Sprintf(", in the name of %s", f.As)
	return a.put(p, "spoofed")
}

func (a *Attacker) number16() uint16 { return uint16(a.rand.Uint64()) }
func (a *Attacker) number32() uint32 { return uint32(a.rand.Uint64()) }

// Noise is data of the attacker's own: letters at random, which programs that
// guess at protocols take for none.
func (a *Attacker) Noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(a.rand.IntN(26))
	}
	return b
}

// sourcePort is the one wanted, or one from the range of Windows Server 2003, 1025 to 5000.
func (a *Attacker) sourcePort(f *Forgery) uint16 {
	if f.FromPort != 0 {
		return f.FromPort
	}
	const first, last = 1025, 5000
	return first + uint16(a.rand.IntN(last-first+1))
}

func (a *Attacker) datagram(f *Forgery, p *Packet) error {
	p.UDP = &UDP{SrcPort: a.sourcePort(f), DstPort: f.Port}
	p.Data = a.Noise(f.Size)
	return nil
}

func (a *Attacker) echo(f *Forgery, p *Packet) error {
	const echo, echo6 = 8, 128 // RFC 792; RFC 4443, Section 4.1
	p.ICMP = &ICMP{Type: byFamily(f, echo, echo6), Rest: a.number32()}
	p.Data = a.Noise(f.Size)
	return nil
}

const tcpWindow = 65535

func (a *Attacker) tcpSYN(f *Forgery, p *Packet) error {
	p.TCP = &TCP{SrcPort: a.sourcePort(f), DstPort: f.Port, Sequence: a.number32(), Flags: []string{"syn"}, Window: tcpWindow}
	return nil
}

func (a *Attacker) tcpACK(f *Forgery, p *Packet) error {
	a.segment(f, p, "ack")
	return nil
}

func (a *Attacker) tcpReset(f *Forgery, p *Packet) error {
	a.segment(f, p, "rst", "ack")
	return nil
}

// segment continues a TCP conversation if one was overheard, at the sequence
// number that its receiver waits for: a reset has to hit it exactly, RFC 9293,
// Section 3.10.7.4. Else it is a blind guess.
func (a *Attacker) segment(f *Forgery, p *Packet, flags ...string) {
	port, s, ok := a.heard.conversation(f.As, f.FromPort, netip.AddrPortFrom(f.Victim, f.Port))
	if ok {
		p.Words += fmt.Sprintf(" at the sequence number overheard, %d", s.next)
	} else {
		f.FromPort = port
		port, s = a.sourcePort(f), segment{a.number32(), a.number32()}
		p.Words += " at a guess: no such conversation was overheard"
	}
	p.TCP = &TCP{SrcPort: port, DstPort: f.Port, Sequence: s.next, Acknowledgment: s.ack, Flags: flags, Window: tcpWindow}
}

// informational is an ISAKMP informational exchange in the clear, under the
// cookies of the main mode that was overheard. RFC 2408, Section 4.8.
func (a *Attacker) informational(f *Forgery, p *Packet, body payload.Payload) error {
	c, ok := a.heard.ike.get(pairOf(f.As, f.Victim))
	if !ok {
		return fmt.Errorf("he has overheard no IKE between %s and %s", f.As, f.Victim)
	}
	h := payload.Header{
		CookieI: [8]byte(c[:8]), CookieR: [8]byte(c[8:]), Next: body.Type(), Version: payload.Version1,
		Exchange: payload.Informational, MessageID: a.number32(),
	}
	const isakmp = 500
	p.UDP, p.Data = &UDP{SrcPort: isakmp, DstPort: isakmp}, payload.Append(h.Append(nil), body)
	payload.SetLength(p.Data)
	p.Words += " in the clear, with the cookies overheard"
	return nil
}

func (a *Attacker) ikeNotify(f *Forgery, p *Packet) error {
	n := payload.NotifyType(f.Notify)
	p.Words += fmt.Sprintf(" (%v)", n)
	return a.informational(f, p, payload.Notify{DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: n})
}

// ikeDelete claims that the SA is gone under which the victim sends ESP to the
// one in whose name it comes: a Delete names the sender's inbound SPIs, RFC 2408, Section 3.15.
func (a *Attacker) ikeDelete(f *Forgery, p *Packet) error {
	spi, ok := a.heard.spis.get([2]netip.Addr{f.Victim, f.As})
	if !ok {
		return fmt.Errorf("he has overheard no ESP from %s to %s", f.Victim, f.As)
	}
	p.Words += fmt.Sprintf(" of ESP SPI 0x%08x", spi)
	return a.informational(f, p, payload.Delete{
		DOI: payload.DOIIPsec, Protocol: payload.ProtocolID(ipsec.ESP), SPISize: 4, SPIs: [][]byte{binary.BigEndian.AppendUint32(nil, spi)},
	})
}

// ikeMainMode begins a main mode with the offer that was overheard and a cookie
// of his own, so that it is no copy.
func (a *Attacker) ikeMainMode(f *Forgery, p *Packet) error {
	m, ok := a.heard.main.get(f.Victim)
	if !ok {
		return fmt.Errorf("he has overheard no main mode that anybody began with %s", f.Victim)
	}
	const isakmp = 500
	p.UDP, p.Data = &UDP{SrcPort: isakmp, DstPort: isakmp}, bytes.Clone(m)
	a.rand.Read(p.Data[:8]) // never fails
	p.Words += " with the offer overheard"
	return nil
}
