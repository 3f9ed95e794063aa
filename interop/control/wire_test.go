//go:build unix

package control

import (
	"net"
	"os"
	"path/filepath"
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

func TestWire(t *testing.T) {
	t.Run("a descriptor", func(t *testing.T) {
		agent, lab := wire(t)
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer w.Close()
		require.NoError(t, OfferTAP(agent, "eth7", r))
		r.Close()
		got, err := AcceptWire(lab)
		require.NoError(t, err)
		defer got.TAP.Close()
		require.Equal(t, "eth7", got.Interface)
		w.WriteString("frame")
		b := make([]byte, 10)
		n, err := got.TAP.Read(b)
		require.NoError(t, err)
		require.Equal(t, "frame", string(b[:n]))
	})
	t.Run("frames", func(t *testing.T) {
		agent, lab := wire(t)
		require.NoError(t, OfferFrames(agent, "eth7"))
		got, err := AcceptWire(lab)
		require.NoError(t, err)
		require.Nil(t, got.TAP)
		require.Equal(t, "eth7", got.Interface)
		agent.Write([]byte("one"))
		agent.Write([]byte("two"))
		b := make([]byte, 10)
		n, err := got.Conn.Read(b)
		require.NoError(t, err)
		require.Equal(t, "one", string(b[:n]))
	})
	for name, says := range map[string]string{
		"nothing": "", "no offer": "\x00\x01garbage", "a descriptor that is not there": `{"interface":"eth0"}`,
	} {
		t.Run(name, func(t *testing.T) {
			agent, lab := wire(t)
			if says != "" {
				agent.Write([]byte(says))
			}
			agent.Close()
			_, err := AcceptWire(lab)
			require.Error(t, err)
		})
	}
	t.Run("a descriptor and frames", func(t *testing.T) {
		agent, lab := wire(t)
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		defer w.Close()
		require.NoError(t, sendOffer(agent, offer{Interface: "eth0", Frames: true}, int(r.Fd())))
		_, err = AcceptWire(lab)
		require.ErrorContains(t, err, "it comes as a descriptor or as frames")
	})
}
