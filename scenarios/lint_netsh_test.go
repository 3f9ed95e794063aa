package scenarios_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy/netsh"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// scriptFindings are what is found in a script, as it is printed.
func scriptFindings(t *testing.T, s netsh.Script) (lines []string) {
	t.Helper()
	found, err := scenarios.LintScript(s, scenarios.LintOptions{})
	require.NoError(t, err)
	for _, f := range found {
		lines = append(lines, f.String())
	}
	return lines
}

// What a script sets of the host is looked at with its policies, where it sets it.
func TestLintScriptConfiguration(t *testing.T) {
	const text = `ipsec static
add filterlist name=a
add filter filterlist=a srcaddr=me dstaddr=10.0.0.1
add filteraction name=f action=block
add policy name=p activatedefaultrule=no assign=yes
add rule name=r policy=p filterlist=a filteraction=f
..
dynamic
set config property=ipsecexempt value=3
set config property=bootmode value=permit
set config property=ipsecexempt value=2
`
	require.Equal(t, []string{
		"x.netsh:10:1: warning: the host filters nothing while its policy agent starts [boot-open, C058, C059]",
		"x.netsh:11:1: warning: the host: NoDefaultExempt 2 lets everything from port 88 pass [exempt-kerberos, C063, C065]",
	}, scriptFindings(t, netsh.Script{Name: "x.netsh", Text: text}))
}

// A script that assigns one of its policies leaves the others to nobody; one that assigns
// none leaves that to another.
func TestLintScriptAssignment(t *testing.T) {
	const text = `ipsec static
add filterlist name=a
add filter filterlist=a srcaddr=me dstaddr=10.0.0.1
add filteraction name=f action=block
add policy name=p activatedefaultrule=no
add policy name=q activatedefaultrule=no
add rule name=r policy=p filterlist=a filteraction=f
add rule name=r policy=q filterlist=a filteraction=f
`
	require.Empty(t, scriptFindings(t, netsh.Script{Name: "x.netsh", Text: text}))
	require.Equal(t, []string{"x.netsh:6:1: info: no host gets policy q [policy-unassigned, C079]"},
		scriptFindings(t, netsh.Script{Name: "x.netsh", Text: text + "set policy name=p assign=yes\n"}))
}

// Lines of a script that another one includes are told by their own file; refused ones
// are mistakes, all of them.
func TestLintScriptIncludes(t *testing.T) {
	files := map[string]string{
		"inner.netsh": "ipsec static add filteraction name=f action=negotiate qmsecmethods=\"ESP[DES,SHA1]\"\n",
		"wrong.netsh": "ipsec static add filteraction\nipsec static add rule name=r\n",
	}
	open := func(name string) (string, error) {
		text, ok := files[name]
		if !ok {
			return "", errors.New("no such file")
		}
		return text, nil
	}
	const rest = `ipsec static
add filterlist name=a
add filter filterlist=a srcaddr=10.0.0.9 dstaddr=10.0.0.1
add policy name=p activatedefaultrule=no mmsecmethods="3DES-SHA1-3"
add rule name=r policy=p filterlist=a filteraction=f kerberos=yes
`
	require.Equal(t, []string{"inner.netsh:1:1: error: filter action f: ESP[DES,SHA1] encrypts with DES [des]"},
		scriptFindings(t, netsh.Script{Name: "outer.netsh", Text: "exec inner.netsh\n" + rest, Open: open}))

	_, err := scenarios.LintScript(netsh.Script{Name: "outer.netsh", Text: "exec wrong.netsh\nipsec static frobnicate\n", Open: open}, scenarios.LintOptions{})
	mistakes := spec.Mistakes(err)
	require.Len(t, mistakes, 3)
	require.Equal(t, []string{"wrong.netsh", "wrong.netsh", "outer.netsh"}, []string{mistakes[0].File, mistakes[1].File, mistakes[2].File})
	require.Equal(t, 2, mistakes[1].Line)
}
