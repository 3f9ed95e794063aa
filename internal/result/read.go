package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Limit is the longest result.json, in bytes, that Read takes.
const Limit = 64 << 20

// Read restores the result of one scenario from its result.json. Fields that
// this version does not know are ignored; an outcome that is none of the four is
// an error, because nothing could be said about it.
func Read(r io.Reader) (*Scenario, error) {
	limited := &io.LimitedReader{R: r, N: Limit + 1}
	d := json.NewDecoder(limited)
	var s Scenario
	if err := d.Decode(&s); err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("result: longer than %d bytes", Limit)
		}
		if errors.Is(err, io.EOF) {
			return nil, errors.New("result: the file is empty")
		}
		return nil, fmt.Errorf("result: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("result: something follows the result")
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	return &s, nil
}

// check finds outcomes that are none of the four.
func (s *Scenario) check() error {
	if !s.Outcome.Known() {
		return fmt.Errorf("scenario %q has the unknown outcome %q", s.Name, s.Outcome)
	}
	checks := func(where string, list []Check) error {
		for _, c := range list {
			if !c.Outcome.Known() {
				return fmt.Errorf("%s: check %q has the unknown outcome %q", where, c.Name, c.Outcome)
			}
		}
		return nil
	}
	for _, step := range s.Steps {
		if !step.Outcome.Known() {
			return fmt.Errorf("step %d has the unknown outcome %q", step.Index, step.Outcome)
		}
		if err := checks(fmt.Sprintf("step %d", step.Index), step.Checks); err != nil {
			return err
		}
	}
	return checks("invariants", s.Invariants)
}

// Known reports whether o is one of the four outcomes.
func (o Outcome) Known() bool {
	_, ok := order[o]
	return ok
}

// Compare orders outcomes from least bad to worst, for sorting.
func (o Outcome) Compare(p Outcome) int { return order[o] - order[p] }
