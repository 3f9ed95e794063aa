package ipseclab_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var fix = flag.Bool("fix", false, "write docs/imports.txt, and its copy in docs/architecture.md, anew")

const diagramHead = `Who imports whom inside the module. A package stands above all that it imports;
an import that follows from another one is left out. Drawn from go list by
go test . -run TestImportsDiagram -fix

`

// The diagram in docs, and its copy in the architecture page, are those of today's imports.
func TestImportsDiagram(t *testing.T) {
	const file, page, begin, end = "docs/imports.txt", "docs/architecture.md", "<!-- imports.txt -->\n```\n", "```\n<!-- /imports.txt -->"
	want := diagramHead + goList(t).draw()

	architecture, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(architecture), begin)
	require.True(t, ok, "%s: no line %q", page, begin)
	embedded, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s: no line %q", page, end)

	if *fix {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o666))
		require.NoError(t, os.WriteFile(page, []byte(before+begin+want+end+after), 0o666))
		return
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	const stale = "%s is out of date; draw it anew with: go test . -run TestImportsDiagram -fix"
	require.Equal(t, want, string(got), stale, file)
	require.Equal(t, want, embedded, stale, page)
}

func TestDraw(t *testing.T) {
	require.Equal(t, `2  top                       -> lone, mid
1  mid                       -> leaf
0  leaf
   lone
`, graph{module: "m", imports: map[string][]string{
		"m/top":  {"fmt", "m/lone", "m/leaf", "m/mid"},
		"m/mid":  {"m/leaf", "example.org/x"},
		"m/leaf": nil,
		"m/lone": nil,
	}}.draw())
}

// graph is who imports whom, by full import path, of the module and all that it stands on.
type graph struct {
	module  string
	imports map[string][]string
}

func (g graph) short(path string) string { return strings.TrimPrefix(path, g.module+"/") }

// own are the module's packages by short name, sorted.
func (g graph) own() []string {
	var out []string
	for path := range g.imports {
		if name, ok := strings.CutPrefix(path, g.module+"/"); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// path is a shortest chain of imports from a package to another one that is wanted; nil when there is none.
func (g graph) path(from string, wanted func(path string) bool) []string {
	seen := map[string]bool{from: true}
	for queue := [][]string{{from}}; len(queue) > 0; queue = queue[1:] {
		last := queue[0][len(queue[0])-1]
		if last != from && wanted(last) {
			return queue[0]
		}
		for _, to := range g.imports[last] {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, append(slices.Clone(queue[0]), to))
			}
		}
	}
	return nil
}

// goList asks the go command for the graph, of this machine's platform and without test files.
func goList(t *testing.T) graph {
	t.Helper()
	cmd := exec.Command("go", "list", "-buildvcs=false", "-deps", "-json=ImportPath,Imports,GoFiles", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go list: %s", stderr.String())
	g := graph{module: module, imports: map[string][]string{}}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
			GoFiles    []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		if len(p.GoFiles) > 0 {
			g.imports[p.ImportPath] = p.Imports
		}
		if below(p.ImportPath, module) {
			// The go command caches a pass of this test by the files that the
			// test itself opened, not by those that go list read.
			for _, f := range p.GoFiles {
				file, err := os.Open(strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") + "/" + f)
				require.NoError(t, err)
				require.NoError(t, file.Close())
			}
		}
	}
	return g
}

// draw is the module's own part of the graph in layers, highest first. A
// package's layer is the longest chain of imports below it.
func (g graph) draw() string {
	layers := map[string]int{}
	top := 0
	var layer func(pkg string) int
	layer = func(pkg string) int {
		if n, ok := layers[pkg]; ok {
			return n
		}
		n := 0
		for _, to := range g.ownImports(pkg) {
			n = max(n, layer(to)+1)
		}
		layers[pkg], top = n, max(top, n)
		return n
	}
	for _, pkg := range g.own() {
		layer(pkg)
	}
	var b strings.Builder
	for n := top; n >= 0; n-- {
		label := fmt.Sprint(n)
		for _, pkg := range g.own() {
			if layers[pkg] != n {
				continue
			}
			line := fmt.Sprintf("%-2s %s", label, pkg)
			if to := g.reduced(pkg); len(to) > 0 {
				line = fmt.Sprintf("%-28s -> %s", line, strings.Join(to, ", "))
			}
			fmt.Fprintln(&b, line)
			label = ""
		}
	}
	return b.String()
}

// ownImports are the imports of a package inside the module, short and sorted.
func (g graph) ownImports(pkg string) []string {
	var out []string
	for _, path := range g.imports[g.module+"/"+pkg] {
		if to, ok := strings.CutPrefix(path, g.module+"/"); ok {
			out = append(out, to)
		}
	}
	slices.Sort(out)
	return out
}

// reduced are the imports of a package inside the module that no other of its imports reaches.
func (g graph) reduced(pkg string) []string {
	all := g.ownImports(pkg)
	return slices.DeleteFunc(slices.Clone(all), func(to string) bool {
		return slices.ContainsFunc(all, func(via string) bool {
			return g.path(g.module+"/"+via, func(p string) bool { return p == g.module+"/"+to }) != nil
		})
	})
}
