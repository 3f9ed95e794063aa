package lint

import (
	"strings"
)

var exemptKerberos = &Rule{
	ID: "exempt-kerberos", Severity: Warning, Claims: []string{"C063", "C065"},
	Title: "Whatever is sent from port 88 passes all filters",
	Why:   "With NoDefaultExempt 0 and 2 Kerberos is exempt by port 88 at either end: whoever sends from that port reaches every port of the host.",
	Fix:   "Set NoDefaultExempt to 3 (`no-default-exempt: 3`), or to 1 on Windows 2000 and XP (`no-default-exempt: 1`), and permit Kerberos with domain controllers by address.",
}

var exemptGroups = &Rule{
	ID: "exempt-groups", Severity: Info, Claims: []string{"C044", "C065"},
	Title: "Multicast and broadcast pass all filters",
	Why:   "With NoDefaultExempt 0 and 1 they come and go in the clear, whatever the policy blocks.",
	Fix:   "Set NoDefaultExempt to 3 (`no-default-exempt: 3`), and permit the groups that are needed.",
}

var openAtBoot = &Rule{
	ID: "boot-open", Severity: Warning, Claims: []string{"C058", "C059"},
	Title: "Everything passes until the policy agent has started",
	Why:   "In boot mode permit the driver filters nothing before the agent gives it the policy: each start of the computer opens it for that time.",
	Fix:   "Set the boot mode to stateful or block (`boot-mode: stateful`, `boot-mode: block`), or give the host a persistent policy (`persistent`).",
}

var ipv6Bypass = &Rule{
	ID: "ipv6-bypass", Severity: Warning,
	Title: "A host with IPv6 has a policy for IPv4 alone",
	Why:   "IPv6 passes untouched: what the policy protects or blocks is reached by the host's other address.",
	Fix:   "Take IPv6 off the host, filter it elsewhere, or leave the setting `ipv6` out.",
}

var multihomedMe = &Rule{
	ID: "me-multihomed", Severity: Info, Claims: []string{"C113"},
	Title: `"Me" multiplies the filters of a host with several addresses`,
	Why:   "There is a specific filter for each address of the host, and each packet is compared with them.",
	Fix:   "Name the address that is meant in `source` and `destination`, where it is one.",
}

func checkHosts(l *linter) {
	for _, p := range l.policies {
		for _, u := range p.units {
			if u.host == nil {
				if l.in.Settings != nil && (guards(p) || p.DefaultResponse != nil) {
					l.settings(l.in.Settings)
				}
				continue
			}
			if guards(p) || p.DefaultResponse != nil {
				l.settings(u.host)
			}
			l.multiplied(u)
			if u.compiled != nil {
				for _, pruned := range u.compiled.Pruned() {
					l.report(offersPruned, Ref{Part: HostAssignment, Name: u.host.Name}, "%s leaves out of %s, in policy %s: %s",
						u.host.Name, pruned.Where, u.Name, strings.Join(pruned.Offers, " "))
				}
			}
		}
	}
}

func (l *linter) settings(h *Host) {
	if h.Options.Exempt.KerberosRSVP {
		l.report(exemptKerberos, Ref{Part: HostNoDefaultExempt, Name: h.Name}, "%s: NoDefaultExempt %d lets everything from port 88 pass", h.Name, h.NoDefaultExempt)
	}
	if h.Options.Exempt.Groups {
		l.report(exemptGroups, Ref{Part: HostNoDefaultExempt, Name: h.Name}, "%s: NoDefaultExempt %d lets multicast and broadcast pass", h.Name, h.NoDefaultExempt)
	}
	if h.OpenAtBoot {
		l.report(openAtBoot, Ref{Part: HostBootMode, Name: h.Name}, "%s filters nothing while its policy agent starts", h.Name)
	}
	for _, a := range h.Addrs {
		if a.Is6() && h.Options.BypassIPv6 {
			l.report(ipv6Bypass, Ref{Part: HostIPv6, Name: h.Name}, "%s has the IPv6 address %s, and its policy is for IPv4 alone", h.Name, a)
			break
		}
	}
}

// multiplied counts the specific filters of those that say me.
func (l *linter) multiplied(u *unit) {
	v4 := 0
	for _, a := range u.host.Addrs {
		if a.Is4() {
			v4++
		}
	}
	if v4 < 2 && len(u.host.Addrs)-v4 < 2 {
		return
	}
	generic := map[[2]int]bool{}
	n := 0
	for _, f := range u.filters {
		if !f.Generic.Source.IsMe() && !f.Generic.Destination.IsMe() {
			continue
		}
		n++
		generic[[2]int{f.Rule, f.Filter}] = true
	}
	if len(generic) > 0 {
		l.report(multihomedMe, Ref{Part: HostAssignment, Name: u.host.Name}, "%s has %d addresses: %d of policy %s that say me become %d specific filters",
			u.host.Name, len(u.host.Addrs), len(generic), u.Name, n)
	}
}
