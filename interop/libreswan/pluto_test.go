package libreswan

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/jail"
)

// A real pluto takes each configuration, with its certificates and keys.
func TestPlutoLoads(t *testing.T) {
	for name, config := range cases(t) {
		f, err := Build(config, Config{Log: "/mnt/log"})
		if _, ok := errors.AsType[*peerconf.Unsupported](err); ok {
			continue
		}
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) {
			j := pluto(t, f, nil, "10.0.0.1/24", "10.1.0.1/24", "2001:db8::1/64")
			out, err := j.Inside("ipsec whack --status")
			require.NoError(t, err)
			for _, c := range f.Connections {
				require.Contains(t, out, fmt.Sprintf("000 %q:", c))
			}
			require.Contains(t, out, fmt.Sprintf("Total IPsec connections: loaded %d,", len(f.Connections)))
		})
	}
}

// pluto starts one with a configuration, after what is done to its jail, and waits until it is ready.
func pluto(t *testing.T, f *Files, first func(*jail.Jail), addresses ...string) *jail.Jail {
	files := map[string]string{"ipsec.conf": f.Conf, "ipsec.secrets": f.Secrets}
	for name, data := range f.Credentials {
		files[name] = string(data)
	}
	var run strings.Builder
	run.WriteString("set -e\nuntil [ -e /mnt/go ]; do sleep 0.02; done\n")
	commands := slices.Concat(
		[]string{"mount -t tmpfs tmpfs /etc/ipsec.d", "mount -t tmpfs tmpfs /var/lib/ipsec", "mount --bind /mnt/ipsec.conf /etc/ipsec.conf", "mount --bind /mnt/ipsec.secrets /etc/ipsec.secrets"},
		Prepare(),
		[]string{
			"/usr/libexec/ipsec/pluto --config /etc/ipsec.conf --leak-detective",
			"i=0; until " + Whack + "--status >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 200 ] || exit 1; sleep 0.05; done",
			Whack + "--listen",
		},
		f.Load("/mnt"),
	)
	for _, c := range commands {
		fmt.Fprintf(&run, "echo '+ %s'\n%s\n", strings.ReplaceAll(c, "'", ""), c)
	}
	run.WriteString("touch /mnt/ready\nexec sleep 600\n")
	files["run.sh"] = run.String()
	j := jail.Start(t, "libreswan", addresses, "exec sh /mnt/run.sh", files, "log")
	if first != nil {
		first(j)
	}
	require.NoError(t, os.WriteFile(filepath.Join(j.Dir, "go"), nil, 0o600))
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(j.Dir, "ready"))
		return err == nil
	}, 20*time.Second, 20*time.Millisecond, "pluto is not ready")
	return j
}
