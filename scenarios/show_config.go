package scenarios

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

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
		{"NAT Traversal", cmp.Or(strings.Join(s.Speaks(), ", "), "off")},
		{"AssumeUDPEncapsulationContextOnSendRule", fmt.Sprint(s.BehindNAT())},
		{"SA Idle Time", spec.Duration(s.IdleAfter()).String()},
		{"Fall Back To Clear After", after},
		{"Soft SA Idle Time", f.Idle.String()},
		{"Ties Among Filters", strings.Join(s.TieOrder(), ", ")},
		{"Filters Compared By", cmp.Or(s.FirstEnd, spec.EndNarrower) + " end first; me counts as " + cmp.Or(s.MeCountsAs, spec.MeHost)},
	}
}
