package result

import "fmt"

// Reasons are all things of a scenario that are as bad as the scenario, in the order of its
// steps, each in a sentence; none when it passed.
func (r *Scenario) Reasons() (all []string) {
	if r.Reason != "" {
		all = append(all, r.Reason)
	}
	if r.Outcome == Passed {
		return all
	}
	for _, step := range r.Steps {
		if step.Outcome != r.Outcome {
			continue
		}
		n := len(all)
		for _, c := range step.Checks {
			if c.Outcome == r.Outcome {
				all = append(all, fmt.Sprintf("step %d, %s: %s", step.Index, step.Title, c.Sentence()))
			}
		}
		if len(all) == n {
			all = append(all, brokenStep(step))
		}
	}
	for _, c := range r.Invariants {
		if c.Outcome == r.Outcome {
			all = append(all, "invariant: "+c.Sentence())
		}
	}
	return all
}

// brokenStep is a step that could not be done, with its place in the file and, at
// the end of what it got, the reason.
func brokenStep(s Step) string {
	text := fmt.Sprintf("step %d, %s", s.Index, s.Title)
	if s.Line > 0 {
		text += fmt.Sprintf(" (line %d)", s.Line)
	}
	if n := len(s.Got); n > 0 {
		text += ": " + s.Got[n-1]
	}
	return text
}

// Sentence is the check with its place in the file and the reason.
func (c Check) Sentence() string {
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
