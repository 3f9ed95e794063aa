package spec

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

const sizePattern = `[0-9]+[kMG]?`

var errSize = errors.New("want a number of bytes, such as 4096, 64k or 10M")

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"G", 1 << 30}, {"M", 1 << 20}, {"k", 1 << 10}, {"", 1}} // the empty suffix ends every text

func parseSize(text string) (int64, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || int64(n) > math.MaxInt64/u.bytes {
			break
		}
		return int64(n) * u.bytes, nil
	}
	return 0, errSize
}

// Bytes is the number itself.
func (s Size) Bytes() int64 { return int64(s) }

// String is the shortest form that UnmarshalText reads back to the same number.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return "0"
}

// MarshalText writes the form that UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a number of bytes, in units of 1024 with k, M or G behind it.
func (s *Size) UnmarshalText(b []byte) error {
	v, err := parseSize(string(b))
	if err == nil {
		*s = Size(v)
	}
	return err
}

const percentPattern = `[0-9]{1,3}(\.[0-9]{1,4})?%`

var errPercent = errors.New(`want "<= 5%", ">= 1%" or "20%..30%"`)

// millionth is what PercentRange counts in; 100% are a million.
const millionth = 1_000_000

// parsePercent reads a share with at most four decimals.
func parsePercent(text string) (int64, error) {
	digits, ok := strings.CutSuffix(text, "%")
	whole, decimals, dotted := strings.Cut(digits, ".")
	if !ok || len(decimals) > 4 || dotted && decimals == "" {
		return 0, errPercent
	}
	n, err := strconv.ParseUint(whole+(decimals + "0000")[:4], 10, 31)
	if err != nil || len(whole) == 0 || n > millionth {
		return 0, errPercent
	}
	return int64(n), nil
}

func formatPercent(v int64) string {
	return strconv.FormatFloat(float64(v)/(millionth/100), 'f', -1, 64) + "%"
}

// Contains reports whether a share, in millionths, is within the bounds.
func (r PercentRange) Contains(v int64) bool { return r.Min <= v && v <= r.Max }

func (r PercentRange) String() string { return formatRange(r.Min, r.Max, formatPercent) }

// MarshalText writes the form that UnmarshalText reads.
func (r PercentRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "5%", ">= 1%", "<= 4.5%" or "20%..30%".
func (r *PercentRange) UnmarshalText(b []byte) error {
	low, high, err := parseRange(string(b), parsePercent)
	if err == nil {
		*r = PercentRange{low, high}
	}
	return err
}

// UnmarshalText takes any text.
func (w *Word) UnmarshalText(b []byte) error {
	*w = Word(b)
	return nil
}

// Contains reports whether v is within the bounds.
func (r Range) Contains(v int64) bool { return r.Min <= v && v <= r.Max }

func (r Range) String() string {
	return formatRange(r.Min, r.Max, func(v int64) string { return strconv.FormatInt(v, 10) })
}

// MarshalText writes the form that UnmarshalText reads.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads 3, ">= 1", "<= 4" or "2..5".
func (r *Range) UnmarshalText(b []byte) error {
	low, high, err := parseRange(string(b), parseSize)
	if errors.Is(err, errSize) {
		return errors.New(`want a number, ">= 1", "<= 4" or "2..5"`)
	}
	if err == nil {
		*r = Range{low, high}
	}
	return err
}
