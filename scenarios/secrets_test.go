package scenarios_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

// The evidence of a run has the keys with which a capture is decrypted. It has neither
// preshared keys nor the passwords of users, though messages with those are decrypted in it.
func TestSecretsStayOutOfEvidence(t *testing.T) {
	for _, s := range loadAll(t, "remote_xauth.yaml") {
		dir := t.TempDir()
		require.Equal(t, scenarios.Passed, scenarios.Check(t, s, scenarios.Options{Dir: dir}).Outcome)
		password := false
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, secret := range []string{"open sesame", "open barley", "open rye", "forty thieves"} {
				require.NotContains(t, string(b), secret, path)
			}
			password = password || d.Name() == "trace.jsonl" && bytes.Contains(b, []byte("XAUTH-USER-PASSWORD"))
			return nil
		}))
		require.True(t, password, "the message with the password is in the trace")
	}
}
