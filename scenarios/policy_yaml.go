package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Policies are the policies of a scenario as the lab has them, by name; those that
// scripts of netsh make are among them.
func Policies(s *spec.Scenario) (map[string]*policy.Policy, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	return policiesOf(s)
}

// PolicyParts are the parts of a scenario file that hold policies: names, filter-lists,
// filter-actions and policies.
type PolicyParts struct {
	names, lists, actions, policies entries
	empty                           []string // filter lists that a scenario cannot have, and needs not
}

// PartsOf are the policies of a store of netsh as parts of a scenario file. With a name
// it is one policy and what that needs. The error says all that a scenario file cannot
// express.
func PartsOf(store *netsh.Store, only string) (*PolicyParts, error) {
	y := &policyYAML{about: map[string]string{}, known: map[string]bool{}, filters: map[string]policy.FilterList{}, taken: map[string]policy.FilterAction{}}
	for _, place := range []struct {
		c   *netsh.Container
		why string
	}{{&store.Local, "assigned in the local store"}, {&store.Persistent, "assigned in the persistent store"}} {
		for _, l := range place.c.FilterLists {
			y.about["list "+l.Name] = l.Description
		}
		for _, a := range place.c.FilterActions {
			y.about["action "+a.Name] = a.Description
		}
		for _, p := range place.c.Policies {
			if only != "" && !strings.EqualFold(p.Name, only) {
				continue
			}
			why := ""
			if p.Assigned {
				why = place.why
			}
			y.policy(place.c.Policy(p.Name), why)
		}
		if only == "" {
			y.spare(place.c)
		}
	}
	for _, p := range store.Dynamic.Policies() {
		if only == "" || strings.EqualFold(p.Name, only) {
			y.policy(p, "of dynamic rules")
		}
	}
	if only != "" && y.policies == nil && y.errs == nil {
		return nil, fmt.Errorf("no policy is called %q%s", only, spec.Suggest(only, append(store.Local.Names(), store.Persistent.Names()...)))
	}
	if y.errs != nil {
		return nil, errors.Join(y.errs...)
	}
	return &y.PolicyParts, nil
}

// policyYAML collects the parts.
type policyYAML struct {
	PolicyParts
	about   map[string]string // descriptions of lists and actions
	known   map[string]bool   // DNS names and policies
	filters map[string]policy.FilterList
	taken   map[string]policy.FilterAction
	errs    []error
}

func (y *policyYAML) fail(format string, args ...any) {
	y.errs = append(y.errs, fmt.Errorf(format, args...))
}

// YAML is the parts as a scenario file has them.
func (p *PolicyParts) YAML() string {
	var b strings.Builder
	if p.names != nil {
		b.WriteString("names: # the script does not tell their addresses\n")
		for _, e := range p.names {
			fmt.Fprintf(&b, "  %s: %s\n", word(e.key), render(e.value))
		}
	}
	for _, name := range p.empty {
		fmt.Fprintf(&b, "# Filter list %s has no filters, and no rule has it.\n", word(name))
	}
	if p.lists != nil {
		b.WriteString("filter-lists:\n")
	}
	for _, e := range p.lists {
		fmt.Fprintf(&b, "  %s:%s\n", word(e.key), e.comment)
		for _, f := range e.value.([]entries) {
			fmt.Fprintf(&b, "    - %s\n", render(f))
		}
	}
	if p.actions != nil {
		b.WriteString("filter-actions:\n")
	}
	for _, e := range p.actions {
		fmt.Fprintf(&b, "  %s: %s\n", word(e.key), render(e.value))
	}
	if p.policies != nil {
		b.WriteString("policies:\n")
	}
	for _, e := range p.policies {
		fmt.Fprintf(&b, "  %s:%s\n", word(e.key), e.comment)
		for _, part := range e.value.(entries) {
			rules, ok := part.value.([]entries)
			if !ok || len(rules) == 0 {
				fmt.Fprintf(&b, "    %s: %s\n", part.key, render(part.value))
				continue
			}
			fmt.Fprintf(&b, "    %s:\n", part.key)
			for _, r := range rules {
				fmt.Fprintf(&b, "      - %s\n", render(r))
			}
		}
	}
	return b.String()
}

// MarshalJSON is the same as JSON, which a scenario file may be as well.
func (p *PolicyParts) MarshalJSON() ([]byte, error) {
	all := map[string]any{}
	for key, part := range map[string]entries{"names": p.names, "filter-lists": p.lists, "filter-actions": p.actions, "policies": p.policies} {
		if part != nil {
			all[key] = value(part)
		}
	}
	return json.Marshal(all) // sorts keys
}

var plainWord = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]*( [a-zA-Z0-9_-]+)*$`)

// word is a text as YAML has it: plain where that means nothing else, or in quotes.
func word(text string) string {
	if plainWord.MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	b, err := json.Marshal(strings.ReplaceAll(text, "${", "$${")) // what JSON has in quotes, YAML has too
	if err != nil {
		return strconv.Quote(text)
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}

// title is a name, which may be a key.
func (y *policyYAML) title(what, name string) string {
	if strings.ContainsAny(name, "/") || strings.Contains(name, "${") || strings.TrimSpace(name) != name || len([]rune(name)) > 127 {
		y.fail("%s %q: a scenario has no names with a slash or ${, with spaces at the ends, or of more than 127 characters", what, name)
	}
	return name
}

// entries is a mapping in its order.
type entries []entry

type entry struct {
	key     string
	value   any // string, plain, int, bool, []string, []entries or entries
	comment string
}

// plain is a word that YAML takes for nothing else.
type plain string

// add adds what is not empty.
func (e *entries) add(key string, v any) {
	switch x := v.(type) {
	case string:
		if x == "" {
			return
		}
	case plain:
		if x == "" {
			return
		}
	case int:
		if x == 0 {
			return
		}
	case bool:
		if !x {
			return
		}
	case []string:
		if x == nil {
			return
		}
	case []entries:
		if x == nil {
			return
		}
	}
	e.put(key, v)
}

// put adds what may be empty.
func (e *entries) put(key string, v any) { *e = append(*e, entry{key: key, value: v}) }

// render is a value in one line of YAML.
func render(v any) string {
	var words []string
	switch x := v.(type) {
	case string:
		return word(x)
	case []string:
		for _, s := range x {
			words = append(words, word(s))
		}
	case []entries:
		for _, e := range x {
			words = append(words, render(e))
		}
	case entries:
		for _, e := range x {
			words = append(words, word(e.key)+": "+render(e.value))
		}
		return "{" + strings.Join(words, ", ") + "}"
	default:
		return fmt.Sprint(x)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// value is a value as package json takes it.
func value(v any) any {
	switch x := v.(type) {
	case entries:
		m := map[string]any{}
		for _, e := range x {
			m[e.key] = value(e.value)
		}
		return m
	case []entries:
		all := []any{}
		for _, e := range x {
			all = append(all, value(e))
		}
		return all
	case []string:
		all := make([]string, len(x))
		for i, s := range x {
			all[i] = strings.ReplaceAll(s, "${", "$${")
		}
		return all
	case string:
		return strings.ReplaceAll(x, "${", "$${")
	}
	return v
}

func (y *policyYAML) list(l policy.FilterList) string {
	name := y.title("filter list", l.Name)
	if old, ok := y.filters[l.Name]; ok {
		if !slices.Equal(old.Filters, l.Filters) {
			y.fail("filter list %q: there are two of that name with other filters", l.Name)
		}
		return name
	}
	y.filters[l.Name] = l
	filters := []entries{}
	for _, f := range l.Filters {
		var e entries
		e.add("source", y.address(f.Source))
		e.add("destination", y.address(f.Destination))
		if f.Protocol != ipsec.ProtoAny {
			e.add("protocol", protocolName(f.Protocol))
		}
		e.add("source-port", int(f.SourcePort))
		e.add("destination-port", int(f.DestinationPort))
		if !f.Mirrored {
			e.put("mirrored", false)
		}
		e.add("description", f.Description)
		filters = append(filters, e)
	}
	y.lists = append(y.lists, entry{l.Name, filters, comment(y.about["list "+l.Name])}) // a scenario has no description of lists
	return name
}

// protocolName is the word of a scenario for a protocol.
func protocolName(p uint8) plain {
	switch p {
	case ipsec.ProtoICMP, ipsec.ProtoTCP, ipsec.ProtoUDP:
		return plain(ipsec.ProtoName(p))
	}
	return plain(strconv.Itoa(int(p)))
}

func (y *policyYAML) address(a policy.Address) plain {
	switch k := a.ServerKind(); {
	case a.Name() != "":
		if !y.known["name "+a.Name()] {
			y.known["name "+a.Name()] = true
			y.names.put(a.Name(), []string{})
		}
		return plain("dns:" + a.Name())
	case k == policy.DefaultGateways:
		return spec.DefaultGateways
	case k != 0:
		return plain(k.String() + "-servers")
	}
	return plain(a.String())
}

func (y *policyYAML) action(a policy.FilterAction) string {
	name := y.title("filter action", a.Name)
	methods := methodsOf(a.Methods)
	if old, ok := y.taken[a.Name]; ok {
		if old.Kind != a.Kind || old.PFS != a.PFS || old.InPass != a.InPass || old.Soft != a.Soft || !slices.Equal(methodsOf(old.Methods), methods) {
			y.fail("filter action %q: there are two of that name that differ", a.Name)
		}
		return name
	}
	y.taken[a.Name] = a
	var e entries
	e.add("description", y.about["action "+a.Name])
	e.add("action", plain(a.Kind.String()))
	e.add("security-methods", methods)
	e.add("pfs", a.PFS)
	e.add("inpass", a.InPass)
	e.add("soft", a.Soft)
	y.actions.put(a.Name, e)
	return name
}

func methodsOf(all []ipsec.Proposal) (words []string) {
	for _, m := range all {
		s, _ := policy.FormatSecurityMethod(m) // netsh has read it
		words = append(words, s)
	}
	return words
}

func (y *policyYAML) auth(what string, all []policy.AuthMethod) (methods []entries) {
	for _, a := range all {
		var e entries
		switch {
		case a.PreSharedKey != "":
			e.put("psk", a.PreSharedKey)
		case a.Kerberos:
			e.put("kerberos", true)
		case a.RootCA != "":
			e.put("root-ca", a.RootCA)
			e.add("certificate-mapping", a.CertMapping)
			e.add("exclude-ca-name", a.ExcludeCAName)
		default:
			y.fail("%s: a method of authentication that is none", what)
		}
		if a.XAuth != nil {
			y.fail("%s: XAUTH is not of netsh", what)
		}
		methods = append(methods, e)
	}
	return methods
}

// comment is a text behind a line of YAML.
func comment(text string) string {
	if text == "" {
		return ""
	}
	return " # " + text
}

func (y *policyYAML) policy(p *policy.Policy, why string) {
	y.title("policy", p.Name)
	if y.known["policy "+p.Name] {
		y.fail("policy %q: there are two of that name: import one with --policy", p.Name)
	}
	y.known["policy "+p.Name] = true
	var out, main entries
	out.add("description", p.Description)
	if p.Polling != 0 {
		out.add("polling", plain(spec.Duration(p.Polling).String()))
	}
	var methods []string
	for _, m := range p.MainMode.Proposals {
		s, _ := policy.FormatMainModeMethod(m)
		methods = append(methods, s)
	}
	main.add("security-methods", methods)
	if p.MainMode.Lifetime != 0 {
		main.add("lifetime", plain(spec.Duration(p.MainMode.Lifetime).String()))
	}
	main.add("quick-modes", p.MainMode.QuickModes)
	if main != nil {
		out.put("main-mode", main)
	}
	if d := p.DefaultResponse; d != nil {
		e := entries{}
		e.add("security-methods", methodsOf(d.Methods))
		e.add("pfs", d.PFS)
		e.add("authentication", y.auth(fmt.Sprintf("default response rule of policy %q", p.Name), d.Auth))
		out.put("default-response", e)
	}
	rules := []entries{}
	for _, r := range p.Rules {
		if len(r.Filters.Filters) == 0 {
			y.fail("rule %q of policy %q: a scenario has no filter lists without filters, such as %q", r.Name, p.Name, r.Filters.Name)
		}
		var e entries
		e.add("name", y.title("rule", r.Name))
		e.add("filter-list", y.list(r.Filters))
		e.add("filter-action", y.action(r.Action))
		e.add("authentication", y.auth(fmt.Sprintf("rule %q of policy %q", r.Name, p.Name), r.Auth))
		if r.Tunnel.IsValid() {
			e.add("tunnel", plain(r.Tunnel.String()))
		}
		if r.Connections != policy.AllConnections {
			e.add("connections", plain(r.Connections.String()))
		}
		if r.Inactive {
			e.put("active", false)
		}
		e.add("description", r.Description)
		rules = append(rules, e)
	}
	out.put("rules", rules)
	y.policies = append(y.policies, entry{p.Name, out, comment(why)})
}

// spare adds what no rule has.
func (y *policyYAML) spare(c *netsh.Container) {
	for _, l := range c.FilterLists {
		if len(l.Filters) == 0 {
			y.empty = append(y.empty, l.Name)
		} else if _, ok := y.filters[l.Name]; !ok {
			y.list(policy.FilterList{Name: l.Name, Filters: l.Filters})
		}
	}
	for _, a := range c.FilterActions {
		if _, ok := y.taken[a.Name]; !ok {
			y.action(a.FilterAction)
		}
	}
}
