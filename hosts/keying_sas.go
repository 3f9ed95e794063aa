package hosts

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// answered is a quick mode that this side has answered: its inbound SA is in
// use, its outbound one comes with the peer's last message. Traffic that needs
// the outbound one meanwhile waits for it, rather than start a quick mode of its own.
type answered struct {
	in      ipsec.SAParams
	waiting []esp.EventAcquire
}

// rekey is a successor of a pair that this side has asked for. Traffic that finds
// the old pair used up meanwhile waits for it, rather than ask for another one.
type rekey struct {
	id       uint64 // of the request
	replaces uint32 // the inbound SPI of the pair
	peer     netip.Addr
	policyID int
	selector ipsec.Selector
	waiting  []esp.EventAcquire
}

// acquire asks for an SA pair, or waits for one that is under way.
func (k *keying) acquire(now time.Time, e esp.EventAcquire) {
	for _, r := range k.rekeys {
		if r.peer == e.Peer && r.policyID == e.Policy.ID && r.selector == e.Selector {
			r.waiting = append(r.waiting, e)
			return
		}
	}
	for _, a := range k.answered {
		if a.in.Src == e.Peer && a.in.PolicyID == e.Policy.ID && a.in.Selector == e.Selector.Reverse() {
			a.waiting = append(a.waiting, e)
			return
		}
	}
	k.request(now, e)
}

func (k *keying) request(now time.Time, e esp.EventAcquire) {
	if !e.Local.IsValid() { // a tunnel
		local, ok := k.host.nearEnd(e.Peer)
		if !ok {
			k.host.record(trace.PacketDropped{Where: "ipsec outbound", Packet: e.Selector.String(), Reason: fmt.Sprintf("no route to %s, the end of its tunnel", e.Peer), Rule: e.Policy.Rule})
			k.host.driver.esp.Fail(now, e.ID)
			return
		}
		e.Local = local
	}
	k.mux.Request(now, ike.Request{
		ID: e.ID, Local: e.Local, Remote: e.Peer, Selector: e.Selector, QuickMode: quickModeOf(e.Policy),
	})
}

// takeRekey removes and returns the rekey with a request's ID; nil when there is none.
func (k *keying) takeRekey(id uint64) *rekey {
	i := slices.IndexFunc(k.rekeys, func(r *rekey) bool { return r.id == id })
	if i < 0 {
		return nil
	}
	r := k.rekeys[i]
	k.rekeys = slices.Delete(k.rekeys, i, i+1)
	return r
}

// fail discards what waits for negotiations that came to nothing.
func (k *keying) fail(now time.Time, waiting []esp.EventAcquire) {
	for _, w := range waiting {
		k.host.driver.esp.Fail(now, w.ID)
	}
}

// takeAnswered removes and returns the answered quick mode with an inbound SPI; nil when there is none.
func (k *keying) takeAnswered(spi uint32) *answered {
	i := slices.IndexFunc(k.answered, func(a *answered) bool { return a.in.SPI == spi })
	if i < 0 {
		return nil
	}
	a := k.answered[i]
	k.answered = slices.Delete(k.answered, i, i+1)
	return a
}

// install adds negotiated SAs and lets go what waited for them. Inbound ones may
// be there already.
func (k *keying) install(now time.Time, e ike.EventSAs) {
	var sas []ipsec.SAParams
	var acquires []uint64
	for _, in := range e.In {
		a := k.takeAnswered(in.SPI)
		if a == nil {
			sas = append(sas, in)
			continue
		}
		for _, w := range a.waiting {
			acquires = append(acquires, w.ID)
		}
	}
	added := k.add(now, append(sas, e.Out...))
	if r := k.takeRekey(e.RequestID); r != nil {
		for _, w := range r.waiting {
			acquires = append(acquires, w.ID)
		}
	} else if e.RequestID != 0 {
		acquires = append(acquires, e.RequestID)
	}
	d := k.host.driver
	var held [][]byte
	for _, id := range acquires {
		if added {
			held = append(held, d.esp.Answer(now, id)...)
		} else {
			d.esp.Fail(now, id)
		}
	}
	release := func() {
		for _, packet := range held {
			d.resend(packet)
		}
	}
	if k.host.config.ReleaseAfter == 0 || len(held) == 0 {
		release()
		return
	}
	k.host.after(k.host.config.ReleaseAfter, release)
}

// add puts SAs into the SAD. It refuses none that the policy offered; if it does, the trace says why.
func (k *keying) add(now time.Time, sas []ipsec.SAParams) bool {
	for i, sa := range sas {
		if sa.Direction == ipsec.Inbound && sa.Mode == ipsec.Tunnel {
			sas[i].Rule = k.host.agent.inboundRule(sa)
		}
	}
	err := k.host.driver.esp.Add(now, sas...)
	if err != nil {
		k.host.record(trace.PacketDropped{Where: "sad", Packet: "negotiated SAs", Reason: err.Error()})
	}
	k.counted(sas, err)
	return err == nil
}

// remove ends the pairs whose outbound half the peer deleted. They are told by our own SPIs, wherever they lead: a peer that has moved
// to the end of another one, and has its SPIs, would else end what that one has.
func (k *keying) remove(now time.Time, e ike.EventDeleteSAs) {
	d := k.host.driver
	const reason = "deleted by peer"
	for i, spi := range e.SPIs {
		for _, sa := range d.esp.SAs() {
			switch own := e.Own[i]; {
			case sa.Protocol != e.Protocol:
			case sa.Direction == ipsec.Inbound && sa.SPI == own && sa.PeerSPI == spi:
				d.esp.RemoveSA(now, ipsec.Inbound, sa.Protocol, sa.Dst, sa.SPI, reason)
			case sa.Direction == ipsec.Outbound && sa.SPI == spi && sa.PeerSPI == own:
				d.esp.RemoveSAAt(now, ipsec.Outbound, sa.Protocol, netip.AddrPortFrom(sa.Dst, sa.UDP.Dst), spi, reason)
			}
		}
	}
}

// drop ends all SAs and main modes and tells the peers.
func (k *keying) drop(reason string) {
	now := k.host.world.Time()
	d := k.host.driver
	removed := d.esp.RemoveAll(now, reason)
	for _, a := range k.answered {
		k.fail(now, a.waiting)
	}
	for _, r := range k.rekeys {
		k.fail(now, r.waiting)
	}
	k.answered, k.rekeys = nil, nil
	for _, sa := range removed {
		k.ended(now, sa)
	}
	k.forget(now)
	k.mux.ShutdownFor(now, reason)
	k.pump()
}

// forget drops what the data plane has asked for under the old policy and nobody has taken up yet.
func (k *keying) forget(now time.Time) {
	d := k.host.driver
	for {
		event, ok := d.esp.NextEvent()
		if acquire, is := event.(esp.EventAcquire); is {
			d.esp.Fail(now, acquire.ID)
		}
		if hard, is := event.(esp.EventHard); is {
			k.ended(now, hard.SA)
		}
		if !ok {
			return
		}
	}
}

// ended tells the peer of an SA that this side removed.
func (k *keying) ended(now time.Time, sa ipsec.SAParams) {
	if sa.Direction == ipsec.Inbound {
		k.mux.DeleteSAs(now, sa.Src, sa.Protocol, []uint32{sa.SPI})
	}
}
