package ipseclab_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop/cases"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// The table of the cases of the interop matrix is that of the files.
func TestInteropCasesPage(t *testing.T) {
	parts(t, "docs/interop.md", part{"cases", caseTable(t)})
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
