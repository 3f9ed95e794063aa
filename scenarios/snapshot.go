package scenarios

import (
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/result"
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
	Discovery  []Line           `json:"discovery,omitempty"` // what the host has found out about the NAT box that it is behind
	Firewall   *FirewallView    `json:"firewall,omitempty"`  // of a router there are but these three
	NAT        *NATView         `json:"nat,omitempty"`

	Observers []result.Observer `json:"observers,omitempty"` // of a router or a segment
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
	Authentication  string        `json:"authentication,omitempty"`
	Age             time.Duration `json:"age_ns,omitempty"`
	Expires         time.Duration `json:"expires_in_ns,omitempty"`
	QuickModesBegun int           `json:"quick_modes_begun"`
	User            string        `json:"user,omitempty"`             // that XAUTH has admitted, here or at the peer
	InnerAddress    string        `json:"inner_address,omitempty"`    // what mode config has given
	InnerAddressOf  string        `json:"inner_address_of,omitempty"` // me or peer
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
	LocalPort   uint16        `json:"local_port,omitempty"`   // of ESP in UDP; 0: it is not
	PeerPort    uint16        `json:"peer_port,omitempty"`    // likewise, as this host sees it
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
