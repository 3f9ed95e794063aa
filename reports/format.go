package reports

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// clock prints a time since the start of the world, to the microsecond:
// 12.345678, 1:05.000000 or 8:00:00.000000.
func clock(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	us := d.Microseconds()
	s, us := us/1e6, us%1e6
	switch {
	case s < 60:
		return fmt.Sprintf("%s%d.%06d", sign, s, us)
	case s < 3600:
		return fmt.Sprintf("%s%d:%02d.%06d", sign, s/60, s%60, us)
	}
	return fmt.Sprintf("%s%d:%02d:%02d.%06d", sign, s/3600, s/60%60, s%60, us)
}

// span prints a length of time for people, with at most four significant digits
// below a minute: 250 µs, 3.002 s, 8 h 0 min.
func span(d time.Duration) string {
	digits := func(v float64, unit string) string {
		return strings.TrimSuffix(strconv.FormatFloat(v, 'g', 4, 64), ".") + " " + unit
	}
	switch {
	case d < 0:
		return "-" + span(-d)
	case d == 0:
		return "0 s"
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < time.Millisecond:
		return digits(float64(d)/1e3, "µs")
	case d < time.Second:
		return digits(float64(d)/1e6, "ms")
	case d < time.Minute:
		return digits(float64(d)/1e9, "s")
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

// count prints a number with thousands apart.
func count[N int | int64 | uint64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// size prints a number of bytes in powers of 1024.
func size[N int | int64 | uint64](n N) string {
	switch v := float64(n); {
	case v < 1<<10:
		return fmt.Sprintf("%d B", n)
	case v < 1<<20:
		return fmt.Sprintf("%.1f KiB", v/(1<<10))
	case v < 1<<30:
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", v/(1<<30))
	}
}

// plural is the number with its noun: 1 frame, 2 frames.
func plural[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// spi prints a security parameter index as Wireshark does.
func spi(v uint32) string { return fmt.Sprintf("0x%08x", v) }

// short cuts a text after n runes and shows that it did.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
