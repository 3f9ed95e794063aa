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
	Flag    bool // one bit
	Bytes   int  // of a number; 0: any number of bytes
}

// FrameFields are the fields that tamper can change.
var FrameFields = map[string]FieldKind{
	"ip.tos": {Bytes: 1}, "ip.id": {Bytes: 2}, "ip.dont-fragment": {Flag: true}, "ip.ttl": {Bytes: 1}, "ip.protocol": {Bytes: 1},
	"ip.checksum": {Bytes: 2}, "ip.src": {Address: true}, "ip.dst": {Address: true},
	"tcp.source-port": {Bytes: 2}, "tcp.destination-port": {Bytes: 2}, "tcp.sequence": {Bytes: 4}, "tcp.acknowledgment": {Bytes: 4},
	"tcp.flags": {Bytes: 1}, "tcp.window": {Bytes: 2}, "tcp.checksum": {Bytes: 2},
	"udp.source-port": {Bytes: 2}, "udp.destination-port": {Bytes: 2}, "udp.length": {Bytes: 2}, "udp.checksum": {Bytes: 2},
	"icmp.type": {Bytes: 1}, "icmp.code": {Bytes: 1}, "icmp.checksum": {Bytes: 2}, "payload": {},
	"esp.spi": {Bytes: 4}, "esp.sequence": {Bytes: 4}, "esp.payload": {},
	"ah.next-header": {Bytes: 1}, "ah.length": {Bytes: 1}, "ah.reserved": {Bytes: 2}, "ah.spi": {Bytes: 4}, "ah.sequence": {Bytes: 4}, "icv": {},
	"ike.cookie-initiator": {}, "ike.cookie-responder": {}, "ike.next-payload": {Bytes: 1}, "ike.version": {Bytes: 1}, "ike.exchange": {Bytes: 1},
	"ike.flags": {Bytes: 1}, "ike.message-id": {Bytes: 4}, "ike.length": {Bytes: 4}, "ike.payload": {},
}

// Value is what a field is set to, in network order.
func (s *Scenario) Value(c *Change) ([]byte, error) {
	switch kind := FrameFields[c.Field]; {
	case kind.Address:
		a, err := s.Resolve(string(c.Set))
		return a.AsSlice(), err
	case kind.Flag:
		n, err := number(c.Set, 1)
		return []byte{byte(n)}, err
	case kind.Bytes > 0:
		n, err := number(c.Set, 1<<(8*kind.Bytes)-1)
		b := make([]byte, kind.Bytes)
		for i := range b {
			b[i] = byte(n >> (8 * (kind.Bytes - 1 - i)))
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
	if node, ok := in.NodeOf(to); !ok || !in.Nodes[node].Host() {
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
