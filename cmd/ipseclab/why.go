package main

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
)

// shownReasons is how many reasons of a scenario a terminal shows.
const shownReasons = 5

// why is the first thing of a scenario that is as bad as the scenario; empty when it passed.
func why(r *result.Scenario) string {
	if all := reasons(r); len(all) > 0 {
		return all[0]
	}
	return ""
}

// whys are the first things of a scenario that are as bad as the scenario, a line or more
// each, and how many more there are.
func whys(r *result.Scenario) string {
	all := reasons(r)
	if more := len(all) - shownReasons; more > 1 { // the place of one is as well taken by it
		all = append(all[:shownReasons:shownReasons], fmt.Sprintf("and %d more (see result.json)", more))
	}
	return strings.Join(all, "\n")
}

// reasons are all things of a scenario that are as bad as the scenario, in the order of its steps.
func reasons(r *result.Scenario) (all []string) {
	if r.Reason != "" {
		all = append(all, r.Reason)
	}
	if r.Outcome == result.Passed {
		return all
	}
	for _, step := range r.Steps {
		if step.Outcome != r.Outcome {
			continue
		}
		n := len(all)
		for _, c := range step.Checks {
			if c.Outcome == r.Outcome {
				all = append(all, fmt.Sprintf("step %d, %s: %s", step.Index, step.Title, sentence(c)))
			}
		}
		if len(all) == n {
			all = append(all, brokenStep(step))
		}
	}
	for _, c := range r.Invariants {
		if c.Outcome == r.Outcome {
			all = append(all, "invariant: "+sentence(c))
		}
	}
	return all
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
