package hosts

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Restart cuts the host's power and starts it again after the time that booting
// takes: sockets, programs, SAs, main modes and the driver's statistics are gone,
// nobody is told, and what arrives meanwhile is lost. Then the applications listen
// again; the store of policies is as it was. The policy agent starts with the
// computer, or later: see Boot. A host that is shut down gracefully
// tells its peers first that its SAs are gone.
//
// Call Restart from a coroutine of no owner.
func (h *Host) Restart(p *sim.Proc, boot time.Duration, graceful bool) error {
	if h.off {
		return fmt.Errorf("hosts: %s: restarting: %w", h.name, ErrOff)
	}
	how := "power cut"
	if graceful {
		how = "shut down"
		h.keying.drop("shut down")
	}
	h.stop(how)
	p.Sleep(boot)
	return h.boot()
}

// stop ends everything that runs on the host.
func (h *Host) stop(how string) {
	h.off = true // from here on nobody writes to a log
	h.driver.esp.RemoveAll(h.world.Time(), how)
	h.boots++ // what belongs to the time before is gone, see the uses of gone
	for e := h.parked.Front(); e != nil; e = e.Next() {
		e.Value.(*sim.Proc).Wake()
	}
	h.stack.Close()
	h.stack.Wait()
	h.dhcp, h.leased = nil, nil // no lease outlives the power
	h.takers = nil
	h.record(trace.HostState{State: "stopped", Detail: how})
}

// boot starts the host anew.
func (h *Host) boot() error {
	h.off = false
	h.readRegistry()
	h.record(trace.HostState{State: "started"})
	if err := h.start(h.config); err != nil {
		return err
	}
	order := func(a, b listenKey) int { return cmp.Or(cmp.Compare(a.proto, b.proto), cmp.Compare(a.port, b.port)) }
	for _, k := range slices.SortedFunc(maps.Keys(h.listeners), order) {
		var err error
		switch {
		case h.listeners[k].again != nil:
			err = h.listeners[k].again()
		case k.proto == ipsec.ProtoUDP:
			_, err = h.ServeUDP(k.port, h.listeners[k].groups...)
		case k.proto == ipsec.ProtoTCP:
			_, err = h.ServeTCP(k.port)
		} // those of other protocols are there since the stack is
		if err != nil {
			return err
		}
	}
	return nil
}

// Restarts is how often the host was restarted.
func (h *Host) Restarts() int { return h.boots }

// What belongs to the time before a restart is gone: it neither sends nor is it told anything.

func (k *keying) gone() bool { return k.boot != k.host.boots || k.host.keying != k }
func (d *driver) gone() bool { return d.boot != d.host.boots }
func (n *nic) gone() bool    { return n.boot != n.host.boots }
func (s *socket) gone() bool { return s.boot != s.host.boots }
