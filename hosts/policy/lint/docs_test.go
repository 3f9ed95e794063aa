package lint

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the rules of docs/lint.md anew")

const (
	page   = "../../../docs/lint.md"
	marker = "<!-- rules -->\n"
)

// rulesPage is what docs/lint.md has below its marker.
func rulesPage() string {
	var b strings.Builder
	b.WriteString(marker + "\n| Rule | Severity | What is found | Source |\n|---|---|---|---|\n")
	for _, r := range Rules() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", r.ID, r.ID, r.Severity, r.Title, r.Sources())
	}
	for _, r := range Rules() {
		fmt.Fprintf(&b, "\n### %s\n\n%s. %s\n\n*Mend:* %s\n", r.ID, r.Title, r.Why, r.Fix)
	}
	return b.String()
}

// The page of the rules is made of the rules: go test ./hosts/policy/lint -run Page -update
func TestRulesPage(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	head, _, ok := strings.Cut(string(text), marker)
	require.True(t, ok)
	want := head + rulesPage()
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(text), "stale: run go test ./hosts/policy/lint -run Page -update")
}

// Rules are written alike, and each can be told from the others.
func TestRulesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		require.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)*$`, r.ID)
		require.False(t, seen[r.ID], r.ID)
		seen[r.ID] = true
		require.Same(t, r, RuleNamed(r.ID))
		require.NotContains(t, r.Title, ".", r.ID)
		for _, text := range []string{r.Why, r.Fix} {
			require.Regexp(t, `^[A-Z0-9].*\.$`, text, r.ID)
		}
		for _, c := range r.Claims {
			require.Regexp(t, regexp.MustCompile(`^C\d{3}$`), c, r.ID)
		}
	}
	require.Nil(t, RuleNamed("no-such-rule"))
}

func TestSeverity(t *testing.T) {
	for _, s := range []Severity{Info, Warning, Error} {
		text, err := s.MarshalText()
		require.NoError(t, err)
		var back Severity
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, s, back)
	}
	var s Severity
	require.EqualError(t, s.UnmarshalText([]byte("fatal")), `lint: "fatal" is no severity: info, warning or error`)
	require.Equal(t, "severity(9)", Severity(9).String())
}
