package scenarios

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// end is where traffic of a step begins: a virtual host or a real peer.
type end interface {
	Ping(p *sim.Proc, c hosts.Ping) hosts.Report
	Call(p *sim.Proc, c hosts.Call) hosts.Report
	SendDatagrams(p *sim.Proc, c hosts.Datagrams) hosts.Report
}

// realPeer is a real peer in the lab.
type realPeer struct {
	lab      *lab
	name     string
	peer     Peer
	services []PeerService
	known    map[peerSA]PeerSA // its SAs, as they were noted last
	order    []peerSA          // of known
}

// endOf is where traffic of a node begins, and lookup its way from names to addresses.
func (l *lab) endOf(name string) (e end, lookup func(string) (netip.Addr, error)) {
	if r := l.peerNamed(name); r != nil {
		return r, func(word string) (netip.Addr, error) { return l.destination(name, word) }
	}
	h := l.hosts[name]
	if l.real() {
		return patient{h}, h.Lookup
	}
	return h, h.Lookup
}

func (r *realPeer) ask(p *sim.Proc, f func(ctx context.Context) (hosts.Report, error)) (report hosts.Report) {
	var err error
	r.lab.outside(p, func(ctx context.Context) { report, err = f(ctx) })
	report.Err = cmp.Or(report.Err, err)
	return report
}

func (r *realPeer) Ping(p *sim.Proc, c hosts.Ping) hosts.Report {
	return r.ask(p, func(ctx context.Context) (hosts.Report, error) { return r.peer.Ping(ctx, c) })
}

func (r *realPeer) Call(p *sim.Proc, c hosts.Call) hosts.Report {
	return r.ask(p, func(ctx context.Context) (hosts.Report, error) { return r.peer.Call(ctx, c) })
}

func (r *realPeer) SendDatagrams(p *sim.Proc, c hosts.Datagrams) hosts.Report {
	return r.ask(p, func(ctx context.Context) (hosts.Report, error) { return r.peer.SendDatagrams(ctx, c) })
}

// assignPolicy gives a host another policy.
func (s *stepRun) assignPolicy(p *sim.Proc, v *spec.AssignPolicy) {
	r := s.lab.peerNamed(v.Host)
	if r == nil {
		s.broken = s.lab.assignPolicy(v)
		return
	}
	other := s.lab.policies[v.Policy] // nil: none
	s.lab.outside(p, func(ctx context.Context) { s.broken = r.peer.Assign(ctx, other) })
}

// listener is an application of the peer.
func (r *realPeer) listener(protocol uint8, port uint16) *peerListener {
	for _, s := range r.services {
		if s.Protocol == protocol && s.Port == port {
			return &peerListener{r, s}
		}
	}
	return nil
}

// peerListener is an application that listens in a real peer.
type peerListener struct {
	peer    *realPeer
	service PeerService
}

// seen is what has reached it so far.
func (a *peerListener) seen(p *sim.Proc) (seen hosts.Seen, err error) {
	a.peer.lab.outside(p, func(ctx context.Context) { seen, err = a.peer.peer.Seen(ctx, a.service) })
	return seen, err
}

// patient is a virtual host that talks to real peers. Its first request is repeated
// until it is answered: a daemon may install its SA after the peer has used it, and
// by the wall clock nobody can wait for that moment.
type patient struct{ *hosts.Host }

// firstTry is how long the first request waits before it is repeated.
const firstTry = time.Second

func (h patient) Ping(p *sim.Proc, c hosts.Ping) hosts.Report {
	first, rest := c, c
	first.Count, rest.Count = 1, c.Count-1
	r := insist(p, c.Timeout, func(timeout time.Duration) hosts.Report {
		first.Timeout = timeout
		return h.Host.Ping(p, first)
	})
	if rest.Count == 0 {
		return r
	}
	p.Sleep(c.Interval)
	return joined(r, h.Host.Ping(p, rest))
}

func (h patient) SendDatagrams(p *sim.Proc, c hosts.Datagrams) hosts.Report {
	first, rest := c, c
	first.Count, rest.Count = 1, c.Count-1
	rest.Size += c.Grow
	r := insist(p, c.Timeout, func(timeout time.Duration) hosts.Report {
		first.Timeout = timeout
		return h.Host.SendDatagrams(p, first)
	})
	if rest.Count == 0 {
		return r
	}
	p.Sleep(c.Interval)
	return joined(r, h.Host.SendDatagrams(p, rest))
}

// insist repeats a request until it is answered, refused or the time is over.
func insist(p *sim.Proc, within time.Duration, send func(timeout time.Duration) hosts.Report) hosts.Report {
	over := p.Now() + within
	for {
		r := send(min(firstTry, over-p.Now()))
		if r.Received == r.Sent || r.Err != nil || p.Now() >= over {
			return r
		}
	}
}

// joined is the report of requests in two parts.
func joined(a, b hosts.Report) hosts.Report {
	return hosts.Report{
		Sent: a.Sent + b.Sent, Received: a.Received + b.Received, Latency: append(a.Latency, b.Latency...),
		Silence: max(a.Silence, b.Silence), Err: cmp.Or(a.Err, b.Err),
	}
}
