package trace

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever text and numbers an event carries, the line that it makes is read
// back the same, and stays one line.
func TestAnyEventRoundTrips(t *testing.T) {
	text := rapid.StringN(0, 20, 60)
	bodies := rapid.OneOf(
		rapid.Map(rapid.Make[Step](), func(b Step) Body { return b }),
		rapid.Map(rapid.Make[Verdict](), func(b Verdict) Body { return b }),
		rapid.Map(rapid.Make[Application](), func(b Application) Body { return b }),
		rapid.Map(rapid.Make[Violation](), func(b Violation) Body { return b }),
		rapid.Map(rapid.Make[Acquire](), func(b Acquire) Body { return b }),
	)
	rapid.Check(t, func(t *rapid.T) {
		var file bytes.Buffer
		log := New(&file)
		events := rapid.IntRange(1, 10).Draw(t, "events")
		for range events {
			log.Record(time.Duration(rapid.Int64().Draw(t, "at")), text.Draw(t, "node"), bodies.Draw(t, "body"))
		}
		require.NoError(t, log.Err())
		require.Equal(t, events, bytes.Count(file.Bytes(), []byte("\n")))
		got, err := Read(bytes.NewReader(file.Bytes()))
		require.NoError(t, err)
		require.Equal(t, log.Events(), got)
	})
}
