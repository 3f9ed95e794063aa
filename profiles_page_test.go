package ipseclab_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/profile"
)

// The tables of docs/profiles.md are those of the data.
func TestProfilesPage(t *testing.T) {
	parts(t, "docs/profiles.md",
		part{"windows", profileTable("windows", "ipsec", "no-default-exempt", "main-mode-groups", "authentication", "server-filters", "authentication-on-permit", "firewall", "firewall-on", "vendor-ids")},
		part{"silent", profileTable("silent")},
		part{"others", profileTable("others", "modes", "main-mode-ciphers", "main-mode-groups", "esp-ciphers", "authentication", "retransmit")},
		part{"keys", keyTable()},
	)
}

// part is what a page has between two comments.
type part struct{ name, want string }

// parts compares those of a page with what is wanted, or with -fix writes them anew.
func parts(t *testing.T, page string, all ...part) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, part := range all {
		begin, end := "<!-- "+part.name+" -->\n", "<!-- /"+part.name+" -->"
		before, rest, ok := strings.Cut(string(text), begin)
		require.True(t, ok, "%s: no line %q", page, begin)
		got, after, ok := strings.Cut(rest, end)
		require.True(t, ok, "%s: no line %q", page, end)
		if *fix {
			text = []byte(before + begin + part.want + end + after)
			continue
		}
		require.Equal(t, part.want, got, "%s is out of date; write it anew with: go test . -run Page -fix", page)
	}
	if *fix {
		require.NoError(t, os.WriteFile(page, text, 0o666))
	}
}

// profileTable is a row for each profile of a group, with some of its values; what is not
// a fact is marked.
func profileTable(group string, columns ...string) string {
	var b strings.Builder
	b.WriteString("| Name | What it is |")
	for _, c := range columns {
		fmt.Fprintf(&b, " `%s` |", c)
	}
	b.WriteString("\n|" + strings.Repeat("---|", 2+len(columns)) + "\n")
	for _, p := range profile.All() {
		if p.Group != group {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s |", p.Name, p.Title)
		for _, c := range columns {
			v, ok := p.Value(c)
			switch mark := map[profile.Status]string{profile.Unconfirmed: " ?", profile.Choice: " †"}[v.Status]; {
			case !ok:
				b.WriteString(" |")
			default:
				fmt.Fprintf(&b, " %s%s |", v.Text, mark)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func keyTable() string {
	var b strings.Builder
	b.WriteString("| Key | Meaning | The lab acts on it |\n|---|---|---|\n")
	for _, k := range profile.Keys() {
		acts := "no"
		if k.Acts {
			acts = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, k.Meaning, acts)
	}
	return b.String()
}
