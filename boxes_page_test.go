package ipseclab_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipseclab/ipseclab/internal/sourced"
	"github.com/ipseclab/ipseclab/natbox/boxes"
)

// The tables of NAT boxes are those of the data.
func TestBoxesPage(t *testing.T) {
	parts(t, "docs/nat.md", part{"boxes", boxTable("udp-mapping", "udp-filtering", "port-assignment", "hairpinning", "udp-timeout", "tcp-established-timeout", "esp", "ike")})
	parts(t, "docs/scenarios.md", part{"nat-keys", boxKeyTable()})
}

// boxTable is a row for each box, with some of its values; what is not a fact is marked.
func boxTable(columns ...string) string {
	var b strings.Builder
	b.WriteString("| Name | What it is |")
	for _, c := range columns {
		fmt.Fprintf(&b, " `%s` |", c)
	}
	b.WriteString("\n|" + strings.Repeat("---|", 2+len(columns)) + "\n")
	for _, box := range boxes.All() {
		fmt.Fprintf(&b, "| `%s` | %s |", box.Name, box.Title)
		for _, c := range columns {
			if v, ok := box.Value(c); ok {
				fmt.Fprintf(&b, " %s%s", v.Text, map[sourced.Status]string{sourced.Unconfirmed: " ?", sourced.Choice: " †"}[v.Status])
			}
			b.WriteString(" |")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func boxKeyTable() string {
	var b strings.Builder
	b.WriteString("| Key | Meaning | Values |\n|---|---|---|\n")
	for _, k := range boxes.Keys() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, k.Meaning, strings.Join(k.Words, ", "))
	}
	return b.String()
}
