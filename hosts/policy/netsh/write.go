package netsh

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// WriteError is something that netsh of Windows Server 2003 cannot say.
type WriteError struct {
	What   string // filter action "encrypt"
	Reason string
}

func (e *WriteError) Error() string { return "netsh: " + e.What + ": " + e.Reason }

// WriteScript writes a policy as a script that reads in to the same policy. All that netsh
// cannot say is reported, as *WriteError, joined.
func WriteScript(p *policy.Policy) (string, error) {
	s := &Store{}
	if err := s.Local.Add(p); err != nil {
		return "", err
	}
	return s.Script()
}

// Add puts a policy into the container, with its filter lists and filter actions, which
// it shares with the policies that are there. It changes nothing where that is an error.
func (c *Container) Add(p *policy.Policy) error {
	w := &writer{}
	what := fmt.Sprintf("policy %q", p.Name)
	if c.policyNamed(p.Name) != nil {
		w.fail(what, "there is a policy of that name already")
	}
	next := &Policy{Name: p.Name, Description: p.Description, MainMode: p.MainMode, Polling: p.Polling}
	next.MainMode.Proposals = slices.Clone(p.MainMode.Proposals)
	if d := p.DefaultResponse; d != nil {
		next.Default = DefaultRule{true, policy.DefaultResponse{Methods: clones(d.Methods), PFS: d.PFS, Auth: slices.Clone(d.Auth)}}
	}
	grown := Container{FilterLists: slices.Clone(c.FilterLists), FilterActions: slices.Clone(c.FilterActions)}
	for _, r := range p.Rules {
		list := grown.FilterList(r.Filters.Name)
		switch {
		case list == nil:
			list = &FilterList{Name: r.Filters.Name, Filters: slices.Clone(r.Filters.Filters)}
			grown.FilterLists = append(grown.FilterLists, list)
		case list.Name != r.Filters.Name || !slices.Equal(list.Filters, r.Filters.Filters):
			w.fail(what, "filter list %q of rule %q has the name of another one, %q", r.Filters.Name, r.Name, list.Name)
		}
		action := grown.FilterAction(r.Action.Name)
		switch {
		case action == nil:
			action = &FilterAction{FilterAction: r.Action}
			action.Methods = clones(r.Action.Methods)
			grown.FilterActions = append(grown.FilterActions, action)
		case !sameAction(action.FilterAction, r.Action):
			w.fail(what, "filter action %q of rule %q has the name of another one, %q", r.Action.Name, r.Name, action.Name)
		}
		if next.rule(r.Name) != nil {
			w.fail(what, "it has two rules %q", r.Name)
		}
		next.Rules = append(next.Rules, &Rule{
			Name: r.Name, Description: r.Description, Filters: list, Action: action, Auth: slices.Clone(r.Auth),
			Tunnel: r.Tunnel, Connections: r.Connections, Inactive: r.Inactive,
		})
	}
	if w.errs != nil {
		return errors.Join(w.errs...)
	}
	c.FilterLists, c.FilterActions, c.Policies = grown.FilterLists, grown.FilterActions, append(c.Policies, next)
	return nil
}

func sameAction(a, b policy.FilterAction) bool {
	same := a.Name == b.Name && a.Kind == b.Kind && a.PFS == b.PFS && a.InPass == b.InPass && a.Soft == b.Soft
	return same && slices.EqualFunc(a.Methods, b.Methods, func(x, y ipsec.Proposal) bool {
		return slices.Equal(x.Transforms, y.Transforms) && x.Lifetime == y.Lifetime && x.Mode == y.Mode
	})
}

// Script writes the store as a script for netsh -f that reads in to the same store. All
// that netsh cannot say is reported, as *WriteError, joined; there is no script then.
func (s *Store) Script() (string, error) {
	w := &writer{}
	w.line("# netsh -f reads this file.")
	if !s.Local.empty() || !s.Persistent.empty() {
		w.line("pushd ipsec static")
		if !s.Persistent.empty() {
			w.line("set store location=persistent")
			w.container(&s.Persistent)
			w.line("set store location=local")
		}
		w.container(&s.Local)
		w.line("popd")
	}
	w.dynamic(s)
	if w.errs != nil {
		return "", errors.Join(w.errs...)
	}
	return w.b.String(), nil
}

func (c *Container) empty() bool { return len(c.FilterLists)+len(c.FilterActions)+len(c.Policies) == 0 }

// writer collects lines, and what they cannot say.
type writer struct {
	b    strings.Builder
	errs []error
	what string // that is written
}

func (w *writer) fail(what, format string, args ...any) {
	w.errs = append(w.errs, &WriteError{what, fmt.Sprintf(format, args...)})
}

func (w *writer) failf(format string, args ...any) { w.fail(w.what, format, args...) }

func (w *writer) line(words ...string) {
	line := strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
	if utf8.RuneCountInString(line) > maxLine {
		w.failf("its line would be longer than %d characters", maxLine)
	}
	w.b.WriteString(line + "\n")
}

// text is an option with a text, "" for an empty one.
func (w *writer) text(option, value string) string {
	if value == "" {
		return ""
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\t' || r == utf8.RuneError }) {
		w.failf("%s: %q has characters that a line of a script cannot hold", option, value)
	}
	return option + `="` + strings.ReplaceAll(value, `"`, `""`) + `"`
}

// name is an option with a name.
func (w *writer) name(option, value string) string {
	if value == "" {
		w.failf("%s: a name is empty", option)
	}
	return w.text(option, value)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// flag is an option that is written where it is not the default.
func (w *writer) flag(option string, value, standard bool) string {
	if value == standard {
		return ""
	}
	return option + "=" + yesNo(value)
}

func (w *writer) container(c *Container) {
	unique(w, "filter list", c.FilterLists, func(l *FilterList) string { return l.Name })
	unique(w, "filter action", c.FilterActions, func(a *FilterAction) string { return a.Name })
	unique(w, "policy", c.Policies, func(p *Policy) string { return p.Name })
	for _, l := range c.FilterLists {
		w.what = fmt.Sprintf("filter list %q", l.Name)
		w.line("add filterlist", w.name("name", l.Name), w.text("description", l.Description))
		has := map[policy.Filter]bool{}
		for i, f := range l.Filters {
			w.what = fmt.Sprintf("filter list %q, filter %d", l.Name, i+1)
			if has[key(f)] {
				w.failf("it is there twice")
			}
			has[key(f)] = true
			w.line("add filter", w.name("filterlist", l.Name), w.filter(f), "mirrored="+yesNo(f.Mirrored), w.text("description", f.Description))
		}
	}
	for _, a := range c.FilterActions {
		w.what = fmt.Sprintf("filter action %q", a.Name)
		w.line("add filteraction", w.name("name", a.Name), w.action(a), w.text("description", a.Description))
	}
	for _, p := range c.Policies {
		w.policy(c, p)
	}
	for _, p := range c.Policies {
		if p.Assigned { // once it is complete
			w.line("set policy", w.name("name", p.Name), "assign=yes")
		}
	}
}

func unique[T any](w *writer, what string, all []T, name func(T) string) {
	has := map[string]bool{}
	for _, x := range all {
		folded := fold(name(x))
		if has[folded] {
			w.fail(fmt.Sprintf("%s %q", what, name(x)), "the name is there twice, and netsh does not tell upper from lower case")
		}
		has[folded] = true
	}
}

// fold makes texts equal that strings.EqualFold finds equal.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, text)
}

// filter are the options of what selects packets, but for mirrored.
func (w *writer) filter(f policy.Filter) string {
	words := []string{w.address("src", f.Source), w.address("dst", f.Destination), "protocol=" + protocolWord(f.Protocol)}
	for _, ends := range [][2]policy.Address{{f.Source, f.Destination}, {f.Destination, f.Source}} {
		if ends[0].ServerKind() != 0 && !ends[1].IsMe() {
			w.failf("the other end of a filter for the %s servers is me", ends[0])
		}
	}
	for _, end := range []struct {
		option string
		port   uint16
	}{{"srcport", f.SourcePort}, {"dstport", f.DestinationPort}} {
		if end.port == 0 {
			continue
		}
		if !ipsec.HasPorts(f.Protocol) {
			w.failf("a port needs tcp or udp")
		}
		words = append(words, end.option+"="+strconv.Itoa(int(end.port)))
	}
	return strings.Join(words, " ")
}

func (w *writer) address(end string, a policy.Address) string {
	p := a.Prefix()
	switch {
	case a.IsMe() || a.IsAny() || a.ServerKind() != 0:
		return end + "addr=" + a.String()
	case a.Name() != "":
		_, server := serverWords[strings.ToLower(a.Name())]
		if !isName(a.Name()) || server || slices.Contains([]string{"me", "any"}, strings.ToLower(a.Name())) {
			w.failf("netsh has no way to write the DNS name %q", a.Name())
		}
		return end + "addr=" + a.Name()
	case !p.IsValid():
		w.failf("%saddr is no address", end)
	case !p.Addr().Is4():
		w.failf("unsupported: %s is IPv6, and the IPsec policies of Windows Server 2003 are for IPv4", a)
		return ""
	case p.Bits() == 0 || p.Addr().IsUnspecified() && p.Bits() == 32:
		w.failf("netsh has no way to write %s: it means any, or me", p)
	}
	if p.IsSingleIP() {
		return end + "addr=" + p.Addr().String()
	}
	mask := uint32(uint64(0xffffffff) << (32 - max(p.Bits(), 0)))
	dotted := netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)})
	return end + "addr=" + p.Addr().String() + " " + end + "mask=" + dotted.String()
}

func (w *writer) action(a *FilterAction) string {
	words := []string{"action=" + a.Kind.String()}
	switch a.Kind {
	case policy.Permit, policy.Block:
		if a.PFS || a.InPass || a.Soft || len(a.Methods) > 0 {
			w.failf("%s ignores security methods, perfect forward secrecy, inbound passthrough and fall back to clear", a.Kind)
		}
	case policy.Negotiate:
		if len(a.Methods) == 0 {
			w.failf("it negotiates without a security method")
		}
		words = append(words, w.flag("qmpfs", a.PFS, false), w.flag("inpass", a.InPass, false), w.flag("soft", a.Soft, false), w.methods(a.Methods))
	default:
		w.failf("it is none of permit, block and negotiate")
	}
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

func (w *writer) methods(all []ipsec.Proposal) string {
	var words []string
	for _, m := range all {
		word, ok := policy.FormatSecurityMethod(m)
		for _, t := range m.Transforms {
			ok = ok && windowsAlgorithm(t.Cipher) && windowsAlgorithm(t.Auth)
		}
		if !ok {
			w.failf("unsupported: security method %s: Windows Server 2003 has DES, 3DES, MD5 and SHA1", m)
		}
		words = append(words, word)
	}
	return w.text("qmsecmethods", strings.Join(words, " "))
}

func (w *writer) mainMode(m policy.MainMode) string {
	var words, methods []string
	if m.QuickModes < 0 || m.QuickModes > 1<<31-1 {
		w.failf("%d quick modes per main mode", m.QuickModes)
	} else if m.QuickModes != 0 {
		words = append(words, "qmpermm="+strconv.Itoa(m.QuickModes))
	}
	words = append(words, w.minutes("mmlifetime", m.Lifetime))
	for _, p := range m.Proposals {
		word, ok := policy.FormatMainModeMethod(p)
		if !ok || !windowsMainMode(p) {
			w.failf("unsupported: main-mode method %s, %s, group %d: Windows Server 2003 has DES, 3DES, MD5, SHA1 and groups 1, 2 and 3", p.Cipher, p.Hash, p.Group)
		}
		methods = append(methods, word)
	}
	words = append(words, w.text("mmsecmethods", strings.Join(methods, " ")))
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

func windowsMainMode(p ike.MainModeProposal) bool {
	return windowsAlgorithm(p.Cipher) && windowsAlgorithm(p.Hash) && slices.Contains(windowsGroups, p.Group)
}

func (w *writer) minutes(option string, d time.Duration) string {
	switch {
	case d < 0 || d%time.Minute != 0 || d/time.Minute > maxMinutes:
		w.failf("%s: %s is no number of whole minutes", option, d)
	case d != 0:
		return option + "=" + strconv.Itoa(int(d/time.Minute))
	}
	return ""
}

func (w *writer) policy(c *Container, p *Policy) {
	w.what = fmt.Sprintf("policy %q", p.Name)
	w.line("add policy", w.name("name", p.Name), w.mainMode(p.MainMode), w.flag("activatedefaultrule", p.Default.Active, true),
		w.minutes("pollinginterval", p.Polling), w.text("description", p.Description))
	if d := p.Default; d.PFS || len(d.Methods) > 0 || len(d.Auth) > 0 {
		w.what = fmt.Sprintf("policy %q, default response rule", p.Name)
		w.line("set defaultrule", w.name("policy", p.Name), w.flag("qmpfs", d.PFS, false), w.methods(d.Methods), w.auth(d.Auth))
	}
	unique(w, fmt.Sprintf("policy %q, rule", p.Name), p.Rules, func(r *Rule) string { return r.Name })
	for _, r := range p.Rules {
		w.what = fmt.Sprintf("policy %q, rule %q", p.Name, r.Name)
		if !slices.Contains(c.FilterLists, r.Filters) || !slices.Contains(c.FilterActions, r.Action) {
			w.failf("its filter list or its filter action is not in the store")
			continue
		}
		w.line("add rule", w.name("name", r.Name), w.name("policy", p.Name), w.name("filterlist", r.Filters.Name), w.name("filteraction", r.Action.Name),
			w.tunnel("tunnel", r.Tunnel), w.connections(r.Connections), w.flag("activate", !r.Inactive, true), w.text("description", r.Description), w.auth(r.Auth))
	}
}

func (w *writer) tunnel(option string, a netip.Addr) string {
	switch {
	case a == netip.Addr{}:
		return ""
	case !a.Is4() || a.IsUnspecified() || a.IsMulticast():
		w.failf("unsupported: a tunnel that ends at %s: netsh takes the IPv4 address of a host", a)
	}
	return option + "=" + a.String()
}

func (w *writer) connections(c policy.ConnectionType) string {
	if c > policy.RemoteAccess {
		w.failf("its connections are none of all, lan and dialup")
	}
	if c == policy.AllConnections {
		return ""
	}
	return "conntype=" + c.String()
}

// auth are the options of authentication methods, in their order.
func (w *writer) auth(all []policy.AuthMethod) string {
	var words []string
	seen := map[string]bool{}
	once := func(option string) {
		if seen[option] {
			w.failf("%s can be given once", option)
		}
		seen[option] = true
	}
	for _, m := range all {
		switch {
		case m == policy.AuthMethod{Kerberos: true}:
			once("kerberos")
			words = append(words, "kerberos=yes")
		case m.PreSharedKey != "" && m == policy.AuthMethod{PreSharedKey: m.PreSharedKey}:
			once("psk")
			words = append(words, w.text("psk", m.PreSharedKey))
		case m.RootCA != "" && m.By != 0 && m.By != ike.RSASignature:
			w.failf("netsh knows certificates for RSA signatures alone, not %s", m)
		case m.RootCA != "" && m.PreSharedKey == "" && !m.Kerberos:
			m.By = 0
			text := fmt.Sprintf("%s certmap:%s excludecaname:%s", strings.ReplaceAll(m.RootCA, `"`, `\'`), yesNo(m.CertMapping), yesNo(m.ExcludeCAName))
			if back, reason := rootCA(text); reason != "" || back != m {
				w.failf("netsh has no way to write the name %q of an authority", m.RootCA)
			}
			words = append(words, w.text("rootca", text))
		default:
			w.failf("an authentication method is one of a preshared key, Kerberos and a certificate")
		}
	}
	return strings.Join(words, " ")
}

// dynamic writes the dynamic rules and the configuration.
func (w *writer) dynamic(s *Store) {
	d := &s.Dynamic
	if len(d.MainModes)+len(d.QuickModes)+len(d.Rules) == 0 && s.Config.empty() {
		return
	}
	w.line("pushd ipsec dynamic")
	unique(w, "main-mode policy", d.MainModes, func(p *MMPolicy) string { return p.Name })
	unique(w, "quick-mode policy", d.QuickModes, func(p *QMPolicy) string { return p.Name })
	for _, p := range d.MainModes {
		w.what = fmt.Sprintf("main-mode policy %q", p.Name)
		soft := ""
		switch n := p.SoftSAExpiration; {
		case n < 0 || n%time.Second != 0 || n/time.Second > 1<<31-1:
			w.failf("softsaexpirationtime: %s is no number of whole seconds", n)
		case n != 0:
			soft = "softsaexpirationtime=" + strconv.Itoa(int(n/time.Second))
		}
		w.line("add mmpolicy", w.name("name", p.Name), w.mainMode(p.MainMode), soft)
	}
	for _, p := range d.QuickModes {
		w.what = fmt.Sprintf("quick-mode policy %q", p.Name)
		if len(p.Methods) == 0 {
			w.failf("it has no security method")
		}
		pfs := ""
		if p.PFS {
			pfs = "pfsgroup=grpmm"
		}
		w.line("add qmpolicy", w.name("name", p.Name), w.flag("soft", p.Soft, false), pfs, w.methods(p.Methods))
	}
	for i, r := range d.Rules {
		w.what = fmt.Sprintf("dynamic rule %d", i+1)
		w.dynamicRule(d, i, r)
	}
	w.config(&s.Config)
	w.line("popd")
}

func (w *writer) dynamicRule(d *Dynamic, i int, r *DynamicRule) {
	quick := ""
	if r.QuickMode != nil {
		quick = w.name("qmpolicy", r.QuickMode.Name)
	}
	switch {
	case !slices.Contains(d.MainModes, r.MainMode) || r.QuickMode != nil && !slices.Contains(d.QuickModes, r.QuickMode):
		w.failf("its main-mode or its quick-mode policy is not in the store")
		return
	case slices.ContainsFunc(d.Rules[:i], r.same):
		w.failf("it is there twice")
	case r.Filter.Description != "":
		w.failf("dynamic rules have no description")
	case r.Inbound < policy.Permit || r.Inbound > policy.Negotiate || r.Outbound < policy.Permit || r.Outbound > policy.Negotiate:
		w.failf("an action is none of permit, block and negotiate")
	case r.Inbound != r.Outbound && r.Filter.Source.IsMe() == r.Filter.Destination.IsMe():
		w.failf("two actions need me at one end")
	}
	w.line("add rule", w.filter(r.Filter), "mirrored="+yesNo(r.Filter.Mirrored), w.name("mmpolicy", r.MainMode.Name), quick,
		"actioninbound="+r.Inbound.String(), "actionoutbound="+r.Outbound.String(), w.tunnel("tunneldstaddress", r.Tunnel), w.connections(r.Connections), w.auth(r.Auth))
}

func (c *Config) empty() bool {
	for _, property := range properties {
		if n := c.number(property); n != nil && *n != nil {
			return false
		}
	}
	return c.BootMode == BootModeUnset && c.BootExemptions == nil
}

func (w *writer) config(c *Config) {
	for _, property := range properties {
		w.what = property
		value := ""
		switch n := c.number(property); {
		case n != nil && *n != nil:
			value = strconv.Itoa(**n)
			if **n < 0 || **n > 1<<31-1 {
				w.failf("%s is no number that the registry holds", value)
			}
		case property == "bootmode" && c.BootMode != BootModeUnset:
			value = c.BootMode.String()
		case property == "bootexemptions" && c.BootExemptions != nil:
			words := []string{}
			for _, e := range c.BootExemptions {
				words = append(words, e.String())
			}
			value = `"` + strings.Join(words, " ") + `"`
			if len(words) == 0 {
				value = "none"
			}
		}
		if value != "" {
			w.line("set config property="+property, "value="+value)
		}
	}
}
