package spec

import "time"

// Duration is a time span in Go's notation: 500ms, 3s, 8h.
type Duration time.Duration

// Size is a number of bytes: 4096, 64k, 10M (powers of 1024).
type Size int64

// Rate is a number of bits per second: 9600bit, 64kbit, 10Mbit, 1Gbit (powers of 1000).
type Rate int64

// Range is a number, or bounds for one: 3, ">= 1", "<= 4", "2..5". Both bounds
// are inside. Numbers may carry a Size's suffix.
type Range struct{ Min, Max int64 }

// PercentRange is bounds for a share: "<= 5%", "20%..30%", or one exact share.
// Both bounds are inside. They are kept in millionths.
type PercentRange struct{ Min, Max int64 }

// Word is a plain value as text: a text, a number, true or false.
type Word string

// DurationRange is bounds for a time span: "<= 50ms", ">= 3s", "2.9s..3.1s", or
// one exact span. Both bounds are inside.
type DurationRange struct{ Min, Max time.Duration }
