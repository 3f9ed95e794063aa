package ikev1

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// watchful is a pair of sides of which i asks r after 10 s of silence, up to three times.
// What passes under IPsec SAs is what in and out say.
func watchful(t *testing.T) (i, r *side, in, out *time.Time) {
	i, r = newSide(t, 1), newSide(t, 2)
	in, out = new(time.Time), new(time.Time)
	i.config.DPD = ike.DPD{Enabled: true, Idle: 10 * time.Second, Tries: 3}
	r.config.DPD.Enabled = true
	i.config.Traffic = func(netip.AddrPort) (time.Time, time.Time) { return *in, *out }
	i.env.Newest = func(*SA) bool { return true }
	beginWith(i, r)
	i.establish(r)
	return i, r, in, out
}

// at lets time pass until d after main mode.
func (s *side) at(d time.Duration) {
	s.sa.Advance(now.Add(d))
	s.drain()
}

// giveAt hands a message in at a time.
func (s *side) giveAt(d time.Duration, b []byte) {
	s.t.Helper()
	s.handle(now.Add(d), b)
}

// query is the notification in a message of the other side.
func (s *side) query(b []byte) payload.Notify {
	s.t.Helper()
	h, err := payload.ParseHeader(b)
	require.NoError(s.t, err)
	m := &message{Header: h, raw: b}
	require.NoError(s.t, m.authenticate(s.sa.keys, s.sa.firstIV(h.MessageID), s.sa.hash1(h.MessageID)))
	n, _, err := payload.One[payload.Notify](m.chain)
	require.NoError(s.t, err)
	return n
}

func TestDeadPeerDetection(t *testing.T) {
	i, r, _, out := watchful(t)
	i.at(10 * time.Second)
	require.Empty(t, i.out, "nothing has gone out that the peer could have answered")

	*out = now.Add(12 * time.Second)
	i.at(19 * time.Second)
	require.Empty(t, i.out)
	i.at(20 * time.Second)
	ask := i.take()
	q := r.query(ask)
	require.Equal(t, payload.NotifyRUThere, q.NotifyType)
	require.Equal(t, payload.ProtocolISAKMP, q.Protocol)
	require.Equal(t, i.sa.spi(), q.SPI)
	require.Less(t, binary.BigEndian.Uint32(q.Data), uint32(1<<31))
	r.giveAt(20*time.Second, ask)
	ack := r.take()
	a := i.query(ack)
	require.Equal(t, payload.NotifyRUThereAck, a.NotifyType)
	require.Equal(t, q.Data, a.Data)
	require.Equal(t, q.SPI, a.SPI)
	i.giveAt(21*time.Second, ack)
	i.at(30 * time.Second)
	require.Empty(t, i.out, "it is alive, and has been heard 9 s ago")
	require.True(t, i.sa.Established())

	// The next question has the next number, and the answer to an old one does not count.
	*out = now.Add(25 * time.Second)
	i.at(31 * time.Second)
	next := i.take()
	require.Equal(t, binary.BigEndian.Uint32(q.Data)+1, binary.BigEndian.Uint32(r.query(next).Data))
	r.giveAt(31*time.Second, ask)
	require.Contains(t, r.note(), "its message ID has been used")
	require.Empty(t, r.out)
	stale := r.forge(payload.Informational, 77, payload.Notify{DOI: 1, Protocol: 1, NotifyType: payload.NotifyRUThereAck, SPI: q.SPI, Data: q.Data})
	i.giveAt(31*time.Second, stale)
	require.Contains(t, i.note(), "was not asked for")
	require.Equal(t, 1, i.sa.liveness.tries)
}

// Who answers nothing is asked as often as the limit says, and then is dead.
func TestDeadPeer(t *testing.T) {
	i, r, in, out := watchful(t)
	*in, *out = now.Add(time.Second), now.Add(2*time.Second)
	i.at(10 * time.Second)
	require.Empty(t, i.out)
	for n, at := range []time.Duration{11, 13, 15} {
		i.at(at*time.Second - 1)
		require.Len(t, i.out, n)
		i.at(at * time.Second)
		require.Len(t, i.out, n+1)
	}
	i.at(17*time.Second - 1)
	require.True(t, i.sa.Established())
	i.at(17 * time.Second)
	require.True(t, i.sa.Dead())
	require.Contains(t, i.events, ike.EventPeerDead{})
	require.ErrorContains(t, i.sa.Err(), "the peer is dead: silent for 16s, and 3 times R-U-THERE was not answered")
	require.Len(t, i.out, 3, "and it is told nothing")

	// The peer answers what it gets, in whatever order, and the three are of one row.
	var numbers []uint32
	for _, b := range i.out {
		r.give(b)
		numbers = append(numbers, binary.BigEndian.Uint32(i.query(r.take()).Data))
	}
	require.Equal(t, []uint32{numbers[0], numbers[0] + 1, numbers[0] + 2}, numbers)
}

// Any sign of life ends the worry, be it an answer to an earlier question or traffic.
func TestSignsOfLife(t *testing.T) {
	for name, live := range map[string]func(i, r *side, in *time.Time, asked [][]byte){
		"the first question is answered late": func(i, r *side, _ *time.Time, asked [][]byte) {
			r.give(asked[0])
			i.giveAt(14*time.Second, r.take())
		},
		"a packet comes in": func(_, _ *side, in *time.Time, _ [][]byte) { *in = now.Add(14 * time.Second) },
		"the peer deletes an SA": func(i, r *side, _ *time.Time, _ [][]byte) {
			r.sa.SendDelete(now, 3, []uint32{1})
			r.drain()
			i.giveAt(14*time.Second, r.take())
		},
	} {
		i, r, in, out := watchful(t)
		*out = now.Add(2 * time.Second)
		i.at(10 * time.Second)
		i.at(12 * time.Second)
		asked := i.takeAll()
		require.Len(t, asked, 2)
		live(i, r, in, asked)
		i.at(23 * time.Second)
		require.Empty(t, i.out, name)
		require.True(t, i.sa.Established(), name)
		*out = now.Add(23 * time.Second)
		i.at(24 * time.Second)
		require.Len(t, i.out, 1, name)
	}
}

// Sequence numbers of the peer go up; what names something else is not answered.
func TestDeadPeerQueries(t *testing.T) {
	i, r, _, _ := watchful(t)
	ask := func(mid uint32, spi []byte, data ...byte) string {
		r.give(i.forge(payload.Informational, mid, payload.Notify{DOI: 1, Protocol: 1, NotifyType: payload.NotifyRUThere, SPI: spi, Data: data}))
		return r.note()
	}
	for n, row := range []struct {
		name string
		spi  []byte
		data []byte
		want string
	}{
		{"the first may have any", i.sa.spi(), []byte{0, 0, 1, 0}, ""},
		{"the same again", i.sa.spi(), []byte{0, 0, 1, 0}, ""},
		{"the next", i.sa.spi(), []byte{0, 0, 1, 1}, ""},
		{"some were lost", i.sa.spi(), []byte{0, 0, 1, 0x81}, ""},
		{"too many", i.sa.spi(), []byte{0, 0, 2, 2}, "ignored: sequence number 514 does not follow 385"},
		{"back", i.sa.spi(), []byte{0, 0, 1, 0x80}, "ignored: sequence number 384 does not follow 385"},
		{"no number", i.sa.spi(), nil, "ignored: it does not name this main mode and a sequence number"},
		{"another SPI", make([]byte, 16), []byte{0, 0, 1, 0x82}, "ignored: it does not name this main mode and a sequence number"},
		{"no SPI", nil, []byte{0, 0, 1, 0x82}, "ignored: it does not name this main mode and a sequence number"},
	} {
		require.Equal(t, row.want, ask(uint32(100+n), row.spi, row.data...), row.name)
		require.Equal(t, row.want == "", len(r.takeAll()) == 1, row.name)
	}
	r.config.DPD.Enabled = false
	require.Equal(t, "ignored: this host has no dead peer detection", ask(200, i.sa.spi(), 0, 0, 1, 0x82))
	require.Empty(t, r.out)
}

// Nobody is asked who has not announced that it answers, nor under an older main mode.
func TestNoQueries(t *testing.T) {
	for name, prepare := range map[string]func(i, r *side){
		"the peer has none":        func(i, r *side) { r.config.DPD.Enabled = false },
		"it is off here":           func(i, r *side) { i.config.DPD.Enabled = false },
		"we only answer":           func(i, r *side) { i.config.DPD.Idle = 0 },
		"another main mode asks":   func(i, r *side) { i.env.Newest = func(*SA) bool { return false } },
		"nobody knows of traffic":  func(i, r *side) { i.config.Traffic = nil },
		"nothing goes to the peer": func(i, r *side) { i.config.Traffic = func(netip.AddrPort) (a, b time.Time) { return a, b } },
		"it goes and comes as well": func(i, r *side) {
			i.config.Traffic = func(netip.AddrPort) (a, b time.Time) { return now.Add(time.Hour), now.Add(time.Hour) }
		},
	} {
		i, r := newSide(t, 1), newSide(t, 2)
		i.config.DPD, r.config.DPD.Enabled = ike.DPD{Enabled: true, Idle: 10 * time.Second}, true
		i.config.Traffic = func(netip.AddrPort) (time.Time, time.Time) { return now, now.Add(time.Second) }
		i.env.Newest = func(*SA) bool { return true }
		prepare(i, r)
		beginWith(i, r)
		i.establish(r)
		i.at(10 * time.Minute)
		require.Empty(t, i.out, name)
	}
}

func TestDPDVendorID(t *testing.T) {
	require.Equal(t, [][]byte{unhexed("afcad71368a1f1c96b8696fc77570100")}, (&ike.Config{DPD: ike.DPD{Enabled: true}}).Vendors())
	require.Empty(t, (&ike.Config{}).Vendors())
}
