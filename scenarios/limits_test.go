package scenarios_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Virtual time holds 292 years. A scenario that would not end before is told so.
func TestAScenarioHasAnEnd(t *testing.T) {
	s := parse(t, twoHomes+`
  - set-link: {node: a, segment: l1, loss: 1}
  - ping: {from: a, to: b, count: 1000, timeout: 87600h}
  - ping: {from: a, to: b}
    expect: {result: timeout}
`)
	_, err := scenarios.Run(t.Context(), s, scenarios.Options{})
	require.ErrorContains(t, err, "the last step has not ended after 100 years of virtual time")

	_, err = spec.Parse("long.yaml", []byte(twoHomes+"  - wait: 43800h\n  - wait: 43800h\n  - wait: 1s\n"))
	require.ErrorContains(t, err, "long.yaml:26:5: the steps up to this one take longer than 87600h together")
}

// A hundred hosts ask each other a thousand times at one moment.
func TestAThousandStepsAtOnce(t *testing.T) {
	const hosts, steps = 100, 1000
	var b strings.Builder
	b.WriteString("title: crowd\nnetwork: {segments: {lan: {}}}\nnodes:\n")
	for i := range hosts {
		fmt.Fprintf(&b, "  n%d: {interfaces: [{segment: lan, address: 10.0.0.%d/24}], serves: [{tcp: 80}]}\n", i, i+1)
	}
	b.WriteString("steps:\n")
	for i := range steps {
		fmt.Fprintf(&b, "  - connect: {from: n%d, to: n%d, port: 80}\n    background: true\n    at: 1s\n", i%hosts, (i%hosts+i/hosts+1)%hosts)
		b.WriteString("    expect: {result: ok, wire: {protection: clear}, rule: {from: no match}}\n")
	}
	scenarios.Check(t, parse(t, b.String()), scenarios.Options{})
}

// An interrupt ends a run between two events, and what was recorded is kept.
func TestAnInterruptEndsARun(t *testing.T) {
	dir := t.TempDir()
	s := parse(t, twoHomes+"  - ping: {from: a, to: b, count: 1000000}\n")
	ctx := &endsAfter{Context: t.Context(), looks: 20}
	_, err := scenarios.Run(ctx, s, scenarios.Options{Dir: dir})
	require.ErrorIs(t, err, context.Canceled)
	require.LessOrEqual(t, ctx.looked, ctx.looks+3, "it is asked no more, but for why the run has ended")
	requireTrace(t, dir)
}

// endsAfter is a context that ends when it has been looked at so many times.
type endsAfter struct {
	context.Context
	looks, looked int
}

func (c *endsAfter) Err() error {
	if c.looked++; c.looked < c.looks {
		return nil
	}
	return context.Canceled
}
