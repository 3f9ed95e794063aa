package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Moment says of whom and of when a snapshot is.
type Moment struct {
	Host string
	At   time.Duration // virtual; after the last step the world goes on; 0: the end of the run, a second after the last step
	Seed uint64        // 0: the file's
}

// Show runs a scenario up to a moment, all events of that time included, and takes a
// snapshot of a host. Nothing is judged and no evidence written. An error means that
// the scenario or the moment is wrong, that the lab broke, or that ctx ended.
func Show(ctx context.Context, s *spec.Scenario, m Moment) (*Snapshot, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	if err := m.check(s); err != nil {
		return nil, err
	}
	l, err := build(s, Options{Seed: m.Seed}, nil, nil)
	if err != nil {
		return nil, err
	}
	var snapshot *Snapshot
	if err = l.runTo(ctx, m.At); err == nil {
		snapshot = l.snapshot(m.Host)
	}
	if err = errors.Join(err, l.close()); err != nil {
		return nil, fmt.Errorf("scenarios: %s: %w", s.Name, err)
	}
	return snapshot, nil
}

// momentError is an ErrMoment in words.
type momentError string

func (e momentError) Error() string      { return "scenarios: show: " + string(e) }
func (momentError) Is(target error) bool { return target == ErrMoment }

// ErrMoment is what is wrong with the host or the time that Show is asked for.
var ErrMoment = errors.New("no such moment")

func (m Moment) check(s *spec.Scenario) error {
	n, ok := s.Nodes[m.Host]
	watched := slices.ContainsFunc(s.Observers(), func(o spec.PlacedObserver) bool {
		return m.Host == o.Node || o.Node == "" && m.Host == o.Segment
	})
	switch {
	case m.At < 0 || m.At > longest:
		return momentError(fmt.Sprintf("%v is no time of a run: want more than 0 and at most 100 years", spec.Duration(m.At)))
	case ok && n.Real():
		return momentError(fmt.Sprintf("%s is a real peer: its daemon has its SAs: run the scenario, and look at %s/%s in its evidence", m.Host, peersDir, m.Host))
	case ok && len(s.Peers()) > 0:
		return momentError(unrepeated(s))
	case ok && (n.Firewall != nil || n.NAT != nil): // a router: that is what there is to see
	case watched: // likewise, or a segment
	case ok && !n.Host():
		return momentError(fmt.Sprintf("%s is no host but of type %s, and has no IPsec", m.Host, n.Kind()))
	case !ok:
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Nodes)), func(name string) bool { return !s.Nodes[name].Host() })
		return momentError(fmt.Sprintf("no host is called %q%s", m.Host, spec.Among(m.Host, names)))
	}
	return nil
}

// unrepeated is why a scenario with real peers has no moments to look at.
func unrepeated(s *spec.Scenario) string {
	return fmt.Sprintf("%s is a real peer, with which %s goes by the wall clock and no moment comes again: run it, and look at its evidence", s.Peers()[0], s.Name)
}

// snapshot looks at a host as it is.
func (l *lab) snapshot(name string) *Snapshot {
	h := l.hosts[name]
	if h == nil {
		return &Snapshot{
			Scenario: l.spec.Name, Host: name, At: l.world.Now(), Time: l.world.Time(),
			Firewall: l.firewallView(name), NAT: l.natView(name), Observers: l.observersAt(name),
		}
	}
	m, since := h.Monitor()
	v := &Snapshot{Scenario: l.spec.Name, Host: name, At: l.world.Now(), Time: l.world.Time(), Off: h.Off()}
	v.Policy = &PolicyInForce{
		Agent: "stopped", Source: "none", Since: since, Name: m.Name, Description: m.Description, Polling: m.Polling, MainMode: m.MainMode,
	}
	switch {
	case l.spec.Nodes[name].Settings().NoIKE:
		v.Policy.Agent = "none: this computer does not know IPsec"
	case h.AgentRunning():
		v.Policy.Agent = "running"
	}
	if from, persistent := h.PolicySource(); from != "" {
		v.Policy.Source, v.Policy.Persistent, v.Policy.Written = from, persistent, l.writtenIn(name, m.Name)
	}
	v.Rules = m.Rules
	for _, r := range m.Rules {
		if r.Active {
			name := r.Name
			if r.Policy != m.Name { // of the persistent policy
				name = r.Policy + "/" + name
			}
			v.Policy.RuleNames = append(v.Policy.RuleNames, name)
		}
	}
	v.MMFilters = &Filters{m.MainModeGeneric, m.MainModeSpecific}
	v.QMFilters = &Filters{m.QuickModeGeneric, m.QuickModeSpecific}
	v.Config = l.configLines(name)
	v.MainModes = mainModes(h.MainModes(), v.Time)
	v.QuickModes = &QuickModeSAs{Pairs: pairs(h.SAs(), v.Time), Soft: softs(h.Softs(), v.Time)}
	v.Statistics = statisticsTable(h)
	v.Discovery = l.discoveryOf(name)
	v.Firewall = l.firewallView(name)
	return v
}

// writtenIn is where a policy of the scenario is written.
func (l *lab) writtenIn(host, name string) string {
	p, ok := l.spec.Policies[name]
	switch {
	case l.stored[storedPolicy{host, name}]:
		return ""
	case !ok && slices.Contains(policy.PredefinedPolicies(), name):
		return predefinedInWindows
	case !ok:
		return ""
	case p.Netsh != "":
		return "netsh script " + p.Netsh
	}
	return "the scenario file"
}
