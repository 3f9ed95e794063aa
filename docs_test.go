package ipseclab_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Every key of the scenario file is in its reference.
func TestScenarioReferenceIsComplete(t *testing.T) {
	const page = "docs/scenarios.md"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z0-9-]+)[`:]").FindAllSubmatch(text, -1) {
		documented[string(m[1])] = true
	}
	for _, key := range []string{"parameters", "matrix", "vary", "include", "exclude"} { // of a file, not of each scenario in it
		require.True(t, documented[key], "%s does not mention `%s`", page, key)
	}
	seen := map[reflect.Type]bool{}
	keys := 0
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] || typ.PkgPath() != reflect.TypeFor[spec.Scenario]().PkgPath() {
				return
			}
			seen[typ] = true
			for i := range typ.NumField() {
				f := typ.Field(i)
				key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				if !f.IsExported() || key == "-" {
					continue
				}
				if option != "inline" && key != "" {
					keys++
					require.True(t, documented[key], "%s does not mention `%s` (%s.%s)", page, key, typ, f.Name)
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[spec.Scenario]())
	require.Greater(t, keys, 80, "the walk through the types misses some")
}

// A block whose first line names a file in a comment shows that file, or parts
// of it in their order with a line "…" in a comment for what is left out.
func TestExcerpts(t *testing.T) {
	shown := map[string]int{}
	for _, page := range pages(t) {
		for language, comment := range map[string]string{"yaml": "# ", "go": "// "} {
			for _, block := range blocks(t, page, language) {
				first, excerpt, _ := strings.Cut(block, "\n")
				name, ok := strings.CutPrefix(first, comment)
				if _, err := os.Stat(name); !ok || err != nil {
					continue
				}
				shown[language]++
				text, err := os.ReadFile(name)
				require.NoError(t, err)
				rest := string(text)
				for _, part := range strings.Split(excerpt, comment+"…\n") {
					part = strings.Trim(part, "\n")
					_, after, found := strings.Cut(rest, part)
					require.True(t, found, "%s shows what %s does not have, or not there:\n%s", page, name, part)
					rest = after
				}
			}
		}
	}
	require.Len(t, shown, 2, "no page shows a scenario, or none shows Go code")
}

// A session that a page shows, "$ command" and what it prints, is what the
// command prints today; a line "…" stands for the rest of it.
func TestSessions(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, block := range blocks(t, page, "console") {
			line, want, _ := strings.Cut(block, "\n")
			command, ok := strings.CutPrefix(line, "$ go run ./cmd/ipseclab ")
			require.True(t, ok, "%s: a session does not begin with $ go run ./cmd/ipseclab: %q", page, line)
			found++
			cmd := exec.Command("go", append([]string{"run", "./cmd/ipseclab"}, strings.Fields(command)...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, "%s: %s", line, stderr.String())
			got := string(out)
			if start, more := strings.CutSuffix(want, "\n…\n"); more {
				require.True(t, strings.HasPrefix(got, start+"\n"), "%s: %s prints\n%s", page, line, got)
			} else {
				require.Equal(t, want, got, "%s: %s", page, line)
			}
		}
	}
	require.NotZero(t, found, "no page shows a session")
}

// Links between the pages, and from them to files, lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	found := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range link.FindAllSubmatch(text, -1) {
			to := string(m[1])
			if strings.Contains(to, "://") {
				continue
			}
			found++
			_, err := os.Stat(filepath.Join(filepath.Dir(page), to))
			require.NoError(t, err, "%s links to %s", page, to)
		}
	}
	require.NotZero(t, found)
}

// Every claim that a scenario, a comment or a test cites is explained, and no other.
func TestClaims(t *testing.T) {
	const page = "docs/claims.md"
	id := regexp.MustCompile(`\bC\d{3}\b`)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	listed := map[string]bool{}
	for _, c := range id.FindAllString(string(text), -1) {
		listed[c] = true
	}
	rows := regexp.MustCompile(`(?m)^\| (C\d{3}) \|.*\|$`).FindAllSubmatch(text, -1)
	require.True(t, slices.IsSortedFunc(rows, func(a, b [][]byte) int { return bytes.Compare(a[1], b[1]) }), "the rows of %s are in order", page)
	head := "\n\n| Claim | Source | What it says | How it is seen |\n|---|---|---|---|\n"
	require.True(t, bytes.Contains(text, append([]byte(head), rows[0][0]...)), "the table of %s begins with its head", page)

	cited := map[string]bool{}
	for _, tree := range worldTrees {
		require.NoError(t, filepath.WalkDir(tree, func(p string, _ fs.DirEntry, err error) error {
			if ext := filepath.Ext(p); err != nil || ext != ".go" && ext != ".yaml" {
				return err
			}
			text, err := os.ReadFile(p)
			for _, c := range id.FindAllString(string(text), -1) {
				cited[c] = true
				require.True(t, listed[c], "%s cites %s, which %s does not have", p, c, page)
			}
			return err
		}))
	}
	for _, c := range slices.Sorted(maps.Keys(listed)) {
		require.True(t, cited[c], "%s lists %s, which nothing cites", page, c)
	}
}

// pages are the Markdown files at the root and in docs.
func pages(t *testing.T) []string {
	t.Helper()
	out, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir("docs", func(p string, _ fs.DirEntry, err error) error {
		if filepath.Ext(p) == ".md" {
			out = append(out, p)
		}
		return err
	}))
	return out
}

// blocks are the contents of a page's fenced blocks in one language.
func blocks(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var out []string
	rest := string(text)
	for {
		_, after, ok := strings.Cut(rest, "\n```"+language+"\n")
		if !ok {
			return out
		}
		block, next, ok := strings.Cut(after, "```\n")
		require.True(t, ok, "%s: a block has no end", page)
		out, rest = append(out, block), next
	}
}
