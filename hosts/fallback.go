package hosts

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// FallBack settles what the sources leave open about the fall back to clear of
// rules that allow it.
type FallBack struct {
	After time.Duration // of silence; 0: DefaultFallBackAfter
	Soft  esp.Soft      // how long a soft SA lives

	// Simultaneous falls back at once, with the first message of the main mode, and
	// not after a silence; IKE goes on, and ends the soft SA when it has an SA.
	Simultaneous bool

	// OnFailure falls back also when the peer has answered, but no main mode is up
	// After it was begun, or the negotiation fails: what the Simple Policy Update
	// changed, with an After of 0.5 s (KB914841).
	OnFailure bool

	// OnUnreachable falls back at once when the peer says that nobody listens on its
	// port 500, as far as policy lets ICMP in. Anybody can say that in its name.
	OnUnreachable bool
}

// DefaultFallBackAfter is how long Windows Server 2003 waits for an answer (C147).
const DefaultFallBackAfter = 3 * time.Second

func (f FallBack) after() time.Duration {
	if f.Simultaneous {
		return 0
	}
	return cmp.Or(f.After, DefaultFallBackAfter)
}

// fallingBack is an acquire that ends in a soft SA if nobody answers IKE.
type fallingBack struct {
	id          uint64
	at          time.Time // of the acquire
	local, peer netip.Addr
}

// mayFallBack notes an acquire of a rule that allows to fall back.
func (k *keying) mayFallBack(now time.Time, e esp.EventAcquire) {
	if e.Policy.FallBack {
		k.falling = append(k.falling, fallingBack{e.ID, now, e.Local, e.Peer})
	}
}

// fallBack begins the soft SAs that are due, and sets fallDue to when the next one
// may be. The time runs from the first message of the main mode that nobody answers,
// or from the acquire where that is later.
func (k *keying) fallBack(now time.Time) {
	k.fallDue = time.Time{}
	settings := k.host.config.FallBack
	for _, f := range slices.Clone(k.falling) {
		since, heard, ok := k.mux.Opening(f.local, f.peer)
		if !k.host.driver.esp.Acquiring(f.id) || !ok || heard && !settings.OnFailure {
			continue
		}
		if f.at.After(since) {
			since = f.at
		}
		if due := since.Add(settings.after()); now.Before(due) {
			if k.fallDue.IsZero() || due.Before(k.fallDue) {
				k.fallDue = due
			}
			continue
		}
		reason := fmt.Sprintf("nobody answered IKE for %v", settings.after())
		if settings.Simultaneous {
			reason = "the host falls back while IKE goes on"
		}
		if heard {
			reason = fmt.Sprintf("no main mode after %v", settings.after())
		}
		k.soften(now, f.local, f.peer, reason)
	}
	k.falling = slices.DeleteFunc(k.falling, func(f fallingBack) bool { return !k.host.driver.esp.Acquiring(f.id) })
}

// soften begins a soft SA and lets go what waited.
func (k *keying) soften(now time.Time, local, peer netip.Addr, reason string) {
	d := k.host.driver
	for _, packet := range d.esp.FallBack(now, local, peer, reason) {
		d.resend(packet)
	}
}

// failed reports whether the failure of a request ends in a soft SA.
func (k *keying) failed(now time.Time, e ike.EventFailed) bool {
	if !k.host.config.FallBack.OnFailure {
		return false
	}
	i := slices.IndexFunc(k.falling, func(f fallingBack) bool { return f.id == e.RequestID && k.host.driver.esp.Acquiring(f.id) })
	if i < 0 {
		return false
	}
	f := k.falling[i]
	k.soften(now, f.local, f.peer, "the negotiation failed: "+ike.ReasonOf(e.Err))
	return true
}

// learnUnreachable takes a message, which policy has admitted, that a port of a
// peer is closed (RFC 792; RFC 4443, Section 3.1), if it is about a message of IKE.
func (d *driver) learnUnreachable(in datagram) {
	k := d.host.keying
	if !d.host.config.FallBack.OnUnreachable || len(k.falling) == 0 {
		return
	}
	const icmpHeader = 8 // of both families
	icmp := in.payload()
	if !in.first || len(icmp) < icmpHeader {
		return
	}
	switch {
	case in.family == ip4 && in.proto == ipsec.ProtoICMP:
		if m := header.ICMPv4(icmp); m.Type() != header.ICMPv4DstUnreachable || m.Code() != header.ICMPv4PortUnreachable {
			return
		}
	case in.family == ip6 && in.proto == ipsec.ProtoICMPv6:
		if m := header.ICMPv6(icmp); m.Type() != header.ICMPv6DstUnreachable || m.Code() != header.ICMPv6PortUnreachable {
			return
		}
	default:
		return
	}
	q, ok := readQuoted(icmp[icmpHeader:])
	if !ok || q.proto != ipsec.ProtoUDP || q.dst != in.src || !q.first || len(q.payload()) < header.UDPMinimumSize ||
		header.UDP(q.payload()).DestinationPort() != isakmpPort {
		return
	}
	k.refused = append(k.refused, refusal{q.src, q.dst})
	k.kick()
}

// refusal says that nobody listens on the peer's port 500.
type refusal struct{ local, peer netip.Addr }

// fallBackFrom begins the soft SAs with the peers that refused.
func (k *keying) fallBackFrom(now time.Time) {
	refused := k.refused
	k.refused = nil
	for _, r := range refused {
		waits := slices.ContainsFunc(k.falling, func(f fallingBack) bool {
			return f.local == r.local && f.peer == r.peer && k.host.driver.esp.Acquiring(f.id)
		})
		if _, heard, ok := k.mux.Opening(r.local, r.peer); waits && ok && !heard {
			k.soften(now, r.local, r.peer, "nobody listens on the peer's port 500 (ICMP port unreachable)")
		}
	}
}
