package natbox

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/stretchr/testify/require"
)

// backwards is a queue for three packets that serves the last one first.
type backwards struct{ numbers []uint64 }

func (q *backwards) Rate() int64 { return 8000 } // a byte each millisecond

func (q *backwards) Enqueue(_ time.Duration, p []byte, number uint64) []uint64 {
	if len(q.numbers) == 3 {
		return []uint64{number}
	}
	q.numbers = append(q.numbers, number)
	return nil
}

func (q *backwards) Dequeue(time.Duration) (uint64, bool) {
	if len(q.numbers) == 0 {
		return 0, false
	}
	n := q.numbers[len(q.numbers)-1]
	q.numbers = q.numbers[:len(q.numbers)-1]
	return n, true
}

// Packets go out in the order of the queue, each when the one before has been sent; those
// without room are counted; ARP does not wait.
func TestQueue(t *testing.T) {
	l := newLab(t)
	l.segment("a", 1500)
	l.segment("b", 1500)
	at := func(segment, address string) Interface {
		return Interface{Segment: l.segments[segment], Prefixes: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	r := l.router(RouterConfig{
		Name:       "r",
		Interfaces: []Interface{at("a", "10.0.1.1/24"), at("b", "10.0.2.1/24")},
		Queues:     map[string]Queue{"b": &backwards{}},
	})
	a, b := l.station("sa", "a", "r", "10.0.1.2"), l.station("sb", "b", "r", "10.0.2.2")
	a.sendIP(a.ipv4("10.0.2.2", 253), gopacket.Payload("z")) // finds the neighbour
	l.run()
	require.Len(t, b.take(), 1)

	begin := l.w.Now()
	for _, c := range "12345" {
		a.sendIP(a.ipv4("10.0.2.2", 253), gopacket.Payload([]byte{byte(c)}))
	}
	l.run()
	var order string
	for _, p := range b.take() {
		order += string(p.NetworkLayer().LayerPayload()[:1])
	}
	require.Equal(t, "1432", order)
	require.Equal(t, uint64(1), r.Counters().Dropped("no room in the queue of the interface"))
	// Four frames of 14+21 bytes: the last one has been sent when the timer of the fourth ends.
	require.GreaterOrEqual(t, l.w.Now()-begin, 4*35*time.Millisecond)

	_, err := NewRouter(l.w, RouterConfig{Name: "x", Interfaces: []Interface{at("a", "10.0.1.9/24")}, Queues: map[string]Queue{"a": stopped{}}})
	require.ErrorContains(t, err, `the queue to segment a has no rate`)
	_, err = NewRouter(l.w, RouterConfig{Name: "y", Interfaces: []Interface{at("a", "10.0.1.9/24")}, Queues: map[string]Queue{"c": &backwards{}}})
	require.ErrorContains(t, err, `there is a queue to segment c, which is none of its own`)
}

// stopped is a queue that lets nothing go.
type stopped struct{}

func (stopped) Rate() int64 { return 0 }

func (stopped) Enqueue(time.Duration, []byte, uint64) []uint64 { return nil }
func (stopped) Dequeue(time.Duration) (uint64, bool)           { return 0, false }
