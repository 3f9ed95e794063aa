package peerconf

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Settings are what a host has besides its policy, as far as a daemon can have it. The zero
// value leaves the daemon its own ways.
type Settings struct {
	// Fragmentation is off, on, or that of the daemon where neither is said; Size is the most
	// that an IKE packet has in bytes, with the headers of IP and UDP; 0: the daemon's.
	Fragmentation FragmentChoice
	FragmentSize  int

	// DPD is dead peer detection; nil: the peer asks nobody, and answers.
	DPD *DPD

	// Encapsulate has ESP go in UDP whatever there is on the path.
	Encapsulate bool

	// Margin is how long before their end SAs are replaced; 0: a tenth of the lifetime.
	Margin time.Duration
	// NoMainModeRekey has main modes end without one in their place.
	NoMainModeRekey bool
	// Inactivity ends SAs that nothing uses; 0: they stay.
	Inactivity time.Duration

	// Retransmit are the gaps between copies of an unanswered message; nil: those of the daemon.
	Retransmit []time.Duration
	// KeepAlive is the time between NAT keep-alives; 0: that of the daemon, negative: none.
	KeepAlive time.Duration
	// ReplayWindow in packets; 0: that of the daemon.
	ReplayWindow int
}

// FragmentChoice is whether IKE messages are sent in fragments.
type FragmentChoice uint8

// The choices.
const (
	FragmentsDefault FragmentChoice = iota
	FragmentsOn
	FragmentsOff
)

// DPD is dead peer detection: after Idle without a sign of life the peer is asked, and after
// Timeout without an answer it is dead.
type DPD struct{ Idle, Timeout time.Duration }

// taken are the settings of a scenario that SettingsOf reads, or that come with the policy. All
// others are about virtual hosts.
var taken = map[string]bool{
	"rekey": true, "replay-window": true, "aggressive-mode": true, "ike-identity": true, "ike-fragmentation": true, "dpd": true,
	"sa-idle-time": true, "retransmit": true, "main-mode-margin": true, "no-main-mode-rekey": true, "nat-force": true, "nat-keep-alive": true,
	"nat-traversal": true, "first-generation": true, "mode-config": true, "offer-by-authentication": true,
	"ties": true, "first-end": true, "me-counts-as": true, "no-default-exempt": true, "exempt-inbound-groups": true, "ipv6": true,
}

// refused are settings that change what goes over the wire and that no daemon has.
var refused = map[string]string{
	"commit":            "daemons do not set the commit bit",
	"dos-protection":    "the protection of MS-IKEE, 3.9 is Microsoft's own",
	"first-sequence":    "daemons count packets from 1",
	"nat-accept-either": "daemons take the encapsulation that fits",
	"nat-begin-4500":    "daemons begin main modes on port 500",
	"nat-originals-one": "NAT-OA payloads are in the daemon's own form",
	"new-group-mode":    "no daemon has new group mode (RFC 2409, Section 5.6)",
	"no-ike":            "a peer is there for its IKE: use a virtual host",
	"short-durations":   "the form of lifetimes is the daemon's own",
	"trust-spi":         "daemons check packets against the SA",
	"vendor-ids":        "vendor IDs are the daemon's own",
}

// SettingsOf reads what a node of a scenario says itself, without the defaults of an operating
// system: a real peer has its own. ignored names settings that are about virtual hosts alone.
func SettingsOf(s *spec.IPsec) (settings Settings, ignored []string, err error) {
	if s == nil {
		return settings, nil, nil
	}
	for _, name := range named(reflect.ValueOf(*s)) {
		switch why := refused[name]; {
		case why != "":
			return settings, nil, unsupported("ipsec."+name, "%s", why)
		case !taken[name]:
			ignored = append(ignored, name)
		}
	}
	if slices.Contains(s.Dialects, spec.DialectsOff) {
		return settings, nil, unsupported("ipsec.nat-traversal: off", "daemons of today always announce NAT traversal")
	}
	if f := s.Fragmentation; f != nil {
		settings.Fragmentation, settings.FragmentSize = FragmentsOn, f.Size
		if f.Form == "none" {
			settings.Fragmentation = FragmentsOff
		}
		if f.WithoutHeader {
			return settings, nil, unsupported("ipsec.ike-fragmentation.without-header", "daemons cut the message with its header")
		}
	}
	if d := s.DPD; d != nil && d.Idle > 0 {
		retry, tries := time.Duration(d.Retry), d.Tries
		if retry == 0 {
			retry = 2 * time.Second // as a virtual host, see ike.DPD
		}
		if tries == 0 {
			tries = 5
		}
		settings.DPD = &DPD{Idle: time.Duration(d.Idle), Timeout: time.Duration(d.Idle) + time.Duration(tries)*retry}
	}
	if r := s.Rekey; r != nil {
		settings.Margin = time.Duration(r.Margin)
	}
	if k := s.KeepAlive; k != nil {
		settings.KeepAlive = time.Duration(*k)
		if *k == 0 {
			settings.KeepAlive = -1
		}
	}
	for _, gap := range s.Retransmit {
		settings.Retransmit = append(settings.Retransmit, time.Duration(gap))
	}
	settings.Encapsulate, settings.NoMainModeRekey, settings.ReplayWindow = s.Force, s.NoMainModeRekey, s.ReplayWindow
	settings.Inactivity = time.Duration(s.SAIdleTime)
	return settings, ignored, nil
}

// named are the settings that are not at their zero value, by their names in the file, sorted.
func named(v reflect.Value) (all []string) {
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch f := v.Field(i); {
		case strings.Contains(options, "inline"):
			all = append(all, named(f)...)
		case name != "" && name != "-" && !f.IsZero():
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
