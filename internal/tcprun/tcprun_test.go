package tcprun

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gvisor.dev/gvisor/pkg/sleep"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// A stack that was taken has no goroutines, and can still be closed. That its TCP
// sends the same packets is tested where there is a world: TestSameSeedUnderEachGOMAXPROCS of sim.
func TestTakeEndsTheGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := stack.New(stack.Options{TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocolCUBIC}})
	require.Error(t, goleak.Find(before), "netstack has goroutines for TCP no more: what is this package for?")
	r, err := Take(s)
	require.NoError(t, err)
	require.NoError(t, goleak.Find(before))
	r.Run() // with nothing to do
	s.Destroy()
}

func TestTakeWithoutTCP(t *testing.T) {
	_, err := Take(stack.New(stack.Options{}))
	require.EqualError(t, err, "tcprun: the stack has no TCP")
}

func TestFields(t *testing.T) {
	type inner struct{ waker sleep.Waker }
	v := &struct {
		in   inner
		list []inner
	}{list: make([]inner, 3)}

	f := fields{v: reflect.ValueOf(v)}
	require.Same(t, &v.in.waker, field[sleep.Waker](&f, "in", "waker"))
	f.at("list").SetLen(1)
	require.Len(t, v.list, 1)
	require.NoError(t, f.err)

	require.Nil(t, field[sleep.Sleeper](&f, "in", "waker"))
	require.ErrorContains(t, f.err, "unsupported version of netstack: [in waker] of *struct")
	require.ErrorContains(t, f.err, "is a sleep.Waker, not a sleep.Sleeper")

	f = fields{v: reflect.ValueOf(v)}
	require.Nil(t, field[sleep.Waker](&f, "list", "waker"))
	require.ErrorContains(t, f.err, "has no field waker")
}
