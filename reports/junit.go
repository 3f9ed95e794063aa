package reports

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/ipseclab/ipseclab/internal/result"
)

// JUnit writes the run as JUnit XML for build servers: a test suite per
// scenario, a test case per check, and one for each step whose outcome no check
// of it explains. Failed checks are failures, broken ones errors, unsupported
// ones skipped with the reason; an interrupted run has an error of its own. Times of suites are wall times of the run; steps
// and checks have none, since theirs are virtual.
func JUnit(w io.Writer, run *result.Run, scenarios []*result.Scenario) error {
	all := junit.Testsuites{Name: "ipseclab", Time: seconds(run.Wall)}
	entries := map[string]result.Entry{}
	for _, e := range run.Scenarios {
		entries[e.Name] = e
	}
	for i, s := range scenarios {
		suite := junit.Testsuite{Name: s.Name, ID: i, Package: "ipseclab", File: s.File, Time: seconds(entries[s.Name].Wall)}
		suite.AddProperty("title", s.Title)
		suite.AddProperty("seed", fmt.Sprint(s.Seed))
		suite.AddProperty(timeOf(s), s.Virtual.String())
		for _, p := range s.Cell {
			suite.AddProperty(p.Parameter, p.Value)
		}
		if len(s.Claims) > 0 {
			suite.AddProperty("claims", strings.Join(s.Claims, " "))
		}
		for _, c := range cases(s) {
			suite.AddTestcase(c)
		}
		all.AddSuite(suite)
	}
	if run.Interrupted {
		suite := junit.Testsuite{Name: "ipseclab", ID: len(scenarios), Package: "ipseclab"}
		suite.AddTestcase(junit.Testcase{Name: "run", Classname: "ipseclab", Error: &junit.Result{
			Message: "the run was interrupted: only what finished is here",
		}})
		all.AddSuite(suite)
	}
	if _, err := io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"); err != nil {
		return fmt.Errorf("reports: writing JUnit XML: %w", err)
	}
	if err := all.WriteXML(w); err != nil {
		return fmt.Errorf("reports: writing JUnit XML: %w", err)
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// cases are the test cases of a scenario.
func cases(s *result.Scenario) []junit.Testcase {
	var out []junit.Testcase
	for _, step := range s.Steps {
		class := fmt.Sprintf("%s.step %d", s.Name, step.Index)
		explained := result.Outcome("")
		for _, c := range step.Checks {
			explained = explained.Worse(c.Outcome)
			c.Name = step.Title + ": " + c.Name
			out = append(out, testcase(s, class, c))
		}
		if explained == "" || step.Outcome.Compare(explained) > 0 {
			out = append(out, testcase(s, class, result.Check{
				Name: step.Title, Outcome: step.Outcome, Line: step.Line, Got: strings.Join(step.Got, "; "),
			}))
		}
	}
	worst := result.Outcome("")
	for _, step := range s.Steps {
		worst = worst.Worse(step.Outcome)
	}
	for _, c := range s.Invariants {
		worst = worst.Worse(c.Outcome)
		out = append(out, testcase(s, s.Name+".invariants", c))
	}
	if worst == "" || s.Outcome.Compare(worst) > 0 {
		out = append(out, testcase(s, s.Name, result.Check{Name: "the scenario", Outcome: s.Outcome, Reason: s.Reason}))
	}
	return out
}

func testcase(s *result.Scenario, class string, c result.Check) junit.Testcase {
	t := junit.Testcase{Name: c.Name, Classname: class, Status: string(c.Outcome)}
	var text []string
	if c.Want != "" {
		text = append(text, "want: "+c.Want)
	}
	if c.Got != "" {
		text = append(text, "got: "+c.Got)
	}
	if c.Reason != "" {
		text = append(text, c.Reason)
	}
	if c.Line > 0 {
		text = append(text, fmt.Sprintf("%s:%d", s.File, c.Line))
	}
	r := &junit.Result{Message: c.Reason, Type: string(c.Outcome), Data: characters(strings.Join(text, "\n"))}
	if r.Message == "" {
		r.Message = strings.Join(text, ", ")
	}
	switch c.Outcome {
	case result.Failed:
		t.Failure = r
	case result.Broken:
		t.Error = r
	case result.Unsupported:
		t.Skipped = r
	}
	return t
}

// characters replaces what XML cannot hold in a CDATA section, where the encoder
// lets everything pass. XML 1.0, Section 2.2.
func characters(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r >= 0x20 && r <= 0xfffd || r >= 0x10000 {
			return r
		}
		return utf8.RuneError
	}, s)
}
