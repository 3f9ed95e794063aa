//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/interop/tap"
)

// Setup makes the network, in place of what an earlier one has made.
func (a *agent) Setup(_ context.Context, s *control.Setup) error {
	six := slices.ContainsFunc(s.Interfaces, func(i control.Interface) bool {
		return slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() })
	})
	if six && a.modules != nil {
		if err := a.modules.load(ipv6Modules...); err != nil {
			return fmt.Errorf("setup: IPv6: %w", err)
		}
	}
	if err := a.name(s); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	if err := resetNetwork(); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	for i := range s.Interfaces {
		if err := tap.Configure(&s.Interfaces[i]); err != nil {
			return fmt.Errorf("setup: interface %s: %w", s.Interfaces[i].Name, err)
		}
	}
	for _, r := range s.Routes {
		if err := tap.AddRoute(r); err != nil {
			return fmt.Errorf("setup: route to %s via %s: %w", r.To, r.Via, err)
		}
	}
	// Tunnels bring packets on interfaces that lead elsewhere. The interface's own
	// setting counts as much as that of all: the larger one holds.
	loose := map[string]string{"net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0"}
	for _, i := range s.Interfaces {
		loose["net/ipv4/conf/"+i.Name+"/rp_filter"] = "0"
	}
	for _, all := range []map[string]string{loose, s.Sysctls} {
		for path, value := range all {
			if err := tap.SetSysctl(path, value); err != nil {
				return fmt.Errorf("setup: %w", err)
			}
		}
	}
	return nil
}

// name sets the host's name and date.
func (a *agent) name(s *control.Setup) error {
	if s.Hostname != "" && a.ownNames {
		if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
			return fmt.Errorf("host name %q: %w", s.Hostname, err)
		}
	}
	if s.Date.IsZero() {
		return nil
	}
	if a.modules == nil {
		return control.Errorf(control.Unsupported, "the date cannot be set: the peer's clock is the lab machine's")
	}
	t := unix.NsecToTimespec(s.Date.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &t); err != nil {
		return fmt.Errorf("date %s: %w", s.Date, err)
	}
	return nil
}

// resetNetwork takes SAs, policies, addresses and routes away. The loopback is up.
func resetNetwork() error {
	if err := flushXFRM(); err != nil {
		return err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("listing interfaces: %w", err)
	}
	for _, link := range links {
		about := link.Attrs()
		if about.Flags&net.FlagLoopback != 0 {
			err = netlink.LinkSetUp(link)
		} else {
			err = flushLink(link)
		}
		if err != nil {
			return fmt.Errorf("interface %s: %w", about.Name, err)
		}
	}
	return flushRules()
}

// flushLink takes addresses and routes of an interface away.
func flushLink(link netlink.Link) error {
	if err := tap.Quiet6(link, false); err != nil {
		return err
	}
	addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("listing addresses: %w", err)
	}
	for i := range addresses { // others go with the first of their network
		if err := netlink.AddrDel(link, &addresses[i]); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("address %s: %w", addresses[i].IPNet, err)
		}
	}
	routes, err := netlink.RouteList(link, netlink.FAMILY_V4) // those of IPv6 go with the addresses
	if err != nil {
		return fmt.Errorf("listing routes: %w", err)
	}
	for i := range routes {
		if err := netlink.RouteDel(&routes[i]); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("route %v: %w", routes[i], err)
		}
	}
	return nil
}

// flushRules takes away what daemons add to the rules of routing, and the routes of
// their tables. The kernel's own have other priorities.
func flushRules() error {
	rules, err := netlink.RuleList(netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("listing rules of routing: %w", err)
	}
	for i := range rules {
		if p := rules[i].Priority; p == 0 || p == -1 || p == 32766 || p == 32767 {
			continue
		}
		if err := netlink.RuleDel(&rules[i]); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("rule %v: %w", rules[i], err)
		}
	}
	return nil
}
