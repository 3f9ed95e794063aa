package spec

import (
	"encoding"
	"math"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestValuesRead(t *testing.T) {
	const second, most = time.Second, math.MaxInt64
	for _, tc := range []struct {
		in   string
		want any
	}{
		{"0", Duration(0)},
		{"500ms", Duration(500 * time.Millisecond)},
		{"1h30m", Duration(90 * time.Minute)},
		{"1.5s", Duration(1500 * time.Millisecond)},
		{"100µs", Duration(100 * time.Microsecond)},
		{"0", Size(0)},
		{"4096", Size(4096)},
		{"64k", Size(64 << 10)},
		{"10M", Size(10 << 20)},
		{"2G", Size(2 << 30)},
		{"0bit", Rate(0)},
		{"9600bit", Rate(9600)},
		{"64kbit", Rate(64_000)},
		{"10Mbit", Rate(10_000_000)},
		{"1000Gbit", Rate(1_000_000_000_000)},
		{"3", Range{3, 3}},
		{">= 1", Range{1, most}},
		{">=1", Range{1, most}},
		{"<= 4", Range{0, 4}},
		{"2..5", Range{2, 5}},
		{"2 .. 5", Range{2, 5}},
		{">= 64k", Range{64 << 10, most}},
		{"<= 50ms", DurationRange{0, 50 * time.Millisecond}},
		{">= 3s", DurationRange{3 * second, most}},
		{"2.9s..3.1s", DurationRange{2900 * time.Millisecond, 3100 * time.Millisecond}},
		{"3s", DurationRange{3 * second, 3 * second}},
		{"<= 5%", PercentRange{0, 50_000}},
		{">= 0.0001%", PercentRange{1, most}},
		{"20%..30.5%", PercentRange{200_000, 305_000}},
		{"100%", PercentRange{1_000_000, 1_000_000}},
		{"any text", Word("any text")},
	} {
		switch want := tc.want.(type) {
		case Duration:
			reads(t, tc.in, want)
		case Size:
			reads(t, tc.in, want)
		case Rate:
			reads(t, tc.in, want)
		case Range:
			reads(t, tc.in, want)
		case DurationRange:
			reads(t, tc.in, want)
		case PercentRange:
			reads(t, tc.in, want)
		case Word:
			reads(t, tc.in, want)
		}
	}
}

// text is a pointer to a value that reads and writes itself.
type text[T any] interface {
	*T
	encoding.TextUnmarshaler
}

func reads[T any, P text[T]](t *testing.T, in string, want T) {
	var got T
	require.NoError(t, P(&got).UnmarshalText([]byte(in)), in)
	require.Equal(t, want, got, in)
	require.NoError(t, yaml.Unmarshal([]byte(`"`+in+`"`), &got), "the YAML module's own decoder reads it too")
	require.Equal(t, want, got, in)
}

func refuses[T any, P text[T]](t *testing.T, message string, in ...string) {
	for _, in := range in {
		var got T
		require.EqualError(t, P(&got).UnmarshalText([]byte(in)), message, "%q", in)
		require.Zero(t, got, "%q", in)
	}
}

func TestValuesRefused(t *testing.T) {
	refuses[Duration](t, `want a time span with its unit, such as 500ms, 3s or 8h`, "", "5", "s", "3 s", "3d", "1e3s", "99999999999h", "NaN")
	refuses[Rate](t, errRate.Error(), "", "10", "bit", "Mbit", "-1bit", "10M", "10MBit", "1.5Mbit", "1001Gbit", "99999999999999999999bit")
	refuses[Duration](t, `a time span cannot be negative`, "-1s")
	refuses[Duration](t, `a time span is at most 87600h`, "87601h")
	refuses[Size](t, `want a number of bytes, such as 4096, 64k or 10M`, "", "k", "-1", "1.5k", "64 k", "64K", "64kB", "9223372036854775808", "9007199254740992k")
	refuses[Range](t, `want a number, ">= 1", "<= 4" or "2..5"`, "", ">=", "> 1", "..", "1..", "..1", "1..2..3", "-1", "a")
	refuses[Range](t, `the lower bound 5 is above the upper bound 2`, "5..2")
	refuses[DurationRange](t, `want "<= 50ms", ">= 3s" or "2.9s..3.1s"`, "", "<= 50", "3", "< 3s", "1s..")
	refuses[DurationRange](t, `the lower bound 3s is above the upper bound 1s`, "3s..1s")
	refuses[DurationRange](t, `a time span cannot be negative`, "<= -1s")
	refuses[PercentRange](t, `want "<= 5%", ">= 1%" or "20%..30%"`, "", "5", "0.05", "%", ".5%", "5.%", "101%", "5.00001%", "-1%", "1%..", "99999999999%")
	refuses[PercentRange](t, `the lower bound 5% is above the upper bound 2%`, "5%..2%")
}

func TestValuesPrint(t *testing.T) {
	require.Equal(t, "8h", Duration(8*time.Hour).String())
	require.Equal(t, "1h30m", Duration(90*time.Minute).String())
	require.Equal(t, "1h0m1s", Duration(time.Hour+time.Second).String())
	require.Equal(t, "10s", Duration(10*time.Second).String())
	require.Equal(t, "10M", Size(10<<20).String())
	require.Equal(t, "1025", Size(1025).String())
	require.Equal(t, "0", Size(0).String())
	require.Equal(t, "10Mbit", Rate(10_000_000).String())
	require.Equal(t, "1500bit", Rate(1500).String())
	require.Equal(t, "3", Range{3, 3}.String())
	require.Equal(t, "0", Range{}.String())
	require.Equal(t, ">= 1", Range{1, math.MaxInt64}.String())
	require.Equal(t, "<= 4", Range{0, 4}.String())
	require.Equal(t, "2..5", Range{2, 5}.String())
	require.Equal(t, "<= 4.5%", PercentRange{0, 45_000}.String())
	require.Equal(t, "2.9s..3.1s", DurationRange{2900 * time.Millisecond, 3100 * time.Millisecond}.String())
}

func TestRangesContain(t *testing.T) {
	for v, want := range map[int64]bool{1: false, 2: true, 5: true, 6: false} {
		require.Equal(t, want, Range{2, 5}.Contains(v), v)
		require.Equal(t, want, DurationRange{2, 5}.Contains(time.Duration(v)), v)
	}
}

// TestValuesRoundTrip: what a value prints reads back to the same value, and
// the published schema accepts it.
func TestValuesRoundTrip(t *testing.T) {
	s := compiled(t)
	step := s.Properties["steps"].Items2020.Ref
	expect := step.Properties["expect"].Ref
	bytes := step.Properties["transfer"].Ref.Properties["bytes"]
	span := rapid.Int64Range(0, int64(maxDuration))
	rapid.Check(t, func(t *rapid.T) {
		bounds := func(label string, g *rapid.Generator[int64]) (int64, int64) {
			a, b := g.Draw(t, label+" bound"), g.Draw(t, label+" bound")
			switch rapid.IntRange(0, 2).Draw(t, label+" form") {
			case 0:
				return min(a, b), max(a, b)
			case 1:
				return a, math.MaxInt64
			}
			return 0, a
		}
		roundTrip(t, Duration(span.Draw(t, "duration")), step.Properties["at"])
		roundTrip(t, Size(rapid.Int64Range(0, math.MaxInt64).Draw(t, "size")), bytes)
		roundTrip(t, Rate(rapid.Int64Range(0, maxRate).Draw(t, "rate")), step.Properties["set-link"].Ref.Properties["rate"])
		low, high := bounds("range", rapid.Int64Range(0, math.MaxInt64-1))
		roundTrip(t, Range{low, high}, expect.Properties["received"])
		low, high = bounds("duration range", span)
		roundTrip(t, DurationRange{time.Duration(low), time.Duration(high)}, expect.Properties["latency"])
		low, high = bounds("percent range", rapid.Int64Range(0, millionth))
		roundTrip(t, PercentRange{low, high}, expect.Properties["loss"])
	})
}

func roundTrip[T encoding.TextMarshaler, P text[T]](t *rapid.T, v T, s *jsonschema.Schema) {
	text, err := v.MarshalText()
	require.NoError(t, err)
	var back T
	require.NoError(t, P(&back).UnmarshalText(text), string(text))
	require.Equal(t, v, back, string(text))
	require.NoError(t, s.Validate(string(text)), string(text))
}
