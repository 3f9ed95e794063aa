package hosts

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Below the driver, netstack keeps datagrams until it knows the address of their
// next hop. What policy let pass may leave after the policy has changed, and is
// judged again then: no packet crosses the boundary against the policy of the
// moment (RFC 4301, Section 4.4.1).

// policyAge is when a driver was given its policy.
type policyAge struct {
	number int // counts the policies, from 1
	since  time.Duration
}

func (a *policyAge) changed(now time.Duration) { a.number, a.since = a.number+1, now }

// addressPatience is longer than netstack waits for an answer of ARP or
// neighbour discovery: three requests, a second apart.
const addressPatience = 4 * time.Second

// stale reports whether a packet on its way out is a clear datagram that the
// present policy would not let pass. A non-first fragment hides its ports: it
// counts when an earlier policy judged its datagram.
func (d *driver) stale(packet []byte, n note) bool {
	if d.policy.number == 0 || d.host.world.Now()-d.policy.since > addressPatience || d.faults.PassClear != 0 {
		return false
	}
	f, err := esp.FlowOf(packet)
	switch {
	case err != nil || n.sealed || f.Proto == ipsec.ProtoESP || f.Proto == ipsec.ProtoAH:
		return err != nil
	case n.policy == d.policy.number:
		return false // judged under the present one
	case f.Fragment:
		return n.policy != d.policy.number
	}
	if e := d.host.agent.inForce.Entry(ipsec.Outbound, &f); e != nil {
		return e.Action != ipsec.Bypass
	}
	return d.homeless(f.Src) || d.esp.Refuses(&f)
}

// homeless reports whether an address, from which a datagram was sent that waits, is one
// that the host had and has no more: its policy has no filters for it, and cannot be asked.
func (d *driver) homeless(src netip.Addr) bool {
	a := d.host.agent
	return a.any() && src.IsGlobalUnicast() && !slices.Contains(d.host.Addrs(), src)
}
