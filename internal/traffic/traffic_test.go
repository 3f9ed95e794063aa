package traffic

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRequest(t *testing.T) {
	b := AppendRequest([]byte{9}, 0x0102030405060708, 5)
	require.Equal(t, []byte{9, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 5}, b)
	request, answer := ParseRequest(b[1:])
	require.Equal(t, uint64(0x0102030405060708), request)
	require.Equal(t, uint64(5), answer)
}

func TestDatagrams(t *testing.T) {
	d := Datagrams{Count: 3, Size: 20, Grow: 7}
	for i := range 3 {
		b := d.Payload(i)
		require.Len(t, b, 20+7*i)
		got, ok := d.Echo(b)
		require.True(t, ok)
		require.Equal(t, i, got)
		for n := range b {
			_, ok := d.Echo(b[:n])
			require.False(t, ok, "cut after %d", n)
		}
		b[len(b)-1] ^= 1
		_, ok = d.Echo(b)
		require.False(t, ok)
	}
	_, ok := d.Echo(d.Payload(3))
	require.False(t, ok, "never sent")
	require.Equal(t, []byte{0, 0, 0, 2}, Datagrams{Size: 1}.Payload(2), "the number has room")
}

// What is to be done, and when, of three requests of which the second is lost.
func TestRounds(t *testing.T) {
	const s = time.Second
	r := Rounds{Count: 3, Interval: s, Timeout: 5 * s}
	r.Start(10 * s)
	send := func(now time.Duration, want int, ok bool) {
		t.Helper()
		got, sent := r.Send(now)
		require.Equal(t, ok, sent)
		if ok {
			require.Equal(t, want, got)
		}
	}
	send(10*s, 0, true)
	send(12*s, 0, false) // one at a time
	require.Equal(t, 15*s, r.Until(), "the answer's time is over")
	r.Answered(7, 12*s)
	r.Answered(0, 12*s)
	require.Equal(t, 11*s, r.Until(), "the next is due")
	send(12*s, 1, true)
	require.False(t, r.Expired(16*s))
	require.True(t, r.Expired(17*s))
	require.Equal(t, 1, r.GiveUp())
	r.Answered(1, 17*s) // too late
	send(17*s, 2, true)
	require.False(t, r.Done())
	r.Answered(2, 18*s)
	require.True(t, r.Done())
	send(30*s, 0, false)
	require.Equal(t, 3, r.Sent)
	require.Equal(t, 2, r.Received)
	require.Equal(t, []time.Duration{2 * s, s}, r.Latency())
	require.Equal(t, 6*s, r.Silence(20*s), "from 12 s to 18 s")
	require.Equal(t, 9*s, r.Silence(27*s), "from 18 s to the end")
}

func TestRoundsAhead(t *testing.T) {
	r := Rounds{Count: 4, Ahead: 2, Interval: time.Second, Timeout: 5 * time.Second}
	r.Start(0)
	r.Send(0)
	require.Equal(t, time.Second, r.Until(), "there is room for another")
	_, ok := r.Send(0)
	require.False(t, ok, "which is not due")
	_, ok = r.Send(time.Second)
	require.True(t, ok)
	require.Equal(t, 5*time.Second, r.Until(), "no room: the oldest's time")
	r.Answered(1, 2*time.Second)
	require.Equal(t, 2*time.Second, r.Until())
	require.True(t, r.Waiting())
	require.False(t, r.Done())
	nobody := Rounds{}
	nobody.Start(0)
	require.True(t, nobody.Done())
}
