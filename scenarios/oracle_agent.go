package scenarios

import (
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// terms are the wire oracle's own reckoning of what the driver of a host works by:
// from what the lab has told the host, the settings in the file, and the clock. When
// an agent starts or polls it works out for itself, and does not ask the host.
type terms struct {
	oracle *oracle
	host   string
	node   spec.Node // with its settings as they were when it started

	restarts spec.Node // with those that its registry has by now

	local, persistent stored
	fetched           *policy.Policy // from the source of the agent, the last answer; nil: none
	running           bool
	starts            time.Duration // when the agent starts by itself; never: it does not
	since             time.Duration // when it last read the store
	polls             time.Duration // when it next finds a change there; never: there is none
	left              time.Duration // when it was stopped and its filters stayed what they were; never: they did not

	known known // when the policy in force was read

	asks    map[exchange]bool // what a host that starts has sent
	duty    duty
	before  duty // until changed
	changed time.Duration
}

const never = time.Duration(-1)

// duty is what a driver does at one moment.
type duty struct {
	fresh      bool           // since the host started
	mode       string         // of a driver that starts: permit, block or stateful; empty: it is operational
	policy     *policy.Policy // nil: none
	persistent *policy.Policy // likewise
}

// demanding reports whether anything that leaves is asked for.
func (d duty) demanding() bool {
	return d.policy != nil || d.persistent != nil || d.mode == spec.BootBlock
}

// name is what violations call it where no rule is to be named.
func (d duty) name() string {
	switch {
	case d.policy != nil:
		return d.policy.Name
	case d.persistent != nil:
		return d.persistent.Name
	}
	return "boot: " + d.mode
}

// stored is one location of a store.
type stored struct {
	policies map[string]*policy.Policy
	assigned string
}

func (s *stored) put(p *policy.Policy) {
	if s.policies == nil {
		s.policies = map[string]*policy.Policy{}
	}
	s.policies[p.Name] = p
}

func (s *stored) current() *policy.Policy { return s.policies[s.assigned] }

func (t *terms) location(word string) *stored {
	if word == spec.LocationPersistent {
		return &t.persistent
	}
	return &t.local
}

// up begins anew with a host that has started: its agent starts now or later.
func (t *terms) up(now time.Duration) {
	t.node = t.restarts
	t.running, t.starts, t.left = false, now+t.node.Settings().Gap(), never
	t.changed = never
	if t.node.Settings().Gap() == 0 {
		t.load(now)
		t.changed = never
		return
	}
	t.duty, t.asks = t.startup(), nil
	t.duty.fresh = true
}

// startup is what the driver does before the agent starts: TechNet cc783039.
func (t *terms) startup() duty {
	settings := t.node.Settings()
	d := duty{mode: settings.BootMode}
	if d.mode == "" {
		d.mode = spec.BootPermit
		if t.local.current() != nil || t.persistent.current() != nil || t.fetched != nil {
			d.mode = spec.BootStateful
		}
	}
	if settings.PersistentSince() == spec.FromDriver {
		d.persistent = t.persistent.current()
	}
	return d
}

// load puts in force what there is: the agent has read it.
func (t *terms) load(now time.Duration) {
	t.before, t.changed = t.duty, now
	t.running, t.starts, t.since, t.polls, t.left = true, never, now, never, never
	t.duty = t.next()
	t.known.note(t.oracle.lab, t.host)
	t.oracle.silences.restart(t.host, now)
}

// reload is what a poll does: if nothing has changed, nothing happens.
func (t *terms) reload(now time.Duration) {
	if t.since, t.polls = now, never; !reflect.DeepEqual(t.next(), t.duty) {
		t.load(now)
	}
}

// next is what the agent finds.
func (t *terms) next() duty {
	d := duty{policy: t.local.current(), persistent: t.persistent.current()}
	if t.fetched != nil {
		d.policy = t.fetched
	}
	return d
}

// assign is what the lab has told the host to assign, at once.
func (t *terms) assign(location string, p *policy.Policy, now time.Duration) {
	t.at(now)
	at := t.location(location)
	at.assigned = ""
	if p != nil {
		at.put(p)
		at.assigned = p.Name
	}
	if t.running {
		t.load(now)
		t.changed = never
	}
}

// store is what the lab has written into the store, telling nobody.
func (t *terms) store(location string, p *policy.Policy, now time.Duration) {
	t.at(now)
	at := t.location(location)
	at.put(p)
	if t.node.Settings().PolicySource != nil || at.assigned != p.Name || !t.running || t.polls != never {
		return
	}
	every := 180 * time.Minute // MS-GPIPSEC, Section 2.2.1.1
	for _, in := range []*policy.Policy{t.duty.persistent, t.duty.policy} {
		if in != nil {
			every = 180 * time.Minute
			if in.Polling > 0 {
				every = in.Polling
			}
		}
	}
	for t.polls = t.since + every; t.polls <= now; t.polls += every {
	}
}

// agent is what the lab has done with the policy agent.
func (t *terms) agent(action string, now time.Duration) {
	t.at(now)
	if action == spec.AgentStart {
		if !t.running {
			t.load(now)
		}
		t.changed = never
		return
	}
	wasRunning := t.running
	t.running, t.starts, t.polls = false, never, never
	t.oracle.silences.forget(t.host)
	switch t.node.Settings().WithoutAgent() {
	case spec.StoppedPermit:
		if wasRunning {
			t.duty = duty{}
		}
	case spec.StoppedFilters:
		if wasRunning {
			t.left = now
			t.known.noteServers(t.oracle.lab, t.host)
		}
	case spec.StoppedBoot:
		t.duty = t.startup()
	}
	if t.changed = never; action == spec.AgentRestart {
		t.load(now)
		t.changed = never
	}
}

// at are the duties of a moment: one, or at the very moment of a change that comes by
// itself two, since which of them a frame left under nobody but the host can tell.
func (t *terms) at(now time.Duration) []duty {
	switch {
	case !t.running && t.starts != never && now >= t.starts:
		t.load(t.starts)
	case t.running && t.polls != never && now >= t.polls:
		t.reload(t.polls)
	}
	if t.changed == now {
		return []duty{t.duty, t.before}
	}
	return []duty{t.duty}
}

// asked follows the agent's dealings with its source. That it was asked and how that
// ended is the host's word; what a policy server has given is known from the lab.
func (t *terms) asked(now time.Duration, b trace.PolicyFetched) {
	t.at(now)
	source := t.node.Settings().PolicySource
	if server, ok := t.oracle.lab.spec.NodeOf(t.host, source.Server); ok && b.Result != "failed" {
		t.fetched = t.oracle.given[answer{server, t.host, source.Policy}]
	}
	if t.running {
		t.reload(now)
	}
}

// answer is what a policy server has told a host.
type answer struct{ server, host, policy string }

// answers notes what a policy server has of a name when it answers a host: until the
// answer is there, an administrator may have changed it.
func (o *oracle) answers(e trace.Event, b trace.Application) {
	name, ok := strings.CutPrefix(b.Detail, "policy ")
	peer, err := netip.ParseAddrPort(b.Peer)
	if t := o.terms[e.Node]; t == nil || !ok || err != nil || b.Event != "request" {
		return
	}
	if host, ok := o.lab.holder(o.lab.spec.Nodes[e.Node].Segments(), peer.Addr(), e.At, e.At); ok {
		o.given[answer{e.Node, host, name}] = o.terms[e.Node].local.policies[name]
	}
}

// event follows what happens to hosts. Whatever happens to one is an occasion to
// reckon what it works by at that moment: names and silences are noted when it changes.
func (o *oracle) event(e trace.Event) {
	if t := o.terms[e.Node]; t != nil {
		t.at(e.At)
	}
	if b, ok := e.Body.(trace.Application); ok {
		o.answers(e, b)
	}
	if b, ok := e.Body.(trace.PolicyFetched); ok && o.terms[e.Node] != nil {
		o.terms[e.Node].asked(e.At, b)
	}
	if b, ok := e.Body.(trace.HostState); ok && b.State == "started" && o.terms[e.Node] != nil {
		o.terms[e.Node].up(e.At)
	}
}

// begins tells the oracle what a host starts with.
func (o *oracle) begins(host string, local, persistent *policy.Policy) {
	t := &terms{oracle: o, host: host, node: o.lab.spec.Nodes[host], restarts: o.lab.spec.Nodes[host], starts: never, polls: never, left: never, changed: never}
	o.terms[host] = t
	if local != nil {
		t.local.put(local)
		t.local.assigned = local.Name
	}
	if persistent != nil {
		t.persistent.put(persistent)
		t.persistent.assigned = persistent.Name
	}
	t.up(o.lab.world.Now())
}

// ruleOf is a rule with the policy that it is from.
type ruleOf struct {
	policy.Rule
	of         string
	persistent bool
}

func (d duty) rules() (all []ruleOf) {
	for _, p := range []*policy.Policy{d.policy, d.persistent} {
		if p == nil {
			continue
		}
		for _, r := range p.Rules {
			all = append(all, ruleOf{r, p.Name, p == d.persistent})
		}
	}
	return all
}

// precedence is the place of a rule's filters beside those of the other policy: in a
// rank of their own, and among equally specific ones.
func (d duty) precedence(s *sender, persistent bool) (rank, tie int) {
	if !persistent || d.policy == nil {
		return 0, 0
	}
	switch s.node.Settings().Precedence() {
	case spec.OrderPersistent:
		rank = -1
	case spec.OrderLast:
		rank = 1
	}
	return rank, 1
}
