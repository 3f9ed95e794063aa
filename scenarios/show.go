package scenarios

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike/mux"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Snapshot is what the IP Security Monitor of a host would show, and netsh with it, at
// a moment of a run (C073). A part that was not asked for is nil; see Snapshot.Only.
type Snapshot struct {
	Scenario string        `json:"scenario"`
	Host     string        `json:"host"`
	At       time.Duration `json:"at_ns"` // virtual, since the start
	Time     time.Time     `json:"time"`  // the same, by the scenario's calendar
	Off      bool          `json:"off,omitempty"`

	Policy     *PolicyInForce   `json:"policy,omitempty"`
	Rules      []Rule           `json:"rules,omitempty"`
	Config     []Line           `json:"config,omitempty"`
	MMFilters  *Filters         `json:"main_mode_filters,omitempty"`
	QMFilters  *Filters         `json:"quick_mode_filters,omitempty"`
	MainModes  *[]MainModeSA    `json:"main_mode_sas,omitempty"`
	QuickModes *QuickModeSAs    `json:"quick_mode_sas,omitempty"`
	Statistics *StatisticsTable `json:"statistics,omitempty"`
}

// The parts of a policy as they are in force.
type (
	Rule   = policy.MonitorRule
	Filter = policy.MonitorFilter
)

// PolicyInForce is the policy that a host follows, and where it came from.
type PolicyInForce struct {
	Agent       string                  `json:"agent"`                // running, stopped, or why there is none
	Source      string                  `json:"source"`               // local, persistent, cache, or none
	Written     string                  `json:"written_in,omitempty"` // the scenario file, or the netsh script; empty where another policy has been stored under the name
	Persistent  string                  `json:"persistent,omitempty"` // the persistent policy in force with it
	Since       time.Duration           `json:"since_ns"`             // assigned
	Name        string                  `json:"name,omitempty"`       // empty: none
	Description string                  `json:"description,omitempty"`
	Polling     time.Duration           `json:"polling_ns,omitempty"`
	MainMode    *policy.MonitorMainMode `json:"main_mode,omitempty"`
	RuleNames   []string                `json:"rules,omitempty"` // of active ones
}

// Filters are the filters of one mode.
type Filters struct {
	Generic  []Filter `json:"generic,omitempty"`
	Specific []Filter `json:"specific,omitempty"`
}

// Line is a name with its value.
type Line struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MainModeSA is an ISAKMP SA, up or under way.
type MainModeSA struct {
	Local           string        `json:"local"`
	Peer            string        `json:"peer"`
	PeerID          string        `json:"peer_id,omitempty"` // proved; empty until then
	InitiatorCookie string        `json:"initiator_cookie"`
	ResponderCookie string        `json:"responder_cookie"`
	Role            string        `json:"role"`  // initiator or responder
	State           string        `json:"state"` // established, or negotiating
	Method          string        `json:"method,omitempty"`
	Authentication  string        `json:"authentication"`
	Age             time.Duration `json:"age_ns,omitempty"`
	Expires         time.Duration `json:"expires_in_ns,omitempty"`
	QuickModesBegun int           `json:"quick_modes_begun"`
}

// QuickModeSAs are the IPsec SAs of a host, and its soft ones.
type QuickModeSAs struct {
	Pairs []QuickModeSA `json:"pairs"`
	Soft  []SoftSA      `json:"soft"`
}

// QuickModeSA is a pair of IPsec SAs of one protocol, or what there is of one.
type QuickModeSA struct {
	Local       string        `json:"local"`
	Peer        string        `json:"peer"`
	Protocol    string        `json:"protocol"`
	Mode        string        `json:"mode"`
	InboundSPI  string        `json:"inbound_spi,omitempty"`
	OutboundSPI string        `json:"outbound_spi,omitempty"`
	Around      string        `json:"around,omitempty"`       // in a bundle: the inbound SPI of the SA inside
	Filter      string        `json:"filter"`                 // outbound
	Rule        string        `json:"rule"`                   // outbound
	InboundRule string        `json:"inbound_rule,omitempty"` // where it is another: a tunnel has a rule for each direction
	Transform   string        `json:"transform"`
	Role        string        `json:"role"`
	Age         time.Duration `json:"age_ns"`
	Expires     time.Duration `json:"expires_in_ns,omitempty"`  // 0: no bound in time
	Kilobytes   *uint64       `json:"kilobytes_left,omitempty"` // nil: no bound
	Sent        Carried       `json:"sent"`
	Received    Carried       `json:"received"`
	Replaced    bool          `json:"replaced,omitempty"` // a newer pair carries what is sent
}

// Carried is what went through an SA.
type Carried struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"` // encrypted, padding included, or authenticated by AH
}

// SoftSA is a soft association: traffic with a peer in the clear (C090).
type SoftSA struct {
	Local   string        `json:"local"`
	Peer    string        `json:"peer"`
	Age     time.Duration `json:"age_ns"`
	Expires time.Duration `json:"expires_in_ns"` // if nothing uses it any more
	Packets uint64        `json:"packets"`
}

// StatisticsTable are both lists, in the order of the IP Security Monitor.
type StatisticsTable struct {
	IKE    []Statistic `json:"ike"`
	Driver []Statistic `json:"driver"`
	Lab    []Statistic `json:"lab"` // counts of the driver that Windows does not show
}

// Statistic is one number with its label.
type Statistic struct {
	Label string `json:"label"`
	Value uint64 `json:"value"`
}

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
	switch {
	case ok && !n.Host():
		return momentError(fmt.Sprintf("%s is no host but of type %s, and has no IPsec", m.Host, n.Kind()))
	case !ok:
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Nodes)), func(name string) bool { return !s.Nodes[name].Host() })
		return momentError(fmt.Sprintf("no host is called %q%s", m.Host, spec.Among(m.Host, names)))
	case m.At < 0 || m.At > longest:
		return momentError(fmt.Sprintf("%v is no time of a run: want more than 0 and at most 100 years", spec.Duration(m.At)))
	}
	return nil
}

// snapshot looks at a host as it is.
func (l *lab) snapshot(name string) *Snapshot {
	h := l.hosts[name]
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

func role(initiator bool) string {
	if initiator {
		return "initiator"
	}
	return "responder"
}

func mainModes(infos []mux.MainModeInfo, now time.Time) *[]MainModeSA {
	all := []MainModeSA{}
	for _, m := range infos {
		v := MainModeSA{
			Local: m.Local.String(), Peer: m.Remote.String(), PeerID: m.PeerID, Role: role(m.Initiator), State: "negotiating",
			InitiatorCookie: hex.EncodeToString(m.Cookies.Initiator[:]), ResponderCookie: hex.EncodeToString(m.Cookies.Responder[:]),
			Authentication: policy.AuthMethod{PreSharedKey: "-"}.String(), QuickModesBegun: m.QuickModes,
		}
		if m.Chosen.Cipher != "" {
			v.Method = m.Chosen.String()
		}
		if m.Established {
			v.State, v.Age, v.Expires = "established", now.Sub(m.Since), m.Expires.Sub(now)
		}
		all = append(all, v)
	}
	return &all
}

// pairs joins the SAs of both directions that name each other, in the order in which
// the first of each came.
func pairs(sas []esp.SAInfo, now time.Time) []QuickModeSA {
	type key struct {
		protocol ipsec.Protocol
		peer     string
		in, out  uint32
	}
	all := []QuickModeSA{}
	index := map[key]int{}
	used := map[key]uint64{} // bytes of the busier half
	for _, sa := range sas {
		k := key{sa.Protocol, sa.Dst.String(), sa.PeerSPI, sa.SPI}
		local, filter := sa.Src.String(), sa.Selector
		if sa.Direction == ipsec.Inbound {
			k = key{sa.Protocol, sa.Src.String(), sa.SPI, sa.PeerSPI}
			local, filter = sa.Dst.String(), sa.Selector.Reverse()
		}
		i, ok := index[k]
		if !ok {
			i = len(all)
			index[k] = i
			all = append(all, QuickModeSA{
				Local: local, Peer: k.peer, Protocol: sa.Protocol.String(), Mode: sa.Mode.String(), Filter: filter.String(), Rule: sa.Rule,
				Transform: sa.Transform.String(), Role: role(sa.Initiator), Age: now.Sub(sa.Added),
			})
			if !sa.Expires.IsZero() {
				all[i].Expires = sa.Expires.Sub(now)
			}
		}
		v := &all[i]
		carried := Carried{sa.Packets, sa.Bytes}
		if sa.Direction == ipsec.Inbound {
			v.InboundSPI, v.Received, v.InboundRule = spiText(sa.SPI), carried, sa.Rule
			if sa.Inner != 0 {
				v.Around = spiText(sa.Inner)
			}
		} else {
			v.OutboundSPI, v.Sent, v.Replaced = spiText(sa.SPI), carried, sa.Replaced
			v.Filter, v.Rule = filter.String(), sa.Rule
		}
		used[k] = max(used[k], sa.Bytes)
		if limit := sa.Lifetime.Kilobytes; limit > 0 {
			left := limit - min(limit, used[k]/1024)
			v.Kilobytes = &left
		}
	}
	for i := range all {
		if v := &all[i]; v.InboundRule == v.Rule {
			v.InboundRule = ""
		}
	}
	return all
}

func spiText(spi uint32) string { return fmt.Sprintf("0x%08x", spi) }

func softs(infos []esp.SoftInfo, now time.Time) []SoftSA {
	all := []SoftSA{}
	for _, s := range infos {
		all = append(all, SoftSA{s.Local.String(), s.Peer.String(), now.Sub(s.Added), s.Expires.Sub(now), s.Packets})
	}
	return all
}

// statisticsTable has the labels of TechNet cc737334, in the order there.
func statisticsTable(h *hosts.Host) *StatisticsTable {
	i, d := h.IKEStatistics(), h.Counters()
	t := &StatisticsTable{}
	for _, s := range []struct {
		label string
		value int
	}{
		{"Active Acquire", i.ActiveAcquire},
		{"Active Receive", i.ActiveReceive},
		{"Acquire Failures", i.AcquireFailures},
		{"Receive Failures", i.ReceiveFailures},
		{"Send Failures", i.SendFailures},
		{"Acquire Heap Size", i.AcquireHeapSize},
		{"Receive Heap Size", i.ReceiveHeapSize},
		{"Authentication Failures", i.AuthenticationFailures},
		{"Negotiation Failures", i.NegotiationFailures},
		{"Invalid Cookies Received", i.InvalidCookies},
		{"Total Acquire", i.TotalAcquire},
		{"Total Get SPI", i.TotalGetSPI},
		{"Key Additions", i.KeyAdditions},
		{"Key Updates", i.KeyUpdates},
		{"Get SPI Failures", i.GetSPIFailures},
		{"Key Addition Failures", i.KeyAdditionFailures},
		{"Key Update Failures", i.KeyUpdateFailures},
		{"ISADB List Size", i.ISADBListSize},
		{"Connection List Size", i.ConnectionListSize},
		{"IKE Main Mode", i.MainModes},
		{"IKE Quick Mode", i.QuickModes},
		{"Soft Associations", i.SoftAssociations},
		{"Invalid Packets Received", i.InvalidPackets},
	} {
		t.IKE = append(t.IKE, Statistic{s.label, uint64(s.value)})
	}
	t.Driver = []Statistic{
		{"Active Security Associations", uint64(d.ActiveSAs)},
		{"Offloaded Security Associations", uint64(d.OffloadedSAs)},
		{"Pending Key Operations", uint64(d.PendingKeyOperations)},
		{"Key Additions", d.KeyAdditions},
		{"Key Deletions", d.KeyDeletions},
		{"Rekeys", d.Rekeys},
		{"Active Tunnels", uint64(d.ActiveTunnels)},
		{"Bad SPI Packets", d.BadSPI},
		{"Packets Not Decrypted", d.NotDecrypted},
		{"Packets Not Authenticated", d.NotAuthenticated},
		{"Packets With Replay Detection", d.ReplayDetection},
		{"Confidential Bytes Sent", d.ConfidentialBytesSent},
		{"Confidential Bytes Received", d.ConfidentialBytesReceived},
		{"Authenticated Bytes Sent", d.AuthenticatedBytesSent},
		{"Authenticated Bytes Received", d.AuthenticatedBytesReceived},
		{"Transport Bytes Sent", d.TransportBytesSent},
		{"Transport Bytes Received", d.TransportBytesReceived},
		{"Bytes Sent In Tunnels", d.TunnelBytesSent},
		{"Bytes Received In Tunnels", d.TunnelBytesReceived},
		{"Offloaded Bytes Sent", d.OffloadedBytesSent},
		{"Offloaded Bytes Received", d.OffloadedBytesReceived},
	}
	t.Lab = []Statistic{
		{"Packets Refused As Replays", d.Replayed},
		{"Packets Under A Wrong SA", d.WrongSA},
		{"Packets Dropped In Clear Text", d.ClearTextDrops},
		{"Packets Accepted In Clear Text", d.AcceptedClear},
		{"Packets Dropped By Policy", d.PolicyDrops},
		{"Packets Refused At Startup", d.BootDrops},
		{"Packets That Waited In Vain", d.HeldDiscarded},
	}
	return t
}

// configLines are the settings of a host that netsh and the registry have for IPsec: those
// that it works by, and behind each what set config has put into the registry meanwhile.
func (l *lab) configLines(name string) (all []Line) {
	t := l.oracle.terms[name]
	next := settingLines(t.restarts)
	for i, line := range settingLines(t.node) {
		all = append(all, line)
		if next[i] != line {
			all = append(all, Line{next[i].Name + ", At Next Start", next[i].Value})
		}
	}
	return all
}

// settingLines are those of one node as it is written.
func settingLines(n spec.Node) []Line {
	s := n.Settings()
	f := s.FallingBack()
	after := f.After.String()
	if f.Simultaneous {
		after = "at once, while IKE goes on"
	}
	exempt := 3
	if s.NoDefaultExempt != nil {
		exempt = *s.NoDefaultExempt
	}
	return []Line{
		{"IPsec Log Interval", spec.Duration(s.LogsEvery()).String()},
		{"Boot Mode", cmp.Or(s.BootMode, "stateful with a policy, else permit")},
		{"Boot Exemptions", cmp.Or(strings.Join(s.BootExemptions, ", "), "none but DHCP")},
		{"Policy Agent Starts After", spec.Duration(s.Gap()).String()},
		{"Default Exemptions (NoDefaultExempt)", fmt.Sprint(exempt)},
		{"SA Idle Time", spec.Duration(s.IdleAfter()).String()},
		{"Fall Back To Clear After", after},
		{"Soft SA Idle Time", f.Idle.String()},
		{"Ties Among Filters", strings.Join(s.TieOrder(), ", ")},
		{"Filters Compared By", cmp.Or(s.FirstEnd, spec.EndNarrower) + " end first; me counts as " + cmp.Or(s.MeCountsAs, spec.MeHost)},
	}
}

// Parts are what Only can be asked for.
func Parts() []string {
	return []string{"mmsas", "qmsas", "mmfilters", "qmfilters", "filters", "policy", "rules", "config", "stats", "all"}
}

// Only leaves of a snapshot the parts of that name, one of Parts, and of filters those
// of a kind: generic or specific; "" is both.
func (v Snapshot) Only(part, kind string) (*Snapshot, error) {
	keep := map[string]bool{part: true}
	switch part {
	case "all":
		for _, p := range Parts() {
			keep[p] = true
		}
	case "filters":
		keep["mmfilters"], keep["qmfilters"] = true, true
	default:
		if !slices.Contains(Parts(), part) {
			return nil, fmt.Errorf("scenarios: show: there is no %q%s; it may be %s", part, spec.Suggest(part, Parts()), strings.Join(Parts(), ", "))
		}
	}
	if kind != "" && !keep["mmfilters"] && !keep["qmfilters"] {
		return nil, fmt.Errorf("scenarios: show: only filters are generic or specific, not %s", part)
	}
	if !keep["policy"] {
		v.Policy = nil
	}
	if !keep["rules"] {
		v.Rules = nil
	}
	if !keep["config"] {
		v.Config = nil
	}
	if !keep["mmsas"] {
		v.MainModes = nil
	}
	if !keep["qmsas"] {
		v.QuickModes = nil
	}
	if !keep["stats"] {
		v.Statistics = nil
	}
	v.MMFilters, v.QMFilters = v.MMFilters.only(keep["mmfilters"], kind), v.QMFilters.only(keep["qmfilters"], kind)
	return &v, nil
}

func (f *Filters) only(keep bool, kind string) *Filters {
	if !keep || f == nil {
		return nil
	}
	of := *f
	switch kind {
	case "generic":
		of.Specific = nil
	case "specific":
		of.Generic = nil
	}
	return &of
}
