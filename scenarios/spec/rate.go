package spec

import (
	"errors"
	"strconv"
	"strings"
)

const ratePattern = `[0-9]+[kMG]?bit`

// maxRate is the highest rate that a scenario may name, in bits per second.
const maxRate = 1_000_000_000_000

var errRate = errors.New("want bits per second, such as 9600bit, 64kbit, 10Mbit or 1Gbit, at most 1000Gbit")

var rateUnits = []struct {
	suffix string
	bits   int64
}{{"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

// BitsPerSecond is the number itself.
func (r Rate) BitsPerSecond() int64 { return int64(r) }

// String is the shortest form that UnmarshalText reads back to the same number.
func (r Rate) String() string {
	for _, u := range rateUnits {
		if r != 0 && int64(r)%u.bits == 0 {
			return strconv.FormatInt(int64(r)/u.bits, 10) + u.suffix
		}
	}
	return "0bit"
}

// MarshalText writes the form that UnmarshalText reads.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads bits per second, in units of 1000 with k, M or G before bit.
func (r *Rate) UnmarshalText(b []byte) error {
	for _, u := range rateUnits {
		digits, ok := strings.CutSuffix(string(b), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || int64(n) > maxRate/u.bits {
			break
		}
		*r = Rate(int64(n) * u.bits)
		return nil
	}
	return errRate
}
