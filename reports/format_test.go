package reports

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimesAndSizes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.000000", 1500 * time.Nanosecond: "0.000001", 59*time.Second + 999999*time.Microsecond: "59.999999",
		time.Minute: "1:00.000000", 8*time.Hour + 5*time.Second: "8:00:05.000000", -time.Second: "-1.000000",
	} {
		require.Equal(t, want, clock(d))
	}
	for d, want := range map[time.Duration]string{
		0: "0 s", 7: "7 ns", 250 * time.Microsecond: "250 µs", 38200 * time.Microsecond: "38.2 ms", 3002 * time.Millisecond: "3.002 s",
		63 * time.Second: "1 min 3 s", 8 * time.Hour: "8 h 0 min", -time.Second: "-1 s",
	} {
		require.Equal(t, want, span(d))
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1\u202f000", 1234567: "1\u202f234\u202f567", -1000: "-1\u202f000", -100: "-100"} {
		require.Equal(t, want, count(n))
	}
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 10 << 20: "10.0 MiB", 3 << 30: "3.0 GiB"} {
		require.Equal(t, want, size(n))
	}
	require.Equal(t, "1 frame", plural(1, "frame"))
	require.Equal(t, "0 frames", plural(0, "frame"))
	require.Equal(t, "abc", short("abc", 3))
	require.Equal(t, "ab…", short("abcd", 3))
}
