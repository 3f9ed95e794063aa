package nat

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPreserve(t *testing.T) {
	from := func(host, port int) string {
		return fmt.Sprintf("out udp 10.0.0.%d:%d > 198.51.100.1:7000 => ", host, port)
	}
	to := func(port int) string { return fmt.Sprintf("udp 203.0.113.1:%d > 198.51.100.1:7000", port) }
	none := "no outside port is free"
	silent := ICMP{Silent: true}
	for name, tc := range map[string]struct {
		p     Ports
		lines []string
	}{
		"another is the next one":               {Ports{}, []string{from(1, 500) + to(500), from(2, 500) + to(1024), from(1, 4500) + to(4500), from(2, 4500) + to(4501)}},
		"refused":                               {Ports{Collision: Refuse}, []string{from(1, 4500) + to(4500), from(2, 4500) + none}},
		"within bounds alone":                   {Ports{First: 5000, Last: 5001}, []string{from(1, 4500) + to(5000), from(1, 5001) + to(5001), from(1, 5002) + none}},
		"not the box's own":                     {Ports{Reserved: []uint16{4500, 4501}}, []string{from(1, 4500) + to(4502)}},
		"parity of another one":                 {Ports{Parity: true}, []string{from(1, 4500) + to(4500), from(2, 4500) + to(4502), from(2, 4501) + to(4501), from(3, 4501) + to(4503)}},
		"port 0 gets another":                   {Ports{}, []string{from(1, 0) + to(1024)}},
		"around the end":                        {Ports{}, []string{from(1, 65535) + to(65535), from(2, 65535) + to(1024)}},
		"halves of the well-known":              {Ports{Range: WellKnownHalves}, []string{from(1, 511) + to(511), from(2, 511) + to(1), from(1, 512) + to(512), from(2, 512) + to(513), from(2, 1023) + to(1023), from(3, 1023) + to(514)}},
		"sequential":                            {Ports{Assignment: Sequential, First: 6000, Last: 6002}, []string{from(1, 1) + to(6000), from(2, 1) + to(6001), from(3, 1) + to(6002), from(4, 1) + none, from(2, 1) + to(6001)}},
		"contiguous: the neighbour's neighbour": {Ports{Assignment: Contiguous}, []string{from(1, 5004) + to(1024), from(2, 5004) + to(1025), from(1, 5005) + to(1026), from(3, 7000) + to(1027), from(3, 7001) + to(1028), from(2, 5003) + to(1029)}},
		"contiguous: before it":                 {Ports{Assignment: Contiguous, First: 6000, Last: 6100}, []string{from(1, 9) + to(6000), from(1, 8) + to(6001), from(1, 20) + to(6002), from(1, 21) + to(6003)}},
	} {
		t.Run(name, func(t *testing.T) { newBench(t, Config{Ports: tc.p, ICMP: silent}).path(tc.lines...) })
	}
}

func TestPreserveOrAnyOther(t *testing.T) {
	b := newBench(t, Config{Ports: Ports{Collision: AnotherRandom, First: 5000, Last: 5999}})
	b.path("out udp 10.0.0.1:5000 > 198.51.100.1:7000 => udp 203.0.113.1:5000 > 198.51.100.1:7000")
	seen := map[string]bool{}
	for i := 2; i < 200; i++ {
		seen[b.out(fmt.Sprintf("udp 10.0.0.%d:5000 > 198.51.100.1:7000", i))] = true
	}
	require.Len(t, seen, 198)
	require.False(t, seen["udp 203.0.113.1:5001 > 198.51.100.1:7000"] && seen["udp 203.0.113.1:5002 > 198.51.100.1:7000"] && seen["udp 203.0.113.1:5003 > 198.51.100.1:7000"])
}

func TestPortsComeBack(t *testing.T) {
	b := newBench(t, Config{Ports: Ports{Assignment: Sequential, First: 6000, Last: 6000}})
	b.path("out udp 10.0.0.1:1 > 198.51.100.1:7000 => udp 203.0.113.1:6000 > 198.51.100.1:7000", "wait 5m => ",
		"out udp 10.0.0.2:1 > 198.51.100.1:7000 => udp 203.0.113.1:6000 > 198.51.100.1:7000")
}

func TestShareLooksForOthersWhenAllAreTaken(t *testing.T) {
	dependent := Behaviour{AddressAndPortDependent, AddressAndPortDependent}
	newBench(t, Config{UDP: dependent, TCP: dependent, ICMP: ICMP{Silent: true}, Ports: Ports{Collision: Share, First: 5000, Last: 5001}}).path(
		"out udp 10.0.0.1:5000 > 198.51.100.1:7000 => udp 203.0.113.1:5000 > 198.51.100.1:7000",
		"out udp 10.0.0.2:5000 > 198.51.100.1:7000 => udp 203.0.113.1:5001 > 198.51.100.1:7000",
		"out udp 10.0.0.3:9 > 198.51.100.2:7000 => udp 203.0.113.1:5000 > 198.51.100.2:7000",
		"out udp 10.0.0.4:5000 > 198.51.100.2:7000 => udp 203.0.113.1:5001 > 198.51.100.2:7000",
		"out udp 10.0.0.5:5000 > 198.51.100.2:7000 => no outside port is free")
}

// RFC 6888, REQ-14: the mappings of a subscriber lie in its blocks.
func TestBlocks(t *testing.T) {
	c := Config{ICMP: ICMP{Silent: true}, Ports: Ports{Assignment: Sequential, First: 1000, Last: 1011}, Blocks: Blocks{Size: 4}}
	host := func(host, port, out int) string {
		want := "no outside port is free"
		if out > 0 {
			want = fmt.Sprintf("udp 203.0.113.1:%d > 198.51.100.1:7000", out)
		}
		return fmt.Sprintf("out udp 10.0.0.%d:%d > 198.51.100.1:7000 => %s", host, port, want)
	}
	t.Run("one for each host", func(t *testing.T) {
		b := newBench(t, c)
		b.path(host(1, 1, 1000), host(2, 1, 1004), host(3, 1, 1008), host(4, 1, 0),
			host(1, 2, 1001), host(1, 3, 1002), host(1, 4, 1003), host(1, 5, 0), host(2, 2, 1005),
			"out tcp 10.0.0.1:9 > 198.51.100.1:80 S => tcp 203.0.113.1:1000 > 198.51.100.1:80 S",
			"out echo 10.0.0.2:9 > 198.51.100.1 => echo 203.0.113.1:1004 > 198.51.100.1",
			// A block is its host's until the last mapping has gone, of any protocol.
			"wait 4m => ", "out udp 10.0.0.2:1 > 198.51.100.1:7000 => udp 203.0.113.1:1004 > 198.51.100.1:7000",
			"wait 2m => ", host(4, 1, 1000), host(3, 1, 1008), host(1, 1, 0))
		consistent(t, b.nat)
	})
	t.Run("two for each host", func(t *testing.T) {
		c := c
		c.Blocks.PerHost = 2
		newBench(t, c).path(host(1, 1, 1000), host(1, 2, 1001), host(1, 3, 1002), host(1, 4, 1003), host(2, 1, 1004),
			host(1, 5, 1008), host(1, 6, 1009), host(2, 2, 1005), host(3, 1, 0))
	})
	t.Run("one that is everybody's when they are used up", func(t *testing.T) {
		c := c
		c.Blocks.Exhausted = ExhaustedSpill
		b := newBench(t, c)
		b.path(host(1, 1, 1000), host(1, 2, 1001), host(1, 3, 1002), host(1, 4, 1003), host(1, 5, 1004), host(2, 1, 1008),
			host(2, 2, 1009), host(2, 3, 1010), host(2, 4, 1011), host(2, 5, 1005), host(3, 1, 1006), host(1, 6, 1007), host(1, 7, 0))
		b.wait(time.Hour)
		require.Empty(t, b.mappings())
		for _, x := range b.nat.pools[0].blocks {
			require.Equal(t, block{}, x)
		}
		require.Empty(t, b.nat.pools[0].shared)
	})
	t.Run("at random", func(t *testing.T) {
		b := newBench(t, Config{Ports: Ports{Assignment: Random}, Blocks: Blocks{Size: 64}})
		blocks := map[int]int{}
		for h := range 100 {
			in := -1
			for port := range 64 {
				r := b.nat.Outbound(0, makePacket(t, fmt.Sprintf("udp 10.0.1.%d:%d > 198.51.100.1:7000", h+1, port+1)))
				at := (int(r.Packets[0][20])<<8 + int(r.Packets[0][21]) - 1024) / 64
				require.True(t, in < 0 || in == at, "a host stays in its block")
				in = at
			}
			blocks[in]++
		}
		require.Len(t, blocks, 100)
	})
}

// The search by words finds what a search port by port does.
func TestFreePorts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := ports{}
		base := rapid.Uint16Range(0, 65000).Draw(t, "base")
		for _, x := range rapid.SliceOfN(rapid.Uint16Range(0, 300), 0, 300).Draw(t, "taken") {
			if !p.taken(base + x) {
				p.take(base + x)
			}
		}
		r := span{first: base + rapid.Uint16Range(0, 150).Draw(t, "first")}
		r.last = r.first + rapid.Uint16Range(0, 150).Draw(t, "length")
		start := base + rapid.Uint16Range(0, 400).Draw(t, "start")
		mask := rapid.SampledFrom([]uint64{anyPort, evenPort, oddPort}).Draw(t, "mask")
		got, ok := p.free(r, start, mask)
		at := int(start)
		if !r.has(start) {
			at = int(r.first)
		}
		for range int(r.last) - int(r.first) + 1 {
			if fits := mask == anyPort || at%2 == 0 && mask == evenPort || at%2 == 1 && mask == oddPort; fits && !p.taken(uint16(at)) {
				require.True(t, ok)
				require.Equal(t, uint16(at), got)
				return
			}
			if at++; at > int(r.last) {
				at = int(r.first)
			}
		}
		require.False(t, ok)
	})
}
