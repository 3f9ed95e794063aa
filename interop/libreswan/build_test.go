package libreswan

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

var update = flag.Bool("update", false, "write the golden files anew")

// cases are the samples, with a group that pluto has in the place of one that it lacks.
func cases(t *testing.T) map[string]*peerconf.Config {
	all := map[string]*peerconf.Config{}
	for _, c := range sample.Cases() {
		if c.Why != "" {
			continue
		}
		if p := c.Host.Policy; p != nil {
			p.MainMode.Proposals = []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 14}}
			for i := range p.Rules {
				for j, m := range p.Rules[i].Action.Methods {
					if m.Transforms[0].Cipher == "des-cbc" {
						p.Rules[i].Action.Methods = p.Rules[i].Action.Methods[:j]
						break
					}
				}
			}
		}
		c.Host.Settings.Inactivity = 0 // which libreswan has not
		config, err := peerconf.Build(c.Host)
		require.NoError(t, err, c.Name)
		all[c.Name] = config
	}
	return all
}

// Every policy that can be written is written the same way for ever.
func TestGolden(t *testing.T) {
	for name, config := range cases(t) {
		t.Run(name, func(t *testing.T) {
			var text string
			f, err := Build(config, Config{Log: "/run/pluto.log"})
			if u, ok := errors.AsType[*peerconf.Unsupported](err); ok {
				text = u.Error() + "\n"
			} else {
				require.NoError(t, err)
				text = "# ipsec.conf\n" + f.Conf + "\n# ipsec.secrets\n" + f.Secrets + "\n# commands\n" + strings.Join(f.Load("/conf"), "\n") + "\n"
			}
			file := filepath.Join("testdata", name+".conf")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "run the test with -update to make it")
			require.Equal(t, string(want), text)
		})
	}
}

// So are settings that there is no place for.
func TestSettings(t *testing.T) {
	for what, s := range map[string]peerconf.Settings{
		"SAs that end": {Inactivity: time.Minute}, "a size": {FragmentSize: 600}, "retransmissions": {Retransmit: []time.Duration{time.Second, 3 * time.Second}},
	} {
		_, err := Build(&peerconf.Config{Settings: s}, Config{})
		require.ErrorContains(t, err, "unsupported: "+what)
	}
}

// What pluto was built without is refused with a reason.
func TestAlgorithms(t *testing.T) {
	for _, g := range []uint16{1, 2} {
		_, err := ikeProposal(ike.MainModeProposal{Cipher: "3des-cbc", Hash: "sha1", Group: g})
		require.ErrorContains(t, err, "Diffie–Hellman group")
	}
	_, err := ikeProposal(ike.MainModeProposal{Cipher: "des-cbc", Hash: "sha1", Group: 14})
	require.ErrorContains(t, err, "des-cbc")
	for _, method := range []string{"ESP[DES,SHA1]", "AH[AES128-GMAC]", "ESP[AES128-GCM,ESN]"} {
		m, err := policy.ParseSecurityMethod(method)
		require.NoError(t, err)
		c := &peerconf.Child{}
		c.Proposals = append(c.Proposals, m)
		_, err = childProposals(c)
		var unsupported *peerconf.Unsupported
		require.ErrorAs(t, err, &unsupported, method)
	}
}
