package hosts_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// cut is when the power goes.
const cut = 60 * time.Millisecond

// restarted runs a host through a power cut of a minute in the middle of its work:
// a transfer to it and pings from it.
func restarted(t *testing.T, graceful bool) *bench {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	tcp, err := b.bob.ServeTCP(80)
	require.NoError(t, err)
	_, err = b.bob.ServeUDP(7)
	require.NoError(t, err)
	transfer := hosts.Call{To: netip.AddrPortFrom(bobAddr, 80), Request: 20_000_000, Response: 16, Timeout: 2 * time.Minute}
	echo := hosts.Datagrams{To: netip.AddrPortFrom(bobAddr, 7), Count: 1, Size: 64, Timeout: time.Second}
	var reports [2]hosts.Report
	b.soon(b.alice, func(p *sim.Proc) { reports[0] = b.alice.Call(p, transfer) })
	b.soon(b.bob, func(p *sim.Proc) {
		p.Sleep(30 * time.Millisecond)
		reports[1] = b.bob.Ping(p, hosts.Ping{To: aliceAddr, Count: 100, Size: 32, Interval: time.Second, Timeout: time.Second})
		require.Equal(t, cut, p.Now(), "a program ends with its host")
	})
	test := b.world.Go(nil, "test", func(p *sim.Proc) {
		p.Sleep(cut)
		require.Len(t, b.bob.SAs(), 2)
		seen := tcp.Seen()
		b.world.Go(b.alice, "probe", func(p *sim.Proc) {
			p.Sleep(30 * time.Second)
			require.Empty(t, b.bob.SAs(), "while it is off")
			require.ErrorIs(t, b.bob.AssignPolicy(nil), hosts.ErrOff)
			require.ErrorIs(t, b.bob.Restart(p, time.Second, false), hosts.ErrOff)
			require.ErrorIs(t, b.bob.Ping(p, hosts.Ping{To: aliceAddr, Count: 1}).Err, hosts.ErrOff)
			require.Equal(t, "timeout", b.alice.SendDatagrams(p, echo).Result())
		})
		require.NoError(t, b.bob.Restart(p, time.Minute, graceful))
		require.Equal(t, cut+time.Minute, p.Now())
		require.Equal(t, 1, b.bob.Restarts())
		require.Equal(t, seen, tcp.Seen(), "what the application has seen is the observer's")
		require.Empty(t, b.bob.MainModes())
		require.Zero(t, b.bob.Counters())
		require.Equal(t, "require", b.bob.Policy().Name)
		// The first echo may lose its place in waiting for an SA to what TCP has to say to the old transfer.
		pings := b.bob.Ping(p, hosts.Ping{To: aliceAddr, Count: 2, Size: 32, Interval: time.Second, Timeout: time.Second})
		require.NotZero(t, pings.Received, "%v", pings.Err)
		r := b.alice.Call(p, hosts.Call{To: transfer.To, Request: 1000, Response: 1000, Timeout: time.Minute})
		require.Equal(t, "ok", r.Result(), "%v", r.Err)
		p.Sleep(3 * time.Minute)
	})
	require.NoError(t, b.world.Run(t.Context(), 0, test.Done))
	require.Equal(t, "error", reports[1].Result())
	require.ErrorIs(t, reports[1].Err, hosts.ErrRestarted)
	require.NotEqual(t, "ok", reports[0].Result(), "its receiver has forgotten it")
	require.NotEmpty(t, b.bob.MainModes())
	n := b.protocols()
	require.Zero(t, n[6], "TCP in the clear")
	require.Zero(t, n[1], "ICMP in the clear")
	return b
}

func TestRestart(t *testing.T) {
	b := restarted(t, false)
	var states []trace.Event
	sas := map[string]int{}
	for _, e := range b.log.Events() {
		switch body := e.Body.(type) {
		case trace.HostState:
			states = append(states, e)
		case trace.SARemoved:
			if body.Reason == "power cut" {
				sas[e.Node]++
			}
		case trace.IKEMessage:
			require.False(t, e.Node == "bob" && e.At >= cut && e.At < cut+time.Minute, "a host that is off speaks")
		}
	}
	require.Equal(t, []trace.Event{
		{At: cut, Node: "bob", Body: trace.HostState{State: "stopped", Detail: "power cut"}},
		{At: cut + time.Minute, Node: "bob", Body: trace.HostState{State: "started"}},
	}, states)
	require.Equal(t, map[string]int{"bob": 2}, sas)

	again := restarted(t, false)
	require.Equal(t, b.frames, again.frames)
	require.True(t, bytes.Equal(b.capture.Bytes(), again.capture.Bytes()))
}

// A host that is shut down says so: its peer has no SA left to send into the void.
func TestGracefulRestart(t *testing.T) {
	b := restarted(t, true)
	var told bool
	for _, e := range b.log.Events() {
		if r, ok := e.Body.(trace.SARemoved); ok && e.Node == "alice" && r.Reason == "deleted by peer" {
			require.Less(t, e.At, cut+time.Second)
			told = true
		}
	}
	require.True(t, told)
}
