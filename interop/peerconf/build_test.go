package peerconf_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/interop/peerconf"
	"github.com/ipseclab/ipseclab/interop/peerconf/sample"
)

func TestBuild(t *testing.T) {
	for _, c := range sample.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			config, err := peerconf.Build(c.Host)
			if c.Why == "" {
				require.NoError(t, err)
				require.NotNil(t, config)
				return
			}
			require.Error(t, err)
			var unsupported *peerconf.Unsupported
			require.ErrorAs(t, err, &unsupported)
			require.NotEmpty(t, unsupported.Why)
			require.True(t, strings.HasPrefix(err.Error(), "unsupported: "+c.Why), "%v", err)
		})
	}
}
