//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
)

// Setup makes the network, in place of what an earlier one has made.
func (a *agent) Setup(_ context.Context, s *control.Setup) error {
	six := slices.ContainsFunc(s.Interfaces, func(i control.Interface) bool { return slices.ContainsFunc(i.Prefixes, is6) })
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
		if err := setInterface(&s.Interfaces[i]); err != nil {
			return fmt.Errorf("setup: interface %s: %w", s.Interfaces[i].Name, err)
		}
	}
	for _, r := range s.Routes {
		if err := addRoute(r); err != nil {
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
			if err := setSysctl(path, value); err != nil {
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

func is6(p netip.Prefix) bool { return p.Addr().Is6() }

// setInterface gives an interface its addresses and brings it up.
func setInterface(i *control.Interface) error {
	link, err := netlink.LinkByName(i.Name)
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(i.MAC)
	if err != nil {
		return control.Errorf(control.BadRequest, "setup: interface %s: %v", i.Name, err)
	}
	if err := quiet6(i.Name, slices.ContainsFunc(i.Prefixes, is6)); err != nil {
		return err
	}
	if err := setMAC(link, mac); err != nil {
		return fmt.Errorf("MAC address %s: %w", i.MAC, err)
	}
	if err := netlink.LinkSetMTU(link, i.MTU); err != nil {
		return fmt.Errorf("MTU %d: %w", i.MTU, err)
	}
	for _, p := range i.Prefixes {
		address := &netlink.Addr{IPNet: ipNet(p)}
		if is6(p) {
			address.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrReplace(link, address); err != nil {
			return fmt.Errorf("address %s: %w", p, err)
		}
	}
	return netlink.LinkSetUp(link)
}

// setMAC gives an interface its address. Most can change it while they are down alone.
// A vector device of user-mode Linux loses its descriptor when it goes down, so that
// one that is up with the right address stays so.
func setMAC(link netlink.Link, mac net.HardwareAddr) error {
	if bytes.Equal(link.Attrs().HardwareAddr, mac) {
		return nil
	}
	err := netlink.LinkSetHardwareAddr(link, mac)
	if errors.Is(err, unix.EBUSY) {
		if err := netlink.LinkSetDown(link); err != nil {
			return err
		}
		err = netlink.LinkSetHardwareAddr(link, mac)
	}
	return err
}

// quiet6 leaves IPv6 out of an interface that has no address of it. On others hosts
// of the lab have their addresses and routes from the scenario: nothing asks routers,
// listens to them or looks for duplicates.
func quiet6(name string, has bool) error {
	conf := "net/ipv6/conf/" + name + "/"
	if _, err := os.Stat("/proc/sys/" + conf); err != nil {
		if has {
			return control.Errorf(control.Unsupported, "the kernel has no IPv6")
		}
		return nil
	}
	if err := setSysctl(conf+"disable_ipv6", "1"); err != nil || !has {
		return err
	}
	for _, s := range []struct{ key, value string }{
		{"accept_ra", "0"}, {"autoconf", "0"}, {"router_solicitations", "0"}, {"accept_dad", "0"}, {"dad_transmits", "0"}, {"disable_ipv6", "0"},
	} {
		if err := setSysctl(conf+s.key, s.value); err != nil {
			return err
		}
	}
	return nil
}

// ipNet is an address with its prefix.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func addRoute(r control.Route) error {
	if !r.To.IsValid() || !r.Via.IsValid() {
		return control.Errorf(control.BadRequest, "setup: a route needs a destination and a gateway")
	}
	return netlink.RouteReplace(&netlink.Route{Dst: ipNet(r.To.Masked()), Gw: r.Via.AsSlice()})
}

// setSysctl writes a setting, by its path below /proc/sys, if it is another. In a
// container without privileges they cannot be written.
func setSysctl(path, value string) error {
	file := filepath.Join("/proc/sys", filepath.Clean("/"+path))
	old, err := os.ReadFile(file)
	if err == nil && strings.Join(strings.Fields(string(old)), " ") == strings.Join(strings.Fields(value), " ") {
		return nil
	}
	if err == nil {
		err = os.WriteFile(file, []byte(value), 0)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return control.Errorf(control.Unsupported, "the kernel has no setting %s", path)
	case errors.Is(err, unix.EROFS) || errors.Is(err, os.ErrPermission):
		return control.Errorf(control.Unsupported, "setting %s cannot be made %q here: it has to be made so when the peer starts (%v)", path, value, err)
	}
	return err
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
	if err := quiet6(link.Attrs().Name, false); err != nil {
		return err
	}
	addresses, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("listing addresses: %w", err)
	}
	for i := range addresses { // others go with the first of their network
		if err := netlink.AddrDel(link, &addresses[i]); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("address %s: %w", addresses[i].IPNet, err)
		}
	}
	routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
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
