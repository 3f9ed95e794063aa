package scenarios_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// What no certificate can say, and what no main mode can have, are mistakes of the file with a
// place in it: else a run finds them, and says that the lab broke, or runs and does nothing.
func TestMistakesOfCertificatesAndRemoteAccess(t *testing.T) {
	const file = `title: mistakes
network: {segments: {lan: {subnet: 10.1.0.0/16}}}
pki:
  authorities: {root: {subject: "CN=root"%[1]s}}
  certificates: {own: {issuer: root, subject: "CN=own"%[2]s}}
nodes:
  a: {interfaces: [{segment: lan, address: 10.1.0.1/16}], ipsec: {no-main-mode-rekey: false%[3]s}}
  b: {interfaces: [{segment: lan, address: 10.1.0.2/16}]}
filter-lists: {pair: [{source: a, destination: b}]}
filter-actions: {require: {action: negotiate, security-methods: ["ESP[3DES,SHA1]"]}}
policies:
  p: {rules: [{name: r, filter-list: pair, filter-action: require, authentication: [{psk: "Kd7vQ2mXz9wLpT4rBn8sHy3cF"%[4]s}]}]}
steps: [{wait: 1s}]
`
	long := strings.Repeat("x", 254)
	for _, row := range []struct {
		place      int
		value, why string
		line       int
	}{
		{1, `, path-length: -1`, "path-length: -1", 4},
		{1, `, revoked: stolen`, "no reason of a revocation", 4},
		{1, `, key-usage: [sign]`, "no key usage", 4},
		{1, `, key: dsa-1024, hash: md5`, `no signature with dsa and the hash "md5"`, 4},
		{1, `, key: ecdsa-256, hash: md5`, `no signature with ecdsa and the hash "md5"`, 4},
		{2, `, revoked: stolen`, "no reason of a revocation", 5},
		{2, `, key-usage: [sign]`, "no key usage", 5},
		{2, `, extended-key-usage: [vpn]`, "no purpose of a key", 5},
		{2, `, dns: [""]`, "dns: want a name of 1 to 253 bytes, got 0", 5},
		{2, `, upn: [` + long + `]`, "upn: want a name of 1 to 253 bytes, got 254", 5},
		{2, `, email: [a` + strings.Repeat(", a", 64) + `]`, "email", 5},
		{3, `, mode-config: {version: ` + long + `}`, "version of more than 253 bytes", 7},
		{3, `, mode-config: {give: {from: 10.9.0.1, to: 10.9.0.2, dns: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4, 1.1.1.5, 1.1.1.6, 1.1.1.7, 1.1.1.8, 1.1.1.9]}}`, "more than 8 servers", 7},
		{3, `, new-group-mode: {accept: true, min-bits: 2000, max-bits: 1024}`, "2000 to 1024 bits", 7},
		{3, `, new-group-mode: {accept: true, min-bits: 100}`, "100 to 2048 bits", 7},
		{4, `, xauth: {user: ` + long + `, password: x}`, "more than 253 bytes", 12},
		{4, `, xauth: {users: {"": x}}`, "a user without a name", 12},
	} {
		values := []any{"", "", "", ""}
		values[row.place-1] = row.value
		all, err := spec.ParseAll("mistakes.yaml", []byte(fmt.Sprintf(file, values...)))
		if err == nil {
			require.Len(t, all, 1)
			err = scenarios.Validate(all[0])
		}
		found := spec.Mistakes(err)
		require.NotEmpty(t, found, row.value)
		require.Equal(t, row.line, found[0].Line, row.value)
		require.ErrorContains(t, err, row.why)
	}
	all, err := spec.ParseAll("mistakes.yaml", []byte(fmt.Sprintf(file, `, key: ecdsa-521, hash: sha512`, "", "", "")))
	require.NoError(t, err)
	require.NoError(t, scenarios.Validate(all[0]))
}
