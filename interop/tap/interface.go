//go:build linux

package tap

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
)

func is6(p netip.Prefix) bool { return p.Addr().Is6() }

// Configure gives an interface its addresses and brings it up.
func Configure(i *control.Interface) error {
	link, err := netlink.LinkByName(i.Name)
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(i.MAC)
	if err != nil {
		return control.Errorf(control.BadRequest, "%v", err)
	}
	if err := Quiet6(link, slices.ContainsFunc(i.Prefixes, is6)); err != nil {
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

// Quiet6 leaves IPv6 out of an interface that has no address of it. On others hosts
// of the lab have their addresses and routes from the scenario: nothing asks routers,
// listens to them or looks for duplicates. In a container whose settings cannot be
// written the interface at least makes no address by itself, without which the
// kernel sends nothing of this.
func Quiet6(link netlink.Link, has bool) error {
	conf := "net/ipv6/conf/" + link.Attrs().Name + "/"
	if _, err := os.Stat("/proc/sys/" + conf); err != nil {
		if has {
			return control.Errorf(control.Unsupported, "the kernel has no IPv6")
		}
		return nil
	}
	err := SetSysctl(conf+"disable_ipv6", "1") // takes addresses away
	if err == nil && has {
		for _, s := range []struct{ key, value string }{
			{"accept_ra", "0"}, {"autoconf", "0"}, {"router_solicitations", "0"}, {"accept_dad", "0"}, {"dad_transmits", "0"}, {"disable_ipv6", "0"},
		} {
			if err = SetSysctl(conf+s.key, s.value); err != nil {
				break
			}
		}
	}
	if errors.Is(err, control.ErrUnsupported) {
		return netlink.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE)
	}
	return err
}

// ipNet is an address with its prefix.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// AddRoute makes a route, in place of another one to the same destination.
func AddRoute(r control.Route) error { return route(r, netlink.RouteReplace) }

// NewRoute makes a route to a destination that has none.
func NewRoute(r control.Route) error { return route(r, netlink.RouteAdd) }

func route(r control.Route, put func(*netlink.Route) error) error {
	if !r.To.IsValid() || !r.Via.IsValid() {
		return control.Errorf(control.BadRequest, "a route needs a destination and a gateway")
	}
	return put(&netlink.Route{Dst: ipNet(r.To.Masked()), Gw: r.Via.AsSlice()})
}

// SetSysctl writes a setting, by its path below /proc/sys, if it is another. In a
// container without privileges they cannot be written.
func SetSysctl(path, value string) error {
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
