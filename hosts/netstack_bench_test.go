//go:build unix

package hosts_test

import (
	"bytes"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ipseclab/ipseclab/internal/tcprun"
	"github.com/ipseclab/ipseclab/sim"
)

// bare is a netstack with nothing around it: what leaves it is handed to the other
// one by an event of the same loop that hosts live on. No Ethernet, segment,
// capture, trace or IPsec. It is the limit for hosts made of the same netstack.
type bare struct {
	w     *sim.World
	stack *stack.Stack
	peer  *bare
	mtu   uint32
	up    stack.NetworkDispatcher
	tcp   *tcprun.Runner
}

func newBare(b *testing.B, w *sim.World, name string, addr tcpip.Address, mtu int) *bare {
	s := &bare{w: w, mtu: uint32(mtu)}
	s.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocolCUBIC},
		Clock:              w.Clock(s), SecureRNG: w.Rand(name), RandSource: rand.NewSource(1),
	})
	none := func(err tcpip.Error) { require.Nil(b, err) }
	var recovery tcpip.TCPRecovery // as hosts have it
	none(s.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &recovery))
	var err error
	s.tcp, err = tcprun.Take(s.stack)
	require.NoError(b, err)
	none(s.stack.CreateNIC(1, s))
	none(s.stack.AddProtocolAddress(1, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: addr.WithPrefix()}, stack.AddressProperties{}))
	s.stack.AddRoute(tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: 1})
	b.Cleanup(s.stack.Destroy)
	return s
}

func (s *bare) Settle() { s.tcp.Run() }

func (s *bare) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range list.AsSlice() {
		v := pkt.ToView() // a copy, as a wire is
		s.w.After(s.peer, time.Millisecond, func() {
			in := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
			s.peer.up.DeliverNetworkPacket(header.IPv4ProtocolNumber, in)
			in.DecRef()
		})
	}
	return list.Len(), nil
}

func (s *bare) MTU() uint32                                  { return s.mtu }
func (s *bare) SetMTU(uint32)                                {}
func (s *bare) MaxHeaderLength() uint16                      { return 0 }
func (s *bare) LinkAddress() tcpip.LinkAddress               { return "" }
func (s *bare) SetLinkAddress(tcpip.LinkAddress)             {}
func (s *bare) Capabilities() stack.LinkEndpointCapabilities { return 0 }
func (s *bare) Attach(d stack.NetworkDispatcher)             { s.up = d }
func (s *bare) IsAttached() bool                             { return s.up != nil }
func (s *bare) Wait()                                        {}
func (s *bare) Close()                                       {}
func (s *bare) SetOnCloseAction(func())                      {}
func (s *bare) ARPHardwareType() header.ARPHardwareType      { return header.ARPHardwareNone }
func (s *bare) AddHeader(*stack.PacketBuffer)                {}
func (s *bare) ParseHeader(*stack.PacketBuffer) bool         { return true }

// socket is an endpoint whose notifications wake a coroutine.
func (s *bare) socket(b *testing.B, p *sim.Proc) tcpip.Endpoint {
	q := new(waiter.Queue)
	ep, err := s.stack.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, q)
	require.Nil(b, err)
	wakeOn(q, p)
	return ep
}

func wakeOn(q *waiter.Queue, p *sim.Proc) {
	e := waiter.NewFunctionEntry(waiter.EventIn|waiter.EventOut|waiter.EventErr|waiter.EventHUp, func(waiter.EventMask) { p.Wake() })
	q.EventRegister(&e)
}

// bareTCP sends n bytes of zeros from one bare netstack to another, which counts
// them and looks at none.
func bareTCP(b *testing.B, n, mtu int) {
	w, err := sim.New(sim.Config{Name: "bare"})
	require.NoError(b, err)
	to := tcpip.FullAddress{Addr: tcpip.AddrFrom4([4]byte{10, 0, 0, 2}), Port: 80}
	x, y := newBare(b, w, "x", tcpip.AddrFrom4([4]byte{10, 0, 0, 1}), mtu), newBare(b, w, "y", to.Addr, mtu)
	x.peer, y.peer = y, x
	got := 0
	server := w.Go(y, "server", func(p *sim.Proc) {
		l := y.socket(b, p)
		require.Nil(b, l.Bind(tcpip.FullAddress{Port: 80}))
		require.Nil(b, l.Listen(128))
		ep, q, err := l.Accept(nil)
		for ; err != nil; ep, q, err = l.Accept(nil) {
			p.Park()
		}
		wakeOn(q, p)
		buf := make([]byte, 64<<10)
		for got < n {
			into := tcpip.SliceWriter(buf)
			r, err := ep.Read(&into, tcpip.ReadOptions{})
			if got += r.Count; err != nil {
				p.Park()
			}
		}
	})
	w.Go(x, "client", func(p *sim.Proc) {
		ep := x.socket(b, p)
		ep.Connect(to)
		for tcp.EndpointState(ep.State()) != tcp.StateEstablished {
			p.Park()
		}
		data := make([]byte, 64<<10)
		for sent := int64(0); sent < int64(n); {
			k, err := ep.Write(bytes.NewReader(data[:min(int64(len(data)), int64(n)-sent)]), tcpip.WriteOptions{})
			if sent += k; err != nil {
				p.Park()
			}
		}
	})
	require.NoError(b, w.Run(b.Context(), 0, server.Done))
	require.Equal(b, n, got)
	require.NoError(b, w.Close())
}
