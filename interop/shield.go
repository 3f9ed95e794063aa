package interop

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Where a daemon protects packets itself, routes into its TUN device are the policy, and they are there as
// long as SAs are: before and after, packets would leave in the clear. The shield is rules of the kernel's
// routing that drop, behind the daemon's own rule, whatever goes to the far ends of its children, but for
// what the daemon has marked as its own.
const (
	shieldPass = 230 // priority of the rule for what is marked; charon's own rule has 220
	shieldDrop = 231
)

// shielded are the destinations of what is protected, of one family.
func shielded(c *peerconf.Config, v6 bool) (all []netip.Prefix) {
	if c == nil {
		return nil
	}
	for i := range c.Connections {
		conn := &c.Connections[i]
		for j := range conn.Children {
			to := conn.Children[j].Selector(conn).Dst.Masked()
			if to.Addr().Is6() == v6 && !slices.Contains(all, to) {
				all = append(all, to)
			}
		}
	}
	return all
}

// shieldScript are the commands that put a shield into the place of the one before.
func shieldScript(c *peerconf.Config, mark int) string {
	var b strings.Builder
	for _, v6 := range []bool{false, true} {
		ip := "ip -4"
		if v6 {
			ip = "ip -6"
		}
		for _, priority := range []int{shieldPass, shieldDrop} {
			fmt.Fprintf(&b, "while %s rule del priority %d 2>/dev/null; do :; done\n", ip, priority)
		}
		all := shielded(c, v6)
		if len(all) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s rule add priority %d fwmark %#x lookup main\n", ip, shieldPass, mark)
		for _, to := range all {
			fmt.Fprintf(&b, "%s rule add priority %d to %v blackhole\n", ip, shieldDrop, to)
		}
	}
	return b.String()
}

// shield drops what the policy has protected while there are no SAs.
func (p *peer) shield(ctx context.Context, c *peerconf.Config, mark int) error {
	if _, err := p.output(ctx, "/bin/sh", "-ec", shieldScript(c, mark)); err != nil {
		return fmt.Errorf("rules that drop what has no SA: %w", err)
	}
	return nil
}
