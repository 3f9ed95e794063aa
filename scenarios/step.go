package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
	"github.com/ipseclab/ipseclab/sim"
)

// stepRun is a step while it happens, and what has to be remembered to judge it.
type stepRun struct {
	lab   *lab
	index int // from 0
	spec  spec.Step
	begun bool
	ended bool

	begin, end window                // what was on the wire and in the trace when it began and ended
	report     *hosts.Report         // of a step that sends traffic
	listener   *hosts.Listener       // at the far end, if one listens there
	far        *peerListener         // the same, of a real peer
	printed    *PeerOutput           // by a command
	seen       hosts.Seen            // by the listener before; after the end: during the step
	before     map[string]statistics // of hosts whose statistics are judged
	after      map[string]statistics

	walls, wallsAfter map[string]hosts.FirewallCounters // likewise, of firewalls
	nats, natsAfter   map[string]natState               // likewise, of NAT boxes

	notes map[string]noted // by observer: before and at the end, where it is judged

	sums map[string]uint64 // by host: wrong checksums before the step, and at the end during it, where a grid measures it

	heard      map[string]int       // by host: datagrams of an announcement
	scanned    *hosts.Scanned       // by a scan
	discovered *discovered          // by a discovery
	stored     map[string]pki.Store // by host: the certificate store at the end, where it is judged
	got        []string
	broken     error
	to         netip.Addr // of a step that sends traffic: where it goes; invalid when there is no address
}

// window is a moment of the run.
type window struct {
	at     time.Duration
	frames int
	events int
}

func (l *lab) moment() window {
	return window{at: l.world.Now(), frames: len(l.wire.seen), events: len(l.log.Events())}
}

func newStepRun(l *lab, i int) *stepRun {
	return &stepRun{lab: l, index: i, spec: l.spec.Steps[i]}
}

func (s *stepRun) path() string { return fmt.Sprintf("$.steps[%d]", s.index) }

// start begins the step in a coroutine; done is called when it has ended.
func (s *stepRun) start(done func()) {
	l := s.lab
	s.begun = true
	s.begin, s.before, s.walls, s.nats = l.moment(), s.statistics(), s.firewalls(), s.natStates()
	s.notes, s.sums = s.noted(nil), s.wrongSums(nil)
	l.world.Record("", s.event("started", ""))
	from, to, traffic := s.spec.Ends()
	var owner sim.Owner
	if traffic {
		if h := l.hosts[from]; h != nil {
			owner = h
		}
		s.to, _ = l.destination(from, to)
	} else {
		to, _, _ = s.spec.Target()
	}
	s.listen(from, to)
	l.world.Go(owner, s.spec.Words(), func(p *sim.Proc) {
		s.hear(p)
		s.perform(p)
		s.heardFar(p)
		s.end, s.after, s.stored = l.moment(), s.statistics(), s.stores()
		s.wallsAfter, s.natsAfter = s.firewalls(), s.natStates()
		if s.listener != nil {
			s.seen = s.listener.Seen().Sub(s.seen)
		}
		s.notes, s.sums = s.noted(s.notes), s.wrongSums(s.sums)
		s.ended = true
		done()
	})
}

func (s *stepRun) event(state, failure string) trace.Step {
	return trace.Step{Index: s.index + 1, Verb: s.spec.Verb(), Title: s.spec.Words(), State: state, Failure: failure}
}

// listen remembers what the application at the far end has seen so far.
func (s *stepRun) listen(from, to string) {
	now := s.lab.world.Now()
	name, ok := s.lab.nodeOf(from, to, now, now)
	if !ok {
		return
	}
	proto, port := s.protocol()
	addr := s.to
	if a, err := netip.ParseAddr(to); err == nil {
		addr = a
	}
	if inside, there, ok := s.lab.spec.Published(name, addr, proto, int(port)); ok { // by a NAT box
		name, port = inside, uint16(there)
	}
	if r := s.lab.peerNamed(name); r != nil {
		s.far = r.listener(proto, port)
		return
	}
	host := s.lab.hosts[name]
	if host == nil {
		return
	}
	if s.listener = host.Listener(proto, port); s.listener != nil {
		s.seen = s.listener.Seen()
	}
}

// hear remembers what the application of a real peer has seen before the step.
func (s *stepRun) hear(p *sim.Proc) {
	if s.far != nil {
		s.seen, s.broken = s.far.seen(p)
	}
}

// heardFar takes what real peers know of the step when it is over.
func (s *stepRun) heardFar(p *sim.Proc) {
	if s.far != nil && s.broken == nil {
		var now hosts.Seen
		now, s.broken = s.far.seen(p)
		s.seen = now.Sub(s.seen)
	}
	if s.broken == nil {
		s.broken = s.lab.noteSAs(p)
	}
}

// perform does what the verb says.
func (s *stepRun) perform(p *sim.Proc) {
	l := s.lab
	switch v := s.spec; {
	case v.Ping != nil:
		s.traffic(v.Ping.From, v.Ping.To, func(h end, to netip.Addr) hosts.Report {
			return h.Ping(p, hosts.Ping{
				To: to, Count: v.Ping.Requests(), Size: v.Ping.DataBytes(), TTL: v.Ping.TTL, Interval: v.Ping.Gap(), Timeout: v.Ping.Patience(),
			})
		})
	case v.Connect != nil:
		s.traffic(v.Connect.From, v.Connect.To, func(h end, to netip.Addr) hosts.Report {
			return h.Call(p, hosts.Call{
				To: netip.AddrPortFrom(to, uint16(v.Connect.Port)), LocalPort: uint16(v.Connect.FromPort),
				Request: int64(v.Connect.RequestBytes()), Response: int64(v.Connect.ResponseBytes()), Timeout: v.Connect.Patience(), DSCP: v.Connect.Codepoint(),
			})
		})
	case v.Transfer != nil:
		s.traffic(v.Transfer.From, v.Transfer.To, func(h end, to netip.Addr) hosts.Report {
			return h.Call(p, hosts.Call{
				To:      netip.AddrPortFrom(to, uint16(v.Transfer.Port)),
				Request: int64(v.Transfer.Bytes), Response: receipt, Timeout: v.Transfer.Patience(), DSCP: v.Transfer.Codepoint(),
			})
		})
	case v.UDP != nil:
		s.traffic(v.UDP.From, v.UDP.To, func(h end, to netip.Addr) hosts.Report {
			return h.SendDatagrams(p, hosts.Datagrams{
				To: netip.AddrPortFrom(to, uint16(v.UDP.Port)), LocalPort: uint16(v.UDP.FromPort),
				Count: v.UDP.Datagrams(), Size: v.UDP.PayloadBytes(), Grow: v.UDP.Grow, InFlight: v.UDP.InFlight, Interval: v.UDP.Gap(), Timeout: v.UDP.Patience(), DSCP: v.UDP.Codepoint(),
			})
		})
	case v.Raw != nil:
		s.raw(p)
	case v.Announce != nil:
		s.announce(p)
	case v.Scan != nil:
		s.scan(p)
	case v.Discover != nil:
		s.discover(p)
	case v.Enrol != nil:
		s.enrol(p, v.Enrol)
	case v.FetchList != nil:
		s.traffic(v.FetchList.From, v.FetchList.To, func(_ end, to netip.Addr) hosts.Report {
			return l.hosts[v.FetchList.From].FetchList(p, l.authorityAt(v.FetchList.SCEPServer, to), v.FetchList.Path)
		})
	case v.Wait != 0:
		p.Sleep(v.Wait.Span())
	case v.SetLink != nil:
		now, err := l.setLink(v.SetLink.Node, l.spec.LinkSegment(v.SetLink), &v.SetLink.Link)
		s.got, s.broken = append(s.got, now), err
	case v.NAT != nil:
		now, err := l.changeNAT(v.NAT)
		s.got, s.broken = append(s.got, now), err
	case v.SetFirewall != nil:
		now, err := l.setFirewall(v.SetFirewall)
		s.got, s.broken = append(s.got, now), err
	case v.SetHostFirewall != nil:
		s.broken = l.hosts[v.SetHostFirewall.Host].SetFirewall(firewallOf(l.spec, l.spec.HostsFirewall(v.SetHostFirewall)))
	case v.AssignPolicy != nil:
		s.assignPolicy(p, v.AssignPolicy)
	case v.RestartHost != nil:
		s.restart(p, v.RestartHost)
	case v.PolicyAgent != nil:
		s.broken = l.agent(v.PolicyAgent)
	case v.StorePolicy != nil:
		s.broken = l.storePolicy(v.StorePolicy)
	case v.Netsh != nil:
		now, err := l.netsh(v.Netsh)
		s.got, s.broken = append(s.got, now), err
	case v.SetAddress != nil:
		s.setAddress(v.SetAddress)
	case v.IPConfig != nil:
		s.broken = l.ipconfig(v.IPConfig)
	case v.SetServers != nil:
		l.setServers(v.SetServers)
	case v.Run != nil:
		s.command(p, v.Run)
	case v.SetName != nil:
		l.names[v.SetName.Name] = l.spec.ResolveAll(v.SetName.Addresses)
	case v.Tamper != nil:
		now, err := l.tamper(v.Tamper)
		s.got, s.broken = append(s.got, now), err
	case v.Replay != nil:
		l.tapes[s.index].Stop() // else each turn would send the answers to the one before, too
		s.act(p, &v.Replay.Repeat, func() (int, error) { return s.replay(v.Replay) })
	case v.Inject != nil:
		s.act(p, &v.Inject.Repeat, func() (int, error) { return s.inject(v.Inject) })
	case v.Spoof != nil:
		s.act(p, &v.Spoof.Repeat, func() (int, error) { return s.spoof(v.Spoof) })
	}
}

// receipt is the length of the answer to a transfer, which the server sends
// only when every byte was the one sent.
const receipt = 16

func (s *stepRun) traffic(from, to string, send func(end, netip.Addr) hosts.Report) {
	e, lookup := s.lab.endOf(from)
	addr, err := lookup(to)
	if err != nil {
		s.broken = err
		return
	}
	r := send(e, addr)
	s.report = &r
	s.got = append(s.got, describe(r))
}

func describe(r hosts.Report) string {
	text := fmt.Sprintf("%s: %d of %d answered", r.Result(), r.Received, r.Sent)
	if len(r.Latency) > 0 {
		text += fmt.Sprintf(", the first after %s", r.Latency[0])
	}
	if r.Err != nil {
		text += fmt.Sprintf(" (%v)", r.Err)
	}
	return text
}

// beyondPeers reports whether a real peer could not do what the step asks.
func (s *stepRun) beyondPeers() bool { return s.ended && errors.Is(s.broken, ErrUnsupported) }

// result is the step as the result shows it.
func (s *stepRun) result() result.Step {
	out := result.Step{
		Index: s.index + 1, Verb: s.spec.Verb(), Title: s.spec.Words(), Line: s.lab.spec.Line(s.path()),
		Start: s.begin.at, End: s.end.at, Outcome: result.Passed, Got: s.got,
	}
	if !s.ended { // whoever had attended the world has gone, or a peer cannot do what an earlier step asks
		out.Outcome, out.End, out.Got = result.Unsupported, s.lab.world.Now(), []string{"the run ended before this step did"}
		if !s.begun {
			out.Start, out.Got = out.End, []string{"the run ended before this step began"}
		}
		return out
	}
	if s.broken != nil {
		if out.Outcome = result.Broken; s.beyondPeers() {
			out.Outcome = result.Unsupported
		}
		out.Got = append(out.Got, s.broken.Error())
		return out
	}
	out.Checks = s.judge()
	unknown := func(c result.Check) bool { return c.Outcome == result.Unsupported }
	for _, c := range out.Checks {
		if !unknown(c) || !slices.ContainsFunc(out.Checks, func(c result.Check) bool { return !unknown(c) }) {
			out.Outcome = out.Outcome.Worse(c.Outcome)
		}
	}
	return out
}

// ends are the two ends of a step that sends traffic, with their addresses of the
// family that it uses; of both where policies have tunnels, which may go over the other.
func (s *stepRun) ends() (from, to party) {
	f, t, _ := s.spec.Ends()
	from, to = s.lab.partyOf(f, f, s.begin.at, s.end.at), s.lab.partyOf(f, t, s.begin.at, s.end.at)
	if to.addr = s.destination(); to.addr.IsValid() && len(to.addrs) == 0 { // it was a DNS name
		to = s.lab.partyOf(f, to.addr.String(), s.begin.at, s.end.at)
		to.addr = s.destination()
	}
	if to.addr.IsValid() && !s.lab.tunnels() {
		from.keep(to.addr.Is4())
		to.keep(to.addr.Is4())
	}
	return from, to
}

// tunnels reports whether a policy of the scenario has a tunnel.
func (l *lab) tunnels() bool {
	for _, name := range slices.Sorted(maps.Keys(l.spec.Policies)) {
		if slices.ContainsFunc(l.spec.Policies[name].Rules, func(r spec.Rule) bool { return r.Tunnel != "" }) {
			return true
		}
	}
	return false
}

// destination is the address that the step sends to; invalid when there is none.
func (s *stepRun) destination() netip.Addr { return s.to }

// protocol is the IP protocol of the step's traffic, and its server port.
func (s *stepRun) protocol() (proto uint8, port uint16) {
	switch v := s.spec; {
	case v.Ping != nil && s.destination().Is6():
		return ipsec.ProtoICMPv6, 0
	case v.Ping != nil:
		return ipsec.ProtoICMP, 0
	case v.Connect != nil:
		return ipsec.ProtoTCP, uint16(v.Connect.Port)
	case v.Transfer != nil:
		return ipsec.ProtoTCP, uint16(v.Transfer.Port)
	case v.UDP != nil:
		return ipsec.ProtoUDP, uint16(v.UDP.Port)
	case v.Raw != nil:
		return uint8(v.Raw.Protocol), 0
	case v.Announce != nil:
		return ipsec.ProtoUDP, uint16(v.Announce.Port)
	case v.Enrol != nil:
		return ipsec.ProtoTCP, uint16(v.Enrol.TCPPort())
	case v.FetchList != nil:
		return ipsec.ProtoTCP, uint16(v.FetchList.TCPPort())
	case v.Scan != nil:
		proto, _ = spec.ProtocolNumber(v.Scan.Transport())
		return proto, 0
	}
	_, word, number := s.spec.Target()
	proto, _ = spec.ProtocolNumber(word)
	return proto, uint16(number)
}

// party is one end of a step or an invariant: a node and its addresses, or a
// bare address that no node has.
type party struct {
	name     string
	addr     netip.Addr // the one that the step names, or its first
	addrs    []netip.Addr
	segments map[string]bool // where its frames arrive
	hiding   []netip.Addr    // of NAT boxes, under which others may know it
}

// bare reports an address that no node has.
func (p party) bare() bool { return p.name == p.addr.String() }

func (p party) has(a netip.Addr) bool {
	for _, x := range p.addrs {
		if x == a {
			return true
		}
	}
	return false
}

// keep leaves the addresses of one family.
func (p *party) keep(four bool) {
	p.addrs = slices.DeleteFunc(p.addrs, func(a netip.Addr) bool { return a.Is4() != four })
}

// partyOf is a party, as a node names it, with the addresses that it had at some time from begin to end.
func (l *lab) partyOf(from, word string, begin, end time.Duration) party {
	p := party{name: word, segments: map[string]bool{}}
	p.addr, _ = netip.ParseAddr(word)
	name, ok := l.nodeOf(from, word, begin, end)
	if !ok {
		if p.addr.IsValid() {
			p.addrs = []netip.Addr{p.addr}
		}
		return p
	}
	p.name = name
	p.addrs, p.hiding = l.holders.of(name, begin, end), l.hiding(name)
	if !p.addr.IsValid() && len(p.addrs) > 0 {
		p.addr = p.addrs[0]
	}
	for _, ifc := range l.spec.Nodes[name].Interfaces {
		p.segments[ifc.Segment] = true
	}
	return p
}
