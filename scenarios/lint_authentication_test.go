package scenarios_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two rules authenticate alike if their lists have a way in common, wherever it stands; with
// certificates that is an authority, in any spelling, and what is done with its certificates.
func TestLintAuthenticationInCommon(t *testing.T) {
	const file = `title: methods
kerberos-stand-in: "mQ4zX8rT2vB6nL9sH3kD7wPyJ5"
network: {segments: {lan: {subnet: 10.1.0.0/16}}}
pki:
  authorities: {a: {subject: "CN=A, O=Example"}, b: {subject: "CN=B"}}
  certificates: {alice: {issuer: a, subject: "CN=alice"}, bob: {issuer: a, subject: "CN=bob"}}
nodes:
  alice: {interfaces: [{segment: lan, address: 10.1.0.1/16}], certificates: {own: [alice], roots: [a, b]}}
  bob: {interfaces: [{segment: lan, address: 10.1.0.2/16}], certificates: {own: [bob], roots: [a, b]}}
filter-lists:
  to-bob: [{source: alice, destination: bob}]
  to-alice: [{source: bob, destination: alice}]
filter-actions: {require: {action: negotiate, security-methods: ["ESP[3DES,SHA1]"]}}
policies:
  alice: {rules: [{name: bob, filter-list: to-bob, filter-action: require, authentication: [%s]}]}
  bob: {rules: [{name: alice, filter-list: to-alice, filter-action: require, authentication: [%s]}]}
assignments: {alice: alice, bob: bob}
steps: [{wait: 1s}]
`
	const one, other = `{psk: "Kd7vQ2mXz9wLpT4rBn8sHy3cF"}`, `{psk: "pW5xJ8fTq3ZrM6vYc2NbK9hLd"}`
	asks := `{psk: "Kd7vQ2mXz9wLpT4rBn8sHy3cF", xauth: {users: {ali: "open sesame"}}}`
	asked := `{psk: "Kd7vQ2mXz9wLpT4rBn8sHy3cF", xauth: {user: ali, password: "open sesame"}}`
	for _, row := range []struct {
		alice, bob string
		alike      bool
	}{
		{`{root-ca: a}`, `{root-ca: b}, {root-ca: a}`, true},
		{`{root-ca: a}`, `{root-ca: "cn=a,o=EXAMPLE"}`, true},
		{`{root-ca: a}`, `{root-ca: b}`, false},
		{`{root-ca: a, by: dss-signature}`, `{root-ca: a}`, false},
		{`{root-ca: a, by: rsa-signature}`, `{root-ca: a}`, true},
		{`{root-ca: a}, ` + one, one, true},
		{`{root-ca: a}, ` + one, other + `, {root-ca: b}`, false},
		{`{kerberos: true}, {root-ca: a}`, `{root-ca: b}, {kerberos: true}`, true},
		{`{kerberos: true}`, one, false},
		{asks, asked, true},
		{asks, one, false},
		{asks, asks, false},
		{one, `{root-ca: a}`, false},
	} {
		for _, text := range []string{fmt.Sprintf(file, row.alice, row.bob), fmt.Sprintf(file, row.bob, row.alice)} {
			require.Equal(t, !row.alike, has(lintText(t, "methods.yaml", text), "auth-mismatch"), "%s and %s", row.alice, row.bob)
		}
	}
}
