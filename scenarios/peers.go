package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// peers are the real peers of a scenario, and what is outside of its world for them.
type peers struct {
	driver  PeerDriver
	ctx     context.Context
	configs []PeerConfig
	running []*realPeer
}

// real reports whether the scenario has real peers: then it goes by the wall clock.
func (l *lab) real() bool { return len(l.peers.configs) > 0 }

// releaseReal is how long virtual hosts beside real peers keep what waited for a negotiation: a daemon installs its
// SAs a moment after it has read the last message, and drops what comes before. A lost SYN costs a second.
const releaseReal = 20 * time.Millisecond

// dated is the scenario with the date at which it starts, where real peers want the machine's.
func dated(s *spec.Scenario, d PeerDriver) *spec.Scenario {
	if d == nil || len(s.Peers()) == 0 || !s.Start.IsZero() {
		return s
	}
	out := *s
	out.Start = d.Date().UTC().Truncate(time.Second)
	return &out
}

// beyond is why the scenario cannot be run with the real peers that it has; "": it can.
func beyond(s *spec.Scenario, d PeerDriver) string {
	names := s.Peers()
	switch {
	case len(names) == 0:
		return ""
	case d == nil:
		return fmt.Sprintf("no driver: %s is a real peer, and nothing here starts those", names[0])
	}
	return s.BeyondPeers()
}

// addPeer joins a real peer to its segments; it is started later, together with the others.
func (l *lab) addPeer(path, name string, n spec.Node, routes []natbox.Route, dir string) error {
	settings := n.Settings()
	c := PeerConfig{
		Scenario: l.spec.Name, Name: name, Image: n.Image, Driver: n.Driver, Date: l.spec.Epoch(),
		Policy: l.policies[l.spec.Assignments[name]], Options: optionsOf(l.spec, n), Settings: settings,
		Certificates: l.pki.store(name), Files: n.Files,
	}
	if dir != "" {
		c.Dir = filepath.Join(dir, peersDir, name)
	}
	c.Options.Certificates = c.Certificates.For
	for _, r := range routes {
		c.Routes = append(c.Routes, hosts.Route(r))
	}
	for _, s := range n.Serves {
		switch {
		case s.TCP != 0:
			c.Services = append(c.Services, PeerService{ipsec.ProtoTCP, uint16(s.TCP)})
		case s.UDP != 0:
			c.Services = append(c.Services, PeerService{ipsec.ProtoUDP, uint16(s.UDP)})
		case s.Protocol != 0:
			c.Services = append(c.Services, PeerService{uint8(s.Protocol), 0})
		}
	}
	index := len(l.peers.configs)
	for i, ifc := range n.Interfaces {
		segment := l.segments[ifc.Segment]
		pc := sim.PortConfig{Node: name, Receive: func(frame []byte) {
			if index < len(l.peers.running) {
				l.peers.running[index].peer.Send(i, frame)
			}
		}}
		for _, p := range ifc.Prefixes() {
			pc.Addrs = append(pc.Addrs, p.Addr())
		}
		port, err := segment.Attach(pc)
		if err != nil {
			return l.spec.Errorf(path, "%v", err)
		}
		c.Interfaces = append(c.Interfaces, PeerInterface{
			Segment: ifc.Segment, MAC: port.MAC(), MTU: segment.Config().MTU, Prefixes: ifc.Prefixes(),
			Deliver: func(frame []byte) {
				if len(frame) >= etherHeader {
					l.world.Inject(func() { port.Send(frame, "") })
				}
			},
		})
	}
	l.peers.configs = append(l.peers.configs, c)
	return nil
}

// etherHeader is the length of the header of an Ethernet frame. RFC 894.
const etherHeader = 14

// peersDir is the folder of the files of real peers, by name, in the evidence.
const peersDir = "peers"

// startPeers starts all of them.
func (l *lab) startPeers(ctx context.Context) error {
	if !l.real() {
		return nil
	}
	l.peers.ctx = ctx
	all, err := l.peers.driver.Start(ctx, l.peers.configs)
	if err != nil {
		return err
	}
	for i, p := range all {
		r := &realPeer{lab: l, name: l.peers.configs[i].Name, peer: p, services: l.peers.configs[i].Services, known: map[peerSA]PeerSA{}}
		l.peers.running = append(l.peers.running, r)
		l.world.Record(r.name, aboutEvent(p.About()))
	}
	return nil
}

// aboutPeers says of real peers what they are.
func (l *lab) aboutPeers() (all []result.Peer) {
	for i, r := range l.peers.running {
		a := r.peer.About()
		p := result.Peer{
			Node: r.name, Image: a.Image, Driver: a.Driver, Daemon: a.Daemon, Kernel: a.Kernel, Packages: a.Packages, Ready: a.Ready, Memory: a.Memory,
		}
		if l.peers.configs[i].Dir != "" {
			p.Dir = peersDir + "/" + r.name
		}
		all = append(all, p)
	}
	return all
}

func aboutEvent(a PeerAbout) trace.PeerReady {
	return trace.PeerReady{Image: a.Image, Driver: a.Driver, Daemon: a.Daemon, Kernel: a.Kernel}
}

// stopPeers ends them side by side; the error says what went wrong with which.
func (l *lab) stopPeers(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	errs := make([]error, len(l.peers.running))
	var wg sync.WaitGroup
	for i, r := range l.peers.running {
		wg.Add(1)
		l.peers.driver.Go(func() {
			defer wg.Done()
			if err := r.peer.Stop(ctx); err != nil {
				errs[i] = fmt.Errorf("peer %s: %w", r.name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// peerNamed is a real peer by its name; nil when the node is none.
func (l *lab) peerNamed(name string) *realPeer {
	for _, r := range l.peers.running {
		if r.name == name {
			return r
		}
	}
	return nil
}

// realAmong reports whether one of two parties is a real peer, of whose negotiations only the other side tells.
func (l *lab) realAmong(a, b party) bool {
	return l.peerNamed(a.name) != nil || l.peerNamed(b.name) != nil
}

// outside runs f apart from the world, while the coroutine waits.
func (l *lab) outside(p *sim.Proc, f func(ctx context.Context)) {
	done := false
	l.peers.driver.Go(func() {
		f(l.peers.ctx)
		l.world.Inject(func() { done = true; p.Wake() })
	})
	for !done {
		p.Park()
	}
}

// noteSAs puts what has become of the SAs of real peers into the trace.
func (l *lab) noteSAs(p *sim.Proc) error {
	for _, r := range l.peers.running {
		var now []PeerSA
		var err error
		l.outside(p, func(ctx context.Context) { now, err = r.peer.SAs(ctx) })
		if err != nil {
			return err
		}
		r.note(now)
	}
	return nil
}

// peerSA names an SA of a peer.
type peerSA struct {
	direction, protocol, dst string
	spi                      uint32
}

// note records which SAs have come and gone since the last time.
func (r *realPeer) note(now []PeerSA) {
	there := map[peerSA]bool{}
	for _, sa := range now {
		k := peerSA{sa.Direction, sa.Protocol, sa.Dst, sa.SPI}
		there[k] = true
		if old, ok := r.known[k]; ok && bytes.Equal(old.CipherKey, sa.CipherKey) && bytes.Equal(old.AuthKey, sa.AuthKey) {
			r.known[k] = sa // it has carried more
			continue
		}
		r.known[k], r.order = sa, append(slices.DeleteFunc(r.order, func(o peerSA) bool { return o == k }), k)
		r.lab.world.Record(r.name, sa.SAAdded)
	}
	var left []peerSA
	for _, k := range r.order {
		if there[k] {
			left = append(left, k)
			continue
		}
		was := r.known[k]
		delete(r.known, k)
		r.lab.world.Record(r.name, trace.SARemoved{
			Direction: k.direction, Protocol: k.protocol, SPI: k.spi, Dst: k.dst, Reason: "the peer has it no more", Packets: was.Packets, Bytes: was.Bytes,
		})
	}
	r.order = left
}
