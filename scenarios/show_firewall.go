package scenarios

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/natbox/firewall"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// FirewallView is the firewall of a router or host at a moment.
type FirewallView struct {
	Kind     string        `json:"kind"`
	Settings []Line        `json:"settings,omitempty"`
	Rules    []FirewallHit `json:"rules,omitempty"`
	Counters []Statistic   `json:"counters"`
	States   []StateView   `json:"states,omitempty"`
}

// FirewallHit is a rule and how many packets it decided about.
type FirewallHit struct {
	Rule    string `json:"rule"`
	Packets uint64 `json:"packets"`
}

// StateView is something that was let through and may be answered.
type StateView struct {
	Protocol string        `json:"protocol"`
	From     string        `json:"from"`
	To       string        `json:"to"`
	State    string        `json:"state,omitempty"` // of TCP
	Idle     time.Duration `json:"idle_ns"`
}

// firewallView looks at the firewall of a node; nil: it has none.
func (l *lab) firewallView(name string) *FirewallView {
	var v *FirewallView
	var hits []firewall.Hit
	var flows []firewall.Flow
	switch h, f := l.hosts[name], l.firewalls[name]; {
	case f != nil:
		v, hits, flows = routerView(l.spec.Nodes[name].Firewall, f), f.Hits(), f.Flows()
	case h != nil && h.Firewall().Kind != hosts.NoFirewall:
		v = hostView(h.Firewall())
		hits, flows = h.FirewallRules()
	default:
		return nil
	}
	for i, hit := range hits {
		rule := fmt.Sprintf("%d", i+1)
		if hit.Rule.Name != "" {
			rule += ", " + hit.Rule.Name
		}
		v.Rules = append(v.Rules, FirewallHit{rule + ": " + hit.Rule.String(), hit.Count})
	}
	counters := reflect.ValueOf(l.firewallCounters(name))
	for i, t := 0, reflect.TypeFor[spec.FirewallCounters](); i < t.NumField(); i++ {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		n := counters.FieldByName(t.Field(i).Name)
		value := uint64(0)
		if n.CanInt() {
			value = uint64(n.Int())
		} else {
			value = n.Uint()
		}
		v.Counters = append(v.Counters, Statistic{Label: strings.ToUpper(key[:1]) + key[1:], Value: value})
	}
	for _, f := range flows {
		v.States = append(v.States, StateView{
			Protocol: firewall.ProtocolName(f.Protocol), From: f.From.String(), To: f.To.String(), State: f.State, Idle: l.world.Now() - f.Used,
		})
	}
	return v
}

func routerView(s *spec.Firewall, f *routerFirewall) *FirewallView {
	v := &FirewallView{Kind: "access list", Settings: []Line{
		{"Inside", cmp.Or(strings.Join(s.Inside, ", "), "not said")}, {"Where No Rule Fits", f.initial.String()},
	}}
	if s.Stateful != nil {
		v.Kind = "stateful"
		v.Settings = append(v.Settings, Line{"ESP and AH Are Known", strings.ReplaceAll(s.Stateful.Tracking(), "-", " ")})
	}
	if n := f.Inspects(); n > 0 {
		v.Settings = append(v.Settings, Line{"Inspects", fmt.Sprintf("%d kinds of traffic", n)})
	}
	return v
}

func hostView(f hosts.Firewall) *FirewallView {
	v := &FirewallView{Kind: f.Kind.String()}
	state := "on"
	switch {
	case f.Off:
		state = "off"
	case f.NoExceptions:
		state = "on with no exceptions"
	}
	v.Settings = []Line{{"State", state}}
	if f.Kind == hosts.WindowsFirewall {
		v.Settings = append(v.Settings,
			Line{"Authenticated IPsec Bypass", cmp.Or(strings.Join(f.Bypass, ", "), "nobody")},
			Line{"Unicast Response", yes(!f.NoUnicastResponse)})
	}
	return v
}

func (t *labelled) firewall(v *FirewallView) {
	t.title("Firewall")
	t.line("Kind", v.Kind)
	for _, l := range v.Settings {
		t.line(l.Name, l.Value)
	}
	if len(v.Rules) > 0 {
		t.title("Firewall Rules, And Packets That They Decided About")
		for _, r := range v.Rules {
			t.line(r.Rule, r.Packets)
		}
	}
	t.title("Firewall Statistics")
	for _, s := range v.Counters {
		t.line(s.Label, s.Value)
	}
	if len(v.States) > 0 {
		t.title("What May Be Answered")
		for _, s := range v.States {
			what := fmt.Sprintf("%s %s > %s", s.Protocol, s.From, s.To)
			if s.State != "" {
				what += ", " + s.State
			}
			t.line(what, "idle "+spec.Duration(s.Idle).String())
		}
	}
}
