package ipseclab_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipseclab/ipseclab/hosts/discovery"
	"github.com/ipseclab/ipseclab/natbox/boxes"
)

// The table of boxes that a discovery tells apart follows from their settings.
func TestDiscoveryPage(t *testing.T) { parts(t, "docs/discovery.md", part{"apart", apartTable()}) }

// few keys tell the boxes of a row apart; the others are further apart.
const few = 3

// apartTable has a row for each two boxes that are alike but for a few keys.
func apartTable() string {
	var b strings.Builder
	b.WriteString("| Box | Other box | Told apart by |\n|---|---|---|\n")
	inside := []netip.Addr{netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("192.168.1.3")}
	var all []discovery.Box
	for i := range boxes.All() {
		all = append(all, discovery.NewBox(boxes.All()[i].Name, boxes.Config(&boxes.All()[i]), inside))
	}
	for i, box := range all {
		for _, other := range all[i+1:] {
			keys := discovery.Apart(box, other)
			words := "nothing: to a discovery they are one"
			switch {
			case len(keys) > few:
				continue
			case len(keys) > 0:
				words = "`" + strings.Join(keys, "`, `") + "`"
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", box.Name, other.Name, words)
		}
	}
	return b.String()
}
