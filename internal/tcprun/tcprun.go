// Package tcprun lets the TCP of a netstack run on the goroutine of its caller.
//
// netstack gives each stack as many goroutines for TCP as there are processors,
// and hands every segment to one of them. A world has one loop, which has to wait
// for them after each event: stack.Pause does that, at the price of several
// switches between goroutines for each segment and each processor, and of their
// stacks for each host. Here the goroutines are ended when the stack is new, and
// the function that they ran is called on the loop instead. It is the same code on
// the same queue; a test compares the packets.
//
// netstack has no way in for this. The package reaches for one unexported method
// and a few unexported fields. The method is checked when the program is linked, the
// fields when a stack is taken.
package tcprun

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"gvisor.dev/gvisor/pkg/sleep"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// Runner runs what the TCP of one stack has to do. It belongs to one goroutine.
type Runner struct {
	processor unsafe.Pointer // *tcp.processor
	sleeper   *sleep.Sleeper
	work, end *sleep.Waker
	running   sync.WaitGroup
}

// processorStart is the body of a TCP goroutine. It does what the wakers of its
// sleeper ask for, in the order in which they were asserted, until one asks it to
// end; then it takes the wakers off the sleeper.
//
//go:linkname processorStart gvisor.dev/gvisor/pkg/tcpip/transport/tcp.(*processor).start
func processorStart(p unsafe.Pointer, wg *sync.WaitGroup)

// Take ends the TCP goroutines of a new stack that no packet has reached yet. From
// then on its TCP makes progress in Run only; Pause and Resume must not be called
// on it. The error is that this version of netstack is not as expected.
func Take(s *stack.Stack) (*Runner, error) {
	proto := s.TransportProtocolInstance(tcp.ProtocolNumber)
	if proto == nil {
		return nil, fmt.Errorf("tcprun: the stack has no TCP")
	}
	f := fields{v: reflect.ValueOf(proto)}
	list := f.at("dispatcher", "processors")
	if f.err == nil && (list.Kind() != reflect.Slice || list.Len() == 0) {
		f.fail("dispatcher.processors is no slice of them")
	}
	if f.err != nil {
		return nil, f.err
	}
	all := make([]Runner, list.Len())
	for i := range all {
		p := fields{v: list.Index(i).Addr()}
		all[i] = Runner{
			processor: list.Index(i).Addr().UnsafePointer(),
			sleeper:   field[sleep.Sleeper](&p, "sleeper"),
			work:      field[sleep.Waker](&p, "newEndpointWaker"),
			end:       field[sleep.Waker](&p, "closeWaker"),
		}
		if p.err != nil {
			return nil, p.err
		}
	}
	for i := range all {
		all[i].end.Assert()
	}
	proto.Wait()
	// One queue for all endpoints, however many processors the machine has.
	list.Set(list.Slice3(0, 1, 1))
	return &Runner{processor: all[0].processor, sleeper: all[0].sleeper, work: all[0].work, end: all[0].end}, nil
}

// Run handles the segments that have reached the stack, and what follows from
// them, until TCP has nothing left to do.
func (r *Runner) Run() {
	for r.work.IsAsserted() {
		r.sleeper.AddWaker(r.work)
		r.end.Assert()
		r.sleeper.AddWaker(r.end)
		r.running.Add(1)
		processorStart(r.processor, &r.running)
	}
}
