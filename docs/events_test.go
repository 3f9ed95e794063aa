package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/trace"
)

var eventRow = regexp.MustCompile("(?m)^\\| `([a-z.]+)` \\| [^|]+ \\| (.*) \\|$")

// TestKindsOfEvents: the table in evidence.md has all kinds of events with all their fields.
func TestKindsOfEvents(t *testing.T) {
	text, err := os.ReadFile("evidence.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "### Kinds of events\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n## ")
	var kinds []string
	for _, m := range eventRow.FindAllStringSubmatch(table, -1) {
		kinds = append(kinds, m[1])
		require.Equal(t, "`"+strings.Join(trace.FieldNames(m[1]), "` `")+"`", m[2], m[1])
	}
	require.Equal(t, trace.Kinds(), kinds)
}
