package netsh

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// run runs a script on a new store.
func run(text string) (*Store, *Result) {
	s := &Store{}
	return s, s.Run(Script{Name: "test.netsh", Text: text})
}

// good runs a script of which no line is refused.
func good(t testing.TB, text string) *Store {
	t.Helper()
	s, r := run(text)
	require.NoError(t, r.Err())
	return s
}

func host(a string) policy.Address   { return policy.Host(netip.MustParseAddr(a)) }
func subnet(p string) policy.Address { return policy.Subnet(netip.MustParsePrefix(p)) }

func method(s string) ipsec.Proposal {
	p, err := policy.ParseSecurityMethod(s)
	if err != nil {
		panic(err)
	}
	return p
}

// The three forms of a script make the same store.
func TestForms(t *testing.T) {
	batch := good(t, `@echo off
rem a batch file
netsh ipsec static add filterlist name="Web traffic"
netsh ipsec static add filter filterlist="Web traffic" srcaddr=any dstaddr=me ^
    protocol=TCP dstport=80 description="HTTP"
NETSH.EXE IPSEC STATIC ADD FILTERACTION NAME=Permit ACTION=PERMIT >nul
netsh -c "ipsec static" add policy "Web server" activatedefaultrule=no
netsh ipsec static add rule "Allow web" "Web server" "Web traffic" Permit
netsh ipsec static set policy name = "Web server" assign = yes
pause
`)
	prompt := good(t, `# what is typed at the prompt of netsh
ipsec static
add filterl name="Web traffic"
add filter filterl="Web traffic" srca=any dsta=me proto=tcp dstp=80 desc=HTTP
add filtera name=Permit act=perm
add pol name="Web server" activ=n
add rule name="Allow web" pol="Web server" filterlist="Web traffic" filteraction=permit
set pol name="web SERVER" assign=y
..
exit
`)
	dump := good(t, "pushd ipsec\r\npushd static\r\n\r\nadd filterlist name=\"Web traffic\"\r\n"+
		"add filter dstport=80 protocol=TCP description=\"HTTP\" dstaddr=me srcaddr=any filterlist=\"Web traffic\"\r\n"+
		"add filteraction name=Permit action=permit\r\nadd policy name=\"Web server\" assign=yes activatedefaultrule=no\r\npopd\r\n"+
		"static add rule name=\"Allow web\" policy=\"Web server\" filterlist=\"Web traffic\" filteraction=Permit\r\npopd")
	require.Equal(t, batch.Local, prompt.Local)
	require.Equal(t, batch.Local, dump.Local)
	require.Equal(t, &policy.Policy{
		Name: "Web server",
		Rules: []policy.Rule{{
			Name: "Allow web",
			Filters: policy.FilterList{Name: "Web traffic", Filters: []policy.Filter{{
				Description: "HTTP", Source: policy.Any(), Destination: policy.Me(), Protocol: ipsec.ProtoTCP, DestinationPort: 80, Mirrored: true,
			}}},
			Action: policy.FilterAction{Name: "Permit", Kind: policy.Permit},
		}},
	}, batch.Local.Assigned())
}

// Everything that a static script can say about a policy.
func TestStatic(t *testing.T) {
	s := good(t, `ipsec static
add policy name=all description="all of it" qmpermm=5 mmlifetime=60 pollinginterval=10 mmsecmethods="3DES-SHA1-3 DES-MD5-1"
set defaultrule policy=all qmpfs=yes qmsecmethods="AH[SHA1]" psk="the default rule's" kerberos=yes
add filter filterlist=ends srcaddr=10.1.2.3 dstaddr=192.168.7.9 dstmask=255.255.255.0 protocol=17 srcport=53 mirrored=no
add filter filterlist=ends srcaddr=10.0.0.0 srcmask=8 dstaddr=www.example.com
add filter filterlist=ends srcaddr=me dstaddr=dns protocol=RAW
add filter filterlist=ends srcaddr=WINS dstaddr=0.0.0.0 dstmask=32 srcmask=32
add filter filterlist=ends srcaddr=dhcp dstaddr=me protocol=any srcport=0
add filter filterlist=ends srcaddr=me srcmask=255.255.255.255 dstaddr=gateway protocol=icmp
add filteraction name=secure qmpfs=y inpass=yes soft=yes qmsec="ESP[3DES,SHA1]:100000k/3600s AH[SHA1]+ESP[DES,MD5]:20000k/900s"
add rule name=r policy=all filterlist=ends filteraction=secure tunnel=10.9.9.9 conntype=dialup activate=no description=d kerberos=yes rootca="CN=Root, O=\'Quoted\' certmap:yes excludecaname:no" psk="say ""hello""" rootca="CN=Other"
`)
	require.Equal(t, &policy.Policy{
		Name: "all", Description: "all of it", Polling: 10 * time.Minute,
		MainMode: policy.MainMode{Lifetime: time.Hour, QuickModes: 5, Proposals: []ike.MainModeProposal{
			{Cipher: "3des-cbc", Hash: "sha1", Group: 14}, {Cipher: "des-cbc", Hash: "md5", Group: 1},
		}},
		DefaultResponse: &policy.DefaultResponse{PFS: true, Methods: []ipsec.Proposal{method("AH[SHA1]")}, Auth: []policy.AuthMethod{
			{PreSharedKey: "the default rule's"}, {Kerberos: true},
		}},
		Rules: []policy.Rule{{
			Name: "r", Description: "d", Tunnel: netip.MustParseAddr("10.9.9.9"), Connections: policy.RemoteAccess, Inactive: true,
			Filters: policy.FilterList{Name: "ends", Filters: []policy.Filter{
				{Source: host("10.1.2.3"), Destination: subnet("192.168.7.0/24"), Protocol: 17, SourcePort: 53},
				{Source: subnet("10.0.0.0/8"), Destination: policy.DNSName("www.example.com"), Mirrored: true},
				{Source: policy.Me(), Destination: policy.Servers(policy.DNSServers), Protocol: 255, Mirrored: true},
				{Source: policy.Servers(policy.WINSServers), Destination: policy.Me(), Mirrored: true},
				{Source: policy.Servers(policy.DHCPServers), Destination: policy.Me(), Mirrored: true},
				{Source: policy.Me(), Destination: policy.Servers(policy.DefaultGateways), Protocol: 1, Mirrored: true},
			}},
			Action: policy.FilterAction{
				Name: "secure", Kind: policy.Negotiate, PFS: true, InPass: true, Soft: true,
				Methods: []ipsec.Proposal{method("ESP[3DES,SHA1]:100000k/3600s"), method("AH[SHA1]+ESP[DES,MD5]:20000k/900s")},
			},
			Auth: []policy.AuthMethod{
				{Kerberos: true}, {RootCA: `CN=Root, O="Quoted"`, CertMapping: true}, {PreSharedKey: `say "hello"`}, {RootCA: "CN=Other"},
			},
		}},
	}, s.Policy("ALL"))
}

// What nobody says is as documented: mirrored (C220), the default response rule active,
// 480 and 180 minutes, no limit of quick modes, Kerberos (C004), encryption with integrity (C221).
func TestDefaults(t *testing.T) {
	s := good(t, "ipsec static\nadd policy name=p\nadd filter filterlist=l srcaddr=me dstaddr=any\nadd filteraction name=a\nadd rule r p l a")
	p := s.Policy("p")
	require.True(t, p.Rules[0].Filters.Filters[0].Mirrored)
	require.NotNil(t, p.DefaultResponse)
	require.Empty(t, p.DefaultResponse.Methods)
	require.Zero(t, p.MainMode.Lifetime, "0 is DefaultMainModeLifetime")
	require.Equal(t, 480*time.Minute, policy.DefaultMainModeLifetime)
	require.Equal(t, 180*time.Minute, p.PollingInterval())
	require.Zero(t, p.MainMode.QuickModes)
	require.Empty(t, p.Rules[0].Auth)
	require.Equal(t, policy.AllConnections, p.Rules[0].Connections)
	require.Equal(t, policy.FilterAction{Name: "a", Kind: policy.Negotiate, Methods: []ipsec.Proposal{method("ESP[3DES,SHA1]")}}, p.Rules[0].Action)
	require.Nil(t, s.Local.Assigned())
}

// Objects are changed, renamed and deleted as the commands say; rules follow what they join.
func TestSetAndDelete(t *testing.T) {
	s := good(t, `ipsec static
add policy name=p assign=yes mmpfs=yes
add policy name=q assign=yes
add filter filterlist=l srcaddr=me dstaddr=10.0.0.1 protocol=tcp dstport=80
add filter filterlist=l srcaddr=me dstaddr=10.0.0.1 protocol=tcp dstport=443
add filter filterlist=l srcaddr=me dstaddr=10.0.0.2
add filteraction name=a action=block
add filteraction name=unused action=permit
add rule name=r policy=p filterlist=l filteraction=a
add rule name=r2 policy=p filterlist=l filteraction=a
set filterlist name=l newname=list description="renamed"
set filteraction name=a newname=action action=negotiate qmsecmethods=ESP[DES,MD5]
set rule name=r policy=p newname=rule psk=0123456789 activate=no conntype=lan
set policy name=q newname=Q activatedefaultrule=no
delete filter filterlist=list srcaddr=me dstaddr=10.0.0.1 dstport=443
delete rule name=r2 policy=p
delete filteraction name=unused
`)
	require.Equal(t, "Q", s.Local.Assigned().Name, "one policy is assigned at a time")
	require.Nil(t, s.Local.Assigned().DefaultResponse)
	p := s.Policy("p")
	require.Equal(t, 1, p.MainMode.QuickModes, "master key PFS")
	require.Len(t, p.Rules, 1)
	r := p.Rules[0]
	require.Equal(t, []any{"rule", "list", "action", policy.Negotiate, true, policy.LANConnections},
		[]any{r.Name, r.Filters.Name, r.Action.Name, r.Action.Kind, r.Inactive, r.Connections})
	require.Equal(t, []policy.AuthMethod{{PreSharedKey: "0123456789"}}, r.Auth)
	require.Len(t, r.Filters.Filters, 2)
	require.Equal(t, uint16(80), r.Filters.Filters[0].DestinationPort)
	require.Equal(t, "renamed", s.Local.FilterList("LIST").Description)
	require.Len(t, s.Local.FilterActions, 1)

	r1 := s.Run(Script{Name: "more", Text: "ipsec static delete policy all\nipsec static delete filterlist all"})
	require.NoError(t, r1.Err())
	require.Equal(t, Container{FilterLists: []*FilterList{}, FilterActions: s.Local.FilterActions, Policies: []*Policy{}}, s.Local)
	require.NoError(t, s.Run(Script{Text: "netsh ipsec static delete all"}).Err())
	require.Equal(t, Container{}, s.Local)
}

// What Windows brings along is there for scripts that name it, and for those that make their own.
func TestPredefined(t *testing.T) {
	s := good(t, `netsh ipsec static set policy name="server (request security)" assign=y`)
	p := s.Local.Assigned()
	require.Equal(t, "Server (Request Security)", p.Name)
	require.Equal(t, []string{"All IP Traffic", "All ICMP Traffic"}, []string{p.Rules[0].Filters.Name, p.Rules[1].Filters.Name})
	require.Equal(t, []string{"Request Security (Optional)", "Permit"}, []string{p.Rules[0].Action.Name, p.Rules[1].Action.Name})
	require.True(t, p.Rules[0].Action.Soft && p.Rules[0].Action.InPass)
	require.NotNil(t, p.DefaultResponse)

	s = good(t, `ipsec static
add policy p activ=n
add rule r p "All IP Traffic" Permit
add filterlist "All ICMP Traffic"
add filter "All ICMP Traffic" any me icmp
add rule s p "all icmp traffic" "Require Security"
set filteraction Permit action=block
restorepolicyexamples win2k`)
	require.Equal(t, policy.Permit, s.Policy("p").Rules[0].Action.Kind)
	require.Equal(t, policy.Me(), s.Policy("p").Rules[1].Filters.Filters[0].Source, "as they were")
	require.Equal(t, []string{"p", "Client (Respond Only)", "Server (Request Security)", "Secure Server (Require Security)"}, s.Local.Names())
	script, err := s.Script()
	require.NoError(t, err)
	require.Equal(t, s.Local, good(t, script).Local)
}

func TestStores(t *testing.T) {
	s, r := run(`ipsec static
set store location=persistent
add policy name=p
set store local
add policy name=p description=other
set store location=domain domain=example.com
add policy name=d
show policy all
set store location=local
set batch mode=enable
add policy name=x
set batch mode=disable
`)
	require.Len(t, r.Refused(), 2)
	require.Contains(t, r.Refused()[0].Reason, "unsupported: the store of a domain")
	require.Contains(t, r.Refused()[1].Reason, "unsupported: the store is that of a domain", "it must not end up elsewhere")
	require.Equal(t, []string{"p", "x"}, s.Local.Names())
	require.Equal(t, []string{"p"}, s.Persistent.Names())
	require.Equal(t, "other", s.Policy("p").Description, "the local one before the persistent one")
	require.Equal(t, "local", s.Location())
}

func TestDynamic(t *testing.T) {
	s := good(t, `netsh ipsec dynamic add mmpolicy name=mm qmpermm=1 mmlifetime=60 mmsecmethods="3DES-SHA1-2"
netsh ipsec dynamic add mmpolicy name=other
netsh ipsec dynamic add qmpolicy name=qm soft=yes pfsgroup=GRPMM qmsecmethods="AH[SHA1]"
netsh ipsec dynamic add rule srcaddr=me dstaddr=10.0.0.1 mmpolicy=mm qmpolicy=qm psk=0123456789 protocol=tcp dstport=80
netsh ipsec dynamic add rule srcaddr=me dstaddr=10.0.0.2 mmpolicy=mm actioninbound=block actionoutbound=permit
netsh ipsec dynamic add rule srcaddr=any dstaddr=me mmpolicy=mm mirrored=no actioninbound=block actionoutbound=permit
netsh ipsec dynamic add rule srcaddr=me dstaddr=any mmpolicy=mm actioninbound=permit actionoutbound=permit conntype=lan tunneldstaddress=10.0.0.9
netsh ipsec dynamic add rule srcaddr=me dstaddr=10.7.0.0 dstmask=16 mmpolicy=mm
netsh ipsec dynamic set rule srcaddr=me dstaddr=10.7.0.0 dstmask=16 actionin=perm actionout=perm
netsh ipsec dynamic add rule srcaddr=me dstaddr=10.8.0.1 mmpolicy=mm
netsh ipsec dynamic delete rule srcaddr=me dstaddr=10.8.0.1 protocol=any srcport=0 dstport=0 mirrored=yes conntype=all
netsh ipsec dynamic delete mmpolicy name=other
`)
	all := s.Dynamic.Policies()
	require.Len(t, all, 1)
	p := all[0]
	require.Equal(t, policy.MainMode{Lifetime: time.Hour, QuickModes: 1, Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}}, p.MainMode)
	var got []string
	for _, r := range p.Rules {
		require.Len(t, r.Filters.Filters, 1)
		got = append(got, fmt.Sprintf("%s: %s (%s)", r.Action.Kind, r.Filters.Filters[0], r.Connections))
	}
	require.Equal(t, []string{
		"negotiate: tcp me > 10.0.0.1:80, mirrored (all)",
		"permit: any me > 10.0.0.2 (all)",
		"block: any 10.0.0.2 > me (all)",
		"block: any any > me (all)",
		"permit: any me > any, mirrored (lan)",
		"permit: any me > 10.7.0.0/16, mirrored (all)",
	}, got)
	require.Equal(t, []policy.AuthMethod{{PreSharedKey: "0123456789"}}, p.Rules[0].Auth)
	require.Equal(t, netip.MustParseAddr("10.0.0.9"), p.Rules[4].Tunnel)
	require.True(t, p.Rules[0].Action.Soft && p.Rules[0].Action.PFS)
	require.NoError(t, s.Run(Script{Text: "netsh ipsec dynamic delete all"}).Err())
	require.Empty(t, s.Dynamic.Policies())
}

// C066: netsh ipsec dynamic set config ipsecexempt value=0 is NoDefaultExempt, 0.
func TestConfig(t *testing.T) {
	s, r := run(`netsh ipsec dynamic set config ipsecexempt value=0
ipsec dynamic
set config property=bootmode value=block
set config property=bootexemptions value="TCP:0:3389:inbound UDP:68:67:out icmp:inbound"
set config property=strongcrlcheck value=2
set config property=ikelogging value=1
`)
	require.NoError(t, r.Err())
	require.Len(t, r.Notes(), 5, "each says when it is taken, or that it is not")
	exempt, ok := s.Config.Exemptions()
	require.True(t, ok)
	require.Equal(t, policy.Exemptions{KerberosRSVP: true, Groups: true}, exempt)
	require.Equal(t, BootBlock, s.Config.BootMode)
	require.Equal(t, []BootExemption{{6, 0, 3389, true}, {17, 68, 67, false}, {1, 0, 0, true}}, s.Config.BootExemptions)
	_, ok = (&Config{}).Exemptions()
	require.False(t, ok)
	require.NoError(t, s.Run(Script{Text: "netsh ipsec dynamic set config bootexemptions none"}).Err())
	require.NotNil(t, s.Config.BootExemptions)
	require.Empty(t, s.Config.BootExemptions)
}

// Scripts include others, within bounds, and each line is told by its own file.
func TestFiles(t *testing.T) {
	files := fstest.MapFS{
		"a.netsh":    {Data: []byte("ipsec static\nadd policy name=a\nexit\n")},
		"b.netsh":    {Data: []byte("add policy name=b\nnonsense\n")},
		"loop.netsh": {Data: []byte("exec loop.netsh")},
		"wide.netsh": {Data: []byte("\xff\xfei\x00p\x00s\x00e\x00c\x00 \x00s\x00t\x00a\x00t\x00i\x00c\x00\n\x00a\x00d\x00d\x00 \x00p\x00o\x00l\x00i\x00c\x00y\x00 \x00n\x00a\x00m\x00e\x00=\x00w\x00\xe9\x00\n\x00")},
	}
	open := func(name string) (string, error) {
		b, err := fs.ReadFile(files, name)
		return string(b), err
	}
	s := &Store{}
	r := s.Run(Script{Name: "main", Open: open, Text: "netsh -f a.netsh\nipsec static\nexec b.netsh\nnetsh -f wide.netsh\nnetsh -f missing.netsh"})
	require.Equal(t, []string{"a", "b", "wé"}, s.Local.Names())
	var lines []string
	for _, l := range r.Lines {
		lines = append(lines, fmt.Sprintf("%s:%d %s", l.File, l.Line, l.Outcome))
	}
	require.Equal(t, []string{
		"main:1 done", "a.netsh:1 done", "a.netsh:2 done", "a.netsh:3 done", "main:2 done", "main:3 done", "b.netsh:1 done", "b.netsh:2 refused",
		"main:4 done", "wide.netsh:1 done", "wide.netsh:2 done", "main:5 refused",
	}, lines)
	r = s.Run(Script{Name: "main", Open: open, Text: "exec loop.netsh"})
	require.Len(t, r.Refused(), 1)
	require.Contains(t, r.Refused()[0].Reason, "include each other more than 8 deep")
	r = s.Run(Script{Name: "main", Text: strings.Repeat("x", MaxScript+1)})
	require.Contains(t, r.Err().Error(), "larger than 1048576 bytes")
}

// What would take long to read is refused, and lines that go on forever are one line.
func TestLongLines(t *testing.T) {
	_, r := run("ipsec static add policy " + strings.Repeat("x", maxLine))
	require.Contains(t, r.Err().Error(), "it is longer than 65536 characters")
	_, r = run(strings.Repeat("^\n", 1000) + "ipsec static add policy p")
	require.Len(t, r.Lines, 1)
	require.Equal(t, []int{1, 1001, 1001}, []int{r.Lines[0].First, r.Lines[0].Last, r.Lines[0].Line})
	require.NoError(t, r.Err())
	_, err := WriteScript(&policy.Policy{Name: "p", Description: strings.Repeat("x", maxLine)})
	require.ErrorContains(t, err, "its line would be longer than 65536 characters")
}

// A list that the script has made stays when a predefined policy with that list is named.
func TestPredefinedKeepsLists(t *testing.T) {
	s := good(t, "ipsec static\nadd filter \"All IP Traffic\" me 10.0.0.1\nset policy \"Server (Request Security)\" assign=y")
	require.Equal(t, host("10.0.0.1"), s.Local.Assigned().Rules[0].Filters.Filters[0].Destination)
}

func TestStop(t *testing.T) {
	s := &Store{}
	r := s.Run(Script{Stop: true, Text: "nonsense\nnetsh ipsec static add policy name=p"})
	require.Len(t, r.Lines, 1)
	require.Empty(t, s.Local.Names())
	r = s.Run(Script{Text: "nonsense\nnetsh ipsec static add policy name=p"})
	require.Len(t, r.Lines, 2, "netsh goes on")
	require.Equal(t, []string{"p"}, s.Local.Names())
}

// What has no effect here is said to have none.
func TestNoted(t *testing.T) {
	for line, want := range map[string]string{
		"netsh ipsec static show all":        "show prints something, and a script that is read in has nobody to print it for",
		"netsh ipsec dynamic show qmsas all": "show prints something, and a script that is read in has nobody to print it for",
		"netsh ipsec static add filter ?":    "it asks for help, and a script that is read in has nobody to print it for",
		"netsh ipsec dump":                   "it prints something, and a script that is read in has nobody to print it for",
		"echo done":                          "a command of the batch file that has nothing to do with netsh",
		"netsh ipsec dynamic delete sa":      "a script that is read in has no SAs to delete",
		"netsh ipsec static add filteraction a action=block qmsec=AH[SHA1] inpass=yes soft=no": "inpass is for action=negotiate, and ignored; qmsecmethods is for action=negotiate, and ignored",
		"netsh ipsec static add policy p mmpfs=yes qmpermm=50":                                 "qmpermm is ignored: mmpfs=yes is one quick mode per main mode",
		"netsh ipsec dynamic add mmpolicy name=m softsaexpirationtime=60":                      "softsaexpirationtime is kept and has no effect: soft SAs end as the settings of the host say",
	} {
		_, r := run(line)
		require.Len(t, r.Lines, 1)
		require.Equal(t, []string{"noted", want}, []string{r.Lines[0].Outcome.String(), r.Lines[0].Reason}, line)
	}
}

// What netsh cannot say is refused with a reason each.
func TestWriteRefuses(t *testing.T) {
	permit := policy.FilterAction{Name: "a", Kind: policy.Permit}
	negotiate := policy.FilterAction{Name: "a", Kind: policy.Negotiate, Methods: []ipsec.Proposal{method("ESP[AES128,SHA1]")}}
	of := func(f policy.Filter, a policy.FilterAction, change func(*policy.Rule)) *policy.Policy {
		r := policy.Rule{Name: "r", Filters: policy.FilterList{Name: "l", Filters: []policy.Filter{f}}, Action: a}
		if change != nil {
			change(&r)
		}
		return &policy.Policy{Name: "p", Rules: []policy.Rule{r}}
	}
	any2 := policy.Filter{Source: policy.Me(), Destination: policy.Any()}
	for _, tc := range []struct {
		want string
		p    *policy.Policy
	}{
		{`filter action "a": unsupported: security method`, of(any2, negotiate, nil)},
		{`filter list "l", filter 1: unsupported: 2001:db8::1 is IPv6`, of(policy.Filter{Source: policy.Me(), Destination: host("2001:db8::1")}, permit, nil)},
		{`filter list "l", filter 1: unsupported: 2001:db8::/64 is IPv6`, of(policy.Filter{Source: policy.Me(), Destination: subnet("2001:db8::/64")}, permit, nil)},
		{`filter list "l", filter 1: netsh has no way to write 0.0.0.0/0`, of(policy.Filter{Source: policy.Me(), Destination: subnet("0.0.0.0/0")}, permit, nil)},
		{`netsh has no way to write the DNS name "any"`, of(policy.Filter{Source: policy.Me(), Destination: policy.DNSName("any")}, permit, nil)},
		{`filter 1: the other end of a filter for the dns servers is me`, of(policy.Filter{Source: policy.Any(), Destination: policy.Servers(policy.DNSServers)}, permit, nil)},
		{`filter 1: a port needs tcp or udp`, of(policy.Filter{Source: policy.Any(), Destination: policy.Me(), DestinationPort: 80}, permit, nil)},
		{`policy "p", rule "r": unsupported: a tunnel that ends at 2001:db8::9`, of(any2, permit, func(r *policy.Rule) { r.Tunnel = netip.MustParseAddr("2001:db8::9") })},
		{`policy "p", rule "r": psk can be given once`, of(any2, permit, func(r *policy.Rule) { r.Auth = []policy.AuthMethod{{PreSharedKey: "x"}, {PreSharedKey: "y"}} })},
		{`policy "p", rule "r": netsh has no way to write the name "x certmap:no" of an authority`, of(any2, permit, func(r *policy.Rule) { r.Auth = []policy.AuthMethod{{RootCA: "x certmap:no"}} })},
		{`netsh knows certificates for RSA signatures alone, not certificate of root authority "CN=x", by DSS signatures`, of(any2, permit, func(r *policy.Rule) { r.Auth = []policy.AuthMethod{{RootCA: "CN=x", By: ike.DSSSignature}} })},
		{`an authentication method is one of`, of(any2, permit, func(r *policy.Rule) { r.Auth = []policy.AuthMethod{{}} })},
		{`filter action "a": permit ignores`, of(any2, policy.FilterAction{Name: "a", Kind: policy.Permit, Soft: true}, nil)},
		{`filter action "a": it negotiates without`, of(any2, policy.FilterAction{Name: "a", Kind: policy.Negotiate}, nil)},
		{`filter action "a": it is none of`, of(any2, policy.FilterAction{Name: "a"}, nil)},
		{`policy "": name: a name is empty`, &policy.Policy{}},
		{`policy "a\nb": name: "a\nb" has characters`, &policy.Policy{Name: "a\nb"}},
		{`policy "p": mmlifetime: 1m1s is no number of whole minutes`, &policy.Policy{Name: "p", MainMode: policy.MainMode{Lifetime: 61 * time.Second}}},
		{`policy "p": unsupported: main-mode method 3des-cbc, sha1, group 5`, &policy.Policy{Name: "p", MainMode: policy.MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 5}}}}},
		{`policy "p": it has two rules "R"`, &policy.Policy{Name: "p", Rules: []policy.Rule{of(any2, permit, nil).Rules[0], of(any2, permit, func(r *policy.Rule) { r.Name = "R" }).Rules[0]}}},
		{`policy "p": filter list "l" of rule "s" has the name of another one, "l"`, &policy.Policy{Name: "p", Rules: []policy.Rule{
			of(any2, permit, nil).Rules[0],
			of(policy.Filter{Source: policy.Any(), Destination: policy.Me()}, permit, func(r *policy.Rule) { r.Name = "s" }).Rules[0],
		}}},
	} {
		script, err := WriteScript(tc.p)
		require.ErrorContains(t, err, tc.want)
		require.Empty(t, script)
		var w *WriteError
		require.True(t, errors.As(err, &w), "%v", err)
	}
}
