package nat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReboot(t *testing.T) {
	b := newBench(t, Config{ESP: Portless{Mode: BySPI}, IKE: IKECookies, Ports: Ports{Assignment: Sequential}})
	b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000",
		"out tcp 10.0.0.1:4000 > 198.51.100.1:80 S => tcp 203.0.113.1:1024 > 198.51.100.1:80 S",
		"out esp 10.0.0.1 > 198.51.100.1 #1 => esp 203.0.113.1 > 198.51.100.1 #1",
		"out udp 10.0.0.1:500 > 198.51.100.1:500 => udp 203.0.113.1:500 > 198.51.100.1:500",
		"in tcp 198.51.100.1:80 > 203.0.113.1:9 S => "+noTCP)
	f := cut(makePayload(t, "udp 10.0.0.1:4000 > 198.51.100.1:7000", make([]byte, 1000)), 256)
	b.nat.Outbound(0, f[1])
	require.Len(t, b.mappings(), 4)
	b.nat.Reboot(time.Second)
	b.now = time.Second
	require.Empty(t, b.mappings())
	require.Len(t, b.log, 4)
	consistent(t, b.nat)
	require.Zero(t, b.nat.datagrams.live())
	require.Empty(t, b.nat.Expire(time.Minute), "no SYN waits any more")
	b.path("in udp 198.51.100.1:7000 > 203.0.113.1:1024 => "+noAnswer,
		"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.1:1024 > 198.51.100.1:7000")
}

func TestTCPAfterReboot(t *testing.T) {
	for rule, want := range map[MidStream]string{
		MidStreamAdopt: "tcp 203.0.113.1:4000 > 198.51.100.1:80 A",
		MidStreamDrop:  unlinked,
		MidStreamReset: unlinked + "; answer tcp 198.51.100.1:80 > 10.0.0.1:4000 R",
	} {
		b := newBench(t, Config{TCPRules: TCPRules{MidStream: rule}})
		b.path(connect, accept, outData)
		b.nat.Reboot(0)
		b.path("out tcp 10.0.0.1:4000 > 198.51.100.1:80 A => " + want)
		b.nat.Reboot(0)
		b.path("out tcp 10.0.0.1:4000 > 198.51.100.1:80 R => " + unlinked) // never by a RST, and no RST to a RST
		b.path("in tcp 198.51.100.1:80 > 203.0.113.1:4000 A => " + noAnswer)
	}
}

func TestOutsideAddressChanges(t *testing.T) {
	start := []string{
		"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
		connect, accept,
		"out esp 10.0.0.1 > 198.51.100.1 #1 => esp 203.0.113.1 > 198.51.100.1 #1",
	}
	after := map[AddressChange][]string{
		ChangeDrops: {
			"in udp 198.51.100.1:7000 > 203.0.113.2:4000 => " + noAnswer,
			"out tcp 10.0.0.1:4000 > 198.51.100.1:80 A => " + unlinked,
			"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4000 > 198.51.100.1:7000",
		},
		ChangeMoves: {
			"in udp 198.51.100.1:7000 > 203.0.113.2:4000 => udp 198.51.100.1:7000 > 10.0.0.1:4000",
			"out tcp 10.0.0.1:4000 > 198.51.100.1:80 A => tcp 203.0.113.2:4000 > 198.51.100.1:80 A",
			"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4001 > 198.51.100.1:7000",
		},
		ChangeKeeps: {
			"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
			"out tcp 10.0.0.1:4000 > 198.51.100.1:80 A => tcp 203.0.113.1:4000 > 198.51.100.1:80 A",
			"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => udp 203.0.113.2:4001 > 198.51.100.1:7000",
			"wait 5m => ",
			"out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4000 > 198.51.100.1:7000",
		},
	}
	for change, lines := range after {
		t.Run(change.String(), func(t *testing.T) {
			b := newBench(t, Config{Change: change, ESP: Portless{Mode: OneClient}, TCPRules: TCPRules{MidStream: MidStreamDrop}})
			b.path(start...)
			require.NoError(t, b.nat.SetAddresses(b.now, addrs("203.0.113.2")))
			require.Equal(t, addrs("203.0.113.2"), b.nat.Addresses())
			consistent(t, b.nat)
			b.path(lines...)
			consistent(t, b.nat)
			b.wait(24 * time.Hour)
			require.Empty(t, b.mappings())
			consistent(t, b.nat)
		})
	}
	t.Run("of hosts that have SAs alone", func(t *testing.T) {
		b := newBench(t, Config{Outside: addrs("203.0.113.1", "203.0.113.2"), ESP: Portless{Mode: BySPI}})
		b.path("out esp 10.0.0.1 > 198.51.100.1 #1 => esp 203.0.113.1 > 198.51.100.1 #1",
			"out esp 10.0.0.2 > 198.51.100.1 #2 => esp 203.0.113.2 > 198.51.100.1 #2")
		require.NoError(t, b.nat.SetAddresses(0, addrs("203.0.113.2")))
		require.Equal(t, []string{"0s dropped 10.0.0.1:0"}, b.log)
		b.path("in esp 198.51.100.1 > 203.0.113.2 #3 => esp 198.51.100.1 > 10.0.0.2 #3",
			"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4000 > 198.51.100.1:7000",
			"out esp 10.0.0.1 > 198.51.100.1 #1 => esp 203.0.113.2 > 198.51.100.1 #1")
		consistent(t, b.nat)
	})
	t.Run("of several, all, and mappings stay: new ones get what is there", func(t *testing.T) {
		b := newBench(t, Config{Outside: addrs("203.0.113.1", "203.0.113.2"), Change: ChangeKeeps})
		b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
			"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4000 > 198.51.100.1:7000")
		require.NoError(t, b.nat.SetAddresses(0, addrs("203.0.113.3")))
		b.path("out udp 10.0.0.2:4001 > 198.51.100.1:7000 => udp 203.0.113.3:4001 > 198.51.100.1:7000",
			"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4000 > 198.51.100.1:7000")
		consistent(t, b.nat)
	})
	t.Run("of several, one", func(t *testing.T) {
		b := newBench(t, Config{Outside: addrs("203.0.113.1", "203.0.113.2"), Change: ChangeMoves})
		b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000",
			"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4000 > 198.51.100.1:7000",
			"out udp 10.0.0.1:4001 > 198.51.100.1:7000 => udp 203.0.113.1:4001 > 198.51.100.1:7000")
		require.NoError(t, b.nat.SetAddresses(0, addrs("203.0.113.3", "203.0.113.2")))
		require.Equal(t, []string{"0s moved 10.0.0.1:4000", "0s moved 10.0.0.1:4001"}, b.log)
		b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.3:4000 > 198.51.100.1:7000",
			"out udp 10.0.0.2:4000 > 198.51.100.1:7000 => udp 203.0.113.2:4000 > 198.51.100.1:7000",
			"out udp 10.0.0.1:4002 > 198.51.100.1:7000 => udp 203.0.113.3:4002 > 198.51.100.1:7000")
		require.NoError(t, b.nat.SetAddresses(0, addrs("203.0.113.2")), "nothing takes its place")
		require.Len(t, b.mappings(), 1)
		require.ErrorContains(t, b.nat.SetAddresses(0, nil), "nat: no outside address: name at least one")
		require.Len(t, b.mappings(), 1)
		consistent(t, b.nat)
	})
}

func TestDeadline(t *testing.T) {
	b := newBench(t, Config{})
	_, any := b.nat.Deadline()
	require.False(t, any)
	b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000", "wait 1m => ", ping)
	at, _ := b.nat.Deadline()
	require.Equal(t, 2*time.Minute, at)
	b.nat.Expire(at)
	at, _ = b.nat.Deadline()
	require.Equal(t, 5*time.Minute, at)
	b.nat.Expire(at)
	require.Equal(t, []string{"2m0s expired 10.0.0.1:77", "5m0s expired 10.0.0.1:4000"}, b.log)
	_, any = b.nat.Deadline()
	require.False(t, any)
	// The time never goes back: a mapping that has gone stays gone.
	b.now = 0
	require.Empty(t, b.mappings())
	b.path("out udp 10.0.0.1:4000 > 198.51.100.1:7000 => udp 203.0.113.1:4000 > 198.51.100.1:7000")
	require.Equal(t, 10*time.Minute, b.nat.Mappings(0)[0].Expires)
}
