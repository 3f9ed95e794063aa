package nat

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func server(proto uint8, port, last uint16, inside string) Forward {
	return Forward{Proto: proto, Port: port, Last: last, Inside: netip.MustParseAddrPort(inside)}
}

func TestPublishedServer(t *testing.T) {
	strict := Behaviour{AddressAndPortDependent, AddressAndPortDependent}
	t.Run("anybody reaches it, whatever is filtered, and it answers", func(t *testing.T) {
		newBench(t, Config{UDP: strict, TCP: strict, Forwards: []Forward{server(udp, 500, 0, "10.0.0.9:500"), server(tcp, 80, 0, "10.0.0.9:8080")}}).path(
			"in udp 198.51.100.1:500 > 203.0.113.1:500 => udp 198.51.100.1:500 > 10.0.0.9:500",
			"out udp 10.0.0.9:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500",
			"in tcp 198.51.100.1:5000 > 203.0.113.1:80 S => tcp 198.51.100.1:5000 > 10.0.0.9:8080 S",
			"out tcp 10.0.0.9:8080 > 198.51.100.1:5000 SA => tcp 203.0.113.1:80 > 198.51.100.1:5000 SA",
			"in udp 198.51.100.1:80 > 203.0.113.1:80 => "+noAnswer)
	})
	t.Run("what it sends of its own accord leaves from the published port, unless it is one way", func(t *testing.T) {
		f := server(udp, 4500, 0, "10.0.0.9:500")
		b := newBench(t, Config{Forwards: []Forward{f}})
		b.path("out udp 10.0.0.9:500 > 198.51.100.1:500 => udp 203.0.113.1:4500 > 198.51.100.1:500")
		f.OneWay = true
		b = newBench(t, Config{Forwards: []Forward{f}})
		b.path("out udp 10.0.0.9:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500",
			"in udp 198.51.100.2:500 > 203.0.113.1:4500 => udp 198.51.100.2:500 > 10.0.0.9:500",
			"out udp 10.0.0.9:500 > 198.51.100.2:500 => udp 203.0.113.1:4500 > 198.51.100.2:500",
			"out udp 10.0.0.9:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500",
			"in udp 198.51.100.1:500 > 203.0.113.1:4500 => the inside endpoint already speaks with this remote endpoint by another mapping")
		consistent(t, b.nat)
	})
	t.Run("its port is nobody else's", func(t *testing.T) {
		newBench(t, Config{Forwards: []Forward{server(udp, 500, 0, "10.0.0.9:500")}}).path(
			"out udp 10.0.0.1:500 > 198.51.100.1:500 => udp 203.0.113.1:1024 > 198.51.100.1:500")
	})
	t.Run("a range", func(t *testing.T) {
		newBench(t, Config{Forwards: []Forward{server(udp, 6000, 6002, "10.0.0.9:7000")}}).path(
			"in udp 198.51.100.1:1 > 203.0.113.1:6000 => udp 198.51.100.1:1 > 10.0.0.9:7000",
			"in udp 198.51.100.1:1 > 203.0.113.1:6002 => udp 198.51.100.1:1 > 10.0.0.9:7002",
			"in udp 198.51.100.1:1 > 203.0.113.1:6003 => "+noAnswer,
			"out udp 10.0.0.9:7001 > 198.51.100.1:1 => udp 203.0.113.1:6001 > 198.51.100.1:1")
	})
	t.Run("at one of several addresses", func(t *testing.T) {
		f := server(udp, 500, 0, "10.0.0.9:500")
		f.Outside = netip.MustParseAddr("203.0.113.2")
		b := newBench(t, Config{Outside: addrs("203.0.113.1", "203.0.113.2"), Forwards: []Forward{f}})
		b.path("in udp 198.51.100.1:500 > 203.0.113.1:500 => "+noAnswer,
			"in udp 198.51.100.1:500 > 203.0.113.2:500 => udp 198.51.100.1:500 > 10.0.0.9:500",
			"out udp 10.0.0.9:500 > 198.51.100.7:500 => udp 203.0.113.2:500 > 198.51.100.7:500")
	})
	t.Run("each address of several has it", func(t *testing.T) {
		b := newBench(t, Config{Outside: addrs("203.0.113.1", "203.0.113.2"), Forwards: []Forward{server(tcp, 80, 0, "10.0.0.9:80")}})
		b.path("in tcp 198.51.100.1:500 > 203.0.113.2:80 S => tcp 198.51.100.1:500 > 10.0.0.9:80 S",
			"in tcp 198.51.100.2:500 > 203.0.113.1:80 S => tcp 198.51.100.2:500 > 10.0.0.9:80 S",
			"out tcp 10.0.0.9:80 > 198.51.100.1:500 SA => tcp 203.0.113.2:80 > 198.51.100.1:500 SA",
			"out tcp 10.0.0.9:80 > 198.51.100.2:500 SA => tcp 203.0.113.1:80 > 198.51.100.2:500 SA")
		consistent(t, b.nat)
	})
	t.Run("with the box as the source", func(t *testing.T) {
		f := server(udp, 500, 0, "10.0.0.9:500")
		f.RewriteSource = true
		b := newBench(t, Config{Inside: addrs("10.0.0.254")[0], Forwards: []Forward{f}})
		b.path("in udp 198.51.100.1:500 > 203.0.113.1:500 => udp 10.0.0.254:500 > 10.0.0.9:500",
			"in udp 198.51.100.2:500 > 203.0.113.1:500 => udp 10.0.0.254:1024 > 10.0.0.9:500",
			"hairpin udp 10.0.0.9:500 > 10.0.0.254:500 => udp 203.0.113.1:500 > 198.51.100.1:500",
			"hairpin udp 10.0.0.9:500 > 10.0.0.254:1024 => udp 203.0.113.1:500 > 198.51.100.2:500",
			"hairpin udp 10.0.0.9:500 > 10.0.0.254:1025 => "+noAnswer)
		e := makeError(t, 3, 3, "10.0.0.9", "10.0.0.254", makePacket(t, "udp 10.0.0.254:1024 > 10.0.0.9:500"))
		require.Equal(t, "error 3/3 203.0.113.1 > 198.51.100.2 about udp 198.51.100.2:500 > 203.0.113.1:500", b.tell(b.nat.Hairpin(0, e)))
		e = makeError(t, 3, 3, "198.51.100.2", "203.0.113.1", makePacket(t, "udp 203.0.113.1:500 > 198.51.100.2:500"))
		require.Equal(t, "error 3/3 198.51.100.2 > 10.0.0.9 about udp 10.0.0.9:500 > 10.0.0.254:1024", b.tell(b.nat.Inbound(0, e)))
		b.path("wait 5m => ", "in udp 198.51.100.3:500 > 203.0.113.1:500 => udp 10.0.0.254:500 > 10.0.0.9:500")
		consistent(t, b.nat)
	})
	t.Run("but not one that is another host's alone", func(t *testing.T) {
		newBench(t, Config{Forwards: []Forward{server(udp, 500, 0, "10.0.0.9:500")},
			Static: []Static{{Inside: addrs("10.0.0.8")[0], Outside: addrs("203.0.113.8")[0], Filtered: true}}}).path(
			"out udp 10.0.0.8:500 > 198.51.100.1:500 => udp 203.0.113.8:500 > 198.51.100.1:500",
			"in udp 198.51.100.1:500 > 203.0.113.8:500 => udp 198.51.100.1:500 > 10.0.0.8:500",
			"in udp 198.51.100.2:501 > 203.0.113.8:500 => udp 198.51.100.2:501 > 10.0.0.8:500",
			"in udp 198.51.100.2:501 > 203.0.113.1:500 => udp 198.51.100.2:501 > 10.0.0.9:500")
	})
	t.Run("from the inside", func(t *testing.T) {
		newBench(t, Config{Forwards: []Forward{server(tcp, 80, 0, "10.0.0.9:8080")}}).path(
			"hairpin tcp 10.0.0.1:4000 > 203.0.113.1:80 S => tcp 203.0.113.1:4000 > 10.0.0.9:8080 S",
			"hairpin tcp 10.0.0.9:8080 > 203.0.113.1:4000 SA => tcp 203.0.113.1:80 > 10.0.0.1:4000 SA")
	})
}

func TestOwnPorts(t *testing.T) {
	newBench(t, Config{Ports: Ports{Reserved: []uint16{22}}}).path(
		"out tcp 10.0.0.1:22 > 198.51.100.1:80 S => tcp 203.0.113.1:1024 > 198.51.100.1:80 S",
		"in tcp 198.51.100.1:80 > 203.0.113.1:22 S => no mapping has this outside endpoint; own",
		"in udp 198.51.100.1:80 > 203.0.113.1:22 => no mapping has this outside endpoint; own",
		"hairpin tcp 10.0.0.1:4000 > 203.0.113.1:22 S => no mapping has this outside endpoint; own")
}

func TestOneToOne(t *testing.T) {
	pair := func(in, out string, filtered bool) Static { return Static{addrs(in)[0], addrs(out)[0], filtered} }
	t.Run("every protocol, both ways, without a mapping", func(t *testing.T) {
		b := newBench(t, Config{Static: []Static{pair("10.0.0.9", "203.0.113.9", false)}})
		b.path(
			"in udp 198.51.100.1:500 > 203.0.113.9:500 => udp 198.51.100.1:500 > 10.0.0.9:500",
			"out udp 10.0.0.9:500 > 198.51.100.1:500 => udp 203.0.113.9:500 > 198.51.100.1:500",
			"in tcp 198.51.100.1:500 > 203.0.113.9:500 A => tcp 198.51.100.1:500 > 10.0.0.9:500 A",
			"in echo 198.51.100.1:7 > 203.0.113.9 => echo 198.51.100.1:7 > 10.0.0.9",
			"out reply 10.0.0.9 > 198.51.100.1:7 => reply 203.0.113.9 > 198.51.100.1:7",
			"in esp 198.51.100.1 > 203.0.113.9 #1234 => esp 198.51.100.1 > 10.0.0.9 #1234",
			"out esp 10.0.0.9 > 198.51.100.1 #5678 => esp 203.0.113.9 > 198.51.100.1 #5678",
			"out ah 10.0.0.9 > 198.51.100.1 #5678 => ah 203.0.113.9 > 198.51.100.1 #5678",
			"out dccp 10.0.0.9:1 > 198.51.100.1:2 => 33 203.0.113.9 > 198.51.100.1",
			"out udplite 10.0.0.9:1 > 198.51.100.1:2 => 136 203.0.113.9 > 198.51.100.1",
			"out gre 10.0.0.9 > 198.51.100.1 => 47 203.0.113.9 > 198.51.100.1")
		require.Empty(t, b.mappings())
		require.Equal(t, addrs("203.0.113.1", "203.0.113.9"), b.nat.Addresses())
		for _, proto := range []string{"dccp", "udplite"} { // RFC 5597; RFC 3828: over the addresses, too
			r := b.nat.Outbound(0, makePacket(t, proto+" 10.0.0.9:1 > 198.51.100.1:2"))
			require.Equal(t, makePacket(t, proto+" 203.0.113.9:1 > 198.51.100.1:2"), r.Packets[0])
		}
		f := cut(makePayload(t, "udp 10.0.0.9:4000 > 198.51.100.1:7000", make([]byte, 1000)), 256)
		require.Equal(t, "udp 203.0.113.9:4000 > 198.51.100.1:7000", together(t, b.nat.Outbound, 0, f, []int{2, 0, 1, 3}))
	})
	t.Run("errors", func(t *testing.T) {
		b := newBench(t, Config{Static: []Static{pair("10.0.0.9", "203.0.113.9", false)}})
		e := makeError(t, 3, 4, "192.0.2.1", "203.0.113.9", makePacket(t, "esp 203.0.113.9 > 198.51.100.1 #5678"))
		require.Equal(t, "error 3/4 192.0.2.1 > 10.0.0.9 about esp 10.0.0.9 > 198.51.100.1 #5678", b.tell(b.nat.Inbound(0, e)))
		e = makeError(t, 3, 3, "192.0.2.1", "203.0.113.9", makePacket(t, "echo 203.0.113.9:5 > 198.51.100.1"))
		require.Equal(t, "error 3/3 192.0.2.1 > 10.0.0.9 about echo 10.0.0.9:5 > 198.51.100.1", b.tell(b.nat.Inbound(0, e)))
	})
	t.Run("filtered", func(t *testing.T) {
		b := newBench(t, Config{UDP: Behaviour{Filtering: AddressDependent}, Static: []Static{pair("10.0.0.9", "203.0.113.9", true)}})
		b.path(
			"in udp 198.51.100.1:500 > 203.0.113.9:500 => no mapping has this outside endpoint",
			"out udp 10.0.0.9:500 > 198.51.100.1:500 => udp 203.0.113.9:500 > 198.51.100.1:500",
			"in udp 198.51.100.1:501 > 203.0.113.9:500 => udp 198.51.100.1:501 > 10.0.0.9:500",
			"in udp 198.51.100.2:500 > 203.0.113.9:500 => "+notLetIn,
			"in esp 198.51.100.1 > 203.0.113.9 #1 => ESP is not let through",
			"out esp 10.0.0.9 > 198.51.100.1 #2 => esp 203.0.113.9 > 198.51.100.1 #2",
			"in esp 198.51.100.1 > 203.0.113.9 #1 => esp 198.51.100.1 > 10.0.0.9 #1",
			"out esp 10.0.0.8 > 198.51.100.1 #2 => ESP is not let through; answer error 3/13 203.0.113.1 > 10.0.0.8 about esp 10.0.0.8 > 198.51.100.1 #2",
			"out echo 10.0.0.9:5 > 198.51.100.1 => echo 203.0.113.9:5 > 198.51.100.1",
			"in reply 198.51.100.1 > 203.0.113.9:5 => reply 198.51.100.1 > 10.0.0.9:5",
			"in echo 198.51.100.1:5 > 203.0.113.9 => no mapping has this outside endpoint")
		consistent(t, b.nat)
	})
}
