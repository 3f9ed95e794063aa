package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const smallest = "testdata/valid/smallest.yaml"

func TestFileTooLarge(t *testing.T) {
	const message = "big.yaml: the file is larger than 1 MiB, the most that a scenario may have"
	_, err := Parse("big.yaml", make([]byte, 10<<20))
	require.EqualError(t, err, message)
	_, err = Parse("big.yaml", make([]byte, MaxFileSize+1))
	require.EqualError(t, err, message)

	// On disk no more than the limit is read: this file has no end.
	_, err = parseFrom("big.yaml", endless{}, nil)
	require.EqualError(t, err, message)

	// A file of just the limit is read: comments alone, so that it is short for the parser.
	src, err := os.ReadFile(smallest)
	require.NoError(t, err)
	src = append(src, []byte(strings.Repeat("#", MaxFileSize-len(src)))...)
	_, err = Parse("big.yaml", src)
	require.NoError(t, err)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestFileCannotBeRead(t *testing.T) {
	_, err := ParseFile(filepath.Join(t.TempDir(), "absent.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ParseFS(os.DirFS(t.TempDir()), "absent.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ParseFile(t.TempDir())
	require.ErrorContains(t, err, "spec: reading ")
}

func TestNotAFile(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"a.yaml", "", "a.yaml: the file is empty: a scenario needs at least title, network, nodes and steps"},
		{"a.yaml", " \n\t\r\n", "a.yaml: the file is empty: a scenario needs at least title, network, nodes and steps"},
		{"a.yaml", "# later\n", "a.yaml: the file holds nothing but comments: a scenario needs at least title, network, nodes and steps"},
		{"a.yaml", "---\n...\n", "a.yaml: the file holds nothing but comments: a scenario needs at least title, network, nodes and steps"},
		{"A b.yaml", "title: x", `A b.yaml: a scenario is called after its file, and "A b" is no name: use a-z, 0-9, _ and -, at most 64`},
		{".yaml", "title: x", `.yaml: a scenario is called after its file, and "" is no name: use a-z, 0-9, _ and -, at most 64`},
		{"a.yaml", "title: x\nstory: a\x00b", "a.yaml:2:9: this is not text: want UTF-8\n  1 | title: x\n> 2 | story: a\uFFFDb\n    |         ^"},
		{"a.yaml", "é: \xff", "a.yaml:1:4: this is not text: want UTF-8\n> 1 | é: \uFFFD\n    |    ^"},
		{"a.yaml", "title: \x1b[31mred", "a.yaml:1:8: this is not text: want UTF-8\n> 1 | title: \uFFFD[31mred\n    |        ^"},
	} {
		_, err := Parse(tc.name, []byte(tc.src))
		require.EqualError(t, err, tc.want, "%q", tc.src)
	}
}

// TestHostileFiles: files of the largest size that would make the YAML reader
// recurse, copy or expand without end are refused before it can.
func TestHostileFiles(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, MaxFileSize/len(s)) }
	const deep, long = "nested deeper than 64 levels", "behind 50000 YAML tokens"
	for _, tc := range []struct{ name, src, want string }{
		{"flow lists", fill("["), deep},
		{"flow mappings", fill("{a: "), deep},
		{"lists in one line", fill("- "), deep},
		{"complex keys", fill("? "), deep},
		{"anchors", fill("&a "), deep},
		{"indentation", indented(), deep},
		{"short items", fill("- a\n"), long},
		{"empty items", fill("-\n"), long},
		{"empty values", fill("a:\n"), long},
		{"a flow list", "[" + fill("a,")[2:], long},
		{"documents", fill("---\n"), long},
		{"one word", fill("a"), "scenario: want a mapping, got text"},
		{"an open quote", `"` + fill("a")[1:], "could not find end character"},
		{"many keys", keys(16_000), `unknown key "k0"`},
		{"a bomb", bomb(), "more than 100000 values once its aliases are followed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.LessOrEqual(t, len(tc.src), MaxFileSize)
			_, err := Parse("a.yaml", []byte(tc.src))
			require.ErrorContains(t, err, tc.want)
			require.Less(t, len(err.Error()), 64<<10, "the message is bounded too")
		})
	}
}

// TestManyNames: a file of the largest number of names and mistakes in them.
// Each mistake is compared with each name, which the number of mistakes bounds.
func TestManyNames(t *testing.T) {
	var b strings.Builder
	b.WriteString("title: x\nnetwork: { segments: { lan: {} } }\nnodes:\n")
	for i := range 1200 {
		fmt.Fprintf(&b, "  node-%04d: { interfaces: [{ segment: lan, address: 10.0.%d.%d/16 }] }\n", i, i/250, 1+i%250)
	}
	b.WriteString("steps:\n")
	for i := range 1500 {
		fmt.Fprintf(&b, "  - ping: { from: node_%04d, to: nodes-%04d }\n", i, i)
	}
	_, err := Parse("a.yaml", []byte(b.String()))
	var all Errors
	require.ErrorAs(t, err, &all)
	require.Len(t, all, maxErrors)
	require.Equal(t, `from: no host is called "node_0000"; did you mean "node-0000"?`, all[0].Message)
}

// TestManyBoxes: a file of many NAT boxes in a row, each with the same network behind it.
func TestManyBoxes(t *testing.T) {
	var b strings.Builder
	const n = 300
	b.WriteString("title: x\nnetwork:\n  segments:\n    core: {}\n")
	for i := range n {
		fmt.Fprintf(&b, "    h%d: {}\n", i)
	}
	b.WriteString("nodes:\n  s: {interfaces: [{segment: core, address: 10.9.255.1/16}]}\n")
	for i := range n {
		fmt.Fprintf(&b, "  a%d: {interfaces: [{segment: h%d, address: 192.168.1.2/24}], gateway: 192.168.1.1}\n", i, i)
		fmt.Fprintf(&b, "  n%d: {type: router, interfaces: [{segment: h%d, address: 192.168.1.1/24}, {segment: core, address: 10.9.%d.%d/16}], nat: {box: behave, outside: core}}\n", i, i, i/250, 1+i%250)
	}
	b.WriteString("steps:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - ping: { from: a%d, to: s }\n", i)
	}
	begin := time.Now()
	_, err := Parse("a.yaml", []byte(b.String()))
	require.NoError(t, err)
	require.Less(t, time.Since(begin), 30*time.Second)
}

func indented() string {
	var b strings.Builder
	for i := 0; i < 100; i++ {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}

// bomb is the billion laughs in the shape of a scenario: each level multiplies.
func bomb() string {
	var b strings.Builder
	b.WriteString("title: x\npolicies:\n  p0:\n    rules: &rules\n")
	for range 500 {
		b.WriteString("      - { authentication: &auth [&a {psk: x}, *a, *a, *a, *a, *a, *a, *a, *a, *a] }\n")
	}
	for i := range 500 {
		fmt.Fprintf(&b, "  p%d: { rules: *rules }\n", i+1)
	}
	return b.String()
}

func TestMistakesAreCounted(t *testing.T) {
	var b strings.Builder
	b.WriteString("title: x\nnetwork: { segments: { lan: {} } }\nnodes: { a: { interfaces: [{ segment: lan, address: 10.0.0.1/24 }] } }\nsteps:\n")
	for range 1000 {
		b.WriteString("  - ping: { from: nobody, to: nowhere }\n")
	}
	_, err := Parse("a.yaml", []byte(b.String()))
	var all Errors
	require.ErrorAs(t, err, &all)
	require.Len(t, all, maxErrors)
	require.Equal(t, 5, all[0].Line)
}
