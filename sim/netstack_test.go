package sim

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ipseclab/ipseclab/internal/tcprun"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// machine is a netstack on a segment: an Owner whose Settle drains its TCP, here
// or on the goroutines that netstack has for it.
type machine struct {
	t     testing.TB
	w     *World
	name  string
	stack *stack.Stack
	tcp   *tcprun.Runner // nil: on goroutines
	seen  uint64         // segments when last drained
}

func (m *machine) Settle() {
	if m.tcp != nil {
		m.tcp.Run()
		return
	}
	valid := m.stack.Stats().TCP.ValidSegmentsReceived
	for valid.Value() != m.seen {
		m.seen = valid.Value()
		m.stack.Pause()
		m.stack.Resume()
	}
}

// portEndpoint joins a port to a NIC.
type portEndpoint struct {
	port *Port
	disp stack.NetworkDispatcher
}

func (e *portEndpoint) MTU() uint32                                  { return uint32(e.port.MTU()) + header.EthernetMinimumSize }
func (e *portEndpoint) SetMTU(uint32)                                {}
func (e *portEndpoint) MaxHeaderLength() uint16                      { return 0 }
func (e *portEndpoint) SetLinkAddress(tcpip.LinkAddress)             {}
func (e *portEndpoint) Capabilities() stack.LinkEndpointCapabilities { return 0 }
func (e *portEndpoint) Attach(d stack.NetworkDispatcher)             { e.disp = d }
func (e *portEndpoint) IsAttached() bool                             { return e.disp != nil }
func (e *portEndpoint) Wait()                                        {}
func (e *portEndpoint) ARPHardwareType() header.ARPHardwareType      { return header.ARPHardwareNone }
func (e *portEndpoint) AddHeader(*stack.PacketBuffer)                {}
func (e *portEndpoint) ParseHeader(*stack.PacketBuffer) bool         { return true }
func (e *portEndpoint) Close()                                       {}
func (e *portEndpoint) SetOnCloseAction(func())                      {}
func (e *portEndpoint) LinkAddress() tcpip.LinkAddress {
	mac := e.port.MAC()
	return tcpip.LinkAddress(mac[:])
}

func (e *portEndpoint) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, p := range pkts.AsSlice() {
		v := p.ToView()
		e.port.Send(bytes.Clone(v.AsSlice()), "")
		v.Release()
	}
	return pkts.Len(), nil
}

func newMachine(t testing.TB, s *Segment, name, addr string, inline bool) *machine {
	t.Helper()
	w := s.w
	m := &machine{t: t, w: w, name: name}
	m.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocolCUBIC},
		Clock:              w.Clock(m),
		SecureRNG:          w.Rand("host", name, "secure"),
		RandSource:         w.Rand("host", name, "insecure").Source(),
	})
	var err error
	if inline {
		m.tcp, err = tcprun.Take(m.stack)
		require.NoError(t, err)
	}
	e := &portEndpoint{}
	ip := netip.MustParseAddr(addr)
	e.port, err = s.Attach(PortConfig{Node: name, Owner: m, Addrs: []netip.Addr{ip}, Receive: func(f []byte) {
		p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(f)})
		defer p.DecRef()
		e.disp.DeliverNetworkPacket(0, p)
	}})
	require.NoError(t, err)
	m.ok(m.stack.CreateNIC(1, ethernet.New(e)))
	prefix := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(ip.As4()), PrefixLen: 24}
	m.ok(m.stack.AddProtocolAddress(1, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: prefix}, stack.AddressProperties{}))
	m.stack.AddRoute(tcpip.Route{Destination: prefix.Subnet(), NIC: 1})
	return m
}

func (m *machine) ok(err tcpip.Error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(m.name, err)
	}
}

// blocking is a socket whose calls park a coroutine until netstack notifies.
type blocking struct {
	tcpip.Endpoint
	p *Proc
}

func (m *machine) socket(p *Proc) *blocking {
	q := new(waiter.Queue)
	ep, err := m.stack.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, q)
	m.ok(err)
	return watch(p, ep, q)
}

func watch(p *Proc, ep tcpip.Endpoint, q *waiter.Queue) *blocking {
	e := waiter.NewFunctionEntry(waiter.EventIn|waiter.EventOut|waiter.EventErr|waiter.EventHUp, func(waiter.EventMask) { p.Wake() })
	q.EventRegister(&e)
	return &blocking{ep, p}
}

// until repeats try while it would block.
func (b *blocking) until(try func() tcpip.Error) tcpip.Error {
	for {
		err := try()
		switch err.(type) {
		case *tcpip.ErrWouldBlock, *tcpip.ErrConnectStarted:
			b.p.Park()
		default:
			return err
		}
	}
}

// serve accepts connections one after another and reads each to its end.
func (m *machine) serve(port uint16, conns int, got *[]byte) {
	m.w.Go(m, m.name, func(p *Proc) {
		l := m.socket(p)
		m.ok(l.Bind(tcpip.FullAddress{Port: port}))
		m.ok(l.Listen(8))
		for range conns {
			var c *blocking
			m.ok(l.until(func() (err tcpip.Error) {
				ep, q, err := l.Accept(nil)
				if err == nil {
					c = watch(p, ep, q)
				}
				return err
			}))
			m.w.Record(m.name, trace.Application{App: "server", Event: "accepted"})
			var all bytes.Buffer
			err := c.until(func() (err tcpip.Error) {
				for err == nil {
					_, err = c.Read(&all, tcpip.ReadOptions{})
				}
				return err
			})
			require.Equal(m.t, &tcpip.ErrClosedForReceive{}, err)
			m.w.Record(m.name, trace.Application{App: "server", Event: "closed", Bytes: int64(all.Len())})
			*got = append(*got, all.Bytes()...)
			c.Close()
		}
		l.Close()
	})
}

// send connects, writes and closes.
func (m *machine) send(to string, port uint16, data []byte) *Proc {
	return m.w.Go(m, m.name, func(p *Proc) {
		c := m.socket(p)
		addr := tcpip.FullAddress{Addr: tcpip.AddrFrom4(netip.MustParseAddr(to).As4()), Port: port}
		if err := c.Connect(addr); err != nil {
			require.Equal(m.t, &tcpip.ErrConnectStarted{}, err)
		}
		for tcp.EndpointState(c.State()) != tcp.StateEstablished {
			require.NotEqual(m.t, tcp.StateError, tcp.EndpointState(c.State()))
			p.Park()
		}
		r := bytes.NewReader(data)
		m.ok(c.until(func() (err tcpip.Error) {
			for err == nil && r.Len() > 0 {
				_, err = c.Write(r, tcpip.WriteOptions{})
			}
			return err
		}))
		m.ok(c.Shutdown(tcpip.ShutdownWrite))
		c.Close()
	})
}

// talkTCP has two netstacks send each other data over a lossy segment, both ways at once.
func talkTCP(t testing.TB, inline bool) func(w *World) {
	return func(w *World) {
		s := newSegment(t, w, "lan", SegmentConfig{Latency: 5 * ms, Loss: 0.02})
		machines := []*machine{newMachine(t, s, "a", "10.0.0.1", inline), newMachine(t, s, "b", "10.0.0.2", inline)}
		data := make([]byte, 150_000)
		_, _ = w.Rand("data").Read(data)
		got := make([][]byte, 2)
		for i, m := range machines {
			m.serve(80, 2, &got[i])
			for k := range 2 {
				w.After(nil, time.Duration(k)*ms, func() { m.send(fmt.Sprint("10.0.0.", 2-i), 80, data) })
			}
		}
		require.NoError(t, w.Run(context.Background(), 10*time.Minute, nil))
		for i, m := range machines {
			require.True(t, bytes.Equal(append(bytes.Clone(data), data...), got[i]), "all data arrived, in order")
			m.stack.Destroy()
		}
	}
}
