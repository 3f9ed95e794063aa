package openiked

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/jail"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

const want = `set passive
set nomobike
set nofragmentation
ikev2 "outwards" passive tunnel esp from 10.1.0.0/24 to 10.2.0.0/24 local 10.0.0.1 peer 10.0.0.2 ikesa enc 3des prf hmac-sha1 auth hmac-sha1 group modp1024 childsa enc aes-128 auth hmac-sha2-256 noesn ikelifetime 28800 lifetime 3600 bytes 102400000 psk 0x57696e646f77733230303321
`

// The samples are refused, of IKEv1, or written as of IKEv2, in a form that a real iked takes.
func TestBuild(t *testing.T) {
	written := map[string]string{}
	for _, c := range sample.Cases() {
		if c.Why != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			config, err := peerconf.Build(c.Host)
			require.NoError(t, err)
			if len(config.Connections) > 0 && c.Host.Version != 2 {
				_, err := Build(config)
				var unsupported *peerconf.Unsupported
				require.ErrorAs(t, err, &unsupported)
			}
			c.Host.Version = 2
			config, err = peerconf.Build(c.Host)
			require.NoError(t, err)
			text, err := Build(config)
			if _, ok := errors.AsType[*peerconf.Unsupported](err); ok {
				return
			}
			require.NoError(t, err)
			written[c.Name] = text
		})
	}
	require.Equal(t, want, written["ikev2"])
	require.Greater(t, len(written), 5)

	for name, text := range written {
		t.Run("iked takes "+name, func(t *testing.T) {
			j := jail.Start(t, "openiked", nil, "mkdir -p /tmp/etc && cp /mnt/iked.conf /tmp/etc && chmod 600 /tmp/etc/iked.conf && "+
				"mount -t tmpfs tmpfs /etc/iked && mkdir -p /etc/iked/private && touch /etc/iked/private/local.key && "+
				"iked -n -f /tmp/etc/iked.conf; echo $? >/mnt/code; sleep 600", map[string]string{"iked.conf": text})
			require.Eventually(t, func() bool { return j.Read("code") != "" }, 10*time.Second, 20*time.Millisecond)
			require.Equal(t, "0\n", j.Read("code"), j.Read("out"))
		})
	}
}
