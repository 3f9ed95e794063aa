package pki

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
)

// openssl runs the command in a folder of its own and gives what it printed.
type openssl struct {
	t   testing.TB
	bin string
	dir string
}

func newOpenSSL(t testing.TB) *openssl {
	return &openssl{t, needs.Tool(t, "openssl"), t.TempDir()}
}

func (o *openssl) write(name string, content []byte) string {
	o.t.Helper()
	require.NoError(o.t, os.WriteFile(filepath.Join(o.dir, name), content, 0o600))
	return name
}

func (o *openssl) read(name string) []byte {
	o.t.Helper()
	b, err := os.ReadFile(filepath.Join(o.dir, name))
	return must(o.t, b, err)
}

func (o *openssl) try(args ...string) (string, error) {
	cmd := exec.Command(o.bin, args...)
	cmd.Dir = o.dir
	// A configuration of the machine could add defaults.
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (o *openssl) run(args ...string) string {
	o.t.Helper()
	out, err := o.try(args...)
	require.NoError(o.t, err, "openssl %s\n%s", strings.Join(args, " "), out)
	return out
}

func (o *openssl) pem(name string, b Bundle) string {
	o.t.Helper()
	text, err := b.PEM()
	return o.write(name, must(o.t, text, err))
}

var verifyError = regexp.MustCompile(`(?m)^error (\d+) at (\d+) depth lookup`)

// verify is "ok", or the errors of "openssl verify", as "10@0": number and depth in the chain.
func (o *openssl) verify(c *chain, rule Rule) string {
	o.t.Helper()
	args := []string{"verify", "-attime", fmt.Sprint(c.at.Unix()), "-auth_level", "0", "-no-CAfile", "-no-CApath", "-no-CAstore",
		"-trusted", o.pem("roots.pem", Bundle{Certificates: c.store.Roots})}
	if others := append(append([]*Certificate{}, c.sent...), c.store.Intermediates...); len(others) > 0 {
		args = append(args, "-untrusted", o.pem("sent.pem", Bundle{Certificates: others}))
	}
	if rule.CRLCheck != CRLNone {
		args = append(args, "-crl_check_all")
		if lists := append(append([]*RevocationList{}, c.lists...), c.store.Lists...); len(lists) > 0 {
			args = append(args, "-CRLfile", o.pem("lists.pem", Bundle{Lists: lists}))
		}
	}
	out, err := o.try(append(args, o.pem("leaf.pem", Bundle{Certificates: []*Certificate{c.leaf}}))...)
	if err == nil {
		return "ok"
	}
	var errs []string
	for _, m := range verifyError.FindAllStringSubmatch(out, -1) {
		errs = append(errs, m[1]+"@"+m[2])
	}
	require.NotEmpty(o.t, errs, out)
	return strings.Join(errs, " ")
}
