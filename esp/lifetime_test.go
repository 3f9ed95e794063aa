package esp

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

func at(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }

// next is the deadline in seconds since the start; −1 for none.
func (n *node) next() float64 {
	d, ok := n.NextDeadline()
	if !ok {
		return -1
	}
	return d.Sub(start).Seconds()
}

// what shortens events to words.
func what(events []Event) (words []string) {
	for _, e := range events {
		switch e := e.(type) {
		case EventAcquire:
			words = append(words, "acquire")
		case EventSoft:
			words = append(words, "soft "+e.SA.Direction.String())
		case EventHard:
			words = append(words, "hard "+e.SA.Direction.String())
		}
	}
	return words
}

var hour = ipsec.Lifetime{Duration: time.Hour}

// The quick mode's initiator asks a margin ahead, the other side at half of it.
func TestSoftLimits(t *testing.T) {
	for _, c := range []struct {
		name                 string
		margin               time.Duration
		life                 time.Duration
		initiator, responder float64 // seconds
	}{
		{"a tenth by default", 0, time.Hour, 3240, 3420},
		{"as configured", time.Minute, time.Hour, 3540, 3570},
		{"cut to half the lifetime", 2 * time.Hour, time.Hour, 1800, 2700},
		{"an odd one", 0, 300 * time.Second, 270, 285},
	} {
		a, b := secured(t, Config{Rekey: Rekey{Margin: c.margin}}, tripleDES, ipsec.Lifetime{Duration: c.life})
		carry(t, a, b, start, toBob(1, 2))
		require.Equal(t, c.initiator, a.next(), c.name)
		require.Equal(t, c.responder, b.next(), c.name)

		a.Advance(at(c.initiator - 0.001))
		require.Empty(t, a.events(), c.name)
		a.Advance(at(c.initiator))
		soft := a.events()
		require.Len(t, soft, 1, c.name)
		e := soft[0].(EventSoft)
		require.Equal(t, ipsec.Outbound, e.SA.Direction, c.name)
		require.EqualValues(t, 0x1000, e.SA.SPI, c.name)
		require.EqualValues(t, 0x1001, e.SA.PeerSPI, "names the inbound half")
		require.Equal(t, 1, e.Policy.ID, c.name)
		a.Advance(at(c.initiator + 1))
		require.Empty(t, a.events(), "only once")
		require.Equal(t, c.life.Seconds(), a.next(), c.name)

		// The initiator's successor never came: the other side asks.
		b.Advance(at(c.responder))
		require.Equal(t, []string{"soft outbound"}, what(b.events()), c.name)
	}
}

// With a successor in place the responder keeps quiet, and so does the initiator.
func TestNoSoftAfterReplacement(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, hour)
	carry(t, a, b, start, toBob(1, 2))
	link(t, a, b, tripleDES, 0x2000, hour, at(3000))
	for _, n := range []*node{a, b} {
		n.Advance(at(3500))
		require.Empty(t, n.events())
		require.EqualValues(t, 1, n.Counters().Rekeys)
	}
}

// A rekey loses nothing: new packets take the new pair, packets on their way still
// open under the old one, until that ends.
func TestRekeyLosesNothing(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, hour)
	late := a.Outbound(at(3240), toBob(1, 2), 0)
	require.EqualValues(t, 0x1000, late.SPI)
	link(t, a, b, tripleDES, 0x2000, hour, at(3241))
	d := a.Outbound(at(3242), toBob(1, 2), 0)
	require.EqualValues(t, 0x2000, d.SPI, "the newest")
	require.Equal(t, Opened, b.InboundProtected(at(3242), d.Packet).Outcome)
	require.Equal(t, Opened, b.InboundProtected(at(3599), late.Packet).Outcome)

	// The responder may learn of the new pair later: its packets under the old one count.
	require.True(t, b.RemoveSA(at(3300), ipsec.Outbound, ipsec.ESP, alice, 0x2001, "test"))
	old := b.Outbound(at(3300), ip(bob, alice, 17, udp(2, 1, 0)), 0)
	require.EqualValues(t, 0x1001, old.SPI)
	require.Equal(t, Opened, a.InboundProtected(at(3300), old.Packet).Outcome)

	b.Advance(at(3600))
	require.Equal(t, "no SA has this SPI", b.InboundProtected(at(3600), late.Packet).Why)
}

// The hard limit in time ends both halves.
func TestHardLimitInSeconds(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, hour)
	last := a.Outbound(at(3599.999), toBob(1, 2), 0)
	require.Equal(t, Protected, last.Outcome)
	a.events()
	a.Advance(at(3600))
	require.Equal(t, []string{"hard inbound", "hard outbound"}, what(a.events()))
	require.Empty(t, a.SAs())
	require.EqualValues(t, -1, a.next())
	require.Equal(t, Held, a.Outbound(at(3600), toBob(1, 2), 0).Outcome)
	require.Equal(t, []string{"acquire"}, what(a.events()))

	removed := traced[trace.SARemoved](a)
	require.Len(t, removed, 2)
	require.Equal(t, trace.SARemoved{Direction: "outbound", Protocol: "ESP", SPI: 0x1000, Dst: "10.0.0.2", Reason: "expired", Packets: 1, Bytes: 16}, removed[1])

	// A host that calls nothing in time still never uses an expired SA.
	require.Equal(t, "the lifetime of its SA has ended", b.InboundProtected(at(3600), last.Packet).Why)
	require.Equal(t, Held, b.Outbound(at(3600), ip(bob, alice, 17, udp(2, 1, 0)), 0).Outcome)
	require.Equal(t, []string{"hard inbound", "hard outbound", "acquire"}, what(b.events()))
}

// Kilobytes are 1024 bytes of what is encrypted: with 3DES, 1014 bytes of UDP
// and 2 of trailer make 1016, and eight more make 1024.
func TestHardLimitInKilobytes(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, ipsec.Lifetime{Kilobytes: 1})
	require.EqualValues(t, -1, a.next(), "no limit in time")
	packet := ip(alice, bob, 17, udp(1, 2, 1006)) // 8 + 1006 + 2 = 1016
	require.Equal(t, Opened, carry(t, a, b, start, packet).Outcome)
	require.EqualValues(t, 1016, a.SAs()[1].Bytes)
	require.EqualValues(t, 1016, b.SAs()[0].Bytes)
	require.Equal(t, []string{"soft outbound"}, what(a.events()), "beyond nine tenths")

	o := carry(t, a, b, start, ip(alice, bob, 50, nil)) // 2 + padding = 8: now 1024
	require.Equal(t, Opened, o.Outcome, "the packet that reaches the limit is still good")
	require.Equal(t, []string{"hard outbound"}, what(a.events()))
	require.Equal(t, []string{"soft outbound", "hard inbound", "hard outbound"}, what(b.events()), "the bulk that arrives ages the pair, too")
	require.Empty(t, b.SAs(), "the peer will be told of the one, and shall not be sent anything under the other")
	require.Len(t, a.SAs(), 1, "what the peer has sent is still opened")
	require.Equal(t, Held, a.Outbound(start, packet, 0).Outcome)
}

// Both ends of kilobytes: the initiator's soft limit is at 90 %, the other's at 95 %.
func TestSoftLimitInKilobytes(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, ipsec.Lifetime{Kilobytes: 100}) // 102400 bytes
	packet := ip(alice, bob, 17, udp(1, 2, 1014))                           // 1024 bytes
	softA, softB := 0, 0
	for i := 1; i < 100; i++ {
		require.Equal(t, Opened, carry(t, a, b, start, packet).Outcome)
		if len(a.events()) > 0 {
			softA = i
		}
		if len(b.events()) > 0 {
			softB = i
		}
	}
	require.Equal(t, 90, softA)
	require.Equal(t, 95, softB)
}

// RFC 4303, Section 3.3.3: the number must not wrap; the SA ends after 2³²−1.
func TestSequenceNumbersEnd(t *testing.T) {
	a, b := secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	out := a.sad.list[1]
	out.sequence = math.MaxUint32 - 1
	d := a.Outbound(start, toBob(1, 2), 0)
	require.EqualValues(t, math.MaxUint32, d.Sequence)
	require.Equal(t, Opened, b.InboundProtected(start, d.Packet).Outcome)
	require.Equal(t, []string{"soft outbound", "hard outbound"}, what(a.events()))
	require.Equal(t, Held, a.Outbound(start, toBob(1, 2), 0).Outcome)

	a, _ = secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	a.sad.list[1].sequence = math.MaxUint32 / 10 * 9
	a.Outbound(start, toBob(1, 2), 0)
	require.Empty(t, a.events())
	a.sad.list[1].sequence = math.MaxUint32 - math.MaxUint32/10
	a.Outbound(start, toBob(1, 2), 0)
	require.Equal(t, []string{"soft outbound"}, what(a.events()))
}

// A pair that carried nothing is not replaced, unless the host wants it.
func TestIdlePair(t *testing.T) {
	a, _ := secured(t, Config{}, tripleDES, hour)
	a.Advance(at(3240))
	require.Empty(t, a.events())
	require.EqualValues(t, 3600, a.next())
	a.Outbound(at(3300), toBob(1, 2), 0)
	require.Equal(t, []string{"soft outbound"}, what(a.events()), "its first packet comes after the soft limit")

	a, b := secured(t, Config{}, tripleDES, hour)
	a.Advance(at(3240))
	d := b.Outbound(at(3241), ip(bob, alice, 17, udp(2, 1, 0)), 0)
	a.InboundProtected(at(3241), d.Packet)
	require.Equal(t, []string{"soft outbound"}, what(a.events()), "a packet that arrives counts as well")

	a, _ = secured(t, Config{Rekey: Rekey{Idle: true}}, tripleDES, hour)
	a.Advance(at(3240))
	require.Equal(t, []string{"soft outbound"}, what(a.events()))
}

// A pair whose policy is gone is not replaced.
func TestNoSoftWithoutPolicy(t *testing.T) {
	a, _ := secured(t, Config{Rekey: Rekey{Idle: true}}, tripleDES, hour)
	a.SetPolicy(nil, nil)
	a.Advance(at(3240))
	require.Empty(t, a.events())
}

// Events of one moment come in the order in which the SAs were added.
func TestDeadlinesInOrder(t *testing.T) {
	n := newNode(t, Config{})
	want := []uint32{}
	for i := range uint32(20) {
		out, _ := params(tripleDES, alice, bob, 0x1000+i*7919%1000, 1)
		out.Lifetime = hour
		require.NoError(t, n.Add(start, out))
		want = append(want, out.SPI)
	}
	n.Advance(at(7200))
	var got []uint32
	for _, e := range n.events() {
		got = append(got, e.(EventHard).SA.SPI)
	}
	require.Equal(t, want, got)
}

// A removed SA leaves no deadline behind.
func TestRemovedSAHasNoDeadline(t *testing.T) {
	a, _ := secured(t, Config{}, tripleDES, hour)
	require.Len(t, a.RemoveAll(start, "policy changed"), 2)
	require.EqualValues(t, -1, a.next())
	a.Advance(at(9999))
	require.Empty(t, a.events())
}

func TestKilobytesDoNotOverflow(t *testing.T) {
	p, _ := params(tripleDES, alice, bob, 0x1000, 1)
	p.Lifetime.Kilobytes = math.MaxUint64
	soft, hard := limits(p, math.MaxUint32, 0, Rekey{}, start)
	require.EqualValues(t, uint64(math.MaxUint64), hard.bytes)
	require.Greater(t, soft.bytes, uint64(math.MaxUint64)/10*9)
}

// A pair ends when nothing has used it for Config.Idle; a packet of either direction
// is use.
func TestIdlePairEnds(t *testing.T) {
	const idle = 5 * time.Minute
	a, b := secured(t, Config{Idle: idle}, tripleDES, hour)
	now := start
	for range 3 {
		now = now.Add(idle - time.Second)
		d := a.Outbound(now, toBob(1, 80), 0)
		require.Equal(t, Opened, b.InboundProtected(now, d.Packet).Outcome)
		a.Advance(now)
		b.Advance(now)
	}
	for _, n := range []*node{a, b} {
		n.Advance(now.Add(idle - 1))
		require.Len(t, n.SAs(), 2)
		at, ok := n.NextDeadline()
		require.True(t, ok)
		require.Equal(t, now.Add(idle), at)
		n.Advance(now.Add(idle))
		require.Empty(t, n.SAs())
		require.Equal(t, []string{"hard inbound", "hard outbound"}, what(n.events()))
		for _, r := range traced[trace.SARemoved](n) {
			require.Equal(t, "idle", r.Reason)
		}
	}
	require.Equal(t, Held, a.Outbound(now.Add(idle), toBob(1, 80), 0).Outcome)

	a, _ = secured(t, Config{}, tripleDES, ipsec.Lifetime{})
	a.Advance(start.Add(1000 * time.Hour))
	require.Len(t, a.SAs(), 2, "without Config.Idle")
}
