package swan

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every policy that can be written is written the same way for ever, for the kernel's IPsec and for charon's own.
func TestGolden(t *testing.T) {
	for _, c := range sample.Cases() {
		if c.Why != "" {
			continue
		}
		config, err := peerconf.Build(c.Host)
		require.NoError(t, err, c.Name)
		for _, k := range []Kind{Native, LibIPsec} {
			t.Run(c.Name+"/"+k.String(), func(t *testing.T) {
				var text string
				var unsupported *peerconf.Unsupported
				switch conf, err := Build(config, k); {
				case errors.As(err, &unsupported):
					text = err.Error() + "\n"
				default:
					require.NoError(t, err)
					text = string(conf.Files()["swanctl.conf"])
				}
				golden(t, c.Name+"."+k.String()+".conf", text)
			})
		}
	}
}

func golden(t *testing.T, name, text string) {
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the test with -update to make it")
	require.Equal(t, string(want), text)
}
