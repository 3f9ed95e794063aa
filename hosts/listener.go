package hosts

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Listener is the log of a listening application: everything that reached it,
// and so what the IPsec layer below let through (C002).
type Listener struct {
	host *Host
	key  listenKey
	seen Seen

	groups []netip.Addr // whose datagrams it receives

	again func() error // listens again after a restart; nil: by protocol and port
}

// Seen counts what reached a listening application.
type Seen struct {
	SYNs        int   // connection requests that reached the socket, repeated ones too
	Connections int   // accepted
	Datagrams   int   // received
	Bytes       int64 // of application data received
	Corrupt     int   // requests whose bytes were not those sent
}

// Sub is what was added since an earlier count.
func (s Seen) Sub(o Seen) Seen {
	return Seen{
		SYNs: s.SYNs - o.SYNs, Connections: s.Connections - o.Connections,
		Datagrams: s.Datagrams - o.Datagrams, Bytes: s.Bytes - o.Bytes, Corrupt: s.Corrupt - o.Corrupt,
	}
}

type listenKey struct {
	proto uint8
	port  uint16 // 0 of a protocol without ports
}

func (k listenKey) String() string {
	if !ipsec.HasPorts(k.proto) {
		return fmt.Sprintf("protocol %s server", ipsec.ProtoName(k.proto))
	}
	return fmt.Sprintf("%s server :%d", ipsec.ProtoName(k.proto), k.port)
}

// Seen is the count so far.
func (l *Listener) Seen() Seen { return l.seen }

// Listener finds the application that listens on a port; nil when there is none.
func (h *Host) Listener(proto uint8, port uint16) *Listener {
	return h.listeners[listenKey{proto, port}]
}

func (h *Host) addListener(proto uint8, port uint16) *Listener {
	key := listenKey{proto, port}
	l := h.listeners[key]
	if l == nil { // else it listens again after a restart
		l = &Listener{host: h, key: key}
		h.listeners[key] = l
	}
	l.record("listening", netip.AddrPort{}, 0, "")
	return l
}

func (l *Listener) record(event string, peer netip.AddrPort, bytes int64, detail string) {
	a := trace.Application{App: l.key.String(), Event: event, Bytes: bytes, Detail: detail}
	if peer.IsValid() {
		a.Peer = peer.String()
	}
	l.host.record(a)
}

// noteSYN logs a connection request that passed the IPsec boundary to a listening socket.
func (h *Host) noteSYN(in datagram) {
	tcp, ok := in.tcp()
	if !ok || tcp.Flags()&(header.TCPFlagSyn|header.TCPFlagAck) != header.TCPFlagSyn {
		return
	}
	if l := h.Listener(ipsec.ProtoTCP, tcp.DestinationPort()); l != nil {
		l.seen.SYNs++
		l.record("syn", netip.AddrPortFrom(in.src, tcp.SourcePort()), 0, "")
	}
}
