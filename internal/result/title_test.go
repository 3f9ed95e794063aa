package result

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommonTitle(t *testing.T) {
	for want, titles := range map[string][]string{
		"":                     nil,
		"one of them":          {"one of them"},
		"the same":             {"the same", "the same"},
		"Bytes of a packet":    {"Bytes of a packet: AH", "Bytes of a packet: ESP"},
		"New keys":             {"New keys: by the clock", "New keys: by volume"},
		"Both start …":         {"Both start, at once", "Both start, one later"},
		"Under …":              {"Under AH", "Under ESP"},
		"IKE message …":        {"IKE message 1 is lost", "IKE message 12 is lost", "IKE message 2 is lost"},
		"A line, in the mud …": {"A line, in the mud", "A line, in the mud and the rain"},
	} {
		require.Equal(t, want, CommonTitle(titles), "%q", titles)
	}
	require.Empty(t, CommonTitle([]string{"AH and ESP", "ESP and AH"}))
}
