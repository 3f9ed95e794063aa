package hosts

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/natt"
	"github.com/ipseclab/ipseclab/sim"
)

// keepAlive is the mapping of a NAT between two ends that is kept alive: whenever nothing has gone from one to
// the other for the interval, a packet with one octet does (RFC 3948, Sections 2.3 and 4).
type keepAlive struct {
	local, remote netip.AddrPort
	interval      time.Duration
	sent          time.Time // the last message of IKE, or keep-alive
	timer         *sim.Timer
}

// keepsAlive begins or ends with keep-alives.
func (k *keying) keepsAlive(now time.Time, e ike.EventKeepAlive) {
	i := slices.IndexFunc(k.alive, func(a *keepAlive) bool { return a.local == e.Local && a.remote == e.Remote })
	switch {
	case e.Interval == 0 && i >= 0:
		k.alive[i].timer.Stop()
		k.alive = slices.Delete(k.alive, i, i+1)
	case e.Interval > 0 && i < 0:
		a := &keepAlive{local: e.Local, remote: e.Remote, interval: e.Interval, sent: now}
		k.alive = append(k.alive, a)
		k.await(now, a)
	}
}

// await sets the timer for when a keep-alive may be due.
func (k *keying) await(now time.Time, a *keepAlive) {
	due := a.sent.Add(a.interval)
	if t := k.host.driver.esp.Sent(a.local, a.remote).Add(a.interval); t.After(due) {
		due = t
	}
	a.timer = k.host.after(max(0, due.Sub(now)), func() {
		if k.gone() {
			return
		}
		now := k.host.world.Time()
		if now.Sub(a.sent) >= a.interval && now.Sub(k.host.driver.esp.Sent(a.local, a.remote)) >= a.interval {
			a.sent = now
			if err := k.host.sendFrom(a.local, a.remote, natt.KeepAlivePayload(), false); err != nil {
				k.statistics.SendFailures++
			}
		}
		k.await(now, a)
	})
}

// said notes that a message of IKE has gone.
func (k *keying) said(local, remote netip.AddrPort) {
	for _, a := range k.alive {
		if a.local == local && a.remote == remote {
			a.sent = k.host.world.Time()
		}
	}
}

// silence ends all keep-alives.
func (k *keying) silence() {
	for _, a := range k.alive {
		a.timer.Stop()
	}
	k.alive = nil
}
