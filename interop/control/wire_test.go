//go:build unix

package control

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire is a connection of SOCK_SEQPACKET.
func wire(t *testing.T) (agent, lab *net.UnixConn) {
	dir, err := os.MkdirTemp("", "wire")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixpacket"})
	if err != nil {
		t.Skipf("no SOCK_SEQPACKET here: %v", err)
	}
	defer l.Close()
	agent, err = net.DialUnix("unixpacket", nil, l.Addr().(*net.UnixAddr))
	require.NoError(t, err)
	lab, err = l.AcceptUnix()
	require.NoError(t, err)
	t.Cleanup(func() { agent.Close(); lab.Close() })
	return agent, lab
}

func TestTAPs(t *testing.T) {
	agent, lab := wire(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, OfferTAP(agent, "eth7", r))
	r.Close()
	name, tap, err := AcceptTAP(lab)
	require.NoError(t, err)
	defer tap.Close()
	require.Equal(t, "eth7", name)
	w.WriteString("frame")
	b := make([]byte, 10)
	n, err := tap.Read(b)
	require.NoError(t, err)
	require.Equal(t, "frame", string(b[:n]))
}

// What is no offer is an error, and a descriptor that came with it is closed.
func TestBadOffers(t *testing.T) {
	for name, says := range map[string]string{"nothing": "", "no offer": "\x00\x01garbage", "without a descriptor": `{"interface":"eth0"}`} {
		t.Run(name, func(t *testing.T) {
			agent, lab := wire(t)
			if says != "" {
				agent.Write([]byte(says))
			}
			agent.Close()
			_, _, err := AcceptTAP(lab)
			require.Error(t, err)
		})
	}
	offer := func(t *testing.T, says string, descriptors int) error {
		agent, lab := wire(t)
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		var all []int
		for range descriptors {
			all = append(all, int(w.Fd()))
		}
		_, _, err = agent.WriteMsgUnix([]byte(says), syscall.UnixRights(all...), nil)
		require.NoError(t, err)
		w.Close()
		_, _, err = AcceptTAP(lab)
		_, end := r.Read(make([]byte, 1))
		require.Equal(t, io.EOF, end, "nobody holds the pipe open")
		return err
	}
	t.Run("a descriptor with no offer", func(t *testing.T) {
		require.ErrorContains(t, offer(t, "garbage", 1), "cannot be read")
	})
	t.Run("two descriptors", func(t *testing.T) {
		require.Error(t, offer(t, `{"interface":"eth0"}`, 2))
	})
}
