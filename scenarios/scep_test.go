package scenarios_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/scenarios"
)

// What an enrolment looks like to others (claim C217): tshark finds the requests of HTTP and their answers
// in the capture, and openssl in these the signatures of who sent them, and the attributes of SCEP.
func TestOthersReadSCEP(t *testing.T) {
	tshark, openssl := needs.Tool(t, "tshark"), needs.Tool(t, "openssl")
	dir := t.TempDir()
	_, err := scenarios.Run(t.Context(), loadAll(t, "scep_enrolment.yaml")[0], scenarios.Options{Dir: dir})
	require.NoError(t, err)
	out, err := exec.Command(tshark, "-r", filepath.Join(dir, "capture.pcapng"), "-Y", "http", "-T", "fields", "-E", "separator=|",
		"-e", "http.request.method", "-e", "http.request.uri", "-e", "http.response.code", "-e", "http.content_type", "-e", "media.type").Output()
	require.NoError(t, err)
	var saw, messages []string // messages in hexadecimal
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		require.Len(t, f, 5, line)
		if f[0] == "" {
			saw = append(saw, f[2]+" "+f[3])
			if f[3] == "application/x-pki-message" {
				messages = append(messages, strings.ReplaceAll(f[4], ":", ""))
			}
			continue
		}
		path, query, _ := strings.Cut(f[1], "?")
		require.Equal(t, "/certsrv/mscep/mscep.dll/pkiclient.exe", path)
		q, err := url.ParseQuery(query)
		require.NoError(t, err)
		saw = append(saw, f[0]+" "+q.Get("operation"))
		if q.Get("operation") == "PKIOperation" {
			der, err := base64.StdEncoding.DecodeString(q.Get("message"))
			require.NoError(t, err)
			messages = append(messages, hex.EncodeToString(der))
		}
	}
	once := []string{
		"GET GetCACert", "200 application/x-x509-ca-cert", "GET GetCACaps", "404 text/plain", "GET PKIOperation", "200 application/x-pki-message",
	}
	require.Equal(t, append(once, once...), saw)
	require.Len(t, messages, 4)
	for i, kind := range []string{"19", "3", "22", "3"} { // PKCSReq, CertRep, GetCRL, CertRep
		der, err := hex.DecodeString(messages[i])
		require.NoError(t, err)
		file := filepath.Join(dir, "message")
		require.NoError(t, os.WriteFile(file, der, 0o600))
		run := func(args ...string) string {
			c := exec.Command(openssl, append(args, "-inform", "DER", "-in", file)...)
			c.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull)
			out, err := c.CombinedOutput()
			require.NoError(t, err, "%s", out)
			return string(out)
		}
		run("cms", "-verify", "-noverify", "-binary", "-out", os.DevNull)
		require.Regexp(t, `(?s)object: undefined \(2\.16\.840\.1\.113733\.1\.9\.2\)\s+set:\s+PRINTABLESTRING:`+kind+`\n`, run("cms", "-cmsout", "-print", "-noout"), "message type")
	}
}

// Mistakes in names are found before anything runs, where they stand.
func TestSCEPMistakes(t *testing.T) {
	s := load(t, "scep_enrolment.yaml")
	s.Steps[1].Enrol.Subject = "router"
	s.Steps[1].Enrol.Usage = []string{"everything"}
	s.Steps[1].Expect.Certificates["router"].Own[0] = "X=1"
	err := scenarios.Validate(s)
	require.ErrorContains(t, err, "scep_enrolment.yaml:60:37:")
	for _, what := range []string{"router", `"everything"`, "X"} {
		require.ErrorContains(t, err, what)
	}
}

// Lint knows what a host enrols for, and finds it missing without the step.
func TestLintKnowsEnrolment(t *testing.T) {
	s := load(t, "scep_registrars.yaml")
	rules := func() (ids []string) {
		found, err := scenarios.Lint(s, scenarios.LintOptions{})
		require.NoError(t, err)
		for _, f := range found {
			ids = append(ids, f.Rule.ID)
		}
		return ids
	}
	require.NotContains(t, rules(), "certificate-none")
	require.NotContains(t, rules(), "root-untrusted")
	s.Steps[0].Enrol.Port = 8080
	require.Contains(t, rules(), "certificate-none")
	require.Contains(t, rules(), "root-untrusted")
}
