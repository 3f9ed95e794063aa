package ipseclab_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/profile"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop/cases"
	"github.com/ipseclab/ipseclab/interop/scans"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// The tables of cases and of what a scanner says are those of the files.
func TestInteropPage(t *testing.T) {
	parts(t, "docs/interop.md", part{"cases", caseTable(t)}, part{"scans", scanTable(t)})
}

// caseTable is a row for each file, by area, which is the first word of its name.
func caseTable(t *testing.T) string {
	files, err := fs.Glob(cases.Files, "*_*.yaml")
	require.NoError(t, err)
	var b strings.Builder
	b.WriteString("| Case | What it is about | Cells | Mode | On the wire |\n|---|---|---|---|---|\n")
	total := 0
	for _, file := range files {
		cells, err := scenarios.LoadAllFS(cases.Files, file)
		require.NoError(t, err)
		total += len(cells)
		var titles, names, modes, wires []string
		for _, s := range cells {
			titles = append(titles, s.Title)
			if _, cell, ok := strings.Cut(s.Name, "/"); ok {
				names = append(names, "`"+cell+"`")
			}
			modes = append(modes, modesOf(s)...)
			wires = append(wires, wiresOf(s)...)
		}
		title := titles[0]
		if len(titles) > 1 {
			title = result.CommonTitle(titles)
		}
		fmt.Fprintf(&b, "| [`%s`](../interop/cases/%s) | %s | %s | %s | %s |\n",
			strings.TrimSuffix(file, ".yaml"), file, title, strings.Join(names, ", "), words(modes), words(wires))
	}
	fmt.Fprintf(&b, "\nThese are %d files with %d cells.\n", len(files), total)
	return b.String()
}

// words are the different ones, in alphabetical order.
func words(all []string) string {
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// modesOf are the modes of the SAs that the rules of a scenario negotiate.
func modesOf(s *spec.Scenario) (modes []string) {
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			switch {
			case s.FilterActions[r.FilterAction].Action != "negotiate":
			case r.Tunnel != "":
				modes = append(modes, "tunnel")
			default:
				modes = append(modes, "transport")
			}
		}
	}
	return modes
}

// wiresOf is what the expectations of a scenario want to see on the wire.
func wiresOf(s *spec.Scenario) (seen []string) {
	for _, step := range s.Steps {
		if step.Expect != nil && step.Expect.Wire != nil {
			seen = append(seen, step.Expect.Wire.Protection)
		}
	}
	return seen
}

// scanTable is what ike-scan is expected to say, a row for all profiles of which it says the same.
func scanTable(t *testing.T) string {
	s, err := scenarios.LoadFS(scans.Files, "fingerprints.yaml")
	require.NoError(t, err)
	type words struct{ vendor, guess string }
	var order []words
	profiles := map[words][]string{}
	for _, p := range profile.All() {
		n, ok := s.Nodes[p.Name]
		if !ok {
			continue
		}
		w := words{"none", ""}
		for _, line := range s.Steps[0].Expect.Output {
			line = class.ReplaceAllString(line, "$1")
			switch _, said, ok := strings.Cut(line, "(?m)^"+n.Interfaces[0].Prefixes()[0].Addr().String()+`\t`); {
			case !ok:
			case strings.HasPrefix(said, "Implementation guess: "):
				w.guess = strings.TrimSuffix(strings.TrimPrefix(said, "Implementation guess: "), "$")
			case strings.Contains(said, "VID="):
				_, said, _ = strings.Cut(said, " (")
				w.vendor = strings.TrimSuffix(said, ")")
			}
		}
		require.NotEmpty(t, w.guess, p.Name)
		if profiles[w] == nil {
			order = append(order, w)
		}
		profiles[w] = append(profiles[w], "`"+p.Name+"`")
	}
	var b strings.Builder
	b.WriteString("| Profiles | Vendor ID of | Guess by times |\n|---|---|---|\n")
	for _, w := range order {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(profiles[w], ", "), w.vendor, w.guess)
	}
	return b.String()
}

// class is a character that a regular expression has in brackets, to mean no other.
var class = regexp.MustCompile(`\[([.()+|])\]`)
