package spec

import (
	"cmp"
	"fmt"
	"strings"
)

// Verb is the YAML key of the step's verb, empty when none is set.
func (s Step) Verb() string {
	if v := s.verbs(); len(v) > 0 {
		return v[0]
	}
	return ""
}

// verbNames are the YAML keys of all verbs.
var verbNames = []string{
	"ping", "connect", "transfer", "udp", "raw", "announce", "scan", "discover", "enrol", "fetch-list", "wait", "set-link", "set-firewall", "nat", "set-host-firewall", "assign-policy", "restart-host", "policy-agent", "store-policy", "netsh", "set-address", "ipconfig", "set-servers", "set-name", "run", "tamper", "replay", "inject", "spoof",
}

// verbs are all that the step sets, in the order of the type.
func (s Step) verbs() (set []string) {
	for _, v := range []struct {
		name string
		set  bool
	}{
		{"ping", s.Ping != nil}, {"connect", s.Connect != nil}, {"transfer", s.Transfer != nil}, {"udp", s.UDP != nil},
		{"raw", s.Raw != nil}, {"announce", s.Announce != nil}, {"scan", s.Scan != nil}, {"discover", s.Discover != nil},
		{"enrol", s.Enrol != nil}, {"fetch-list", s.FetchList != nil},
		{"wait", s.Wait != 0}, {"set-link", s.SetLink != nil}, {"set-firewall", s.SetFirewall != nil}, {"nat", s.NAT != nil}, {"set-host-firewall", s.SetHostFirewall != nil}, {"assign-policy", s.AssignPolicy != nil},
		{"restart-host", s.RestartHost != nil}, {"policy-agent", s.PolicyAgent != nil}, {"store-policy", s.StorePolicy != nil}, {"netsh", s.Netsh != nil}, {"set-address", s.SetAddress != nil},
		{"ipconfig", s.IPConfig != nil}, {"set-servers", s.SetServers != nil}, {"set-name", s.SetName != nil}, {"run", s.Run != nil}, {"tamper", s.Tamper != nil}, {"replay", s.Replay != nil},
		{"inject", s.Inject != nil}, {"spoof", s.Spoof != nil},
	} {
		if v.set {
			set = append(set, v.name)
		}
	}
	return set
}

// Ends are the words after from and to of a step that sends traffic; ok is false for the other verbs.
func (s Step) Ends() (from, to string, ok bool) {
	switch {
	case s.Ping != nil:
		return s.Ping.From, s.Ping.To, true
	case s.Connect != nil:
		return s.Connect.From, s.Connect.To, true
	case s.Transfer != nil:
		return s.Transfer.From, s.Transfer.To, true
	case s.UDP != nil:
		return s.UDP.From, s.UDP.To, true
	case s.Raw != nil:
		return s.Raw.From, s.Raw.To, true
	case s.Announce != nil:
		return s.Announce.From, s.Announce.To, true
	case s.Scan != nil:
		return s.Scan.From, s.Scan.To, true
	case s.Discover != nil && len(s.Discover.Servers) > 0:
		return s.Discover.From, s.Discover.Servers[0], true
	case s.scep() != nil:
		return s.scep().From, s.scep().To, true
	}
	return "", "", false
}

// Words are the step's title, or what it does in a few words.
func (s Step) Words() string {
	from, to, _ := s.Ends()
	switch {
	case s.Title != "":
		return s.Title
	case s.Ping != nil:
		return fmt.Sprintf("ping %s → %s", from, to)
	case s.Connect != nil:
		return fmt.Sprintf("connect %s → %s, TCP port %d", from, to, s.Connect.Port)
	case s.Transfer != nil:
		return fmt.Sprintf("transfer %s bytes %s → %s, TCP port %d", s.Transfer.Bytes, from, to, s.Transfer.Port)
	case s.UDP != nil:
		return fmt.Sprintf("udp %s → %s, port %d", from, to, s.UDP.Port)
	case s.Raw != nil:
		return fmt.Sprintf("raw %s → %s, protocol %d", from, to, s.Raw.Protocol)
	case s.Announce != nil:
		return fmt.Sprintf("announce %s → %s, port %d", from, to, s.Announce.Port)
	case s.Scan != nil:
		return fmt.Sprintf("scan %s → %s, %s", from, to, s.Scan.words())
	case s.Discover != nil:
		return fmt.Sprintf("discover what is between %s and %s", s.Discover.From, strings.Join(s.Discover.Servers, ", "))
	case s.Enrol != nil && s.Enrol.Renew:
		return fmt.Sprintf("%s renews its certificate at %s", from, to)
	case s.Enrol != nil:
		return fmt.Sprintf("%s enrols at %s", from, to)
	case s.FetchList != nil:
		return fmt.Sprintf("%s fetches a revocation list from %s", from, to)
	case s.Wait != 0:
		return "wait " + s.Wait.String()
	case s.SetLink != nil:
		return "set the link of " + s.SetLink.Node
	case s.NAT != nil:
		return s.NAT.words()
	case s.SetFirewall != nil:
		return "set the firewall of " + s.SetFirewall.Node
	case s.SetHostFirewall != nil:
		return "set the firewall of " + s.SetHostFirewall.Host
	case s.AssignPolicy != nil && s.AssignPolicy.Unassigns():
		return "unassign the policy of " + s.AssignPolicy.Host
	case s.AssignPolicy != nil:
		return fmt.Sprintf("assign %s to %s", s.AssignPolicy.Policy, s.AssignPolicy.Host)
	case s.RestartHost != nil:
		return "restart " + s.RestartHost.Host
	case s.Run != nil:
		return fmt.Sprintf("run on %s: %s", s.Run.On, firstLine(s.Run.Command))
	case s.PolicyAgent != nil:
		return s.PolicyAgent.Action + " the policy agent of " + s.PolicyAgent.Host
	case s.StorePolicy != nil:
		return fmt.Sprintf("store %s at %s", s.StorePolicy.Name(), s.StorePolicy.Host)
	case s.Netsh != nil:
		return "netsh on " + s.Netsh.Host
	case s.SetAddress != nil:
		return "set the address of " + s.SetAddress.Node
	case s.IPConfig != nil:
		return fmt.Sprintf("ipconfig /%s on %s", s.IPConfig.Action, s.IPConfig.Node)
	case s.SetServers != nil:
		return "set the servers of " + s.SetServers.Node
	case s.SetName != nil:
		return fmt.Sprintf("%s is at %s", s.SetName.Name, cmp.Or(strings.Join(s.SetName.Addresses, ", "), "no address"))
	}
	return s.attackWords()
}
