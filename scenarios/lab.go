package scenarios

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/scenarios/attack"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// lab is a scenario come to life.
type lab struct {
	spec      *spec.Scenario
	seed      uint64
	world     *sim.World
	log       *trace.Log
	segments  map[string]*sim.Segment
	hosts     map[string]*hosts.Host
	routers   map[string]*natbox.Router
	firewalls map[string]*routerFirewall
	tables    map[string]*nat.Table   // of the routers that are NAT boxes
	pools     map[string][]netip.Addr // that those share among what is inside
	realms    spec.Realms
	holders   holders // whose an address is, and was

	attackers  map[string]*attack.Attacker
	tapes      map[int]*attack.Tape // of the steps that replay, by their index
	policies   map[string]*policy.Policy
	registries map[string]*registry    // of hosts on which netsh has run
	names      map[string][]netip.Addr // of DNS, at the moment
	watches    map[string]*watch       // observers, by name
	stored     map[storedPolicy]bool   // those that are not the file\'s of that name any more
	wire       *observer
	oracle     *oracle
	pki        *authorities

	peers      peers
	ready      func()                // see Options
	until      func(context.Context) // likewise
	idle       bool
	boxesFound map[string]string // by host: which boxes its last discovery found
}

// build makes the world of a scenario. Everything is made in the order of
// names, so that the same file gives the same world.
func build(s *spec.Scenario, o Options, traceTo, captureTo io.Writer) (*lab, error) {
	seed := o.Seed
	if seed == 0 {
		seed = s.RandomSeed()
	}
	l := &lab{
		peers: peers{driver: o.Peers}, ready: o.Ready, until: o.Until, idle: o.Idle, spec: s, seed: seed, log: trace.New(traceTo), realms: s.Realms(),
		segments: map[string]*sim.Segment{}, hosts: map[string]*hosts.Host{}, routers: map[string]*natbox.Router{},
		firewalls: map[string]*routerFirewall{}, tables: map[string]*nat.Table{}, pools: map[string][]netip.Addr{},
		names: s.NameTable(), attackers: map[string]*attack.Attacker{}, tapes: map[int]*attack.Tape{}, stored: map[storedPolicy]bool{}, watches: map[string]*watch{}, registries: map[string]*registry{}, boxesFound: map[string]string{},
	}
	var err error
	if l.policies, err = policiesOf(s); err != nil {
		return nil, err
	}
	if l.pki, err = newAuthorities(s, seed); err != nil {
		return nil, err
	}
	l.world, err = sim.New(sim.Config{Name: s.Name, Seed: seed, Epoch: s.Epoch(), Trace: l.log, Capture: captureTo})
	if err != nil {
		return nil, err
	}
	if err := l.wireUp(o); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) wireUp(o Options) error {
	for _, name := range slices.Sorted(maps.Keys(l.spec.Network.Segments)) {
		g := l.spec.Network.Segments[name]
		segment, err := l.world.NewSegment(name, l.segmentConfig(g))
		if err != nil {
			return err
		}
		l.segments[name] = segment
	}
	l.log.Observe(l.holders.event)
	l.wire = newObserver(l.spec)
	l.oracle = newOracle(l)
	l.world.Tap(l.wire.frame)
	l.world.Tap(l.oracle.frame)
	if err := l.watchSegments(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(l.spec.Nodes)) {
		if err := l.addNode(name, l.spec.Nodes[name], o); err != nil {
			return err
		}
		if err := l.setLinks(name); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) addNode(name string, n spec.Node, o Options) error {
	if n.Attacker() {
		return l.addAttacker(name, n)
	}
	path := "$.nodes." + name
	for _, h := range l.spec.Holdings(name) {
		l.holders.add(h, 0)
	}
	routes, err := l.routesOf(path, n)
	if err != nil {
		return err
	}
	if n.Router() {
		return l.addRouter(path, name, n, routes)
	}
	if n.Real() {
		return l.addPeer(path, name, n, routes, o.Dir)
	}
	settings := n.Settings()
	margin, idle := settings.RekeyBefore()
	c := hosts.Config{
		Name: name, Policy: l.policies[l.spec.Assignments[name]], Persistent: l.policies[l.spec.Persistent[name]], Options: optionsOf(l.spec, n),
		Rekey: esp.Rekey{Margin: margin, Idle: idle}, TrustSPI: settings.TrustSPI, ReplayWindow: settings.ReplayWindow, FirstSequence: uint64(settings.FirstSequence),
		SilentResponder: settings.SilentResponder, ResponderOrder: settings.ResponderOrder, ShortenMainMode: settings.ShortenMainMode, ShortDurations: settings.ShortDurations,
		Names: func(to string) (netip.Addr, bool) {
			a, err := l.destination(name, to)
			return a, err == nil
		},
		Faults:            o.Faults[name],
		PFSMustMatch:      settings.PFSMustMatch,
		NoInitialContact:  settings.NoInitialContact,
		Commit:            settings.Commit,
		ProtectNotify:     settings.ProtectNotify,
		ReliableDelete:    ike.ReliableDelete{Enabled: settings.Repeats() > 0, Retransmissions: settings.Repeats()},
		Fragmentation:     fragmentationOf(settings),
		DPD:               dpdOf(settings),
		SAIdleTime:        settings.IdleAfter(),
		DriverLogInterval: settings.LogsEvery(),
		FallBack:          fallBackOf(settings),
		KeepSAs:           settings.KeepsSAs(),
		Boot:              bootOf(settings),
		Source:            l.sourceOf(name, settings),
		NoIKE:             settings.NoIKE,
		Firewall:          firewallOf(l.spec, n.OwnFirewall()),
		ExpandAfter:       settings.ReExpand.Span(),
		MeNeedsAddress:    settings.MeNeedsAddress,
		StaticServers:     settings.StaticServers,
		Servers:           toldServers(l.spec, n.Servers),
		Retransmit:        settings.Gaps(),
		VendorIDs:         settings.Vendors(),
		FastFailover:      settings.FastFailover,
		DoSProtection:     settings.DoSProtection == spec.DoSActive,
		NoDoSCookie:       settings.DoSProtection == spec.DoSUnknown,

		MaxHalfOpen: settings.HalfOpen, MaxHalfOpenPerSource: settings.HalfOpenPerSource,

		NonceLen:       settings.NonceLength,
		MainModeMargin: settings.ReplaceMainModes(),
		MainModeSpread: settings.MainModeSpread.Span(),
	}
	if len(l.spec.Peers()) > 0 {
		c.ReleaseAfter = releaseReal
	}
	traverse(&c, settings)
	c.Certificates = l.pki.store(name)
	c.Options.NewGroups, _ = newGroupsOf(settings.NewGroupMode) // the tests of a group take time; groupMistakes has what they find
	c.Options.Resolve = func(name string) []netip.Addr { return l.names[name] }
	for _, s := range n.Serves {
		if s.Protocol != 0 {
			c.Protocols = append(c.Protocols, uint8(s.Protocol))
		}
	}
	for _, ifc := range n.Interfaces {
		c.Interfaces = append(c.Interfaces, hosts.Interface{
			Segment: l.segments[ifc.Segment], Prefixes: ifc.Prefixes(), Unnumbered: ifc.Unnumbered(),
			RemoteAccess: ifc.Connection == spec.ConnectionsDialUp,
		})
		if ifc.DHCP() {
			c.Interfaces[len(c.Interfaces)-1].DHCP = &hosts.DHCP{Broadcast: ifc.BroadcastFlag}
		}
	}
	for _, r := range routes {
		c.Routes = append(c.Routes, hosts.Route(r))
	}
	h, err := hosts.New(l.world, c)
	if err != nil {
		return l.spec.Errorf(path, "%v", err)
	}
	l.hosts[name] = h
	l.oracle.begins(name, c.Policy, c.Persistent)
	for i, s := range n.Serves {
		switch {
		case s.TCP != 0 && s.Policies != nil:
			err = l.servePolicies(name, s)
		case s.TCP != 0 && (s.SCEP != nil || s.Lists != nil):
			err = l.serveHTTP(name, s)
		case s.DHCP != nil:
			err = l.serveDHCP(h, n, *s.DHCP)
		case s.STUN != nil:
			err = l.serveSTUN(h, n, *s.STUN)
		case s.TCP != 0:
			_, err = h.ServeTCP(uint16(s.TCP))
		case s.UDP != 0:
			var groups []netip.Addr
			if g, err := netip.ParseAddr(s.Group); err == nil {
				groups = append(groups, g)
			}
			_, err = h.ServeUDP(uint16(s.UDP), groups...)
		}
		if err != nil {
			return l.spec.Errorf(fmt.Sprintf("%s.serves[%d]", path, i), "%v", err)
		}
	}
	return nil
}

// fallBackOf is how a host with these settings falls back to clear.
func fallBackOf(settings spec.IPsec) hosts.FallBack {
	f := settings.FallingBack()
	return hosts.FallBack{
		After: f.After.Span(), Soft: esp.Soft{Idle: f.Idle.Span(), Lifetime: f.Lifetime.Span(), Answers: f.AnswersOnly},
		OnFailure: f.OnFailure, OnUnreachable: f.OnUnreachable, Simultaneous: f.Simultaneous,
	}
}

func (l *lab) addRouter(path, name string, n spec.Node, routes []natbox.Route) error {
	c := natbox.RouterConfig{Name: name, Routes: routes}
	for _, ifc := range n.Interfaces {
		c.Interfaces = append(c.Interfaces, natbox.Interface{Segment: l.segments[ifc.Segment], Prefixes: ifc.Prefixes()})
	}
	if n.Firewall != nil {
		filter, err := l.addFirewall(path, name, n.Firewall)
		if err != nil {
			return err
		}
		c.Filters = append(c.Filters, filter)
	}
	var err error
	if c.NAT, err = l.natOf(name, n); err != nil {
		return err
	}
	if c.Observers, err = l.watchersOf(name); err != nil {
		return l.spec.Errorf(path+".observers", "%v", err)
	}
	c.Markers = l.markersOf(name)
	if c.Queues, err = l.queuesOf(name, n); err != nil {
		return l.spec.Errorf(path, "%v", err)
	}
	router, err := natbox.NewRouter(l.world, c)
	if err != nil {
		return l.spec.Errorf(path, "%v", err)
	}
	l.routers[name] = router
	return nil
}

// routesOf are a node's static routes, the default ones last.
func (l *lab) routesOf(path string, n spec.Node) (routes []natbox.Route, err error) {
	for i, r := range n.Routes {
		to, err := netip.ParsePrefix(r.To)
		if err != nil {
			return nil, l.spec.Errorf(fmt.Sprintf("%s.routes[%d].to", path, i), "%v", err)
		}
		via, err := netip.ParseAddr(r.Via)
		if err != nil {
			return nil, l.spec.Errorf(fmt.Sprintf("%s.routes[%d].via", path, i), "%v", err)
		}
		routes = append(routes, natbox.Route{To: to, Via: via})
	}
	for _, hop := range n.NextHops() {
		via, err := netip.ParseAddr(hop)
		if err != nil {
			return nil, l.spec.Errorf(path, "%v", err)
		}
		all := netip.IPv4Unspecified()
		if via.Is6() {
			all = netip.IPv6Unspecified()
		}
		routes = append(routes, natbox.Route{To: netip.PrefixFrom(all, 0), Via: via})
	}
	return routes, nil
}

// close ends the world first, so that what the hosts' stacks send when they are
// torn down, in an order of their own, is no part of the evidence.
func (l *lab) close() error {
	err := l.world.Close()
	for _, name := range slices.Sorted(maps.Keys(l.hosts)) {
		l.hosts[name].Close()
	}
	return err
}
