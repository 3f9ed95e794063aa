package scenarios_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

const cutOffText = `title: who is cut off
network: {segments: {lan: {subnet: 10.1.0.0/24}}}
nodes:
  server: {interfaces: [{segment: lan, address: 10.1.0.1/24}], serves: [{tcp: 80}]}
  member: {interfaces: [{segment: lan, address: 10.1.0.2/24}], serves: [{tcp: 7}]}
  responder: {interfaces: [{segment: lan, address: 10.1.0.3/24}], serves: [{tcp: 7}]}
  visitor: {interfaces: [{segment: lan, address: 10.1.0.4/24}], serves: [{tcp: 7}]}
  caller: {interfaces: [{segment: lan, address: 10.1.0.5/24}]}
  nt: {os: windows-nt4, interfaces: [{segment: lan, address: 10.1.0.6/24}], serves: [{tcp: 7}]}
  sensor: {interfaces: [{segment: lan, address: 10.1.0.7/24}], serves: [{tcp: 7}]}
filter-lists:
  all: [{source: me, destination: any}]
  some: [%s]
  telnet: [{source: any, destination: me, protocol: tcp, destination-port: 23}]
filter-actions:
  permit: {action: permit}
  block: {action: block}
  mine: {action: negotiate, %s security-methods: ["ESP[3DES,SHA1]"]}
  require: {action: negotiate, security-methods: ["ESP[3DES,SHA1]"]}
policies:
  server:
    rules:
      - {name: all, filter-list: all, filter-action: mine, authentication: [{psk: "Kd7vQ2mXz9wLpT4rBn8sHy3cF"}]}
      - {name: some, filter-list: some, filter-action: permit}
  member: {rules: [{name: all, filter-list: all, filter-action: require, authentication: [{psk: "Kd7vQ2mXz9wLpT4rBn8sHy3cF"}]}]}
  responder: {default-response: {authentication: [{psk: "Kd7vQ2mXz9wLpT4rBn8sHy3cF"}]}}
  sensor: {rules: [{name: telnet, filter-list: telnet, filter-action: block}]}
assignments: {server: server, member: member, responder: responder, sensor: sensor}
steps:
  - connect: {from: %s, to: %s, port: %d, timeout: 20s}
    expect: {result: ok}
`

// Who is said to be cut off is cut off: no connection of his comes about, neither way;
// and of all others one does.
func TestLintCutOffIsTrue(t *testing.T) {
	for _, action := range []string{"", "inpass: true,", "soft: true,", "soft: true, inpass: true,"} {
		for _, exempt := range []string{
			"{source: me, destination: 10.1.0.99}",
			"{source: me, destination: visitor}, {source: me, destination: any, protocol: icmp}",
			"{source: any, destination: me, protocol: tcp, destination-port: 80}",
			"{source: me, destination: any, protocol: tcp, destination-port: 7}",
			"{source: nt, destination: me, mirrored: false}",
		} {
			text := func(from, to string, port int) string {
				return fmt.Sprintf(cutOffText, exempt, action, from, to, port)
			}
			named := ""
			for _, f := range lintText(t, "cut.yaml", text("member", "server", 80)) {
				if f.Rule.ID == "cut-off" && strings.Contains(f.Message, " server/") {
					require.Empty(t, named)
					named = f.Message
				}
			}
			for _, host := range []string{"member", "responder", "visitor", "caller", "nt", "sensor"} {
				works := func(from, to string, port int) bool {
					r, err := scenarios.Run(t.Context(), parse(t, text(from, to, port)), scenarios.Options{})
					require.NoError(t, err)
					return r.Steps[0].Outcome == scenarios.Passed
				}
				reached := works(host, "server", 80) || host != "caller" && works("server", host, 7)
				require.Equal(t, !reached, strings.Contains(named, " "+host+" ("), "%s with {%s} and %s: %s", host, action, exempt, named)
			}
		}
	}
}
