package spec

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// FieldKind is what a field of a frame holds, and so what it can be set to.
type FieldKind struct {
	Address bool // of IP
	Bits    int  // of a number; 0: any number of bytes
}

// FrameFields are the fields that tamper can change.
var FrameFields = map[string]FieldKind{
	"ip.tos": {Bits: 8}, "ip.flow-label": {Bits: 20}, "ip.id": {Bits: 16}, "ip.dont-fragment": {Bits: 1}, "ip.ttl": {Bits: 8}, "ip.protocol": {Bits: 8},
	"ip.checksum": {Bits: 16}, "ip.options": {}, "ip.src": {Address: true}, "ip.dst": {Address: true},
	"tcp.source-port": {Bits: 16}, "tcp.destination-port": {Bits: 16}, "tcp.sequence": {Bits: 32}, "tcp.acknowledgment": {Bits: 32},
	"tcp.flags": {Bits: 8}, "tcp.window": {Bits: 16}, "tcp.checksum": {Bits: 16},
	"udp.source-port": {Bits: 16}, "udp.destination-port": {Bits: 16}, "udp.length": {Bits: 16}, "udp.checksum": {Bits: 16},
	"icmp.type": {Bits: 8}, "icmp.code": {Bits: 8}, "icmp.checksum": {Bits: 16}, "payload": {},
	"esp.spi": {Bits: 32}, "esp.sequence": {Bits: 32}, "esp.payload": {},
	"ah.next-header": {Bits: 8}, "ah.length": {Bits: 8}, "ah.reserved": {Bits: 16}, "ah.spi": {Bits: 32}, "ah.sequence": {Bits: 32}, "icv": {},
	"ike.cookie-initiator": {}, "ike.cookie-responder": {}, "ike.next-payload": {Bits: 8}, "ike.version": {Bits: 8}, "ike.exchange": {Bits: 8},
	"ike.flags": {Bits: 8}, "ike.message-id": {Bits: 32}, "ike.length": {Bits: 32}, "ike.payload": {},
}

// Value is what a field is set to, in network order.
func (s *Scenario) Value(c *Change) ([]byte, error) {
	switch kind := FrameFields[c.Field]; {
	case kind.Address:
		a, err := s.Resolve(string(c.Set))
		return a.AsSlice(), err
	case kind.Bits > 0:
		n, err := number(c.Set, 1<<kind.Bits-1)
		b := make([]byte, (kind.Bits+7)/8)
		for i := range b {
			b[i] = byte(n >> (8 * (len(b) - 1 - i)))
		}
		return b, err
	}
	return hexBytes(c.Set)
}

// number reads a number from 0 to most, decimal or, behind 0x, hexadecimal.
func number(w Word, most uint64) (uint64, error) {
	digits, base := string(w), 10
	if hexadecimal, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hexadecimal, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil || n > most || base == 10 && leadingZero(digits) {
		return 0, fmt.Errorf("want a number from 0 to %d, got %q", most, shorten(string(w)))
	}
	return n, nil
}

func hexBytes(w Word) ([]byte, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(string(w), "0x"))
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("want bytes in hexadecimal, such as 00ff, got %q", shorten(string(w)))
	}
	return b, nil
}

// Contents are the bytes given, nil for noise of the given length.
func (b Bytes) Contents() []byte {
	data, _ := hexBytes(b.Data)
	return data
}

// SPINumber is the SPI.
func (p ESPPacket) SPINumber() uint32 {
	n, _ := number(p.SPI, 1<<32-1)
	return uint32(n)
}

// repeat is how often the step's attacker acts; nil for the other verbs.
func (s *Step) repeat() *Repeat {
	switch {
	case s.Replay != nil:
		return &s.Replay.Repeat
	case s.Inject != nil:
		return &s.Inject.Repeat
	case s.Spoof != nil:
		return &s.Spoof.Repeat
	}
	return nil
}

// Target is where an attacker's packet goes that an application may get: the
// receiver, as written, and the port. The protocol is empty for all else.
func (s Step) Target() (to, protocol string, port int) {
	switch i, f := s.Inject, s.Spoof; {
	case i != nil && i.TCP != nil:
		return i.Destination, "tcp", i.TCP.DestinationPort
	case i != nil && i.UDP != nil:
		return i.Destination, "udp", i.UDP.DestinationPort
	case f != nil && f.Message == "udp":
		return f.To, "udp", f.Port
	case f != nil && strings.HasPrefix(f.Message, "tcp-"):
		return f.To, "tcp", f.Port
	}
	return "", "", 0
}

// answersTo is the verb whose application an attacker's packet is for; empty for none.
func (s *Step) answersTo(in *Scenario) string {
	to, protocol, _ := s.Target()
	if node, ok := in.NodeOf("", to); !ok || !in.Nodes[node].Host() {
		return ""
	}
	return map[string]string{"tcp": "connect", "udp": "udp"}[protocol]
}

// ProtocolNumber is the protocol of IP.
func (p RawPacket) ProtocolNumber() uint8 {
	n, _ := frameProtocol(p.Protocol)
	return n
}

// Quoted is the protocol of the packet that an ICMP error is about; 0: any.
func (s Spoof) Quoted() uint8 {
	n, _ := frameProtocol(s.About)
	return n
}

// attackWords say what an attacker does.
func (s Step) attackWords() string {
	switch {
	case s.Tamper != nil && len(s.Tamper.Change) == 0:
		return fmt.Sprintf("%s leaves the link of %s alone", s.Tamper.By, s.Tamper.Link)
	case s.Tamper != nil:
		return fmt.Sprintf("%s tampers on the link of %s", s.Tamper.By, s.Tamper.Link)
	case s.Replay != nil:
		return s.Replay.By + " replays"
	case s.Inject != nil:
		return fmt.Sprintf("%s injects %s → %s", s.Inject.By, s.Inject.Source, s.Inject.Destination)
	case s.Spoof != nil:
		return fmt.Sprintf("%s forges %s, %s → %s", s.Spoof.By, s.Spoof.Message, s.Spoof.As, s.Spoof.To)
	}
	return ""
}
