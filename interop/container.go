package interop

import (
	"context"
	"strings"

	"github.com/moby/moby/api/types/container"

	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/tap"
)

// forwarding are the settings of a peer's kernel by their paths below /proc/sys: with several interfaces
// it is a gateway. All else the agent settles.
func (s *site) forwarding() map[string]string {
	if len(s.wires) < 2 {
		return nil
	}
	all := map[string]string{"net/ipv4/ip_forward": "1"}
	if s.ipv6 {
		all["net/ipv6/conf/all/forwarding"] = "1"
	}
	return all
}

// dockerSysctls are all settings of a container's kernel: its agent may not write /proc/sys, so that those
// which it would make are there beforehand, for interfaces to come.
func (s *site) dockerSysctls() map[string]string {
	all := map[string]string{
		"net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.default.rp_filter": "0",
		"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1",
	}
	if s.ipv6 {
		for _, which := range []string{"all", "default"} {
			for key, value := range map[string]string{
				"disable_ipv6": "0", "accept_ra": "0", "autoconf": "0", "router_solicitations": "0", "accept_dad": "0", "dad_transmits": "0",
			} {
				all["net.ipv6.conf."+which+"."+key] = value
			}
		}
	}
	for path, value := range s.forwarding() {
		all[strings.ReplaceAll(path, "/", ".")] = value
	}
	return all
}

// startContainer starts an agent in a container with a network of its own, in which it makes TAPs.
func startContainer(ctx context.Context, engine *docker, store *images.Store, agent string, s *site) (machine, error) {
	image, err := engine.image(ctx, store, s.image)
	if err != nil {
		return nil, err
	}
	s.prepare("eth")
	s.sysctls, s.hostname = nil, "" // Docker sets them
	return s.startAgent(ctx, func() (machine, error) {
		return engine.startBox(ctx, boxSpec{
			image: image, dir: s.work, argv: s.agentCommand(agent, "container"), hostname: s.name, file: "agent.log",
			host: func(h *container.HostConfig) {
				h.CapAdd = []string{"NET_ADMIN"}
				h.Sysctls = s.dockerSysctls()
				h.Devices = []container.DeviceMapping{{PathOnHost: tap.Device, PathInContainer: tap.Device, CgroupPermissions: "rwm"}}
				h.Binds = []string{s.dir + ":" + s.dir, agent + ":" + agent + ":ro"}
			},
		})
	})
}
