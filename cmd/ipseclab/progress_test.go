package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

// TestProgressOnTerminal: the moving line counts, a line appears for what did
// not pass, and in the end the moving line is gone.
func TestProgressOnTerminal(t *testing.T) {
	var lines, terminal bytes.Buffer
	p := newProgress(&lines, &terminal, []string{"a", "b"})
	require.Nil(t, p.bar, "a buffer is no terminal")
	p.bar = newBar(&terminal, 2, "scenarios")
	p.scenario(result.Entry{Name: "a", Outcome: result.Passed}, &result.Scenario{})
	require.Empty(t, lines.String())
	require.Contains(t, terminal.String(), "(1/2)")
	terminal.Reset()
	p.above(&terminal, "peer bob is ready\n", 0)
	require.Regexp(t, `^\r *\rpeer bob is ready\n[\r ]*scenarios .*\(1/2\)`, terminal.String(), "the moving line makes room, and is there again")
	p.scenario(result.Entry{Name: "b", Outcome: result.Failed, Reason: "frame 7"}, &result.Scenario{})
	require.Contains(t, lines.String(), "failed       b  ")
	p.end()
	require.Regexp(t, `\r *\r$`, terminal.String(), "cleared")
}

func TestNoProgressElsewhere(t *testing.T) {
	var lines, stderr bytes.Buffer
	p := newProgress(&lines, &stderr, []string{"a"})
	p.scenario(result.Entry{Name: "a", Outcome: result.Passed}, &result.Scenario{})
	p.end()
	require.Contains(t, lines.String(), "passed       a  ")
	require.Empty(t, stderr.String())
}
