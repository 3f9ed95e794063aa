package scenarios_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/dissection"
	"github.com/ipseclab/ipseclab/internal/pcapng"
)

// heard are the IKE messages of one scenario, each once, in the order in which they
// were sent, and the keys of its main modes in the form of Wireshark's table.
type heard struct {
	scenario string
	messages []ikeMessage
	table    string
}

// ikeMessage is a message as it was sent, and the one that it makes whole if it is a fragment.
type ikeMessage struct {
	dissection.Datagram
	whole []byte
}

// listener collects what was heard in scenarios that run at the same time.
type listener struct {
	mu  sync.Mutex
	all []heard
}

func (l *listener) add(t *testing.T, scenario, dir string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "capture.pcapng"))
	require.NoError(t, err)
	packets, err := pcapng.Read(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	table, err := os.ReadFile(filepath.Join(dir, "wireshark", "ikev1_decryption_table"))
	require.NoError(t, err)
	h := heard{scenario: scenario, table: string(table), messages: ikeMessages(packets)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, h)
}

// attackersWord is what the capture says of a frame that an attacker made or changed.
var attackersWord = regexp.MustCompile(`^(altered|injected|spoofed) by [^;]*`)

// ikeMessages are the IKE messages of a capture. Copies are left out, which are in it
// for each segment and for each time that a host repeats itself, and so are messages
// that an attacker made. A message that was cut may have been sent whole before: then
// the fragment that would make it whole again is left out, because the dissector takes
// the IV of the next message from it.
func ikeMessages(packets []pcapng.Packet) []ikeMessage {
	var ms []ikeMessage
	seen := map[string]bool{}
	fragments, cut := map[string]*reassembly{}, map[string]*reassembly{}
	for _, p := range packets {
		first := layers.LayerTypeEthernet
		if p.Link == pcapng.LinkRaw {
			first = layers.LayerTypeIPv4
			if len(p.Data) > 0 && p.Data[0]>>4 == 6 {
				first = layers.LayerTypeIPv6
			}
		}
		packet := gopacket.NewPacket(p.Data, first, gopacket.NoCopy)
		src, dst, datagram, ok := udpOf(packet, fragments)
		if !ok || len(datagram) < 8 {
			continue
		}
		message := datagram[8:]
		port := func(n int) bool {
			return datagram[0] == byte(n>>8) && datagram[1] == byte(n) || datagram[2] == byte(n>>8) && datagram[3] == byte(n)
		}
		switch {
		case port(500) && (bytes.HasPrefix(message, make([]byte, 8)) || bytes.Equal(message, []byte{0xff})):
			continue // ESP and keep-alives of the first drafts of NAT traversal
		case port(500):
		case port(4500) && bytes.HasPrefix(message, []byte{0, 0, 0, 0}): // RFC 3948, Section 2.2
			message = message[4:]
		default:
			continue
		}
		if seen[string(message)] {
			continue
		}
		seen[string(message)] = true
		if attackersWord.MatchString(p.Comment) {
			continue
		}
		m := ikeMessage{Datagram: dissection.Datagram{
			Src: src, Dst: dst, SrcPort: binary.BigEndian.Uint16(datagram), DstPort: binary.BigEndian.Uint16(datagram[2:]), Message: bytes.Clone(message),
		}}
		if m.whole = wholeOf(src, message, cut); m.whole != nil {
			if seen[string(m.whole)] || !bytes.HasPrefix(m.whole, message[:8]) { // or was cut without its header
				continue
			}
			seen[string(m.whole)] = true
		}
		ms = append(ms, m)
	}
	return ms
}

// wholeOf is the message of which the last missing fragment has come.
func wholeOf(src netip.Addr, message []byte, waiting map[string]*reassembly) []byte {
	h, err := payload.ParseHeader(message)
	if err != nil || h.Next != payload.TypeFragment {
		return nil
	}
	chain, _, err := payload.Parse(h.Next, message[payload.HeaderLen:])
	if err != nil {
		return nil
	}
	f := chain[0].Payload.(payload.Fragment)
	name := fmt.Sprint(src, h.CookieI, h.CookieR, f.ID) // each side has its own numbers
	r := waiting[name]
	if r == nil {
		r = &reassembly{parts: map[int][]byte{}}
		waiting[name] = r
	}
	r.parts[int(f.Number)] = f.Data
	if f.Last() {
		r.total = int(f.Number)
	}
	if len(r.parts) != r.total {
		return nil
	}
	var whole []byte
	for n := range r.total {
		whole = append(whole, r.parts[n+1]...)
	}
	return whole
}

// reassembly is an IP datagram, or an IKE message, of which not all fragments are there.
type reassembly struct {
	parts map[int][]byte // by offset, or by number
	total int            // of bytes, or of fragments; 0: the last has not come
}

// udpOf is the UDP datagram in a packet that carries one, or the last missing part of one.
func udpOf(packet gopacket.Packet, waiting map[string]*reassembly) (src, dst netip.Addr, datagram []byte, ok bool) {
	var name string
	var offset int
	var more bool
	var protocol layers.IPProtocol
	switch ip := packet.NetworkLayer().(type) {
	case *layers.IPv4:
		src, _ = netip.AddrFromSlice(ip.SrcIP.To4())
		dst, _ = netip.AddrFromSlice(ip.DstIP.To4())
		protocol, datagram = ip.Protocol, ip.Payload
		offset, more = 8*int(ip.FragOffset), ip.Flags&layers.IPv4MoreFragments != 0
		name = fmt.Sprint(src, dst, ip.Id)
	case *layers.IPv6:
		src, _ = netip.AddrFromSlice(ip.SrcIP)
		dst, _ = netip.AddrFromSlice(ip.DstIP)
		protocol, datagram = ip.NextHeader, ip.Payload
		if f, is := packet.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment); is {
			protocol, datagram = f.NextHeader, f.Payload
			offset, more = 8*int(f.FragmentOffset), f.MoreFragments
			name = fmt.Sprint(src, dst, f.Identification)
		}
	default:
		return src, dst, nil, false
	}
	if protocol != layers.IPProtocolUDP {
		return src, dst, nil, false
	}
	if offset == 0 && !more {
		return src, dst, datagram, true
	}
	r := waiting[name]
	if r == nil {
		r = &reassembly{parts: map[int][]byte{}}
		waiting[name] = r
	}
	r.parts[offset] = datagram
	if !more {
		r.total = offset + len(datagram)
	}
	var whole []byte
	for part := r.parts[0]; len(part) > 0; part = r.parts[len(whole)] {
		whole = append(whole, part...)
	}
	if r.total == 0 || len(whole) != r.total {
		return src, dst, nil, false
	}
	delete(waiting, name)
	return src, dst, whole, true
}
