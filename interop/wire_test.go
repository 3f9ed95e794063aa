package interop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// private is a folder whose path is short enough for sockets.
func private(t testing.TB) string {
	dir, err := os.MkdirTemp("/tmp", "ipseclab-test-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// frame is an Ethernet frame with a number in it.
func frame(n int) []byte { return append(make([]byte, etherHeader), fmt.Sprint(n)...) }

// joinedWire is a wire, and the machine's end of it.
func joinedWire(t *testing.T, deliver func([]byte)) (*wire, *net.UnixConn) {
	path := filepath.Join(private(t), "w")
	l, err := listen("unixpacket", path)
	require.NoError(t, err)
	machine, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	require.NoError(t, err)
	t.Cleanup(func() { machine.Close() })
	conn, err := l.accept(t.Context(), nil)
	require.NoError(t, err)
	w := newWire(deliver)
	require.NoError(t, w.join(conn))
	t.Cleanup(w.close)
	return w, machine
}

func TestWireCarriesFrames(t *testing.T) {
	delivered := make(chan []byte, 10)
	w, machine := joinedWire(t, func(f []byte) { delivered <- f })
	for i := range 3 {
		w.send(frame(i))
	}
	b := make([]byte, 100)
	for i := range 3 {
		n, err := machine.Read(b)
		require.NoError(t, err)
		require.Equal(t, frame(i), b[:n], "one frame for each read, in order")
	}
	for _, f := range [][]byte{frame(7), []byte("runt"), bytes.Repeat([]byte{1}, 9014), frame(8)} {
		_, err := machine.Write(f)
		require.NoError(t, err)
	}
	require.Equal(t, frame(7), <-delivered)
	require.Len(t, <-delivered, 9014, "the runt is left out")
	require.Equal(t, frame(8), <-delivered)
}

func TestWireDropsWhatThePeerDoesNotTake(t *testing.T) {
	w, _ := joinedWire(t, func([]byte) {})
	f := make([]byte, 1514)
	start := time.Now()
	for range 3 * wireQueue { // more than the queue and the socket hold
		w.send(f)
	}
	require.Less(t, time.Since(start), time.Second, "it does not block")
	require.Positive(t, w.dropped.Load())
}

func TestWireDropsBeforeThePeerIsThere(t *testing.T) {
	w := newWire(func([]byte) {})
	for range wireQueue + 5 {
		w.send(frame(1))
	}
	require.EqualValues(t, 5, w.dropped.Load())
	w.close()
	w.send(frame(1))
	require.EqualValues(t, 5, w.dropped.Load(), "what is sent to a closed wire is nobody's")
}

func TestWireEnds(t *testing.T) {
	w, machine := joinedWire(t, func([]byte) {})
	w.close()
	_, err := machine.Read(make([]byte, 100))
	require.Error(t, err, "the machine sees it")
	require.ErrorContains(t, w.join(nopCarrier{}), "closed")
}

func TestWireHasOneMachine(t *testing.T) {
	w, _ := joinedWire(t, func([]byte) {})
	require.ErrorContains(t, w.join(nopCarrier{}), "second machine")
}

type nopCarrier struct{}

func (nopCarrier) Read([]byte) (int, error)    { return 0, net.ErrClosed }
func (nopCarrier) Write(b []byte) (int, error) { return len(b), nil }
func (nopCarrier) Close() error                { return nil }
