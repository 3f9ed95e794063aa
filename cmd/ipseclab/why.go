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
		return fmt.Sprintf("step %d, %s", step.Index, step.Title)
	}
	for _, c := range r.Invariants {
		if c.Outcome == r.Outcome {
			return "invariant: " + sentence(c)
		}
	}
	return ""
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
