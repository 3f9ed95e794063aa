package firewall_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox/firewall"
)

// flows are a firewall with n states of UDP, and a packet for each: those of the inside's port 1024 and up
// of many addresses, to one server.
func flows(b *testing.B, n int) (*firewall.Firewall, []byte) {
	f, err := firewall.New(firewall.Config{Inside: []string{"lan"}, State: &firewall.State{Max: n}})
	require.NoError(b, err)
	packet := udp(in, out, 1024, 53, make([]byte, 64)...)
	for i := range n {
		number(packet, i)
		require.Empty(b, f.Judge(0, firewall.Crossing{Packet: packet, From: "lan", To: "net"}).Why)
	}
	require.Equal(b, n, f.Counters().States)
	return f, packet
}

// number gives a packet the source of flow i.
func number(packet []byte, i int) {
	binary.BigEndian.PutUint16(packet[14:], uint16(i>>12))
	binary.BigEndian.PutUint16(packet[20:], uint16(1024+i&0xfff))
}

// Packets of flows that are known: what finding one costs does not grow with their number
// but by the misses of the processor's caches.
func BenchmarkStates(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, packet := flows(b, n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				number(packet, i*7919%n)
				if f.Judge(time.Duration(i), firewall.Crossing{Packet: packet, From: "lan", To: "net"}).Why != "" {
					b.Fatal("dropped")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}

// Each packet is a new flow, and the table is full.
func BenchmarkEviction(b *testing.B) {
	const n = 100_000
	f, packet := flows(b, n)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		number(packet, n+i%(1<<27))
		f.Judge(time.Duration(i), firewall.Crossing{Packet: packet, From: "lan", To: "net"})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
}

// A list is asked entry by entry: the packet matches the last one.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var rules []firewall.Rule
			for i := range n {
				rules = append(rules, firewall.Rule{Action: firewall.Permit, Protocol: 17, DestinationPorts: ports(uint16(n-i), uint16(n-i))})
			}
			f, err := firewall.New(firewall.Config{Rules: rules})
			require.NoError(b, err)
			packet := udp(in, out, 1024, 1)
			b.ReportAllocs()
			for b.Loop() {
				if f.Judge(0, firewall.Crossing{Packet: packet, From: "lan", To: "net"}).Why != "" {
					b.Fatal("dropped")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}

// What a state takes of memory.
func BenchmarkStateMemory(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, _ := flows(b, n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/state")
		runtime.KeepAlive(f)
	}
}
