package hosts_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// walled is Bob behind a firewall of his own, with a service on TCP 80 and UDP 7.
func walled(t *testing.T, p [2]*policy.Policy, f hosts.Firewall) (b *bench, tcp, udp *hosts.Listener) {
	t.Helper()
	b = newBench(t, p[0], p[1], hosts.Faults{})
	var err error
	tcp, err = b.bob.ServeTCP(80)
	require.NoError(t, err)
	udp, err = b.bob.ServeUDP(7)
	require.NoError(t, err)
	require.NoError(t, b.bob.SetFirewall(f))
	return b, tcp, udp
}

func (b *bench) call(from *hosts.Host, to netip.Addr, port uint16) (result string) {
	b.on(from, func(p *sim.Proc) {
		r := from.Call(p, hosts.Call{To: netip.AddrPortFrom(to, port), Request: 100, Response: 100, Timeout: 5 * time.Second})
		result = r.Result()
	})
	return result
}

func (b *bench) datagram(from *hosts.Host, to netip.Addr, port uint16) (result string) {
	b.on(from, func(p *sim.Proc) {
		r := from.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(to, port), Count: 1, Size: 20, Timeout: time.Second})
		result = r.Result()
	})
	return result
}

func (b *bench) echo(from *hosts.Host, to netip.Addr) (result string) {
	b.on(from, func(p *sim.Proc) {
		r := from.Ping(p, hosts.Ping{To: to, Count: 1, Size: 32, Timeout: time.Second})
		result = r.Result()
	})
	return result
}

// drops are the reasons of what ended at Bob's firewall.
func (b *bench) drops() (why []string) {
	for _, e := range b.log.Events() {
		if d, ok := e.Body.(trace.PacketDropped); ok && e.Node == "bob" {
			why = append(why, d.Where+": "+d.Packet+": "+d.Reason)
		}
	}
	return why
}

func exception(proto uint8, port uint16) hosts.Exception {
	return hosts.Exception{Protocol: proto, Port: port}
}

var inClear [2]*policy.Policy

func secured() [2]*policy.Policy {
	return [2]*policy.Policy{require3DES(bobAddr, "a secret that nobody guesses"), require3DES(aliceAddr, "a secret that nobody guesses")}
}

// What nobody has asked for does not come in, and what the host asks for does.
func TestFirewall(t *testing.T) {
	for _, kind := range []hosts.FirewallKind{hosts.ICF, hosts.WindowsFirewall} {
		b, tcp, udp := walled(t, inClear, hosts.Firewall{Kind: kind})
		_, err := b.alice.ServeTCP(80)
		require.NoError(t, err)
		require.Equal(t, "timeout", b.call(b.alice, bobAddr, 80))
		require.Equal(t, "timeout", b.call(b.alice, bobAddr, 81), "nor is anybody told that nobody listens")
		require.Equal(t, "timeout", b.datagram(b.alice, bobAddr, 7))
		require.Equal(t, "timeout", b.echo(b.alice, bobAddr))
		require.Equal(t, "ok", b.call(b.bob, aliceAddr, 80))
		require.Equal(t, "ok", b.echo(b.bob, aliceAddr))
		require.Equal(t, "refused", b.datagram(b.bob, aliceAddr, 9), "an ICMP error about what was sent is an answer")
		require.Zero(t, tcp.Seen())
		require.Zero(t, udp.Seen())
		require.Contains(t, strings.Join(b.drops(), "\n"), "> 10.0.0.2:7: unsolicited, and no rule permits it")
		c := b.bob.FirewallCounters()
		require.Equal(t, uint64(1), c.Related)
		require.NotZero(t, c.Dropped)

		require.NoError(t, b.bob.SetFirewall(hosts.Firewall{Kind: kind, Off: true}))
		require.Equal(t, "ok", b.call(b.alice, bobAddr, 80))
		require.Equal(t, c.Dropped, b.bob.FirewallCounters().Dropped)
		require.NoError(t, b.bob.SetFirewall(hosts.Firewall{}))
		require.Equal(t, "ok", b.echo(b.alice, bobAddr))
		require.Zero(t, b.bob.FirewallCounters())
	}
}

func TestFirewallExceptions(t *testing.T) {
	b, _, _ := walled(t, inClear, hosts.Firewall{Kind: hosts.WindowsFirewall, Exceptions: []hosts.Exception{
		exception(ipsec.ProtoTCP, 80), {Protocol: ipsec.ProtoUDP, Port: 7, Scope: []netip.Prefix{netip.MustParsePrefix("10.0.0.9/32")}},
	}})
	require.Equal(t, "ok", b.call(b.alice, bobAddr, 80))
	require.Equal(t, "timeout", b.datagram(b.alice, bobAddr, 7), "the exception is for others")
	set := func(f hosts.Firewall) {
		f.Kind = hosts.WindowsFirewall
		require.NoError(t, b.bob.SetFirewall(f))
	}
	set(hosts.Firewall{Exceptions: []hosts.Exception{{Protocol: ipsec.ProtoUDP, Port: 7, LocalSubnet: true}}})
	require.Equal(t, "ok", b.datagram(b.alice, bobAddr, 7))
	require.Equal(t, "timeout", b.call(b.alice, bobAddr, 80), "it is an exception no more")
	require.NoError(t, b.alice.SetAddresses(b.segment.Name(), []netip.Prefix{netip.MustParsePrefix("10.0.7.1/16")}, "test"))
	set(hosts.Firewall{Exceptions: []hosts.Exception{{Protocol: ipsec.ProtoTCP, Port: 80, LocalSubnet: true}}})
	require.Equal(t, "timeout", b.call(b.alice, bobAddr, 80), "Alice's address is not of Bob's subnet")
	require.NoError(t, b.bob.SetAddresses(b.segment.Name(), []netip.Prefix{netip.MustParsePrefix("10.0.0.2/16")}, "test"))
	require.Equal(t, "ok", b.call(b.alice, bobAddr, 80), "Bob's subnet is wider now")
	set(hosts.Firewall{Exceptions: []hosts.Exception{exception(ipsec.ProtoTCP, 80)}, NoExceptions: true})
	require.Equal(t, "timeout", b.call(b.alice, bobAddr, 80))
}

func TestFirewallICMP(t *testing.T) {
	b, _, _ := walled(t, inClear, hosts.Firewall{Kind: hosts.WindowsFirewall, ICMP: []hosts.ICMPSetting{hosts.InboundEcho}})
	require.Equal(t, "ok", b.echo(b.alice, bobAddr))
	set := func(f hosts.Firewall) {
		f.Kind = hosts.WindowsFirewall
		require.NoError(t, b.bob.SetFirewall(f))
	}
	set(hosts.Firewall{Exceptions: []hosts.Exception{exception(ipsec.ProtoTCP, 445)}})
	require.Equal(t, "ok", b.echo(b.alice, bobAddr), "whoever opens port 445 opens echo")

	// An error goes out only where that is allowed.
	open := []hosts.Exception{exception(ipsec.ProtoUDP, 9)}
	set(hosts.Firewall{Exceptions: open})
	require.Equal(t, "timeout", b.datagram(b.alice, bobAddr, 9))
	require.Contains(t, b.drops(), "firewall outbound: icmp 10.0.0.2 > 10.0.0.1: destination unreachable: the ICMP settings do not allow it")
	set(hosts.Firewall{Exceptions: open, ICMP: []hosts.ICMPSetting{hosts.OutboundUnreachable}})
	require.Equal(t, "refused", b.datagram(b.alice, bobAddr, 9))
}

// ICF knows nothing of IKE, the Windows Firewall lets it in; and what was protected is
// judged when it is open (claims C016 and C017).
func TestFirewallAndIKE(t *testing.T) {
	ike := []hosts.Exception{exception(ipsec.ProtoUDP, 500), exception(ipsec.ProtoUDP, 4500)}
	port := exception(ipsec.ProtoTCP, 80)
	for _, tc := range []struct {
		name     string
		firewall hosts.Firewall
		sas      int
		result   string
	}{
		{"ICF", hosts.Firewall{Kind: hosts.ICF, Exceptions: []hosts.Exception{port}}, 0, "timeout"},
		{"ICF, open for IKE", hosts.Firewall{Kind: hosts.ICF, Exceptions: ike}, 2, "timeout"},
		{"ICF, open for both", hosts.Firewall{Kind: hosts.ICF, Exceptions: append(ike, port)}, 2, "ok"},
		{"Windows Firewall", hosts.Firewall{Kind: hosts.WindowsFirewall}, 2, "timeout"},
		{"Windows Firewall, open", hosts.Firewall{Kind: hosts.WindowsFirewall, Exceptions: []hosts.Exception{port}}, 2, "ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, tcp, _ := walled(t, secured(), tc.firewall)
			require.Equal(t, tc.result, b.call(b.alice, bobAddr, 80))
			require.Len(t, b.bob.SAs(), tc.sas)
			require.Equal(t, tc.result == "ok", tcp.Seen().SYNs > 0)
			require.Zero(t, b.protocols()[6], "nothing in the clear")
		})
	}
	// The other way round Bob asks, and is answered.
	b, _, _ := walled(t, secured(), hosts.Firewall{Kind: hosts.ICF})
	_, err := b.alice.ServeTCP(80)
	require.NoError(t, err)
	require.Equal(t, "ok", b.call(b.bob, aliceAddr, 80))
}

// "Allow authenticated IPsec bypass" (claim C162).
func TestFirewallBypass(t *testing.T) {
	b, tcp, udp := walled(t, secured(), hosts.Firewall{Kind: hosts.WindowsFirewall, Bypass: []string{"10.0.0.1"}})
	require.Equal(t, "ok", b.call(b.alice, bobAddr, 80))
	require.Equal(t, "ok", b.datagram(b.alice, bobAddr, 7))
	require.Equal(t, "ok", b.echo(b.alice, bobAddr))
	require.NotZero(t, b.bob.FirewallCounters().Bypassed)
	require.Equal(t, 1, tcp.Seen().SYNs)
	require.Equal(t, 1, udp.Seen().Datagrams)
	require.Empty(t, b.drops())

	require.NoError(t, b.bob.SetFirewall(hosts.Firewall{Kind: hosts.WindowsFirewall, Bypass: []string{"10.0.0.3"}}))
	require.Equal(t, "timeout", b.call(b.alice, bobAddr, 80), "the list has another computer")

	b, tcp, _ = walled(t, inClear, hosts.Firewall{Kind: hosts.WindowsFirewall, Bypass: []string{"10.0.0.1"}})
	require.Equal(t, "timeout", b.call(b.alice, bobAddr, 80), "an address proves nothing")
	require.Zero(t, tcp.Seen())
}

// Whoever answers a broadcast may do so for three seconds (KB884913).
func TestFirewallUnicastResponse(t *testing.T) {
	for _, tc := range []struct {
		name     string
		firewall hosts.Firewall
		after    time.Duration
		want     int
	}{
		{"in time", hosts.Firewall{Kind: hosts.WindowsFirewall}, 2900 * time.Millisecond, 1},
		{"too late", hosts.Firewall{Kind: hosts.WindowsFirewall}, 3100 * time.Millisecond, 0},
		{"not allowed", hosts.Firewall{Kind: hosts.WindowsFirewall, NoUnicastResponse: true}, time.Second, 0},
		{"ICF", hosts.Firewall{Kind: hosts.ICF}, time.Second, 0},
		{"ICF of XP", hosts.Firewall{Kind: hosts.UnicastICF}, time.Second, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, _, _ := walled(t, inClear, tc.firewall)
			b.on(b.bob, func(p *sim.Proc) {
				require.NoError(t, b.bob.Announce(p, hosts.Announcement{To: netip.MustParseAddrPort("10.0.0.255:137"), Count: 1, Size: 20}))
			})
			announced := b.frames[len(b.frames)-1]
			port := binary.BigEndian.Uint16(announced[34:]) // that it came from
			b.on(b.alice, func(p *sim.Proc) {
				p.Sleep(tc.after - b.world.Now())
				b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, port), Count: 1, Size: 20, Timeout: time.Second})
				b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, port+1), Count: 1, Size: 20, Timeout: time.Second})
			})
			inbound := slices.DeleteFunc(b.drops(), func(d string) bool { return strings.HasPrefix(d, "firewall outbound") })
			require.Len(t, inbound, 2-tc.want)
		})
	}
}

// ICF of Windows XP without a service pack does not look at broadcasts (KB329928).
func TestFirewallBroadcasts(t *testing.T) {
	for kind, want := range map[hosts.FirewallKind]int{hosts.UnicastICF: 1, hosts.ICF: 0, hosts.WindowsFirewall: 0} {
		b, _, udp := walled(t, inClear, hosts.Firewall{Kind: kind})
		b.on(b.alice, func(p *sim.Proc) {
			require.NoError(t, b.alice.Announce(p, hosts.Announcement{To: netip.MustParseAddrPort("10.0.0.255:7"), Count: 1, Size: 20}))
			p.Sleep(time.Second)
		})
		require.Equal(t, want, udp.Seen().Datagrams, kind)
		require.Equal(t, "timeout", b.datagram(b.alice, bobAddr, 7))
	}
}

// Until the service has started the Windows Firewall lets in answers alone, also where it
// is off (KB917730), and ICF everything.
func TestFirewallStarting(t *testing.T) {
	for _, tc := range []struct {
		firewall      hosts.Firewall
		before, after string
	}{
		{hosts.Firewall{Kind: hosts.WindowsFirewall, Exceptions: []hosts.Exception{exception(ipsec.ProtoUDP, 7)}}, "timeout", "ok"},
		{hosts.Firewall{Kind: hosts.WindowsFirewall, Off: true}, "timeout", "ok"},
		{hosts.Firewall{Kind: hosts.ICF}, "ok", "timeout"},
	} {
		tc.firewall.ServiceDelay = 10 * time.Second
		b, _, _ := walled(t, inClear, tc.firewall)
		_, err := b.alice.ServeUDP(7)
		require.NoError(t, err)
		require.Equal(t, tc.before, b.datagram(b.alice, bobAddr, 7))
		require.Equal(t, "ok", b.datagram(b.bob, aliceAddr, 7))
		b.on(b.alice, func(p *sim.Proc) { p.Sleep(10*time.Second - b.world.Now() + time.Second) })
		require.Equal(t, tc.after, b.datagram(b.alice, bobAddr, 7))
		require.NoError(t, b.bob.SetFirewall(tc.firewall), "set again, it does not start anew")
		require.Equal(t, tc.after, b.datagram(b.alice, bobAddr, 7))
	}
}

// The Windows Firewall is one for IPv6 too, and lets neighbours find each other; ICF is not.
func TestFirewallIPv6(t *testing.T) {
	for kind, want := range map[hosts.FirewallKind]string{hosts.ICF: "ok", hosts.WindowsFirewall: "timeout"} {
		b := newBench6(t, nil, nil)
		_, err := b.bob.ServeTCP(80)
		require.NoError(t, err)
		require.NoError(t, b.bob.SetFirewall(hosts.Firewall{Kind: kind}))
		require.Equal(t, want, b.call(b.alice, bob6, 80))
		require.Equal(t, "ok", b.echo(b.bob, alice6))
		require.NoError(t, b.bob.SetFirewall(hosts.Firewall{Kind: kind, ICMP: []hosts.ICMPSetting{hosts.InboundEcho}}))
		require.Equal(t, "ok", b.echo(b.alice, bob6))
	}
}

// A large datagram in fragments is judged by the first, protected or not.
func TestFirewallFragments(t *testing.T) {
	for name, p := range map[string][2]*policy.Policy{"clear": inClear, "protected": secured()} {
		t.Run(name, func(t *testing.T) {
			b, _, udp := walled(t, p, hosts.Firewall{Kind: hosts.WindowsFirewall, Exceptions: []hosts.Exception{exception(ipsec.ProtoUDP, 7)}})
			large := func(port uint16) {
				b.on(b.alice, func(p *sim.Proc) {
					b.alice.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, port), Count: 1, Size: 9000, Timeout: time.Second})
				})
			}
			large(7)
			require.Equal(t, hosts.Seen{Datagrams: 1, Bytes: 9000}, udp.Seen())
			before := b.bob.FirewallCounters().Dropped
			large(9)
			require.Equal(t, before+1, b.bob.FirewallCounters().Dropped)
		})
	}
}

// What the firewall knows is gone with the power, and what is set stays.
func TestFirewallRestart(t *testing.T) {
	b, _, _ := walled(t, inClear, hosts.Firewall{Kind: hosts.WindowsFirewall, Exceptions: []hosts.Exception{exception(ipsec.ProtoUDP, 7)}})
	require.Equal(t, "ok", b.datagram(b.alice, bobAddr, 7))
	p := b.world.Go(nil, "restart", func(p *sim.Proc) { require.NoError(t, b.bob.Restart(p, time.Second, false)) })
	require.NoError(t, b.world.Run(t.Context(), 0, p.Done))
	require.Zero(t, b.bob.FirewallCounters())
	require.Equal(t, "ok", b.datagram(b.alice, bobAddr, 7))
	require.Equal(t, "timeout", b.call(b.alice, bobAddr, 80))
}

func TestFirewallMistakes(t *testing.T) {
	b := newBench(t, nil, nil, hosts.Faults{})
	require.EqualError(t, b.bob.SetFirewall(hosts.Firewall{Kind: 9}), "hosts: bob: there is no firewall 9")
	require.EqualError(t, b.bob.SetFirewall(hosts.Firewall{Kind: hosts.ICF, Exceptions: []hosts.Exception{{Protocol: 50}}}),
		"hosts: bob: an exception of the firewall is a port of TCP or UDP")
	require.EqualError(t, b.bob.SetFirewall(hosts.Firewall{Kind: hosts.ICF, UDPTimeout: -1}), "hosts: bob: firewall: the timeout of UDP is negative")
	require.Zero(t, b.bob.Firewall())
}

// ESP in UDP is the driver's, in one packet as well as in fragments: port 4500 is closed to all else.
func TestFirewallAndESPInUDP(t *testing.T) {
	for _, kind := range []hosts.FirewallKind{hosts.ICF, hosts.WindowsFirewall} {
		b := newBehind(t, 1, func(c *hosts.Config) {})
		b.natSAs(0, ipsec.Encapsulation{Src: 4500, Dst: 4500}, 40001, true)
		udp, err := b.server.ServeUDP(7)
		require.NoError(t, err)
		require.NoError(t, b.server.SetFirewall(hosts.Firewall{Kind: kind, Exceptions: []hosts.Exception{exception(ipsec.ProtoUDP, 7)}}))
		ari := b.clients[0]
		send := func(port uint16, size int) (result string) {
			b.on(ari, func(p *sim.Proc) {
				r := ari.SendDatagrams(p, hosts.Datagrams{To: netip.AddrPortFrom(serverAddr, port), Count: 1, Size: size, Timeout: time.Second})
				result = r.Result()
			})
			return result
		}
		require.Equal(t, "ok", send(7, 100))
		require.Equal(t, "ok", send(7, 20_000))
		require.Equal(t, "timeout", send(9, 100), "what was inside has no exception")
		require.Equal(t, hosts.Seen{Datagrams: 2, Bytes: 20_100}, udp.Seen())
		require.Equal(t, uint64(1), b.server.FirewallCounters().Dropped)
	}
}
