package fair_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/natbox/fair"
	"github.com/ipseclab/ipseclab/natbox/observe"
)

var _ natbox.Queue = (*fair.Queue)(nil)

// datagram is a UDP packet of size bytes between two hosts, from a port, with a type of service.
func datagram(t testing.TB, from int, tos uint8, size int) []byte {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, TOS: tos, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 9, 9}}
	udp := &layers.UDP{SrcPort: layers.UDPPort(from), DstPort: 7}
	require.NoError(t, udp.SetNetworkLayerForChecksum(ip))
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, udp, gopacket.Payload(make([]byte, size-28))))
	return b.Bytes()
}

func newQueue(t testing.TB, c fair.Config) *fair.Queue {
	t.Helper()
	c.Rate = 1_000_000
	q, err := fair.New(c)
	require.NoError(t, err)
	return q
}

// flood puts packets of flows into the queue, each as its name says: flow 1 has the numbers
// from 100 on, flow 2 those from 200 on. None is dropped.
func flood(t testing.TB, q *fair.Queue, count int, packets ...[]byte) {
	for i := range count {
		for flow, p := range packets {
			require.Empty(t, q.Enqueue(0, p, uint64((flow+1)*100+i)))
		}
	}
}

// served are the flows of the next n packets.
func served(t testing.TB, q *fair.Queue, n int) (flows []int) {
	next := map[int]int{}
	for range n {
		number, ok := q.Dequeue(0)
		require.True(t, ok)
		flow := int(number / 100)
		require.Equal(t, next[flow], int(number%100), "flow %d keeps its order", flow)
		next[flow]++
		flows = append(flows, flow)
	}
	return flows
}

func shares(flows []int) map[int]int {
	n := map[int]int{}
	for _, f := range flows {
		n[f]++
	}
	return n
}

// Two flows with packets of one size take turns; one with packets three times as long has a
// third of the turns, which is the same share of the link.
func TestFlowsShareTheLink(t *testing.T) {
	q := newQueue(t, fair.Config{})
	flood(t, q, 30, datagram(t, 1000, 0, 300), datagram(t, 1001, 0, 300))
	require.Equal(t, map[int]int{1: 10, 2: 10}, shares(served(t, q, 20)))

	q = newQueue(t, fair.Config{})
	flood(t, q, 60, datagram(t, 1000, 0, 300), datagram(t, 1001, 0, 900))
	got := shares(served(t, q, 40))
	require.InDelta(t, 30, got[1], 1)
}

// A packet of a flow that was silent goes next but one: it does not wait for those that were there before.
func TestSparseFlowPasses(t *testing.T) {
	q := newQueue(t, fair.Config{})
	flood(t, q, 50, datagram(t, 1000, 0, 1500))
	served(t, q, 5)
	require.Empty(t, q.Enqueue(0, datagram(t, 1001, 0, 100), 200))
	number, _ := q.Dequeue(0)
	require.Equal(t, uint64(200), number)

	// And with one line for all it goes last.
	q = newQueue(t, fair.Config{Flows: fair.One})
	flood(t, q, 50, datagram(t, 1000, 0, 1500))
	require.Empty(t, q.Enqueue(0, datagram(t, 1001, 0, 100), 200))
	require.Equal(t, 2, served(t, q, 51)[50])
}

// The share of a flow grows with its precedence, by one each step.
func TestPrecedence(t *testing.T) {
	q := newQueue(t, fair.Config{})
	flood(t, q, 60, datagram(t, 1000, 0, 300), datagram(t, 1001, 5<<5, 300))
	got := shares(served(t, q, 35))
	require.InDelta(t, 30, got[2], 1, "precedence 5 against 0: six to one")
}

// A class has its weight against flows.
func TestClasses(t *testing.T) {
	q := newQueue(t, fair.Config{Classes: []fair.Class{{Class: observe.Class{Name: "voice", Match: observe.Match{Port: 1001}}, Weight: 4}}})
	flood(t, q, 60, datagram(t, 1000, 0, 300), datagram(t, 1001, 0, 300))
	require.InDelta(t, 40, shares(served(t, q, 50))[2], 1)
	n := q.Notes(0)
	require.Equal(t, []string{"voice", "default"}, []string{n.Counts[0].Name, n.Counts[1].Name})
	require.Equal(t, uint64(50), n.Counts[0].Packets+n.Counts[1].Packets)
	require.Len(t, n.Queues, 2)
	require.Equal(t, "class voice", q.Name(n.Queues[0].Number))
}

// A queue at its threshold takes nothing until it has fallen below a quarter, and does not
// take the room of others; all together have a limit.
func TestBounds(t *testing.T) {
	q := newQueue(t, fair.Config{Threshold: 8, Limit: 12})
	p, other := datagram(t, 1000, 0, 300), datagram(t, 1001, 0, 300)
	for i := range uint64(8) {
		require.Empty(t, q.Enqueue(0, p, i))
	}
	require.Equal(t, []uint64{8}, q.Enqueue(0, p, 8))
	for left := 7; left >= 2; left-- {
		q.Dequeue(0)
		require.Equal(t, []uint64{9}, q.Enqueue(0, p, 9), "%d are left", left)
	}
	q.Dequeue(0) // one is left
	require.Empty(t, q.Enqueue(0, p, 10))
	require.Equal(t, uint64(7), q.Notes(0).Lost[0].Packets)
	for i := range uint64(8) {
		require.Empty(t, q.Enqueue(0, other, 20+i))
	}
	for i := range uint64(2) {
		require.Empty(t, q.Enqueue(0, p, 30+i))
	}
	require.Equal(t, []uint64{40}, q.Enqueue(0, p, 40), "twelve wait")
	require.Equal(t, []uint64{41}, q.Enqueue(0, datagram(t, 1002, 0, 300), 41))
}

// What tells flows apart: each pair of packets is in one queue, or in two.
func TestWhatTellsFlowsApart(t *testing.T) {
	udp := datagram(t, 1000, 0, 100)
	port := datagram(t, 1001, 0, 100)
	marked := datagram(t, 1000, 46<<2, 100)
	esp := func(spi byte) []byte {
		b := datagram(t, 1000, 0, 100)
		b[9], b[20], b[21], b[22], b[23] = 50, 0, 0, 0x10, spi
		return b
	}
	fragment := func(offset byte) []byte {
		b := datagram(t, 1000, 0, 100)
		if offset == 0 {
			b[6] = 0x20
		}
		b[7] = offset
		return b
	}
	for _, tc := range []struct {
		name  string
		a, b  []byte
		apart []fair.Flows
	}{
		{"ports", udp, port, []fair.Flows{fair.FiveTuple, fair.SPI}},
		{"codepoints", udp, marked, []fair.Flows{fair.FiveTuple, fair.SPI, fair.DSCP}},
		{"SPIs", esp(1), esp(2), []fair.Flows{fair.SPI}},
		{"fragments of a datagram", fragment(0), fragment(10), nil},
	} {
		for _, by := range []fair.Flows{fair.FiveTuple, fair.Addresses, fair.SPI, fair.DSCP, fair.One} {
			t.Run(fmt.Sprintf("%s/%d", tc.name, by), func(t *testing.T) {
				q := newQueue(t, fair.Config{Flows: by})
				flood(t, q, 1, tc.a, tc.b)
				served(t, q, 2)
				want := 1
				for _, f := range tc.apart {
					if f == by {
						want = 2
					}
				}
				require.Len(t, q.Notes(0).Queues, want)
			})
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct {
		c    fair.Config
		want string
	}{
		{fair.Config{}, "fair: a queue cannot have a rate of 0"},
		{fair.Config{Rate: 1, Limit: -1}, "fair: a queue cannot have a limit of -1"},
		{fair.Config{Rate: 1, Classes: []fair.Class{{Class: observe.Class{Name: "x"}}}}, "fair: the class x cannot have a weight of 0"},
	} {
		_, err := fair.New(tc.c)
		require.EqualError(t, err, tc.want)
	}
}
