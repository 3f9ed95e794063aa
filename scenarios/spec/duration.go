package spec

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// maxDuration is the longest span that a scenario may name. Sums of a few of
// them still fit a time.Duration.
const maxDuration = 10 * 365 * 24 * time.Hour

// durationPattern is the form of a Duration as a regular expression of JSON Schema.
const durationPattern = `([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+`

var errDuration = errors.New(`want a time span with its unit, such as 500ms, 3s or 8h`)

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || text == "":
		return 0, errDuration
	case d < 0:
		return 0, errors.New("a time span cannot be negative")
	case d > maxDuration:
		return 0, fmt.Errorf("a time span is at most %s", formatDuration(maxDuration))
	}
	return d, nil
}

// formatDuration is time.Duration's form without the zero units at its end: 8h, not 8h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Span is the duration as the time package has it.
func (d Duration) Span() time.Duration { return time.Duration(d) }

func (d Duration) String() string { return formatDuration(time.Duration(d)) }

// MarshalText writes the form that UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a span of at most ten years in Go's notation.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := parseDuration(string(b))
	if err == nil {
		*d = Duration(v)
	}
	return err
}

// Contains reports whether v is within the bounds.
func (r DurationRange) Contains(v time.Duration) bool { return r.Min <= v && v <= r.Max }

func (r DurationRange) String() string {
	return formatRange(int64(r.Min), int64(r.Max), func(v int64) string { return formatDuration(time.Duration(v)) })
}

// MarshalText writes the form that UnmarshalText reads.
func (r DurationRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "<= 50ms", ">= 3s", "2.9s..3.1s" or "3s".
func (r *DurationRange) UnmarshalText(b []byte) error {
	low, high, err := parseRange(string(b), func(s string) (int64, error) {
		d, err := parseDuration(s)
		return int64(d), err
	})
	if errors.Is(err, errDuration) {
		return errors.New(`want "<= 50ms", ">= 3s" or "2.9s..3.1s"`)
	}
	if err == nil {
		*r = DurationRange{time.Duration(low), time.Duration(high)}
	}
	return err
}

// parseRange reads the four forms of a range; one parses a number of its kind.
func parseRange(text string, one func(string) (int64, error)) (low, high int64, err error) {
	if s, ok := strings.CutPrefix(text, ">="); ok {
		low, err = one(strings.TrimSpace(s))
		return low, math.MaxInt64, err
	}
	if s, ok := strings.CutPrefix(text, "<="); ok {
		high, err = one(strings.TrimSpace(s))
		return 0, high, err
	}
	a, b, ok := strings.Cut(text, "..")
	if low, err = one(strings.TrimSpace(a)); err != nil || !ok {
		return low, low, err
	}
	if high, err = one(strings.TrimSpace(b)); err == nil && low > high {
		err = fmt.Errorf("the lower bound %s is above the upper bound %s", strings.TrimSpace(a), strings.TrimSpace(b))
	}
	return low, high, err
}

func formatRange(low, high int64, one func(int64) string) string {
	switch {
	case low == high:
		return one(low)
	case high == math.MaxInt64:
		return ">= " + one(low)
	case low == 0:
		return "<= " + one(high)
	}
	return one(low) + ".." + one(high)
}
