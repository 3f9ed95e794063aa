package ikev1

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// longNames is a pair of sides whose messages 5 and 6 are too large for 576 bytes.
func longNames(t *testing.T, f ike.Fragmentation) (i, r *side) {
	i, r = newSide(t, 1), newSide(t, 2)
	for n, s := range []*side{i, r} {
		s.config.Fragmentation = f
		s.policy.Identity = ike.Identity{Type: payload.IDFQDN, Data: []byte(strings.Repeat(string(rune('a'+n)), 1200))}
	}
	beginWith(i, r)
	return i, r
}

// takeAll are the messages that the side has sent.
func (s *side) takeAll() [][]byte {
	all := s.out
	s.out = nil
	return all
}

// fragmentOf is the Fragment payload of a message.
func fragmentOf(t *testing.T, b []byte) payload.Fragment {
	t.Helper()
	h, err := payload.ParseHeader(b)
	require.NoError(t, err)
	require.Equal(t, payload.TypeFragment, h.Next)
	require.Zero(t, h.Flags)
	chain, rest, err := payload.Parse(h.Next, b[payload.HeaderLen:])
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Len(t, chain, 1)
	return chain[0].Payload.(payload.Fragment)
}

// What is too large goes out in fragments at once, with the header of the message or without it.
func TestCiscoFragments(t *testing.T) {
	for _, headerless := range []bool{false, true} {
		i, r := longNames(t, ike.Fragmentation{Form: ike.CiscoFragments, Headerless: headerless})
		i.give(r.take())
		r.give(i.take())
		i.give(r.take())
		fragments := i.takeAll()
		require.Len(t, fragments, 3)
		var data []byte
		for n, b := range fragments {
			f := fragmentOf(t, b)
			require.Equal(t, []any{uint16(1), uint8(n + 1), n == 2}, []any{f.ID, f.Number, f.Last()})
			if n < 2 {
				require.Len(t, b, 576-20-8)
			}
			data = append(data, f.Data...)
		}
		require.Equal(t, headerless, !bytes.Equal(data, i.sa.last.msg))
		require.True(t, bytes.HasSuffix(i.sa.last.msg, data))

		slices.Reverse(fragments)
		for _, b := range fragments {
			require.Empty(t, r.out)
			r.give(b)
		}
		require.True(t, r.sa.Established())
		require.Contains(t, r.sa.PeerID(), "aaaa")
		require.Empty(t, r.sa.queues)
		require.Zero(t, r.env.waiting)
		answer := r.takeAll()
		require.Len(t, answer, 3)
		for _, b := range answer {
			i.give(b)
		}
		require.True(t, i.sa.Established())
	}
}

// Windows waits until the second copy is due. Then the receiver answers in kind.
func TestWindowsFragments(t *testing.T) {
	i, r := longNames(t, ike.Fragmentation{Form: ike.WindowsFragments})
	i.give(r.take())
	r.give(i.take())
	i.give(r.take())
	whole := i.take()
	require.Empty(t, i.out)
	i.sa.Advance(now.Add(time.Second))
	i.drain()
	require.Equal(t, whole, i.take(), "the first copy")
	require.Empty(t, i.out)
	i.sa.Advance(now.Add(3 * time.Second))
	i.drain()
	fragments := i.takeAll()
	require.Len(t, fragments, 3, "the second copy")
	for _, b := range fragments {
		r.give(b)
	}
	require.True(t, r.sa.Established())
	answer := r.takeAll()
	require.Len(t, answer, 3, "who has got fragments sends them")
	require.EqualValues(t, 1, fragmentOf(t, answer[0]).ID)

	// The next copy has fragments of its own.
	i.sa.Advance(now.Add(7 * time.Second))
	i.drain()
	again := i.takeAll()
	require.EqualValues(t, 2, fragmentOf(t, again[0]).ID)
	for _, b := range again {
		r.give(b)
	}
	require.Contains(t, r.note(), "a copy of message 5")
	require.Len(t, r.takeAll(), 3)
	for _, b := range answer {
		i.give(b)
	}
	require.True(t, i.sa.Established())
}

// Without an identification payload Windows cuts nothing, whatever its size; Cisco does.
func TestFragmentsOfAKeyExchange(t *testing.T) {
	for _, row := range []struct {
		form ike.FragmentForm
		want int
	}{{ike.NoFragments, 1}, {ike.WindowsFragments, 1}, {ike.CiscoFragments, 3}} {
		i, r := newSide(t, 1), newSide(t, 2)
		for _, s := range []*side{i, r} {
			s.config.Fragmentation.Form = row.form
			s.policy.Proposals[0].Group = 18
		}
		beginWith(i, r)
		i.give(r.take())
		require.Len(t, i.takeAll(), row.want)
		i.sa.Advance(now.Add(7 * time.Second))
		i.drain()
		require.Len(t, i.takeAll(), 3*row.want, "the three copies")
	}
}

// A peer that has not announced that it takes fragments gets none.
func TestNoFragmentsToOthers(t *testing.T) {
	i, r := newSide(t, 1), newSide(t, 2)
	i.config.Fragmentation.Form = ike.CiscoFragments
	i.policy.Identity = ike.Identity{Type: payload.IDFQDN, Data: bytes.Repeat([]byte{'a'}, 1200)}
	beginWith(i, r)
	i.give(r.take())
	r.give(i.take())
	i.give(r.take())
	r.give(i.take())
	require.True(t, r.sa.Established())
}

// One that is switched off takes none either.
func TestFragmentsOff(t *testing.T) {
	i, r := longNames(t, ike.Fragmentation{Form: ike.CiscoFragments})
	i.give(r.take())
	r.config.Fragmentation.Form = ike.NoFragments
	r.give(i.take())
	i.give(r.take())
	for _, b := range i.takeAll() {
		r.give(b)
	}
	require.False(t, r.sa.Established())
	require.Empty(t, r.sa.queues)
}

// awaiting5 is a responder that awaits message 5, and the fragments of it.
func awaiting5(t *testing.T) (r *side, fragments [][]byte) {
	i, r := longNames(t, ike.Fragmentation{Form: ike.CiscoFragments})
	i.give(r.take())
	r.give(i.take())
	i.give(r.take())
	return r, i.takeAll()
}

// renumbered is a fragment with another ID, number and flags.
func renumbered(b []byte, id uint16, number, flags uint8) []byte {
	b = bytes.Clone(b)
	binary.BigEndian.PutUint16(b[payload.HeaderLen+4:], id)
	b[payload.HeaderLen+6], b[payload.HeaderLen+7] = number, flags
	return b
}

func TestFragmentFaults(t *testing.T) {
	r, f := awaiting5(t)
	for _, row := range []struct {
		name, want string
		give       [][]byte
		queues     int
	}{
		{"one", "fragment 1, the others are awaited", [][]byte{f[0]}, 1},
		{"a copy", "ignored: a second fragment 1", [][]byte{f[0]}, 1},
		{"the same number with other data", "ignored: a second fragment 1", [][]byte{renumbered(f[1], 1, 1, 0)}, 1},
		{"two ends", "ignored: its fragments have two ends", [][]byte{renumbered(f[0], 2, 3, 1), renumbered(f[1], 2, 4, 1)}, 1},
		{"beyond the end", "ignored: its fragments have two ends", [][]byte{renumbered(f[0], 2, 3, 1), renumbered(f[1], 2, 4, 0)}, 1},
		{"an end before what has come", "ignored: its fragments have two ends", [][]byte{renumbered(f[0], 2, 3, 0), renumbered(f[1], 2, 2, 1)}, 1},
		{"number 0", "ignored: ", [][]byte{renumbered(f[0], 2, 0, 1)}, 1},
		{"another cookie", "ignored: the responder's cookie is another one", [][]byte{append(append(bytes.Clone(f[1][:8]), 9, 9, 9, 9, 9, 9, 9, 9), f[1][16:]...)}, 1},
	} {
		for _, b := range row.give {
			r.give(b)
		}
		require.Contains(t, r.note(), row.want, row.name)
		require.Len(t, r.sa.queues, row.queues, row.name)
	}
	// A fragment beside another payload, and an encrypted one.
	both := bytes.Clone(f[1])
	both[payload.HeaderLen] = byte(payload.TypeVendorID)
	both = append(both, 0, 0, 0, 5, 1)
	payload.SetLength(both)
	r.give(both)
	require.Contains(t, r.note(), "must be alone")
	secret := bytes.Clone(f[1])
	payload.SetFlags(secret, payload.Encrypted)
	r.give(secret)
	require.Contains(t, r.note(), "a fragment is not encrypted")

	// None of it has harmed the message.
	r.give(f[1])
	r.give(f[2])
	require.True(t, r.sa.Established())
	require.Zero(t, r.env.waiting)
}

// Fragments that make no message, or one of another exchange, change nothing.
func TestFragmentsOfNothing(t *testing.T) {
	r, f := awaiting5(t)
	inner := fragmentOf(t, f[0])
	inner.Flags, inner.ID = payload.LastFragment, 9
	inner.Data = bytes.Clone(inner.Data)
	binary.BigEndian.PutUint32(inner.Data[24:], uint32(len(inner.Data)))
	wrap := func() []byte {
		b := payload.Append(bytes.Clone(f[0][:payload.HeaderLen]), inner)
		payload.SetLength(b)
		return b
	}
	inner.Data[18] = byte(payload.QuickMode)
	r.give(wrap())
	require.Contains(t, r.note(), "ignored: its fragments make no message")
	inner.Data[18], inner.Data[16] = byte(payload.MainMode), byte(payload.TypeFragment)
	r.give(wrap())
	require.Contains(t, r.note(), "ignored: its fragments make no message", "fragments of fragments")
	require.Empty(t, r.sa.queues)
	require.Zero(t, r.env.waiting)
}

func TestFragmentsAreBounded(t *testing.T) {
	r, f := awaiting5(t)
	for id := range uint16(maxReassemblies + 1) {
		r.give(renumbered(f[0], 100+id, 1, 0))
	}
	require.Contains(t, r.note(), "the fragments of too many messages wait for others")
	require.Len(t, r.sa.queues, maxReassemblies)
	for n := range 255 * maxReassemblies {
		r.give(renumbered(f[0], uint16(100+n%maxReassemblies), uint8(1+n/maxReassemblies), 0))
	}
	require.Contains(t, r.note(), "too many bytes of fragments wait for others")
	require.LessOrEqual(t, r.env.waiting, maxFragmentBytes)
	require.Equal(t, r.sa.queued(), r.env.waiting)

	// They wait for 70 s.
	r.sa.Advance(now.Add(ike.FragmentReassembly - 1))
	require.Len(t, r.sa.queues, maxReassemblies)
	r.sa.Advance(now.Add(ike.FragmentReassembly))
	require.Empty(t, r.sa.queues)
	require.Zero(t, r.env.waiting)

	// What other SAs of the host keep counts.
	r.env.waiting = maxWaiting
	r.give(f[0])
	require.Contains(t, r.note(), "too many bytes of fragments wait for others")
	r.env.waiting = 0
	for _, b := range f {
		r.give(b)
	}
	require.True(t, r.sa.Established())
	r.give(renumbered(f[0], 7, 1, 0))
	require.NotZero(t, r.env.waiting)
	r.sa.Discard()
	require.Zero(t, r.env.waiting)
}

// The IDs of MS-IKEE, product note 6, and as Cisco sends them.
func TestFragmentationVendorID(t *testing.T) {
	for _, row := range []struct {
		f    ike.Fragmentation
		want []string
	}{
		{ike.Fragmentation{}, nil},
		{ike.Fragmentation{Form: ike.WindowsFragments}, []string{"4048b7d56ebce88525e7de7f00d6c2d3"}},
		{ike.Fragmentation{Form: ike.CiscoFragments}, []string{"4048b7d56ebce88525e7de7f00d6c2d380000000"}},
		{ike.Fragmentation{Form: ike.CiscoFragments, Aggressive: true}, []string{"4048b7d56ebce88525e7de7f00d6c2d3c0000000"}},
	} {
		c := ike.Config{Fragmentation: row.f}
		var want [][]byte
		for _, s := range row.want {
			want = append(want, unhexed(s))
		}
		require.Equal(t, want, c.Vendors())
	}
	c := ike.Config{Fragmentation: ike.Fragmentation{Form: ike.WindowsFragments}, VendorIDs: [][]byte{microsoft4, fragmenting}}
	require.Equal(t, [][]byte{microsoft4, fragmenting}, c.Vendors(), "each once")
}

// Whatever comes in fragments, what is kept is bounded and is given back.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 4, 0, 1, 2, 1, 4}, uint8(2))
	f.Add([]byte{0, 1, 1, 1, 28}, uint8(32))
	f.Fuzz(func(t *testing.T, script []byte, exchange uint8) {
		r, parts := awaiting5(t)
		h, err := payload.ParseHeader(parts[0])
		require.NoError(t, err)
		h.Exchange = payload.Exchange(exchange)
		whole := bytes.Repeat(r.sa.heardLast, 4)
		for ; len(script) >= 5; script = script[5:] {
			p := payload.Fragment{ID: uint16(script[0]) % 10, Number: script[2], Flags: script[3], Data: whole[:min(len(whole), int(script[4])*8)]}
			b := payload.Append(h.Append(nil), p)
			payload.SetLength(b)
			r.give(b)
			require.LessOrEqual(t, len(r.sa.queues), maxReassemblies)
			require.LessOrEqual(t, r.env.waiting, maxFragmentBytes)
			require.Equal(t, r.sa.queued(), r.env.waiting)
		}
		for _, b := range parts {
			b = renumbered(b, 77, b[payload.HeaderLen+6], b[payload.HeaderLen+7])
			r.give(b)
		}
		require.True(t, r.sa.Established() || len(r.sa.queues) > 0, "and the message gets through unless the room is taken")
	})
}
