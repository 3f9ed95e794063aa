package pcapng

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever packets are written, on any interfaces that came up in between, are
// read back the same: bytes, times to the nanosecond, names and comments.
func TestAnyCaptureRoundTrips(t *testing.T) {
	text := rapid.StringN(0, 20, 60)
	rapid.Check(t, func(t *rapid.T) {
		var file bytes.Buffer
		w, err := NewWriter(&file)
		require.NoError(t, err)
		var names []string
		var want []Packet
		for range rapid.IntRange(1, 30).Draw(t, "blocks") {
			if len(names) == 0 || rapid.IntRange(0, 4).Draw(t, "interface") == 0 {
				names = append(names, text.Draw(t, "name"))
				n, err := w.AddInterface(names[len(names)-1], LinkEthernet)
				require.NoError(t, err)
				require.Equal(t, len(names)-1, n)
				continue
			}
			on := rapid.IntRange(0, len(names)-1).Draw(t, "on")
			p := Packet{Link: LinkEthernet,
				Number:    len(want) + 1,
				Interface: names[on],
				At:        time.Unix(rapid.Int64Range(0, 1<<34).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC(),
				Data:      rapid.SliceOfN(rapid.Byte(), 0, 1514).Draw(t, "data"),
				Comment:   text.Draw(t, "comment"),
			}
			require.NoError(t, w.WritePacket(on, p.At, p.Data, p.Comment))
			want = append(want, p)
		}
		got, err := Read(bytes.NewReader(file.Bytes()))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}
