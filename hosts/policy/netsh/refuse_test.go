package netsh

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Refused lines, with the place of the mistake and the reason. Each stands behind lines
// that make a policy p, a filter list l, a filter action a and a rule r.
func TestRefused(t *testing.T) {
	const before = "ipsec static\nadd policy p\nadd filter l me any\nadd filteraction a\nadd rule r p l a\n"
	for _, tc := range []struct{ line, want string }{
		// Words.
		{`nonsense`, `1: there is no command "nonsense" in context ipsec static, which has add, set, delete, show, exportpolicy, importpolicy, restorepolicyexamples`},
		{`s policy p`, `1: "s" could be set, show`},
		{`add filt l me any`, `5: "filt" could be filter, filteraction, filterlist`},
		{`add x`, `5: there is no add x: there are filter, filteraction, filterlist, policy, rule`},
		{`add`, `1: add needs one of filter, filteraction, filterlist, policy, rule`},
		{`add name=x`, `1: add needs one of filter, filteraction, filterlist, policy, rule`},
		{`name=x`, `1: there is no command before this option`},
		{`netsh int ip show`, `7: unsupported: context interface: only ipsec is read`},
		{`netsh i s`, `7: "i" could be interface, ipsec`},
		{`popd`, `1: popd: no context has been pushed`},
		{`.. x`, `4: nothing may follow ..`},
		{`pushd ipsec static show all`, `7: pushd takes a context, not a command; that has been run`},
		{`commit`, `1: unsupported: commit of netsh`},
		{`netsh -r server ipsec static`, `7: unsupported: netsh -r: the scripts of this lab are run on the host that has them`},
		{`netsh -f other.netsh`, `10: unsupported: the file "other.netsh": there are no other files here`},
		{`netsh -f`, `7: -f needs a value`},

		// Batch files.
		{`netsh ipsec static add policy %NAME%`, `31: unsupported: a variable of the batch file: write its value instead`},
		{`if exist x goto y`, `1: unsupported: conditions of batch files`},
		{`net stop policyagent`, `1: unsupported: net starts and stops services: restart the policy agent in the scenario`},
		{`netsh ipsec static show all | find "x"`, `29: unsupported: | joins commands of a batch file: give each command a line of its own`},
		{`netsh ipsec static add policy x & echo`, `33: unsupported: & joins commands of a batch file: give each command a line of its own`},
		{`netsh ipsec static add policy x ^`, `1: it ends with ^, and there is no line that could continue it`},

		// Options.
		{`add filterlist`, `1: name= is missing`},
		{`add filter filterlist=l srcaddr=me`, `1: dstaddr= is missing`},
		{`add filter filterlist=l src=me dstaddr=any`, `25: "src" could be srcaddr, srcmask, srcport`},
		{`add filterlist name=x color=blue`, `23: there is no option "color": the command has name, description`},
		{`add filterlist name=x name=y`, `23: name is given twice`},
		{`add filterlist x d y`, `20: "y" is one value too many: the command has name, description`},
		{`add filterlist name=x y`, `23: "y" has no tag, and stands behind an option that has one: write description=`},
		{`add filterlist = x`, `16: there is no option before this =`},
		{`add filterlist name=`, `16: name is empty`},
		{`add filterlist name=""`, `21: name is empty`},
		{`add filterlist name="x`, `21: a quotation mark opens here, and none closes it in this line`},
		{`add filterlist name=“x”`, `21: “ is a typographic quotation mark, which is none to netsh: write "`},
		{"add filterlist name=\x01", `1: there is a control character (U+0001) in it`},
		{"add filterlist name=\xff", `1: it is not text in UTF-8`},

		// Filters.
		{`add filter l me 10.0.0.300`, `17: dstaddr: "10.0.0.300" is none of me, any, dns, wins, dhcp and gateway, no IPv4 address and no DNS name`},
		{`add filter l me 10.0.0.0/24`, `17: dstaddr: "10.0.0.0/24": the length of the prefix goes into dstmask`},
		{`add filter l me 10.0.0.1-10.0.0.9`, `17: unsupported: dstaddr: a range of addresses: write the subnets that it consists of`},
		{`add filter l me 2001:db8::1`, `17: unsupported: dstaddr: 2001:db8::1 is IPv6, and the IPsec policies of Windows Server 2003 are for IPv4`},
		{`add filter l me 0.0.0.0`, `17: dstaddr: 0.0.0.0 without a mask: write me or any`},
		{`add filter l me 10.0.0.0 dstmask=255.0.255.0`, `34: dstmask: 255.0.255.0 is no mask: its ones are not together at the front`},
		{`add filter l me 10.0.0.0 dstmask=33`, `34: dstmask: "33" is neither a mask such as 255.255.255.0 nor the length of a prefix from 1 to 32`},
		{`add filter l me 10.0.0.0 dstmask=0`, `34: dstmask: 10.0.0.0 with an empty mask is any address: write any`},
		{`add filter l me 10.0.0.1 srcmask=24`, `34: srcmask: srcaddr=me takes no mask`},
		{`add filter l me any dstmask=24`, `29: dstmask: dstaddr=any takes no mask`},
		{`add filter l me www.example.com dstmask=24`, `41: dstmask: the DNS name www.example.com takes no mask`},
		{`add filter l any dns`, `18: dstaddr=dns: the other end of a filter for servers is me`},
		{`add filter l me 10.0.0.1 dstport=80`, `34: dstport: a port needs protocol=tcp or protocol=udp`},
		{`add filter l me 10.0.0.1 protocol=icmp srcport=80`, `48: srcport: a port needs protocol=tcp or protocol=udp`},
		{`add filter l me 10.0.0.1 protocol=tcp dstport=65536`, `47: dstport: "65536" is no number from 0 to 65535`},
		{`add filter l me 10.0.0.1 protocol=tcp dstport=http`, `47: dstport: "http" is no number from 0 to 65535`},
		{`add filter l me 10.0.0.1 protocol=gre`, `35: protocol: "gre" is none of any, icmp, tcp, udp and raw, and no number from 0 to 255`},
		{`add filter l me 10.0.0.1 mirrored=maybe`, `35: mirrored: "maybe" is none of yes, no`},
		{`add filter l me any description=again`, `12: filter list "l" has the filter any me > any, mirrored already`},
		{`delete filter l me 10.0.0.1`, `15: filter list "l" has no such filter`},
		{`delete filter x me any`, `15: there is no filter list "x"`},

		// Filter lists and filter actions.
		{`add filterlist L`, `16: there is a filter list "L" already`},
		{`delete filterlist l`, `19: filter list "l" is in use by rule "r" of policy "p"`},
		{`delete filterlist all`, `1: in use, and still there: l`},
		{`delete filterlist x`, `19: there is no filter list "x"`},
		{`delete filterlist`, `1: it takes name= or all`},
		{`set filterlist name=x newname=y`, `21: there is no filter list "x"`},
		{`set filterlist guid={x} newname=y`, `21: unsupported: the objects of this store have no GUIDs: name the filter list`},
		{`add filteraction A`, `18: there is a filter action "A" already`},
		{`add filteraction x action=allow`, `27: action: "allow" is none of permit, block, negotiate`},
		{`add filteraction x qmsec="ESP[3DES,SHA1] ESP[AES128,SHA1]"`, `26: qmsecmethods: unsupported: "ESP[AES128,SHA1]": Windows Server 2003 has DES, 3DES, MD5 and SHA1`},
		{`add filteraction x qmsec="ESP[3DES,SHA1,ESN]"`, `26: qmsecmethods: unsupported: "ESP[3DES,SHA1,ESN]": Windows Server 2003 has DES, 3DES, MD5 and SHA1`},
		{`add filteraction x qmsec="AH[KPDK]"`, `26: qmsecmethods: unsupported: "AH[KPDK]": Windows Server 2003 has DES, 3DES, MD5 and SHA1`},
		{`add filteraction x qmsec=ESP:3DES-SHA1`, `26: qmsecmethods: "ESP:3DES-SHA1", column 4: expected [ and the algorithms, as in ESP[3DES,SHA1]`},
		{`add filteraction x qmsec=""`, `26: qmsecmethods is empty`},
		{`delete filteraction a`, `21: filter action "a" is in use by rule "r" of policy "p"`},

		// Policies and rules.
		{`add policy P`, `12: there is a policy "P" already`},
		{`add policy x mmsec="3DES-SHA1-5"`, `20: mmsecmethods: unsupported: "3DES-SHA1-5": Windows Server 2003 has DES, 3DES, MD5, SHA1 and groups 1, 2 and 3`},
		{`add policy x mmsec="3DES-SHA1"`, `20: mmsecmethods: "3DES-SHA1", column 10: expected - and the group, as in 3DES-SHA1-2`},
		{`add policy x mmlifetime=-1`, `25: mmlifetime: "-1" is no number from 0 to 71582788`},
		{`add policy x mmlife=5 mmpfs=perhaps`, `29: mmpfs: "perhaps" is none of yes, no`},
		{`set policy name=p gponame=x`, `27: unsupported: group policy objects: there is no domain`},
		{`set policy newname=x`, `1: name= is missing`},
		{`delete policy x`, `15: there is no policy "x"`},
		{`add rule r p l a`, `10: policy "p" has a rule "r" already`},
		{`add rule x q l a`, `12: there is no policy "q"`},
		{`add rule x p m a`, `14: there is no filter list "m"`},
		{`add rule x p l b`, `16: there is no filter action "b"`},
		{`add rule x p l a tunnel=gw.example.com`, `25: unsupported: tunnel: a tunnel to a DNS name: write the address`},
		{`add rule x p l a tunnel=224.0.0.1`, `25: tunnel: no tunnel ends at 224.0.0.1`},
		{`add rule x p l a conntype=wlan`, `27: conntype: "wlan" is none of all, lan, dialup`},
		{`add rule x p l a kerberos=no`, `27: kerberos=no leaves the rule without a way to authenticate: give it psk or rootca`},
		{`add rule x p l a psk=`, `18: psk is empty`},
		{`add rule x p l a psk=x psk=y`, `24: psk is given twice`},
		{`add rule x p l a rootca="certmap:yes"`, `25: rootca: there is no name of an authority`},
		{`add rule x p l a rootca="CN=x certmap:maybe"`, `25: rootca: certmap:maybe is neither yes nor no`},
		{`set rule name=x policy=p newname=y`, `15: policy "p" has no rule "x"`},
		{`set rule id=1 policy=p newname=y`, `13: unsupported: id: how rules are numbered is not published: name the rule`},
		{`delete rule policy=p`, `1: name= is missing`},
		{`set defaultrule policy=q`, `24: there is no policy "q"`},

		// What the store cannot do.
		{`exportpolicy file=C:\policies.ipsec`, `19: unsupported: the files of exportpolicy hold policies in a form that is not published: write a script instead`},
		{`importpolicy policies.ipsec`, `14: unsupported: the files of importpolicy hold policies in a form that is not published: write a script instead`},
		{`restorepolicyexamples release=vista`, `31: release: "vista" is none of win2k, win2003`},
		{`set store location=domain`, `20: unsupported: the store of a domain: there is no domain. What follows is refused until set store location=local`},
		{`set store location=registry`, `20: location: "registry" is none of local, persistent, domain`},

		// Dynamic commands.
		{`dynamic add rule me any mm`, `25: there is no main-mode policy "mm"`},
		{`dynamic add qmpolicy x pfsgroup=GRP2`, `33: unsupported: pfsgroup: a group other than that of the main mode: write GRPMM or NOPFS`},
		{`dynamic delete rule me any`, `9: there is no such rule`},
		{`dynamic set config ipsecexempt value=4`, `38: value: "4" is no number from 0 to 3`},
		{`dynamic set config ipsec value=0`, `20: property: "ipsec" could be ipsecdiagnostics, ipsecexempt, ipsecloginterval`},
		{`dynamic set config bootexemptions TCP:80`, `35: value: "TCP:80": "80" is neither inbound nor outbound`},
		{`dynamic set config bootexemptions ICMP:1:2:in`, `35: value: "ICMP:1:2:in": a port needs tcp or udp`},
	} {
		_, was := run(before)
		s, r := run(before + tc.line)
		require.NoError(t, was.Err())
		refused := r.Refused()
		require.Len(t, refused, 1, "%s: %v", tc.line, r.Lines)
		require.Equal(t, tc.want, fmt.Sprintf("%d: %s", refused[0].Column, refused[0].Reason), tc.line)
		require.Equal(t, 6, refused[0].Line, tc.line)
		require.Equal(t, "test.netsh", refused[0].File)
		unchanged, _ := run(before)
		if tc.line != "delete filterlist all" && tc.line != "pushd ipsec static show all" {
			require.Equal(t, unchanged.Local, s.Local, "%s: a refused line changes nothing", tc.line)
			require.Equal(t, unchanged.Dynamic, s.Dynamic, tc.line)
		}
	}
}

// A command whose context was left away is refused with what to write, and works so.
func TestCommandWithoutContext(t *testing.T) {
	const line = `set policy name="Server (Request Security)" assign=yes`
	for script, want := range map[string]string{
		line:                        `1: there is no command "set" in netsh: write "netsh ipsec static set …", or pushd ipsec static in a line of its own before it`,
		"netsh " + line:             `7: there is no command "set" in netsh: write "netsh ipsec static set …", or pushd ipsec static in a line of its own before it`,
		"pushd ipsec\nadd policy p": `1: there is no command "add" in context ipsec: write "netsh ipsec static add …", or pushd ipsec static in a line of its own before it`,
	} {
		s, r := run(script)
		require.Len(t, r.Refused(), 1, script)
		refused := r.Refused()[0]
		require.Equal(t, want, fmt.Sprintf("%d: %s", refused.Column, refused.Reason))
		require.Empty(t, s.Local.Names())
	}
	for _, script := range []string{"netsh ipsec static " + line, "pushd ipsec static\n" + line} {
		s, r := run(script)
		require.NoError(t, r.Err())
		require.Equal(t, []string{"Server (Request Security)"}, s.Local.Names())
	}
}
