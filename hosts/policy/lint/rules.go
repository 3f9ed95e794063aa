package lint

import (
	"fmt"
	"slices"
	"strings"
)

// Severity is how bad a finding is.
type Severity uint8

// The severities, in rising order.
const (
	Info Severity = iota
	Warning
	Error
)

var severities = []string{"info", "warning", "error"}

// String is info, warning or error.
func (s Severity) String() string {
	if int(s) < len(severities) {
		return severities[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText is String, for JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String prints.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severities, string(text))
	if i < 0 {
		return fmt.Errorf("lint: %q is no severity: info, warning or error", text)
	}
	*s = Severity(i)
	return nil
}

// Rule is one thing that is looked for.
type Rule struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Claims   []string `json:"claims,omitempty"` // of docs/claims.md
	Source   string   `json:"source,omitempty"` // where no claim says it; nothing at all: a choice of this project
	Title    string   `json:"title"`            // what is wrong, in a line
	Why      string   `json:"why"`
	Fix      string   `json:"fix"`

	absence bool // it finds that something is not there, so that each variant of a file has to lack it
}

// Sources is what the rule rests on: claims, a document, or the choice of the project.
func (r *Rule) Sources() string {
	all := slices.Clone(r.Claims)
	if r.Source != "" {
		all = append(all, r.Source)
	}
	if all == nil {
		return "lab"
	}
	return strings.Join(all, ", ")
}

// Rules are all rules by subject.
func Rules() []*Rule {
	return []*Rule{
		pskShort, pskSimple, pskDomain, pskManyPeers, pskReused, severalAuth,
		pskBeside, rootUntrusted, certificateNone, mappingNoAccounts, certificateExpires, certificateWeak, revocationOff,
		des, md5, group1, group2, weakFirst, offersPruned, nullWithEncryption, ahAlone,
		lifetimeNone, lifetimeShort, lifetimeLong, volumeNone,
		exemptSubnet, exemptSubnetWide, exemptOverlap, permitWider, permitSourcePort,
		oneWayPermit, oneWayNegotiate, multicastNegotiated, neverMatches, undefinedOrder,
		tunnelPorts, tunnelMirrored, tunnelOneWay, tunnelDynamic, tunnelNowhere,
		negotiateDC, negotiateDNS, negotiateDHCP, infrastructureNotExempt, icmpNotExempt, icmpBlocked,
		fallBack, fallBackOnPort, boundaryInitiates, defaultResponse,
		mainModesDoNotMeet, authDoesNotMeet, quickModesDoNotMeet, pfsOneSided, oneSided, cutOff,
		exemptKerberos, exemptGroups, openAtBoot, ipv6Bypass, multihomedMe,
		protectsNothing, unassigned, inactive, unusedList, unusedAction,
	}
}

// RuleNamed is the rule with an ID; nil if there is none.
func RuleNamed(id string) *Rule {
	for _, r := range Rules() {
		if r.ID == id {
			return r
		}
	}
	return nil
}
