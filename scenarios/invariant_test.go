package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
)

// The invariant about answers counts the requests of ping and udp, and nothing of TCP.
func TestAnswersOfPingAndUDP(t *testing.T) {
	s := parse(t, twoHomes+`
  - connect: {from: a, to: b, port: 80}
    expect: {result: refused}
  - ping: {from: c, to: a, count: 2}
  - ping: {from: a, to: b, count: 3}
  - set-link: {node: b, segment: l1, loss: 1}
  - ping: {from: a, to: b, count: 3, timeout: 1s}
  - udp: {from: b, to: a, port: 7, count: 2, timeout: 1s}
invariants:
  - answers: {between: [a, b], lost: 5}
`)
	r := scenarios.Check(t, s, scenarios.Options{})
	require.Equal(t, "5", r.Invariants[1].Got)
}
