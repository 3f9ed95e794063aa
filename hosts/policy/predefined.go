package policy

import (
	"slices"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// The policies, filter lists and filter actions that Windows brings along as examples
// (TechNet cc780497 and cc786870; claims C074 to C076, C091 and C151), by the names that
// scenarios have for them. Verdicts call rules "server-request-security/all-ip-traffic".
const (
	ClientRespondOnly           = "client-respond-only"            // Client (Respond Only)
	ServerRequestSecurity       = "server-request-security"        // Server (Request Security)
	SecureServerRequireSecurity = "secure-server-require-security" // Secure Server (Require Security)

	AllICMPTraffic = "all-icmp-traffic" // All ICMP Traffic
	AllIPTraffic   = "all-ip-traffic"   // All IP Traffic

	PermitAction    = "permit"           // Permit
	RequestSecurity = "request-security" // Request Security (Optional)
	RequireSecurity = "require-security" // Require Security
)

// predefinedNames are the names in scenarios and those that Windows shows, in its order.
var predefinedNames = [][2]string{
	{ClientRespondOnly, "Client (Respond Only)"},
	{ServerRequestSecurity, "Server (Request Security)"},
	{SecureServerRequireSecurity, "Secure Server (Require Security)"},
	{AllICMPTraffic, "All ICMP Traffic"},
	{AllIPTraffic, "All IP Traffic"},
	{PermitAction, "Permit"},
	{RequestSecurity, "Request Security (Optional)"},
	{RequireSecurity, "Require Security"},
}

// predefinedName is the scenario's name of a predefined object, given by that or by the one of Windows.
func predefinedName(name string) string {
	for _, n := range predefinedNames {
		if n[1] == name {
			return n[0]
		}
	}
	return name
}

// PredefinedTitle is the name that Windows shows for a predefined object; "" if name is of none.
func PredefinedTitle(name string) string {
	i := slices.IndexFunc(predefinedNames, func(n [2]string) bool { return n[0] == name })
	if i < 0 {
		return ""
	}
	return predefinedNames[i][1]
}

// PredefinedPolicies, PredefinedFilterLists and PredefinedFilterActions are the names of
// what Predefined, PredefinedFilterList and PredefinedFilterAction know, in the order of Windows.
func PredefinedPolicies() []string {
	return []string{ClientRespondOnly, ServerRequestSecurity, SecureServerRequireSecurity}
}

// PredefinedFilterLists are the names of the predefined filter lists.
func PredefinedFilterLists() []string { return []string{AllICMPTraffic, AllIPTraffic} }

// PredefinedFilterActions are the names of the predefined filter actions.
func PredefinedFilterActions() []string {
	return []string{PermitAction, RequestSecurity, RequireSecurity}
}

// Predefined is the predefined policy of a name, that of a scenario or that of Windows:
// "server-request-security" or "Server (Request Security)". Each call makes a new one.
//
// The default response rule is active in all three. The other two secure all IP traffic by
// their filter action, and permit ICMP. They authenticate by Kerberos, as whatever names
// no other method does.
func Predefined(name string) (*Policy, bool) {
	name = predefinedName(name)
	p := &Policy{Name: name, Description: PredefinedTitle(name), DefaultResponse: &DefaultResponse{}}
	secure := func(action string) {
		for _, r := range [][2]string{{AllIPTraffic, action}, {AllICMPTraffic, PermitAction}} {
			list, _ := PredefinedFilterList(r[0])
			what, _ := PredefinedFilterAction(r[1])
			p.Rules = append(p.Rules, Rule{Name: list.Name, Filters: list, Action: what})
		}
	}
	switch name {
	case ClientRespondOnly:
	case ServerRequestSecurity:
		secure(RequestSecurity)
	case SecureServerRequireSecurity:
		secure(RequireSecurity)
	default:
		return nil, false
	}
	return p, true
}

// PredefinedFilterList is the predefined filter list of a name: what this computer sends
// to any other and receives from it, either of ICMP alone, which is IP protocol 1, or all.
func PredefinedFilterList(name string) (FilterList, bool) {
	name = predefinedName(name)
	f := Filter{Source: Me(), Destination: Any(), Mirrored: true, Description: PredefinedTitle(name)}
	switch name {
	case AllICMPTraffic:
		f.Protocol = ipsec.ProtoICMP
	case AllIPTraffic:
	default:
		return FilterList{}, false
	}
	return FilterList{Name: name, Filters: []Filter{f}}, true
}

// PredefinedFilterAction is the predefined filter action of a name. Both of those that
// negotiate accept what arrives unsecured and answer with IPsec (inbound passthrough):
// the documents say it of Require Security as well, whose servers clients reach that only
// respond. Request Security alone falls back to clear.
//
// Which security methods they have, no document at hand says. The lab's choice is what
// Windows has without DES and MD5: encryption with integrity first; Request Security takes
// integrity alone, too, of ESP or AH, Require Security does not.
func PredefinedFilterAction(name string) (FilterAction, bool) {
	a := FilterAction{Name: predefinedName(name), Kind: Negotiate, InPass: true}
	switch a.Name {
	case PermitAction:
		a.Kind, a.InPass = Permit, false
	case RequestSecurity:
		a.Soft, a.Methods = true, parsed([]string{"ESP[3DES,SHA1]", "ESP[None,SHA1]", "AH[SHA1]"})
	case RequireSecurity:
		a.Methods = parsed([]string{"ESP[3DES,SHA1]"})
	default:
		return FilterAction{}, false
	}
	return a, true
}
