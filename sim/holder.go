package sim

import (
	"fmt"
	"net/netip"
	"slices"
)

// SetAddrs tells the segment which addresses the node has here from now on, in
// place of those that it had. Questions for one that nobody has any more go to all
// ports, as those for one that nobody ever had.
func (p *Port) SetAddrs(addrs []netip.Addr) error {
	addrs, err := nodeAddrs(addrs)
	if err != nil {
		return fmt.Errorf("sim: %s: %w", p.name, err)
	}
	w := p.segment.w
	w.mu.Lock()
	defer w.mu.Unlock()
	p.holdLocked(addrs)
	return nil
}

// holdLocked enters the addresses of a port in the table of its segment, each once,
// in place of those that were there.
func (p *Port) holdLocked(addrs []netip.Addr) {
	s := p.segment
	for _, a := range p.cfg.Addrs {
		if left := slices.DeleteFunc(s.byAddr[a], func(q *Port) bool { return q == p }); len(left) > 0 {
			s.byAddr[a] = left
		} else {
			delete(s.byAddr, a)
		}
	}
	p.cfg.Addrs = nil
	for _, a := range addrs {
		if !slices.Contains(p.cfg.Addrs, a) {
			p.cfg.Addrs = append(p.cfg.Addrs, a)
			s.byAddr[a] = append(s.byAddr[a], p)
		}
	}
}

// nodeAddrs are addresses that a node can have, as they stand in packets.
func nodeAddrs(addrs []netip.Addr) ([]netip.Addr, error) {
	addrs = slices.Clone(addrs)
	for i, a := range addrs {
		if addrs[i] = a.Unmap(); !a.IsValid() || a.Zone() != "" {
			return nil, fmt.Errorf("%q is not the address of a node", a)
		}
	}
	return addrs, nil
}
