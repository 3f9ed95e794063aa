package main

import (
	"fmt"
	"time"
)

// moment is a virtual time of a run on the command line.
type moment time.Duration

// UnmarshalText reads a time span in Go's notation.
func (m *moment) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no time of a run: it has a unit, as in 10s, 5m or 1h30m", b)
	}
	*m = moment(d)
	return nil
}
