package scenarios

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// directory knows the addresses of nodes: those of the scenario file, or in a running
// world those of the moment, which leases and steps change.
type directory struct {
	spec *spec.Scenario
	lab  *lab // nil: nothing runs
}

// storedPolicies are those of lab.stored.
func (d directory) storedPolicies() map[storedPolicy]bool {
	if d.lab == nil {
		return nil
	}
	return d.lab.stored
}

// ends are source and destination of a packet between two nodes or addresses.
func (d directory) ends(from, to string) (src, dst netip.Addr, err error) {
	if _, err = d.source(from, netip.Addr{}); err != nil {
		return src, dst, fmt.Errorf("scenarios: explain: from: %w", err)
	}
	if dst, err = d.destination(from, to); err != nil {
		return src, dst, fmt.Errorf("scenarios: explain: to: %w", err)
	}
	if src, err = d.source(from, dst); err != nil {
		return src, dst, fmt.Errorf("scenarios: explain: from: %w", err)
	}
	return src, dst, nil
}

// destination is the address that a word means for a node: of another node its first one
// of a family that the node has, too.
func (d directory) destination(from, to string) (netip.Addr, error) {
	if _, named := d.spec.Nodes[to]; !named || d.lab == nil {
		return d.spec.Destination(from, to)
	}
	for _, a := range d.lab.addrsOf(to) {
		if _, err := d.source(from, a); err == nil {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no address now that %s could send to", to, from)
}

// source is the address of a node or address for what it sends to an address, its first
// one for an invalid one.
func (d directory) source(from string, to netip.Addr) (netip.Addr, error) {
	n, named := d.spec.Nodes[from]
	if named && d.lab != nil && !n.Attacker() {
		for _, a := range d.lab.addrsOf(from) {
			if !to.IsValid() || a.Is4() == to.Is4() {
				return a, nil
			}
		}
		return netip.Addr{}, fmt.Errorf("node %s has no address now for such a packet", from)
	}
	var a netip.Addr
	var err error
	if to.IsValid() {
		a, err = d.spec.Source(from, to)
	} else {
		a, err = d.spec.Resolve(from)
	}
	if err != nil && named && slices.ContainsFunc(n.Interfaces, spec.Interface.DHCP) {
		err = fmt.Errorf("%w: it gets one by DHCP, so ask a running world (--at)", err)
	}
	return a, err
}

// nodeOf is the node that a word means to another node, by its name or by one of its addresses.
func (d directory) nodeOf(from, word string) (string, bool) {
	if d.lab == nil {
		return d.spec.NodeOf(from, word)
	}
	if _, ok := d.spec.Nodes[word]; ok {
		return word, true
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		return "", false
	}
	now := d.lab.world.Now()
	return d.lab.holder(d.spec.Nodes[from].Segments(), a, now, now)
}
