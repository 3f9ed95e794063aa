package hosts_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// The computers of these tests: Ari and others behind a box with one address outside, and a server.
var (
	ariAddr    = netip.MustParseAddr("10.1.2.3")
	boxAddr    = netip.MustParseAddr("192.0.2.1")
	serverAddr = netip.MustParseAddr("198.51.100.2")
)

// box rewrites addresses and ports of UDP between lines to computers inside and one outside. It knows nothing else, forgets nothing,
// and takes the next port for each new source, unless it is told what its mappings are.
type box struct {
	next    uint16
	seen    []uint16 // outside ports of IKE and ESP, one for each datagram
	addr    netip.Addr
	inside  map[netip.Addr]*sim.Port
	outside *sim.Port
	ports   map[netip.AddrPort]uint16 // of the inside, outside
	parts   map[uint16]netip.Addr     // by identification of a datagram from outside, whose it is
	lost    int                       // packets that are not UDP, or have no mapping
}

// patch gives a UDP header a port. Its checksum, wrong by now, is left out, as it may be over IPv4.
func patch(udp []byte, port uint16, source bool) {
	at := 2
	if source {
		at = 0
	}
	binary.BigEndian.PutUint16(udp[at:], port)
	udp[6], udp[7] = 0, 0
}

// reboot forgets all mappings. Ports that were used are not used again.
func (b *box) reboot() { clear(b.ports) }

// later reports a fragment that does not show ports.
func later(packet []byte) bool { return packet[6]&0x1f != 0 || packet[7] != 0 }

func (b *box) fromInside(packet []byte) {
	if !later(packet) {
		if packet[9] != 17 {
			b.lost++
			return
		}
		src := netip.AddrPortFrom(addrAt(packet, 12), binary.BigEndian.Uint16(packet[20:]))
		port, ok := b.ports[src]
		if !ok {
			port = b.next
			b.ports[src] = port
			b.next++
		}
		if patch(packet[20:], port, true); src.Port() == 500 || src.Port() == 4500 {
			b.seen = append(b.seen, port)
		}
	}
	copy(packet[12:], b.addr.AsSlice())
	b.outside.Send(renewed(packet), "")
}

func (b *box) fromOutside(packet []byte) {
	id := binary.BigEndian.Uint16(packet[4:])
	if !later(packet) {
		delete(b.parts, id)
		for in, port := range b.ports {
			if packet[9] == 17 && port == binary.BigEndian.Uint16(packet[22:]) {
				patch(packet[20:], in.Port(), false)
				b.parts[id] = in.Addr()
			}
		}
	}
	to, ok := b.parts[id]
	if !ok {
		b.lost++
		return
	}
	copy(packet[16:], to.AsSlice())
	b.inside[to].Send(renewed(packet), "")
}

func addrAt(packet []byte, at int) netip.Addr {
	return netip.AddrFrom4([4]byte(packet[at : at+4]))
}

// renewed is a packet with a TTL that is one lower and a header checksum.
func renewed(packet []byte) []byte {
	packet[8]--
	packet[10], packet[11] = 0, 0
	var sum uint32
	for at := 0; at < 20; at += 2 {
		sum += uint32(binary.BigEndian.Uint16(packet[at:]))
	}
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(packet[10:], ^uint16(sum))
	return packet
}

// behind is clients behind a box, and a server.
type behind struct {
	*testing.T
	world   *sim.World
	log     *trace.Log
	box     *box
	clients []*hosts.Host
	server  *hosts.Host
	outside [][]byte // packets on the line between box and server
	capture bytes.Buffer
}

// dialects are what a host of these tests speaks: that it has ports open.
var dialects = ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947, ike.NATDraft00}}

// newBehind has the clients be 10.1.2.3 and so on. Everybody's policy is to protect everything.
func newBehind(t *testing.T, clients int, change func(*hosts.Config)) *behind {
	t.Helper()
	b := &behind{T: t, log: trace.New(nil), box: &box{next: 40001, addr: boxAddr, inside: map[netip.Addr]*sim.Port{}, ports: map[netip.AddrPort]uint16{}, parts: map[uint16]netip.Addr{}}}
	var err error
	b.world, err = sim.New(sim.Config{Name: t.Name(), Seed: 1, Epoch: time.Unix(0, 0).UTC(), Trace: b.log, Capture: &b.capture})
	require.NoError(t, err)
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	line := func(name string, a, peer netip.Addr, box func([]byte)) (*hosts.Host, *sim.Port) {
		segment, err := b.world.NewSegment(name, sim.SegmentConfig{Medium: sim.PointToPoint, Latency: time.Millisecond})
		require.NoError(t, err)
		port, err := segment.Attach(sim.PortConfig{Node: "box", Receive: box})
		require.NoError(t, err)
		c := hosts.Config{
			Name: name, Interfaces: []hosts.Interface{{Segment: segment, Prefixes: []netip.Prefix{netip.PrefixFrom(a, 24)}}},
			Routes: []hosts.Route{{To: all, Via: a.Next()}}, Policy: require3DES(peer, "a preshared key of 28 chars"), NAT: dialects,
		}
		if change != nil {
			change(&c)
		}
		h, err := hosts.New(b.world, c)
		require.NoError(t, err)
		t.Cleanup(h.Close)
		return h, port
	}
	a := ariAddr
	for i := range clients {
		h, port := line("client"+string(rune('1'+i)), a, serverAddr, func(f []byte) { b.box.fromInside(f) })
		b.clients, b.box.inside[a] = append(b.clients, h), port
		a = a.Next()
	}
	b.server, b.box.outside = line("server", serverAddr, boxAddr, func(f []byte) { b.box.fromOutside(f) })
	b.world.Tap(func(f sim.Frame) {
		if f.Segment == "server" {
			b.outside = append(b.outside, bytes.Clone(f.Data))
		}
	})
	t.Cleanup(func() { require.NoError(t, b.world.Close()) })
	return b
}

// on runs f as a coroutine of a host until it ends.
func (b *behind) on(h *hosts.Host, f func(p *sim.Proc)) {
	b.Helper()
	p := b.world.Go(h, "test", f)
	require.NoError(b, b.world.Run(context.Background(), 0, p.Done))
	require.True(b, p.Done(), "the world came to rest before the coroutine ended")
}

// keyOf is key material that is different for each SPI.
func keyOf(n int, spi uint32) []byte {
	k := make([]byte, n)
	for i := range k {
		k[i] = byte(spi)*3 + byte(i)*5
	}
	return k
}

// natSAs gives a client and the server a pair of SAs in UDP, as IKE would make them, with the given ports of client and
// server and the client's port on the outside of the box.
func (b *behind) natSAs(client int, own ipsec.Encapsulation, outside uint16, originals bool) {
	b.Helper()
	a := b.clients[client].Addrs()[0]
	b.box.ports[netip.AddrPortFrom(a, own.Src)] = outside
	transform := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}
	sa := func(d ipsec.Direction, src, dst netip.Addr, spi, peer uint32, e ipsec.Encapsulation) ipsec.SAParams {
		return ipsec.SAParams{
			Direction: d, Protocol: ipsec.ESP, SPI: spi, PeerSPI: peer, Src: src, Dst: dst, Mode: ipsec.Transport, Transform: transform,
			CipherKey: keyOf(24, spi), AuthKey: keyOf(20, spi),
			Selector: ipsec.Selector{Src: ipsec.Host(src), Dst: ipsec.Host(dst)}, UDP: e,
		}
	}
	out, in := uint32(0x1000+2*client), uint32(0x1001+2*client)
	there, back := own, ipsec.Encapsulation{Src: own.Dst, Dst: own.Src, NonIKE: own.NonIKE}
	clientIn := sa(ipsec.Inbound, serverAddr, a, in, out, back)
	serverIn := sa(ipsec.Inbound, b.box.addr, serverAddr, out, in, ipsec.Encapsulation{Src: outside, Dst: own.Dst, NonIKE: own.NonIKE})
	if originals {
		clientIn.OriginalSrc, clientIn.OriginalDst = serverAddr, b.box.addr
		serverIn.OriginalSrc, serverIn.OriginalDst = a, serverAddr
	}
	require.NoError(b, b.clients[client].AddSAs(clientIn, sa(ipsec.Outbound, a, serverAddr, out, in, there)))
	require.NoError(b, b.server.AddSAs(serverIn, sa(ipsec.Outbound, serverAddr, b.box.addr, in, out, ipsec.Encapsulation{Src: own.Dst, Dst: outside, NonIKE: own.NonIKE})))
}

// TCP, datagrams of every size and pings through a box that knows UDP alone, by each form of encapsulation and
// each way to repair checksums.
func TestESPInUDPThroughABox(t *testing.T) {
	for name, own := range map[string]ipsec.Encapsulation{
		"port 4500": {Src: 4500, Dst: 4500}, "port 500, drafts 00 and 01": {Src: 500, Dst: 500, NonIKE: true},
	} {
		for _, sums := range []esp.Checksums{{}, {FixUp: esp.FixByRecomputing}, {FixUp: esp.FixByZero}, {FixUp: esp.FixByTelling}} {
			for _, originals := range []bool{true, false} {
				t.Run(name+", "+sums.FixUp.String(), func(t *testing.T) {
					b := newBehind(t, 1, func(c *hosts.Config) { c.Checksums = sums })
					b.natSAs(0, own, 40001, originals)
					tcp, err := b.server.ServeTCP(80)
					require.NoError(t, err)
					udp, err := b.server.ServeUDP(7)
					require.NoError(t, err)
					ari := b.clients[0]
					b.on(ari, func(p *sim.Proc) {
						r := ari.Call(p, hosts.Call{To: netip.AddrPortFrom(serverAddr, 80), Request: 300_000, Response: 100_000, Timeout: time.Minute})
						require.Equal(t, "ok", r.Result(), "%v", r.Err)
						for _, size := range []int{100, 1400, 1472, 20_000} { // the last ones in fragments
							r = ari.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(serverAddr, 7), Count: 1, Size: size, Timeout: time.Second})
							require.Equal(t, "ok", r.Result(), "%d bytes: %v", size, r.Err)
						}
						r = ari.Ping(p, hosts.Ping{To: serverAddr, Count: 2, Size: 32, Timeout: time.Second})
						require.Equal(t, "ok", r.Result(), "%v", r.Err)
					})
					require.Equal(t, hosts.Seen{SYNs: 1, Connections: 1, Bytes: 300_000}, tcp.Seen())
					require.Equal(t, hosts.Seen{Datagrams: 4, Bytes: 100 + 1400 + 1472 + 20_000}, udp.Seen())
					for _, f := range b.outside {
						require.Equal(t, byte(17), f[9], "nothing but UDP is outside")
						require.LessOrEqual(t, len(f), 1500)
						if !later(f) {
							require.Zero(t, binary.BigEndian.Uint16(f[26:]), "and its checksum is zero")
						}
					}
				})
			}
		}
	}
}

// By IKE, in the dialect of Windows Server 2003: the float to port 4500, and ESP in UDP after it.
func TestNegotiationThroughABox(t *testing.T) {
	for _, d := range []ike.NATDialect{ike.NATDraft02Newline, ike.NATRFC3947, ike.NATDraft00} {
		t.Run(d.String(), func(t *testing.T) {
			b := newBehind(t, 1, func(c *hosts.Config) {
				c.NAT = ike.NATTraversal{Dialects: []ike.NATDialect{d}, Responder: ike.AssumeBoth}
			})
			tcp, err := b.server.ServeTCP(80)
			require.NoError(t, err)
			ari := b.clients[0]
			b.on(ari, func(p *sim.Proc) {
				r := ari.Call(p, hosts.Call{To: netip.AddrPortFrom(serverAddr, 80), Request: 100_000, Response: 100_000, Timeout: time.Minute})
				require.Equal(t, "ok", r.Result(), "%v", r.Err)
			})
			require.Equal(t, hosts.Seen{SYNs: 1, Connections: 1, Bytes: 100_000}, tcp.Seen())
			require.Equal(t, uint16(40001), b.box.seen[0])
			last := uint16(40002)
			if !d.Floats() {
				last = 40001
			}
			require.Equal(t, last, b.box.seen[len(b.box.seen)-1])
			sas := b.server.SAs()
			require.Len(t, sas, 2)
			require.Equal(t, !d.Floats(), sas[0].UDP.NonIKE)
			require.Equal(t, last, sas[0].UDP.Src)
		})
	}
}

// windows has everybody speak what Windows does, and take a peer behind a NAT in each role.
func windows(c *hosts.Config) {
	c.NAT = ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATDraft02Newline}, Responder: ike.AssumeBoth, Originals: ike.OriginalsIfBehind}
}

// RFC 3948, Section 4: whenever nothing has gone to the server for 20 s, one octet does, from where IKE and ESP
// go; while there is traffic, and after the SAs, none.
func TestKeepAlives(t *testing.T) {
	b := newBehind(t, 1, windows)
	_, err := b.server.ServeUDP(7)
	require.NoError(t, err)
	ari := b.clients[0]
	keepAlives := func() (n int) {
		for _, f := range b.outside {
			if f[9] == 17 && !later(f) && binary.BigEndian.Uint16(f[24:]) == 9 {
				require.Equal(t, []byte{0xff}, f[28:29])
				require.Equal(t, uint16(40002), binary.BigEndian.Uint16(f[20:]), "through the mapping of port 4500")
				n++
			}
		}
		b.outside = nil
		return n
	}
	b.on(ari, func(p *sim.Proc) {
		echo := func(count int, interval time.Duration) {
			r := ari.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(serverAddr, 7), Count: count, Size: 100, Interval: interval, Timeout: time.Second})
			require.Equal(t, "ok", r.Result(), "%v", r.Err)
		}
		echo(1, 0)
		require.Zero(t, keepAlives())
		p.Sleep(19 * time.Second)
		require.Zero(t, keepAlives())
		p.Sleep(2 * time.Second)
		require.Equal(t, 1, keepAlives())
		p.Sleep(200 * time.Second)
		require.Equal(t, 10, keepAlives())
		echo(20, 15*time.Second)
		require.Zero(t, keepAlives(), "there was traffic")
		require.NoError(t, ari.AssignPolicy(nil))
		keepAlives()
		p.Sleep(time.Hour)
		require.Zero(t, keepAlives(), "nothing is left that a mapping would be for")
	})
}

// A NAT that has forgotten its mappings gives new ports: the server follows by the next packet of ESP, and by IKE,
// without a new negotiation. It does not follow one that only seems to come from there.
func TestPeerWithNewPorts(t *testing.T) {
	b := newBehind(t, 1, windows)
	_, err := b.server.ServeTCP(80)
	require.NoError(t, err)
	echo, err := b.server.ServeUDP(7)
	require.NoError(t, err)
	ari := b.clients[0]
	b.on(ari, func(p *sim.Proc) {
		datagram := func() string {
			r := ari.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(serverAddr, 7), Count: 1, Size: 100, Timeout: time.Second})
			return r.Result()
		}
		require.Equal(t, "ok", datagram())
		require.Equal(t, uint16(40002), b.server.SAs()[0].UDP.Src)
		b.box.reboot()
		require.Equal(t, "ok", datagram(), "the answer goes to where the question came from")
		sas := b.server.SAs()
		require.Len(t, sas, 2)
		require.Equal(t, uint16(40003), sas[0].UDP.Src)
		require.Equal(t, uint16(40003), sas[1].UDP.Dst)
		require.Equal(t, uint64(2), sas[0].Sequence, "the SAs are the same")

		b.box.reboot()
		require.NoError(t, ari.AssignPolicy(nil)) // it deletes its SAs, from port 40004
		p.Sleep(time.Second)
		require.Empty(t, b.server.SAs())
		require.Empty(t, b.server.MainModes())
	})
	require.Equal(t, 2, echo.Seen().Datagrams)
	var moved []trace.SAMoved
	for _, e := range b.log.Events() {
		if m, ok := e.Body.(trace.SAMoved); ok {
			require.Equal(t, "server", e.Node, "the client is behind a NAT, and follows nobody")
			moved = append(moved, m)
		}
	}
	require.GreaterOrEqual(t, len(moved), 2)
	require.Equal(t, "192.0.2.1:40002", moved[0].From)
	require.Equal(t, "192.0.2.1:40003", moved[0].To)
}

// Another address of the box: SAs go along, and what a connection was with is gone.
func TestPeerWithAnotherAddress(t *testing.T) {
	b := newBehind(t, 1, func(c *hosts.Config) {
		windows(c)
		if c.Name == "server" {
			c.Policy.Rules[0].Filters.Filters[0].Destination = policy.Any()
		}
	})
	_, err := b.server.ServeUDP(7)
	require.NoError(t, err)
	ari := b.clients[0]
	b.on(ari, func(p *sim.Proc) {
		for _, outside := range []netip.Addr{boxAddr, netip.MustParseAddr("192.0.2.99")} {
			b.box.addr = outside
			r := ari.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(serverAddr, 7), Count: 2, Size: 100, Timeout: time.Second})
			require.Equal(t, "ok", r.Result(), "%v", r.Err)
			sas := b.server.SAs()
			require.Len(t, sas, 2)
			require.Equal(t, outside, sas[1].Dst)
			require.Equal(t, ipsec.Host(outside), sas[1].Selector.Dst)
		}
	})
}

// RFC 3948, Section 5.2: two computers behind one NAT, to one server, by IKE. What each of them gets back, with ports of
// their own and with the same one.
func TestTwoClientsBehindOneBox(t *testing.T) {
	for _, c := range []struct {
		strategy esp.ConflictStrategy
		port     uint16 // of both; 0: each its own
		first    string // what becomes of the first one's datagrams, once the second one has its SAs
		second   string
	}{
		{esp.ConflictNewest, 0, "timeout", "ok"},
		{esp.ConflictRefuse, 0, "ok", "timeout"},
		{esp.ConflictTrack, 0, "ok", "ok"},
		{esp.ConflictTranslate, 0, "ok", "ok"},
		{esp.ConflictTrack, 1701, "ok", "ok"}, // one after the other; TestSamePortBehindOneNAT of package esp has them at one time
		{esp.ConflictTranslate, 1701, "ok", "ok"},
	} {
		t.Run(c.strategy.String(), func(t *testing.T) {
			b := newBehind(t, 2, func(h *hosts.Config) {
				windows(h)
				h.Conflicts.Strategy = c.strategy
			})
			echo, err := b.server.ServeUDP(1701)
			require.NoError(t, err)
			datagram := func(i int) string {
				var result string
				b.on(b.clients[i], func(p *sim.Proc) {
					r := b.clients[i].SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(serverAddr, 1701), LocalPort: c.port, Count: 1, Size: 100, Timeout: 5 * time.Second})
					result = r.Result()
				})
				return result
			}
			require.Equal(t, "ok", datagram(0))
			require.Equal(t, c.second, datagram(1))
			require.Equal(t, c.first, datagram(0))
			require.Equal(t, c.second, datagram(1))
			want := 4
			if c.second != "ok" {
				want = 2
				require.Len(t, b.server.SAs(), 2)
				var why []string
				for _, e := range b.log.Events() {
					if n, ok := e.Body.(trace.Negotiation); ok && e.Node == "server" && n.State == "failed" {
						why = append(why, n.Reason)
					}
				}
				require.NotEmpty(t, why)
				require.Contains(t, why[0], "there are SAs for any 198.51.100.2 > 192.0.2.1 with another computer, at 192.0.2.1:4000")
			}
			require.Equal(t, want, echo.Seen().Datagrams, "all that was to arrive did")
		})
	}
}

// Over IPv6, and without a NAT: a host that says that it is behind one has ESP in UDP, with the checksum that IPv6 demands.
func TestForcedEncapsulation(t *testing.T) {
	for name, e := range map[string][2]netip.Prefix{
		"IPv4": {netip.PrefixFrom(aliceAddr, 24), netip.PrefixFrom(bobAddr, 24)}, "IPv6": {netip.PrefixFrom(alice6, 64), netip.PrefixFrom(bob6, 64)},
	} {
		for d, port := range map[ike.NATDialect]uint16{ike.NATRFC3947: 4500, ike.NATDraft00: 500} {
			t.Run(name+", "+d.String(), func(t *testing.T) {
				a, b := e[0].Addr(), e[1].Addr()
				nat := ike.NATTraversal{Dialects: []ike.NATDialect{d}, Responder: ike.AssumeBoth}
				forced := nat
				forced.Force = true
				x := newBenchNAT(t, e[0], e[1], require3DES(b, "a preshared key of 28 chars"), require3DES(a, "a preshared key of 28 chars"), forced, nat)
				_, err := x.bob.ServeTCP(80)
				require.NoError(t, err)
				_, err = x.bob.ServeUDP(7)
				require.NoError(t, err)
				x.on(x.alice, func(p *sim.Proc) {
					r := x.alice.Call(p, hosts.Call{To: netip.AddrPortFrom(b, 80), Request: 100_000, Response: 100_000, Timeout: time.Minute})
					require.Equal(t, "ok", r.Result(), "%v", r.Err)
					r = x.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(b, 7), Count: 2, Size: 5000, Timeout: time.Second})
					require.Equal(t, "ok", r.Result(), "%v", r.Err)
					p.Sleep(50 * time.Second)
				})
				require.True(t, x.alice.SAs()[0].UDP.On())
				esp, alive := 0, 0
				for _, f := range x.frames {
					packet := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
					udp, _ := packet.Layer(layers.LayerTypeUDP).(*layers.UDP)
					if udp == nil || uint16(udp.SrcPort) != port || len(udp.Payload) < int(udp.Length)-8 {
						continue // the first fragment of a datagram
					}
					if udp.Checksum != 0 {
						pseudo := append(append([]byte(nil), packet.NetworkLayer().NetworkFlow().Src().Raw()...), packet.NetworkLayer().NetworkFlow().Dst().Raw()...)
						pseudo = append(binary.BigEndian.AppendUint16(pseudo, udp.Length), 0, 17)
						require.True(t, sumsUp(pseudo, udp.Contents, udp.Payload))
					}
					isIKE := len(udp.Payload) > 8 && bytes.Equal(udp.Payload[:4], make([]byte, 4))
					if port == 500 {
						isIKE = !bytes.HasPrefix(udp.Payload, make([]byte, 8)) && len(udp.Payload) > 1
					}
					if !isIKE && a.Is4() {
						require.Zero(t, udp.Checksum)
					} else {
						require.NotZero(t, udp.Checksum)
					}
					switch {
					case len(udp.Payload) == 1:
						alive++
					case !isIKE:
						esp++
					}
				}
				require.Greater(t, esp, 100)
				require.Equal(t, 2, alive, "keep-alives in the last 50 seconds")
			})
		}
	}
}

// sumsUp reports whether the one's complement sum of parts of even lengths, and of a last one, is −0: RFC 1071.
func sumsUp(parts ...[]byte) bool {
	all := bytes.Join(parts, nil)
	var sum uint32
	for i, b := range all {
		if sum += uint32(b); i%2 == 0 {
			sum += uint32(b) * 255
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum == 0xffff
}

// Who listens on port 4500: a host that speaks NAT traversal, while its policy agent runs.
func TestPort4500(t *testing.T) {
	speaks := ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947}}
	b := newBenchNAT(t, netip.PrefixFrom(aliceAddr, 24), netip.PrefixFrom(bobAddr, 24), nil, nil, ike.NATTraversal{}, speaks)
	knock := func() string {
		var result string
		b.on(b.alice, func(p *sim.Proc) {
			r := b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 4500), Count: 1, Size: 100, Timeout: time.Second})
			result = r.Result()
		})
		return result
	}
	require.Equal(t, "timeout", knock(), "somebody is there, and says nothing")
	require.Equal(t, 1, b.bob.IKEStatistics().InvalidPackets, "the datagram begins with four zeros, and what follows is no message")
	require.NoError(t, b.bob.StopAgent())
	require.Equal(t, "refused", knock())
	require.NoError(t, b.bob.StartAgent())
	require.Equal(t, "timeout", knock())
	b.on(b.bob, func(p *sim.Proc) {
		r := b.bob.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(aliceAddr, 4500), Count: 1, Size: 100, Timeout: time.Second})
		require.Equal(t, "refused", r.Result(), "Alice speaks no dialect")
	})
}
