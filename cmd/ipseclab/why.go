package main

import (
	"fmt"

	"github.com/ipseclab/ipseclab/internal/result"
)

// why is the first thing of a scenario that is as bad as the scenario; empty when it passed.
func why(r *result.Scenario) string {
	if r.Outcome == result.Passed || r.Reason != "" {
		return r.Reason
	}
	for _, step := range r.Steps {
		if step.Outcome != r.Outcome {
			continue
		}
		for _, c := range step.Checks {
			if c.Outcome == r.Outcome {
				return fmt.Sprintf("step %d, %s: %s", step.Index, step.Title, sentence(c))
			}
		}
		return brokenStep(step)
	}
	for _, c := range r.Invariants {
		if c.Outcome == r.Outcome {
			return "invariant: " + sentence(c)
		}
	}
	return ""
}

// brokenStep is a step that could not be done, with its place in the file and, at
// the end of what it got, the reason.
func brokenStep(s result.Step) string {
	text := fmt.Sprintf("step %d, %s", s.Index, s.Title)
	if s.Line > 0 {
		text += fmt.Sprintf(" (line %d)", s.Line)
	}
	if n := len(s.Got); n > 0 {
		text += ": " + s.Got[n-1]
	}
	return text
}

// sentence is a check with its place in the file and the reason.
func sentence(c result.Check) string {
	text := c.Name
	if c.Line > 0 {
		text = fmt.Sprintf("%s (line %d)", text, c.Line)
	}
	switch {
	case c.Reason != "":
		return text + ": " + c.Reason
	case c.Got != "":
		return text + ": got " + c.Got
	}
	return text
}
