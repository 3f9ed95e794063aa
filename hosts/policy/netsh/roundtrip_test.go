package netsh

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// text draws what a line can hold, quotes and what is special elsewhere among it.
func text(t *rapid.T, label string) string {
	return rapid.StringMatching(`([a-zA-Z0-9 ="'^%#&|<>\\“:;,.?/ä\t-]){0,12}`).Draw(t, label)
}

// names draws n names that differ, in more than their case.
func names(t *rapid.T, label string, n int) (all []string) {
	for i := range n {
		all = append(all, text(t, label)+fmt.Sprintf("%d", i)+rapid.SampledFrom([]string{"", " ", `"`, "=", "^"}).Draw(t, label))
	}
	return all
}

// several draws up to n of something, nil for none.
func several[T any](t *rapid.T, label string, n int, draw func(i int) T) (all []T) {
	for i := range rapid.IntRange(0, n).Draw(t, label) {
		all = append(all, draw(i))
	}
	return all
}

func drawAddress(t *rapid.T, label string) policy.Address {
	ip := netip.AddrFrom4([4]byte{byte(rapid.IntRange(1, 255).Draw(t, label)), byte(rapid.IntRange(0, 255).Draw(t, label)), 0, 7})
	switch rapid.IntRange(0, 4).Draw(t, label+" kind") {
	case 0:
		return policy.Me()
	case 1:
		return policy.Any()
	case 2:
		return policy.Host(ip)
	case 3:
		return policy.DNSName(rapid.StringMatching(`[a-z][a-z0-9_]{1,8}(\.[a-z0-9]{1,5}){1,2}`).Draw(t, label+" name"))
	}
	return policy.Subnet(netip.PrefixFrom(ip, rapid.IntRange(1, 32).Draw(t, label+" bits")))
}

func drawFilter(t *rapid.T) policy.Filter {
	f := policy.Filter{
		Source: drawAddress(t, "source"), Destination: drawAddress(t, "destination"), Mirrored: rapid.Bool().Draw(t, "mirrored"),
		Protocol: rapid.SampledFrom([]uint8{0, 1, 6, 17, 255, 47, 115}).Draw(t, "protocol"), Description: text(t, "description"),
	}
	if rapid.IntRange(0, 5).Draw(t, "servers") == 0 {
		f.Source, f.Destination = policy.Me(), policy.Servers(rapid.SampledFrom(policy.ServerKinds).Draw(t, "kind"))
		if rapid.Bool().Draw(t, "from servers") {
			f.Source, f.Destination = f.Destination, f.Source
		}
	}
	if ipsec.HasPorts(f.Protocol) {
		f.SourcePort, f.DestinationPort = rapid.Uint16().Draw(t, "source port"), rapid.Uint16().Draw(t, "destination port")
	}
	return f
}

func drawMethod(t *rapid.T) ipsec.Proposal {
	m := method(rapid.SampledFrom([]string{
		"ESP[3DES,SHA1]", "ESP[DES,MD5]", "ESP[None,SHA1]", "AH[MD5]", "AH[SHA1]", "AH[SHA1]+ESP[3DES,None]", "AH[MD5]+ESP[DES,SHA1]",
	}).Draw(t, "method"))
	m.Lifetime = ipsec.Lifetime{Duration: time.Duration(rapid.Uint32().Draw(t, "seconds")) * time.Second, Kilobytes: uint64(rapid.Uint32().Draw(t, "kilobytes"))}
	return m
}

func drawMainMode(t *rapid.T) policy.MainMode {
	return policy.MainMode{
		QuickModes: rapid.SampledFrom([]int{0, 1, 7, 1<<31 - 1}).Draw(t, "quick modes"),
		Lifetime:   time.Duration(rapid.IntRange(0, maxMinutes).Draw(t, "minutes")) * time.Minute,
		Proposals: several(t, "proposals", 3, func(int) ike.MainModeProposal {
			return ike.MainModeProposal{
				Cipher: rapid.SampledFrom([]string{"des-cbc", "3des-cbc"}).Draw(t, "cipher"), Hash: rapid.SampledFrom([]string{"md5", "sha1"}).Draw(t, "hash"),
				Group: rapid.SampledFrom(windowsGroups).Draw(t, "group"),
			}
		}),
	}
}

func drawAuth(t *rapid.T) (all []policy.AuthMethod) {
	if rapid.Bool().Draw(t, "psk") {
		all = append(all, policy.AuthMethod{PreSharedKey: text(t, "key") + "k"})
	}
	if rapid.Bool().Draw(t, "kerberos") {
		all = append(all, policy.AuthMethod{Kerberos: true})
	}
	return append(all, several(t, "authorities", 2, func(int) policy.AuthMethod {
		return policy.AuthMethod{
			RootCA:      rapid.StringMatching(`CN=[a-zA-Z0-9=",. äöü]{0,12}x`).Draw(t, "root"),
			CertMapping: rapid.Bool().Draw(t, "map"), ExcludeCAName: rapid.Bool().Draw(t, "exclude"),
		}
	})...)
}

func drawContainer(t *rapid.T) (c Container) {
	for _, name := range names(t, "list", rapid.IntRange(0, 3).Draw(t, "lists")) {
		l := &FilterList{Name: name, Description: text(t, "description")}
		for _, f := range several(t, "filters", 4, func(int) policy.Filter { return drawFilter(t) }) {
			if !slices.ContainsFunc(l.Filters, func(other policy.Filter) bool { return key(other) == key(f) }) {
				l.Filters = append(l.Filters, f)
			}
		}
		c.FilterLists = append(c.FilterLists, l)
	}
	for _, name := range names(t, "action", rapid.IntRange(0, 3).Draw(t, "actions")) {
		a := &FilterAction{Description: text(t, "description"), FilterAction: policy.FilterAction{Name: name}}
		a.Kind = rapid.SampledFrom([]policy.Kind{policy.Permit, policy.Block, policy.Negotiate}).Draw(t, "kind")
		if a.Kind == policy.Negotiate {
			a.PFS, a.InPass, a.Soft = rapid.Bool().Draw(t, "pfs"), rapid.Bool().Draw(t, "inpass"), rapid.Bool().Draw(t, "soft")
			a.Methods = append(several(t, "methods", 2, func(int) ipsec.Proposal { return drawMethod(t) }), drawMethod(t))
		}
		c.FilterActions = append(c.FilterActions, a)
	}
	for _, name := range names(t, "policy", rapid.IntRange(0, 2).Draw(t, "policies")) {
		p := &Policy{
			Name: name, Description: text(t, "description"), MainMode: drawMainMode(t),
			Polling: time.Duration(rapid.IntRange(0, 600).Draw(t, "polling")) * time.Minute,
		}
		p.Default.Active = rapid.Bool().Draw(t, "default rule")
		p.Default.PFS, p.Default.Auth = rapid.Bool().Draw(t, "default PFS"), drawAuth(t)
		p.Default.Methods = several(t, "default methods", 2, func(int) ipsec.Proposal { return drawMethod(t) })
		if len(c.FilterLists) > 0 && len(c.FilterActions) > 0 {
			for _, name := range names(t, "rule", rapid.IntRange(0, 3).Draw(t, "rules")) {
				p.Rules = append(p.Rules, &Rule{
					Name: name, Description: text(t, "description"), Auth: drawAuth(t),
					Filters: rapid.SampledFrom(c.FilterLists).Draw(t, "filters of rule"), Action: rapid.SampledFrom(c.FilterActions).Draw(t, "action of rule"),
					Tunnel:      rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("192.0.2.1")}).Draw(t, "tunnel"),
					Connections: rapid.SampledFrom([]policy.ConnectionType{0, 1, 2}).Draw(t, "connections"), Inactive: rapid.Bool().Draw(t, "inactive"),
				})
			}
		}
		c.Policies = append(c.Policies, p)
	}
	if len(c.Policies) > 0 && rapid.Bool().Draw(t, "assigned") {
		rapid.SampledFrom(c.Policies).Draw(t, "assigned").Assigned = true
	}
	return c
}

func drawDynamic(t *rapid.T) (d Dynamic) {
	for _, name := range names(t, "mmpolicy", rapid.IntRange(0, 2).Draw(t, "mmpolicies")) {
		d.MainModes = append(d.MainModes, &MMPolicy{Name: name, MainMode: drawMainMode(t), SoftSAExpiration: time.Duration(rapid.IntRange(0, 900).Draw(t, "soft")) * time.Second})
	}
	for _, name := range names(t, "qmpolicy", rapid.IntRange(0, 2).Draw(t, "qmpolicies")) {
		d.QuickModes = append(d.QuickModes, &QMPolicy{Name: name, PFS: rapid.Bool().Draw(t, "pfs"), Soft: rapid.Bool().Draw(t, "soft"), Methods: []ipsec.Proposal{drawMethod(t)}})
	}
	if len(d.MainModes) == 0 {
		return d
	}
	for range rapid.IntRange(0, 3).Draw(t, "dynamic rules") {
		r := &DynamicRule{
			Filter: drawFilter(t), Connections: rapid.SampledFrom([]policy.ConnectionType{0, 1, 2}).Draw(t, "connections"), MainMode: rapid.SampledFrom(d.MainModes).Draw(t, "mm"),
			Inbound: rapid.SampledFrom([]policy.Kind{policy.Permit, policy.Block, policy.Negotiate}).Draw(t, "inbound"), Auth: drawAuth(t),
		}
		r.Filter.Description = ""
		if r.Outbound = r.Inbound; r.Filter.Source.IsMe() != r.Filter.Destination.IsMe() {
			r.Outbound = rapid.SampledFrom([]policy.Kind{policy.Permit, policy.Block, policy.Negotiate}).Draw(t, "outbound")
		}
		if len(d.QuickModes) > 0 && rapid.Bool().Draw(t, "with qm") {
			r.QuickMode = rapid.SampledFrom(d.QuickModes).Draw(t, "qm")
		}
		if !slices.ContainsFunc(d.Rules, r.same) {
			d.Rules = append(d.Rules, r)
		}
	}
	return d
}

func drawConfig(t *rapid.T) (c Config) {
	for _, property := range properties[:5] {
		if rapid.Bool().Draw(t, property) {
			n := rapid.IntRange(1, 2).Draw(t, "value")
			*c.number(property) = &n
		}
	}
	c.BootMode = rapid.SampledFrom([]BootMode{0, 1, 2, 3}).Draw(t, "boot mode")
	switch rapid.IntRange(0, 2).Draw(t, "boot exemptions") {
	case 1:
		c.BootExemptions = []BootExemption{}
	case 2:
		c.BootExemptions = []BootExemption{{6, 0, 3389, true}, {1, 0, 0, false}, {47, 0, 0, true}}
	}
	return c
}

// A store writes out as a script that reads in to the same store, and writes out the same again.
func TestStoreRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &Store{Local: drawContainer(t), Persistent: drawContainer(t), Dynamic: drawDynamic(t), Config: drawConfig(t)}
		script, err := s.Script()
		if err != nil {
			t.Fatalf("%v", err)
		}
		back := &Store{}
		r := back.Run(Script{Name: "s", Text: script})
		if r.Err() != nil {
			t.Fatalf("%v\n%s", r.Err(), script)
		}
		require.Equal(t, s, back, "%s", script)
		again, err := back.Script()
		if err != nil || again != script {
			t.Fatalf("%v\n%s\n%s", err, script, again)
		}
		for _, p := range s.Local.Policies { // and each policy alone, as package policy has it
			model := p.model()
			script, err := WriteScript(model)
			if err != nil {
				t.Fatalf("%v", err)
			}
			back := &Store{}
			if r := back.Run(Script{Name: "p", Text: script}); r.Err() != nil {
				t.Fatalf("%v\n%s", r.Err(), script)
			}
			require.Equal(t, model, back.Policy(p.Name), "%s", script)
		}
	})
}

// What comes of any script writes out, reads in to the same, and writes out the same;
// each line of it is accounted for once, in order.
func FuzzScript(f *testing.F) {
	f.Add("ipsec static\nadd filter l me any\nadd filteraction a\nadd policy p assign=yes\nadd rule r p l a psk=x kerberos=y rootca=\"CN=y certmap:yes\"\nset policy p assign=yes")
	f.Add("netsh ipsec static add policy name=p ^\n description=\"d\"\nrem x\n# y\npushd ipsec dynamic\nset config ipsecexempt 0\npopd\n..\nexit\nexit")
	f.Add("ipsec dynamic\nadd mmp m mmsec=3DES-SHA1-2 softsa=60\nadd qmp q qmsec=AH[SHA1] pfs=grpmm\nadd rule me 10.0.0.0 m q tcp dstm=8 dstp=80 actionin=block\nset conf bootex TCP:0:80:in")
	f.Add("\xff\xfea\x00\n\x00")
	f.Add("ipsec static set store persistent\nnetsh ipsec static add filter \"a \"\"b\"\"\" srcaddr=dns dstaddr=me\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		s := &Store{}
		r := s.Run(Script{Name: "fuzz", Text: text})
		lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(decode(text)), "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		next := 1
		for _, l := range r.Lines {
			require.Equal(t, next, l.First, "each line is accounted for")
			require.LessOrEqual(t, l.First, l.Line)
			require.LessOrEqual(t, l.Line, l.Last)
			require.LessOrEqual(t, Blank, l.Outcome)
			require.Equal(t, l.Outcome == Refused || l.Outcome == Noted, l.Reason != "", "%v", l)
			next = l.Last + 1
		}
		require.Equal(t, len(lines)+1, next)

		script, err := s.Script()
		require.NoError(t, err)
		back := &Store{}
		r = back.Run(Script{Name: "again", Text: script})
		require.NoError(t, r.Err(), "%s", script)
		require.Equal(t, exported(s), exported(back), "%s", script)
		again, err := back.Script()
		require.NoError(t, err)
		require.Equal(t, script, again)
	})
}

// exported is what a store holds; where its commands go is its own, and lists that were
// emptied are like those that never were.
func exported(s *Store) []any {
	c := func(c Container) []any {
		all := []any{len(c.FilterLists), len(c.FilterActions), len(c.Policies)}
		for _, l := range c.FilterLists {
			all = append(all, l.Name, l.Description, fmt.Sprint(l.Filters), len(l.Filters))
		}
		for _, a := range c.FilterActions {
			all = append(all, *a)
		}
		for _, p := range c.Policies {
			model := p.model()
			model.DefaultResponse = nil // below
			all = append(all, p.Assigned, fmt.Sprintf("%+v", *model), fmt.Sprintf("%+v", p.Default))
		}
		return all
	}
	all := []any{c(s.Local), c(s.Persistent), s.Config}
	for _, p := range s.Dynamic.Policies() {
		all = append(all, fmt.Sprintf("%+v", *p))
	}
	return all
}
